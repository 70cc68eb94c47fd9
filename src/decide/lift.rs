//! What a graph of tests answers, as roots of a decision diagram or gates: a compiled profile, so that it compares with policies, or a
//! policy as the chain of its tests.

use std::collections::{HashMap, HashSet};

use super::atoms::{Atoms, Expr};
use super::chain::Chain;
use super::dag::{Dag, TooManyNodes};
use super::graph::{GraphError, MAX_PLACES, check_places, roots_of, target_of};
use super::store::Store;
use crate::blob::{Argument, NodeId, Program, ProgramNode};
use crate::pattern::Pattern;
use crate::policy::{Arg, Filter, Host, NetworkAddress, Policy, Test};
use crate::vocab::{ArgKind, FilterId, Target};

/// A node and the entitlement that is loaded when it is reached: together they are one condition.
type Place = (NodeId, Option<Vec<u8>>);

/// A graph whose tests are among the atoms.
#[derive(Debug)]
pub(crate) struct Lifted {
    roots: Vec<NodeId>,
    /// Every place, children before parents.
    places: Vec<(Place, LiftedNode)>,
}

#[derive(Debug)]
enum LiftedNode {
    Answer(bool),
    Test { expr: Expr, matched: Place, unmatched: Place },
}

/// What is at a node.
pub(super) enum Step<'n> {
    /// An end: true is allow.
    Answer(bool),
    /// A test.
    Test {
        /// The entitlement that a match loads.
        loads: Option<&'n [u8]>,
        /// The next node behind a match.
        matched: NodeId,
        /// The next node behind no match.
        unmatched: NodeId,
    },
}

/// A graph that can be lifted.
pub(super) trait Tests {
    fn step(&self, node: NodeId) -> Step<'_>;

    /// The test at a node.
    fn condition(&self, node: NodeId) -> Result<Filter, GraphError>;

    /// Whether what was loaded before `node` may be looked at.
    fn looks_back(&self, node: NodeId) -> bool;
}

/// A compiled profile.
struct Blob<'p> {
    target: &'static Target,
    program: &'p Program,
    load: Option<FilterId>,
}

impl Tests for Blob<'_> {
    fn step(&self, node: NodeId) -> Step<'_> {
        match self.program.node(node) {
            Some(ProgramNode::Test { filter, argument, matched, unmatched }) => {
                let loads = match argument {
                    Argument::String(id) if Some(FilterId(*filter)) == self.load => {
                        self.program.strings.get(id.index()).map(Vec::as_slice)
                    }
                    _ => None,
                };
                Step::Test { loads, matched: *matched, unmatched: *unmatched }
            }
            Some(ProgramNode::Terminal(id)) => {
                Step::Answer(self.program.terminal(*id).is_some_and(|terminal| terminal.flags & 1 == 0))
            }
            None => Step::Answer(false),
        }
    }

    fn condition(&self, node: NodeId) -> Result<Filter, GraphError> {
        match self.program.node(node) {
            Some(ProgramNode::Test { filter, argument, .. }) => {
                condition(self.target, self.program, FilterId(*filter), argument)
            }
            _ => Ok(Filter::Any(Vec::new())),
        }
    }

    fn looks_back(&self, _: NodeId) -> bool {
        true
    }
}

impl Lifted {
    /// Adds the tests of a profile of `program` to `atoms`.
    pub(crate) fn new(program: &Program, profile: Option<&str>, atoms: &mut Atoms) -> Result<Self, GraphError> {
        let target = target_of(program)?;
        let roots = roots_of(program, profile)?.to_vec();
        check_places(program, target, &roots)?;
        let load = target.filter_named("%entitlement-load");
        Self::of(&Blob { target, program, load }, roots, atoms)
    }

    /// Adds the tests of `policy` to `atoms`, each behind the tests that are asked before it.
    pub(crate) fn of_policy(policy: &Policy, atoms: &mut Atoms) -> Result<Self, GraphError> {
        let (chain, roots) = Chain::new(policy);
        Self::of(&chain, roots, atoms)
    }

    fn of(tests: &impl Tests, roots: Vec<NodeId>, atoms: &mut Atoms) -> Result<Self, GraphError> {
        let mut done: HashSet<Place> = HashSet::new();
        let mut places = Vec::new();
        let mut todo: Vec<(Place, bool)> = roots.iter().rev().map(|root| ((*root, None), false)).collect();
        let behind =
            |node: NodeId, loaded: Option<&[u8]>| (node, loaded.filter(|_| tests.looks_back(node)).map(<[u8]>::to_vec));
        while let Some((place, children_done)) = todo.pop() {
            if done.contains(&place) {
                continue;
            }
            if done.len() > MAX_PLACES {
                return Err(GraphError::Loads);
            }
            let before = place.1.as_deref();
            let (matched, unmatched) = match tests.step(place.0) {
                Step::Answer(allowed) => {
                    done.insert(place.clone());
                    places.push((place, LiftedNode::Answer(allowed)));
                    continue;
                }
                Step::Test { loads, matched, unmatched } => {
                    (behind(matched, loads.or(before)), behind(unmatched, before))
                }
            };
            if !children_done {
                todo.push((place, true));
                todo.push((unmatched, false));
                todo.push((matched, false));
                continue;
            }
            let expr = atoms.compile_after(&tests.condition(place.0)?, place.1.clone());
            done.insert(place.clone());
            places.push((place, LiftedNode::Test { expr, matched, unmatched }));
        }
        Ok(Self { roots, places })
    }

    /// Puts the atoms in an order in which parents come before children.
    pub(crate) fn order(&self, dag: &mut Dag) {
        for (_, node) in self.places.iter().rev() {
            if let LiftedNode::Test { expr, .. } = node {
                expr.for_each_atom(&mut |atom| {
                    dag.order(atom);
                });
            }
        }
    }

    /// What each operation answers: true is allow.
    pub(crate) fn roots<S: Store>(&self, store: &mut S) -> Result<Vec<S::Root>, TooManyNodes> {
        let deny = store.constant(false);
        let mut known: HashMap<&Place, S::Root> = HashMap::new();
        for (place, node) in &self.places {
            let root = match node {
                LiftedNode::Answer(allowed) => store.constant(*allowed),
                LiftedNode::Test { expr, matched, unmatched } => {
                    let condition = store.condition(expr)?;
                    let [yes, no] = [matched, unmatched].map(|child| known.get(child).copied().unwrap_or(deny));
                    store.ite(condition, yes, no)?
                }
            };
            known.insert(place, root);
        }
        Ok(self.roots.iter().map(|root| known.get(&(*root, None)).copied().unwrap_or(deny)).collect())
    }
}

/// A node's test in the terms of policies.
pub(crate) fn condition(
    target: &Target,
    program: &Program,
    filter: FilterId,
    argument: &Argument,
) -> Result<Filter, GraphError> {
    let test = |arg| Filter::Test(Test { filter, arg });
    let name = |names: &[Vec<u8>], at: usize| Arg::String(names.get(at).cloned().unwrap_or_default());
    Ok(match argument {
        Argument::Integer(number) => test(match target.filter(filter).map(|info| info.argument) {
            // Only `%entitlement-boolean` tells true from false; the others store 0 for "no argument".
            Some(ArgKind::Bool) if target.filter_named("%entitlement-boolean") == Some(filter) => {
                Arg::Bool(*number != 0)
            }
            Some(ArgKind::Bool) => Arg::None,
            _ => Arg::Integer(*number),
        }),
        Argument::Pattern(id) => {
            let tree = program.patterns.get(id.index());
            let patterns = tree.map_or(Ok(Vec::new()), |tree| tree.ways(&program.variables.names));
            let patterns = patterns.map_err(|error| GraphError::Pattern(id.0, error))?;
            Filter::Any(patterns.into_iter().map(|pattern| test(Arg::Pattern(pattern))).collect())
        }
        Argument::Regex(id) => match program.regexes.get(id.index()) {
            Some(regex) => test(Arg::Pattern(Pattern::from_regex(regex.clone()))),
            None => Filter::Any(Vec::new()),
        },
        Argument::String(id) => test(name(&program.strings, id.index())),
        Argument::State(id) => test(name(&program.states.names, usize::from(*id))),
        Argument::ProfileFlag(id) => test(name(&program.flags_b.names, usize::from(*id))),
        Argument::Bitmask(id) => {
            let numbers = program.bitmasks.get(id.index()).map(|mask| mask.numbers()).into_iter().flatten();
            test(Arg::Integers(numbers.filter_map(|number| u16::try_from(number).ok()).collect()))
        }
        Argument::Network(address) => test(Arg::Network(NetworkAddress {
            protocol: address.protocols,
            host: if address.host == 0 { Host::Any } else { Host::Localhost },
            port: (address.port != 0).then_some(address.port),
        })),
    })
}
