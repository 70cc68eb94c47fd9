//! What a probe came to, as one class; and the table that says how each signal is read.
//!
//! A refusal by the profile is one class among many. Everything else that can stop a probe (a crash, a loader that may not read
//! its files, time, a service that is not there, UNIX permissions, a profile that was not put in force, a call that was shaped
//! wrongly) has a class of its own, so that none of them is ever counted as a decision.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Observation, Outcome, Stage};

/// What a probe came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The operation was permitted.
    Allowed,
    /// The profile refused it.
    Denied,
    /// The file's permissions refused it.
    UnixPermission,
    /// What was asked for is not there.
    MissingService,
    /// The call was shaped wrongly, or its interface is another.
    BadArgument,
    /// Another error.
    OtherError,
    /// This system has no such call.
    NotAvailable,
    /// The probe was killed by a signal.
    Crash,
    /// The program that was started could not load what it needs.
    LoaderStarvation,
    /// The program could not be started.
    ExecRefused,
    /// It took too long.
    Timeout,
    /// The profile could not be put in force.
    ApplyRefused,
    /// The call does not tell.
    NotWitnessed,
}

/// How far each class lets a probe come, and what it says about the profile.
const CLASSES: &[(Class, Stage, Outcome)] = &[
    (Class::Allowed, Stage::Operation, Outcome::Allow),
    (Class::Denied, Stage::Operation, Outcome::Deny),
    (Class::UnixPermission, Stage::Operation, Outcome::Undecided),
    (Class::MissingService, Stage::Operation, Outcome::Undecided),
    (Class::BadArgument, Stage::Operation, Outcome::Undecided),
    (Class::OtherError, Stage::Operation, Outcome::Undecided),
    (Class::NotAvailable, Stage::Operation, Outcome::Undecided),
    (Class::NotWitnessed, Stage::Operation, Outcome::Undecided),
    (Class::Timeout, Stage::Operation, Outcome::Undecided),
    (Class::Crash, Stage::Exec, Outcome::Undecided),
    (Class::LoaderStarvation, Stage::Exec, Outcome::Undecided),
    (Class::ExecRefused, Stage::Exec, Outcome::Undecided),
    (Class::ApplyRefused, Stage::Apply, Outcome::Undecided),
];

impl Class {
    /// The word in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::UnixPermission => "unix_permission",
            Self::MissingService => "missing_service",
            Self::BadArgument => "bad_argument",
            Self::OtherError => "other_error",
            Self::NotAvailable => "not_available",
            Self::Crash => "crash",
            Self::LoaderStarvation => "loader_starvation",
            Self::ExecRefused => "exec_refused",
            Self::Timeout => "timeout",
            Self::ApplyRefused => "apply_refused",
            Self::NotWitnessed => "not_witnessed",
        }
    }

    /// The stage at which it ends.
    pub fn stage(self) -> Stage {
        CLASSES.iter().find(|row| row.0 == self).map_or(Stage::Operation, |row| row.1)
    }

    /// What it says about the profile.
    pub fn outcome(self) -> Outcome {
        CLASSES.iter().find(|row| row.0 == self).map_or(Outcome::Undecided, |row| row.2)
    }

    /// The class of an error number of the probed call, as macOS numbers them.
    pub const fn of_errno(errno: i32) -> Self {
        match errno {
            0 => Self::Allowed,
            1 => Self::Denied,
            13 => Self::UnixPermission,
            22 => Self::BadArgument,
            45 | 78 | 102 => Self::NotAvailable,
            _ => Self::OtherError,
        }
    }

    /// The class of the status of `bootstrap_look_up`.
    pub const fn of_bootstrap(kr: i32) -> Self {
        match kr {
            0 => Self::Allowed,
            1100 => Self::Denied,
            1102 => Self::MissingService,
            _ => Self::OtherError,
        }
    }

    /// The class of the status of opening a driver.
    pub const fn of_iokit(kr: i32) -> Self {
        match kr as u32 {
            0 => Self::Allowed,
            0xE000_02E2 => Self::Denied,
            0xE000_02C2 => Self::BadArgument,
            0xE000_02C7 => Self::NotAvailable,
            _ => Self::OtherError,
        }
    }
}

/// One signal that a run can meet: which layer speaks, at which stage, how it is handled and what it means
/// (interface notes of `seeds`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Signal {
    /// What is seen.
    pub signal: &'static str,
    /// Who says it.
    pub layer: &'static str,
    /// The stage it belongs to; none for lanes beside the stages.
    pub stage: Option<Stage>,
    /// `blocked`, `observed`, `provisional`, `annotation_only`, `no_witness`, `drift`.
    pub handling: &'static str,
    /// How to read it.
    pub meaning: &'static str,
}

/// Every signal.
pub const SIGNALS: &[Signal] = &[
    Signal {
        signal: "sandbox_init_failed",
        layer: "apply",
        stage: Some(Stage::Apply),
        handling: "blocked",
        meaning: "the profile is not in force; no decision",
    },
    Signal {
        signal: "preflight_apply_gate",
        layer: "tooling",
        stage: Some(Stage::Apply),
        handling: "blocked",
        meaning: "a boundary of the harness; no enforcement",
    },
    Signal {
        signal: "open_kr_zero",
        layer: "iokit",
        stage: Some(Stage::Operation),
        handling: "observed",
        meaning: "the operation succeeded under the profile",
    },
    Signal {
        signal: "call_kr_bad_argument",
        layer: "iokit",
        stage: Some(Stage::Operation),
        handling: "provisional",
        meaning: "shape or interface of the call, unless the baseline differs",
    },
    Signal {
        signal: "oracle_deny",
        layer: "oracle",
        stage: None,
        handling: "annotation_only",
        meaning: "an annotation until the oracle is calibrated",
    },
    Signal {
        signal: "observer_log_empty",
        layer: "observer",
        stage: None,
        handling: "no_witness",
        meaning: "no witness; nothing follows about a denial",
    },
    Signal {
        signal: "obsolete_operation",
        layer: "vocabulary",
        stage: Some(Stage::Compile),
        handling: "drift",
        meaning: "the system has renamed an operation; no denial",
    },
];

/// The names of the signals of [`SIGNALS`] that one try shows. None of them is a decision.
pub fn seen(observation: &Observation) -> Vec<&'static str> {
    let detail = |key: &str| observation.details.as_ref().and_then(|details| details.get(key)?.as_i64());
    let bad_argument = detail("call_kr").and_then(|kr| i32::try_from(kr).ok()).map(Class::of_iokit);
    let denied = |callout: &Value| callout.get("decision").and_then(Value::as_str) == Some("deny");
    let shown = [
        ("sandbox_init_failed", observation.evidence.class == Some(Class::ApplyRefused)),
        ("open_kr_zero", detail("open_kr") == Some(0)),
        ("call_kr_bad_argument", bad_argument == Some(Class::BadArgument)),
        ("oracle_deny", observation.evidence.callouts.iter().any(denied)),
        ("obsolete_operation", observation.stderr.lines().any(|line| obsolete_operation(line).is_some())),
    ];
    SIGNALS.iter().map(|row| row.signal).filter(|name| shown.contains(&(name, true))).collect()
}

/// The warning for an operation that the system has renamed: the old and the new name.
pub fn obsolete_operation(line: &str) -> Option<(&str, &str)> {
    let rest = line.split_once("sandbox operation \"")?.1;
    let (old, rest) = rest.split_once("\" is obsolete; replace with \"")?;
    Some((old, rest.split_once('"')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_classes_decide() {
        let deciding: Vec<Class> = CLASSES.iter().filter(|row| row.2 != Outcome::Undecided).map(|row| row.0).collect();
        assert_eq!(deciding, [Class::Allowed, Class::Denied]);
        assert!(CLASSES.iter().all(|row| row.2 == Outcome::Undecided || row.1 == Stage::Operation));
    }

    #[test]
    fn numbers_of_the_system_have_classes() {
        assert_eq!(Class::of_errno(1), Class::Denied);
        assert_eq!(Class::of_errno(13), Class::UnixPermission);
        assert_eq!(Class::of_bootstrap(1102), Class::MissingService);
        assert_eq!(Class::of_bootstrap(1100), Class::Denied);
        assert_eq!(Class::of_iokit(-536_870_174), Class::Denied);
        assert_eq!(Class::of_iokit(-536_870_206), Class::BadArgument);
    }

    #[test]
    fn a_renamed_operation_is_drift() {
        let line = "sandbox operation \"iokit-open\" is obsolete; replace with \"iokit-open-user-client\"";
        assert_eq!(obsolete_operation(line), Some(("iokit-open", "iokit-open-user-client")));
        assert_eq!(obsolete_operation("Operation not permitted"), None);
    }
}
