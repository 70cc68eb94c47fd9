//! Tests as columns of values: every distinct test of a policy once, ordered by what it asks about.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use indexmap::{IndexMap, IndexSet};

use super::value::{Address, Attribute, Family, Transport, Value};
use super::variables;
use crate::pattern::automaton::{Domain, Fronts, LazyDfa, Nfa};
use crate::pattern::build::{self, Compiled};
use crate::pattern::{Pattern, PatternKind, Variables, regex};
use crate::policy::{Arg, EXTENSION_CLASS, Filter, Host, NetworkAddress, Test};
use crate::vocab::{self, ArgKind, FilterId, Target};

/// What is known of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It does not hold.
    False,
    /// It holds.
    True,
    /// That depends on a value that the request does not give.
    Unknown,
}

impl Truth {
    /// Holds in both, fails in one, else unknown.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    /// Holds in one, fails in both, else unknown.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        !((!self).and(!other))
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::True => Self::False,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::True } else { Self::False }
    }
}

/// One test without the attribute that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    Pattern(Pattern),
    Text(Vec<u8>),
    Number(u16),
    OneOf(Vec<u16>),
    /// Any of these bits is set (`file-mode`, `spec/sbpl-language.md` section 9, special cases: measured for no system).
    Bits(u16),
    Flag(bool),
    Network(NetworkAddress),
    /// There is a value.
    Present,
}

impl Question {
    /// A question about strings as a pattern.
    pub(crate) fn pattern(&self) -> Option<Pattern> {
        match self {
            Self::Pattern(pattern) => Some(pattern.clone()),
            Self::Text(text) => Some(Pattern::literal(text.clone())),
            Self::Present => Some(Pattern::prefix("")),
            _ => None,
        }
    }

    /// The one string that it holds for, when it is about one string.
    pub(crate) fn literal(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Pattern(pattern) if pattern.kind() == PatternKind::Literal && !pattern.has_variables() => {
                Some(pattern.text())
            }
            _ => None,
        }
    }

    /// The answer for a known value. A value of another kind answers no.
    pub(crate) fn ask(&self, value: &Value) -> Truth {
        match (self, value) {
            (_, Value::Absent) => Truth::False,
            (Self::Pattern(pattern), Value::Strings(all)) => {
                all.iter().any(|text| pattern.matches(text, &Variables::none())).into()
            }
            (Self::Text(wanted), Value::Strings(all)) => all.contains(wanted).into(),
            (Self::Number(wanted), Value::Numbers(all)) => all.contains(wanted).into(),
            (Self::OneOf(wanted), Value::Numbers(all)) => all.iter().any(|number| wanted.contains(number)).into(),
            (Self::Bits(bits), Value::Numbers(all)) => all.iter().any(|number| number & bits != 0).into(),
            (Self::Flag(wanted), Value::Flag(flag)) => (wanted == flag).into(),
            (Self::Network(wanted), Value::Address(address)) => ask_address(wanted, address),
            (Self::Present, Value::Strings(all)) => (!all.is_empty()).into(),
            (Self::Present, Value::Numbers(all)) => (!all.is_empty()).into(),
            (Self::Present, _) => Truth::True,
            _ => Truth::False,
        }
    }
}

const V4: u8 = 1;
const V6: u8 = 2;
const TCP: u8 = 4;
const UDP: u8 = 8;

pub(crate) fn ask_address(wanted: &NetworkAddress, address: &Address) -> Truth {
    let family = match address.family {
        _ if wanted.protocol & (V4 | V6) == V4 | V6 => Truth::True,
        None => Truth::Unknown,
        Some(Family::V4) => (wanted.protocol & V4 != 0).into(),
        Some(Family::V6) => (wanted.protocol & V6 != 0).into(),
    };
    let transport = match address.transport {
        _ if wanted.protocol & (TCP | UDP) == 0 => Truth::True,
        None => Truth::Unknown,
        Some(Transport::Tcp) => (wanted.protocol & TCP != 0).into(),
        Some(Transport::Udp) => (wanted.protocol & UDP != 0).into(),
        Some(Transport::Other) => Truth::False,
    };
    let host = match wanted.host {
        Host::Any => Truth::True,
        Host::Localhost => address.local.map_or(Truth::Unknown, Truth::from),
    };
    let port = match (wanted.port, address.port) {
        (None, _) => Truth::True,
        (Some(_), None) => Truth::Unknown,
        (Some(wanted), Some(port)) => (wanted == port).into(),
    };
    family.and(transport).and(host).and(port)
}

/// One test of a policy: which column, which question in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Atom {
    pub(crate) column: u32,
    pub(crate) question: u32,
}

/// All questions about one attribute.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) attribute: Attribute,
    path: bool,
    /// Its questions are about strings only; known when it is frozen.
    textual: bool,
    /// Every combination of answers is that of some request; known when it is frozen.
    free: bool,
    /// Subjects are compared in lower case.
    pub(crate) folds: bool,
    /// A request has at most one value.
    pub(crate) single: bool,
    pub(crate) questions: IndexSet<Question>,
    /// Its questions as one automaton, made when a value is asked about; none for a column that is not about strings.
    index: OnceLock<Mutex<LazyDfa>>,
    /// Its questions and, last, its strings, for searches through all strings.
    fronts: OnceLock<Fronts>,
    /// Questions whose pattern holds a variable that the request must say.
    open: Vec<Open>,
}

/// A question whose pattern holds a variable without a meaning of its own.
#[derive(Debug)]
struct Open {
    question: u32,
    pattern: Pattern,
    /// What it can match at all.
    possible: Nfa,
}

impl Open {
    fn ask(&self, texts: &[Vec<u8>], folds: bool, values: &[(Attribute, Value)], closed: bool) -> Truth {
        let folded = |text: &Vec<u8>| if folds { text.to_ascii_lowercase() } else { text.clone() };
        let possible = |text: &Vec<u8>| !self.possible.matches(text).is_empty();
        let texts: Vec<Vec<u8>> = texts.iter().map(folded).filter(possible).collect();
        if texts.is_empty() {
            return Truth::False;
        }
        let (variables, is_complete) = variables::resolve(self.pattern.free_variables(), values, closed, folds);
        match texts.iter().any(|text| self.pattern.matches(text, &variables)) {
            true => Truth::True,
            false if is_complete => Truth::False,
            false => Truth::Unknown,
        }
    }
}

/// Most states of one column's automaton; beyond, it forgets and builds anew.
const MAX_STATES: usize = 20_000;

/// Filters with one value that the compiler's table does not mark so (`spec/blob-format.md` section 10.4 lists the marked
/// ones): the table is older than some, and a file has one type.
const SINGLE_BY_NATURE: &[&str] = &[
    "vnode-type",
    "codesigning-operation",
    "kas-info-selector",
    "iokit-usb-interface-class",
    "iokit-usb-interface-subclass",
    "fileprovider-syncroot-path",
    "mount-root-path",
];

/// Whether the compiler's table marks the filter of this name as one with a single value. Tables before macOS 13 mark none;
/// the filters are the same.
fn is_marked_single(name: &str) -> bool {
    let target = vocab::default_target();
    target.filter_named(name).and_then(|id| target.filter(id)).is_some_and(|info| info.single_valued)
}

/// Whether `filter` compares in lower case (`spec/versions-and-defaults.md` section 6).
pub(crate) fn folds(target: &Target, filter: FilterId) -> bool {
    target.folds_case()
        && target
            .filter(filter)
            .is_some_and(|info| info.argument == ArgKind::PatternSubpath || info.name == "nvram-variable")
}

impl Column {
    fn new(attribute: Attribute, target: &Target) -> Self {
        let info = match &attribute {
            Attribute::Filter(id) => target.filter(*id),
            Attribute::Entitlement(_) | Attribute::Variable(_) => None,
        };
        let path = info.is_some_and(|info| info.argument == ArgKind::PatternSubpath);
        Self {
            folds: matches!(attribute, Attribute::Filter(filter) if folds(target, filter)),
            path,
            textual: false,
            free: false,
            single: info.is_none_or(|info| {
                info.single_valued
                    || is_marked_single(info.name)
                    || matches!(info.argument, ArgKind::Network | ArgKind::Bitfield | ArgKind::Bool | ArgKind::Bitmask)
                    || SINGLE_BY_NATURE.contains(&info.name)
            }),
            attribute,
            questions: IndexSet::new(),
            index: OnceLock::new(),
            fronts: OnceLock::new(),
            open: Vec::new(),
        }
    }

    /// Whether its questions are about strings only.
    pub(crate) fn is_textual(&self) -> bool {
        self.textual
    }

    /// Whether a question holds a pattern variable that the request must say.
    pub(crate) fn is_open(&self, question: u32) -> bool {
        self.open_pattern(question).is_some()
    }

    /// The pattern of such a question.
    pub(crate) fn open_pattern(&self, question: u32) -> Option<&Pattern> {
        self.open.iter().find(|open| open.question == question).map(|open| &open.pattern)
    }

    fn freeze(&mut self) {
        let open = self.questions.iter().enumerate().filter_map(|(number, question)| match question {
            Question::Pattern(pattern) if pattern.free_variables().next().is_some() => Some(Open {
                question: number as u32,
                pattern: pattern.clone(),
                possible: variables::possible([pattern]),
            }),
            _ => None,
        });
        self.open = open.collect();
        self.textual = matches!(self.attribute, Attribute::Filter(_))
            && !self.questions.is_empty()
            && self
                .questions
                .iter()
                .all(|question| matches!(question, Question::Pattern(_) | Question::Text(_) | Question::Present));
        self.free = !self.single && !self.path && self.are_independent();
    }

    /// Whether its questions name different values, so that of several values any may be there beside any others.
    fn are_independent(&self) -> bool {
        let mut names = HashSet::new();
        self.questions.iter().all(|question| match (question, question.literal()) {
            (Question::Number(_), _) => true,
            (_, Some(text)) => !text.is_empty() && !text.contains(&0) && names.insert(text),
            _ => false,
        })
    }

    /// Whether its questions are independent of each other: every combination of answers is that of some request.
    pub(crate) fn is_free(&self) -> bool {
        self.free
    }

    /// The strings that it can have.
    pub(crate) fn domain(&self) -> Domain {
        match (self.path, self.folds) {
            (true, true) => Domain::FoldedPaths,
            (true, false) => Domain::Paths,
            (false, true) => Domain::FoldedNames,
            (false, false) => Domain::Names,
        }
    }

    /// The questions as patterns, by number; of a column that is about strings only.
    fn patterns(&self) -> impl Iterator<Item = Pattern> {
        self.questions.iter().filter_map(Question::pattern)
    }

    /// The questions of a column that is about strings only as fronts, and as last pattern the strings that it can have.
    pub(crate) fn fronts(&self) -> &Fronts {
        self.fronts.get_or_init(|| Fronts::of(self.patterns().chain(self.domain().pattern())))
    }

    fn index(&self) -> Option<&Mutex<LazyDfa>> {
        let made = || {
            let mut nfa = Nfa::new();
            for pattern in self.patterns() {
                nfa.add(&pattern, &Variables::none());
            }
            Mutex::new(if self.folds { LazyDfa::folding(nfa, MAX_STATES) } else { LazyDfa::new(nfa, MAX_STATES) })
        };
        self.is_textual().then(|| self.index.get_or_init(made))
    }

    pub(crate) fn fact<'r>(&self, value: &'r Value) -> Fact<'r> {
        match (self.index(), value) {
            (Some(index), Value::Strings(all)) => {
                let mut dfa = index.lock().unwrap_or_else(PoisonError::into_inner);
                let mut bits = vec![0u64; dfa.words()];
                for text in all {
                    bits.iter_mut().zip(dfa.matches(text)).for_each(|(all, some)| *all |= some);
                }
                Fact::Matches(bits)
            }
            _ => Fact::Value(value),
        }
    }

    /// The same with the answers of open questions, when there are some.
    fn fact_with<'r>(&self, value: &'r Value, values: &[(Attribute, Value)], closed: bool) -> Fact<'r> {
        let mut matches = match (self.fact(value), value) {
            (Fact::Matches(matches), Value::Strings(_)) if !self.open.is_empty() => matches,
            (fact, _) => return fact,
        };
        let texts = if let Value::Strings(texts) = value { texts.as_slice() } else { &[] };
        let mut unknown = vec![0u64; matches.len()];
        for open in &self.open {
            let side = match open.ask(texts, self.folds, values, closed) {
                Truth::False => continue,
                Truth::True => &mut matches,
                Truth::Unknown => &mut unknown,
            };
            if let Some(word) = side.get_mut(open.question as usize / 64) {
                *word |= 1 << (open.question % 64);
            }
        }
        Fact::Partly { matches, unknown }
    }

    /// The answer of one question for a known value.
    pub(crate) fn answer(&self, question: u32, value: &Value) -> Truth {
        self.questions.get_index(question as usize).map_or(Truth::False, |question| question.ask(value))
    }

    fn ask(&self, question: u32, fact: &Fact<'_>) -> Truth {
        match fact {
            Fact::Unknown => Truth::Unknown,
            Fact::Absent => Truth::False,
            Fact::Partly { unknown, .. } if holds(unknown, question) => Truth::Unknown,
            Fact::Partly { matches, .. } => holds(matches, question).into(),
            _ if !self.open.is_empty() && self.is_open(question) => Truth::Unknown,
            Fact::Matches(bits) => holds(bits, question).into(),
            Fact::Value(value) => self.answer(question, value),
        }
    }
}

fn holds(bits: &[u64], question: u32) -> bool {
    bits.get(question as usize / 64).is_some_and(|word| word >> (question % 64) & 1 == 1)
}

/// What a request says about one column.
#[derive(Debug)]
pub(crate) enum Fact<'r> {
    Unknown,
    Absent,
    /// The questions that hold, as bits.
    Matches(Vec<u64>),
    /// The same, and those that hang on variables which the request does not say.
    Partly {
        matches: Vec<u64>,
        unknown: Vec<u64>,
    },
    Value(&'r Value),
}

/// A condition over atoms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expr {
    Atom(Atom),
    All(Box<[Expr]>),
    Any(Box<[Expr]>),
    Not(Box<Expr>),
}

/// The filters that together test an entitlement.
#[derive(Debug)]
struct EntitlementFilters {
    load: Option<FilterId>,
    boolean: Option<FilterId>,
    string: Option<FilterId>,
    is_true: Option<FilterId>,
    is_present: Option<FilterId>,
}

/// All tests of one or more policies of a target.
#[derive(Debug)]
pub(crate) struct Atoms {
    target: &'static Target,
    columns: IndexMap<Attribute, Column>,
    /// The number of each filter's column, by filter; known when it is frozen.
    by_filter: Vec<Option<u32>>,
    entitlements: EntitlementFilters,
    /// Patterns are taken apart as the compiler stores them, so that a profile and its compiled form have the same atoms.
    canonical: bool,
}

impl Atoms {
    pub(crate) fn new(target: &'static Target) -> Self {
        let named = |name| target.filter_named(name);
        Self {
            target,
            columns: IndexMap::new(),
            by_filter: Vec::new(),
            canonical: false,
            entitlements: EntitlementFilters {
                load: named("%entitlement-load"),
                boolean: named("%entitlement-boolean"),
                string: named("%entitlement-string"),
                is_true: named("%entitlement-is-bool-true"),
                is_present: named("%entitlement-is-present"),
            },
        }
    }

    /// For comparing: one test may become several atoms.
    pub(crate) fn canonical(target: &'static Target) -> Self {
        Self { canonical: true, ..Self::new(target) }
    }

    pub(crate) fn column(&self, number: u32) -> Option<&Column> {
        self.columns.get_index(number as usize).map(|(_, column)| column)
    }

    /// The number of columns.
    pub(crate) fn columns(&self) -> u32 {
        self.columns.len() as u32
    }

    /// The column of `attribute`; known when everything is frozen.
    pub(crate) fn column_number(&self, attribute: &Attribute) -> Option<u32> {
        match attribute {
            Attribute::Filter(filter) => self.by_filter.get(usize::from(filter.0)).copied().flatten(),
            other => self.columns.get_index_of(other).map(|number| number as u32),
        }
    }

    /// Whether anything is asked about `attribute`.
    pub(crate) fn has(&self, attribute: &Attribute) -> bool {
        self.columns.contains_key(attribute)
    }

    /// The condition that `filter` states. Recursion is bounded by the policy's limit on nesting.
    pub(crate) fn compile(&mut self, filter: &Filter) -> Expr {
        self.expr(filter, &mut None)
    }

    /// The same behind a `%entitlement-load` of `loaded`.
    pub(crate) fn compile_after(&mut self, filter: &Filter, mut loaded: Option<Vec<u8>>) -> Expr {
        self.expr(filter, &mut loaded)
    }

    /// `loaded` is the entitlement that a `%entitlement-load` before has put in place.
    fn expr(&mut self, filter: &Filter, loaded: &mut Option<Vec<u8>>) -> Expr {
        match filter {
            Filter::Test(Test { filter, arg: Arg::Pattern(pattern) }) if self.canonical => {
                let parts = canonical(pattern, folds(self.target, *filter)).into_iter().map(|pattern| {
                    let test = Test { filter: *filter, arg: Arg::Pattern(pattern) };
                    Expr::Atom(self.atom(&test, &mut loaded.clone()))
                });
                Expr::Any(parts.collect())
            }
            Filter::Test(test) => Expr::Atom(self.atom(test, loaded)),
            Filter::All(parts) => Expr::All(parts.iter().map(|part| self.expr(part, loaded)).collect()),
            Filter::Any(parts) => Expr::Any(parts.iter().map(|part| self.expr(part, &mut loaded.clone())).collect()),
            Filter::Not(inner) => Expr::Not(Box::new(self.expr(inner, &mut loaded.clone()))),
        }
    }

    fn atom(&mut self, test: &Test, loaded: &mut Option<Vec<u8>>) -> Atom {
        let filter = Some(test.filter);
        let known = &self.entitlements;
        let entitlement = match &test.arg {
            Arg::String(name) if filter == known.load => {
                *loaded = Some(name.clone());
                Some((name.clone(), Question::Present))
            }
            Arg::String(name) if filter == known.is_present => Some((name.clone(), Question::Present)),
            Arg::String(name) if filter == known.is_true => Some((name.clone(), Question::Flag(true))),
            Arg::Bool(wanted) if filter == known.boolean => loaded.clone().map(|name| (name, Question::Flag(*wanted))),
            Arg::Pattern(pattern) if filter == known.string => {
                loaded.clone().map(|name| (name, Question::Pattern(pattern.clone())))
            }
            _ => None,
        };
        let (attribute, question) = match entitlement {
            Some((name, question)) => (Attribute::Entitlement(name), question),
            None => (Attribute::Filter(test.filter), self.question(test)),
        };
        let target = self.target;
        let entry = self.columns.entry(attribute);
        let column = entry.index();
        let slot = entry.or_insert_with_key(|attribute| Column::new(attribute.clone(), target));
        let question = match question {
            Question::Pattern(pattern) if slot.folds => Question::Pattern(pattern.fold_case()),
            other => other,
        };
        let (number, _) = slot.questions.insert_full(question);
        // A profile of less than 4 GB has fewer tests than 2^32.
        Atom { column: column as u32, question: number as u32 }
    }

    fn question(&self, test: &Test) -> Question {
        match &test.arg {
            Arg::None if self.takes_strings(test.filter) => Question::Text(EXTENSION_CLASS.to_vec()),
            Arg::None => Question::Flag(true),
            Arg::Bool(flag) => Question::Flag(*flag),
            Arg::Integer(bits) if self.is_bit_field(test.filter) => Question::Bits(*bits),
            Arg::Integer(number) => Question::Number(*number),
            Arg::Integers(numbers) if self.is_bit_field(test.filter) => {
                Question::Bits(numbers.iter().fold(0, |bits, number| bits | number))
            }
            Arg::Integers(numbers) => Question::OneOf(numbers.clone()),
            Arg::String(text) => Question::Text(text.clone()),
            Arg::Pattern(pattern) => Question::Pattern(pattern.clone()),
            Arg::Network(address) => Question::Network(*address),
        }
    }

    fn kind(&self, filter: FilterId) -> Option<ArgKind> {
        self.target.filter(filter).map(|info| info.argument)
    }

    fn takes_strings(&self, filter: FilterId) -> bool {
        self.kind(filter).is_some_and(|kind| kind == ArgKind::String || kind.is_pattern())
    }

    fn is_bit_field(&self, filter: FilterId) -> bool {
        self.kind(filter) == Some(ArgKind::Bitfield)
    }

    /// Ends building: the string columns get their automata.
    pub(crate) fn freeze(&mut self) {
        self.columns.values_mut().for_each(Column::freeze);
        for (number, attribute) in (0u32..).zip(self.columns.keys()) {
            if let Attribute::Filter(FilterId(filter)) = attribute {
                let at = usize::from(*filter);
                if self.by_filter.len() <= at {
                    self.by_filter.resize(at + 1, None);
                }
                self.by_filter[at] = Some(number);
            }
        }
    }

    /// What is known of every column. `implied` are attributes that the given ones rule out.
    pub(crate) fn facts<'r>(
        &self,
        values: &'r [(Attribute, Value)],
        implied: &[FilterId],
        closed: bool,
    ) -> Vec<Fact<'r>> {
        let mut facts: Vec<Fact<'r>> =
            self.columns.iter().map(|_| if closed { Fact::Absent } else { Fact::Unknown }).collect();
        for filter in implied {
            if let Some(number) = self.column_number(&Attribute::Filter(*filter)) {
                facts[number as usize] = Fact::Absent;
            }
        }
        for (attribute, value) in values {
            let Some(number) = self.column_number(attribute) else { continue };
            if let (Some(column), Some(fact)) = (self.column(number), facts.get_mut(number as usize)) {
                *fact = column.fact_with(value, values, closed);
            }
        }
        facts
    }

    /// Whether `atom` holds.
    pub(crate) fn ask(&self, atom: Atom, facts: &[Fact<'_>]) -> Truth {
        match (self.columns.get_index(atom.column as usize), facts.get(atom.column as usize)) {
            (Some((_, column)), Some(fact)) => column.ask(atom.question, fact),
            _ => Truth::Unknown,
        }
    }

    /// Whether `expr` holds. Recursion is bounded by the policy's limit on nesting.
    pub(crate) fn evaluate(&self, expr: &Expr, facts: &[Fact<'_>]) -> Truth {
        match expr {
            Expr::Atom(atom) => self.ask(*atom, facts),
            Expr::Not(inner) => !self.evaluate(inner, facts),
            Expr::All(parts) => {
                let mut all = Truth::True;
                for part in parts {
                    all = all.and(self.evaluate(part, facts));
                    if all == Truth::False {
                        break;
                    }
                }
                all
            }
            Expr::Any(parts) => {
                let mut any = Truth::False;
                for part in parts {
                    any = any.or(self.evaluate(part, facts));
                    if any == Truth::True {
                        break;
                    }
                }
                any
            }
        }
    }
}

/// The patterns that the compiler makes of `pattern`: the same for all ways to write one language that it stores alike.
fn canonical(pattern: &Pattern, folds: bool) -> Vec<Pattern> {
    let pattern = if folds { pattern.fold_case() } else { pattern.clone() };
    let mut names: IndexSet<Vec<u8>> = IndexSet::new();
    // A pattern of less than 4 GB that parses has fewer names than that; more would only be told apart less.
    let compiled = build::compile(&pattern, &mut |name| names.insert_full(name.to_vec()).0 as u16);
    let names: Vec<Vec<u8>> = names.into_iter().collect();
    match compiled {
        Ok(Compiled::Tree(tree)) => tree.ways(&names).unwrap_or_else(|_| vec![pattern]),
        Ok(Compiled::Regex(regex)) => {
            let stored = regex::code::encode(&regex).ok().and_then(|record| regex::code::decode(&record).ok());
            vec![stored.map_or(pattern, Pattern::from_regex)]
        }
        // A regex that nests too deep for a tree.
        Err(_) => vec![pattern],
    }
}

impl Expr {
    /// Every atom, in source order. Recursion is bounded as in [`Atoms::compile`].
    pub(crate) fn for_each_atom(&self, visit: &mut impl FnMut(Atom)) {
        match self {
            Self::Atom(atom) => visit(*atom),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.for_each_atom(visit)),
            Self::Not(inner) => inner.for_each_atom(visit),
        }
    }
}
