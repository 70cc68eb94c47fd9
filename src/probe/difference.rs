//! What the shims changed in a profile, for `runtime_diffs.json`.

use super::artifact::{ChangedOperations, ChangedRule, ProfileDiff};
use super::decode::evaluated;
use super::run::RunOptions;
use crate::decide::Budget;
use crate::diff::semantic::{Change, Comparison, Side};
use crate::diff::{rules, text};
use crate::policy::print::Printer;
use crate::policy::{Policy, RuleId};
use crate::sandbox::Rules;

/// What the semantic comparison of one profile may use: a run has many, and shims change few rules.
const BUDGET: Budget = Budget { nodes: 1 << 18, states: 1 << 14, trials: 1 << 16 };

/// Compares a profile with its shimmed text: line by line, and after evaluation rule by rule and over all requests.
pub(super) fn between(
    base: (&str, &[u8]),
    shimmed: (&str, &[u8]),
    rules: Option<&Rules>,
    shims: Vec<String>,
    options: &RunOptions<'_>,
) -> ProfileDiff {
    let lines: String = text::unified(base, shimmed).into_iter().map(|line| line.text + "\n").collect();
    let mut diff = ProfileDiff { text: lines, shims, rules: Vec::new(), semantic: None, error: None };
    if base.1 == shimmed.1 {
        return diff;
    }
    match (evaluated(base.0, base.1, options), rules) {
        (Ok(before), Some(Rules::Policy(after))) => {
            diff.rules = changed(&before.policy, after);
            diff.semantic = semantic(&before.policy, after);
        }
        (Err(error), _) => diff.error = Some(error),
        (Ok(_), _) => diff.error = Some("the shimmed profile does not evaluate".to_owned()),
    }
    diff
}

/// `None` when the two are not for one system.
fn semantic(before: &Policy, after: &Policy) -> Option<Vec<ChangedOperations>> {
    let mut comparison = Comparison::new(Side::Policy(before), Side::Policy(after), BUDGET).ok()?;
    let target = comparison.target();
    let mut groups: Vec<ChangedOperations> = Vec::new();
    for (operation, change) in comparison.changes() {
        let mut row = ChangedOperations {
            change: change.name().to_owned(),
            operations: Vec::new(),
            widened: None,
            narrowed: None,
            reason: None,
        };
        match change {
            Change::Equal => continue,
            Change::Differs { widened, narrowed } => {
                row.widened = widened.map(|request| request.words(target));
                row.narrowed = narrowed.map(|request| request.words(target));
            }
            Change::Undecided(reason) => row.reason = Some(reason.to_string()),
        }
        let name = target.operation(operation).name.to_owned();
        match groups.iter_mut().find(|group| ChangedOperations { operations: Vec::new(), ..(*group).clone() } == row) {
            Some(group) => group.operations.push(name),
            None => groups.push(ChangedOperations { operations: vec![name], ..row }),
        }
    }
    Some(groups)
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
