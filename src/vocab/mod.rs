//! The names and numbers of SBPL for each system: operations, filters, modifiers, enumerations, other spellings.
//!
//! Everything is data, under `data/<target>/*.tsv`, read once when a target is first asked for. The room knows nothing of
//! profiles, rules or blobs; it answers *what exists, what is it called, which number has it, what does it fall back on*.
//!
//! Facts come from `spec/sbpl-language.md` sections 8 to 10, `spec/versions-and-defaults.md` sections 1 and 2,
//! `spec/codegen-rules.md` section 2 and the tables under `vocab/` named in each file's head.
//!
//! **Invariants:** an id indexes its table (tested for every target); a parent chain ends at an operation with an action of its
//! own and has no cycle; data files are parsed by one reader and a row that does not fit makes the whole target's test fail.

mod data;
mod names;
mod table;

use std::sync::OnceLock;

pub use names::{Alias, AliasKind, FilterForm, Spelling};
pub use table::{ArgKind, EnumSymbol, FilterInfo, ModifierArg, ModifierInfo, Operation};

use indexmap::IndexMap;
use serde::Serialize;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The operation is permitted.
    Allow,
    /// The operation is refused.
    Deny,
}

impl Action {
    /// The SBPL word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Number of an operation in its target's own name table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct OpId(pub u8);

impl OpId {
    /// `default`, the root of all operations, on every system.
    pub const DEFAULT: Self = Self(0);
}

/// Number of a filter: the byte that a compiled test node stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FilterId(pub u8);

/// Number of a modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ModifierId(pub u8);

/// The name of the target that commands use when none is given.
pub const DEFAULT_TARGET: &str = "macos-14.4";

/// All tables of one system.
#[derive(Debug)]
pub struct Target {
    name: &'static str,
    case_folding: bool,
    gaps: &'static [&'static str],
    operations: Vec<Operation>,
    operations_by_name: IndexMap<&'static str, OpId>,
    filters: Vec<FilterInfo>,
    filters_by_name: IndexMap<&'static str, FilterId>,
    modifiers: Vec<ModifierInfo>,
    modifier_sets: Vec<Vec<&'static str>>,
    enums: IndexMap<&'static str, Vec<EnumSymbol>>,
}

/// No target of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown target {name:?}; known: {}", target_names().collect::<Vec<_>>().join(", "))]
pub struct UnknownTarget {
    /// What was asked for.
    pub name: String,
}

/// The names of all targets, oldest system first.
pub fn target_names() -> impl Iterator<Item = &'static str> {
    data::TARGETS.iter().map(|files| files.name)
}

/// The tables of `name`, e.g. `macos-14.4`.
///
/// # Errors
/// [`UnknownTarget`] when there is no such target.
pub fn target(name: &str) -> Result<&'static Target, UnknownTarget> {
    static LOADED: OnceLock<Vec<OnceLock<Target>>> = OnceLock::new();
    let slots = LOADED.get_or_init(|| data::TARGETS.iter().map(|_| OnceLock::new()).collect());
    data::TARGETS
        .iter()
        .zip(slots)
        .find(|(files, _)| files.name == name)
        .map(|(files, slot)| slot.get_or_init(|| data::load(files)))
        .ok_or_else(|| UnknownTarget { name: name.to_owned() })
}

/// The tables of [`DEFAULT_TARGET`].
pub fn default_target() -> &'static Target {
    static TARGET: OnceLock<&'static Target> = OnceLock::new();
    TARGET.get_or_init(|| match target(DEFAULT_TARGET) {
        Ok(target) => target,
        // The name is one of `data::TARGETS`; a unit test looks every one of them up.
        Err(error) => unreachable!("{error}"),
    })
}

impl Target {
    /// Its name, e.g. `macos-14.4`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Position among all targets, oldest first; orders systems by age.
    pub fn age(&self) -> usize {
        target_names().position(|name| name == self.name).unwrap_or(0)
    }

    /// True when the compiler stores path-like patterns in lower case (`spec/versions-and-defaults.md` section 6).
    pub fn folds_case(&self) -> bool {
        self.case_folding
    }

    /// What is not known of this system, each a sentence for people.
    pub fn gaps(&self) -> &'static [&'static str] {
        self.gaps
    }

    /// All operations, by id.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation `id`. Ids come from this target's own look-ups; others give `None`.
    pub fn get_operation(&self, id: OpId) -> Option<&Operation> {
        self.operations.get(usize::from(id.0))
    }

    /// The operation `id`, which must be one of this target (else `default` is returned).
    pub fn operation(&self, id: OpId) -> &Operation {
        self.get_operation(id).unwrap_or(&self.operations[0])
    }

    /// The id of the operation with exactly this name (no other spellings).
    pub fn operation_named(&self, name: &str) -> Option<OpId> {
        self.operations_by_name.get(name).copied()
    }

    /// Number of entries of the compiled operation table (190 on 14.4).
    pub fn op_table_len(&self) -> usize {
        self.operations.iter().filter(|operation| operation.in_op_table).count()
    }

    /// The operation that decides when no rule of `id` does; `None` for those with an action of their own.
    pub fn parent(&self, id: OpId) -> Option<OpId> {
        self.operation(id).parent
    }

    /// `id`, its parent, its parent's parent … up to the one that has an action of its own.
    pub fn lineage(&self, id: OpId) -> impl Iterator<Item = OpId> + '_ {
        std::iter::successors(Some(id), |&id| self.parent(id))
    }

    /// The operations whose lineage holds `id`, `id` itself left out, by id.
    pub fn descendants(&self, id: OpId) -> impl Iterator<Item = OpId> + '_ {
        self.operations
            .iter()
            .map(|operation| operation.id)
            .filter(move |&other| other != id && self.lineage(other).any(|up| up == id))
    }

    /// All filters, by id (ids start at 1; there is no filter 0).
    pub fn filters(&self) -> &[FilterInfo] {
        &self.filters
    }

    /// The filter `id`.
    pub fn filter(&self, id: FilterId) -> Option<&FilterInfo> {
        // Nearly all ids are used, so most filters stand in the place of their id.
        let place = self.filters.get(usize::from(id.0).wrapping_sub(1)).filter(|filter| filter.id == id);
        place.or_else(|| {
            let index = self.filters.binary_search_by_key(&id, |filter| filter.id).ok()?;
            self.filters.get(index)
        })
    }

    /// The filter's name, or `filter-N` when the target has no such filter.
    pub fn filter_name(&self, id: FilterId) -> std::borrow::Cow<'static, str> {
        self.filter(id).map_or_else(|| format!("filter-{}", id.0).into(), |filter| filter.name.into())
    }

    /// The id of the filter with exactly this base name (no `-regex` forms, no other spellings).
    pub fn filter_named(&self, name: &str) -> Option<FilterId> {
        self.filters_by_name.get(name).copied()
    }

    /// True when `operation` accepts tests of `filter` (their categories agree).
    pub fn accepts(&self, operation: OpId, filter: FilterId) -> bool {
        self.filter(filter).is_some_and(|info| self.operation(operation).categories.contains(&info.category))
    }

    /// All modifiers, by id.
    pub fn modifiers(&self) -> &[ModifierInfo] {
        &self.modifiers
    }

    /// The modifier `id`.
    pub fn modifier(&self, id: ModifierId) -> Option<&ModifierInfo> {
        self.modifiers.iter().find(|modifier| modifier.id == id)
    }

    /// The modifier with exactly this name.
    pub fn modifier_named(&self, name: &str) -> Option<&ModifierInfo> {
        self.modifiers.iter().find(|modifier| modifier.name == name)
    }

    /// True when rules on `operation` may carry the modifier called `name`.
    pub fn takes_modifier(&self, operation: OpId, name: &str) -> bool {
        name == "message-filter"
            || self.modifier_sets.get(self.operation(operation).modifier_set).is_some_and(|set| set.contains(&name))
    }

    /// All enumerations: the filter's enumeration name and its symbols in table order.
    pub fn enums(&self) -> &IndexMap<&'static str, Vec<EnumSymbol>> {
        &self.enums
    }

    /// The value of `symbol` in any enumeration. SBPL binds every symbol as one global variable.
    pub fn symbol_value(&self, symbol: &str) -> Option<u16> {
        self.enums.values().flatten().find(|entry| entry.symbol == symbol).map(|entry| entry.value)
    }

    /// The first symbol of enumeration `name` with this value.
    pub fn symbol_named(&self, name: &str, value: u16) -> Option<&'static str> {
        self.enums.get(name)?.iter().find(|entry| entry.value == value).map(|entry| entry.symbol)
    }

    /// What `name` means as an operation, filter or modifier in SBPL version `version`, other spellings included.
    pub fn spelling(&self, name: &str, version: u8) -> Option<Spelling> {
        names::resolve(self, name, version)
    }

    /// Every operation, filter and modifier name of SBPL version `version`, in table order, other spellings last.
    pub fn spellings(&self, version: u8) -> Vec<(String, Spelling)> {
        names::all(self, version)
    }
}

#[cfg(test)]
mod tests;
