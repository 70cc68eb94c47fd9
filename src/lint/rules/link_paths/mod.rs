//! Rules on paths behind `/tmp`, `/var` and `/etc`, and what they share.

pub(super) mod dead_path;
pub(super) mod redundant_link_path;

use crate::lint::context::{Context, PathArgument};
use crate::vocab::{FilterForm, OpId};
use std::collections::HashMap;

pub(super) const LINKS: [&[u8]; 3] = [b"/tmp", b"/var", b"/etc"];

pub(super) const FORMS: [FilterForm; 4] =
    [FilterForm::Exact, FilterForm::Prefix, FilterForm::Subpath, FilterForm::Regex];

/// The live paths under `/private`, by form and known front.
pub(super) type Live<'c, 'a> = HashMap<(FilterForm, Vec<u8>), Vec<PathArgument<'c, 'a>>>;

/// The arguments that only name something behind a link, and those that name something under `/private`.
pub(super) fn split<'c, 'a>(context: &'c Context<'a>) -> (Vec<PathArgument<'c, 'a>>, Live<'c, 'a>) {
    let mut dead = Vec::new();
    let mut live = Live::new();
    // Longer ones are another rule's business.
    for argument in context.path_arguments(&FORMS).into_iter().filter(|argument| argument.path().len() <= 1024) {
        if is_dead(&argument) {
            dead.push(argument);
        } else if let Some(path) = argument.path().strip_prefix(b"/private") {
            live.entry((argument.call.form, path.to_vec())).or_default().push(argument);
        }
    }
    (dead, live)
}

pub(super) fn is_dead(argument: &PathArgument<'_, '_>) -> bool {
    let path = argument.path();
    let Some(link) = LINKS.iter().find(|link| path.starts_with(link)) else { return false };
    match path.get(link.len()) {
        Some(b'/') => true,
        Some(_) => false,
        // The link alone is meant as such by `literal`, while `subpath` means what is behind it.
        None => argument.text.pieces.len() == 1 && argument.call.form == FilterForm::Subpath,
    }
}

/// True when a rule with the same action names the live path for one of the same operations; where no rule is known, when the
/// live path occurs at all.
pub(super) fn has_twin(context: &Context<'_>, live: &Live<'_, '_>, argument: &PathArgument<'_, '_>) -> bool {
    let rule = context.rule_of(argument.call);
    let path = argument.path();
    let same = live.get(&(argument.call.form, path.to_vec()));
    // A subpath above it does as well.
    let slashes = (0..path.len()).filter(|&at| path[at] == b'/');
    let above = slashes.filter_map(|at| live.get(&(FilterForm::Subpath, path[..at].to_vec())));
    same.into_iter().chain(above).flatten().any(|twin| match (rule, context.rule_of(twin.call)) {
        (Some(one), Some(other)) => {
            let decides = |id: OpId| context.target.lineage(id).any(|up| other.names(up));
            twin.call.negated == argument.call.negated
                && one.action == other.action
                && (one.operations.is_empty() || one.operations.iter().filter_map(|named| named.id).any(decides))
        }
        _ => true,
    })
}
