//! One profile of a run before its probes: shim, scan, compile, ask whether it applies.

use indexmap::IndexMap;
use serde_json::{Map, json};

use super::artifact::{ApplyReport, ProfileDiff, StageReport, StageStatus};
use super::decode::{self, Built};
use super::difference;
use super::error::ProbeError;
use super::matrix::{MatrixProbe, MatrixProfile};
use super::preflight::{self, Record};
use super::registry::Mode;
use super::run::{Documents, RunOptions};
use crate::sandbox::transcript::err_class;
use crate::sandbox::{ApplyFailure, ProfileInput, Stage};
use crate::shim::{self, Shim};

/// A profile that its probes can be tried under, or the reason why not.
pub(super) struct Prepared<'a> {
    pub(super) id: &'a str,
    pub(super) expected: &'a MatrixProfile,
    pub(super) runtime_path: String,
    pub(super) blob_path: String,
    pub(super) record: Record,
    /// How the stages before the operation went.
    pub(super) stages: IndexMap<Stage, StageReport>,
    pub(super) built: Result<Built, String>,
    pub(super) diff: ProfileDiff,
    pub(super) input: Result<ProfileInput, Blocked>,
}

/// Where a profile stopped before its probes, and why.
pub(super) struct Blocked {
    pub(super) stage: Stage,
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) apply: Option<ApplyReport>,
}

/// Makes one profile of a plan ready. `stem` is the name of its files in the bundle.
pub(super) fn prepare<'a>(
    documents: &Documents<'_>,
    id: &'a str,
    expected: &'a MatrixProfile,
    stem: &str,
) -> Result<Prepared<'a>, ProbeError> {
    let Documents { set, options, writer, .. } = documents;
    let path = &expected.blob;
    let base = options
        .files
        .read(path)
        .map_err(|failure| ProbeError::Unreadable { path: path.clone(), reason: failure.reason })?;
    let key_rules = set.profiles.profiles.get(id).map_or(&[][..], |entry| &entry.key_specific_rules);
    let mut stages = IndexMap::new();
    let blob_path = format!("sb_build/{stem}.sb.bin");
    let form = Form::of(expected);
    let (text, shims) = match form {
        Form::Text => shimmed(id, &base, key_rules, options)?,
        Form::AsIs | Form::CompiledHere | Form::Compiled => (base.clone(), Vec::new()),
    };
    let runtime_path = match form {
        Form::Compiled => blob_path.clone(),
        _ => format!("runtime_profiles/{stem}.sb"),
    };
    writer.write_new(&runtime_path, &text)?;

    let record = preflight::scan_file(&runtime_path, &text);
    let built = match form {
        Form::Text | Form::AsIs => decode::build(&runtime_path, &text, options),
        Form::Compiled => decode::load(text.clone()),
        Form::CompiledHere => {
            decode::build(&runtime_path, &text, options).and_then(|built| decode::load(built.blob?.bytes))
        }
    };
    let gated = preflight_mode(expected) == "enforce" && record.is_gated();
    stages.insert(Stage::Preflight, report(gated, record.signature.clone()));
    stages.insert(Stage::Compile, compile_report(&built, &blob_path));
    if let Ok(Built { blob: Ok(compiled), .. }) = &built
        && form != Form::Compiled
    {
        writer.write_new(&blob_path, &compiled.bytes)?;
    }
    let rules = built.as_ref().ok().map(|built| &built.rules);
    let diff = difference::between((path, &base), (&runtime_path, &text), rules, shims, options);

    let input = match &built {
        _ if gated => Err(Blocked {
            stage: Stage::Preflight,
            kind: "preflight_apply_gate_signature",
            message: "preflight blocked: known apply-gate signature".to_owned(),
            apply: None,
        }),
        Err(message) => {
            Err(Blocked { stage: Stage::Compile, kind: "compile_failed", message: message.clone(), apply: None })
        }
        Ok(built) => {
            let input = built.input(&text);
            options.backend.apply(&input).map(|_| input).map_err(apply_failed)
        }
    };
    Ok(Prepared { id, expected, runtime_path, blob_path, record, stages, built, diff, input })
}

/// How a profile is given and put in force (`spec/probe-runner.md` sections 1.5 and 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Text, shimmed.
    Text,
    /// Text as it is: every probe brings its own way to apply it.
    AsIs,
    /// Text as it is, judged by its compiled form.
    CompiledHere,
    /// A compiled profile.
    Compiled,
}

impl Form {
    fn of(expected: &MatrixProfile) -> Self {
        let brings_its_own = |probe: &MatrixProbe| probe.details.driver.as_deref() == Some("metadata_runner");
        match expected.mode {
            _ if expected.blob.ends_with(".bin") => Self::Compiled,
            Some(Mode::Blob) => Self::CompiledHere,
            _ if !expected.probes.is_empty() && expected.probes.iter().all(brings_its_own) => Self::AsIs,
            _ => Self::Text,
        }
    }
}

/// `off`, `enforce` or `force`: the profile's own key in the matrix, a string or `{"mode": …}`.
fn preflight_mode(expected: &MatrixProfile) -> &str {
    let value = expected.extra.get("preflight");
    let mode = value.and_then(|value| value.as_str().or_else(|| value.get("mode")?.as_str()));
    mode.unwrap_or("enforce")
}

/// The text with the base shim and the rules for this profile, and the names of what was applied.
fn shimmed(
    id: &str,
    base: &[u8],
    key_rules: &[String],
    options: &RunOptions<'_>,
) -> Result<(Vec<u8>, Vec<String>), ProbeError> {
    let mut text = base.to_vec();
    let mut names = Vec::new();
    let mut apply = |shim: &Shim| {
        // A text with syntax errors is left as it is: the compile stage reports it.
        if let Ok(applied) = shim::apply(shim, text.as_slice(), Some(id)) {
            if !applied.edits.is_empty() {
                names.push(shim.name.clone());
            }
            text = applied.text;
        }
    };
    if !options.shims {
        return Ok((text, names));
    }
    if let Some(shim) = shim::built_in("runtime-base") {
        apply(shim);
    }
    if !key_rules.is_empty() {
        let shim = Shim::appending("key-specific", key_rules.join("\n").as_bytes()).map_err(|errors| {
            let reasons: Vec<_> = errors.iter().map(ToString::to_string).collect();
            ProbeError::Shape { document: format!("key_specific_rules of {id}"), reason: reasons.join("; ") }
        })?;
        apply(&shim);
    }
    Ok((text, names))
}

pub(super) fn apply_failed(failure: ApplyFailure) -> Blocked {
    let (class, source) = err_class(failure.api, -1, failure.errno.unwrap_or(0), Some(&failure.message));
    let kind = match failure.api {
        _ if class == "already_sandboxed" => "apply_already_sandboxed",
        "sandbox_init" => "sandbox_init_failed",
        "sandbox_apply" => "sandbox_apply_failed",
        _ => "apply_failed",
    };
    let apply = ApplyReport {
        api: failure.api.to_owned(),
        rc: -1,
        errno: failure.errno,
        errbuf: Some(failure.message.clone()),
        err_class: class.to_owned(),
        err_class_source: source.to_owned(),
    };
    Blocked { stage: Stage::Apply, kind, message: failure.message, apply: Some(apply) }
}

pub(super) fn report(blocked: bool, message: Option<String>) -> StageReport {
    let status = if blocked { StageStatus::Blocked } else { StageStatus::Ok };
    StageReport { status, message, facts: Map::new() }
}

fn compile_report(built: &Result<Built, String>, blob_path: &str) -> StageReport {
    let mut report = stage_report(built, blob_path);
    if let Ok(Built { obsolete, .. }) = built
        && !obsolete.is_empty()
    {
        // Drift of the vocabulary, by no means a refusal.
        report.facts.insert("obsolete_operations".to_owned(), json!(obsolete));
    }
    report
}

fn stage_report(built: &Result<Built, String>, blob_path: &str) -> StageReport {
    match built {
        Ok(Built { blob: Ok(compiled), .. }) => {
            let facts = [
                ("backend".to_owned(), json!("native")),
                ("blob".to_owned(), json!(blob_path)),
                ("size_bytes".to_owned(), json!(compiled.bytes.len())),
                ("sha256".to_owned(), json!(compiled.sha256)),
            ];
            StageReport { facts: facts.into_iter().collect(), ..report(false, None) }
        }
        // It evaluates, so it can be decided about; only the blob is missing.
        Ok(Built { blob: Err(message), .. }) => {
            StageReport { status: StageStatus::Failed, message: Some(message.clone()), facts: Map::new() }
        }
        Err(message) => report(true, Some(message.clone())),
    }
}
