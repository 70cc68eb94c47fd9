//! The backend: one process a probe, which puts itself under the profile and tries its operation.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use std::{io, thread};

use serde_json::{Value, json};

use super::check::{Callout, calibration_profile};
use super::fixtures::Fixtures;
use super::spawn::{self, Ended, MAX_OUTPUT};
use super::system::{Spelling, System};
use super::{crash, observer, verdict};
use crate::sandbox::class::Class;
use crate::sandbox::driver::{Kind, exit};
use crate::sandbox::transcript::{FdPath, apply_markers, take_details};
use crate::sandbox::{
    Action, ApplyCheck, ApplyFailure, Backend, BackendKind, Cancel, Evidence, Fixture, MacSetup, NOT_ACQUIRED,
    Observation, Observed, ObservedPath, Outcome, PathSource, ProbeSetup, ProfileInput, Rules, SandboxError, Session,
    Setup, Stage, Wanted,
};

/// For what is not a probe of the plan: the control profile, calibration, applying alone.
const CHECK_LIMIT: Duration = Setup::TIME_LIMIT;
/// A crash report is written by another process, after the crash.
const REPORT_TRIES: u32 = 10;
const REPORT_PAUSE: Duration = Duration::from_millis(200);
/// A profile that every process may put itself under, unless one above it has a profile.
const CONTROL: &[u8] = b"(version 1)\n(allow default)\n";
/// The file of the program that `process-exec` tries when no target is a path.
const TRUE: &str = "/usr/bin/true";

/// The real sandbox of macOS, or a library that stands in for it.
#[derive(Debug)]
pub struct Seatbelt {
    system: System,
    probes: ProbeSetup,
    mac: MacSetup,
    time_limit: Duration,
    cancel: Cancel,
    /// Numbers of the profile files.
    files: AtomicU32,
    calibration: Value,
    fixtures: Fixtures,
    wanted: Vec<Wanted>,
}

impl Seatbelt {
    /// Opens it: the functions are there, this process has no profile, a control profile can be put in force.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] with the reason. A process above this one that has a profile is such a reason: macOS
    /// refuses every second profile, which would look like a refusal of each.
    pub fn open(setup: &Setup) -> Result<Self, SandboxError> {
        let unavailable = |reason: String| SandboxError::Unavailable { backend: BackendKind::Seatbelt.name(), reason };
        let system = System::open(setup.mac.library.as_deref())?;
        let probes = setup.probes.clone().ok_or_else(|| unavailable("there is no program to probe with".to_owned()))?;
        match system.is_sandboxed(std::process::id()) {
            Ok(checked) if checked.rc == 1 => {
                return Err(unavailable(
                    "this process is sandboxed already, so every profile would be refused".to_owned(),
                ));
            }
            // An oracle that cannot be asked says nothing; the control profile will.
            Ok(_) | Err(_) => {}
        }
        let (files, fixtures) = (AtomicU32::new(0), Fixtures::default());
        let (mac, time_limit) = (setup.mac.clone(), setup.time_limit);
        let (cancel, wanted) = (setup.cancel.clone(), setup.fixtures.clone());
        let mut backend =
            Self { system, probes, mac, time_limit, cancel, files, calibration: Value::Null, fixtures, wanted };
        backend.control().map_err(unavailable)?;
        backend.calibration = backend.calibrate();
        Ok(backend)
    }

    /// Puts the control profile in force in another process.
    fn control(&self) -> Result<(), String> {
        let check =
            self.check(CONTROL, false).map_err(|error| format!("no probe program could be started: {error}"))?;
        if check.applied && check.exit_code == Some(0) {
            return Ok(());
        }
        let refused = check.apply.as_ref().filter(|apply| apply.get("rc").and_then(Value::as_i64) != Some(0));
        Err(match refused {
            Some(apply) => {
                let words = apply.get("errbuf").and_then(Value::as_str).unwrap_or("no words");
                let number = apply.get("errno").and_then(Value::as_i64).unwrap_or(0);
                format!(
                    "a profile that allows everything was refused (errno {number}: {words}); a process above this one is \
                     likely sandboxed"
                )
            }
            None => {
                let words = check.stderr.lines().last().unwrap_or("it said nothing");
                format!("the probe program for the control profile failed: {words}")
            }
        })
    }

    /// Asks the oracle what is known beforehand, in a process under the calibration profile.
    fn calibrate(&self) -> Value {
        let Ok(file) = self.profile_file(calibration_profile().as_bytes(), false) else { return Value::Null };
        let mut command = self.command(Kind::Calibrate);
        command.arg("--profile").arg(&file);
        let ended = spawn::run(&mut command, CHECK_LIMIT, &self.cancel, MAX_OUTPUT);
        let details = ended.ok().and_then(|ended| take_details(&ended.stdout).1);
        details.and_then(|details| details.get("calibration").cloned()).unwrap_or(Value::Null)
    }

    /// The probe program for `kind`, its options to come.
    fn command(&self, kind: Kind) -> Command {
        let mut command = Command::new(&self.probes.driver);
        command.arg("probe-driver").arg(kind.name());
        if let Some(library) = &self.mac.library {
            command.arg("--system").arg(library);
        }
        command
    }

    /// Writes a profile where probe programs read it.
    fn profile_file(&self, bytes: &[u8], is_blob: bool) -> io::Result<PathBuf> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let suffix = if is_blob { "sb.bin" } else { "sb" };
        let path = self.probes.scratch.join(format!("profile-{number}.{suffix}"));
        fs::write(&path, bytes)?;
        Ok(path)
    }

    fn check(&self, bytes: &[u8], is_blob: bool) -> io::Result<ApplyCheck> {
        let file = self.profile_file(bytes, is_blob)?;
        let mut command = self.command(Kind::Confined);
        self.confine(&mut command, &file, is_blob);
        let ended = spawn::run(&mut command, CHECK_LIMIT, &self.cancel, MAX_OUTPUT)?;
        let markers = apply_markers(&ended.stderr);
        let apply = markers.iter().find(|marker| marker.stage == "apply");
        Ok(ApplyCheck {
            command: words(&command),
            exit_code: ended.code,
            apply: apply.map(|marker| json!(marker)),
            pid: apply.map(|marker| marker.pid),
            applied: markers.iter().any(|marker| marker.stage == "applied"),
            stdout: ended.stdout,
            stderr: ended.stderr,
        })
    }

    fn confine(&self, command: &mut Command, file: &Path, is_blob: bool) {
        command.arg(if is_blob { "--blob" } else { "--profile" }).arg(file);
        for (key, value) in &self.mac.parameters {
            command.arg("-D").arg(format!("{key}={value}"));
        }
    }

    /// Tries `action`, under the profile in `file` if there is one.
    fn attempt(&self, action: &Action, file: Option<(&Path, bool)>) -> Observation {
        let Some(kind) = Kind::of_action(action) else {
            return blank(Class::NotAvailable, Some(format!("no probe program tries {}", action.operation)));
        };
        let early = action.early && file.is_some();
        if early && !kind.can_hold() {
            return blank(Class::NotAvailable, Some(NOT_ACQUIRED.to_owned()));
        }
        let mut command = self.command(kind);
        if early {
            command.arg("--early");
        }
        if let Some((file, is_blob)) = file {
            self.confine(&mut command, file, is_blob);
            command.arg("--oracle");
        }
        command.arg("--op").arg(&action.operation);
        if let Some(filter) = &action.filter {
            command.arg("--filter").arg(filter);
        }
        if let Some(syscall) = &action.syscall {
            command.arg("--syscall").arg(syscall);
        }
        let target = match kind {
            Kind::Exec if !action.target.starts_with('/') => TRUE,
            _ => &action.target,
        };
        // What follows is no option, however it begins.
        command.arg("--").arg(target).args(&action.payload);
        let since = SystemTime::now();
        let limit = if file.is_some() { self.time_limit } else { self.time_limit / 2 };
        let ended = match spawn::run(&mut command, limit, &self.cancel, MAX_OUTPUT) {
            Ok(ended) => ended,
            Err(error) => return blank(Class::ExecRefused, Some(format!("no probe program: {error}"))),
        };
        let verdict = verdict::read(kind, &action.operation, &ended, file.is_some());
        let report = matches!(verdict.class, Class::Crash | Class::LoaderStarvation)
            .then(|| self.crash_report(ended.pid, since))
            .flatten();
        let class = match (&report, verdict.class) {
            (Some(report), Class::Crash) if kind == Kind::Exec && report.is_loader() => Class::LoaderStarvation,
            (_, class) => class,
        };
        Observation {
            errno: verdict.errno,
            exit_code: ended.code,
            command: words(&command),
            details: verdict.details,
            path: self.observed_path(kind, action, &ended, file.is_some()),
            evidence: Evidence {
                class: Some(class),
                pid: Some(ended.pid),
                callouts: Callout::find(&ended.stderr).iter().map(|callout| json!(callout)).collect(),
                apply: verdict.apply.map(|marker| json!(marker)),
                crash_report: report.map(|report| json!(report)),
            },
            stdout: ended.stdout,
            stderr: ended.stderr,
            ..blank(class, verdict.note)
        }
    }

    fn crash_report(&self, pid: u32, since: SystemTime) -> Option<crash::CrashReport> {
        let folder = self.mac.reports.as_deref().filter(|folder| folder.is_dir())?;
        // Times of files may be coarser than the clock.
        let since = since - Duration::from_secs(2);
        for attempt in 0..REPORT_TRIES {
            if attempt > 0 {
                thread::sleep(REPORT_PAUSE);
            }
            if let Some(report) = crash::find(folder, pid, since) {
                return Some(report);
            }
        }
        None
    }

    /// The path that a file's probe met: the one without a profile says it of what it opened, for the others this process,
    /// which has no profile either, opens the target.
    fn observed_path(&self, kind: Kind, action: &Action, ended: &Ended, confined: bool) -> Option<ObservedPath> {
        let is_file = action.operation.starts_with("file-") && action.target.starts_with('/');
        let known = |path: Option<FdPath>| match path {
            Some(FdPath::Known(path)) => Some(path),
            _ => None,
        };
        let (plain, nofirmlink) = if !confined && matches!(kind, Kind::Read | Kind::Write) {
            let find = |name: &str| known(FdPath::find(&ended.stderr, name));
            (find("F_GETPATH"), find("F_GETPATH_NOFIRMLINK"))
        } else if is_file {
            // Never waits for the other end of a pipe.
            let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&action.target).ok()?;
            (self.path_of(&file, Spelling::Plain), self.path_of(&file, Spelling::NoFirmlink))
        } else {
            return None;
        };
        Some(ObservedPath { path: plain?, nofirmlink, links: Vec::new(), source: PathSource::Descriptor })
    }

    fn path_of(&self, file: &File, spelling: Spelling) -> Option<String> {
        self.system.path_of(file.as_fd(), spelling).ok()?.ok()
    }
}

/// The words of a command, as it was started.
fn words(command: &Command) -> Vec<String> {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word: &OsStr| word.to_string_lossy().into_owned())
        .collect()
}

fn blank(class: Class, note: Option<String>) -> Observation {
    Observation {
        outcome: class.outcome(),
        stage: class.stage(),
        errno: None,
        exit_code: None,
        stdout: String::new(),
        stderr: String::new(),
        command: Vec::new(),
        details: None,
        path: None,
        decided_by: None,
        note: note.filter(|_| class.outcome() == Outcome::Undecided),
        evidence: Evidence { class: Some(class), ..Evidence::default() },
    }
}

impl Backend for Seatbelt {
    fn kind(&self) -> BackendKind {
        BackendKind::Seatbelt
    }

    fn channel(&self) -> &'static str {
        if self.mac.clean.is_some() { "launchd_clean" } else { "direct" }
    }

    fn prepare(&self, actions: &[Action]) -> Result<Vec<Fixture>, SandboxError> {
        self.fixtures.make(actions, &self.wanted)
    }

    fn apply(&self, profile: &ProfileInput) -> Result<Box<dyn Session + '_>, ApplyFailure> {
        let is_blob = matches!(profile.rules, Rules::Blob(_));
        let api = if is_blob { "sandbox_apply" } else { "sandbox_init" };
        let failure = |errno: Option<i32>, message: String| ApplyFailure { api, errno, message };
        let check = self.check(&profile.bytes, is_blob).map_err(|error| failure(None, error.to_string()))?;
        if !check.applied {
            let said = |key: &str| check.apply.as_ref().and_then(|apply| apply.get(key).cloned());
            let errno = said("errno").and_then(|errno| errno.as_i64()).and_then(|errno| i32::try_from(errno).ok());
            let words = said("errbuf").and_then(|words| words.as_str().map(str::to_owned));
            let message = words.or_else(|| check.stderr.lines().last().map(str::to_owned));
            return Err(failure(errno, message.unwrap_or_else(|| "the probe program said nothing".to_owned())));
        }
        let file = self.profile_file(&profile.bytes, is_blob).map_err(|error| failure(None, error.to_string()))?;
        Ok(Box::new(SeatbeltSession { backend: self, file, is_blob }))
    }

    fn try_unconfined(&self, action: &Action) -> Observation {
        let seen = self.attempt(action, None);
        // Nobody refused it on behalf of a profile: the platform did, or it failed.
        let outcome = match seen.exit_code {
            Some(code) if code == i32::from(exit::NOT_AVAILABLE) => Outcome::Undecided,
            _ => seen.outcome,
        };
        Observation { outcome, ..seen }
    }

    fn time_limit(&self) -> Option<Duration> {
        Some(self.time_limit)
    }

    fn stage(&self) -> Option<&Path> {
        self.mac.clean.as_ref().map(|proof| proof.root())
    }

    fn clean_proof(&self) -> Option<Value> {
        self.mac.clean.as_ref().map(|proof| json!(proof))
    }

    fn check_self(&self) -> Option<Value> {
        Some(match self.system.is_sandboxed(std::process::id()) {
            Ok(checked) => json!({ "source": "sandbox_check", "rc": checked.rc, "sandboxed": checked.rc == 1 }),
            Err(error) => json!({ "source": "sandbox_check", "error": error.to_string() }),
        })
    }

    fn check_apply(&self, profile: &ProfileInput) -> Option<ApplyCheck> {
        self.check(&profile.bytes, matches!(profile.rules, Rules::Blob(_))).ok()
    }

    fn calibration(&self) -> Option<Value> {
        Some(self.calibration.clone())
    }

    fn observe(&self, since: f64) -> Option<Observed> {
        Some(observer::observe(&self.mac.log, since))
    }
}

/// A profile that was put in force once; every probe does it again for itself.
struct SeatbeltSession<'a> {
    backend: &'a Seatbelt,
    file: PathBuf,
    is_blob: bool,
}

impl Session for SeatbeltSession<'_> {
    fn try_action(&mut self, action: &Action) -> Observation {
        let seen = self.backend.attempt(action, Some((&self.file, self.is_blob)));
        // It was put in force before; a refusal now is no decision either.
        debug_assert!(seen.stage != Stage::Preflight);
        seen
    }
}
