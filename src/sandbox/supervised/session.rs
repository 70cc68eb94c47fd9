//! The backend: probe drivers as real processes, put under the profile when they are ready.
//!
//! A driver starts unconfined, as the readers and writers of the recorded runs did, and asks to be confined
//! ([`super::confine`]) before it tries its operation. So the profile is asked about the operation and not about the
//! loader of the driver.
//!
//! **Invariants:** a refusal is what the supervisor refused, not what an exit status looks like: a driver that failed without a
//! refusal has decided nothing. Where the fixture tree has a folder, probes see that and not the host's.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Command, Denial, Ended, Grant, How, Mapping, Start, Stdio, Supervisor, availability};
use crate::decide::{World, operation_named};
use crate::sandbox::class::Class;
use crate::sandbox::driver::{Kind, exit};
use crate::sandbox::judge::Judge;
use crate::sandbox::simulated::asked_operation;
use crate::sandbox::transcript::{apply_markers, take_details};
use crate::sandbox::{
    Action, ApplyFailure, Backend, BackendKind, Cancel, DecidedBy, Evidence, Fixture, NOT_ACQUIRED, Observation,
    ObservedPath, Outcome, PathSource, ProbeSetup, ProfileInput, SandboxError, Session, Setup, Stage, Wanted, fixtures,
};

/// How much of what a probe prints is kept, in bytes.
const KEPT: usize = 64 << 10;
/// Most processes of one probe: about what macOS lets a user have.
const PROCESSES: u32 = 2048;

/// Runs probes as real processes on Linux.
#[derive(Debug)]
pub struct Supervised {
    probes: ProbeSetup,
    world: World,
    time_limit: Duration,
    fixtures: Vec<Wanted>,
    cancel: Cancel,
    /// Names of the host's tree, fixtures in their places.
    names: Mutex<Mapping>,
    /// What probes of the network connect to, until the backend goes.
    listeners: Mutex<Vec<TcpListener>>,
}

impl Supervised {
    /// The backend, when processes can be supervised here.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] with the reason: the system, the kernel, a container, no driver.
    pub fn open(setup: &Setup) -> Result<Self, SandboxError> {
        let unavailable = |reason: String| SandboxError::Unavailable { backend: "supervised", reason };
        let probes = setup.probes.clone().ok_or_else(|| unavailable("no probe driver is given".to_owned()))?;
        availability().map_err(|reason| unavailable(reason.to_string()))?;
        let names = Mutex::new(Mapping::in_world(setup.world.clone()));
        let (world, time_limit, cancel) = (setup.world.clone(), setup.time_limit, setup.cancel.clone());
        let (fixtures, listeners) = (setup.fixtures.clone(), Mutex::new(Vec::new()));
        Ok(Self { probes, world, time_limit, fixtures, cancel, names, listeners })
    }

    /// A listener where a probe connects to. Without one, because the port is somebody's or needs permission, the probe says itself what
    /// it met.
    fn listen(&self, action: &Action) -> Option<Fixture> {
        let local = ["127.0.0.1:", "localhost:", "[::1]:"].iter().any(|host| action.target.starts_with(host));
        if Kind::of_action(action) != Some(Kind::Connect) || !local {
            return None;
        }
        let mut listeners = locked(&self.listeners);
        let address = action.target.replace("localhost", "127.0.0.1");
        if listeners.iter().any(|open| open.local_addr().is_ok_and(|known| known.to_string() == address)) {
            return None;
        }
        listeners.push(TcpListener::bind(&address).ok()?);
        Some(Fixture { name: action.target.clone(), kind: "listener", target: None, mode: None })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn is_in_root(path: &str) -> bool {
    Path::new(path).parent() == Some(Path::new("/"))
}

/// The driver's arguments for an action on `target`.
fn arguments(kind: Kind, action: &Action, target: &str, confined: bool) -> Vec<String> {
    let mut words = vec!["probe-driver".to_owned()];
    if confined {
        words.push("--confine".to_owned());
        words.extend(action.early.then(|| "--early".to_owned()));
    }
    if kind == Kind::Metadata {
        words.extend(["--op".to_owned(), action.operation.clone()]);
    }
    words.extend(action.syscall.iter().flat_map(|call| ["--syscall".to_owned(), call.clone()]));
    words.push(kind.name().to_owned());
    if kind.needs_target() {
        words.extend(["--".to_owned(), target.to_owned()]);
        words.extend(action.payload.clone());
    }
    words
}

impl Backend for Supervised {
    fn kind(&self) -> BackendKind {
        BackendKind::Supervised
    }

    fn channel(&self) -> &'static str {
        "supervised"
    }

    fn prepare(&self, actions: &[Action]) -> Result<Vec<Fixture>, SandboxError> {
        let mut made = fixtures::make(&self.probes.scratch, actions, &self.world, &self.fixtures)?;
        let mut names = Mapping::in_world(self.world.clone());
        // A folder brings what is in it; what stands in `/` itself comes alone.
        let moved =
            |fixture: &&Fixture| fixture.kind == "directory" || (fixture.kind == "file" && is_in_root(&fixture.name));
        for fixture in made.iter().filter(moved) {
            names = names
                .relocate(Path::new(&fixture.name), &fixtures::place(&self.probes.scratch, fixture.name.as_bytes()));
        }
        *locked(&self.names) = names;
        for action in actions {
            made.extend(self.listen(action));
        }
        Ok(made)
    }

    fn time_limit(&self) -> Option<Duration> {
        Some(self.time_limit)
    }

    fn world(&self) -> Option<&World> {
        Some(&self.world)
    }

    fn apply(&self, profile: &ProfileInput) -> Result<Box<dyn Session>, ApplyFailure> {
        let failed = |message: String| ApplyFailure { api: BackendKind::Supervised.name(), errno: None, message };
        let judge = Judge::of(profile).map_err(|error| failed(error.to_string()))?;
        let supervisor = Supervisor::new(judge, locked(&self.names).clone());
        let (probes, world) = (self.probes.clone(), self.world.clone());
        let (time_limit, cancel) = (self.time_limit, self.cancel.clone());
        Ok(Box::new(Confined { probes, world, time_limit, cancel, supervisor }))
    }

    fn try_unconfined(&self, action: &Action) -> Observation {
        let Some(kind) = Kind::of_action(action) else { return no_driver(action) };
        let in_tree = fixtures::uses_tree(kind);
        let target = match in_tree {
            true => fixtures::place(&self.probes.scratch, action.target.as_bytes()).display().to_string(),
            false => action.target.clone(),
        };
        let words = arguments(kind, action, &target, false);
        let mut command = process::Command::new(&self.probes.driver);
        command.args(&words).env_clear().current_dir("/");
        let ran = match bounded(command, self.time_limit / 2, &self.cancel, &self.probes.scratch) {
            Ok(ran) => ran,
            Err(error) => return undecided(Stage::Exec, error.to_string()),
        };
        let root = self.probes.scratch.display().to_string();
        let shown = |text: &str| if in_tree { text.replace(&root, "") } else { text.to_owned() };
        let (stdout, details) = take_details(&shown(&ran.stdout));
        let timeout = ran.exit_code.is_none().then_some(Class::Timeout);
        let outcome = match ran.exit_code {
            Some(0) => Outcome::Allow,
            Some(code) if code != i32::from(exit::NOT_AVAILABLE) => Outcome::Deny,
            _ => Outcome::Undecided,
        };
        Observation {
            outcome,
            stage: Stage::Operation,
            errno: details.as_ref().and_then(|details| details["errno"].as_i64()).and_then(as_errno),
            exit_code: ran.exit_code,
            stdout,
            stderr: shown(&ran.stderr),
            command: commandline(&arguments(kind, action, &action.target, false)),
            details,
            path: in_tree.then(|| observed(&self.probes.scratch, &self.world, &action.target)).flatten(),
            note: timeout.map(|class| class.name().to_owned()),
            evidence: Evidence { class: timeout, ..Evidence::default() },
            ..undecided(Stage::Operation, String::new())
        }
    }
}

fn as_errno(number: i64) -> Option<i32> {
    i32::try_from(number).ok().filter(|number| *number != 0)
}

/// As it would be typed: the place of the command is nobody's business.
fn commandline(words: &[String]) -> Vec<String> {
    std::iter::once("sbpl".to_owned()).chain(words.iter().cloned()).collect()
}

/// The path behind `target`, seen in the tree without a profile.
fn observed(root: &Path, world: &World, target: &str) -> Option<ObservedPath> {
    let real: PathBuf = fixtures::place(root, target.as_bytes()).canonicalize().ok()?;
    let inside = real.strip_prefix(root).ok()?;
    let resolved = world.resolve(target.as_bytes(), true).ok()?;
    Some(ObservedPath {
        path: format!("/{}", inside.display()),
        nofirmlink: None,
        links: resolved.links().map(|link| String::from_utf8_lossy(link).into_owned()).collect(),
        source: PathSource::Descriptor,
    })
}

struct Confined {
    probes: ProbeSetup,
    world: World,
    time_limit: Duration,
    cancel: Cancel,
    supervisor: Supervisor,
}

impl Session for Confined {
    fn try_action(&mut self, action: &Action) -> Observation {
        let Some(kind) = Kind::of_action(action) else { return no_driver(action) };
        let in_tree = fixtures::uses_tree(kind);
        if action.early && !(kind.can_hold() && in_tree) {
            let evidence = Evidence { class: Some(Class::NotAvailable), ..Evidence::default() };
            return Observation { evidence, ..undecided(Stage::Operation, NOT_ACQUIRED.to_owned()) };
        }
        // Before the driver is confined it sees the host's names.
        let target = match action.early {
            true => fixtures::place(&self.probes.scratch, action.target.as_bytes()).display().to_string(),
            false => action.target.clone(),
        };
        let words = arguments(kind, action, &target, true);
        let command = Command {
            args: words.iter().map(OsString::from).collect(),
            cwd: Some(PathBuf::from("/")),
            stdio: Stdio::Capture { limit: KEPT },
            time_limit: Some(self.time_limit),
            most_processes: Some(PROCESSES),
            cancel: self.cancel.clone(),
            start: Start::Handshake,
            tells_grants: true,
            ..Command::new(&self.probes.driver)
        };
        let mut denials = Vec::new();
        let ended = match self.supervisor.run(&command, &mut |denial| denials.push(denial.clone())) {
            Ok(ended) => ended,
            Err(error) => return undecided(Stage::Exec, error.to_string()),
        };
        let path = in_tree.then(|| observed(&self.probes.scratch, &self.world, &action.target)).flatten();
        let system = self.supervisor.judge.target();
        // By the system's own name: plans may use another.
        let asked = operation_named(system, asked_operation(&action.operation)).ok();
        let asked = asked.map_or("", |operation| system.operation(operation).name);
        let seen = read(kind, asked, &ended, denials.first());
        let root = self.probes.scratch.display().to_string();
        let shown = |text: String| if action.early { text.replace(&root, "") } else { text };
        Observation {
            command: commandline(&arguments(kind, action, &action.target, true)),
            path,
            stdout: shown(seen.stdout),
            stderr: shown(seen.stderr),
            ..seen
        }
    }
}

/// What a driver's end, the first refusal and the grants of the operation `asked` come to.
fn read(kind: Kind, asked: &str, ended: &Ended, denial: Option<&Denial>) -> Observation {
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    let (stdout, details) = take_details(&String::from_utf8_lossy(&ended.stdout));
    let apply = apply_markers(&stderr);
    let confined = apply.iter().any(|marker| marker.stage == "applied");
    let exec_failed = apply.iter().any(|marker| marker.stage == "exec");
    let not_available = details.as_ref().is_some_and(|details| details["status"] == "not_available")
        || ended.how == How::Exited(i32::from(exit::NOT_AVAILABLE));
    let errno = details.as_ref().and_then(|details| details["errno"].as_i64()).and_then(as_errno);
    let exit_code = match ended.how {
        How::Exited(code) => Some(code),
        How::Signaled(signal) => Some(-signal),
        How::ExecRefused | How::TimedOut | How::Cancelled => None,
    };
    let class = match (ended.how, denial) {
        // What a cancelled run came to is nobody's business any more.
        (How::TimedOut | How::Cancelled, _) => Class::Timeout,
        _ if !confined => Class::ExecRefused,
        (How::Exited(0), _) => Class::Allowed,
        _ if not_available => Class::NotAvailable,
        // The program was executed, so that was allowed; it did not live to do anything.
        (How::Exited(_), Some(_)) if kind == Kind::Exec && !exec_failed => Class::LoaderStarvation,
        (How::Exited(_), Some(_)) => Class::Denied,
        // The modifier `send-signal` kills where it refuses.
        (How::Signaled(_), Some(_)) if kind != Kind::Exec => Class::Denied,
        (How::Signaled(_), _) => Class::Crash,
        // Refused, but not by the profile.
        (_, None) if matches!(errno, Some(libc::EACCES | libc::EPERM)) => Class::UnixPermission,
        _ => Class::OtherError,
    };
    let (outcome, stage) = (class.outcome(), class.stage());
    let refused = denial.map(|denial| format!(": {} of {} was refused", denial.operation, denial.argument));
    let note = match class {
        Class::Allowed | Class::Denied => None,
        Class::ExecRefused => Some("the probe driver did not start".to_owned()),
        Class::LoaderStarvation => Some(format!("loader starvation{}", refused.unwrap_or_default())),
        Class::UnixPermission | Class::OtherError => Some("it failed, but the profile refused nothing".to_owned()),
        other => Some(other.name().replace('_', " ")),
    };
    let denial = denial.filter(|_| outcome == Outcome::Deny);
    let refused_by = |denial: &Denial| DecidedBy {
        operation: denial.operation.clone(),
        argument: denial.argument.clone(),
        rule: denial.rule,
    };
    // A program asks other things on its way; what it was tried for comes last.
    let granted = ended.grants.iter().rfind(|grant| outcome == Outcome::Allow && grant.operation == asked);
    let granted_by = |grant: &Grant| DecidedBy {
        operation: grant.operation.clone(),
        argument: grant.argument.clone(),
        rule: grant.rule,
    };
    Observation {
        outcome,
        errno: denial.map(|denial| denial.errno),
        exit_code,
        stdout,
        stderr,
        details,
        decided_by: denial.map(refused_by).or(granted.map(granted_by)),
        note,
        evidence: Evidence {
            class: Some(class),
            apply: apply.first().map(|marker| json!(marker)),
            ..Evidence::default()
        },
        ..undecided(stage, String::new())
    }
}

fn no_driver(action: &Action) -> Observation {
    undecided(Stage::Operation, format!("there is no probe driver for {}", action.operation))
}

fn undecided(stage: Stage, note: String) -> Observation {
    Observation {
        outcome: Outcome::Undecided,
        stage,
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

/// What an unconfined driver did; no exit code when it was killed at the limit.
struct Ran {
    exit_code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `command` for at most `limit`. What it prints goes to files without a name, so that nobody who keeps its
/// output open is waited for.
fn bounded(mut command: process::Command, limit: Duration, cancel: &Cancel, folder: &Path) -> io::Result<Ran> {
    let (mut out, mut err) = (tempfile::tempfile_in(folder)?, tempfile::tempfile_in(folder)?);
    command.stdin(process::Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?);
    let mut child = command.spawn()?;
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() < deadline && !cancel.is_set() => std::thread::sleep(Duration::from_millis(1)),
            None => {
                child.kill()?;
                child.wait()?;
                break None;
            }
        }
    };
    let exit_code = status.and_then(|status| status.code().or_else(|| status.signal().map(|signal| -signal)));
    Ok(Ran { exit_code, stdout: kept(&mut out)?, stderr: kept(&mut err)? })
}

fn kept(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(KEPT as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
