//! The backend that executes nothing: the decision engine answers for a plain process in a world of paths.
//!
//! The process it answers for has no entitlements, no sandbox extensions and no attribute that a filter asks for; files are
//! regular files that exist and whose UNIX permissions allow everything. What is asked for each kind of probe is in
//! [`asked_operation`] (`spec/probe-runner.md` sections 2.1 and 8).

use std::sync::Arc;

use super::class::Class;
use super::judge::{Judge, PathRuling, Ruling};
use super::{
    Action, ApplyFailure, Backend, BackendKind, DecidedBy, Evidence, NOT_ACQUIRED, Observation, ObservedPath, Outcome,
    PathSource, ProfileInput, Session, Stage,
};
use crate::decide::world::Resolved;
use crate::decide::{Answer, Attribute, Request, Value, World, operation_named};
use crate::vocab::{OpId, Target};

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

    fn world(&self) -> Option<&World> {
        Some(&self.world)
    }

    fn apply(&self, profile: &ProfileInput) -> Result<Box<dyn Session>, ApplyFailure> {
        let judge = Judge::of(profile).map_err(|error| ApplyFailure {
            api: BackendKind::Simulated.name(),
            errno: None,
            message: error.to_string(),
        })?;
        Ok(Box::new(SimulatedSession { judge, world: Arc::clone(&self.world) }))
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

struct SimulatedSession {
    judge: Judge,
    world: Arc<World>,
}

/// The operation that the usual call of a probe asks for, where that is not the probed operation itself: opening a file for
/// reading asks `file-read-data`, for writing `file-write-data`.
pub(super) fn asked_operation(probed: &str) -> &str {
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
        let court = self.judge.court().map_err(|error| error.to_string())?;
        Ok(court.ask(request))
    }

    fn decide_path(&self, request: &Request, path: &str) -> Result<PathRuling, String> {
        let court = self.judge.court().map_err(|error| error.to_string())?;
        court.ask_path(request, path.as_bytes(), &self.world).map_err(|error| error.to_string())
    }

    fn ask(&self, action: &Action) -> Observation {
        let name = asked_operation(&action.operation);
        let operation = match operation_named(self.judge.target(), name) {
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
        if let Err(error) = request.add_argument(self.judge.target(), &text) {
            return undecided(error.to_string());
        }
        self.observe(name, value, self.decide(&request), None)
    }

    fn ask_path(&self, request: Request, operation: OpId, path: &str) -> Observation {
        let target = self.judge.target();
        let request = match (target.filter_named("vnode-type"), regular_file(target)) {
            (Some(filter), Some(regular)) => request.with(Attribute::Filter(filter), Value::number(regular)),
            _ => request,
        };
        match self.decide_path(&request, path) {
            Ok(PathRuling { resolved, refused_link, ruling }) => {
                let observed = observed(&resolved);
                let (asked, argument) = match refused_link {
                    Some(link) => ("file-read-metadata", lossy(&link)),
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
            Answer::Deny => {
                (Outcome::Deny, Some(ruling.errno), Some(ruling.signal.map_or(OPEN_FAILED, |signal| -signal)))
            }
            Answer::Depends => (Outcome::Undecided, None, None),
        };
        let note = (outcome == Outcome::Undecided).then(|| {
            let names: Vec<_> = ruling.depends_on.iter().map(|attribute| attribute.name(self.judge.target())).collect();
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
            evidence: Evidence::default(),
        }
    }
}

impl Session for SimulatedSession {
    fn try_action(&mut self, action: &Action) -> Observation {
        if action.early {
            // Whether a use of what is held asks the profile again is not in the profile.
            let evidence = Evidence { class: Some(Class::NotAvailable), ..Evidence::default() };
            return Observation { evidence, ..undecided(NOT_ACQUIRED.to_owned()) };
        }
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
        evidence: Evidence::default(),
    }
}
