//! `sbpl shim --report`: what shims change, operation by operation.

use serde_json::{Value, json};

use super::super::changes::{self, Counts};
use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::input;
use super::CODE_NOT_APPLIED;
use super::stage::{Contract, Done, Stage};
use crate::decide::Budget;
use crate::diag::Source;
use crate::diff::semantic::{self, Breach, Comparison, Direction};
use crate::vocab::Target;

/// Name of the report's format.
const REPORT_SCHEMA: &str = "sbpl.shim_report.v1";

/// What the shims together change, operation by operation.
pub(super) fn report(
    context: &mut Context,
    original: &Source,
    shimmed: &mut Stage,
    key: Option<&str>,
    applied: &[Done],
) -> Result<Exit, Box<Failure>> {
    let before = input::evaluate(context, original.clone())?;
    let after = match shimmed.evaluation.take() {
        Some(Ok(evaluation)) => evaluation,
        _ => input::evaluate(context, shimmed.source.clone())?,
    };
    let (a, b) = (semantic::Side::Policy(&before.policy), semantic::Side::Policy(&after.policy));
    let changes = Comparison::new(a, b, Budget::default())
        .map_err(|error| Failure::new(Exit::BadInput, CODE_NOT_APPLIED, error.to_string()))?
        .changes();
    let counts = Counts::of(&changes);
    let target = context.target;
    if context.json {
        let shims: Vec<Value> = applied.iter().map(|done| contract_json(target, done)).collect();
        context.print_json(&json!({
            "schema_version": REPORT_SCHEMA,
            "file": original.name(),
            "target": target.name(),
            "key": key,
            "shims": shims,
            "counts": counts.json(),
            "operations": changes::rows(target, &changes),
        }));
    } else {
        let names: Vec<&str> = applied.iter().map(|done| done.shim.name.as_str()).collect();
        context.print(format!("A: {}\nB: the same with {}\n", original.name(), names.join(", ")));
        context.print(format!("{} operations: {counts}\n", changes.len()));
        context.print(changes::text(target, &changes));
        for Done { shim, contract, .. } in applied {
            let why = match contract {
                Contract::None | Contract::Kept => String::new(),
                Contract::Broken(_, error) => format!(": {error}"),
                Contract::Undecided(reason) => format!(": {reason}"),
            };
            context.print(format!("contract of {}: {}{why}\n", shim.name, contract.name()));
        }
    }
    let state = |wanted: &str| applied.iter().any(|done| done.contract.name() == wanted);
    Ok(match (state("broken"), state("undecided") || counts.undecided > 0) {
        (true, _) => Exit::No,
        (false, true) => Exit::Depends,
        (false, false) => Exit::Fine,
    })
}

fn contract_json(target: &Target, done: &Done) -> Value {
    let mut row = json!({ "shim": done.shim.name, "contract": done.contract.name() });
    match &done.contract {
        Contract::None | Contract::Kept => {}
        Contract::Undecided(reason) => row["reason"] = json!(reason),
        Contract::Broken(kept, _) => {
            let breach = |breach: &Breach| {
                let direction = match breach.direction {
                    Direction::Widened => "widened",
                    Direction::Narrowed => "narrowed",
                };
                let witness = breach.found.as_ref().ok().map(|request| request.words(target));
                json!({ "operation": target.operation(breach.operation).name, "change": direction, "witness": witness })
            };
            row["breaches"] = kept.broken.iter().map(breach).collect();
        }
    }
    row
}
