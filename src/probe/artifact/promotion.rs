//! `promotion_packet.json` (`spec/probe-runner.md` section 1.15).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `promotion_packet.json`: pointers to a bundle and whether its decisions may be used as evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromotionPacket {
    /// [`crate::probe::tag::PROMOTION_PACKET`]
    pub schema_version: String,
    /// Files by role; only those that are there.
    #[serde(flatten)]
    pub pointers: Map<String, Value>,
    /// Whether and why not.
    pub promotability: Promotability,
}

/// Whether a bundle's decisions may be used as evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Promotability {
    /// The answer.
    pub promotable_decision_stage: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// What it hangs on.
    pub gating_inputs: GatingInputs,
}

/// What promotability hangs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GatingInputs {
    /// Only `launchd_clean` is promotable.
    pub channel: Option<String>,
    /// Whether the apply-only check was made.
    pub apply_preflight_present: bool,
    /// Whether it went well.
    pub apply_ok: Option<bool>,
    /// Whether the runner was sandboxed itself.
    pub sandbox_check_self: Option<Value>,
}
