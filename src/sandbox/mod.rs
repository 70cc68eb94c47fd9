//! Where a profile is put in force and something is tried under it.
//!
//! One trait, [`Backend`], with a [`Session`] for each applied profile. The [`Simulated`] backend asks the decision engine and
//! runs on every system; backends that confine real processes implement the same two traits. The room knows one action at a
//! time: plans, expectations and bundles are the business of `probe`.
//!
//! **Invariants:** a session tells at which [`Stage`] an action ended, and only [`Stage::Operation`] says anything about the
//! profile. What was not decided is [`Outcome::Undecided`], never a guess. `errno` and exit code are different fields.

mod cancel;
pub mod class;
#[cfg(unix)]
pub mod driver;
mod error;
mod fixtures;
mod handler;
pub mod judge;
pub mod log;
#[cfg(unix)]
pub mod seatbelt;
mod simulated;
pub mod supervised;
pub mod transcript;

pub use cancel::{Cancel, Interrupt};
pub use error::{CODES, SandboxError};
pub use simulated::Simulated;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::class::Class;
use crate::blob::Program;
use crate::decide::World;
use crate::diag::Location;
use crate::policy::Policy;

/// How far something got (`seeds`' stages: compile, apply, exec, operation; preflight is the scan before apply).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The scan for what is known not to apply.
    Preflight,
    /// Text to blob.
    Compile,
    /// The profile is put in force.
    Apply,
    /// The probe program starts.
    Exec,
    /// The probed operation itself.
    Operation,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Preflight, Self::Compile, Self::Apply, Self::Exec, Self::Operation];

    /// The word for people and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Compile => "compile",
            Self::Apply => "apply",
            Self::Exec => "exec",
            Self::Operation => "operation",
        }
    }
}

/// The kinds of backend that have a name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// The decision engine answers; nothing is executed.
    Simulated,
    /// A real process on Linux whose system calls are judged by the decision engine.
    Supervised,
    /// A real process under the real sandbox of macOS.
    Seatbelt,
}

impl BackendKind {
    /// From the one that says most about the real system to the one that says least.
    pub const BEST_FIRST: [Self; 3] = [Self::Seatbelt, Self::Supervised, Self::Simulated];

    /// The word on the command line and in bundles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Supervised => "supervised",
            Self::Seatbelt => "seatbelt",
        }
    }

    /// The backend, when this build and this system have it.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] with the reason.
    pub fn open(self, setup: &Setup) -> Result<Box<dyn Backend>, SandboxError> {
        Ok(match self {
            Self::Simulated => Box::new(Simulated::in_world(setup.world.clone())),
            Self::Supervised => Box::new(supervised::Supervised::open(setup)?),
            Self::Seatbelt => Box::new(seatbelt::Seatbelt::open(setup)?),
        })
    }

    /// The best backend that is there, and why the next better one is not.
    ///
    /// # Errors
    /// That of the last one; [`BackendKind::Simulated`] is everywhere.
    pub fn open_best(setup: &Setup) -> Result<(Box<dyn Backend>, Option<SandboxError>), SandboxError> {
        let mut last = None;
        for kind in Self::BEST_FIRST {
            match kind.open(setup) {
                Ok(backend) => return Ok((backend, last)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| SandboxError::Unavailable { backend: "auto", reason: "there is none".to_owned() }))
    }
}

/// What a backend needs of the outside. Nothing is looked up in the environment.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Links, firmlinks and case of the file system that profiles are judged in.
    pub world: World,
    /// Where real processes come from and where their files go; [`Simulated`] needs none.
    pub probes: Option<ProbeSetup>,
    /// What the backend of macOS needs besides.
    pub mac: MacSetup,
    /// How long a real probe may take; without a profile it has half of that.
    pub time_limit: Duration,
    /// What is put in place besides what the probes are tried on. Links of it belong into the world too.
    pub fixtures: Vec<Wanted>,
    /// Ends real probes before their time.
    pub cancel: Cancel,
}

/// What the backend of macOS takes of the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacSetup {
    /// A library in the place of macOS; without one this has to be a Mac.
    pub library: Option<PathBuf>,
    /// The tool that shows the log.
    pub log: PathBuf,
    /// Where crash reports appear.
    pub reports: Option<PathBuf>,
    /// Parameters that profiles are applied with.
    pub parameters: Vec<(String, String)>,
    /// That launchd has started this process for a stage: nobody above it is sandboxed.
    pub clean: Option<seatbelt::Proof>,
}

impl Default for MacSetup {
    fn default() -> Self {
        Self { library: None, log: PathBuf::from("/usr/bin/log"), reports: None, parameters: Vec::new(), clean: None }
    }
}

/// What backends with real processes need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSetup {
    /// The program that has the subcommand `probe-driver`, by absolute path: this command itself.
    pub driver: PathBuf,
    /// An empty private folder. Fixtures are made below it; whoever made it removes it.
    pub scratch: PathBuf,
}

impl Setup {
    /// How long a probe may take when nobody says otherwise (`spec/probe-runner.md` section 2.1).
    pub const TIME_LIMIT: Duration = Duration::from_secs(10);

    /// The world of macOS 14 and nothing else.
    pub fn macos_14() -> Self {
        Self {
            world: World::macos_14(),
            probes: None,
            mac: MacSetup::default(),
            time_limit: Self::TIME_LIMIT,
            fixtures: Vec::new(),
            cancel: Cancel::never(),
        }
    }
}

/// Something that a plan wants put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where, by the path behind all links.
    pub path: String,
    /// What.
    pub kind: WantedKind,
    /// Its permissions, for files and folders; without them those that every fixture has.
    pub mode: Option<u32>,
}

/// What a plan wants at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedKind {
    /// A file with a line in it.
    File,
    /// A folder.
    Directory,
    /// A symbolic link, with its text.
    Symlink(String),
}

impl Wanted {
    /// The fixture that it becomes.
    fn made(&self) -> Fixture {
        let (kind, target) = match &self.kind {
            WantedKind::File => ("file", None),
            WantedKind::Directory => ("directory", None),
            WantedKind::Symlink(target) => ("link", Some(target.clone())),
        };
        Fixture { name: self.path.clone(), kind, target, mode: self.mode.map(|mode| format!("{mode:04o}")) }
    }
}

/// Something that was put in place before probes ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fixture {
    /// Path or address, as plans name it.
    pub name: String,
    /// `file`, `directory`, `link`, `listener`.
    pub kind: &'static str,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Permissions that a plan asked for, in octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// What decides for a profile.
#[derive(Debug, Clone)]
pub enum Rules {
    /// The rules of an evaluated text.
    Policy(Arc<Policy>),
    /// The graph of a compiled profile.
    Blob(Arc<Program>),
}

/// A profile in the forms that backends take.
#[derive(Debug, Clone)]
pub struct ProfileInput {
    /// The text or the blob, exactly as it would be applied.
    pub bytes: Arc<[u8]>,
    /// What it means.
    pub rules: Rules,
}

/// Something to try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Action {
    /// Name of an operation, as plans have it (`file-read*`, `mach-lookup` …).
    pub operation: String,
    /// The path, service, class … that it is tried on.
    pub target: String,
    /// Filter whose value `target` is, for operations on something else than a path.
    pub filter: Option<String>,
    /// Whether the target is acquired before the profile is in force, and only used under it.
    pub early: bool,
    /// The probe program that a plan names, in the words of plans ([`driver::Kind::of_action`]).
    pub driver: Option<String>,
    /// The call that it makes, where it knows more than one.
    pub syscall: Option<String>,
    /// What that call sets, or the program's arguments.
    pub payload: Option<String>,
}

/// Why an early action was not tried.
const NOT_ACQUIRED: &str = "not available on this backend: acquiring it before the profile is in force";

/// What a tried operation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was permitted.
    Allow,
    /// The profile refused it.
    Deny,
    /// Nothing is known about the profile's answer.
    Undecided,
}

/// Which path was really meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPath {
    /// The path behind all links, as `F_GETPATH` spells it.
    pub path: String,
    /// The same on the data volume, as `F_GETPATH_NOFIRMLINK` spells it; `None` when that is not known.
    pub nofirmlink: Option<String>,
    /// The links on the way, each by its own path.
    pub links: Vec<String>,
    /// How it is known.
    pub source: PathSource,
}

/// How a path is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathSource {
    /// The world that was given says so.
    World,
    /// The system said it of a descriptor that was opened without a profile.
    Descriptor,
}

/// Who decided, for explanations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedBy {
    /// The operation that was asked in the end: `file-read-data` for an open, `file-read-metadata` for a link on the way.
    pub operation: String,
    /// The value it was asked about.
    pub argument: String,
    /// The rule's place in the profile; `None` when no rule of the text decided.
    pub rule: Option<Location>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The answer.
    pub outcome: Outcome,
    /// How far it got.
    pub stage: Stage,
    /// The error number of the operation, as macOS numbers it; `None` when it succeeded or was never tried.
    pub errno: Option<i32>,
    /// How the probe program ended; negative for a signal.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about, markers included.
    pub stderr: String,
    /// The command that tried it; empty when nothing was executed.
    pub command: Vec<String>,
    /// What the probe told about itself.
    pub details: Option<serde_json::Value>,
    /// The path behind the target.
    pub path: Option<ObservedPath>,
    /// Who decided, where that is known.
    pub decided_by: Option<DecidedBy>,
    /// Why nothing was decided, in words.
    pub note: Option<String>,
    /// What a real process left besides.
    pub evidence: Evidence,
}

/// What a real probe left besides its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What it came to.
    pub class: Option<Class>,
    /// The process that tried it; the log names it.
    pub pid: Option<u32>,
    /// What the oracle said beforehand, as markers.
    pub callouts: Vec<serde_json::Value>,
    /// How the profile was put in force in that process, as a marker.
    pub apply: Option<serde_json::Value>,
    /// The report of a crash.
    pub crash_report: Option<serde_json::Value>,
}

/// An apply-only check: a profile was put in force in a process that does nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplyCheck {
    /// The command.
    pub command: Vec<String>,
    /// How it ended; negative for a signal, `None` for a time-out.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about, markers included.
    pub stderr: String,
    /// The marker of applying.
    pub apply: Option<serde_json::Value>,
    /// The process that applied it.
    pub pid: Option<u32>,
    /// Whether it was put in force.
    pub applied: bool,
}

/// What an observer saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observed {
    /// Whether it saw anything, nothing, or could not look.
    pub status: ObserverStatus,
    /// Why it saw nothing.
    pub reason: Option<String>,
    /// The command that was asked.
    pub command: Vec<String>,
    /// Decisions that were logged.
    pub entries: Vec<log::Entry>,
    /// What else the sandbox logged.
    pub notices: Vec<log::Notice>,
}

/// How much an observer saw. None of the three says that nothing was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObserverStatus {
    /// There are entries.
    Witness,
    /// It looked, and there is nothing.
    NoWitness,
    /// It could not look.
    Unavailable,
}

impl Observed {
    fn of(command: Vec<String>) -> Self {
        Self { status: ObserverStatus::NoWitness, reason: None, command, entries: Vec::new(), notices: Vec::new() }
    }
}

/// An applied profile.
pub trait Session {
    /// Tries one action.
    fn try_action(&mut self, action: &Action) -> Observation;
}

/// Why a profile could not be put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyFailure {
    /// The call that failed.
    pub api: &'static str,
    /// Its error number.
    pub errno: Option<i32>,
    /// Its words.
    pub message: String,
}

/// A way to put profiles in force. Several threads use it at once, each with sessions of its own.
pub trait Backend: Sync {
    /// Which one.
    fn kind(&self) -> BackendKind;

    /// The channel that bundles name: only real ones can be promoted.
    fn channel(&self) -> &'static str;

    /// Whether probes are real processes, so that a stage `exec` exists.
    fn executes(&self) -> bool {
        self.kind() != BackendKind::Simulated
    }

    /// Puts in place what `actions` are tried on, and says what that is. Called once, before anything else.
    ///
    /// # Errors
    /// [`SandboxError::Fixture`]: it cannot be made.
    fn prepare(&self, actions: &[Action]) -> Result<Vec<Fixture>, SandboxError> {
        let _ = actions;
        Ok(Vec::new())
    }

    /// Puts `profile` in force.
    ///
    /// # Errors
    /// [`ApplyFailure`]: the system refused. That is a result, not a policy decision.
    fn apply(&self, profile: &ProfileInput) -> Result<Box<dyn Session + '_>, ApplyFailure>;

    /// Tries one action without any profile: the baseline lane.
    fn try_unconfined(&self, action: &Action) -> Observation;

    /// How long a probe may take under a profile. `None`: nothing is executed.
    fn time_limit(&self) -> Option<Duration> {
        None
    }

    /// The links and the case that paths are judged in. `None`: the system has its own.
    fn world(&self) -> Option<&World> {
        None
    }

    /// The private folder that the run was copied to, in the clean channel.
    fn stage(&self) -> Option<&Path> {
        None
    }

    /// What shows that the channel is the clean one.
    fn clean_proof(&self) -> Option<serde_json::Value> {
        None
    }

    /// Whether this process has a profile itself: `{source, rc, sandboxed}` or `{source, error}`. `None`: nobody can tell.
    fn check_self(&self) -> Option<serde_json::Value> {
        None
    }

    /// Puts `profile` in force in a process that does nothing else. `None`: the backend has no such thing.
    fn check_apply(&self, profile: &ProfileInput) -> Option<ApplyCheck> {
        let _ = profile;
        None
    }

    /// How the oracle came out of calibration, one row a kind of argument. `None`: there is no oracle.
    fn calibration(&self) -> Option<serde_json::Value> {
        None
    }

    /// What was logged since `since` (seconds of 1970). `None`: there is no observer.
    fn observe(&self, since: f64) -> Option<Observed> {
        let _ = since;
        None
    }
}
