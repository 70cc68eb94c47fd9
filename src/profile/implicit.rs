//! Rules that no profile writes: the prelude's before it, the compiler's own after it.
//!
//! Facts: `spec/sbpl-language.md` section 12, `spec/versions-and-defaults.md` sections 2 and 3, `spec/codegen-rules.md` section 3.
//! Not known, and left out: the rule of 10.12 on launchd's sockets (its paths), what newer systems infer beyond the system
//! calls below (`spec/versions-and-defaults.md` section 3.2), and the networking rule on systems before 14.4.

use super::directive::is_between;
use super::host::Evaluator;
use crate::pattern::Pattern;
use crate::policy::{Arg, Filter, Policy, Rule, RuleSource, Test};
use crate::vocab::{Action, OpId, Target};

/// The defaults of an SBPL version: an unfiltered allow of everything that its prelude allows.
pub(super) fn prelude(target: &'static Target, version: u8) -> Option<Rule> {
    let operations: Vec<_> =
        target.operations().iter().filter(|row| row.prelude >= version).map(|row| row.id).collect();
    let rule = Rule { source: RuleSource::Prelude, ..allow(operations, None) };
    (!rule.operations.is_empty()).then_some(rule)
}

fn allow(operations: Vec<OpId>, filter: Option<Filter>) -> Rule {
    Rule {
        action: Action::Allow,
        operations,
        filter,
        modifiers: Vec::new(),
        source: RuleSource::Implicit,
        origin: None,
    }
}

fn test(target: &Target, filter: &str, arg: Arg) -> Option<Filter> {
    Some(Filter::Test(Test { filter: target.filter_named(filter)?, arg }))
}

/// `(allow OP… (target self))`: which operations, from which target on.
const SELF_ALLOWED: &[(&str, &str)] = &[
    ("signal", ""),
    ("mach-task-name", "macos-10.13"),
    ("mach-task-inspect", "macos-12.3"),
    ("mach-task-read", "macos-12.3"),
    ("mach-task-special-port-get", "macos-26"),
];

/// The operations for which `(allow OPERATION (target self))` is added on `target`.
pub(crate) fn implicit_self(target: &Target) -> impl Iterator<Item = &'static str> {
    SELF_ALLOWED.iter().filter(|(_, from)| is_between(target, from, "")).map(|(name, _)| *name)
}

/// Whether `flow-divert` is added to `network-outbound` on `target`.
pub(crate) fn has_flow_divert(target: &Target) -> bool {
    is_between(target, "macos-14.4", "")
}

impl Evaluator<'_> {
    /// False when a parameter `NO_IMPLICIT_RULES` exists, whatever its value.
    pub(super) fn has_implicit_rules(&self) -> bool {
        self.options.params.as_ref().is_none_or(|params| !params.contains_key("NO_IMPLICIT_RULES"))
    }

    /// The rules after the profile.
    pub(super) fn add_implicit_rules(&mut self) {
        if !self.has_implicit_rules() {
            return;
        }
        let target = self.target();
        let operations: Vec<_> = implicit_self(target).filter_map(|name| target.operation_named(name)).collect();
        let itself = target.symbol_value("self").map(Arg::Integer);
        if let Some(filter) = itself.and_then(|arg| test(target, "target", arg)) {
            self.add_own_rule(allow(operations, Some(filter)));
        }
        if !has_flow_divert(target) {
            return;
        }
        self.infer(
            "network-outbound",
            "network-outbound",
            "control-name",
            &[Arg::Pattern(Pattern::literal("com.apple.flow-divert"))],
        );
        if self.policy.as_ref().is_some_and(|policy| policy.version() != 1) && self.syscall_inference {
            self.infer(
                "signal",
                "syscall-unix",
                "syscall-number",
                &[number(target, "SYS_exit", 1), number(target, "SYS_kill", 37)],
            );
            self.infer("iokit-open-user-client", "syscall-mach", "machtrap-number", &[Arg::Integer(100)]);
        }
    }

    /// Allows `operation` for these values of `filter` if `cause` can be allowed.
    fn infer(&mut self, cause: &str, operation: &str, filter: &str, args: &[Arg]) {
        let target = self.target();
        let can = |policy: &Policy| {
            target.operation_named(cause).is_some_and(|cause| policy.can_return(cause, Action::Allow))
        };
        let Some(operation) = target.operation_named(operation) else { return };
        let mut tests: Vec<_> = args.iter().filter_map(|arg| test(target, filter, arg.clone())).collect();
        if tests.is_empty() || !self.policy.as_ref().is_some_and(can) {
            return;
        }
        let filter = if tests.len() == 1 { tests.remove(0) } else { Filter::Any(tests) };
        self.add_own_rule(allow(vec![operation], Some(filter)));
    }
}

fn number(target: &Target, symbol: &str, otherwise: u16) -> Arg {
    Arg::Integer(target.symbol_value(symbol).unwrap_or(otherwise))
}
