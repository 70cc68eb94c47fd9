//! The rows of the tables.

use serde::Serialize;

use super::{Action, FilterId, ModifierId, OpId};

/// One operation.
#[derive(Debug, Clone, Serialize)]
pub struct Operation {
    /// Its number.
    pub id: OpId,
    /// Its SBPL name.
    pub name: &'static str,
    /// Who decides when no rule of it does; `None` when it has an action of its own.
    pub parent: Option<OpId>,
    /// The action of the base table for operations without parent.
    pub own: Option<Action>,
    /// The highest SBPL version whose prelude allows it by an unfiltered rule; 0 when none does.
    pub prelude: u8,
    /// False for the operations that only occur inside message filters.
    pub in_op_table: bool,
    /// The categories of filters it accepts.
    pub categories: Vec<&'static str>,
    /// Which set of modifiers it takes.
    #[serde(skip)]
    pub modifier_set: usize,
}

/// What kind of value a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgKind {
    /// No argument, or `#t`/`#f` for `%entitlement-boolean`.
    Bool,
    /// Bits of a number.
    Bitfield,
    /// A number or an enumeration's symbol.
    Integer,
    /// A plain string.
    String,
    /// Exact, `-prefix` and `-regex` forms.
    PatternLiteral,
    /// The same three forms (another internal type of the tables).
    PatternPrefix,
    /// These and a subpath form.
    PatternSubpath,
    /// A network address.
    Network,
    /// Several symbols as one bit set (10.15 only).
    Bitmask,
}

impl ArgKind {
    /// The word in the data files.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "bool" => Self::Bool,
            "bitfield" => Self::Bitfield,
            "integer" => Self::Integer,
            "string" => Self::String,
            "pattern-literal" => Self::PatternLiteral,
            "pattern-prefix" => Self::PatternPrefix,
            "pattern-subpath" => Self::PatternSubpath,
            "network" => Self::Network,
            "bitmask" => Self::Bitmask,
            _ => return None,
        })
    }

    /// True for the three pattern kinds.
    pub const fn is_pattern(self) -> bool {
        matches!(self, Self::PatternLiteral | Self::PatternPrefix | Self::PatternSubpath)
    }
}

/// One filter.
#[derive(Debug, Clone, Serialize)]
pub struct FilterInfo {
    /// The byte that a compiled node stores.
    pub id: FilterId,
    /// Its base name.
    pub name: &'static str,
    /// What it compares.
    pub argument: ArgKind,
    /// An operation must list this category to accept the filter.
    pub category: &'static str,
    /// The filter that must have been tested before (entitlement values).
    pub requires: Option<FilterId>,
    /// The enumeration of its symbols.
    pub symbols: Option<&'static str>,
    /// Relative cost of the test, signed (`spec/codegen-rules.md` section 5.3).
    pub cost: i8,
    /// A request has one value: a match excludes every other value.
    pub single_valued: bool,
    /// `global-name` and `local-name` exclude each other.
    pub contrary: bool,
}

/// What a modifier takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModifierArg {
    /// Nothing: it is a flag.
    None,
    /// A number or symbol.
    Integer,
    /// A string.
    String,
    /// Rules (message filters).
    Rules,
}

/// One modifier.
#[derive(Debug, Clone, Serialize)]
pub struct ModifierInfo {
    /// Its number.
    pub id: ModifierId,
    /// Its SBPL name.
    pub name: &'static str,
    /// Rules of these actions may carry it.
    pub actions: Vec<Action>,
    /// What it takes.
    pub argument: ModifierArg,
    /// The bits of the compiled rule's flags that it decides.
    pub flag_mask: u32,
    /// Their values.
    pub flag_value: u32,
}

/// One symbol of an enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EnumSymbol {
    /// Its SBPL name.
    pub symbol: &'static str,
    /// Its number.
    pub value: u16,
}
