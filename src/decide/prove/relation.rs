//! How two tests of one attribute lie to each other, without a look at all its values.
//!
//! **Invariants:** what is said of two tests holds for every value and for every value of the variables in their patterns; where
//! nothing is known nothing is said.

use std::collections::HashMap;

use crate::decide::atoms::{Atom, Column, Fact, Question};
use crate::decide::space::choices;
use crate::decide::value::Value;
use crate::pattern::{Pattern, PatternKind, Piece, pieces, variable};

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
}

impl Relations {
    /// `states`: most states of an automaton.
    pub(super) fn new(states: usize) -> Self {
        Self { states, answers: HashMap::new() }
    }

    /// How the values of `a` lie to those of `b`; both are tests of `column`.
    pub(super) fn of(&mut self, column: &Column, a: Atom, b: Atom) -> Relation {
        let questions = [a, b].map(|atom| column.questions.get_index(atom.question as usize));
        let [Some(one), Some(other)] = questions else { return Relation::default() };
        if let (Question::Number(one), Question::Number(other)) = (one, other) {
            return Relation { disjoint: one != other, ..Relation::default() };
        }
        if !column.is_textual() {
            return of_choices(column, a.question, b.question, self.states);
        }
        let (Some(one), Some(other)) = (one.pattern(), other.pattern()) else { return Relation::default() };
        if one.has_variables() || other.has_variables() {
            return of_beginnings(&one, &other);
        }
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

/// A byte, or a variable by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit<'p> {
    Byte(u8),
    Variable(&'p [u8]),
}

impl Unit<'_> {
    /// Whether it stands for as many bytes of a string wherever it is read in it.
    fn has_one_length(&self) -> bool {
        match self {
            Self::Byte(_) => true,
            Self::Variable(name) => variable::has_one_end(name),
        }
    }
}

/// Strings by how they begin, whatever the variables stand for. A subpath is its path and all that goes on with a slash. Of regexes
/// nothing is said.
fn of_beginnings(one: &Pattern, other: &Pattern) -> Relation {
    let ((a_kind, a), (b_kind, b)) = (one.shape(), other.shape());
    if [a_kind, b_kind].contains(&PatternKind::Regex) {
        return Relation::default();
    }
    let (a, b) = (units(a, one.has_variables()), units(b, other.has_variables()));
    let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a_rest, b_rest) = (&a[common..], &b[common..]);
    // What begins alike ends at the same place of a string.
    let is_aligned = a[..common].iter().all(Unit::has_one_length);
    Relation {
        disjoint: is_aligned && (are_apart(a_kind, a_rest, b_rest) || are_apart(b_kind, b_rest, a_rest)),
        inside: b_rest.is_empty() && lies_in(a_kind, a_rest, b_kind),
        around: a_rest.is_empty() && lies_in(b_kind, b_rest, a_kind),
    }
}

fn units(text: &[u8], variables: bool) -> Vec<Unit<'_>> {
    let units = pieces(text, variables).into_iter().flat_map(|piece| match piece {
        Piece::Bytes(bytes) => bytes.iter().map(|byte| Unit::Byte(*byte)).collect(),
        Piece::Variable(name) => vec![Unit::Variable(name)],
    });
    units.collect()
}

/// Whether every string of a pattern is one of another that ends where `rest` of the first begins.
fn lies_in(kind: PatternKind, rest: &[Unit<'_>], other: PatternKind) -> bool {
    match other {
        PatternKind::Prefix => true,
        PatternKind::Subpath if rest.is_empty() => kind != PatternKind::Prefix,
        PatternKind::Subpath => rest.first() == Some(&Unit::Byte(b'/')),
        _ => rest.is_empty() && kind == PatternKind::Literal,
    }
}

/// Whether two patterns share no string because of how they go on behind a common beginning: each with another byte, or the first, of
/// that kind, not at all.
fn are_apart(kind: PatternKind, rest: &[Unit<'_>], other: &[Unit<'_>]) -> bool {
    match (rest.first(), other.first(), kind) {
        (Some(Unit::Byte(a)), Some(Unit::Byte(b)), _) => a != b,
        (None, Some(_), PatternKind::Literal) => true,
        (None, Some(Unit::Byte(next)), PatternKind::Subpath) => *next != b'/',
        _ => false,
    }
}

fn of_choices(column: &Column, a: u32, b: u32, states: usize) -> Relation {
    let Ok(choices) = choices(column, &[a, b], states) else { return Relation::default() };
    let any =
        |one: bool, other: bool| choices.iter().any(|(yes, _)| yes.contains(&a) == one && yes.contains(&b) == other);
    Relation { disjoint: !any(true, true), inside: !any(true, false), around: !any(false, true) }
}
