//! Built-in shims on every profile that the reference data holds.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::decide::Budget;
use sbpl::diag::Source;
use sbpl::policy::Policy;
use sbpl::profile::{EvalOptions, Loader, evaluate};
use sbpl::sandbox::log::{self, Entry, Layer, Verdict};
use sbpl::shim::learn::Denial;
use sbpl::shim::{self, ApplyError};

use crate::corpus_evaluate as corpus;

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    let (shared, lines) = (folder.clone(), folder.clone());
    vec![
        Trial::test("shim: twice is once on every profile", move || run(&folder)),
        Trial::test("shim: contracts on every profile", move || contracts(&shared)),
        Trial::test("shim: lines of denial logs", move || denials(&lines)),
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

/// Lines of logs are read as recorded, and refusals that the profile may be blamed for become requests.
fn denials(shared: &Path) -> Result<(), Failed> {
    let text = std::fs::read(shared.join("golden/denial-log-lines.json"))?;
    let data: serde_json::Value = serde_json::from_slice(&text)?;
    let (mut read, mut total, mut learned, mut learnable) = (0, 0, 0, 0);
    for line in data["lines"].as_array().into_iter().flatten() {
        let (raw, wanted) = (line["raw"].as_str().unwrap_or_default(), &line["parsed"]);
        total += 1;
        let entries = log::read(raw).entries;
        let problem = match (wanted.is_null(), entries.as_slice()) {
            (true, []) => None,
            (false, [entry]) => difference(entry, wanted),
            (_, found) => Some(format!("{} entries", found.len())),
        };
        match problem {
            None => read += 1,
            Some(problem) => println!("{raw}: {problem}"),
        }
        let ours = |entry: &&Entry| entry.layer == Layer::Sandbox && entry.verdict == Verdict::Deny;
        for entry in entries.iter().filter(ours).filter(|_| wanted["pseudo"] != true) {
            learnable += 1;
            let old = ["10.15", "10.12-10.15", "10.9-10.11"].contains(&line["macos"].as_str().unwrap_or_default());
            let target = sbpl::vocab::target(if old { "macos-10.15" } else { "macos-14.4" })?;
            let denial =
                Denial { operation: entry.operation.clone(), argument: entry.argument.clone(), local: entry.local };
            match denial.request(target) {
                Ok(_) => learned += 1,
                Err(reason) => println!("{raw}: {reason}"),
            }
        }
    }
    crate::counts::check("shim: lines of denial logs read as recorded", read, total)?;
    crate::counts::check("shim: logged refusals that become requests", learned, learnable)
}

/// What is read differently. The class of an extension stands in the argument until a request is made of it.
fn difference(entry: &Entry, wanted: &serde_json::Value) -> Option<String> {
    let layer = if entry.layer == Layer::Sandbox { "Sandbox" } else { "System Policy" };
    let verdict = if entry.verdict == Verdict::Deny { "deny" } else { "allow" };
    let argument = entry.argument.as_deref();
    let same_argument = match (argument, wanted["extension_class"].as_str(), wanted["argument"].as_str()) {
        (Some(text), Some(class), Some(path)) => text.ends_with(class) && text.contains(path),
        (argument, _, wanted) => argument == wanted,
    };
    let facts = [
        ("layer", wanted["layer"] == layer),
        ("process", wanted["process"] == entry.process.as_str()),
        ("pid", wanted["pid"] == entry.pid),
        ("verdict", wanted["verdict"] == verdict),
        ("operation", wanted["operation"] == entry.operation.as_str()),
        ("argument", same_argument),
        ("count", wanted["count"] == entry.count),
        ("tag", wanted["tag"].as_str() == entry.tag.as_deref()),
        ("time", wanted["time"].as_str() == entry.time.as_deref() || wanted["time"].is_null()),
    ];
    facts.iter().find(|(_, same)| !same).map(|(name, _)| format!("{name}: {entry:?}"))
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
