//! Compiled profiles byte by byte and part by part.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::blob::{BlobError, Decoded, NodeId, Options, Roots, decode};

/// A value that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair<T> {
    /// In A.
    pub a: T,
    /// In B.
    pub b: T,
}

/// The first byte that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirstDifference {
    /// Bytes from the start of the file; the length of the shorter file when it is the beginning of the other.
    pub offset: usize,
    /// The section of A that holds it.
    pub section: Option<&'static str>,
    /// The bytes; none where a file has ended.
    pub byte: Pair<Option<u8>>,
}

/// How two compiled profiles differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlobDiff {
    /// Every byte is the same.
    pub identical: bool,
    /// Bytes of each file.
    pub size_bytes: Pair<usize>,
    /// SHA-256 of each file.
    pub sha256: Pair<String>,
    /// Where they part.
    pub first_difference: Option<FirstDifference>,
    /// Header fields that differ: name and values.
    pub header: Vec<(String, Pair<Value>)>,
    /// Sections whose sizes differ: name and bytes.
    pub sections: Vec<(&'static str, Pair<usize>)>,
    /// Operations whose entries in the operation table differ: name and node. Nodes are numbered anew by every
    /// compilation, so other numbers need not mean other answers.
    pub operations: Vec<(String, Pair<Option<u32>>)>,
    /// Strings, patterns and regexes that only A holds, as SBPL would write them.
    pub only_a: Vec<String>,
    /// Those that only B holds.
    pub only_b: Vec<String>,
}

/// Compares two compiled profiles.
///
/// # Errors
/// The first of them that cannot be read.
pub fn blob(a: &[u8], b: &[u8], options: &Options) -> Result<BlobDiff, Pair<Option<BlobError>>> {
    let left = decode(a, options).map_err(|error| Pair { a: Some(error), b: None })?;
    let right = decode(b, options).map_err(|error| Pair { a: None, b: Some(error) })?;
    let (texts_a, texts_b) = (texts(&left), texts(&right));
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(BlobDiff {
        identical: a == b,
        size_bytes: Pair { a: a.len(), b: b.len() },
        sha256: Pair { a: hex(a), b: hex(b) },
        first_difference: first_difference(a, b, &left),
        header: header(&left, &right),
        sections: sections(&left, &right),
        operations: operations(&left, &right),
        only_a: texts_a.difference(&texts_b).cloned().collect(),
        only_b: texts_b.difference(&texts_a).cloned().collect(),
    })
}

fn first_difference(a: &[u8], b: &[u8], left: &Decoded<'_>) -> Option<FirstDifference> {
    let common = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    if common == a.len() && common == b.len() {
        return None;
    }
    let holds = left.blob.layout().sections.iter().find(|section| section.range.contains(&common));
    let byte = Pair { a: a.get(common).copied(), b: b.get(common).copied() };
    Some(FirstDifference { offset: common, section: holds.map(|section| section.name), byte })
}

fn header(left: &Decoded<'_>, right: &Decoded<'_>) -> Vec<(String, Pair<Value>)> {
    let fields = |decoded: &Decoded<'_>| match serde_json::to_value(decoded.header()) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (a, b) = (fields(left), fields(right));
    let differ = a.into_iter().filter_map(|(name, value)| {
        let other = b.get(&name).cloned().unwrap_or(Value::Null);
        (value != other).then_some((name, Pair { a: value, b: other }))
    });
    differ.collect()
}

fn sections(left: &Decoded<'_>, right: &Decoded<'_>) -> Vec<(&'static str, Pair<usize>)> {
    let size = |decoded: &Decoded<'_>, name: &str| {
        decoded.blob.layout().section(name).map_or(0, |section| section.range.len())
    };
    let both = left.blob.layout().sections.iter().chain(&right.blob.layout().sections);
    let mut names: Vec<&'static str> = both.map(|section| section.name).collect();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    names
        .into_iter()
        .map(|name| (name, Pair { a: size(left, name), b: size(right, name) }))
        .filter(|(_, pair)| pair.a != pair.b)
        .collect()
}

/// The roots by operation name; of a collection by `profile/operation`.
fn roots(decoded: &Decoded<'_>) -> Vec<(String, u32)> {
    let named = |prefix: &str, roots: &[NodeId]| -> Vec<(String, u32)> {
        let name = |at: u8| format!("{prefix}{}", decoded.names.operation(at));
        (0..=u8::MAX).zip(roots).map(|(at, root)| (name(at), root.0)).collect()
    };
    match &decoded.program.roots {
        Roots::Single(roots) => named("", roots),
        Roots::Collection { profiles, .. } => profiles
            .iter()
            .flat_map(|profile| named(&format!("{}/", String::from_utf8_lossy(&profile.name)), &profile.roots))
            .collect(),
    }
}

fn operations(left: &Decoded<'_>, right: &Decoded<'_>) -> Vec<(String, Pair<Option<u32>>)> {
    let mut rows: indexmap::IndexMap<String, Pair<Option<u32>>> =
        roots(left).into_iter().map(|(name, root)| (name, Pair { a: Some(root), b: None })).collect();
    for (name, root) in roots(right) {
        rows.entry(name).or_insert(Pair { a: None, b: None }).b = Some(root);
    }
    rows.into_iter().filter(|(_, pair)| pair.a != pair.b).collect()
}

fn texts(decoded: &Decoded<'_>) -> BTreeSet<String> {
    let program = &decoded.program;
    let strings = program.strings.iter().map(|text| format!("string {}", crate::blob::quote(text)));
    let patterns = program.patterns.iter().map(|tree| {
        let filters = decoded.pattern_filters(tree);
        filters.iter().map(|(kind, text)| format!("{kind} {text}")).collect::<Vec<_>>().join(", ")
    });
    let regexes = program.regexes.iter().map(|regex| format!("regex {}", crate::blob::quote(&regex.to_source())));
    strings.chain(patterns).chain(regexes).collect()
}
