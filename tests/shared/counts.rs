//! Counts that may only rise.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use libtest_mimic::Failed;

static FILE: Mutex<()> = Mutex::new(());

/// Prints how many of `total` things called `name` are right, and fails when fewer are than `tests/counts.json` says.
pub(crate) fn check(name: &str, right: usize, total: usize) -> Result<(), Failed> {
    let _one_at_a_time = FILE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/counts.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let mut counts: BTreeMap<String, usize> = serde_json::from_str(&text)?;
    let before = counts.get(name).copied();
    println!("count: {name}: {right} of {total}");
    if std::env::var_os("BLESS").is_some() && before.is_none_or(|before| before < right) {
        counts.insert(name.to_owned(), right);
        std::fs::write(&path, serde_json::to_string_pretty(&counts)? + "\n")?;
        return Ok(());
    }
    match before {
        None => Err(format!("{name}: not in tests/counts.json; BLESS=1 adds it").into()),
        Some(before) if right < before => Err(format!("{name}: {right}, but it was {before}").into()),
        Some(before) if right > before => {
            Err(format!("{name}: {right} is more than the recorded {before}; BLESS=1 records it").into())
        }
        Some(_) => Ok(()),
    }
}
