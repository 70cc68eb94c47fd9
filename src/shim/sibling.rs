//! Paths that lead through a link: the path that the system sees is another one.

use super::apply::{Edit, EditKind};
use super::file::PathPair;
use super::form::string;
use crate::diag::Span;
use crate::syntax::{AtomKind, NodeId, NodeKind, Tree, write_string};

/// How the string of a filter is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Whole,
    Start,
    Regex,
}

/// The filters whose strings are paths of files (`spec/sbpl-language.md` section 9); those relative to a mount are not.
const PATH_FILTERS: &[(&[u8], Compare)] = &[
    (b"literal", Compare::Whole),
    (b"path", Compare::Whole),
    (b"path-literal", Compare::Whole),
    (b"process-path", Compare::Whole),
    (b"subpath", Compare::Start),
    (b"prefix", Compare::Start),
    (b"path-prefix", Compare::Start),
    (b"process-subpath", Compare::Start),
    (b"process-path-prefix", Compare::Start),
    (b"regex", Compare::Regex),
    (b"path-regex", Compare::Regex),
    (b"process-path-regex", Compare::Regex),
];

/// Edits that add, beside every path under the first of a pair, the same path under the second.
pub(super) fn add(tree: &Tree, pairs: &[PathPair]) -> Vec<Edit> {
    let mut edits = Vec::new();
    each_path(tree, pairs, |filter, argument, _, moved| {
        if !is_there(tree, filter, &moved) {
            let span = tree.span(argument);
            let mut new = b" ".to_vec();
            new.extend(literal(tree, argument, &moved));
            edits.push(Edit { kind: EditKind::AddSibling, span: Span::point(span.end), new });
        }
    });
    edits
}

/// Edits that move every path under the first of a pair to the second. A whole-path test of the link itself stays: it is
/// about the link.
pub(super) fn rewrite(tree: &Tree, pairs: &[PathPair]) -> Vec<Edit> {
    let mut edits = Vec::new();
    each_path(tree, pairs, |_, argument, (compare, value, pair), moved| {
        if compare != Compare::Whole || value != pair.from {
            let new = literal(tree, argument, &moved);
            edits.push(Edit { kind: EditKind::RewritePath, span: tree.span(argument), new });
        }
    });
    edits
}

fn each_path<'a>(
    tree: &Tree,
    pairs: &'a [PathPair],
    mut visit: impl FnMut(NodeId, NodeId, (Compare, &[u8], &'a PathPair), Vec<u8>),
) {
    for filter in tree.nodes().filter(|&node| tree.kind(node) == NodeKind::List) {
        let Some(&(_, compare)) = PATH_FILTERS.iter().find(|(name, _)| tree.head(filter) == Some(name)) else {
            continue;
        };
        for argument in tree.children(filter).skip(1) {
            let Some(value) = string(tree, argument) else { continue };
            let moved = pairs.iter().find_map(|pair| Some((pair, moved(&value, pair, compare)?)));
            if let Some((pair, moved)) = moved {
                visit(filter, argument, (compare, &value, pair), moved);
            }
        }
    }
}

/// `value` under the other path of `pair`, if it is under the first.
fn moved(value: &[u8], pair: &PathPair, compare: Compare) -> Option<Vec<u8>> {
    let (mark, path) = match compare {
        Compare::Regex => (&b"^"[..], value.strip_prefix(b"^")?),
        _ => (&b""[..], value),
    };
    let rest = path.strip_prefix(pair.from.as_slice())?;
    let ends = match rest.first() {
        None | Some(b'/') => true,
        Some(b'$' | b'(' | b'[') => compare == Compare::Regex,
        Some(_) => false,
    };
    ends.then(|| [mark, &pair.to, rest].concat())
}

/// True when the filter, or one of the same name beside it in an "or", already has the string `value`.
fn is_there(tree: &Tree, filter: NodeId, value: &[u8]) -> bool {
    let has = |filter| tree.children(filter).skip(1).any(|argument| string(tree, argument).as_deref() == Some(value));
    let beside =
        tree.parent(filter).filter(|&parent| matches!(tree.head(parent), Some(b"allow" | b"deny" | b"require-any")));
    has(filter)
        || beside.is_some_and(|parent| {
            tree.children(parent).any(|other| tree.head(other) == tree.head(filter) && has(other))
        })
}

/// `value` as a literal, quoted the way `argument` is.
fn literal(tree: &Tree, argument: NodeId, value: &[u8]) -> Vec<u8> {
    let raw = tree.kind(argument) == NodeKind::Atom(AtomKind::RawString);
    if raw && !value.contains(&b'"') {
        return [b"#\"", value, b"\""].concat();
    }
    let mut out = Vec::new();
    write_string(&mut out, value);
    out
}
