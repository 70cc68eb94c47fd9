//! From requests to as few rules as say exactly the same.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::{Step, Unlearnable};
use crate::decide::{Address, Attribute, Family, PATH, Request, Transport, Value};
use crate::pattern::{Pattern, PatternKind};
use crate::policy::print::Printer;
use crate::policy::{Arg, Filter, Host, NetworkAddress, Policy, Rule, RuleSource, Test, protocol_number};
use crate::vocab::{Action, ArgKind, FilterId, OpId, Target};

/// A rule in the making: any of these filters, for all of these operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) operations: BTreeSet<OpId>,
    /// Empty: always.
    pub(super) filters: Vec<Filter>,
    /// For which requests, by place.
    pub(super) requests: Vec<usize>,
    /// The files behind `filters`, with the request each is for.
    files: Vec<(Vec<u8>, usize)>,
}

impl Draft {
    pub(super) fn rule(&self) -> Rule {
        let filter = match self.filters.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            all => Some(Filter::Any(all.to_vec())),
        };
        Rule {
            action: Action::Allow,
            operations: self.operations.iter().copied().collect(),
            filter,
            modifiers: Vec::new(),
            source: RuleSource::Profile,
            origin: None,
        }
    }

    /// What each step beyond `taken` makes of each directory of the files.
    pub(super) fn wider(&self, taken: Step) -> Vec<(Step, Self)> {
        let mut directories: IndexMap<&[u8], Vec<usize>> = IndexMap::new();
        for (path, request) in &self.files {
            if let Some(directory) = directory(path) {
                directories.entry(directory).or_default().push(*request);
            }
        }
        let mut out = Vec::new();
        for (directory, requests) in &directories {
            for step in [Step::Directory, Step::Subpath].into_iter().filter(|step| *step > taken) {
                let filters = generalised(directory, step).into_iter().collect();
                out.push((
                    step,
                    Self {
                        operations: self.operations.clone(),
                        filters,
                        requests: requests.clone(),
                        files: Vec::new(),
                    },
                ));
            }
        }
        out
    }
}

/// The directory of a file, unless it is the root: what is generalised to the root is everything.
fn directory(path: &[u8]) -> Option<&[u8]> {
    let end = path.iter().rposition(|byte| *byte == b'/')?;
    path.get(..end).filter(|directory| !directory.is_empty())
}

fn path_filter(pattern: Pattern) -> Filter {
    Filter::Test(Test { filter: PATH, arg: Arg::Pattern(pattern) })
}

/// The files directly in `directory`, or all below it.
fn generalised(directory: &[u8], step: Step) -> Option<Filter> {
    if step == Step::Subpath {
        return Some(path_filter(Pattern::subpath(directory)));
    }
    let mut text = b"^".to_vec();
    for byte in directory {
        if b".[]()*+?^$|\\{}".contains(byte) {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text.extend_from_slice(b"/[^/]+$");
    Pattern::new(PatternKind::Regex, text, false).ok().map(path_filter)
}

/// The filter that only `request` meets; `None` when nothing is known of it but the operation.
pub(super) fn filter(target: &Target, request: &Request) -> Result<Option<Filter>, Unlearnable> {
    let mut tests = Vec::new();
    for (attribute, value) in &request.values {
        let refused = || Unlearnable::Value(attribute.name(target).into_owned());
        let Attribute::Filter(filter) = attribute else { return Err(refused()) };
        if *value == Value::Absent {
            continue;
        }
        if !target.accepts(request.operation, *filter) {
            return Err(refused());
        }
        tests.extend(
            args(target, *filter, value)
                .ok_or_else(refused)?
                .into_iter()
                .map(|arg| Filter::Test(Test { filter: *filter, arg })),
        );
    }
    Ok(match tests.len() {
        0 | 1 => tests.pop(),
        _ => Some(Filter::All(tests)),
    })
}

/// The arguments with which the filter holds for `value` and no other: one for each of several values.
fn args(target: &Target, filter: FilterId, value: &Value) -> Option<Vec<Arg>> {
    let kind = target.filter(filter)?.argument;
    match value {
        Value::Strings(all) if kind.is_pattern() => {
            Some(all.iter().map(|text| Arg::Pattern(Pattern::literal(text.clone()))).collect())
        }
        Value::Strings(all) if kind == ArgKind::String => {
            Some(all.iter().map(|text| Arg::String(text.clone())).collect())
        }
        Value::Numbers(all) if kind == ArgKind::Bitmask => {
            Some(all.iter().map(|number| Arg::Integers(vec![*number])).collect())
        }
        Value::Numbers(all) => Some(all.iter().map(|number| Arg::Integer(*number)).collect()),
        Value::Address(address) => Some(vec![Arg::Network(network(address)?)]),
        Value::Strings(_) | Value::Flag(_) | Value::Absent => None,
    }
}

fn network(address: &Address) -> Option<NetworkAddress> {
    let word = match address.transport {
        Some(Transport::Tcp) => "tcp",
        Some(Transport::Udp) => "udp",
        Some(Transport::Other) | None => "ip",
    };
    let version = match address.family {
        None => "",
        Some(Family::V4) => "4",
        Some(Family::V6) => "6",
    };
    Some(NetworkAddress {
        protocol: protocol_number(&format!("{word}{version}"))?,
        host: if address.local == Some(true) { Host::Localhost } else { Host::Any },
        port: address.port,
    })
}

/// One wish: the place of its request, the operation, the filter.
pub(super) type Wanted = (usize, OpId, Option<Filter>);

/// The operations that are wanted under one filter, and for which requests.
#[derive(Debug, Default)]
struct Shared<'f> {
    filter: Option<&'f Filter>,
    operations: BTreeSet<OpId>,
    places: Vec<usize>,
}

/// Few rules for `wanted`: one for each set of operations that share the same filters.
pub(super) fn drafts(target: &'static Target, wanted: &[Wanted], step: Step) -> Vec<Draft> {
    // An operation that is wanted whatever the values needs no other rule.
    let whole: BTreeSet<OpId> = wanted.iter().filter(|wish| wish.2.is_none()).map(|wish| wish.1).collect();
    let mut filters: IndexMap<Vec<u8>, Shared<'_>> = IndexMap::new();
    let printer = Printer::new(target, 1);
    for (place, operation, filter) in wanted {
        let filter = if whole.contains(operation) { None } else { filter.as_ref() };
        let key = filter.map_or_else(Vec::new, |filter| printer.filter(filter));
        let entry = filters.entry(key).or_insert_with(|| Shared { filter, ..Shared::default() });
        entry.operations.insert(*operation);
        entry.places.push(*place);
    }
    let mut drafts: IndexMap<(bool, BTreeSet<OpId>), Draft> = IndexMap::new();
    for Shared { filter, operations, places } in filters.into_values() {
        let draft = drafts.entry((filter.is_none(), operations.clone())).or_insert_with(|| Draft {
            operations,
            filters: Vec::new(),
            requests: Vec::new(),
            files: Vec::new(),
        });
        if let (Some(Filter::Test(Test { filter: PATH, arg: Arg::Pattern(pattern) })), Some(first)) =
            (filter, places.first())
        {
            draft.files.push((pattern.text().to_vec(), *first));
        }
        draft.filters.extend(filter.cloned());
        draft.requests.extend(places);
    }
    let mut drafts: Vec<Draft> = drafts.into_values().collect();
    drafts.iter_mut().for_each(|draft| generalise(draft, step));
    drafts
}

/// Puts the step's filter in the place of the files of each directory that holds two or more.
fn generalise(draft: &mut Draft, step: Step) {
    if step == Step::File {
        return;
    }
    let mut directories: IndexMap<Vec<u8>, Vec<Vec<u8>>> = IndexMap::new();
    for (path, _) in &draft.files {
        if let Some(directory) = directory(path) {
            directories.entry(directory.to_vec()).or_default().push(path.clone());
        }
    }
    for (directory, files) in directories.into_iter().filter(|(_, files)| files.len() > 1) {
        let Some(filter) = generalised(&directory, step) else { continue };
        let gone: Vec<Filter> = files.iter().map(|path| path_filter(Pattern::literal(path.clone()))).collect();
        draft.filters.retain(|filter| !gone.contains(filter));
        draft.filters.push(filter);
    }
}

/// What the compiler adds to the profile because of the shim, such as the socket of network extensions once
/// `network-outbound` has conditions (`spec/versions-and-defaults.md` section 3): the shim opens that too.
pub(super) fn added_by_the_compiler(before: &Policy, after: &Policy) -> Vec<Draft> {
    let is_allowing = |rule: &&Rule| rule.source == RuleSource::Implicit && rule.action == Action::Allow;
    let same = |a: &Rule, b: &Rule| (&a.operations, &a.filter) == (&b.operations, &b.filter);
    after
        .rules()
        .iter()
        .filter(is_allowing)
        .filter(|rule| !before.rules().iter().filter(is_allowing).any(|old| same(old, rule)))
        .map(|rule| Draft {
            operations: rule.operations.iter().copied().collect(),
            filters: rule.filter.iter().cloned().collect(),
            requests: Vec::new(),
            files: Vec::new(),
        })
        .collect()
}

/// The rules as the scopes of a contract.
pub(super) fn contract_scopes(printer: &Printer, drafts: &[Draft]) -> Vec<Vec<u8>> {
    let scope = |draft: &Draft| {
        let names = draft.operations.iter().map(|operation| printer.operation(*operation).into_bytes());
        let filters = draft.filters.iter().map(|filter| super::shown(&printer.filter(filter)).into_bytes());
        let words: Vec<Vec<u8>> = names.chain(filters).collect();
        [&b"("[..], &words.join(&b' '), b")"].concat()
    };
    drafts.iter().map(scope).collect()
}
