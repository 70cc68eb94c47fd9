//! The oracle's document: what `sandbox_check` said beside each probe, and how far it may be believed.

use serde_json::{Map, Value, json};

use super::Joined;
use crate::probe::artifact::{Event, OracleResult, OracleResults};
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
