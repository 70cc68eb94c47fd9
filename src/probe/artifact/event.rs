//! `runtime_events.normalized.json`: the join of the lanes (`spec/probe-runner.md` section 1.7).

use serde::{Deserialize, Serialize, Serializer, ser};
use serde_json::{Map, Value};

use super::{ApplyReport, sorted};
use crate::probe::preflight::Record as PreflightRecord;
use crate::probe::registry::Decision;

/// One entry of `runtime_events.normalized.json`. Fields that are `None` are left out of the document, keys are sorted: the order of
/// the fields here is that of the document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Decision>,
    /// How applying went.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "sorted_inside")]
    pub apply_report: Option<ApplyReport>,
    /// What was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// `scenario`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_path: Option<String>,
    /// Error number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_name: Option<String>,
    /// Joins with the matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expectation_id: Option<String>,
    /// What should come of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Decision>,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_kind: Option<String>,
    /// Where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_stage: Option<String>,
    /// Something else that may explain a refused file.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "sorted_inside")]
    pub file_confounder: Option<FileConfounder>,
    /// What it was refused for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_denial_filters: Option<Vec<String>>,
    /// The operation that was refused first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_denial_op: Option<String>,
    /// Which harness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub harness: Option<String>,
    /// Whether that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intended_op_witnessed: Option<bool>,
    /// Whether they agree.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<bool>,
    /// The best guess at the real path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized_path: Option<String>,
    /// `observed_path`, `alias_map`, `requested_path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized_path_source: Option<String>,
    /// More words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Behind all links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path: Option<String>,
    /// `fd_path`, `error`, `unavailable`, a source of the path observation, `not_attempted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_source: Option<String>,
    /// The probed operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Which layer decided.
    #[serde(serialize_with = "sorted_layers")]
    pub policy_layers: PolicyLayers,
    /// The scan.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "sorted_inside")]
    pub preflight: Option<PreflightRecord>,
    /// What was meant.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "sorted_intent")]
    pub primary_intent: Option<PrimaryIntent>,
    /// What the probe told about itself.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "sorted_inside")]
    pub probe_details: Option<Value>,
    /// Name within the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_name: Option<String>,
    /// Which profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<String>,
    /// Whether the operation itself was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached_primary_op: Option<bool>,
    /// The same for paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_path: Option<String>,
    /// UUID v4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The program that did it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "sorted_inside")]
    pub runner_info: Option<Value>,
    /// `success`, `errno`, `blocked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_status: Option<String>,
    /// The expectation id, else `profile::name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario_id: Option<String>,
    /// Callout markers.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "sorted_inside")]
    pub seatbelt_callouts: Option<Value>,
    /// What it complained about, markers taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// What it printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// What it was tried on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `EPERM` when refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violation_summary: Option<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub world_id: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A part of an event that has an order of its own elsewhere: its keys sorted, without nulls.
fn sorted_inside<S: Serializer>(part: &impl Serialize, serializer: S) -> Result<S::Ok, S::Error> {
    sorted(serde_json::to_value(part).map_err(ser::Error::custom)?, true).serialize(serializer)
}

// Two parts of every event, spelled out: what [`sorted_inside`] does costs as much as the rest of the event.

fn sorted_intent<S: Serializer>(intent: &Option<PrimaryIntent>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Sorted<'a> {
        operation: &'a str,
        probe_name: &'a str,
        profile_id: &'a str,
        target: &'a str,
    }
    let sorted = intent.as_ref().map(|PrimaryIntent { operation, target, profile_id, probe_name }| Sorted {
        operation,
        probe_name,
        profile_id,
        target,
    });
    sorted.serialize(serializer)
}

fn sorted_layers<S: Serializer>(layers: &PolicyLayers, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Sorted<'a> {
        attribution: &'a str,
        effective_decision: &'a str,
        platform_policy: Platform<'a>,
        process_policy: Process<'a>,
    }
    #[derive(Serialize)]
    struct Platform<'a> {
        decision: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        source: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Process<'a> {
        decision: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        failure_kind: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        failure_stage: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'a str>,
    }
    if !layers.extra.is_empty() {
        return sorted_inside(layers, serializer);
    }
    let PolicyLayers { platform_policy: platform, process_policy: process, .. } = layers;
    let sorted = Sorted {
        attribution: &layers.attribution,
        effective_decision: &layers.effective_decision,
        platform_policy: Platform {
            decision: &platform.decision,
            error: platform.error.as_deref(),
            exit_code: platform.exit_code,
            source: &platform.source,
            status: platform.status.as_deref(),
        },
        process_policy: Process {
            decision: &process.decision,
            failure_kind: process.failure_kind.as_deref(),
            failure_stage: process.failure_stage.as_deref(),
            status: process.status.as_deref(),
        },
    };
    sorted.serialize(serializer)
}

/// What a probe meant to try.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimaryIntent {
    /// The operation.
    pub operation: String,
    /// On what.
    pub target: String,
    /// Under which profile.
    pub profile_id: String,
    /// By which probe.
    pub probe_name: String,
}

/// Which layer of policy decided: the platform (baseline lane) or the process's profile (scenario lane).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyLayers {
    /// What happens without a profile.
    pub platform_policy: PlatformPolicy,
    /// What happens under it.
    pub process_policy: ProcessPolicy,
    /// `allow`, `deny`, `unknown`.
    pub effective_decision: String,
    /// `platform_policy`, `process_policy`, `allow`, `unknown`.
    pub attribution: String,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The baseline's side of [`PolicyLayers`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlatformPolicy {
    /// `allow`, `deny`, `unknown`.
    pub decision: String,
    /// Of the baseline row.
    pub status: Option<String>,
    /// `baseline` or `baseline_missing`.
    pub source: String,
    /// Of the baseline row.
    pub error: Option<String>,
    /// Of the baseline row.
    pub exit_code: Option<i32>,
}

/// The scenario's side of [`PolicyLayers`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessPolicy {
    /// `allow`, `deny`, `unknown`; unknown for everything before the operation.
    pub decision: String,
    /// Of the result.
    pub status: Option<String>,
    /// Of the result.
    pub failure_stage: Option<String>,
    /// Of the result.
    pub failure_kind: Option<String>,
}

/// Other layers that refuse files too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileConfounder {
    /// Error number.
    pub errno: i32,
    /// Its name.
    pub errno_name: Option<String>,
    /// `unix_permissions`, `sandbox_or_mac`, `other_errno`.
    pub classification: String,
    /// `unix_acl`, `app_sandbox`, `mac`, `sandbox_or_mac`, `unknown`.
    pub attribution: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What the parts that are spelled out write is what sorting them writes; so the whole is sorted and has no null.
    #[test]
    fn an_event_is_written_sorted() {
        let text = |text: &str| Some(text.to_owned());
        let event = Event {
            scenario_id: text("s"),
            errno: Some(1),
            matches: Some(true),
            apply_report: Some(ApplyReport {
                api: "a".to_owned(),
                rc: 0,
                errno: Some(0),
                errbuf: None,
                err_class: "ok".to_owned(),
                err_class_source: "none".to_owned(),
            }),
            primary_intent: Some(PrimaryIntent { target: "/t".to_owned(), ..PrimaryIntent::default() }),
            policy_layers: PolicyLayers {
                platform_policy: PlatformPolicy { exit_code: Some(3), error: text("e"), ..PlatformPolicy::default() },
                process_policy: ProcessPolicy { failure_kind: text("k"), ..ProcessPolicy::default() },
                ..PolicyLayers::default()
            },
            probe_details: Some(json!({"b": null, "a": [{"d": 1, "c": null}]})),
            ..Event::default()
        };
        let value = json!(event);
        assert_eq!(value.to_string(), sorted(value.clone(), true).to_string());
        let layers = json!(event.policy_layers);
        assert_eq!(value["policy_layers"].to_string(), sorted(layers, true).to_string());
        let intent = json!(event.primary_intent);
        assert_eq!(value["primary_intent"].to_string(), sorted(intent, true).to_string());
        assert_eq!(value["probe_details"], json!({"a": [{"d": 1}]}));
    }
}
