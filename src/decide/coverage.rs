//! Which rules decide anything.

use std::collections::BTreeMap;

use super::atoms::Atoms;
use super::dag::{Dag, Root};
use super::engine::{Answer, Decider, Engine, Verdict};
use super::exclusive::Exclusive;
use super::path::PathVerdict;
use super::rules::Rules;
use super::space::{Budget, Space, Undecided};
use super::value::Request;
use crate::policy::{Policy, RuleId};
use crate::vocab::OpId;

/// Why a rule decides no request at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No request meets its own filter, as two literals at once or a path that no file has.
    Contradiction,
    /// Every request that meets its filter meets that of this newer rule too.
    Shadowed(RuleId),
    /// Newer filtered rules of the operation cover it together.
    Covered,
    /// It has no filter, and this newer rule without filter takes its place.
    Replaced(RuleId),
}

/// How often each rule (or default) decided; requests whose decider hangs on unknown values are left out.
pub fn deciders<'r>(engine: &Engine, requests: impl IntoIterator<Item = &'r Request>) -> BTreeMap<Decider, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        count(&engine.decide(request), &mut counts);
    }
    counts
}

/// How often each rule (or default) decided about a path as a program gives it: the operation, and the metadata of each link on
/// the way up to one that is refused.
pub fn deciders_on_the_way(verdict: &PathVerdict) -> BTreeMap<Decider, usize> {
    let mut counts = BTreeMap::new();
    for (_, link) in &verdict.links {
        count(link, &mut counts);
        if link.answer == Answer::Deny {
            return counts;
        }
    }
    count(&verdict.operation, &mut counts);
    counts
}

fn count(verdict: &Verdict, counts: &mut BTreeMap<Decider, usize>) {
    if let Some(decider) = verdict.only_decider() {
        *counts.entry(decider).or_default() += 1;
    }
}

/// The rules that decide no request in any of their operations, each with the reason in the last operation that it names.
/// Proved over all requests; a rule about which the budget does not suffice is not listed.
///
/// A rule that decides nothing for its own operation decides nothing for the operations that fall back on it either: those ask
/// further rules before it.
pub fn never_decides(policy: &Policy, budget: Budget) -> Vec<(RuleId, Reason)> {
    let mut atoms = Atoms::new(policy.target());
    let rules = Rules::new(policy, &mut atoms);
    atoms.freeze();
    let mut dag = Dag::new(budget.nodes);
    rules.order(&mut dag);
    let exclusive = Exclusive::new(policy.target());
    let Ok(conditions) = rules.conditions(&mut dag) else { return Vec::new() };
    let space = Space::new(&atoms, &exclusive, policy.target(), budget);
    let mut prover = Prover { policy, conditions, dag, space };
    // `None`: alive, or not decided, in some operation.
    let mut verdicts: BTreeMap<RuleId, Option<Reason>> = BTreeMap::new();
    for operation in policy.target().operations() {
        prover.operation(operation.id, &mut verdicts);
    }
    // An unfiltered rule that is not the newest stands in no list.
    for (id, rule) in policy.iter().filter(|(_, rule)| rule.filter.is_none()) {
        for operation in &rule.operations {
            if let Some(newer) = policy.operation(*operation).fallback.filter(|newer| *newer != id) {
                verdicts.entry(id).or_insert(Some(Reason::Replaced(newer)));
            }
        }
    }
    verdicts.into_iter().filter_map(|(id, reason)| Some((id, reason?))).collect()
}

struct Prover<'a> {
    policy: &'a Policy,
    conditions: Vec<Option<Root>>,
    dag: Dag,
    space: Space<'a>,
}

impl Prover<'_> {
    fn operation(&mut self, operation: OpId, verdicts: &mut BTreeMap<RuleId, Option<Reason>>) {
        let own = self.policy.operation(operation);
        let mut newer: Vec<(RuleId, Root)> = Vec::new();
        let mut covered = Root::DENY;
        let filtered = own.filtered.iter().rev().map(|id| (*id, self.conditions.get(id.0 as usize).copied().flatten()));
        let fallback = own.fallback.map(|id| (id, Some(Root::ALLOW)));
        for (id, condition) in filtered.chain(fallback).collect::<Vec<_>>() {
            let Some(condition) = condition else { continue };
            let known_alive = matches!(verdicts.get(&id), Some(None));
            if !known_alive {
                let reason = self.reason(operation, condition, covered, &newer).unwrap_or(None);
                verdicts.insert(id, reason);
            }
            match self.dag.or(covered, condition) {
                Ok(more) => covered = more,
                // Without the whole cover nothing more can be proved here.
                Err(_) => return,
            }
            newer.push((id, condition));
        }
    }

    /// Why no request on `operation` meets `condition` and none of the newer rules.
    fn reason(
        &mut self,
        operation: OpId,
        condition: Root,
        covered: Root,
        newer: &[(RuleId, Root)],
    ) -> Result<Option<Reason>, Undecided> {
        if self.exists(operation, condition, covered)? {
            return Ok(None);
        }
        if !self.exists(operation, condition, Root::DENY)? {
            return Ok(Some(Reason::Contradiction));
        }
        for (id, cover) in newer {
            if !self.exists(operation, condition, *cover)? {
                return Ok(Some(Reason::Shadowed(*id)));
            }
        }
        Ok(Some(Reason::Covered))
    }

    /// Whether some request meets `condition` and not `except`.
    fn exists(&mut self, operation: OpId, condition: Root, except: Root) -> Result<bool, Undecided> {
        let root = self.dag.ite(except, Root::DENY, condition)?;
        Ok(self.space.find(&mut self.dag, operation, root)?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;
    use crate::policy::RuleSource;
    use crate::profile::{EvalOptions, NoImports, evaluate};

    /// The reasons by the position of the rule among those of the profile.
    fn dead(text: &str) -> Vec<(usize, &'static str)> {
        let text = format!("(version 1){text}");
        let source = Source::new("t.sb", text.as_bytes());
        let policy = evaluate(source, &NoImports, &EvalOptions::default()).unwrap().policy;
        let profile: Vec<RuleId> =
            policy.iter().filter(|(_, rule)| rule.source == RuleSource::Profile).map(|(id, _)| id).collect();
        let found = never_decides(&policy, Budget::default());
        found
            .iter()
            .filter_map(|(id, reason)| {
                let word = match reason {
                    Reason::Contradiction => "contradiction",
                    Reason::Shadowed(_) => "shadowed",
                    Reason::Covered => "covered",
                    Reason::Replaced(_) => "replaced",
                };
                Some((profile.iter().position(|known| known == id)?, word))
            })
            .collect()
    }

    #[test]
    fn dead_rules_are_found_with_their_reason() {
        let dead_ones = dead(
            r#"(allow default)
            (deny file-read* (literal "/a/b"))
            (deny file-read* (subpath "/x/y"))
            (allow file-read* (subpath "/a"))
            (allow file-read* (subpath "/X"))
            (deny file-write* (require-all (literal "/p") (literal "/q")))
            (allow mach-lookup)
            (deny mach-lookup)
            (deny sysctl-read (sysctl-name-prefix "k"))
            (deny sysctl-read (require-not (sysctl-name-prefix "k")))
            (allow sysctl-read (sysctl-name "hw"))"#,
        );
        assert_eq!(dead_ones, [(1, "shadowed"), (2, "shadowed"), (5, "contradiction"), (6, "replaced")]);
    }

    #[test]
    fn covered_together_and_a_rule_that_lives_in_one_operation() {
        let text = r#"(deny default)
            (allow file-read* (literal "/a"))
            (deny file-read* (require-all (literal "/a") (vnode-type DIRECTORY)))
            (deny file-read* (require-all (literal "/a") (require-not (vnode-type DIRECTORY))))
            (allow file-read* file-write* (literal "/c"))
            (deny file-read* (literal "/c"))"#;
        assert_eq!(dead(text), [(1, "covered")]);
    }

    #[test]
    fn deciders_are_counted() {
        let text = r#"(version 1)(deny default)(allow file-read* (subpath "/a"))"#;
        let policy =
            evaluate(Source::new("t.sb", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy;
        let read = policy.target().operation_named("file-read*").unwrap();
        let engine = Engine::new(policy);
        let requests = ["/a", "/a/b", "/c"].map(|path| Request::new(read).with_path(path));
        assert_eq!(deciders(&engine, &requests).into_values().collect::<Vec<_>>(), [1, 2]);
    }
}
