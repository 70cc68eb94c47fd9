//! What names mean, looked up once per system and version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use crate::vocab::{Spelling, Target};

/// Every operation, filter and modifier name of one system and version.
pub(super) type Names = HashMap<Vec<u8>, Spelling>;

/// The names of `target` in SBPL version `version`. They never change, so they are kept.
pub(super) fn names(target: &'static Target, version: u8) -> Arc<Names> {
    type Kept = Mutex<HashMap<(&'static str, u8), Arc<Names>>>;
    static KEPT: OnceLock<Kept> = OnceLock::new();
    let mut kept = match KEPT.get_or_init(Mutex::default).lock() {
        Ok(kept) => kept,
        // Nothing that holds the lock leaves the map half changed.
        Err(poisoned) => poisoned.into_inner(),
    };
    let entry = kept.entry((target.name(), version)).or_insert_with(|| {
        Arc::new(target.spellings(version).into_iter().map(|(name, spelling)| (name.into_bytes(), spelling)).collect())
    });
    Arc::clone(entry)
}
