//! `sbpl exec`: a command under a profile, as `sandbox-exec`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;

use super::blob_file;
use super::context::Context;
use super::denials::Log;
use super::exit::{Exit, Failure};
use super::files;
use super::imports::FileLoader;
use super::shim;
use super::side::{self, Side};
use super::world;
use crate::decide::World;
use crate::diag::{Code, Source, SourceMap};
use crate::probe::Files;
use crate::probe::golden;
use crate::profile::{ImportRequest, Loader};
use crate::sandbox::judge::Judge;
use crate::sandbox::log::PREDICATE;
use crate::sandbox::seatbelt::{CallError, NotReplaced, Profile, System, replace};
use crate::sandbox::supervised::{Command, How, Mapping, SuperviseError, Supervisor, availability};
use crate::sandbox::{BackendKind, ProfileInput, Rules, SandboxError};

const CODE_NO_PROFILE: Code = Code("E0780");
const CODE_REFUSED: Code = Code("E0781");
const CODE_NOT_RUN: Code = Code("E0782");
const CODE_JUDGE: Code = Code("E0783");
const CODE_NOT_APPLIED: Code = Code("E0784");
const CODE_LOG: Code = Code("E0785");

/// Run a command under a profile.
///
/// Exit status: the command's own; 128+N when signal N ended it; 71 when it could not be executed, because the profile refuses
/// that or because the system does; 69 when no backend is available here.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("profile").required(true).multiple(false))]
pub(super) struct Args {
    /// Profile, or compiled profile; `-` is standard input.
    #[arg(short = 'f', long = "file", value_name = "FILE", group = "profile")]
    file: Option<PathBuf>,
    /// The profile itself.
    #[arg(short = 'p', long = "text", value_name = "TEXT", group = "profile")]
    text: Option<OsString>,
    /// Name of a profile: of the built-in plan (`bucket4:v1_read`), else NAME.sb in the import directories.
    #[arg(short = 'n', long = "name", value_name = "NAME", group = "profile")]
    name: Option<String>,
    /// Compiled profile.
    #[arg(long, value_name = "FILE", group = "profile")]
    blob: Option<PathBuf>,
    /// Shim to apply first, by name or file; may be repeated.
    #[arg(long = "shim", value_name = "NAME|FILE", conflicts_with = "blob")]
    shims: Vec<PathBuf>,
    /// Links and case of the file system, as JSON; without it what every macOS 14 has.
    #[arg(long, value_name = "FILE.json")]
    world: Option<PathBuf>,
    /// Tell every denial: which process, which operation on what, which rule. As JSON lines to FILE, else as a table on standard
    /// error at the end.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    log_denials: Option<Option<PathBuf>>,
    /// How the profile is put in force.
    #[arg(long, value_enum, default_value_t = Choice::Auto, value_name = "BACKEND")]
    backend: Choice,
    /// A library in the place of macOS, for --backend seatbelt.
    #[arg(long, value_name = "PATH")]
    system: Option<PathBuf>,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// The one that is there.
    Auto,
    /// System calls judged by the decision engine (Linux).
    Supervised,
    /// The sandbox of macOS.
    Seatbelt,
}

/// A profile that can be put in force, with the texts that its rules stand in.
struct Loaded {
    input: ProfileInput,
    sources: SourceMap,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        if self.is_seatbelt() {
            return self.under_seatbelt(context);
        }
        let world = world::read(context, self.world.as_deref())?;
        let loaded = self.load(context)?;
        availability().map_err(|reason| {
            unavailable(SandboxError::Unavailable {
                backend: BackendKind::Supervised.name(),
                reason: reason.to_string(),
            })
        })?;
        let mut log = match &self.log_denials {
            None => Log::Off,
            Some(None) => Log::table(),
            Some(Some(path)) => Log::to_file(path)?,
        };
        self.supervise(context, &loaded, world, &mut log)
    }

    fn is_seatbelt(&self) -> bool {
        match self.backend {
            Choice::Auto => cfg!(target_os = "macos") || self.system.is_some(),
            choice => choice == Choice::Seatbelt,
        }
    }

    /// Becomes the command under the sandbox of macOS. The profile means what macOS says: it is not evaluated here.
    fn under_seatbelt(&self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let system = System::open(self.system.as_deref()).map_err(unavailable)?;
        if self.log_denials.is_some() {
            let message = "--log-denials is not available with --backend seatbelt: macOS tells denials to its log only";
            let help =
                format!("log stream --style compact --predicate '{PREDICATE}' shows them while the command runs");
            return Err(Failure::new(Exit::Unavailable, CODE_LOG, message).with_help(help));
        }
        if self.world.is_some() {
            context.tell("--world is not used: macOS has a file system of its own");
        }
        let (path, source) = self.read(context)?;
        let is_blob = blob_file::is_blob(source.text());
        let source = if is_blob { source } else { shim::held(context, source, &self.shims)? };
        let parameters: Vec<_> = context.params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let profile = match std::str::from_utf8(source.text()) {
            _ if is_blob => Profile::Blob(source.text()),
            Ok(text) => Profile::Text(text, &parameters),
            Err(_) => {
                let message = format!("{}: is no UTF-8, which macOS takes only", path.display());
                return Err(Failure::new(Exit::BadInput, CODE_JUDGE, message));
            }
        };
        let Some((program, arguments)) = self.command.split_first() else { return Ok(Exit::Usage) };
        let failed = replace(&system, profile, std::process::Command::new(program).args(arguments));
        let shown = program.to_string_lossy();
        Err(match failed {
            NotReplaced::Call(error @ CallError::Missing(_)) => unavailable(SandboxError::Unavailable {
                backend: BackendKind::Seatbelt.name(),
                reason: error.to_string(),
            }),
            NotReplaced::Call(error @ CallError::Nul(_)) => Failure::new(Exit::BadInput, CODE_JUDGE, error.to_string()),
            NotReplaced::Apply(_) => {
                let nested = system.is_sandboxed(std::process::id()).is_ok_and(|checked| checked.rc == 1);
                let failure = Failure::new(Exit::Refused, CODE_NOT_APPLIED, failed.to_string());
                if nested {
                    failure.with_help("this process is sandboxed already; macOS takes no second profile")
                } else {
                    failure
                }
            }
            NotReplaced::Exec(error) if error.raw_os_error() == Some(libc::EPERM) => refused(&shown),
            NotReplaced::Exec(error) => {
                let message = format!("exec of '{shown}' failed: {}", files::describe(&error));
                Failure::new(Exit::Refused, CODE_NOT_RUN, message)
            }
        })
    }

    /// The profile, by whichever option.
    fn read(&self, context: &mut Context) -> Result<(PathBuf, Source), Box<Failure>> {
        let (path, source) = if let Some(path) = self.file.as_ref().or(self.blob.as_ref()) {
            (path.clone(), files::read(context, path)?)
        } else if let Some(name) = &self.name {
            (PathBuf::from(name), named(context, name)?)
        } else {
            let text = self.text.as_ref().map(|text| text.as_encoded_bytes().to_vec()).unwrap_or_default();
            (PathBuf::from("-p"), Source::new("-p", text))
        };
        if self.blob.is_some() && !blob_file::is_blob(source.text()) {
            let message = format!("{}: is no compiled profile", path.display());
            return Err(Failure::new(Exit::BadInput, CODE_JUDGE, message).with_help("give a profile's text with -f"));
        }
        Ok((path, source))
    }

    fn load(&self, context: &mut Context) -> Result<Loaded, Box<Failure>> {
        let (path, source) = self.read(context)?;
        let is_blob = blob_file::is_blob(source.text());
        let source = if is_blob { source } else { shim::held(context, source, &self.shims)? };
        let bytes = source.shared_text();
        let (rules, sources) = match side::of_source(context, &path, source)? {
            Side::Profile(evaluation) => (Rules::Policy(evaluation.policy.into()), evaluation.sources),
            Side::Blob(program) => (Rules::Blob((*program).into()), SourceMap::new()),
        };
        Ok(Loaded { input: ProfileInput { bytes, rules }, sources })
    }

    fn supervise(
        &self,
        context: &mut Context,
        loaded: &Loaded,
        world: World,
        log: &mut Log,
    ) -> Result<Exit, Box<Failure>> {
        let judge =
            Judge::of(&loaded.input).map_err(|error| Failure::new(Exit::BadInput, CODE_JUDGE, error.to_string()))?;
        let Some((program, arguments)) = self.command.split_first() else { return Ok(Exit::Usage) };
        let command = Command { args: arguments.to_vec(), env: std::env::vars_os().collect(), ..Command::new(program) };
        let ended = Supervisor::new(judge, Mapping::in_world(world))
            .run(&command, &mut |denial| log.add(denial, &loaded.sources));
        let written = log.finish(context);
        let shown = program.to_string_lossy();
        let exit = match ended {
            Ok(ended) => match ended.how {
                How::Exited(status) => Exit::Command(status as u8),
                // Nothing limits the command's time, and nobody ends it.
                How::TimedOut | How::Cancelled => Exit::Internal,
                How::Signaled(signal) => Exit::Command(128u8.wrapping_add(signal as u8)),
                How::ExecRefused => {
                    let help =
                        "the profile refuses it; the shim 'process-exec' allows it, --log-denials names the rule";
                    return Err(refused(&shown).with_help(help));
                }
            },
            Err(error) => return Err(not_run(&shown, &error)),
        };
        written?;
        Ok(exit)
    }
}

fn refused(program: &str) -> Box<Failure> {
    Failure::new(Exit::Refused, CODE_REFUSED, format!("exec of '{program}' failed: Operation not permitted"))
}

fn unavailable(error: SandboxError) -> Box<Failure> {
    Failure::from_diagnostics(Exit::Unavailable, vec![error.to_diagnostic()], SourceMap::new())
}

fn not_run(program: &str, error: &SuperviseError) -> Box<Failure> {
    let (exit, message) = match error {
        SuperviseError::Unavailable(_) => (Exit::Unavailable, error.to_string()),
        SuperviseError::Exec { errno } | SuperviseError::Folder { errno } => {
            let words = std::io::Error::from_raw_os_error(*errno);
            (Exit::Refused, format!("exec of '{program}' failed: {}", files::describe(&words)))
        }
        SuperviseError::Nul => (Exit::Usage, error.to_string()),
        SuperviseError::Profile(_) => (Exit::BadInput, error.to_string()),
        SuperviseError::System { .. } => (Exit::Refused, error.to_string()),
    };
    Failure::new(exit, CODE_NOT_RUN, message)
}

/// A profile of the built-in plan by its id, else one of the import directories by its file's name.
fn named(context: &Context, name: &str) -> Result<Source, Box<Failure>> {
    let set = golden::plan_set().map_err(super::run::failure)?;
    if let Some(profile) = set.profiles.profiles.get(name) {
        let text = golden::Embedded
            .read(&profile.profile_path)
            .map_err(|failure| Failure::new(Exit::NoInput, CODE_NO_PROFILE, format!("{name}: {}", failure.reason)))?;
        return Ok(Source::new(name, text));
    }
    let loader =
        FileLoader { directories: context.import_dirs.clone(), allow_absolute: context.allow_absolute_imports };
    let request = ImportRequest { name: format!("{name}.sb"), import_dir: None, as_is: false };
    loader.load(&request, context.limit("text-bytes")).map_err(|_| {
        let known: Vec<_> = set.profiles.profiles.keys().map(String::as_str).collect();
        Failure::new(Exit::NoInput, CODE_NO_PROFILE, format!("no profile is called '{name}'")).with_help(format!(
            "built in: {}; others are looked for as NAME.sb in the import directories",
            known.join(", ")
        ))
    })
}
