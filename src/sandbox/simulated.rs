//! The backend that executes nothing: the decision engine answers for a plain process in a world of paths.
//!
//! The process it answers for has no entitlements, no sandbox extensions and no attribute that a filter asks for; files are
//! regular files that exist and whose UNIX permissions allow everything. What is asked for each kind of probe is in
//! [`asked_operation`] (`spec/probe-runner.md` sections 2.1 and 8).

use std::sync::Arc;

use super::{
    Action, ApplyFailure, Backend, BackendKind, DecidedBy, Observation, ObservedPath, Outcome, PathSource,
    ProfileInput, Rules, Session, Stage,
};
use crate::blob::Program;
use crate::decide::world::Resolved;
use crate::decide::{
    Answer, Answered, Attribute, Decider, Engine, Graph, GraphVerdict, PathVerdict, Request, Value, Verdict, World,
    operation_named,
};
use crate::diag::Location;
use crate::policy::{Modifier, ModifierValue};
use crate::vocab::{OpId, Target};

/// EPERM, which macOS gives for a refused operation.
const EPERM: i32 = 1;
/// How the reader and writer programs end when they cannot open their target (`spec/probe-runner.md` section 2.3).
const OPEN_FAILED: i32 = 2;

/// Asks the decision engine.
#[derive(Debug, Clone)]
pub struct Simulated {
    world: Arc<World>,
}

impl Simulated {
    /// In the built-in world of macOS 14: `/tmp`, `/var`, `/etc` are links, the data volume has its firmlinks.
    pub fn macos_14() -> Self {
        Self::in_world(World::macos_14())
    }

    /// In another world.
    pub fn in_world(world: World) -> Self {
        Self { world: Arc::new(world) }
    }
}

impl Backend for Simulated {
    fn kind(&self) -> BackendKind {
        BackendKind::Simulated
    }

    fn channel(&self) -> &'static str {
        "simulated"
    }

    fn apply(&self, profile: &ProfileInput) -> Result<Box<dyn Session>, ApplyFailure> {
        let (judge, target) = match &profile.rules {
            Rules::Policy(policy) => (Judge::Policy(Box::new(Engine::new(Arc::clone(policy)))), policy.target()),
            Rules::Blob(program) => {
                let graph = Graph::new(program, None);
                let target = graph.map(|graph| graph.target()).map_err(|error| ApplyFailure {
                    api: BackendKind::Simulated.name(),
                    errno: None,
                    message: error.to_string(),
                })?;
                (Judge::Blob(Arc::clone(program)), target)
            }
        };
        Ok(Box::new(SimulatedSession { judge, target, world: Arc::clone(&self.world) }))
    }

    /// Nothing but a profile refuses anything in the simulated world.
    fn try_unconfined(&self, action: &Action) -> Observation {
        let resolved = match action.target.starts_with('/') {
            true => self.world.resolve(action.target.as_bytes(), true),
            false => {
                return Observation {
                    outcome: Outcome::Allow,
                    exit_code: Some(0),
                    note: None,
                    ..undecided(String::new())
                };
            }
        };
        match resolved {
            Ok(resolved) => Observation {
                outcome: Outcome::Allow,
                exit_code: Some(0),
                path: Some(observed(&resolved)),
                note: None,
                ..undecided(String::new())
            },
            Err(error) => undecided(error.to_string()),
        }
    }
}

/// The engine that fits a profile.
enum Judge {
    Policy(Box<Engine>),
    Blob(Arc<Program>),
}

/// What either engine says, in the terms of an observation.
struct Ruling {
    answer: Answer,
    errno: i32,
    exit_code: i32,
    rule: Option<Location>,
    depends_on: Vec<Attribute>,
}

impl Ruling {
    fn of_policy(engine: &Engine, verdict: &Verdict) -> Self {
        let policy = engine.policy();
        let (errno, exit_code) = refusal(policy.target(), engine.modifiers(verdict.decider));
        let rule = match verdict.decider {
            Decider::Rule(id) => policy.get(id).and_then(|rule| rule.origin.as_ref()).map(|origin| origin.location),
            Decider::Own(_) => None,
        };
        Self { answer: verdict.answer, errno, exit_code, rule, depends_on: verdict.depends_on.clone() }
    }

    /// A blob names no rule of a text.
    fn of_blob(verdict: &GraphVerdict) -> Self {
        let depends_on = verdict.depends_on.clone();
        Self { answer: verdict.answer, errno: EPERM, exit_code: OPEN_FAILED, rule: None, depends_on }
    }
}

/// A ruling on a path: where the path leads, and the link that was refused if one was.
struct PathRuling {
    observed: ObservedPath,
    refused_link: Option<String>,
    ruling: Ruling,
}

impl PathRuling {
    fn new<V: Answered>(verdict: &PathVerdict<V>, rule: impl Fn(&V) -> Ruling) -> Self {
        Self {
            observed: observed(&verdict.resolved),
            refused_link: verdict.refused_link().map(|(link, _)| lossy(link)),
            ruling: rule(verdict.decisive()),
        }
    }
}

struct SimulatedSession {
    judge: Judge,
    target: &'static Target,
    world: Arc<World>,
}

/// The operation that the usual call of a probe asks for, where that is not the probed operation itself: opening a file for
/// reading asks `file-read-data`, for writing `file-write-data`.
fn asked_operation(probed: &str) -> &str {
    match probed {
        "file-read*" => "file-read-data",
        "file-write*" => "file-write-data",
        other => other,
    }
}

/// The filter that holds what a probe of an operation is tried on, where that is not a path.
const TARGET_FILTERS: &[(&str, &str)] = &[
    ("mach-lookup", "global-name"),
    ("mach-register", "global-name"),
    ("sysctl-read", "sysctl-name"),
    ("sysctl-write", "sysctl-name"),
    ("darwin-notification-post", "notification-name"),
    ("distributed-notification-post", "notification-name"),
    ("iokit-open-service", "iokit-registry-entry-class"),
    ("iokit-open-user-client", "iokit-registry-entry-class"),
    ("user-preference-read", "preference-domain"),
    ("user-preference-write", "preference-domain"),
    ("network-outbound", "remote"),
    ("network-inbound", "local"),
    ("network-bind", "local"),
    ("signal", "target"),
    ("process-info-pidinfo", "target"),
];

impl SimulatedSession {
    fn decide(&self, request: &Request) -> Result<Ruling, String> {
        match &self.judge {
            Judge::Policy(engine) => Ok(Ruling::of_policy(engine, &engine.decide(request))),
            Judge::Blob(program) => {
                let graph = Graph::new(program, None).map_err(|error| error.to_string())?;
                Ok(Ruling::of_blob(&graph.decide(request)))
            }
        }
    }

    fn decide_path(&self, request: &Request, path: &str) -> Result<PathRuling, String> {
        match &self.judge {
            Judge::Policy(engine) => {
                let verdict = engine.decide_path(request, path.as_bytes(), &self.world, None);
                let verdict = verdict.map_err(|error| error.to_string())?;
                Ok(PathRuling::new(&verdict, |verdict| Ruling::of_policy(engine, verdict)))
            }
            Judge::Blob(program) => {
                let graph = Graph::new(program, None).map_err(|error| error.to_string())?;
                let verdict = graph.decide_path(request, path.as_bytes(), &self.world, None);
                Ok(PathRuling::new(&verdict.map_err(|error| error.to_string())?, Ruling::of_blob))
            }
        }
    }

    fn ask(&self, action: &Action) -> Observation {
        let name = asked_operation(&action.operation);
        let operation = match operation_named(self.target, name) {
            Ok(operation) => operation,
            Err(error) => return undecided(error.to_string()),
        };
        let mut request = Request::new(operation);
        request.closed = true;
        let filter = action.filter.as_deref().or_else(|| {
            let row = TARGET_FILTERS.iter().find(|(operation, _)| *operation == name)?;
            Some(row.1)
        });
        match filter {
            Some(filter) => self.ask_about(request, name, filter, &action.target),
            None if action.target.starts_with('/') => self.ask_path(request, operation, &action.target),
            None => self.observe(name, &action.target, self.decide(&request), None),
        }
    }

    fn ask_about(&self, mut request: Request, name: &str, filter: &str, value: &str) -> Observation {
        // What a socket connects to is written HOST:PORT in plans.
        let text = match filter {
            "remote" | "local" => format!("{filter}=tcp:{value}"),
            _ => format!("{filter}={value}"),
        };
        if let Err(error) = request.add_argument(self.target, &text) {
            return undecided(error.to_string());
        }
        self.observe(name, value, self.decide(&request), None)
    }

    fn ask_path(&self, request: Request, operation: OpId, path: &str) -> Observation {
        let target = self.target;
        let request = match (target.filter_named("vnode-type"), regular_file(target)) {
            (Some(filter), Some(regular)) => request.with(Attribute::Filter(filter), Value::number(regular)),
            _ => request,
        };
        match self.decide_path(&request, path) {
            Ok(PathRuling { observed, refused_link, ruling }) => {
                let (asked, argument) = match refused_link {
                    Some(link) => ("file-read-metadata", link),
                    None => (target.operation(operation).name, observed.path.clone()),
                };
                self.observe(asked, &argument, Ok(ruling), Some(observed))
            }
            Err(reason) => undecided(reason),
        }
    }

    fn observe(
        &self,
        asked: &str,
        argument: &str,
        ruling: Result<Ruling, String>,
        path: Option<ObservedPath>,
    ) -> Observation {
        let ruling = match ruling {
            Ok(ruling) => ruling,
            Err(reason) => return undecided(reason),
        };
        let (outcome, errno, exit_code) = match ruling.answer {
            Answer::Allow => (Outcome::Allow, None, Some(0)),
            Answer::Deny => (Outcome::Deny, Some(ruling.errno), Some(ruling.exit_code)),
            Answer::Depends => (Outcome::Undecided, None, None),
        };
        let note = (outcome == Outcome::Undecided).then(|| {
            let names: Vec<_> = ruling.depends_on.iter().map(|attribute| attribute.name(self.target)).collect();
            format!("depends on {}", names.join(", "))
        });
        let stderr = if outcome == Outcome::Deny { "open target: Operation not permitted\n" } else { "" };
        Observation {
            outcome,
            stage: Stage::Operation,
            errno,
            exit_code,
            stdout: String::new(),
            stderr: if path.is_some() { stderr.to_owned() } else { String::new() },
            command: Vec::new(),
            details: None,
            path,
            decided_by: Some(DecidedBy {
                operation: asked.to_owned(),
                argument: argument.to_owned(),
                rule: ruling.rule,
            }),
            note,
        }
    }
}

impl Session for SimulatedSession {
    fn try_action(&mut self, action: &Action) -> Observation {
        self.ask(action)
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn observed(resolved: &Resolved) -> ObservedPath {
    ObservedPath {
        path: lossy(&resolved.path),
        // Which files are on the data volume is not part of the world.
        nofirmlink: None,
        links: resolved.links().map(lossy).collect(),
        source: PathSource::World,
    }
}

fn regular_file(target: &Target) -> Option<u16> {
    let symbols = target.enums().get("vnode-type")?;
    symbols.iter().find(|entry| entry.symbol == "REGULAR-FILE").map(|entry| entry.value)
}

/// The error number and the exit status that a refused probe program ends with: the modifiers `errno` and `send-signal` of
/// the deciding rule change them.
fn refusal(target: &Target, modifiers: &[Modifier]) -> (i32, i32) {
    let value = |name: &str| {
        let id = target.modifier_named(name)?.id;
        modifiers.iter().find(|modifier| modifier.id == id).and_then(|modifier| match modifier.value {
            ModifierValue::Integer(number) => Some(i32::from(number)),
            _ => None,
        })
    };
    (value("errno").unwrap_or(EPERM), value("send-signal").map_or(OPEN_FAILED, |signal| -signal))
}

fn undecided(note: String) -> Observation {
    Observation {
        outcome: Outcome::Undecided,
        stage: Stage::Operation,
        errno: None,
        exit_code: None,
        stdout: String::new(),
        stderr: String::new(),
        command: Vec::new(),
        details: None,
        path: None,
        decided_by: None,
        note: Some(note),
    }
}
