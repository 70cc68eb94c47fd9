//! The built-in table of profiles whose compiled form is a recorded fact.
//!
//! The texts are the project's own. Each has the same rules as a profile that Apple's compiler was given on macOS 14.4.1, so the
//! digest of that blob is its digest too: an installation can prove the native compiler without any other data.

use std::sync::OnceLock;

use indexmap::IndexMap;
use serde::Deserialize;

/// One profile with its fact.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Its file under `tests/golden`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Parameters that it is compiled with.
    pub params: IndexMap<String, String>,
    /// SHA-256 of the blob, in hex.
    pub sha256: String,
    /// Bytes of the blob.
    pub size: usize,
}

#[derive(Deserialize)]
struct Row {
    sha256: String,
    size: usize,
    #[serde(default)]
    params: IndexMap<String, String>,
}

macro_rules! texts {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../tests/golden/", $name)))),*]
    };
}

const TEXTS: &[(&str, &str)] = texts! {
    "cheap-tests-first.sb"
    "child-operations.sb"
    "defaults-allow.sb"
    "defaults-deny.sb"
    "defaults-network.sb"
    "defaults-read-write.sb"
    "defaults-read.sb"
    "exception-is-dropped.sb"
    "fcntl-far-number.sb"
    "fcntl-mask.sb"
    "iokit.sb"
    "last-rule-wins.sb"
    "literal-denied.sb"
    "literal-read.sb"
    "mach-name.sb"
    "mach-two-kinds.sb"
    "message-filter-allows.sb"
    "message-filter-async.sb"
    "message-number.sb"
    "mixed-denials.sb"
    "network-all.sb"
    "network-any.sb"
    "network-denied.sb"
    "network-domain.sb"
    "regex-as-pattern.sb"
    "rights.sb"
    "subpath-parameter.sb"
    "subpath-read.sb"
    "union-any-allowed.sb"
    "union-four-literals.sb"
    "union-of-rules.sb"
    "union-subpaths.sb"
    "union-two-literals.sb"
    "union-upper-case.sb"
    "version-2.sb"
    "vnode-type.sb"
};
const DIGESTS: &str = include_str!("../../tests/golden/digests.json");

/// All of them, by name.
pub fn facts() -> &'static [Fact] {
    static FACTS: OnceLock<Vec<Fact>> = OnceLock::new();
    FACTS.get_or_init(|| {
        // The file is part of the program; a test checks that it is read and that no text is without digest.
        let rows: IndexMap<String, Row> = serde_json::from_str(DIGESTS).unwrap_or_default();
        TEXTS
            .iter()
            .filter_map(|&(name, text)| {
                let row = rows.get(name)?;
                let Row { sha256, size, params } = row;
                Some(Fact { name, text, params: params.clone(), sha256: sha256.clone(), size: *size })
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text has a digest and every digest a text.
    #[test]
    fn the_table_is_complete() {
        let rows: IndexMap<String, Row> = serde_json::from_str(DIGESTS).unwrap();
        assert_eq!(facts().len(), rows.len());
        assert_eq!(TEXTS.len(), rows.len());
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let files = std::fs::read_dir(folder).unwrap().filter(|entry| {
            entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|extension| extension == "sb"))
        });
        assert_eq!(files.count(), rows.len());
    }
}
