//! How two tests of one attribute lie to each other, without a look at all its values.
//!
//! **Invariants:** what is said of two tests holds for every value and for every value of the variables in their patterns; where
//! nothing is known nothing is said.

use std::collections::HashMap;

use indexmap::IndexSet;

use crate::decide::atoms::{Atom, Column, Fact, Question};
use crate::decide::space::choices;
use crate::decide::value::Value;
use crate::pattern::build::{self, Compiled};
use crate::pattern::code::PatternTree;
use crate::pattern::{Pattern, PatternKind, union};

/// How the values of one test lie to those of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Relation {
    /// No value answers both with yes.
    pub(super) disjoint: bool,
    /// What answers the first with yes answers the second so.
    pub(super) inside: bool,
    /// The other way round.
    pub(super) around: bool,
}

/// Tells relations, and keeps what it finds on the way.
pub(super) struct Relations {
    /// Most states of an automaton.
    states: usize,
    /// By test for one string: the questions that its string answers with yes.
    answers: HashMap<Atom, Vec<u64>>,
    /// Names of pattern variables, by number.
    variables: IndexSet<Vec<u8>>,
}

impl Relations {
    /// `states`: most states of an automaton.
    pub(super) fn new(states: usize) -> Self {
        Self { states, answers: HashMap::new(), variables: IndexSet::new() }
    }

    /// How the values of `a` lie to those of `b`; both are tests of `column`.
    pub(super) fn of(&mut self, column: &Column, a: Atom, b: Atom) -> Relation {
        let questions = [a, b].map(|atom| column.questions.get_index(atom.question as usize));
        let [Some(one), Some(other)] = questions else { return Relation::default() };
        if [a, b].iter().any(|atom| column.is_open(atom.question)) {
            let trees = [one, other].map(|question| self.tree(question));
            return match trees {
                [Some(one), Some(other)] => Relation { disjoint: union::disjoint(&one, &other), ..Relation::default() },
                _ => Relation::default(),
            };
        }
        if let (Question::Number(one), Question::Number(other)) = (one, other) {
            return Relation { disjoint: one != other, ..Relation::default() };
        }
        if !column.is_textual() {
            return of_choices(column, a.question, b.question, self.states);
        }
        let (Some(one), Some(other)) = (one.pattern(), other.pattern()) else { return Relation::default() };
        if one.kind() == PatternKind::Literal {
            let within = self.answered(column, a, &one, b.question);
            return Relation { disjoint: !within, inside: within, around: false };
        }
        if other.kind() == PatternKind::Literal {
            let within = self.answered(column, b, &other, a.question);
            return Relation { disjoint: !within, inside: false, around: within };
        }
        of_beginnings(&one, &other)
    }

    /// What the compiler makes of a question about strings, variables by number.
    fn tree(&mut self, question: &Question) -> Option<PatternTree> {
        let names = &mut self.variables;
        let number = &mut |name: &[u8]| u16::try_from(names.insert_full(name.to_vec()).0).unwrap_or(u16::MAX);
        match build::compile(&question.pattern()?, number) {
            Ok(Compiled::Tree(tree)) => Some(tree),
            _ => None,
        }
    }

    /// Whether the string of the test `atom` answers `question` with yes.
    fn answered(&mut self, column: &Column, atom: Atom, literal: &Pattern, question: u32) -> bool {
        let bits = self.answers.entry(atom).or_insert_with(|| {
            let value = Value::string(literal.text().to_vec());
            match column.fact(&value) {
                Fact::Matches(bits) => bits,
                _ => Vec::new(),
            }
        });
        bits.get(question as usize / 64).is_some_and(|word| word >> (question % 64) & 1 == 1)
    }
}

/// Strings by how they begin. A subpath is its path and all that goes on with a slash. Of regexes nothing is said.
fn of_beginnings(one: &Pattern, other: &Pattern) -> Relation {
    let whole = |pattern: &Pattern| match pattern.kind() {
        PatternKind::Prefix => Some((pattern.text().to_vec(), false)),
        PatternKind::Subpath if !pattern.text().ends_with(b"/") => Some((pattern.text().to_vec(), true)),
        _ => None,
    };
    let (Some((a, a_is_path)), Some((b, b_is_path))) = (whole(one), whole(other)) else { return Relation::default() };
    let inside = |a: &[u8], a_is_path: bool, b: &[u8], b_is_path: bool| match a.strip_prefix(b) {
        Some([]) => a_is_path || !b_is_path,
        Some(rest) => !b_is_path || rest.starts_with(b"/"),
        None => false,
    };
    let (inside, around) = (inside(&a, a_is_path, &b, b_is_path), inside(&b, b_is_path, &a, a_is_path));
    let overlap = a.starts_with(&b) || b.starts_with(&a);
    // One text begins the other: they share strings unless a path ends before the other goes on without a slash.
    let apart = |short: &[u8], short_is_path: bool, long: &[u8]| {
        short_is_path && long.strip_prefix(short).is_some_and(|rest| !rest.is_empty() && !rest.starts_with(b"/"))
    };
    let disjoint = !overlap || apart(&a, a_is_path, &b) || apart(&b, b_is_path, &a);
    Relation { disjoint, inside, around }
}

fn of_choices(column: &Column, a: u32, b: u32, states: usize) -> Relation {
    let Ok(choices) = choices(column, &[a, b], states) else { return Relation::default() };
    let any =
        |one: bool, other: bool| choices.iter().any(|(yes, _)| yes.contains(&a) == one && yes.contains(&b) == other);
    Relation { disjoint: !any(true, true), inside: !any(true, false), around: !any(false, true) }
}
