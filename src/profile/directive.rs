//! The procedures of SBPL that are neither operations, filters nor modifiers (`spec/sbpl-language.md` sections 5, 6 and 9).

use super::object::Procedure;
use crate::vocab::{Action, Target};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    Version,
    Import,
    Load,
    Param,
    Rule(Action),
    With,
    RequireAny,
    RequireAll,
    RequireNot,
    RequireEntitlement,
    EntitlementValue,
    EntitlementValueRegex,
    Trace,
    /// Accepted, without effect.
    Ignored,
    DisableCallouts,
    DisableFullSymbolication,
    DisableSyscallInference,
    DefineStorageClass,
    PathAncestors,
    RegexQuote,
    VariableQuote,
    SplitString,
    IoCommand,
    IsFilter,
    IsOperation,
    IsModifier,
    CanReturn,
    Finalize,
    /// Adds something to the arguments of a rule: what `with-filter` and its kin are made of.
    ExtendRule,
    BeginMessageFilter,
    EndMessageFilter,
}

/// `(name, procedure, oldest target, newest target)`; an empty target name is open. Names that begin with `%%` are only
/// used by `library.scm` and can be written by no profile of ours to any use.
const TABLE: &[(&str, Procedure, &str, &str)] = &[
    ("import", directive(Directive::Import), "", ""),
    ("load", directive(Directive::Load), "", ""),
    ("param", directive(Directive::Param), "", ""),
    ("getenv", directive(Directive::Param), "", ""),
    ("allow", directive(Directive::Rule(Action::Allow)), "", ""),
    ("deny", directive(Directive::Rule(Action::Deny)), "", ""),
    ("with", directive(Directive::With), "", ""),
    ("require-any", directive(Directive::RequireAny), "", ""),
    ("require-all", directive(Directive::RequireAll), "", ""),
    ("require-not", directive(Directive::RequireNot), "", ""),
    ("require-entitlement", directive(Directive::RequireEntitlement), "", ""),
    ("entitlement-value", directive(Directive::EntitlementValue), "", ""),
    ("entitlement-value-regex", directive(Directive::EntitlementValueRegex), "", ""),
    ("trace", directive(Directive::Trace), "", ""),
    ("record", directive(Directive::Ignored), "", ""),
    ("eliminate-duplicate-rules", directive(Directive::Ignored), "", ""),
    ("disable-callouts", directive(Directive::DisableCallouts), "", ""),
    ("disable-full-symbolication", directive(Directive::DisableFullSymbolication), "", ""),
    ("disable-syscall-inference", directive(Directive::DisableSyscallInference), "macos-26", ""),
    ("define-storage-class", directive(Directive::DefineStorageClass), "macos-10.14", ""),
    ("path-ancestors", directive(Directive::PathAncestors), "macos-10.14", ""),
    ("regex-quote", directive(Directive::RegexQuote), "", ""),
    ("variable-quote", directive(Directive::VariableQuote), "macos-12.3", ""),
    ("split-string", directive(Directive::SplitString), "", ""),
    ("_IO", directive(Directive::IoCommand), "", ""),
    ("sbpl-filter?", directive(Directive::IsFilter), "", ""),
    ("sbpl-operation?", directive(Directive::IsOperation), "macos-14.4", ""),
    ("sbpl-modifier?", directive(Directive::IsModifier), "macos-14.4", ""),
    ("sbpl-operation-can-return?", directive(Directive::CanReturn), "", ""),
    ("%finalize", directive(Directive::Finalize), "", ""),
    ("%%extend-rule", directive(Directive::ExtendRule), "", ""),
    ("%%begin-message-filter", directive(Directive::BeginMessageFilter), "macos-12.3", ""),
    ("%%end-message-filter", directive(Directive::EndMessageFilter), "macos-12.3", ""),
    ("tty", shorthand("vnode-type", "TTY"), "", ""),
    ("debug-mode", shorthand("system-attribute", "sandbox-debug-mode"), "", ""),
    ("process-is-plugin", shorthand("process-attribute", "is-plugin"), "", ""),
    ("process-is-installer", shorthand("process-attribute", "is-installer"), "", ""),
    ("rootless-file-filter", shorthand("file-attribute", "sip-protected"), "macos-10.14", ""),
    ("datavault-file-filter", shorthand("file-attribute", "datavault"), "macos-10.14", ""),
    ("executable-bundle", Procedure::ExtensionShorthand("com.apple.sandbox.executable"), "", ""),
    ("container", Procedure::ExtensionShorthand("com.apple.sandbox.container"), "", ""),
    ("application-group", Procedure::ExtensionShorthand("com.apple.sandbox.application-group"), "", ""),
    ("system-container", Procedure::ExtensionShorthand("com.apple.sandbox.system-container"), "", ""),
    ("system-group", Procedure::ExtensionShorthand("com.apple.sandbox.system-group"), "", ""),
];

const fn directive(directive: Directive) -> Procedure {
    Procedure::Directive(directive)
}

const fn shorthand(filter: &'static str, symbol: &'static str) -> Procedure {
    Procedure::Shorthand { filter, symbol }
}

/// The procedure called `name` on `target`.
pub(super) fn find(target: &Target, name: &str) -> Option<Procedure> {
    TABLE
        .iter()
        .find(|(known, _, from, until)| *known == name && is_between(target, from, until))
        .map(|(_, procedure, ..)| *procedure)
}

/// The names that profiles can write on `target`.
pub(super) fn names(target: &Target) -> impl Iterator<Item = &'static str> + '_ {
    TABLE
        .iter()
        .filter(|(name, _, from, until)| !name.starts_with("%%") && is_between(target, from, until))
        .map(|(name, ..)| *name)
        .chain(["version"])
}

/// True when `target` is none older than `from` and none newer than `until`.
pub(super) fn is_between(target: &Target, from: &str, until: &str) -> bool {
    let age = |name: &str| crate::vocab::target_names().position(|known| known == name);
    age(from).is_none_or(|from| from <= target.age()) && age(until).is_none_or(|until| target.age() <= until)
}
