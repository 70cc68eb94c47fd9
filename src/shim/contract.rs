//! What a shim may change on one profile, held against what it does change.
//!
//! `(widens …)` and `(narrows …)` bound the requests whose answers may change. Both are decided over all requests by
//! [`diff::semantic`](crate::diff::semantic): a contract is broken by a request that the bound does not cover, and that request
//! is named. Only verdicts count: a shim may add `no-log` and keep `(widens nothing)`.

use super::error::{ShimError, ShimErrorKind as Kind};
use super::file::{Bound, Scope, Shim};
use crate::decide::{Budget, Request};
use crate::diag::{Location, Severity, Source, Span};
use crate::diff::semantic::{Bounds, Breach, CompareError, Comparison, Direction, Extent, Region, Side};
use crate::policy::{Policy, Rule, RuleSource};
use crate::profile::{self, EvalOptions, NoImports};
use crate::vocab::{Action, Target};

/// Any operation, in a scope.
const ANY_OPERATION: &str = "_";
/// Stands in for any operation where a scope's filters are evaluated: it takes those about paths and processes.
const FILE_OPERATION: &str = "file-read*";

/// What holding a contract against one profile gave. Empty lists: it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Operations that change although the contract does not say so, with a shortest request each.
    pub broken: Vec<Breach>,
    /// Operations for which the budget did not suffice.
    pub undecided: Vec<Breach>,
}

impl Kept {
    /// Whether it is proved that the contract is kept.
    pub fn is_proved(&self) -> bool {
        self.broken.is_empty() && self.undecided.is_empty()
    }

    /// The request that shows best how the contract is broken: the shortest, of operations without wildcard first.
    pub fn witness(&self, target: &Target) -> Option<(&Breach, &Request)> {
        let found = self.broken.iter().filter_map(|breach| Some((breach, breach.found.as_ref().ok()?)));
        found.min_by_key(|(breach, request)| {
            let is_wildcard = target.operation(breach.operation).name.ends_with('*');
            (is_wildcard, request.words(target).iter().map(String::len).sum::<usize>())
        })
    }
}

impl Shim {
    /// Whether it states a bound that can be broken.
    pub fn has_contract(&self) -> bool {
        [&self.widens, &self.narrows].iter().any(|bound| !matches!(bound, None | Some(Bound::Anything)))
    }

    /// Holds the contract against what the shim made of a profile: `before` and `after` are the profile without and with it.
    /// Scopes are evaluated as rules of the profile's version are, with `options`.
    ///
    /// # Errors
    /// [`Kind::BadScope`] when a scope means nothing on this system.
    pub fn check_contract(
        &self,
        before: &Policy,
        after: &Policy,
        options: &EvalOptions,
        budget: Budget,
    ) -> Result<Kept, ShimError> {
        let region = |bound: &Option<Bound>| match bound {
            None | Some(Bound::Anything) => Ok(None),
            Some(Bound::Nothing) => Ok(Some(Region::default())),
            Some(Bound::Only(scopes)) => region(scopes, before.version(), options).map(Some),
        };
        let bounds = Bounds { widened: region(&self.widens)?, narrowed: region(&self.narrows)? };
        if bounds == Bounds::default() {
            return Ok(Kept::default());
        }
        let sides = (Side::Policy(before), Side::Policy(after));
        let mut comparison = match Comparison::bounded(sides.0, sides.1, &bounds, budget) {
            Ok(comparison) => comparison,
            // Two policies of one target are always comparable, and no blob is involved.
            Err(CompareError::Targets(..) | CompareError::Graph { .. }) => return Ok(Kept::default()),
        };
        let (broken, undecided) = comparison.breaches().into_iter().partition(|breach| breach.found.is_ok());
        Ok(Kept { broken, undecided })
    }

    /// The error that says how the contract is broken; `None` when nothing shows that it is.
    pub fn breach_error(&self, kept: &Kept, target: &Target) -> Option<ShimError> {
        let (breach, request) = kept.witness(target)?;
        let mut others: Vec<&str> = kept
            .broken
            .iter()
            .filter(|other| other.direction == breach.direction && other.operation != breach.operation)
            .map(|other| target.operation(other.operation).name)
            .collect();
        others.sort_unstable();
        Some(ShimError {
            span: self.clause_span(breach.direction),
            kind: Kind::Broken {
                shim: self.name.clone(),
                direction: breach.direction,
                operation: target.operation(breach.operation).name,
                values: request.words(target),
                others: others.into_iter().map(str::to_owned).collect(),
            },
        })
    }

    /// Where the side of the contract is stated.
    pub fn clause_span(&self, direction: Direction) -> Span {
        let name: &[u8] = match direction {
            Direction::Widened => b"widens",
            Direction::Narrowed => b"narrows",
        };
        let form = self.tree.roots().find(|&node| self.tree.span(node) == self.span);
        let clause =
            form.and_then(|form| self.tree.children(form).find(|&clause| self.tree.head(clause) == Some(name)));
        clause.map_or(self.span, |clause| self.tree.span(clause))
    }
}

/// The requests that `scopes` cover. A scope is evaluated as the rule that allows what it covers, so that names and filters
/// mean what they mean in profiles.
fn region(scopes: &[Scope], version: u8, options: &EvalOptions) -> Result<Region, ShimError> {
    let mut text = format!("(version {version})\n").into_bytes();
    // Where the rule of each scope ends.
    let mut ends: Vec<usize> = Vec::with_capacity(scopes.len());
    let mut extents = Vec::new();
    for scope in scopes {
        if is_any(scope) && scope.filters.is_empty() {
            extents.push(Extent { operations: None, filter: None });
        } else {
            write_rule(&mut text, scope);
        }
        ends.push(text.len());
    }
    let scope_at = |location: Option<Location>| {
        let at = location.map_or(0, |location| location.span.start as usize);
        scopes.get(ends.partition_point(|end| *end <= at))
    };
    let evaluation = profile::evaluate(Source::new("contract", text), &NoImports, options).map_err(|failure| {
        let error = failure.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
        ShimError {
            kind: Kind::BadScope(error.map_or_else(String::new, |error| error.message.clone())),
            span: error
                .and_then(|error| scope_at(error.location))
                .or(scopes.first())
                .map_or_else(Span::default, |s| s.span),
        }
    })?;
    let is_stated = |rule: &&Rule| rule.source == RuleSource::Profile && rule.action == Action::Allow;
    for rule in evaluation.policy.rules().iter().filter(is_stated) {
        let any = scope_at(rule.origin.as_ref().map(|origin| origin.location)).is_some_and(is_any);
        extents.push(Extent { operations: (!any).then(|| rule.operations.clone()), filter: rule.filter.clone() });
    }
    Ok(Region { extents })
}

fn is_any(scope: &Scope) -> bool {
    scope.operations.iter().any(|operation| operation == ANY_OPERATION)
}

fn write_rule(text: &mut Vec<u8>, scope: &Scope) {
    text.extend_from_slice(b"(allow");
    let operations: &[String] = if is_any(scope) { &[FILE_OPERATION.to_owned()] } else { &scope.operations };
    let parts = operations.iter().map(|name| name.as_bytes()).chain(scope.filters.iter().map(Vec::as_slice));
    for part in parts {
        // A line each: a filter may end in a comment.
        text.push(b'\n');
        text.extend_from_slice(part);
    }
    text.extend_from_slice(b"\n)\n");
}

#[cfg(test)]
mod tests;
