//! What a probe's row comes to, as a word, a symbol and a class of the style sheet: never a colour alone.

use std::borrow::Cow;

use serde_json::Value;

use crate::probe::artifact::ProbeResult;
use crate::probe::registry::Decision;
use crate::sandbox::Stage;

/// How a probe went, against what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Decided as expected.
    AsExpected,
    /// Stopped before its operation, as expected.
    BlockedAsExpected,
    /// Decided, and not as expected.
    Mismatch,
    /// Stopped before its operation.
    Blocked,
    /// Nothing was decided.
    Undecided,
}

impl Verdict {
    pub(super) const ALL: [Self; 5] =
        [Self::AsExpected, Self::BlockedAsExpected, Self::Mismatch, Self::Blocked, Self::Undecided];

    pub(super) fn of(probe: &ProbeResult) -> Self {
        match (probe.actual, probe.matches) {
            (Some(_), Some(true)) => Self::AsExpected,
            (None, Some(true)) => Self::BlockedAsExpected,
            (Some(_), _) => Self::Mismatch,
            (None, _) if stopped_before_operation(probe) => Self::Blocked,
            (None, _) => Self::Undecided,
        }
    }

    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::AsExpected => "✓",
            Self::BlockedAsExpected => "◼",
            Self::Mismatch => "✗",
            Self::Blocked => "▲",
            Self::Undecided => "?",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::AsExpected => "as expected",
            Self::BlockedAsExpected => "blocked, as expected",
            Self::Mismatch => "mismatch",
            Self::Blocked => "blocked, not expected",
            Self::Undecided => "undecided",
        }
    }

    /// Class of the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::AsExpected => "ok",
            Self::BlockedAsExpected => "held",
            Self::Mismatch => "bad",
            Self::Blocked => "stop",
            Self::Undecided => "open",
        }
    }
}

/// The word for what came of a probe: the decision, else the class of what stopped it.
pub(super) fn outcome(probe: &ProbeResult) -> Cow<'static, str> {
    let class = probe.extra.get("class").and_then(Value::as_str);
    match (probe.actual, Verdict::of(probe), class) {
        (Some(decision), ..) => decision.name().into(),
        (None, _, Some(class)) => class.replace('_', " ").into(),
        (None, Verdict::Undecided, None) => "undecided".into(),
        (None, _, None) => "blocked".into(),
    }
}

pub(super) fn decision(decision: Option<Decision>) -> &'static str {
    decision.map_or("nothing", Decision::name)
}

fn stopped_before_operation(probe: &ProbeResult) -> bool {
    let failure = probe.runtime_result.failure_stage.as_deref();
    probe.stage.is_some_and(|stage| stage < Stage::Operation)
        || matches!(failure, Some("preflight" | "compile" | "apply" | "bootstrap"))
}
