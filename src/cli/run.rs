//! `sbpl run`: the probes of a plan, compared with what is expected.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use super::clean;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use super::host::host;
use super::imports::FileLoader;
use super::plan;
use super::progress::Bar;
use super::scratch::Scratch;
use super::world;
use crate::diag::{Diagnostic, Severity, SourceMap};
use crate::probe::artifact::Selection;
use crate::probe::{self, Clock, Files, Identity, ProbeError, ReadFailure, Report, RunOptions};
use crate::sandbox::seatbelt::System;
use crate::sandbox::{Backend, BackendKind, Cancel, Interrupt, MacSetup, ProbeSetup, Setup};

/// Shim, compile and probe the profiles of a plan, compare with the expected matrix, and write a run bundle.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Plan or template; without one the built-in golden plan.
    plan: Option<PathBuf>,
    /// Run an expected matrix without a plan.
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    matrix: Option<PathBuf>,
    /// How profiles are put in force.
    #[arg(long, value_enum, default_value_t = Choice::Auto, value_name = "BACKEND")]
    backend: Choice,
    /// Folder that holds LATEST and the bundles.
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Run the profiles as they are, without the base shim and the rules for single profiles.
    #[arg(long)]
    no_shims: bool,
    /// Run only this profile of the plan; may be repeated.
    #[arg(long, value_name = "ID")]
    only_profile: Vec<String>,
    /// Run only the probe with this expectation id; may be repeated.
    #[arg(long, value_name = "ID")]
    only_scenario: Vec<String>,
    /// Try nothing: write what would be tried, with every lane off.
    #[arg(long)]
    dry: bool,
    /// Profiles and probes at a time; without it as many as there are processors.
    #[arg(long, short = 'j', value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Longest time for one probe, in seconds; without a profile it has half of that. A probe that takes longer is a timeout.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = time_limit)]
    time_limit: Duration,
    /// Links and case of the file system, as JSON; without it what every macOS 14 has. Not for --backend seatbelt.
    #[arg(long, value_name = "FILE.json")]
    world: Option<PathBuf>,
    /// Who starts the probes of --backend seatbelt: this process, or a worker of launchd that no sandboxed process is above.
    #[arg(long, value_enum, default_value_t = Channel::Direct, value_name = "CHANNEL")]
    channel: Channel,
    /// The stage that launchd has started this worker in.
    #[arg(long, value_name = "DIR", hide = true)]
    staged: Option<PathBuf>,
    /// Where stages are made.
    #[arg(long, value_name = "DIR", hide = true)]
    stages: Option<PathBuf>,
    /// The tool that talks to launchd.
    #[arg(long, value_name = "PATH", default_value = "/bin/launchctl", hide = true)]
    launchctl: PathBuf,
    /// A library in the place of macOS, for --backend seatbelt.
    #[arg(long, value_name = "PATH")]
    system: Option<PathBuf>,
    /// The tool that shows the log of macOS.
    #[arg(long, value_name = "PATH", default_value = "/usr/bin/log", hide = true)]
    log_tool: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Channel {
    /// This process.
    Direct,
    /// A worker of launchd, from a private copy.
    #[value(name = "launchd_clean")]
    LaunchdClean,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// The best one that is there.
    Auto,
    /// The decision engine; nothing is executed.
    Simulated,
    /// Real processes on Linux, judged by the decision engine.
    Supervised,
    /// Real processes under the sandbox of macOS.
    Seatbelt,
}

impl Choice {
    fn open(self, context: &mut Context, setup: &Setup) -> Result<Box<dyn Backend>, Box<Failure>> {
        let opened = match self {
            Self::Auto => BackendKind::open_best(setup).map(|(backend, passed_over)| {
                if let Some(reason) = passed_over.filter(|_| !backend.executes()) {
                    context.tell(format_args!("backend {}: nothing is executed; {reason}", backend.kind().name()));
                }
                backend
            }),
            Self::Simulated => BackendKind::Simulated.open(setup),
            Self::Supervised => BackendKind::Supervised.open(setup),
            Self::Seatbelt => BackendKind::Seatbelt.open(setup),
        };
        opened.map_err(|error| {
            Failure::from_diagnostics(Exit::Unavailable, vec![error.to_diagnostic()], SourceMap::new())
        })
    }
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let interrupt = Interrupt::listen().map_err(|error| {
            let message = format!("a pipe for signals: {}", files::describe(&error));
            Failure::new(Exit::Refused, files::CODE_WRITE, message)
        })?;
        let done = self.uninterrupted(context, &interrupt);
        match interrupt.signal() {
            // The status of a shell for a program that a signal has ended.
            Some(signal) => done.map_err(|failure| Box::new(Failure { exit: by_signal(signal), ..*failure })),
            None => done,
        }
    }

    fn uninterrupted(self, context: &mut Context, interrupt: &Interrupt) -> Result<Exit, Box<Failure>> {
        let cancel = interrupt.cancel();
        if self.channel == Channel::LaunchdClean {
            return self.clean(context, &cancel);
        }
        let (set, files) = match self.matrix {
            Some(matrix) => plan::load_matrix(context, &matrix)?,
            None => plan::load(context, self.plan)?,
        };
        // Fixtures go where nobody else looks; the folder goes with this value.
        let scratch = scratch()?;
        let mac = MacSetup {
            library: self.system.clone(),
            log: self.log_tool.clone(),
            reports: std::env::home_dir().map(|home| home.join("Library/Logs/DiagnosticReports")),
            parameters: context.params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            clean: self.staged.as_deref().map(|stage| clean::prove(stage, self.system.as_deref())).transpose()?,
        };
        let world = world::read(context, self.world.as_deref())?;
        let setup = Setup {
            world: set.plan.world_with_fixtures(world),
            probes: probe_setup(&scratch),
            mac,
            time_limit: self.time_limit,
            fixtures: set.plan.wanted(),
            cancel: cancel.clone(),
        };
        let backend = self.backend.open(context, &setup)?;
        if self.world.is_some() && backend.kind() == BackendKind::Seatbelt {
            context.tell("--world is not used: macOS has a file system of its own");
        }
        // On a Mac the best one is missing for a reason, which should not pass for a choice.
        if self.backend == Choice::Auto
            && (cfg!(target_os = "macos") || self.system.is_some())
            && backend.kind() != BackendKind::Seatbelt
            && let Err(error) = BackendKind::Seatbelt.open(&setup)
        {
            let message = format!("{error}; '{}' is used", backend.kind().name());
            context.report(
                &SourceMap::new(),
                &[Diagnostic { severity: Severity::Warning, message, ..error.to_diagnostic() }],
            );
        }
        let only = Selection { profiles: self.only_profile, scenarios: self.only_scenario };
        let set = set.only(only).map_err(failure)?;
        let identity = Identity {
            run_id: uuid::Uuid::new_v4().to_string(),
            pid: std::process::id(),
            host: Some(host(System::open(self.system.as_deref()).ok().as_ref())),
        };
        let bar = Bar::new(!context.quiet);
        let loader =
            FileLoader { directories: context.import_dirs.clone(), allow_absolute: context.allow_absolute_imports };
        let options = RunOptions {
            backend: backend.as_ref(),
            evaluation: &super::input::options(context),
            files: files.as_ref(),
            loader: &loader,
            out: &self.out,
            identity: &identity,
            clock: &SystemClock,
            shims: !self.no_shims,
            dry: self.dry,
            jobs: self.jobs.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
            progress: &bar,
            cancel: &cancel,
        };
        let report = probe::run(&set, &options);
        drop(bar);
        let report = report.map_err(|error| {
            Failure::from_diagnostics(exit_of(&error), error.to_diagnostics(), set.sources().clone())
        })?;
        if context.json {
            context.print_json(&report.summary);
        } else {
            context.print(table(&report));
        }
        Ok(if report.is_as_expected() { Exit::Fine } else { Exit::No })
    }
}

impl Args {
    /// The run by a worker of launchd.
    fn clean(self, context: &mut Context, cancel: &Cancel) -> Result<Exit, Box<Failure>> {
        let wrong = |message: &str| Err(Failure::new(Exit::Usage, clean::CODE_LAUNCH, message));
        let Some(plan) = &self.plan else {
            return wrong("--channel launchd_clean needs a plan in a folder of its own");
        };
        if self.matrix.is_some() || self.dry || self.world.is_some() {
            return wrong("--channel launchd_clean takes none of --matrix, --dry and --world");
        }
        if !matches!(self.backend, Choice::Auto | Choice::Seatbelt) {
            return wrong("--channel launchd_clean is for --backend seatbelt");
        }
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or(path.to_owned()).display().to_string();
        let mut options: Vec<String> = Vec::new();
        let mut add = |name: &str, values: Vec<String>| {
            options.extend(values.into_iter().flat_map(|value| [name.to_owned(), value]));
        };
        add("--only-profile", self.only_profile.clone());
        add("--only-scenario", self.only_scenario.clone());
        add("--jobs", self.jobs.iter().map(ToString::to_string).collect());
        add("--time-limit", vec![self.time_limit.as_secs_f64().to_string()]);
        add("--system", self.system.iter().map(|path| absolute(path)).collect());
        add("--log-tool", vec![absolute(&self.log_tool)]);
        add("-I", context.import_dirs.iter().map(|path| absolute(path)).collect());
        add("-D", context.params.iter().map(|(key, value)| format!("{key}={value}")).collect());
        add("--target", vec![context.target.name().to_owned()]);
        options.extend(self.no_shims.then(|| "--no-shims".to_owned()));
        options.extend(context.allow_absolute_imports.then(|| "--allow-absolute-imports".to_owned()));
        let request = clean::Clean {
            plan,
            out: &self.out,
            launchctl: &self.launchctl,
            stages: self.stages.as_deref(),
            options,
            cancel,
        };
        clean::run(context, &request)
    }
}

/// Seconds, also parts of one.
fn time_limit(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds <= MAX_SECONDS);
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.ok_or_else(|| format!("seconds, more than 0 and at most {MAX_SECONDS}"))
}

/// A day.
const MAX_SECONDS: f64 = 86_400.0;

/// A private folder for the fixtures of real probes.
fn scratch() -> Result<Scratch, Box<Failure>> {
    Scratch::make(&std::env::temp_dir()).map_err(|error| {
        let message = format!("a folder for fixtures: {}", files::describe(&error));
        Failure::new(Exit::CannotCreate, files::CODE_WRITE, message)
    })
}

/// 128 and the signal's number.
fn by_signal(signal: i32) -> Exit {
    Exit::Command(128u8.wrapping_add(signal as u8))
}

/// The command itself is the probe driver.
fn probe_setup(scratch: &Scratch) -> Option<ProbeSetup> {
    let driver = std::env::current_exe().ok()?;
    // Links on the way to it would be judged, and are nobody's business.
    let folder = scratch.path().canonicalize().ok()?;
    Some(ProbeSetup { driver, scratch: folder })
}

/// The system's time.
struct SystemClock;

impl Clock for SystemClock {
    fn unix_seconds(&self) -> f64 {
        // A clock before 1970 gives 0.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }
}

/// The files of a plan: beside it, else relative to where the command runs; the built-in ones behind both.
pub(super) struct PlanFiles {
    folder: PathBuf,
    limit: u64,
}

impl PlanFiles {
    pub(super) fn beside(plan: &Path, limit: u64) -> Self {
        let folder = plan.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { folder: folder.to_owned(), limit }
    }
}

impl Files for PlanFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        let places = [self.folder.join(path), PathBuf::from(path)];
        let mut failure = ReadFailure { missing: true, reason: "No such file or directory".to_owned() };
        // Documents of the plan are looked for beside it only: another plan's may lie where the command runs.
        let own = matches!(path, "registry/probes.json" | "registry/profiles.json" | "expected_matrix.json");
        for place in places.iter().take(if own { 1 } else { 2 }) {
            match files::read_limited(place, self.limit) {
                Ok(bytes) => return Ok(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => failure = ReadFailure { missing: false, reason: files::describe(&error) },
            }
        }
        if own || !failure.missing {
            return Err(failure);
        }
        probe::golden::Embedded.read(path).map_err(|_| failure)
    }
}

/// A failure of the probe room as a way out.
pub(super) fn failure(error: ProbeError) -> Box<Failure> {
    Failure::from_diagnostics(exit_of(&error), error.to_diagnostics(), SourceMap::new())
}

/// The status that a failure of the probe room ends with.
pub(super) fn exit_of(error: &ProbeError) -> Exit {
    match error {
        ProbeError::Unreadable { .. } | ProbeError::NoBundle { .. } => Exit::NoInput,
        ProbeError::NotWritten { .. } | ProbeError::Locked { .. } => Exit::CannotCreate,
        _ => Exit::BadInput,
    }
}

/// One aligned table, one line that says what it comes to, one that says where the bundle is.
fn table(report: &Report) -> String {
    const HEAD: [&str; 6] = ["profile", "probe", "expected", "actual", "match", "stage"];
    let rows = report.rows.iter().map(|row| {
        let matches = if row.matches { "yes" } else { "no" };
        [row.profile.as_str(), row.probe.as_str(), row.expected, row.actual, matches, row.stage.name()]
    });
    let lines: Vec<[&str; 6]> = std::iter::once(HEAD).chain(rows).collect();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    // Rows that are not as expected stand out; the head is none of them.
    let stands_out = std::iter::once(false).chain(report.rows.iter().map(|row| !row.matches));
    for (line, stands_out) in lines.iter().zip(stands_out) {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        let style = if stands_out { AnsiColor::Red.on_default().bold() } else { Style::new() };
        text.push_str(&format!("{style}{}{style:#}\n", cells.collect::<Vec<_>>().join("  ").trim_end()));
    }
    let mismatches = report.mismatches.mismatches.len();
    let summary = &report.summary;
    text.push_str(&format!(
        "{}: {} probes of {} profiles, {} as expected ({} of them blocked as expected), {} not; backend {}\n",
        summary.status,
        summary.scenario_count,
        summary.profile_count,
        summary.match_count.unwrap_or(0),
        summary.expected_block_count.unwrap_or(0),
        mismatches,
        summary.backend.as_deref().unwrap_or("unknown"),
    ));
    text.push_str(&format!("bundle: {}\n", report.folder.display()));
    text
}
