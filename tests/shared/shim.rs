//! Built-in shims on every profile that the reference data holds.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::shim::{self, ApplyError};

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    vec![Trial::test("shim: twice is once on every profile", move || run(&folder))]
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
