//! The oracle's document: what `sandbox_check` said beside each probe, and how far it may be believed.

use serde_json::{Map, Value, json};

use super::Joined;
use crate::probe::artifact::{Event, OracleResult, OracleResults};
use crate::probe::registry::Decision;
use crate::probe::run::Documents;
use crate::probe::tag;

/// One row for each callout of the events. Nothing is executed for it.
pub(super) fn results(documents: &Documents<'_>, joined: &[Joined<'_>]) -> OracleResults {
    let calibration = documents.options.backend.calibration();
    let mut extra = Map::new();
    if let Some(calibration) = &calibration {
        extra.insert("calibration".to_owned(), calibration.clone());
    }
    let rows = joined.iter().map(|row| &row.event).flat_map(|event| {
        let callouts = event.seatbelt_callouts.as_ref().and_then(Value::as_array);
        callouts.into_iter().flatten().map(|callout| row(documents, event, callout, calibration.as_ref()))
    });
    OracleResults { head: documents.head(tag::ORACLE_RESULTS), results: rows.collect(), extra }
}

/// What the oracle decided about one probe, from a kind of argument that is calibrated.
#[derive(Debug, PartialEq)]
pub(in crate::probe) struct Check {
    pub(in crate::probe) decision: Decision,
    /// As packets have it.
    pub(in crate::probe) value: Value,
}

/// The first of a probe's callouts that decided and may be believed. An uncalibrated one never speaks.
pub(super) fn check(callouts: Option<&Value>, calibration: Option<&Value>) -> Option<Check> {
    callouts?.as_array()?.iter().find_map(|callout| {
        let decision = match callout.get("decision")?.as_str()? {
            "allow" => Decision::Allow,
            "deny" => Decision::Deny,
            _ => return None,
        };
        let number = callout.get("filter_type").and_then(Value::as_i64);
        let keys = ["decision", "stage", "filter_type", "filter_type_name", "argument"];
        let said = |key: &&str| (key.to_string(), callout.get(*key).cloned().unwrap_or(Value::Null));
        is_calibrated(calibration, number)
            .then(|| Check { decision, value: Value::Object(keys.iter().map(said).collect()) })
    })
}

fn row(documents: &Documents<'_>, event: &Event, callout: &Value, calibration: Option<&Value>) -> OracleResult {
    let text = |key: &str| callout.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = callout.get("filter_type").and_then(Value::as_i64);
    let mut extra = Map::new();
    extra.insert("calibrated".to_owned(), json!(is_calibrated(calibration, number)));
    if let Some(variant) = text("canonicalization") {
        extra.insert("canonicalization".to_owned(), json!(variant));
    }
    OracleResult {
        world_id: documents.world_id(),
        run_id: documents.run_id(),
        expectation_id: event.expectation_id.clone(),
        operation: text("operation"),
        filter_type: number,
        filter_type_name: text("filter_type_name"),
        argument: text("argument"),
        decision: text("decision"),
        stage: text("stage"),
        extra,
    }
}

/// True when the oracle gave both known answers for this kind of argument.
fn is_calibrated(calibration: Option<&Value>, number: Option<i64>) -> bool {
    let rows = calibration.and_then(Value::as_array);
    rows.into_iter().flatten().any(|row| {
        row.get("number").and_then(Value::as_i64) == number && row.get("calibrated") == Some(&Value::Bool(true))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinds of argument without both known answers are passed over, whatever they say; so are callouts that decided nothing.
    #[test]
    fn only_calibrated_callouts_speak() {
        let calibration = json!([{"number": 1, "calibrated": false}, {"number": 2, "calibrated": true}]);
        let callout = |number: i64, decision: &str| {
            json!({
                "decision": decision, "stage": "pre_syscall", "filter_type": number, "filter_type_name": "K",
                "argument": "a.b", "pid": 7,
            })
        };
        let asked = |callouts: &[Value]| check(Some(&json!(callouts)), Some(&calibration));
        assert_eq!(asked(&[callout(1, "deny")]), None);
        assert_eq!(asked(&[callout(3, "deny")]), None);
        assert_eq!(asked(&[callout(2, "error")]), None);
        let believed = asked(&[callout(1, "deny"), callout(2, "error"), callout(2, "allow")]).unwrap();
        assert_eq!(believed.decision, Decision::Allow);
        assert_eq!(
            believed.value,
            json!({
                "decision": "allow", "stage": "pre_syscall", "filter_type": 2, "filter_type_name": "K", "argument": "a.b",
            })
        );
        assert_eq!(check(Some(&json!([callout(2, "allow")])), None), None);
        assert_eq!(check(None, Some(&calibration)), None);
    }
}
