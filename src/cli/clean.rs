//! The clean channel of `sbpl run`: the same run by a worker that launchd starts, from a private copy of plan and program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use crate::diag::Code;
use crate::sandbox::Cancel;
use crate::sandbox::seatbelt::launchd::{self, Job, LaunchError, STAGES, Stage, Worker, copy_tree};
use crate::sandbox::seatbelt::{Claim, Proof, System, leave_nonce};

/// How long a worker may take.
const LIMIT: Duration = Duration::from_secs(6 * 60 * 60);
/// The worker could not be started, or left nothing.
pub(super) const CODE_LAUNCH: Code = Code("E0754");

/// What of the run's own arguments the worker gets.
pub(super) struct Clean<'a> {
    pub(super) plan: &'a Path,
    pub(super) out: &'a Path,
    pub(super) launchctl: &'a Path,
    pub(super) stages: Option<&'a Path>,
    /// Options of `run` that go on as they are.
    pub(super) options: Vec<String>,
    pub(super) cancel: &'a Cancel,
}

/// Runs the plan through launchd, and brings the bundle back.
pub(super) fn run(context: &mut Context, clean: &Clean<'_>) -> Result<Exit, Box<Failure>> {
    let id = uuid::Uuid::new_v4().to_string();
    let program = std::env::current_exe().map_err(|error| unavailable(&error.to_string()))?;
    let root = clean.stages.unwrap_or(Path::new(STAGES)).join(format!("sbpl.run.{id}"));
    let folder = clean.plan.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = clean.plan.file_name().unwrap_or_default();
    let stage = Stage::make(&root, &program, folder).map_err(|error| failure(&error))?;
    let outcome = through_launchd(context, clean, &stage, &id, &stage.plan.join(name));
    let removed = stage.remove();
    let (worker, bundle) = outcome?;
    removed.map_err(|error| failure(&error))?;
    if context.json {
        let mut summary: Value = serde_json::from_str(&worker.stdout).unwrap_or(Value::Null);
        if let (Some(bundle), Some(summary)) = (&bundle, summary.as_object_mut()) {
            summary.insert("bundle_dir".to_owned(), bundle.display().to_string().into());
        }
        context.print_json(&summary);
    } else {
        let lines = worker.stdout.lines().filter(|line| !line.starts_with("bundle: "));
        context.print(lines.map(|line| format!("{line}\n")).collect::<String>());
        if let Some(bundle) = &bundle {
            context.print(format!("bundle: {}\n", bundle.display()));
        }
    }
    match (worker.status, &bundle) {
        (0, Some(_)) => Ok(Exit::Fine),
        (1, Some(_)) => Ok(Exit::No),
        (status, _) => {
            let words = worker.stderr.lines().last().unwrap_or("it said nothing").to_owned();
            let exit = u8::try_from(status).map_or(Exit::Unavailable, Exit::Command);
            Err(Failure::new(exit, CODE_LAUNCH, format!("the worker ended with status {status}: {words}")))
        }
    }
}

fn through_launchd(
    context: &mut Context,
    clean: &Clean<'_>,
    stage: &Stage,
    id: &str,
    plan: &Path,
) -> Result<(Worker, Option<PathBuf>), Box<Failure>> {
    let words = [
        "run".to_owned(),
        plan.display().to_string(),
        "--backend".to_owned(),
        "seatbelt".to_owned(),
        "--out".to_owned(),
        stage.out.display().to_string(),
        "--staged".to_owned(),
        stage.root.display().to_string(),
        "--quiet".to_owned(),
    ];
    let mut arguments = words.to_vec();
    arguments.extend(context.json.then(|| "--json".to_owned()));
    arguments.extend(clean.options.iter().cloned());
    let job = Job::of(stage, id, &arguments);
    let nonce = uuid::Uuid::new_v4().to_string();
    leave_nonce(&stage.root, &job.label, &nonce).map_err(|error| unavailable(&error.to_string()))?;
    let worker = launchd::run(clean.launchctl, user(stage)?, stage, &job, LIMIT, clean.cancel)
        .map_err(|error| failure(&error))?;
    let Ok(latest) = std::fs::read_to_string(stage.out.join("LATEST")) else { return Ok((worker, None)) };
    let name = latest.trim();
    // The worker is the same program, but its folder may have been written by others.
    if name.is_empty() || name.contains(['/', '.']) {
        return Err(unavailable("the worker's LATEST names no bundle"));
    }
    let (from, to) = (stage.out.join(name), clean.out.join(name));
    let manifest = std::fs::read(from.join("run_manifest.json")).ok();
    let manifest: Option<Value> = manifest.and_then(|text| serde_json::from_slice(&text).ok());
    if manifest.as_ref().and_then(|manifest| manifest.get("clean_proof")?.get("nonce")?.as_str()) != Some(&nonce) {
        return Err(unavailable("the bundle is not the worker's: it does not hold the nonce of its stage"));
    }
    copy_tree(&from, &to, &stage.root).map_err(|error| failure(&error))?;
    files::write_atomically(context, &clean.out.join("LATEST"), latest.as_bytes(), &[])?;
    Ok((worker, Some(to)))
}

/// Shows that this process is the worker of the stage at `root`.
///
/// # Errors
/// Exit 69 with what does not hold.
pub(super) fn prove(root: &Path, library: Option<&Path>) -> Result<Proof, Box<Failure>> {
    let refused = |reason: String| unavailable(&format!("not in the clean channel: {reason}"));
    let system = System::open(library).map_err(|error| refused(error.to_string()))?;
    let service_name = std::env::var("XPC_SERVICE_NAME").ok();
    let (pid, parent) = (std::process::id(), std::os::unix::process::parent_id());
    Proof::of(&system, root, Claim { pid, parent, service_name: service_name.as_deref() }).map_err(refused)
}

/// The user whose session the worker runs in: the owner of what was just made.
fn user(stage: &Stage) -> Result<u32, Box<Failure>> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(&stage.root).map(|data| data.uid()).map_err(|error| unavailable(&error.to_string()))
}

fn failure(error: &LaunchError) -> Box<Failure> {
    let exit = match error {
        LaunchError::File { .. } | LaunchError::TooMuch(_) => Exit::CannotCreate,
        // The signal decides what an interrupted run ends with.
        LaunchError::Refused(_) | LaunchError::Timeout(_) | LaunchError::Cancelled => Exit::Unavailable,
    };
    Failure::new(exit, CODE_LAUNCH, error.to_string())
}

fn unavailable(reason: &str) -> Box<Failure> {
    Failure::new(Exit::Unavailable, CODE_LAUNCH, reason)
}
