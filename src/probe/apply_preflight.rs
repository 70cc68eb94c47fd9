//! The apply-only check before a run: a profile that allows everything has to be accepted, or nothing after it says anything
//! (`spec/probe-runner.md` section 1.11).

use serde_json::{Map, Value, json};

use super::artifact::{ApplyPreflight, ApplyReport};
use super::decode;
use super::error::ProbeError;
use super::run::Documents;
use super::tag;
use crate::sandbox::ApplyCheck;
use crate::sandbox::transcript::strip_markers;

/// Checks the plan's profile for it and writes the document; `{path, record}` for the manifest. `None`: the plan names none.
pub(super) fn check(documents: &Documents<'_>) -> Result<Option<Value>, ProbeError> {
    let Some(path) = &documents.set.plan.apply_preflight_profile else { return Ok(None) };
    let options = documents.options;
    let check_self = options.backend.check_self();
    let nobody = || json!({ "source": "sandbox_check", "error": "this backend has no sandbox_check" });
    let record = ApplyPreflight {
        sandbox_check_self: check_self.unwrap_or_else(nobody),
        ..match options.files.read(path) {
            Err(_) => blank(documents, path, "missing_preflight_profile"),
            Ok(text) => match decode::input(path, &text, options) {
                Err(message) => blank(documents, path, &message),
                Ok(input) => match options.backend.check_apply(&input) {
                    None => blank(documents, path, "missing_sandbox_runner"),
                    Some(seen) => of(documents, path, seen),
                },
            },
        }
    };
    documents.writer.write_json("apply_preflight.json", &record)?;
    Ok(Some(json!({ "path": "apply_preflight.json", "record": record })))
}

fn blank(documents: &Documents<'_>, path: &str, error: &str) -> ApplyPreflight {
    ApplyPreflight {
        head: documents.head(tag::APPLY_PREFLIGHT),
        profile: path.to_owned(),
        runner: None,
        sandbox_check_self: Value::Null,
        status: "error".to_owned(),
        error: Some(error.to_owned()),
        command: Vec::new(),
        exit_code: None,
        stdout: String::new(),
        stderr: String::new(),
        apply_report: None,
        apply_marker_pid: None,
        apply_ok: None,
        failure_stage: None,
        extra: Map::new(),
    }
}

fn of(documents: &Documents<'_>, path: &str, seen: ApplyCheck) -> ApplyPreflight {
    let fine = seen.applied && seen.exit_code == Some(0);
    let error = match (fine, seen.exit_code) {
        (true, _) => None,
        (_, None) => Some("timeout".to_owned()),
        _ => Some(seen.stderr.lines().last().unwrap_or("the runner said nothing").to_owned()),
    };
    ApplyPreflight {
        runner: seen.command.first().cloned(),
        status: if fine { "ok" } else { "error" }.to_owned(),
        error,
        exit_code: seen.exit_code,
        stdout: seen.stdout,
        stderr: strip_markers(&seen.stderr),
        apply_report: seen.apply.as_ref().and_then(report),
        apply_marker_pid: seen.pid,
        apply_ok: Some(seen.applied),
        failure_stage: (!seen.applied).then(|| "apply".to_owned()),
        command: seen.command,
        ..blank(documents, path, "")
    }
}

/// The report that a marker of applying holds.
pub(super) fn report(marker: &Value) -> Option<ApplyReport> {
    let text = |key: &str| marker.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| marker.get(key).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    Some(ApplyReport {
        api: text("api")?,
        rc: number("rc")?,
        errno: number("errno"),
        errbuf: text("errbuf"),
        err_class: text("err_class").unwrap_or_else(|| "unknown".to_owned()),
        err_class_source: text("err_class_source").unwrap_or_else(|| "none".to_owned()),
    })
}
