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

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

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

/// Patterns that begin with the same bytes and the same variable, as a walk reads them.
struct Group {
    begin: Vec<u8>,
    name: Vec<u8>,
    /// The question of each pattern.
    questions: Vec<u32>,
    /// What follows the variable, by pattern.
    dfa: LazyDfa,
}

/// Patterns without which a walk need not go on.
#[derive(Default)]
struct Needed {
    /// Numbers in the automaton of the plain patterns.
    plain: Vec<u32>,
    /// By group: numbers in its automaton.
    rests: Vec<Vec<u32>>,
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
    let asked = Asked::new(column, questions.iter().copied())?;
    let mut seen: HashSet<(Vec<u64>, BTreeSet<u32>)> = HashSet::new();
    let keep = |matching: &[u64], behind: &BTreeSet<u32>| seen.insert((matching.to_vec(), behind.clone()));
    let found = asked.walk(column, Needed::default(), limit).run(keep, usize::MAX)?;
    let mut out = Vec::new();
    for Found { matching, behind, text, variables } in found {
        let yes = asked.holding(&matching, &behind);
        let may = asked.possible(&matching);
        for subset in 0..1usize << may.len() {
            let chosen =
                may.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1).map(|(_, number)| *number);
            let yes = yes.iter().copied().chain(chosen).collect();
            out.push(Reading { yes, text: text.clone(), variables: variables.clone() });
        }
    }
    Ok(out)
}

/// The shortest subject, with values of the variables, for which each question comes out as in `outcomes`; `None` when there is
/// none. Other questions are not looked at, nor patterns of other shapes that are to fail.
///
/// # Errors
/// As [`readings`].
pub(crate) fn reading(
    column: &Column,
    outcomes: &BTreeMap<u32, bool>,
    limit: usize,
) -> Result<Option<Reading>, Undecided> {
    let is_loose = |question: u32| column.open_pattern(question).is_some_and(|open| take_apart(open).is_none());
    let questions = outcomes.iter().filter(|(question, holds)| **holds || !is_loose(**question));
    let asked = Asked::new(column, questions.map(|(question, _)| *question))?;
    let wanted = |question: u32| outcomes.get(&question) == Some(&true);
    let needed = asked.needed(wanted);
    let yes: BTreeSet<u32> = asked.exact().filter(|question| wanted(*question)).collect();
    let keep = |matching: &[u64], behind: &BTreeSet<u32>| {
        asked.possible(matching).len() == asked.loose.len() && asked.holding(matching, behind) == yes
    };
    let found = asked.walk(column, needed, limit).run(keep, 1)?;
    Ok(found.into_iter().next().map(|Found { text, variables, .. }| Reading { yes, text, variables }))
}

/// Questions by the shape of their patterns.
struct Asked<'c> {
    /// Without variables.
    plain: Vec<(u32, Pattern)>,
    /// Of other shapes.
    loose: Vec<(u32, &'c Pattern)>,
    groups: Vec<Beginning>,
}

/// Patterns that begin with the same bytes and the same variable.
struct Beginning {
    begin: Vec<u8>,
    name: Vec<u8>,
    /// What follows the variable.
    rests: Vec<(u32, Pattern)>,
}

impl<'c> Asked<'c> {
    fn new(column: &'c Column, questions: impl Iterator<Item = u32>) -> Result<Self, Undecided> {
        let mut asked = Self { plain: Vec::new(), loose: Vec::new(), groups: Vec::new() };
        for number in questions {
            let Some(open) = column.open_pattern(number) else {
                let pattern = column.questions.get_index(number as usize).and_then(|question| question.pattern());
                asked.plain.extend(pattern.map(|pattern| (number, pattern)));
                continue;
            };
            let Some((begin, name, rest)) = take_apart(open) else {
                asked.loose.push((number, open));
                continue;
            };
            let name = name.to_ascii_lowercase();
            match asked.groups.iter_mut().find(|group| group.begin == begin && group.name == name) {
                Some(group) => group.rests.push((number, rest)),
                None => asked.groups.push(Beginning { begin, name, rests: vec![(number, rest)] }),
            }
        }
        match asked.loose.len() > MAX_LOOSE || asked.groups.len() > MAX_GROUPS {
            true => Err(Undecided::Trials),
            false => Ok(asked),
        }
    }

    /// The questions whose outcome a walk tells.
    fn exact(&self) -> impl Iterator<Item = u32> {
        let rests = self.groups.iter().flat_map(|group| &group.rests);
        self.plain.iter().chain(rests).map(|(question, _)| *question)
    }

    /// What must stay possible for those questions to hold that are `wanted`.
    fn needed(&self, wanted: impl Fn(u32) -> bool) -> Needed {
        let places = |of: &[(u32, Pattern)]| {
            (0u32..).zip(of).filter(|(_, (question, _))| wanted(*question)).map(|(place, _)| place).collect()
        };
        let loose = (self.plain.len() as u32..).zip(&self.loose).map(|(place, _)| place);
        let mut plain: Vec<u32> = places(&self.plain);
        plain.extend(loose);
        Needed { plain, rests: self.groups.iter().map(|group| places(&group.rests)).collect() }
    }

    fn walk(&self, column: &Column, mut needed: Needed, limit: usize) -> Walk {
        let mut nfa = Nfa::new();
        for (_, pattern) in &self.plain {
            nfa.add(pattern, &Variables::none());
        }
        for (_, pattern) in &self.loose {
            let mut anything = Variables::none();
            pattern.free_variables().for_each(|name| anything.set(name, Meaning::Anything));
            nfa.add(pattern, &anything);
        }
        let domain = column.domain().pattern().map(|domain| nfa.add(&domain, &Variables::none()));
        needed.plain.extend(domain);
        let groups = self.groups.iter().map(|group| {
            let mut nfa = Nfa::new();
            for (_, rest) in &group.rests {
                nfa.add(rest, &Variables::none());
            }
            let questions = group.rests.iter().map(|(question, _)| *question).collect();
            Group { begin: group.begin.clone(), name: group.name.clone(), questions, dfa: LazyDfa::new(nfa, limit) }
        });
        Walk { plain: LazyDfa::new(nfa, limit), domain, needed, groups: groups.collect(), limit }
    }

    /// The questions that hold, but for the loose ones.
    fn holding(&self, matching: &[u64], behind: &BTreeSet<u32>) -> BTreeSet<u32> {
        let plain = self.plain.iter().enumerate().filter(|(place, _)| contains(matching, *place));
        plain.map(|(_, (each, _))| *each).chain(behind.iter().copied()).collect()
    }

    /// The loose questions that some values of their variables make hold.
    fn possible(&self, matching: &[u64]) -> Vec<u32> {
        let loose = (self.plain.len()..).zip(&self.loose).filter(|(place, _)| contains(matching, *place));
        loose.map(|(_, (number, _))| *number).collect()
    }
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
    needed: Needed,
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
    /// The first `most` subjects that `keep` wants, told which patterns match and which questions of groups hold.
    fn run(
        mut self,
        mut keep: impl FnMut(&[u64], &BTreeSet<u32>) -> bool,
        most: usize,
    ) -> Result<Vec<Found>, Undecided> {
        let bytes = self.bytes();
        let phases = self.groups.iter().map(|_| Phase { at: Some(0), behind: BTreeSet::new() }).collect();
        let start: Place = (self.plain.start(), phases);
        let mut known: HashSet<Place> = HashSet::from([start.clone()]);
        let mut places: Vec<(Place, Option<Way>)> = vec![(start, None)];
        let mut queue = VecDeque::from([0usize]);
        let mut out = Vec::new();
        while let Some(here) = queue.pop_front() {
            let (state, phases) = places[here].0.clone();
            let matching = self.plain.accepts(state);
            if self.domain.is_none_or(|domain| contains(matching, domain as usize)) {
                let behind = self.behind(&phases);
                if keep(matching, &behind) {
                    let matching = matching.to_vec();
                    let (text, variables) = self.spell(&places, here, &behind);
                    out.push(Found { matching, behind, text, variables });
                    if out.len() >= most {
                        return Ok(out);
                    }
                }
            }
            for byte in &bytes {
                let class = self.plain.class(*byte);
                let next = self.plain.step(state, class)?;
                if self.needed.plain.iter().any(|pattern| !self.plain.is_alive(next, *pattern)) {
                    continue;
                }
                for (phases, ends) in self.after(&phases, *byte)? {
                    let place = (next, phases);
                    if self.is_open(&place.1) && known.insert(place.clone()) {
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

    /// Whether the needed patterns of groups can match yet.
    fn is_open(&self, phases: &[Phase]) -> bool {
        let mut groups = phases.iter().zip(&self.groups).zip(&self.needed.rests);
        groups.all(|((phase, group), needed)| {
            let can = |rest: &u32| phase.behind.iter().any(|state| group.dfa.is_alive(*state, *rest));
            phase.at.is_some() || needed.iter().all(can)
        })
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
                if (0..group.questions.len()).any(|rest| group.dfa.is_alive(next, rest as u32)) {
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
                let holds = group.questions.iter().enumerate().filter(|(place, _)| contains(accepts, *place));
                out.extend(holds.map(|(_, question)| *question));
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
            let holds = group.questions.iter().any(|question| behind.contains(question));
            let value = |(_, from_end): &(usize, usize)| text.get(group.begin.len()..text.len() - from_end);
            let texts = ends.iter().filter(|(group, _)| *group == number && holds).filter_map(value);
            let texts: Vec<Vec<u8>> = texts.map(<[u8]>::to_vec).collect();
            values.push((attribute, if texts.is_empty() { Value::Absent } else { Value::Strings(texts) }));
        }
        (text, values)
    }
}

#[cfg(test)]
mod tests;
