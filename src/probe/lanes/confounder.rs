//! Which layer decided, and what else may explain a refusal.

use serde_json::Map;

use crate::probe::artifact::{
    BaselineResult, FileConfounder, PlatformPolicy, PolicyLayers, ProbeResult, ProcessPolicy,
};
use crate::probe::registry::Decision;
use crate::sandbox::Stage;

fn word(decision: Option<Decision>) -> String {
    decision.map_or("unknown", Decision::name).to_owned()
}

/// Only an operation that was reached says something about the process's policy.
fn process_decision(probe: &ProbeResult) -> Option<Decision> {
    probe.actual.filter(|_| probe.stage.is_none_or(|stage| stage == Stage::Operation))
}

pub(super) fn policy_layers(probe: &ProbeResult, baseline: Option<&BaselineResult>) -> PolicyLayers {
    let platform = baseline.map(|row| row.status);
    let process = process_decision(probe);
    let attribution = match (platform, process) {
        (Some(Decision::Deny), _) => "platform_policy",
        (Some(Decision::Allow), Some(Decision::Deny)) => "process_policy",
        (Some(Decision::Allow), Some(Decision::Allow)) => "allow",
        _ => "unknown",
    };
    PolicyLayers {
        platform_policy: PlatformPolicy {
            decision: word(platform),
            status: platform.map(|decision| decision.name().to_owned()),
            source: if baseline.is_some() { "baseline" } else { "baseline_missing" }.to_owned(),
            error: baseline.and_then(|row| row.error.clone()),
            exit_code: baseline.and_then(|row| row.exit_code),
        },
        process_policy: ProcessPolicy {
            decision: word(process),
            status: Some(probe.runtime_result.status.clone()),
            failure_stage: probe.runtime_result.failure_stage.clone(),
            failure_kind: probe.runtime_result.failure_kind.clone(),
        },
        effective_decision: word(process),
        attribution: attribution.to_owned(),
        extra: Map::new(),
    }
}

pub(super) fn file_confounder(probe: &ProbeResult, baseline: Option<&BaselineResult>) -> Option<FileConfounder> {
    let result = &probe.runtime_result;
    let errno = result.errno.filter(|errno| *errno != 0)?;
    if !probe.operation.starts_with("file-") || result.failure_stage.as_deref() != Some("probe") {
        return None;
    }
    let (classification, attribution) = match errno {
        EACCES => ("unix_permissions", "unix_acl"),
        EPERM if process_decision(probe) == Some(Decision::Deny) => ("sandbox_or_mac", "app_sandbox"),
        EPERM if baseline.is_some_and(|row| row.status == Decision::Deny) => ("sandbox_or_mac", "mac"),
        EPERM => ("sandbox_or_mac", "sandbox_or_mac"),
        _ => ("other_errno", "unknown"),
    };
    Some(FileConfounder {
        errno,
        errno_name: errno_name(errno).map(str::to_owned),
        classification: classification.to_owned(),
        attribution: attribution.to_owned(),
    })
}

const EPERM: i32 = 1;
const EACCES: i32 = 13;

/// Names of the error numbers that probes meet, as macOS numbers them.
pub(super) fn errno_name(errno: i32) -> Option<&'static str> {
    const NAMES: &[(i32, &str)] = &[
        (EPERM, "EPERM"),
        (2, "ENOENT"),
        (4, "EINTR"),
        (5, "EIO"),
        (9, "EBADF"),
        (EACCES, "EACCES"),
        (17, "EEXIST"),
        (20, "ENOTDIR"),
        (21, "EISDIR"),
        (22, "EINVAL"),
        (30, "EROFS"),
        (45, "ENOTSUP"),
        (61, "ECONNREFUSED"),
        (62, "ELOOP"),
    ];
    NAMES.iter().find(|(known, _)| *known == errno).map(|(_, name)| *name)
}
