//! Rules: what is decided, when, with which modifiers, and where it was written.

use std::sync::Arc;

use super::Filter;
use crate::diag::Location;
use crate::vocab::{Action, ModifierId, OpId};

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it decides.
    pub action: Action,
    /// For which operations, as written.
    pub operations: Vec<OpId>,
    /// When; `None`: it is the fallback of its operations.
    pub filter: Option<Filter>,
    /// In the order written.
    pub modifiers: Vec<Modifier>,
    /// Who made it.
    pub source: RuleSource,
    /// Where it was written; `None` for rules that no text holds.
    pub origin: Option<Origin>,
}

/// Who made a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleSource {
    /// A default of the SBPL version, set before the profile ran.
    Prelude,
    /// The profile or a file that it imports.
    Profile,
    /// Added by the compiler after the profile (`spec/sbpl-language.md` section 12).
    Implicit,
}

/// One modifier of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modifier {
    /// Which one.
    pub id: ModifierId,
    /// With what.
    pub value: ModifierValue,
}

/// The argument of a [`Modifier`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModifierValue {
    /// It is a flag.
    Flag,
    /// A signal number, an errno.
    Integer(u16),
    /// A message, a profile's or a storage class's name.
    String(Vec<u8>),
    /// `apply-message-filter`.
    Rules(MessageFilter),
}

/// The rules of one `(apply-message-filter …)`. They decide the operations that have no entry in the operation table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// In source order. Their own modifiers never hold [`ModifierValue::Rules`].
    pub rules: Vec<Rule>,
}

/// Where a rule was written and how evaluation got there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The `(allow …)` or `(deny …)` form.
    pub location: Location,
    /// Imports and calls that led there, outermost first; cut to a readable length by the evaluator.
    pub via: Arc<[OriginFrame]>,
}

/// One step on the way to a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginFrame {
    /// What kind of step.
    pub kind: OriginKind,
    /// The file or procedure.
    pub name: String,
    /// The form that made the step.
    pub location: Location,
}

/// Kinds of [`OriginFrame`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OriginKind {
    /// `(import …)` or `(load …)`.
    Import,
    /// A call of a procedure or macro of the profile.
    Call,
}
