//! The second engine: a request against a compiled profile, by walking its graph as the kernel does.
//!
//! It shares the request and the facts about names with [`Engine`](super::Engine) and nothing else: pattern code is run as
//! code, regexes are searched, edges are followed. The two agree wherever the compiler is right, which tests use.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use super::atoms::{Truth, ask_address};
use super::engine::Answer;
use super::exclusive::Exclusive;
use super::value::{Attribute, Request, Value};
use super::variables;
use crate::blob::{Argument, NodeId, Program, ProgramNode, Roots, StringId, TerminalId};
use crate::pattern::automaton::Nfa;
use crate::pattern::code::{self, Style};
use crate::pattern::variable::fixed;
use crate::pattern::{Meaning, Pattern, Variables};
use crate::policy::{Host, NetworkAddress};
use crate::vocab::{Action, ArgKind, FilterId, Target};

/// The bit of a terminal's flags that refuses (`spec/blob-format.md` section 5.2).
const DENY: u32 = 1;

/// Why a graph cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// The tables of the blob's system are missing.
    #[error("no names for blobs of generation {0}")]
    Target(String),
    /// A pattern that cannot be run.
    #[error("pattern {0}: {1}")]
    Pattern(u32, code::CodeError),
    /// A collection has no profile of that name (or none was named).
    #[error("there is no profile {0:?}")]
    Profile(String),
    /// The answer hangs on what was loaded on too many ways.
    #[error(
        "too many entitlements are loaded on too many ways: more than {MAX_PLACES} pairs of a test and what is loaded at it"
    )]
    Loads,
}

/// Most pairs of a node and what is loaded there. The platform profile of macOS 15.2 has 11,226, of 8,171 nodes.
pub(super) const MAX_PLACES: usize = 250_000;

/// Refuses graphs that cannot be walked in the time that their size allows: a node is another condition for each entitlement that
/// can be loaded at it (`spec/blob-format.md` section 6).
pub(crate) fn check_places(program: &Program, target: &Target, roots: &[NodeId]) -> Result<(), GraphError> {
    let load = target.filter_named("%entitlement-load");
    let loaded = |node: Option<&ProgramNode>| match node {
        Some(ProgramNode::Test { filter, argument: Argument::String(name), .. }) if Some(FilterId(*filter)) == load => {
            Some(*name)
        }
        _ => None,
    };
    let loads: BTreeSet<StringId> = program.nodes.iter().filter_map(|node| loaded(Some(node))).collect();
    if program.nodes.len().saturating_mul(loads.len() + 1) <= MAX_PLACES {
        return Ok(());
    }
    let mut seen = HashSet::new();
    let mut todo: Vec<(NodeId, Option<StringId>)> = roots.iter().map(|root| (*root, None)).collect();
    while let Some(place) = todo.pop() {
        if !seen.insert(place) {
            continue;
        }
        if seen.len() > MAX_PLACES {
            return Err(GraphError::Loads);
        }
        let node = program.node(place.0);
        if let Some(ProgramNode::Test { matched, unmatched, .. }) = node {
            todo.extend([(*matched, loaded(node).or(place.1)), (*unmatched, place.1)]);
        }
    }
    Ok(())
}

/// One test on the way through a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphStep {
    /// The node.
    pub node: NodeId,
    /// Its outcome.
    pub holds: Truth,
}

/// The answer of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphVerdict {
    /// The answer.
    pub answer: Answer,
    /// The terminals that can be reached, in the order met; one unless a value is unknown.
    pub terminals: Vec<TerminalId>,
    /// The tests on the way. Where a value is unknown both ways are walked, the matching one first.
    pub steps: Vec<GraphStep>,
    /// Attributes that were asked about and are unknown; empty unless the answer is [`Answer::Depends`].
    pub depends_on: Vec<Attribute>,
}

/// How a node's pattern is matched.
#[derive(Debug)]
enum Matcher {
    Code(Vec<u8>),
    /// It refers to variables that the request must say.
    Open {
        code: Vec<u8>,
        /// The free variables of each pattern that it was made of.
        free: Vec<Vec<Vec<u8>>>,
        /// What these patterns can match at all, by number.
        possible: Nfa,
    },
}

/// A compiled profile made ready for requests.
#[derive(Debug)]
pub struct Graph<'p> {
    program: &'p Program,
    roots: &'p [NodeId],
    target: &'static Target,
    patterns: Vec<Matcher>,
    regexes: Vec<Nfa>,
    exclusive: Exclusive,
}

/// The roots of the profile called `name`; a blob that is no collection has one without name.
pub(crate) fn roots_of<'p>(program: &'p Program, name: Option<&str>) -> Result<&'p [NodeId], GraphError> {
    match (&program.roots, name) {
        (Roots::Single(roots), None) => Ok(roots),
        (Roots::Collection { profiles, .. }, Some(name)) => profiles
            .iter()
            .find(|profile| profile.name == name.as_bytes())
            .map(|profile| profile.roots.as_slice())
            .ok_or_else(|| GraphError::Profile(name.to_owned())),
        (_, name) => Err(GraphError::Profile(name.unwrap_or_default().to_owned())),
    }
}

/// The tables that give the numbers of `program` names.
pub(crate) fn target_of(program: &Program) -> Result<&'static Target, GraphError> {
    crate::vocab::target(program.generation.target()).map_err(|_| GraphError::Target(program.generation.to_string()))
}

impl<'p> Graph<'p> {
    /// Makes a linked blob ready; of a collection the profile called `profile`.
    ///
    /// # Errors
    /// A pattern that cannot be written as code, an unknown profile, loads on too many ways.
    pub fn new(program: &'p Program, profile: Option<&str>) -> Result<Self, GraphError> {
        let target = target_of(program)?;
        let patterns = program.patterns.iter().zip(0u32..).map(|(tree, number)| {
            let code = code::encode(tree, Style::Modern).map_err(|error| GraphError::Pattern(number, error))?;
            let names = &program.variables.names;
            let is_free = |number: &u16| names.get(usize::from(*number)).is_some_and(|name| fixed(name).is_none());
            if !tree.variables().any(|number| is_free(&number)) {
                return Ok(Matcher::Code(code));
            }
            let sources = tree.to_patterns(names).map_err(|error| GraphError::Pattern(number, error))?;
            let free = |pattern: &Pattern| pattern.free_variables().map(<[u8]>::to_vec).collect();
            let free = sources.iter().map(free).collect();
            Ok(Matcher::Open { code, free, possible: variables::possible(&sources) })
        });
        let regexes = program.regexes.iter().map(|regex| {
            let mut nfa = Nfa::new();
            nfa.add(&Pattern::from_regex(regex.clone()), &Variables::none());
            nfa
        });
        let roots = roots_of(program, profile)?;
        check_places(program, target, roots)?;
        Ok(Self {
            roots,
            patterns: patterns.collect::<Result<_, _>>()?,
            regexes: regexes.collect(),
            exclusive: Exclusive::new(target),
            program,
            target,
        })
    }

    /// The system whose names fit.
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// The action of a terminal.
    pub fn action(&self, terminal: TerminalId) -> Action {
        match self.program.terminal(terminal) {
            Some(terminal) if terminal.flags & DENY == 0 => Action::Allow,
            _ => Action::Deny,
        }
    }

    /// The answer to `request`. An operation without entry in the table is refused.
    pub fn decide(&self, request: &Request) -> GraphVerdict {
        let absent = self.exclusive.ruled_out(self.target, request.operation, |filter| {
            request.get(&Attribute::Filter(filter)).is_some_and(|value| *value != Value::Absent)
        });
        let asked = Asked { graph: self, request, absent: &absent };
        let mut todo: Vec<(NodeId, Option<&[u8]>)> =
            self.roots.get(usize::from(request.operation.0)).map(|root| (*root, None)).into_iter().collect();
        let mut seen = HashSet::new();
        let (mut terminals, mut steps, mut unknown) = (Vec::new(), Vec::new(), BTreeSet::new());
        while let Some((node, loaded)) = todo.pop() {
            if !seen.insert((node, loaded)) {
                continue;
            }
            match self.program.node(node) {
                None => {}
                Some(ProgramNode::Terminal(terminal)) => terminals.push(*terminal),
                Some(ProgramNode::Test { filter, argument, matched, unmatched }) => {
                    let (attribute, holds) = asked.test(FilterId(*filter), argument, loaded);
                    steps.push(GraphStep { node, holds });
                    // What is loaded is known to the nodes behind the match (`spec/blob-format.md` section 6).
                    let load = match argument {
                        Argument::String(name) if asked.is(FilterId(*filter), "%entitlement-load") => {
                            self.program.strings.get(name.index()).map(Vec::as_slice)
                        }
                        _ => loaded,
                    };
                    if holds != Truth::True {
                        todo.push((*unmatched, loaded));
                    }
                    if holds != Truth::False {
                        todo.push((*matched, load));
                    }
                    if holds == Truth::Unknown {
                        unknown.extend(asked.unknown(FilterId(*filter), attribute, argument));
                    }
                }
            }
        }
        let actions: BTreeSet<Action> = terminals.iter().map(|terminal| self.action(*terminal)).collect();
        let answer = match actions.len() {
            2 => Answer::Depends,
            _ => actions.first().copied().unwrap_or(Action::Deny).into(),
        };
        let depends_on = if answer == Answer::Depends { unknown.into_iter().collect() } else { Vec::new() };
        GraphVerdict { answer, terminals, steps, depends_on }
    }
}

struct Asked<'a, 'p> {
    graph: &'a Graph<'p>,
    request: &'a Request,
    absent: &'a [FilterId],
}

impl Asked<'_, '_> {
    fn is(&self, filter: FilterId, name: &str) -> bool {
        self.graph.target.filter_named(name) == Some(filter)
    }

    /// What a node asks about and whether its test holds.
    fn test(&self, filter: FilterId, argument: &Argument, loaded: Option<&[u8]>) -> (Attribute, Truth) {
        let strings = &self.graph.program.strings;
        let entitlement = match argument {
            Argument::String(name)
                if ["%entitlement-load", "%entitlement-is-present", "%entitlement-is-bool-true"]
                    .iter()
                    .any(|each| self.is(filter, each)) =>
            {
                strings.get(name.index()).map(Vec::as_slice)
            }
            _ if self.is(filter, "%entitlement-boolean") || self.is(filter, "%entitlement-string") => loaded,
            _ => None,
        };
        let attribute = match entitlement {
            Some(name) => Attribute::Entitlement(name.to_vec()),
            None => Attribute::Filter(filter),
        };
        let absent = self.request.closed || self.absent.contains(&filter);
        let holds = match self.request.get(&attribute) {
            Some(value) => self.matches(filter, argument, value),
            None if absent => Truth::False,
            None => Truth::Unknown,
        };
        (attribute, holds)
    }

    /// What a test of `attribute` that is unknown hangs on.
    fn unknown(&self, filter: FilterId, attribute: Attribute, argument: &Argument) -> Vec<Attribute> {
        let matcher = match argument {
            Argument::Pattern(id) => self.graph.patterns.get(id.index()),
            _ => None,
        };
        match (matcher, self.request.get(&attribute)) {
            (Some(Matcher::Open { free, possible, .. }), Some(Value::Strings(all))) => {
                let texts: Vec<_> = all.iter().map(|text| self.folded(filter, text)).collect();
                self.names(free, possible, &texts).map(variables::attribute).filter(|each| self.lacks(each)).collect()
            }
            (Some(Matcher::Open { free, .. }), None) => {
                let variables = free.iter().flatten().map(|name| variables::attribute(name));
                variables.filter(|each| self.lacks(each)).chain([attribute]).collect()
            }
            _ => vec![attribute],
        }
    }

    fn lacks(&self, variable: &Attribute) -> bool {
        variables::value(variable, &self.request.values).is_none()
    }

    /// The free variables of the patterns that can match one of `texts`.
    fn names<'f>(
        &self,
        free: &'f [Vec<Vec<u8>>],
        possible: &Nfa,
        texts: &[Cow<'_, [u8]>],
    ) -> impl Iterator<Item = &'f [u8]> {
        let matching: BTreeSet<u32> = texts.iter().flat_map(|text| possible.matches(text)).collect();
        matching.into_iter().filter_map(|number| free.get(number as usize)).flatten().map(Vec::as_slice)
    }

    /// Whether pattern code matches one of `texts`, which are folded where the filter folds.
    fn runs(&self, matcher: &Matcher, texts: &[Cow<'_, [u8]>], folds: bool) -> Truth {
        let run = |code: &[u8], variables: &Variables| {
            let names = &self.graph.program.variables.names;
            let meanings: Vec<Meaning> = names.iter().map(|name| variables.meaning(name).clone()).collect();
            texts.iter().any(|text| code::run(code, text, &meanings).unwrap_or(false))
        };
        match matcher {
            Matcher::Code(code) => run(code, &Variables::none()).into(),
            Matcher::Open { code, free, possible } => {
                let names = self.names(free, possible, texts);
                let Request { values, closed, .. } = self.request;
                let (variables, is_complete) = variables::resolve(names, values, *closed, folds);
                match run(code, &variables) {
                    true => Truth::True,
                    false if is_complete => Truth::False,
                    false => Truth::Unknown,
                }
            }
        }
    }

    fn matches(&self, filter: FilterId, argument: &Argument, value: &Value) -> Truth {
        let program = self.graph.program;
        let kind = self.graph.target.filter(filter).map(|info| info.argument);
        match (argument, value) {
            (_, Value::Absent) => Truth::False,
            (Argument::Integer(bits), Value::Numbers(all)) if kind == Some(ArgKind::Bitfield) => {
                all.iter().any(|number| number & bits != 0).into()
            }
            (Argument::Integer(wanted), Value::Numbers(all)) => all.contains(wanted).into(),
            (Argument::Integer(wanted), Value::Flag(flag)) if self.is(filter, "%entitlement-boolean") => {
                (*flag == (*wanted != 0)).into()
            }
            (Argument::Integer(_), Value::Flag(flag)) => (*flag).into(),
            (Argument::Pattern(id), Value::Strings(all)) => match self.graph.patterns.get(id.index()) {
                Some(matcher) => {
                    let texts: Vec<_> = all.iter().map(|text| self.folded(filter, text)).collect();
                    self.runs(matcher, &texts, super::atoms::folds(self.graph.target, filter))
                }
                None => Truth::Unknown,
            },
            (Argument::Regex(id), Value::Strings(all)) => match self.graph.regexes.get(id.index()) {
                Some(nfa) => all.iter().any(|text| !nfa.matches(&self.folded(filter, text)).is_empty()).into(),
                None => Truth::False,
            },
            (Argument::String(_), Value::Flag(flag)) if self.is(filter, "%entitlement-is-bool-true") => (*flag).into(),
            (Argument::String(_), Value::Strings(_)) if self.is(filter, "%entitlement-is-bool-true") => Truth::False,
            // Loading and presence ask for any value.
            (Argument::String(_), Value::Flag(_)) => Truth::True,
            (Argument::String(_), Value::Strings(_)) if filter_tests_presence(self, filter) => Truth::True,
            (Argument::String(id), Value::Strings(all)) => {
                program.strings.get(id.index()).is_some_and(|wanted| all.contains(wanted)).into()
            }
            (Argument::State(id), Value::Strings(all)) => {
                program.states.names.get(usize::from(*id)).is_some_and(|wanted| all.contains(wanted)).into()
            }
            (Argument::ProfileFlag(id), Value::Strings(all)) => {
                program.flags_b.names.get(usize::from(*id)).is_some_and(|wanted| all.contains(wanted)).into()
            }
            (Argument::Bitmask(id), Value::Numbers(all)) => {
                let holds = |number: &u16| {
                    let mask = program.bitmasks.get(id.index());
                    mask.is_some_and(|mask| mask.numbers().any(|each| each == u32::from(*number)))
                };
                all.iter().any(holds).into()
            }
            (Argument::Network(wanted), Value::Address(address)) => {
                let host = if wanted.host == 0 { Host::Any } else { Host::Localhost };
                let port = (wanted.port != 0).then_some(wanted.port);
                ask_address(&NetworkAddress { protocol: wanted.protocols, host, port }, address)
            }
            _ => Truth::False,
        }
    }

    fn folded<'t>(&self, filter: FilterId, text: &'t [u8]) -> Cow<'t, [u8]> {
        if super::atoms::folds(self.graph.target, filter) { text.to_ascii_lowercase().into() } else { text.into() }
    }
}

fn filter_tests_presence(asked: &Asked<'_, '_>, filter: FilterId) -> bool {
    asked.is(filter, "%entitlement-load") || asked.is(filter, "%entitlement-is-present")
}
