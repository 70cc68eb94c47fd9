use std::collections::{BTreeMap, HashSet};

use crate::decide::Budget;
use crate::decide::coverage::{Reason, never_decides};
use crate::diag::{Location, Span};
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::policy::{Policy, Rule, RuleSource};

declare_rule! {
    /// A rule that decides no request at all, proved over all requests.
    ///
    /// ## Why
    /// Either no request can meet its filter (two different `literal` at once), or newer rules answer the other way for every
    /// request that does. `shadowed-rule` sees this for plain paths without evaluating; this rule needs a profile that evaluates with the
    /// parameters given, and sees through regexes, `require-all` and `require-not`.
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (allow default)
    /// (deny file-read* (regex #"^/opt/secrets/.*\.key$"))
    /// (allow file-read* (subpath "/opt"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (version 1)
    /// (allow default)
    /// (allow file-read* (subpath "/opt"))
    /// (deny file-read* (regex #"^/opt/secrets/.*\.key$"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.
    DEAD_RULE = "SBPL058" "dead-rule" { Correctness, Warning, default: true, fix: No } check
}

/// Enough for profiles that people write; a larger one is not judged.
const BUDGET: Budget = Budget { nodes: 1 << 16, states: 1 << 14, trials: 1 << 15 };

fn check(context: &Context<'_>, found: &mut Findings<'_>) {
    let Some(policy) = context.policy else { return };
    let known = super::order::reported(context);
    let mut dead: BTreeMap<Span, Vec<Option<(Reason, bool)>>> = BTreeMap::new();
    let reasons: BTreeMap<_, _> = never_decides(policy, BUDGET).into_iter().collect();
    for (id, rule) in policy.iter().filter(|(_, rule)| rule.source == RuleSource::Profile) {
        // A form in a function makes a rule for each call: it is dead when all of them are.
        if let Some(span) = place(context, rule) {
            let reason = reasons.get(&id).map(|reason| (reason.clone(), is_harmful(policy, rule, reason)));
            dead.entry(span).or_default().push(reason);
        }
    }
    for (span, reasons) in dead.into_iter().filter(|(span, _)| !known.contains(&span.start)) {
        let Some(reasons) = reasons.into_iter().collect::<Option<Vec<_>>>() else { continue };
        let Some((reason, _)) = reasons.into_iter().find(|(_, harmful)| *harmful) else { continue };
        match reason {
            Reason::Contradiction => {
                found.at_span(span, "this rule never decides: no request can meet its filter");
            }
            Reason::Shadowed(newer) => {
                let finding = found.at_span(span, "this rule never decides: a newer one answers every request first");
                let newer = policy.get(newer).and_then(|rule| place(context, rule));
                if let Some(newer) = newer {
                    finding.label(Location::new(context.source, newer), "this one");
                }
                finding.help("Put the narrower rule after the wider one.");
            }
            Reason::Covered => {
                found.at_span(span, "this deny never decides: newer rules answer every request first");
            }
            Reason::Replaced(_) => {}
        }
    }
}

/// Where the rule is written, if that is in the text that is checked.
fn place(context: &Context<'_>, rule: &Rule) -> Option<Span> {
    let location = rule.origin.as_ref()?.location;
    // The policy was made from this text, so the text is its first.
    (location.source.0 == 0).then_some(location.span).filter(|span| span.end as usize <= context.tree.text().len())
}

/// True when the answer is another one than the rule gives. A rule that newer ones repeat only is a matter of style.
fn is_harmful(policy: &Policy, rule: &Rule, reason: &Reason) -> bool {
    match reason {
        Reason::Contradiction => true,
        Reason::Shadowed(newer) => policy.get(*newer).is_some_and(|newer| newer.action != rule.action),
        Reason::Covered => {
            let others = policy.rules().iter().filter(|other| other.filter.is_some() && other.action != rule.action);
            let operations: HashSet<_> = rule.operations.iter().collect();
            others.flat_map(|other| &other.operations).any(|operation| operations.contains(operation))
        }
        // `replaced-fallback` tells.
        Reason::Replaced(_) => false,
    }
}
