//! What the shims changed in a profile, for `runtime_diffs.json`.

use super::artifact::{ChangedRule, ProfileDiff};
use super::decode::evaluated;
use super::run::RunOptions;
use crate::diff::{rules, text};
use crate::policy::print::Printer;
use crate::policy::{Policy, RuleId};
use crate::sandbox::Rules;

/// Compares a profile with its shimmed text: line by line, and rule by rule after evaluation.
pub(super) fn between(
    base: (&str, &[u8]),
    shimmed: (&str, &[u8]),
    rules: Option<&Rules>,
    shims: Vec<String>,
    options: &RunOptions<'_>,
) -> ProfileDiff {
    let lines: String = text::unified(base, shimmed).into_iter().map(|line| line.text + "\n").collect();
    let mut diff = ProfileDiff { text: lines, shims, rules: Vec::new(), error: None };
    if base.1 == shimmed.1 {
        return diff;
    }
    match (evaluated(base.0, base.1, options), rules) {
        (Ok(before), Some(Rules::Policy(after))) => diff.rules = changed(&before.policy, after),
        (Err(error), _) => diff.error = Some(error),
        (Ok(_), _) => diff.error = Some("the shimmed profile does not evaluate".to_owned()),
    }
    diff
}

fn changed(before: &Policy, after: &Policy) -> Vec<ChangedRule> {
    let target = after.target();
    let shown = |policy: &Policy, id: Option<RuleId>| {
        let text = Printer::new(target, policy.version()).rule(policy.get(id?)?);
        Some(String::from_utf8_lossy(&text).lines().map(str::trim).collect::<Vec<_>>().join(" "))
    };
    let rows = rules::rules(before, after).into_iter().map(|change| ChangedRule {
        change: change.kind.name().to_owned(),
        before: shown(before, change.a),
        after: shown(after, change.b),
        operations: change.operations.iter().map(|id| target.operation(*id).name.to_owned()).collect(),
    });
    rows.collect()
}
