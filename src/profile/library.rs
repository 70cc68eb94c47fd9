//! The parts of SBPL that are written in Scheme, by version and system.

use std::sync::OnceLock;

use super::directive::is_between;
use crate::syntax::{SyntaxLimits, Tree, parse};
use crate::vocab::Target;

struct Part {
    text: &'static str,
    from: &'static str,
    /// The SBPL versions that have it.
    versions: &'static [u8],
}

const ALL: &[u8] = &[1, 2, 3];

const PARTS: &[Part] = &[
    Part { text: include_str!("library/context.scm"), from: "", versions: ALL },
    Part { text: include_str!("library/operations.scm"), from: "macos-10.15", versions: ALL },
    Part { text: include_str!("library/message-filter.scm"), from: "macos-12.3", versions: ALL },
    Part { text: include_str!("library/version-1.scm"), from: "", versions: &[1] },
    Part { text: include_str!("library/define-once.scm"), from: "macos-26", versions: ALL },
];

/// The texts to run when `version` runs first.
pub(super) fn trees(target: &Target, version: u8) -> impl Iterator<Item = &'static Tree> {
    static TREES: OnceLock<Vec<Tree>> = OnceLock::new();
    let trees = TREES
        .get_or_init(|| PARTS.iter().map(|part| parse(part.text.as_bytes(), &SyntaxLimits::default()).tree).collect());
    PARTS
        .iter()
        .zip(trees)
        .filter(move |(part, _)| is_between(target, part.from, "") && part.versions.contains(&version))
        .map(|(_, tree)| tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_read_without_error() {
        for part in PARTS {
            assert_eq!(parse(part.text.as_bytes(), &SyntaxLimits::default()).errors, []);
        }
    }
}
