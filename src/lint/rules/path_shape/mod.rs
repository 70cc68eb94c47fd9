//! Rules on the shape of paths, and what they share.

pub(super) mod firmlink_path;
pub(super) mod glob_in_path;
pub(super) mod impossible_path;
pub(super) mod over_long_path;
pub(super) mod trailing_slash;
pub(super) mod unexpanded_placeholder;

use crate::lint::context::{Context, PathArgument};
use crate::lint::finding::{Applicability, Fix};
use crate::lint::text::{is_raw, literal};
use crate::vocab::FilterForm;

pub(super) const TEXT_FORMS: [FilterForm; 3] = [FilterForm::Exact, FilterForm::Subpath, FilterForm::Prefix];

/// Replaces the first literal of an argument by `bytes`, when it is written in place.
pub(super) fn rewrite(
    context: &Context<'_>,
    argument: &PathArgument<'_, '_>,
    bytes: &[u8],
    how: Applicability,
) -> Option<Fix> {
    let node = argument.text.head_node().filter(|_| !argument.text.indirect && argument.text.pieces.len() == 1)?;
    Some(Fix::replace(how, context.tree.span(node), literal(bytes, is_raw(context.tree, node))))
}

pub(super) fn placeholders(path: &[u8]) -> bool {
    const EXPANDED: [&[u8]; 3] = [b"HOME", b"FRONT_USER_HOME", b"ANY_UUID"];
    let name_at = |text: &[u8]| text.iter().take(64).take_while(|b| b.is_ascii_uppercase() || **b == b'_').count();
    for (at, byte) in path.iter().enumerate() {
        let rest = &path[at + 1..];
        let found = match byte {
            b'$' => match rest.first() {
                Some(b'{') => {
                    let name = rest[1..].split(|b| *b == b'}').next().unwrap_or_default();
                    rest.contains(&b'}') && !EXPANDED.contains(&name) && !name.contains(&b':')
                }
                Some(b'(') => rest.contains(&b')'),
                _ => name_at(rest) >= 3,
            },
            b'@' => {
                let name = name_at(rest);
                name >= 2 && rest.get(name) == Some(&b'@')
            }
            b'_' => rest.strip_prefix(b"_").is_some_and(|rest| {
                let name = name_at(rest);
                name >= 4 && rest[..name].ends_with(b"__")
            }),
            b'%' => matches!(rest.first(), Some(b's' | b'@')),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}
