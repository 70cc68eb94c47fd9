//! The engine that fits a profile, and what it says in the terms of a process: an error number, a signal, a rule.
//!
//! **Invariants:** a profile is made ready once and asked many times; asking never fails.

use std::sync::Arc;

use super::{ProfileInput, Rules};
use crate::blob::Program;
use crate::compile::decompile::terminal_modifiers;
use crate::decide::world::Resolved;
use crate::decide::{
    Answer, Answered, Attribute, Decider, Engine, Graph, GraphError, GraphVerdict, PathVerdict, Request, Verdict,
    World, WorldError,
};
use crate::diag::Location;
use crate::policy::{Modifier, ModifierValue};
use crate::vocab::{FilterId, Target};

/// EPERM, which macOS gives for a refused operation.
const EPERM: i32 = 1;

/// A profile that answers. Cheap to clone, and safe from several threads.
#[derive(Debug, Clone)]
pub struct Judge {
    rules: Kind,
    target: &'static Target,
}

#[derive(Debug, Clone)]
enum Kind {
    Policy(Arc<Engine>),
    Blob(Arc<Program>),
}

impl Judge {
    /// Makes a profile ready.
    ///
    /// # Errors
    /// A blob that cannot be asked: no tables for its system, a collection, a pattern that cannot be run.
    pub fn of(profile: &ProfileInput) -> Result<Self, GraphError> {
        let (rules, target) = match &profile.rules {
            Rules::Policy(policy) => (Kind::Policy(Arc::new(Engine::new(Arc::clone(policy)))), policy.target()),
            Rules::Blob(program) => (Kind::Blob(Arc::clone(program)), Graph::new(program, None)?.target()),
        };
        Ok(Self { rules, target })
    }

    /// The system whose names the profile is written in.
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// The profile in the form that is asked. To be kept by who asks often: a blob is linked anew by each call.
    ///
    /// # Errors
    /// None that [`Judge::of`] did not find.
    pub fn court(&self) -> Result<Court<'_>, GraphError> {
        Ok(Court(match &self.rules {
            Kind::Policy(engine) => Bench::Policy(engine),
            Kind::Blob(program) => Bench::Blob(program, Box::new(Graph::new(program, None)?)),
        }))
    }
}

/// A profile in session.
#[derive(Debug)]
pub struct Court<'j>(Bench<'j>);

#[derive(Debug)]
enum Bench<'j> {
    Policy(&'j Engine),
    Blob(&'j Program, Box<Graph<'j>>),
}

impl Court<'_> {
    /// Whether some rule may test `filter`; then a value for it is worth having.
    pub fn may_test(&self, filter: FilterId) -> bool {
        match &self.0 {
            Bench::Policy(engine) => engine.has_tests_of(filter),
            Bench::Blob(..) => true,
        }
    }

    /// The ruling on one request.
    pub fn ask(&self, request: &Request) -> Ruling {
        match &self.0 {
            Bench::Policy(engine) => Ruling::of_policy(engine, &engine.decide(request)),
            Bench::Blob(program, graph) => Ruling::of_blob(program, graph.target(), &graph.decide(request)),
        }
    }

    /// The ruling on one request, unless that is *allow*.
    pub fn refusal(&self, request: &Request) -> Option<Ruling> {
        match &self.0 {
            Bench::Policy(engine) => {
                let verdict = engine.decide(request);
                (verdict.answer != Answer::Allow).then(|| Ruling::of_policy(engine, &verdict))
            }
            Bench::Blob(program, graph) => {
                let verdict = graph.decide(request);
                (verdict.answer != Answer::Allow).then(|| Ruling::of_blob(program, graph.target(), &verdict))
            }
        }
    }

    /// The ruling on a path with every link on the way.
    ///
    /// # Errors
    /// A path that cannot be walked.
    pub fn ask_path(&self, request: &Request, path: &[u8], world: &World) -> Result<PathRuling, WorldError> {
        Ok(match &self.0 {
            Bench::Policy(engine) => {
                let verdict = engine.decide_path(request, path, world, None)?;
                PathRuling::new(&verdict, |verdict| Ruling::of_policy(engine, verdict))
            }
            Bench::Blob(program, graph) => {
                let verdict = graph.decide_path(request, path, world, None)?;
                PathRuling::new(&verdict, |verdict| Ruling::of_blob(program, graph.target(), verdict))
            }
        })
    }
}

/// What either engine says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The answer.
    pub answer: Answer,
    /// The error number of a refused call, as macOS numbers it: EPERM, or what the deciding rule's modifier `errno` says.
    pub errno: i32,
    /// The signal that a refused process gets: the deciding rule's modifier `send-signal`, as macOS numbers it.
    pub signal: Option<i32>,
    /// Whether a refusal is logged; `no-report` of the deciding rule says no.
    pub reported: bool,
    /// The deciding rule's place; `None` when no rule of a text decided.
    pub rule: Option<Location>,
    /// What the answer depends on.
    pub depends_on: Vec<Attribute>,
}

impl Ruling {
    fn of_policy(engine: &Engine, verdict: &Verdict) -> Self {
        let policy = engine.policy();
        let modifiers = engine.modifiers(verdict.decider);
        let rule = match verdict.decider {
            Decider::Rule(id) => policy.get(id).and_then(|rule| rule.origin.as_ref()).map(|origin| origin.location),
            Decider::Own(_) => None,
        };
        Self { rule, ..Self::of(verdict.answer, verdict.depends_on.clone(), policy.target(), modifiers) }
    }

    /// A blob names no rule of a text.
    fn of_blob(program: &Program, target: &'static Target, verdict: &GraphVerdict) -> Self {
        // What an allowed request does besides is nobody's business here. The last terminal is the one without unknown matches.
        let refusing = verdict.terminals.last().filter(|_| verdict.answer != Answer::Allow);
        let found = refusing.and_then(|terminal| terminal_modifiers(program, target, *terminal));
        let modifiers = found.map(|found| found.modifiers).unwrap_or_default();
        Self::of(verdict.answer, verdict.depends_on.clone(), target, &modifiers)
    }

    fn of(answer: Answer, depends_on: Vec<Attribute>, target: &Target, modifiers: &[Modifier]) -> Self {
        let number = |name| integer_modifier(target, modifiers, name);
        let no_report = target.modifier_named("no-report").map(|info| info.id);
        Self {
            answer,
            errno: number("errno").unwrap_or(EPERM),
            signal: number("send-signal"),
            reported: !modifiers.iter().any(|modifier| Some(modifier.id) == no_report),
            rule: None,
            depends_on,
        }
    }
}

/// A ruling on a path: where the path leads, and the link that was refused if one was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRuling {
    /// The way and where it ends.
    pub resolved: Resolved,
    /// The link whose metadata may not be read.
    pub refused_link: Option<Vec<u8>>,
    /// The ruling of the link, or of the operation.
    pub ruling: Ruling,
}

impl PathRuling {
    fn new<V: Answered + Clone>(verdict: &PathVerdict<V>, rule: impl Fn(&V) -> Ruling) -> Self {
        Self {
            resolved: verdict.resolved.clone(),
            refused_link: verdict.refused_link().map(|(link, _)| link.clone()),
            ruling: rule(verdict.decisive()),
        }
    }
}

fn integer_modifier(target: &Target, modifiers: &[Modifier], name: &str) -> Option<i32> {
    let id = target.modifier_named(name)?.id;
    modifiers.iter().find(|modifier| modifier.id == id).and_then(|modifier| match modifier.value {
        ModifierValue::Integer(number) => Some(i32::from(number)),
        _ => None,
    })
}
