//! Built-in shims on every profile that the reference data holds.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::decide::Budget;
use sbpl::diag::Source;
use sbpl::policy::Policy;
use sbpl::profile::{EvalOptions, Loader, evaluate};
use sbpl::shim::{self, ApplyError};

use crate::corpus_evaluate as corpus;

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    let shared = folder.clone();
    vec![
        Trial::test("shim: twice is once on every profile", move || run(&folder)),
        Trial::test("shim: contracts on every profile", move || contracts(&shared)),
    ]
}

/// States of one automaton. Of two contracts in the corpus even far more do not suffice: scopes without anchor beside many
/// regexes.
const STATES: usize = 1 << 13;

/// Shipped shims keep their contracts on every profile that evaluates.
fn contracts(shared: &Path) -> Result<(), Failed> {
    let (mut kept, mut pairs) = (0, 0);
    let budget = Budget { states: STATES, ..Budget::default() };
    for folder in ["macos-10.15", "modern"] {
        for name in corpus::names(shared, folder)? {
            let options = corpus::options(folder, &name)?;
            let (text, loader) = (corpus::text(shared, folder, &name)?, corpus::loader(shared));
            let Some(before) = policy(&name, &text, &loader, &options) else { continue };
            for shim in shim::built_ins() {
                for key in shim.profiles().into_iter().map(Some).chain([None]) {
                    let applied = shim::apply(shim, text.as_slice(), key)?;
                    if applied.edits.is_empty() {
                        continue;
                    }
                    pairs += 1;
                    let Some(after) = policy(&name, &applied.text, &loader, &options) else {
                        return Err(format!("{name}: {} spoils it", shim.name).into());
                    };
                    let found = shim.check_contract(&before, &after, &options, budget)?;
                    match found.is_proved() {
                        true => kept += 1,
                        false => println!(
                            "{name}: {}: {} broken, {} undecided: {:?}",
                            shim.name,
                            found.broken.len(),
                            found.undecided.len(),
                            found.broken.iter().chain(&found.undecided).next()
                        ),
                    }
                }
            }
        }
    }
    crate::counts::check("shim: contracts proved, shim by profile", kept, pairs)
}

fn policy(name: &str, text: &[u8], loader: &dyn Loader, options: &EvalOptions) -> Option<Policy> {
    Some(evaluate(Source::new(name, text), loader, options).ok()?.policy)
}

fn run(folder: &Path) -> Result<(), Failed> {
    let (mut right, mut total) = (0, 0);
    for (path, text) in crate::syntax::profiles(&folder.join("corpus"))? {
        total += 1;
        right += usize::from(twice_is_once(&text).map_err(|problem| format!("{}: {problem}", path.display()))?);
    }
    crate::counts::check("shim: profiles on which shims are stable", right, total)
}

/// False for a text with syntax errors, which shims refuse.
fn twice_is_once(text: &[u8]) -> Result<bool, String> {
    for shim in shim::built_ins() {
        for key in shim.profiles().into_iter().map(Some).chain([None]) {
            let applied = match shim::apply(shim, text, key) {
                Ok(applied) => applied,
                Err(ApplyError::Profile(_)) => return Ok(false),
                Err(error) => return Err(format!("{}: {error}", shim.name)),
            };
            let again = shim::apply(shim, applied.text.clone(), key).map_err(|error| error.to_string())?;
            if !again.edits.is_empty() {
                return Err(format!("{} changes its own result", shim.name));
            }
            // What no edit touches is there byte for byte.
            let mut at = 0;
            let mut rest = applied.text.as_slice();
            for edit in &applied.edits {
                let kept = &text[at..edit.span.start as usize];
                let new = [kept, &edit.new].concat();
                rest = rest.strip_prefix(new.as_slice()).ok_or_else(|| format!("{}: text was lost", shim.name))?;
                at = edit.span.end as usize;
            }
            if rest != &text[at..] {
                return Err(format!("{}: the end was lost", shim.name));
            }
        }
    }
    Ok(true)
}
