//! `sbpl expand`: what a profile amounts to.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::input;
use crate::diag::{Location, SourceMap};
use crate::policy::print::{self, Printer};
use crate::policy::{Modifier, ModifierValue, Origin, OriginKind, Rule, RuleSource};
use crate::profile::Evaluation;

/// Evaluate a profile to flat SBPL: imports, macros and parameters resolved. The output is a profile again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profile; `-` is standard input.
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Show the rules of the version and the compiler as comments.
    #[arg(long)]
    all: bool,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let evaluation = input::profile(context, &self.path)?;
        if context.json {
            context.print_json(&document(&evaluation));
        } else {
            let text = print::policy(&evaluation.policy, self.all);
            context.print_raw(&text);
        }
        Ok(Exit::Fine)
    }
}

fn document(evaluation: &Evaluation) -> Value {
    let policy = &evaluation.policy;
    let printer = Printer::new(policy.target(), policy.version());
    let rules: Vec<_> = policy.rules().iter().map(|rule| rule_json(&printer, rule, &evaluation.sources)).collect();
    json!({
        "target": policy.target().name(),
        "version": policy.version(),
        "options": {
            "trace": policy.options.trace.as_deref().map(text),
            "disable_callouts": policy.options.disable_callouts,
            "disable_full_symbolication": policy.options.disable_full_symbolication,
        },
        "rules": rules,
        "missing_params": evaluation.missing_params,
        "warnings": evaluation.warnings.iter().map(|warning| json!({
            "code": warning.code,
            "message": warning.message,
            "at": warning.location.and_then(|location| place(&evaluation.sources, location)),
        })).collect::<Vec<_>>(),
    })
}

fn rule_json(printer: &Printer, rule: &Rule, sources: &SourceMap) -> Value {
    json!({
        "action": rule.action,
        "operations": rule.operations.iter().map(|&id| printer.operation(id)).collect::<Vec<_>>(),
        "filter": rule.filter.as_ref().map(|filter| text(&printer.filter(filter))),
        "modifiers": rule.modifiers.iter().map(|modifier| modifier_json(printer, modifier, sources)).collect::<Vec<_>>(),
        "source": match rule.source {
            RuleSource::Prelude => "prelude",
            RuleSource::Profile => "profile",
            RuleSource::Implicit => "implicit",
        },
        "origin": rule.origin.as_ref().and_then(|origin| origin_json(origin, sources)),
        "text": text(&printer.rule(rule)),
    })
}

fn modifier_json(printer: &Printer, modifier: &Modifier, sources: &SourceMap) -> Value {
    match &modifier.value {
        ModifierValue::Rules(filter) => {
            let rules: Vec<_> = filter.rules.iter().map(|rule| rule_json(printer, rule, sources)).collect();
            json!({ "message_filter": rules })
        }
        _ => json!(text(&printer.modifier(modifier))),
    }
}

fn origin_json(origin: &Origin, sources: &SourceMap) -> Option<Value> {
    let mut value = place(sources, origin.location)?;
    let via: Vec<_> = origin
        .via
        .iter()
        .filter_map(|frame| {
            let mut step = place(sources, frame.location)?;
            step["kind"] = json!(match frame.kind {
                OriginKind::Import => "import",
                OriginKind::Call => "call",
            });
            step["name"] = json!(frame.name);
            Some(step)
        })
        .collect();
    value["via"] = json!(via);
    Some(value)
}

fn place(sources: &SourceMap, location: Location) -> Option<Value> {
    let (file, at) = sources.position(location)?;
    Some(json!({ "file": file, "line": at.line, "column": at.column }))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
