//! The union of several patterns as one tree, in the order of alternatives that Apple's compiler gives it.
//!
//! No exact rule for that order is known. This is the one place that decides it: rule R4 (`docs/pattern-union.md`, which gives
//! the evidence). [`unite`] folds the chain as a queue ordered by end-points, `merge` is the union of two, `size` the
//! measure.
//!
//! **Certain** (bytes of macOS 14.4.1): literals stand in ascending length; common beginnings are factored down to one byte;
//! an open end absorbs everything that begins like it; an alternative keeps its place when others are merged into it.
//! **Likely**: the queue, and who is inserted into whom (all 25 unions of literals in the reference cases, ties included).
//! **Open**: subpaths among literals and subpaths (three reference cases differ in order; the language is the same).
//!
//! A list in which a variable, a set or a skip meets another alternative becomes a choice. Its groups stand in this order:
//! plain strings, then those that begin with something else (first argument first), then strings with a variable or set
//! further in. That holds for 78 of the 83 choices of the iOS 17, macOS 15.2 and iOS 26 platform profiles and the iOS 17
//! collection; the five others have a plain string merged into the last kind.

use std::collections::HashSet;
use std::collections::VecDeque;

use super::build::{Compiled, check_depth, compile};
use super::code::{Alternative, CodeError, CodeErrorKind, PatternTree, Step, end_points};
use super::{Pattern, PatternKind};

/// What an end counts in [`size`]; 10 fits best (`docs/pattern-union.md`).
const END_SIZE: usize = 10;

/// One test of the chain that is to be united.
struct Operand {
    list: Vec<Alternative>,
    end_points: usize,
    /// A subpath that was never united: as second argument its end does not count.
    fresh_subpath: bool,
}

/// Unites the patterns of a chain into one tree. `chain` is in the order in which the tests stand: source order inside a
/// rule or `require-any`, and the newest rule first. Repeated patterns do not count.
///
/// # Errors
/// [`CodeErrorKind::Shape`] when the chain is empty, or has a pattern that cannot be united (see
/// [`super::build::is_unitable`]) and is not alone; [`CodeErrorKind::TooDeep`].
pub fn unite(chain: &[Pattern], variable: &mut dyn FnMut(&[u8]) -> u16) -> Result<PatternTree, CodeError> {
    let mut operands = Vec::with_capacity(chain.len());
    let mut seen = HashSet::new();
    for pattern in chain {
        let Compiled::Tree(tree) = compile(pattern, variable)? else {
            return Err(CodeError::new(CodeErrorKind::Shape, 0));
        };
        if tree.is_search() && chain.len() > 1 {
            return Err(CodeError::new(CodeErrorKind::Shape, 0));
        }
        let list = tree.alternatives().to_vec();
        if seen.insert(list.clone()) {
            let fresh_subpath = pattern.shape().0 == PatternKind::Subpath;
            operands.push(Operand { end_points: end_points(&list), list, fresh_subpath });
        }
    }
    PatternTree::new(fold(operands)?)
}

/// The number of end-points of the union, which is its cost factor (`spec/codegen-rules.md` §5.3). Regexes that cannot be
/// united count as one each.
pub fn chain_end_points(chain: &[Pattern]) -> usize {
    let (code, regexes): (Vec<_>, Vec<_>) = chain.iter().cloned().partition(super::build::is_unitable);
    // Numbers by name, so that different variables stay different.
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut number = |name: &[u8]| {
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_vec());
            names.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    };
    regexes.len() + unite(&code, &mut number).map_or(code.len(), |tree| tree.end_points())
}

/// Unites the first two of a queue ordered by end-points, puts the result behind its equals, and goes on until one is left.
fn fold(mut operands: Vec<Operand>) -> Result<Vec<Alternative>, CodeError> {
    operands.sort_by_key(|operand| operand.end_points);
    let mut queue = VecDeque::from(operands);
    loop {
        match (queue.pop_front(), queue.pop_front()) {
            (None, _) => return Err(CodeError::new(CodeErrorKind::Shape, 0)),
            (Some(last), None) => return Ok(last.list),
            (Some(a), Some(b)) => {
                let list = unite_two(a.list, b)?;
                let united = Operand { end_points: end_points(&list), list, fresh_subpath: false };
                let place = queue.iter().take_while(|other| other.end_points <= united.end_points).count();
                queue.insert(place, united);
            }
        }
    }
}

/// The larger one is inserted into the smaller one, of equals the second into the first.
fn unite_two(a: Vec<Alternative>, b: Operand) -> Result<Vec<Alternative>, CodeError> {
    let swap = list_size(&b.list) < list_size(&a);
    let fresh = match (b.fresh_subpath, swap) {
        (false, _) => Fresh::Neither,
        (true, true) => Fresh::Base,
        (true, false) => Fresh::Other,
    };
    let (base, other) = if swap { (b.list, a) } else { (a, b.list) };
    merge(base, other, Order::Size(fresh), 0)
}

/// Which argument of [`merge`] is a subpath that was never united: its end does not count in its [`size`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// None is.
    Neither,
    /// The list that is inserted into.
    Base,
    /// The list whose alternatives are inserted.
    Other,
}

/// How [`merge`] orders its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By size: an alternative goes in front of those at the end that are not smaller.
    Size(Fresh),
    /// As they come: the branches of one regex.
    Source,
}

/// An alternative of the list that is being made.
struct Entry {
    alternative: Alternative,
    size: usize,
    fresh: bool,
}

impl Entry {
    fn new(alternative: Alternative, fresh: bool) -> Self {
        Self { size: size(&alternative, fresh), alternative, fresh }
    }
}

/// The union of two lists. The alternatives of `other`, from the last to the first, are merged into the one of `base` that begins
/// alike, which keeps its place, or else inserted. The arguments change roles at each level of the tree.
pub(crate) fn merge(
    base: Vec<Alternative>,
    other: Vec<Alternative>,
    order: Order,
    depth: usize,
) -> Result<Vec<Alternative>, CodeError> {
    check_depth(depth)?;
    let all = [Alternative::All];
    if base == all || other == all {
        return Ok(all.to_vec());
    }
    let mut out: Vec<Entry> =
        flatten(base).map(|alternative| Entry::new(alternative, order == Order::Size(Fresh::Base))).collect();
    let other = flatten(other).map(|alternative| Entry::new(alternative, order == Order::Size(Fresh::Other)));
    let mut other: Vec<Entry> = other.collect();
    if order != Order::Source {
        other.reverse();
    }
    for new in other {
        match out.iter_mut().find(|old| begins_alike(&old.alternative, &new.alternative)) {
            Some(old) => {
                let before = std::mem::replace(&mut old.alternative, Alternative::End);
                *old = Entry::new(merge_two(before, old.fresh, new, order, depth)?, false);
            }
            None => {
                let place = match order {
                    Order::Source => out.len(),
                    Order::Size(_) => out.iter().rposition(|old| old.size < new.size).map_or(0, |at| at + 1),
                };
                out.insert(place, new);
            }
        }
    }
    Ok(grouped(out.into_iter().map(|entry| entry.alternative).collect()))
}

/// The alternatives of a list, those in the groups of a choice too.
fn flatten(list: Vec<Alternative>) -> impl Iterator<Item = Alternative> {
    list.into_iter().flat_map(|alternative| match alternative {
        Alternative::Choice(groups) => groups.into_iter().flatten().collect(),
        other => vec![other],
    })
}

fn begins_alike(a: &Alternative, b: &Alternative) -> bool {
    match (a, b) {
        (Alternative::Then(Step::Literal(a), _), Alternative::Then(Step::Literal(b), _)) => a.first() == b.first(),
        (Alternative::Then(a, _), Alternative::Then(b, _)) => a == b,
        (Alternative::End, Alternative::End) | (Alternative::All, Alternative::All) => true,
        _ => false,
    }
}

/// Two alternatives that begin alike.
fn merge_two(
    old: Alternative,
    old_fresh: bool,
    new: Entry,
    order: Order,
    depth: usize,
) -> Result<Alternative, CodeError> {
    match (old, new.alternative) {
        (Alternative::Then(Step::Literal(a), a_rest), Alternative::Then(Step::Literal(b), b_rest)) => {
            let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            let head = a.get(..common).unwrap_or_default().to_vec();
            // What is left of a fresh subpath is one still.
            let fresh = match (old_fresh && a.len() > common, new.fresh && b.len() > common) {
                (true, _) => Fresh::Other,
                (_, true) => Fresh::Base,
                (false, false) => Fresh::Neither,
            };
            let split = |mut label: Vec<u8>, rest: Vec<Alternative>| {
                let tail = label.split_off(common);
                if tail.is_empty() { rest } else { vec![Alternative::Then(Step::Literal(tail), rest)] }
            };
            Ok(literal(head, deeper(split(a, a_rest), split(b, b_rest), order, fresh, depth)?))
        }
        (Alternative::Then(step, a), Alternative::Then(_, b)) => {
            Ok(Alternative::Then(step, deeper(a, b, order, Fresh::Neither, depth)?))
        }
        (old, _) => Ok(old),
    }
}

fn deeper(
    old: Vec<Alternative>,
    new: Vec<Alternative>,
    order: Order,
    fresh: Fresh,
    depth: usize,
) -> Result<Vec<Alternative>, CodeError> {
    match order {
        Order::Source => merge(old, new, Order::Source, depth + 1),
        Order::Size(_) => merge(new, old, Order::Size(fresh), depth + 1),
    }
}

/// A literal step; fused with the one behind it when there is no branch between them.
pub(crate) fn literal(mut label: Vec<u8>, rest: Vec<Alternative>) -> Alternative {
    match <[Alternative; 1]>::try_from(rest) {
        Ok([Alternative::Then(Step::Literal(tail), rest)]) => {
            label.extend(tail);
            Alternative::Then(Step::Literal(label), rest)
        }
        Ok([only]) => Alternative::Then(Step::Literal(label), vec![only]),
        Err(rest) => Alternative::Then(Step::Literal(label), rest),
    }
}

/// Bytes of the labels, and [`END_SIZE`] for each end; of a fresh subpath only its text and the slash. A step that is no
/// literal counts as one byte.
fn size(alternative: &Alternative, fresh_subpath: bool) -> usize {
    match alternative {
        Alternative::Then(Step::Literal(label), _) if fresh_subpath => label.len() + 1,
        Alternative::Then(Step::Literal(label), rest) => label.len() + list_size(rest),
        Alternative::Then(_, rest) => 1 + list_size(rest),
        Alternative::End => END_SIZE,
        Alternative::All => 0,
        Alternative::Choice(groups) => groups.iter().map(|group| list_size(group)).sum(),
    }
}

fn list_size(list: &[Alternative]) -> usize {
    list.iter().map(|alternative| size(alternative, false)).sum()
}

/// Makes a list with steps that are no literals a choice; see the module's text.
fn grouped(mut list: Vec<Alternative>) -> Vec<Alternative> {
    if list.len() < 2 || !list.iter().any(|alternative| class(alternative) == 1) {
        return list;
    }
    list.sort_by_key(class);
    let mut groups: Vec<Vec<Alternative>> = Vec::new();
    let mut together = false;
    for alternative in list {
        let plain = class(&alternative) != 1;
        match groups.last_mut() {
            Some(group) if plain && together => group.push(alternative),
            _ => groups.push(vec![alternative]),
        }
        together = plain;
    }
    vec![Alternative::Choice(groups)]
}

/// 0 for plain strings, 1 for what does not begin with a string, 2 for strings with something else further in.
fn class(alternative: &Alternative) -> u8 {
    fn is_plain(alternative: &Alternative) -> bool {
        match alternative {
            Alternative::End | Alternative::All => true,
            Alternative::Then(Step::Literal(_), rest) => rest.iter().all(is_plain),
            Alternative::Then(..) | Alternative::Choice(_) => false,
        }
    }
    match alternative {
        Alternative::End | Alternative::All => 0,
        Alternative::Then(Step::Literal(_), _) => {
            if is_plain(alternative) {
                0
            } else {
                2
            }
        }
        Alternative::Then(..) | Alternative::Choice(_) => 1,
    }
}

/// Whether no subject can match both trees, as the compiler finds it: by comparing end-strings and open-ended prefixes
/// (`spec/codegen-rules.md` §5.1). What lies behind a variable, set or skip is not looked into, so `false` may be an overlap that
/// cannot happen.
pub fn disjoint(a: &PatternTree, b: &PatternTree) -> bool {
    !lists_overlap(a.alternatives(), b.alternatives(), 0, 0)
}

/// Whether two lists may share a subject; the first label of each is taken from the given offset on.
fn lists_overlap(a: &[Alternative], b: &[Alternative], a_from: usize, b_from: usize) -> bool {
    a.iter().any(|a| b.iter().any(|b| overlap(a, b, a_from, b_from)))
}

fn overlap(a: &Alternative, b: &Alternative, a_from: usize, b_from: usize) -> bool {
    match (a, b) {
        (Alternative::All, _) | (_, Alternative::All) => true,
        (Alternative::Choice(groups), other) => {
            groups.iter().any(|group| lists_overlap(group, std::slice::from_ref(other), a_from, b_from))
        }
        (other, Alternative::Choice(groups)) => {
            groups.iter().any(|group| lists_overlap(std::slice::from_ref(other), group, a_from, b_from))
        }
        (Alternative::End, Alternative::End) => true,
        (Alternative::End, Alternative::Then(Step::Literal(_), _))
        | (Alternative::Then(Step::Literal(_), _), Alternative::End) => false,
        (Alternative::Then(Step::Literal(a_label), a_rest), Alternative::Then(Step::Literal(b_label), b_rest)) => {
            let (a_text, b_text) =
                (a_label.get(a_from..).unwrap_or_default(), b_label.get(b_from..).unwrap_or_default());
            match (a_text.strip_prefix(b_text), b_text.strip_prefix(a_text)) {
                (Some([]), _) => lists_overlap(a_rest, b_rest, 0, 0),
                (Some(_), _) => lists_overlap(std::slice::from_ref(a), b_rest, a_from + b_text.len(), 0),
                (_, Some(_)) => lists_overlap(a_rest, std::slice::from_ref(b), 0, b_from + a_text.len()),
                (None, None) => false,
            }
        }
        (Alternative::Then(a_step, a_rest), Alternative::Then(b_step, b_rest))
            if a_step == b_step && matches!(a_step, Step::Variable(_)) =>
        {
            lists_overlap(a_rest, b_rest, 0, 0)
        }
        _ => true,
    }
}
