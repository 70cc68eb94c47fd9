//! Names of files in a bundle, made of ids that may hold anything.

use std::collections::BTreeSet;

/// The names of the profiles' files: no two the same, whatever the ids are.
pub(super) fn stems<'s>(profiles: impl Iterator<Item = (&'s str, &'s str)>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let name = |(id, blob)| unique(runtime_stem(blob, id), &mut taken);
    profiles.map(name).collect()
}

/// `name`, with as many `_` behind it as make it unlike those in `taken`.
pub(super) fn unique(mut name: String, taken: &mut BTreeSet<String>) -> String {
    while !taken.insert(name.clone()) {
        name.push('_');
    }
    name
}

/// `<stem of the base>.<profile id>.runtime`, the id's colons and whatever else does not belong in a file name as `_`.
pub(super) fn runtime_stem(base: &str, id: &str) -> String {
    let name = base.rsplit('/').next().unwrap_or(base);
    let stem = name.strip_suffix(".bin").unwrap_or(name);
    let stem = stem.strip_suffix(".sb").unwrap_or(stem);
    let plain = |text: &str| -> String { text.chars().map(|c| if fits(c) { c } else { '_' }).collect() };
    short(format!("{}.{}.runtime", plain(stem), plain(id)))
}

/// Whether a character stays as it is in the names of a bundle's files.
pub(super) fn fits(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// A name that file systems take: a long one is cut and told apart by its digest.
pub(super) fn short(name: String) -> String {
    const LIMIT: usize = 200;
    if name.len() <= LIMIT {
        return name;
    }
    let digest = super::sha256_hex(name.as_bytes());
    let tail = digest.get(..16).unwrap_or_default();
    name.chars().take(LIMIT - 17).chain(['-']).chain(tail.chars()).collect()
}
