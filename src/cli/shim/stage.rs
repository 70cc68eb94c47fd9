//! A profile on its way through shims, each held to its contract.

use serde_json::{Value, json};

use super::super::context::Context;
use super::super::exit::Failure;
use super::super::input;
use super::{failure, shim_failure};
use crate::decide::Budget;
use crate::diag::{Diagnostic, Severity, Source, SourceMap};
use crate::diff::semantic::Breach;
use crate::policy::Policy;
use crate::profile::{EvalFailure, Evaluation};
use crate::shim::{self, Edit, Kept, Shim, ShimError, UNPROVED};

/// A shim that was applied and what came of it.
pub(super) struct Done {
    pub(super) shim: Shim,
    pub(super) edits: Vec<Value>,
    pub(super) contract: Contract,
}

/// What holding a shim's contract against the profile gave.
pub(super) enum Contract {
    /// The shim states none, or states that anything may change.
    None,
    /// Proved over all requests.
    Kept,
    /// It lets something through, or refuses something, that it does not state.
    Broken(Kept, ShimError),
    /// Not decided, and why.
    Undecided(String),
}

impl Contract {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kept => "kept",
            Self::Broken(..) => "broken",
            Self::Undecided(_) => "undecided",
        }
    }
}

/// The profile as the shims so far have made it, with its rules once they were needed.
pub(super) struct Stage {
    pub(super) source: Source,
    /// An error when the text does not evaluate.
    pub(super) evaluation: Option<Result<Evaluation, String>>,
}

impl Stage {
    pub(super) fn new(source: Source) -> Self {
        Self { source, evaluation: None }
    }

    fn evaluation(&mut self, context: &Context) -> &Result<Evaluation, String> {
        self.evaluation.get_or_insert_with(|| {
            let options = input::options(context);
            input::evaluate_with(context, self.source.clone(), &options).map_err(|failure| first_error(&failure))
        })
    }

    /// Applies one shim and holds its contract against what came of it.
    pub(super) fn apply(
        &mut self,
        context: &Context,
        shim: &Shim,
        source: &Source,
        key: Option<&str>,
    ) -> Result<(Vec<Value>, Contract), Box<Failure>> {
        let done = shim::apply(shim, self.source.shared_text(), key);
        let done = done.map_err(|error| failure(&self.source, source, error))?;
        let edits = done.edits.iter().map(|edit| edit_json(&self.source, edit)).collect();
        let mut after = Self::new(Source::new(self.source.name(), done.text));
        let contract = match (shim.has_contract(), done.edits.is_empty()) {
            (false, _) => Contract::None,
            (true, true) => Contract::Kept,
            (true, false) => match (self.evaluation(context), after.evaluation(context)) {
                (Ok(before), Ok(after)) => contract(context, shim, source, &before.policy, &after.policy)?,
                (Err(error), _) => Contract::Undecided(format!("the profile does not evaluate: {error}")),
                (_, Err(error)) => Contract::Undecided(format!("the shimmed profile does not evaluate: {error}")),
            },
        };
        *self = after;
        Ok((edits, contract))
    }
}

fn first_error(failure: &EvalFailure) -> String {
    let error = failure.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
    error.map_or_else(|| failure.to_string(), |error| error.message.clone())
}

fn contract(
    context: &Context,
    shim: &Shim,
    source: &Source,
    before: &Policy,
    after: &Policy,
) -> Result<Contract, Box<Failure>> {
    let kept = shim
        .check_contract(before, after, &input::options(context), Budget::default())
        .map_err(|error| shim_failure(source, &error))?;
    Ok(match (shim.breach_error(&kept, context.target), kept.undecided.first()) {
        (Some(error), _) => Contract::Broken(kept, error),
        (None, Some(Breach { operation, found: Err(reason), .. })) => {
            Contract::Undecided(format!("{}: {reason}", context.target.operation(*operation).name))
        }
        _ => Contract::Kept,
    })
}

pub(super) fn refuse_broken(source: &Source, contract: &Contract) -> Result<(), Box<Failure>> {
    let Contract::Broken(_, error) = contract else { return Ok(()) };
    Err(shim_failure(source, error).with_help("`sbpl shim --report` shows all that the shim changes"))
}

pub(super) fn warn_unproved(context: &mut Context, shim: &Shim, contract: &Contract) {
    let Contract::Undecided(reason) = contract else { return };
    let message = format!("whether shim '{}' keeps its contract was not decided: {reason}", shim.name);
    let warning = Diagnostic::warning(UNPROVED, message).with_help("-D gives parameters, -I folders of imported files");
    context.report(&SourceMap::new(), &[warning]);
}

fn edit_json(found: &Source, edit: &Edit) -> Value {
    let start = found.line_column(edit.span.start);
    json!({
        "kind": edit.kind,
        "start": edit.span.start,
        "end": edit.span.end,
        "line": start.line,
        "column": start.column,
        "old": String::from_utf8_lossy(found.slice(edit.span)),
        "new": String::from_utf8_lossy(&edit.new),
    })
}
