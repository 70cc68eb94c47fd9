//! `sbpl rule`: the pages of the linter's rules and the meaning of every error code.

use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::diag::Code;
use crate::lint::{self, RULES, Rule};
use crate::{blob, compile, decide, minimize, pattern, probe, profile, sandbox, shim, syntax};

const CODE_UNKNOWN: Code = Code("E0761");

/// Print a rule's page, or list all rules and error codes.
///
/// With --json: {"rules": [{"code", "name", "category", "severity", "default", "fix", "summary", "page"}], "errors": [{"code", "meaning"}]}.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A code (SBPL003, E0101) or a rule's name (dead-path).
    code: Option<String>,
}

/// Every error code with its meaning, by room.
fn error_codes() -> Vec<(Code, &'static str)> {
    let rooms: [&[(Code, &'static str)]; 11] = [
        super::codes::CODES,
        &syntax::CODES,
        profile::CODES,
        compile::CODES,
        blob::codes::CODES,
        &shim::CODES,
        &probe::CODES,
        &minimize::CODES,
        &sandbox::CODES,
        decide::CODES,
        pattern::codes::CODES,
    ];
    let mut all = rooms.concat();
    // A check's meaning is what must hold.
    all.extend(blob::CHECKS.iter().map(|check| (Code(check.code), check.rule)));
    all.sort_unstable_by_key(|(code, _)| *code);
    all
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let (rules, errors) = match &self.code {
            None => (RULES.to_vec(), error_codes()),
            Some(wanted) => {
                let rules: Vec<&Rule> = lint::rule(wanted).into_iter().collect();
                let errors: Vec<_> =
                    error_codes().into_iter().filter(|(code, _)| code.0.eq_ignore_ascii_case(wanted)).collect();
                if rules.is_empty() && errors.is_empty() {
                    let message = format!("no rule and no error is called {wanted}");
                    return Err(
                        Failure::new(Exit::Usage, CODE_UNKNOWN, message).with_help("`sbpl rule` lists all of them")
                    );
                }
                (rules, errors)
            }
        };
        if context.json {
            let errors = errors.iter().map(|(code, meaning)| json!({ "code": code, "meaning": meaning }));
            context.print_json(&json!({
                "rules": rules.iter().map(|rule| as_json(rule)).collect::<Vec<_>>(),
                "errors": errors.collect::<Vec<_>>(),
            }));
        } else if self.code.is_some() {
            for rule in rules {
                context.print(rule.document());
            }
            for (code, meaning) in errors {
                context.print(format!("{code}: {meaning}\n"));
            }
        } else {
            for rule in rules {
                let default = if rule.default { "on " } else { "off" };
                context.print(format!("{}  {default}  {:12} {}\n", rule.code, rule.category.name(), rule.name));
            }
            for (code, meaning) in errors {
                context.print(format!("{code}  {meaning}\n"));
            }
        }
        Ok(Exit::Fine)
    }
}

fn as_json(rule: &Rule) -> Value {
    json!({
        "code": rule.code,
        "name": rule.name,
        "category": rule.category,
        "severity": rule.severity,
        "default": rule.default,
        "fix": rule.fix,
        "summary": rule.summary(),
        "page": rule.document(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_means_two_things() {
        let codes: Vec<_> = error_codes().iter().map(|(code, _)| *code).collect();
        let mut distinct = codes.clone();
        distinct.dedup();
        assert_eq!(codes, distinct);
    }
}
