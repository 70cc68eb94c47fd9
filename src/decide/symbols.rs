//! Strings and variables together: which tests of one attribute hold at once, when patterns hold variables whose values are free.
//!
//! `${HOME}/x` matches a subject that is some value, then `/x`. A reading of a subject guesses where the value ends, so it is a walk
//! through several automata at a time: one for the patterns without variables, and one for what follows each variable, which
//! starts where the guess says. Patterns that begin with the same bytes and the same variable share the guess; `ANY_…` and
//! entitlements, which may have several values, may end in several places.
//!
//! That is exact for patterns that begin with plain bytes and one variable, as nearly all do, while no variable stands behind
//! two different beginnings. For all others more is considered possible than is: that there is no reading proves that there is no
//! request, and a reading must be held against the patterns before it is believed.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::atoms::Column;
use super::space::Undecided;
use super::value::{Attribute, Value};
use super::variables;
use crate::pattern::automaton::{DfaState, LazyDfa, Nfa, contains};
use crate::pattern::regex::{Node, Regex};
use crate::pattern::{Meaning, Pattern, Piece, Variables, pieces, variable};

/// A string, the values of variables, and the questions that hold then and no others.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) yes: BTreeSet<u32>,
    pub(crate) text: Vec<u8>,
    pub(crate) variables: Vec<(Attribute, Value)>,
}

/// Most patterns of other shapes that one question may be about.
const MAX_LOOSE: usize = 6;

/// Most variables, with what stands before them, that one question may be about.
const MAX_GROUPS: usize = 4;

/// Patterns that begin with the same bytes and the same variable.
struct Group {
    begin: Vec<u8>,
    name: Vec<u8>,
    /// What follows the variable.
    rests: Vec<(u32, Pattern)>,
    dfa: LazyDfa,
}

/// How far a group is in one reading.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Phase {
    /// Bytes of the beginning that were read; `None` when the subject begins otherwise, or when the value has ended.
    at: Option<usize>,
    /// States behind the ends of the value that were guessed.
    behind: BTreeSet<DfaState>,
}

/// Readings for every combination of `questions` that hold at once, shorter subjects first.
///
/// # Errors
/// [`Undecided`] when the budget of automaton states is spent, or there are too many variables.
pub(crate) fn readings(column: &Column, questions: &[u32], limit: usize) -> Result<Vec<Reading>, Undecided> {
    let mut plain: Vec<(u32, Pattern)> = Vec::new();
    let mut loose: Vec<(u32, &Pattern)> = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    for number in questions {
        let Some(open) = column.open_pattern(*number) else {
            let pattern = column.questions.get_index(*number as usize).and_then(|question| question.pattern());
            plain.extend(pattern.map(|pattern| (*number, pattern)));
            continue;
        };
        let Some((begin, name, rest)) = take_apart(open) else {
            loose.push((*number, open));
            continue;
        };
        let name = name.to_ascii_lowercase();
        match groups.iter_mut().find(|group| group.begin == begin && group.name == name) {
            Some(group) => group.rests.push((*number, rest)),
            None => {
                let dfa = LazyDfa::new(Nfa::new(), 0);
                groups.push(Group { begin, name, rests: vec![(*number, rest)], dfa });
            }
        }
    }
    if loose.len() > MAX_LOOSE || groups.len() > MAX_GROUPS {
        return Err(Undecided::Trials);
    }
    for group in &mut groups {
        let mut nfa = Nfa::new();
        for (_, rest) in &group.rests {
            nfa.add(rest, &Variables::none());
        }
        group.dfa = LazyDfa::new(nfa, limit);
    }
    let mut nfa = Nfa::new();
    for (_, pattern) in &plain {
        nfa.add(pattern, &Variables::none());
    }
    for (_, pattern) in &loose {
        let mut anything = Variables::none();
        pattern.free_variables().for_each(|name| anything.set(name, Meaning::Anything));
        nfa.add(pattern, &anything);
    }
    let domain = column.domain().pattern().map(|domain| nfa.add(&domain, &Variables::none()));
    let walk = Walk { plain: LazyDfa::new(nfa, limit), domain, groups, limit };
    let found = walk.run()?;
    let mut out = Vec::new();
    for Found { matching, behind, text, variables } in found {
        let mut yes: BTreeSet<u32> = BTreeSet::new();
        yes.extend(
            plain.iter().enumerate().filter(|(place, _)| contains(&matching, *place)).map(|(_, (each, _))| *each),
        );
        yes.extend(behind);
        let may: Vec<u32> = (plain.len()..)
            .zip(&loose)
            .filter(|(place, _)| contains(&matching, *place))
            .map(|(_, (number, _))| *number)
            .collect();
        for subset in 0..1usize << may.len() {
            let chosen =
                may.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1).map(|(_, number)| *number);
            let yes = yes.iter().copied().chain(chosen).collect();
            out.push(Reading { yes, text: text.clone(), variables: variables.clone() });
        }
    }
    Ok(out)
}

/// What stands before the only free variable of `pattern`, its name, and a pattern of what follows it; `None` for any other
/// shape.
fn take_apart(pattern: &Pattern) -> Option<(Vec<u8>, Vec<u8>, Pattern)> {
    if pattern.free_variables().count() != 1 {
        return None;
    }
    let Some(regex) = pattern.regex() else {
        let (kind, text) = pattern.shape();
        let mut begin = Vec::new();
        for piece in pieces(text, true) {
            match piece {
                Piece::Bytes(bytes) => begin.extend_from_slice(bytes),
                Piece::Variable(name) if variable::fixed(name).is_none() => {
                    let length = begin.len() + name.len() + b"${}".len();
                    let rest = Pattern::new(kind, text.get(length..)?, true).ok()?;
                    return Some((begin, name.to_vec(), rest));
                }
                Piece::Variable(_) => return None,
            }
        }
        return None;
    };
    let Node::Concat(parts) = regex.node() else { return None };
    let (Node::Start, parts) = parts.split_first()? else { return None };
    let mut begin = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        match part {
            Node::Byte(byte) => begin.push(*byte),
            Node::Variable(name) if variable::fixed(name).is_none() => {
                let rest = [Node::Start].into_iter().chain(parts.iter().skip(place + 1).cloned()).collect();
                let rest = Regex::new(Node::concat(rest)).ok()?;
                return Some((begin, name.clone(), Pattern::from_regex(rest)));
            }
            _ => return None,
        }
    }
    None
}

/// How far each group is, and the groups whose value ends just there.
type Phases = (Vec<Phase>, Vec<usize>);

/// One place of a walk: the state of the plain patterns, and how far each group is.
type Place = (DfaState, Vec<Phase>);

struct Walk {
    plain: LazyDfa,
    domain: Option<u32>,
    groups: Vec<Group>,
    limit: usize,
}

/// How a walk came to a place: from where, by which byte, and which groups' values end behind that byte.
struct Way {
    from: usize,
    byte: u8,
    ends: Vec<usize>,
}

struct Found {
    matching: Vec<u64>,
    /// Questions of groups that hold.
    behind: BTreeSet<u32>,
    text: Vec<u8>,
    variables: Vec<(Attribute, Value)>,
}

impl Walk {
    fn run(mut self) -> Result<Vec<Found>, Undecided> {
        let bytes = self.bytes();
        let phases = self.groups.iter().map(|_| Phase { at: Some(0), behind: BTreeSet::new() }).collect();
        let start: Place = (self.plain.start(), phases);
        let mut known: HashMap<Place, ()> = HashMap::from([(start.clone(), ())]);
        let mut places: Vec<(Place, Option<Way>)> = vec![(start, None)];
        let mut queue = VecDeque::from([0usize]);
        let mut seen: HashMap<(Vec<u64>, BTreeSet<u32>), ()> = HashMap::new();
        let mut out = Vec::new();
        while let Some(here) = queue.pop_front() {
            let (state, phases) = places[here].0.clone();
            let matching = self.plain.accepts(state).to_vec();
            if self.domain.is_none_or(|domain| contains(&matching, domain as usize)) {
                let behind = self.behind(&phases);
                if seen.insert((matching.clone(), behind.clone()), ()).is_none() {
                    let (text, variables) = self.spell(&places, here, &behind);
                    out.push(Found { matching, behind, text, variables });
                }
            }
            for byte in &bytes {
                let class = self.plain.class(*byte);
                let next = self.plain.step(state, class)?;
                if self.domain.is_some_and(|domain| !self.plain.is_alive(next, domain)) {
                    continue;
                }
                for (phases, ends) in self.after(&phases, *byte)? {
                    let place = (next, phases);
                    if known.insert(place.clone(), ()).is_none() {
                        if places.len() >= self.limit {
                            return Err(Undecided::States);
                        }
                        queue.push_back(places.len());
                        places.push((place, Some(Way { from: here, byte: *byte, ends })));
                    }
                }
            }
        }
        Ok(out)
    }

    /// One byte of each kind that something tells apart, readable ones where there is a choice.
    fn bytes(&self) -> Vec<u8> {
        let mut kinds: HashMap<Vec<u32>, u8> = HashMap::new();
        let readable = (b'a'..=b'z').chain(b'0'..=b'9').chain([b'.', b'-', b'_', b'/']);
        let mut order: Vec<u8> = readable.collect();
        order.extend((0..=255u8).filter(|byte| !order.contains(byte)).collect::<Vec<_>>());
        let mut out = Vec::new();
        for byte in order {
            let mut kind = vec![u32::from(self.plain.class(byte))];
            for group in &self.groups {
                kind.push(u32::from(group.dfa.class(byte)));
                kind.extend(group.begin.iter().map(|each| u32::from(*each == byte)));
            }
            if kinds.insert(kind, byte).is_none() {
                out.push(byte);
            }
        }
        out
    }

    /// What the groups can be behind `byte`, with the groups whose value ends there.
    fn after(&mut self, phases: &[Phase], byte: u8) -> Result<Vec<Phases>, Undecided> {
        let mut out: Vec<Phases> = vec![(Vec::new(), Vec::new())];
        for (number, (phase, group)) in phases.iter().zip(&mut self.groups).enumerate() {
            let class = group.dfa.class(byte);
            let mut behind = BTreeSet::new();
            for state in &phase.behind {
                let next = group.dfa.step(*state, class)?;
                // A value after which nothing can match any more is as good as none.
                if (0..group.rests.len()).any(|rest| group.dfa.is_alive(next, rest as u32)) {
                    behind.insert(next);
                }
            }
            let (at, is_inside) = match phase.at {
                None => (None, false),
                Some(read) => match group.begin.get(read) {
                    Some(wanted) => ((*wanted == byte).then_some(read + 1), false),
                    None => (Some(read), true),
                },
            };
            let mut ways = vec![(Phase { at, behind: behind.clone() }, false)];
            if is_inside {
                behind.insert(group.dfa.start());
                ways.push((Phase { at: at.filter(|_| variable::is_many(&group.name)), behind }, true));
            }
            let each = |(phases, ends): &Phases| {
                let join = |(phase, is_end): &(Phase, bool)| {
                    let phases = phases.iter().chain([phase]).cloned().collect();
                    (phases, ends.iter().copied().chain(is_end.then_some(number)).collect())
                };
                ways.iter().map(join).collect::<Vec<_>>()
            };
            out = out.iter().flat_map(each).collect();
        }
        Ok(out)
    }

    /// The questions of groups that hold where a subject ends.
    fn behind(&self, phases: &[Phase]) -> BTreeSet<u32> {
        let mut out = BTreeSet::new();
        for (phase, group) in phases.iter().zip(&self.groups) {
            for state in &phase.behind {
                let accepts = group.dfa.accepts(*state);
                let holds = group.rests.iter().enumerate().filter(|(place, _)| contains(accepts, *place));
                out.extend(holds.map(|(_, (number, _))| *number));
            }
        }
        out
    }

    /// The subject that leads to `place` and the values of the variables in it. A variable that matches nothing there has a value
    /// that fits nowhere, or none.
    fn spell(
        &self,
        places: &[(Place, Option<Way>)],
        place: usize,
        behind: &BTreeSet<u32>,
    ) -> (Vec<u8>, Vec<(Attribute, Value)>) {
        let mut text = Vec::new();
        let mut ends: Vec<(usize, usize)> = Vec::new();
        let mut at = place;
        while let Some((_, Some(way))) = places.get(at) {
            // Counted from the end for now.
            ends.extend(way.ends.iter().map(|group| (*group, text.len())));
            text.push(way.byte);
            at = way.from;
        }
        text.reverse();
        let mut values = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            let attribute = variables::attribute(&group.name);
            let holds = group.rests.iter().any(|(rest, _)| behind.contains(rest));
            let value = |(_, from_end): &(usize, usize)| text.get(group.begin.len()..text.len() - from_end);
            let texts = ends.iter().filter(|(group, _)| *group == number && holds).filter_map(value);
            let texts: Vec<Vec<u8>> = texts.map(<[u8]>::to_vec).collect();
            values.push((attribute, if texts.is_empty() { Value::Absent } else { Value::Strings(texts) }));
        }
        (text, values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decide::atoms::Atoms;
    use crate::pattern::PatternKind;
    use crate::policy::{Arg, Filter, Test};
    use crate::vocab::default_target;

    /// The questions of these patterns, of a filter whose strings are any names.
    fn atoms(patterns: &[Pattern]) -> Atoms {
        let target = default_target();
        let filter = target.filter_named("global-name").unwrap();
        let mut atoms = Atoms::new(target);
        for pattern in patterns {
            atoms.compile(&Filter::Test(Test { filter, arg: Arg::Pattern(pattern.clone()) }));
        }
        atoms.freeze();
        atoms
    }

    /// Every string of at most `length` of these bytes.
    fn strings(length: usize) -> Vec<Vec<u8>> {
        let mut out = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..length {
            let more: Vec<Vec<u8>> =
                out[from..].iter().flat_map(|text| b"/ab".map(|byte| [text.as_slice(), &[byte]].concat())).collect();
            from = out.len();
            out.extend(more);
        }
        out
    }

    fn pattern() -> impl Strategy<Value = Pattern> {
        let kind = prop_oneof![Just(PatternKind::Literal), Just(PatternKind::Prefix), Just(PatternKind::Subpath)];
        let variable = prop_oneof![3 => Just("${V}"), 1 => Just("")];
        (kind, variable, "[/ab]{0,2}")
            .prop_map(|(kind, variable, rest)| Pattern::new(kind, format!("a{variable}{rest}"), true).unwrap())
    }

    proptest! {
        /// Against every string and every value: what holds at once is found, and what is found holds.
        #[test]
        fn readings_are_those_that_exist(wanted in prop::collection::vec(pattern(), 1..4)) {
            let atoms = atoms(&wanted);
            let column = atoms.column(0).unwrap();
            let questions: Vec<u32> = (0..column.questions.len() as u32).collect();
            let patterns: Vec<Pattern> = column.questions.iter().filter_map(|question| question.pattern()).collect();
            let holding = |text: &[u8], variables: &Variables| -> BTreeSet<u32> {
                (0u32..).zip(&patterns).filter(|(_, each)| each.matches(text, variables)).map(|(place, _)| place).collect()
            };
            let found = readings(column, &questions, 10_000).unwrap();
            for reading in &found {
                let mut variables = Variables::none();
                for (_, value) in &reading.variables {
                    if let Value::Strings(all) = value {
                        prop_assert_eq!(all.len(), 1);
                        variables.add("v", all[0].clone());
                    }
                }
                prop_assert_eq!(&holding(&reading.text, &variables), &reading.yes, "{:?} {:?}", patterns, reading);
            }
            for text in strings(4).iter().filter(|text| !text.is_empty()) {
                for value in strings(2).iter().filter(|value| !value.is_empty()) {
                    let mut variables = Variables::none();
                    variables.add("v", value.clone());
                    let yes = holding(text, &variables);
                    prop_assert!(found.iter().any(|reading| reading.yes == yes), "{patterns:?} {text:?} {value:?}");
                }
            }
        }
    }
}
