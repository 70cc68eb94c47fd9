//! Does the text compile to the blob again?

use super::Stop;
use super::draft::{Choices, Draft, decompile};
use crate::blob::{self, NodeId, Program, ProgramNode, Roots};
use crate::compile::{self, Limits};
use crate::diag::Source;
use crate::policy::Policy;
use crate::profile::{EvalOptions, NoImports, evaluate};
use crate::vocab::{OpId, Target};

/// What compiling the text again showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The same bytes.
    Identical,
    /// The same program for every operation, in other bytes.
    SamePrograms {
        /// First byte that differs.
        first_difference: usize,
    },
    /// Operations whose programs differ.
    Different {
        /// First byte that differs.
        first_difference: usize,
        /// The operations, by number.
        operations: Vec<OpId>,
    },
    /// The text does not compile.
    Fails(String),
}

/// A draft with what compiling it showed.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The best draft found.
    pub draft: Draft,
    /// How good it is.
    pub outcome: Outcome,
    /// What the text says, for a comparison of decisions; `None` when it does not evaluate.
    pub policy: Option<Policy>,
    /// What the text compiles to, for a comparison of decisions; `None` when it does not compile.
    pub program: Option<Program>,
}

/// Most drafts that are tried.
const MAX_TRIES: usize = 4;
/// Longer texts are tried a second time only for the ends of programs, where another reading may decide otherwise.
const MAX_TRIED_TEXT: usize = 1 << 16;

/// Decompiles and compiles again; where programs differ, other readings are tried. `bytes` is the blob of a single profile,
/// `None` for one of a collection, of which only the programs can be compared.
///
/// # Errors
/// As [`decompile`].
pub fn verify(
    program: &Program,
    profile: usize,
    bytes: Option<&[u8]>,
    target: &'static Target,
) -> Result<Verified, Stop> {
    let mut choices = Choices::default();
    let mut best: Option<Verified> = None;
    for _ in 0..MAX_TRIES {
        let draft = decompile(program, profile, target, &choices)?;
        let (outcome, policy, compiled) = outcome(&draft, program, profile, bytes, target);
        let differing = match &outcome {
            Outcome::Different { operations, .. } => operations.clone(),
            _ => Vec::new(),
        };
        let open = draft.open.clone();
        let long = draft.text.len() > MAX_TRIED_TEXT;
        // Of equals the later: with more unfiltered rules it decides as the program does in any case.
        if best.as_ref().is_none_or(|best| rank(&outcome) <= rank(&best.outcome)) {
            best = Some(Verified { draft, outcome, policy, program: compiled });
        }
        let before = choices.clone();
        for operation in differing {
            // One thing at a time: first the end of the program, then the order of the alternatives.
            let another_end = open.contains(&operation) && choices.unfiltered.insert(operation);
            if !another_end && !long {
                choices.reversed.insert(operation);
            }
        }
        if choices == before {
            break;
        }
    }
    best.ok_or(Stop::NoProfile)
}

fn rank(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Identical => 0,
        Outcome::SamePrograms { .. } => 1,
        Outcome::Different { operations, .. } => 2 + operations.len(),
        Outcome::Fails(_) => usize::MAX,
    }
}

fn outcome(
    draft: &Draft,
    program: &Program,
    profile: usize,
    bytes: Option<&[u8]>,
    target: &'static Target,
) -> (Outcome, Option<Policy>, Option<Program>) {
    let policy = match evaluated(draft, target) {
        Ok(policy) => policy,
        Err(message) => return (Outcome::Fails(message), None, None),
    };
    let compiled = match compile::program_as(&policy, &Limits::default(), program.generation) {
        Ok((compiled, _)) => compiled,
        Err(error) => return (Outcome::Fails(error.to_string()), Some(policy), None),
    };
    // A program of a collection has no bytes of its own.
    let written = match bytes.map(|_| compiled.encode()).transpose() {
        Ok(written) => written.unwrap_or_default(),
        Err(error) => return (Outcome::Fails(error.to_string()), Some(policy), Some(compiled)),
    };
    if bytes == Some(&written) {
        return (Outcome::Identical, Some(policy), Some(compiled));
    }
    let old = bytes.unwrap_or_default();
    let common = old.iter().zip(&written).take_while(|(old, new)| old == new).count();
    let operations = different(program, profile, &compiled);
    let outcome = if operations.is_empty() {
        Outcome::SamePrograms { first_difference: common }
    } else {
        Outcome::Different { first_difference: common, operations }
    };
    (outcome, Some(policy), Some(compiled))
}

/// Evaluates a text with the parameters that it asks for, as whoever compiles it does.
fn evaluated(draft: &Draft, target: &'static Target) -> Result<Policy, String> {
    let params = draft.params.iter().map(|name| ((*name).to_owned(), "1".to_owned()));
    let options = EvalOptions { target, params: Some(params.collect()), ..EvalOptions::default() };
    let source = Source::new("decompiled", draft.text.clone());
    Ok(evaluate(source, &NoImports, &options).map_err(|failure| failure.to_string())?.policy)
}

/// The operations whose programs in `new` (a single profile) do not have the shape that they have in `old`.
pub(in crate::compile) fn different(old: &Program, profile: usize, new: &Program) -> Vec<OpId> {
    let old_roots = match &old.roots {
        Roots::Single(roots) => roots,
        Roots::Collection { profiles, .. } => match profiles.get(profile) {
            Some(profile) => &profile.roots,
            None => return Vec::new(),
        },
    };
    let Roots::Single(new_roots) = &new.roots else { return Vec::new() };
    let mut shapes = Shapes::default();
    let (old_shapes, new_shapes) = (shapes.of(old, old_roots), shapes.of(new, new_roots));
    let same = |at: usize| match (old_roots.get(at), new_roots.get(at)) {
        (Some(old), Some(new)) => old_shapes.get(old.index()) == new_shapes.get(new.index()),
        (None, None) => true,
        _ => false,
    };
    let count = old_roots.len().max(new_roots.len());
    (0..count).filter(|at| !same(*at)).filter_map(|at| u8::try_from(at).ok()).map(OpId).collect()
}

/// Numbers for programs of equal shape, whatever blob they are from.
#[derive(Default)]
struct Shapes(indexmap::IndexSet<Shape>);

#[derive(PartialEq, Eq, Hash)]
enum Shape {
    Test { filter: u8, argument: Value, matched: usize, unmatched: usize },
    Terminal { flags: u32, modifiers: Vec<(u8, u8, Value)> },
    Missing,
}

/// An argument with what its record holds.
#[derive(PartialEq, Eq, Hash)]
enum Value {
    Number(u32),
    Text(Vec<u8>),
    Pattern(crate::pattern::code::PatternTree),
    Regex(crate::pattern::Regex),
    Mask(Vec<u32>),
    Names(Vec<Vec<u8>>),
    Program(usize),
}

impl Shapes {
    fn number(&mut self, shape: Shape) -> usize {
        self.0.insert_full(shape).0
    }

    /// The shape of every node that `roots` reach, by node.
    fn of(&mut self, program: &Program, roots: &[NodeId]) -> Vec<usize> {
        const UNKNOWN: usize = usize::MAX;
        let mut known = vec![UNKNOWN; program.nodes.len()];
        let mut pending: Vec<(NodeId, bool)> = roots.iter().map(|root| (*root, false)).collect();
        while let Some((id, ready)) = pending.pop() {
            if known.get(id.index()).is_none_or(|shape| *shape != UNKNOWN) {
                continue;
            }
            if !ready {
                pending.push((id, true));
                pending.extend(children(program, id).into_iter().map(|child| (child, false)));
                continue;
            }
            let shape = self.shape(program, id, &known);
            let number = self.number(shape);
            if let Some(slot) = known.get_mut(id.index()) {
                *slot = number;
            }
        }
        known
    }

    fn shape(&self, program: &Program, id: NodeId, known: &[usize]) -> Shape {
        let of = |id: NodeId| known.get(id.index()).copied().unwrap_or(usize::MAX);
        match program.node(id) {
            Some(&ProgramNode::Test { filter, argument, matched, unmatched }) => Shape::Test {
                filter,
                argument: argument_value(program, argument),
                matched: of(matched),
                unmatched: of(unmatched),
            },
            Some(&ProgramNode::Terminal(terminal)) => match program.terminal(terminal) {
                Some(terminal) => Shape::Terminal {
                    flags: terminal.flags,
                    modifiers: terminal
                        .modifiers
                        .iter()
                        .map(|modifier| {
                            (modifier.id, modifier.operation, modifier_value(program, modifier.argument, &of))
                        })
                        .collect(),
                },
                None => Shape::Missing,
            },
            None => Shape::Missing,
        }
    }
}

fn children(program: &Program, id: NodeId) -> Vec<NodeId> {
    match program.node(id) {
        Some(&ProgramNode::Test { matched, unmatched, .. }) => vec![matched, unmatched],
        Some(&ProgramNode::Terminal(terminal)) => program
            .terminal(terminal)
            .into_iter()
            .flat_map(|terminal| terminal.policies())
            .filter_map(|policy| program.policies.get(policy.index()).copied())
            .collect(),
        None => Vec::new(),
    }
}

fn argument_value(program: &Program, argument: blob::Argument) -> Value {
    use blob::Argument;
    let state = |number: u16| Value::Text(program.states.names.get(usize::from(number)).cloned().unwrap_or_default());
    match argument {
        Argument::Integer(value) => Value::Number(value.into()),
        Argument::Pattern(id) => match program.patterns.get(id.index()) {
            // Variables are numbered by each blob for itself.
            Some(tree) if program.variables.names.is_empty() => Value::Pattern(tree.clone()),
            Some(tree) => Value::Names(
                tree.to_patterns(&program.variables.names)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|pattern| [&[pattern.kind() as u8], pattern.text()].concat())
                    .collect(),
            ),
            None => Value::Number(u32::MAX),
        },
        Argument::Regex(id) => match program.regexes.get(id.index()) {
            Some(regex) => Value::Regex(regex.clone()),
            None => Value::Number(u32::MAX),
        },
        Argument::String(id) => Value::Text(program.strings.get(id.index()).cloned().unwrap_or_default()),
        Argument::Network(address) => {
            Value::Number(u32::from(address.protocols) << 24 | u32::from(address.host) << 16 | u32::from(address.port))
        }
        Argument::Bitmask(id) => {
            Value::Mask(program.bitmasks.get(id.index()).map(|mask| mask.numbers().collect()).unwrap_or_default())
        }
        Argument::State(number) => state(number),
        Argument::ProfileFlag(number) => {
            Value::Text(program.flags_b.names.get(usize::from(number)).cloned().unwrap_or_default())
        }
    }
}

fn modifier_value(program: &Program, argument: blob::ModifierArgument, of: &dyn Fn(NodeId) -> usize) -> Value {
    use blob::ModifierArgument;
    let text = |text: Option<&Vec<u8>>| Value::Text(text.cloned().unwrap_or_default());
    match argument {
        ModifierArgument::Integer(value) => Value::Number(value.into()),
        ModifierArgument::String(id) => text(program.strings.get(id.index())),
        ModifierArgument::State(number) => text(program.states.names.get(usize::from(number))),
        ModifierArgument::Message(number) => text(program.messages.get(usize::from(number))),
        ModifierArgument::Policy(policy) => {
            Value::Program(program.policies.get(policy.index()).map_or(usize::MAX, |&root| of(root)))
        }
    }
}
