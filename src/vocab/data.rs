//! Reads the data files. Rows are tab-separated, `-` is an absent field, `#` starts a comment line.

use indexmap::IndexMap;

use super::table::{ArgKind, EnumSymbol, FilterInfo, ModifierArg, ModifierInfo, Operation};
use super::{Action, FilterId, ModifierId, OpId, Target};

/// The texts from which one target is made.
pub(super) struct Files {
    pub(super) name: &'static str,
    folds_case: bool,
    gaps: &'static [&'static str],
    operations: &'static str,
    filters: &'static str,
    modifiers: &'static str,
    modifier_sets: &'static str,
    enums: &'static str,
}

const MODIFIERS_10_X: &str = "10.13 to 10.15 store no modifier ids; the ids shown are those of later systems";
const NO_14_ENUMS: &str = "no enumeration table of 14.4 is known; the symbols and numbers are those of 15.2";
const DERIVED: &str = "the operation list is derived from compiled profiles, not read";
const NO_26_FILTERS: &str = "no filter or enumeration table of 26 is known; those of 15.2 stand in";

macro_rules! table {
    ($target:literal, $file:literal) => {
        include_str!(concat!("data/macos-", $target, "/", $file, ".tsv"))
    };
}

/// Every target, oldest first.
pub(super) const TARGETS: &[Files] = &[
    Files {
        name: "macos-10.12",
        folds_case: true,
        gaps: &[],
        operations: table!("10.12", "operations"),
        filters: table!("10.12", "filters"),
        modifiers: table!("10.12", "modifiers"),
        modifier_sets: table!("10.12", "modifier-sets"),
        enums: table!("10.12", "enums"),
    },
    Files {
        name: "macos-10.13",
        folds_case: true,
        gaps: &[MODIFIERS_10_X],
        operations: table!("10.13", "operations"),
        filters: table!("10.13", "filters"),
        modifiers: table!("10.15", "modifiers"),
        modifier_sets: table!("10.13", "modifier-sets"),
        enums: table!("10.13", "enums"),
    },
    Files {
        name: "macos-10.14",
        folds_case: true,
        gaps: &[MODIFIERS_10_X],
        operations: table!("10.14", "operations"),
        filters: table!("10.14", "filters"),
        modifiers: table!("10.15", "modifiers"),
        modifier_sets: table!("10.14", "modifier-sets"),
        enums: table!("10.14", "enums"),
    },
    Files {
        name: "macos-10.15",
        folds_case: true,
        gaps: &[MODIFIERS_10_X],
        operations: table!("10.15", "operations"),
        filters: table!("10.15", "filters"),
        modifiers: table!("10.15", "modifiers"),
        modifier_sets: table!("10.15", "modifier-sets"),
        enums: table!("10.15", "enums"),
    },
    Files {
        name: "macos-12.3",
        folds_case: true,
        gaps: &[],
        operations: table!("12.3", "operations"),
        filters: table!("12.3", "filters"),
        modifiers: table!("12.3", "modifiers"),
        modifier_sets: table!("12.3", "modifier-sets"),
        enums: table!("12.3", "enums"),
    },
    Files {
        name: "macos-13.0",
        folds_case: true,
        gaps: &[],
        operations: table!("13.0", "operations"),
        filters: table!("13.0", "filters"),
        modifiers: table!("14.4", "modifiers"),
        modifier_sets: table!("14.4", "modifier-sets"),
        enums: table!("13.0", "enums"),
    },
    Files {
        name: "macos-14.4",
        folds_case: true,
        gaps: &[NO_14_ENUMS],
        operations: table!("14.4", "operations"),
        filters: table!("14.4", "filters"),
        modifiers: table!("14.4", "modifiers"),
        modifier_sets: table!("14.4", "modifier-sets"),
        enums: table!("15.2", "enums"),
    },
    Files {
        name: "macos-15.2",
        folds_case: true,
        gaps: &[DERIVED],
        operations: table!("15.2", "operations"),
        filters: table!("15.2", "filters"),
        modifiers: table!("14.4", "modifiers"),
        modifier_sets: table!("14.4", "modifier-sets"),
        enums: table!("15.2", "enums"),
    },
    Files {
        name: "macos-26",
        folds_case: true,
        gaps: &[DERIVED, NO_26_FILTERS],
        operations: table!("26", "operations"),
        filters: table!("15.2", "filters"),
        modifiers: table!("14.4", "modifiers"),
        modifier_sets: table!("14.4", "modifier-sets"),
        enums: table!("15.2", "enums"),
    },
];

/// The fields of every row of `text`, absent ones as `""`.
pub(super) fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('\t').map(|field| if field == "-" { "" } else { field }).collect())
}

/// Field `index` of a row, `""` when it is not there.
fn field(row: &[&'static str], index: usize) -> &'static str {
    row.get(index).copied().unwrap_or("")
}

/// A number field; an absent or unreadable one is 0 (the data tests read every field strictly).
fn number<T: std::str::FromStr + Default>(row: &[&'static str], index: usize) -> T {
    field(row, index).parse().unwrap_or_default()
}

fn action(word: &str) -> Option<Action> {
    match word {
        "allow" => Some(Action::Allow),
        "deny" => Some(Action::Deny),
        _ => None,
    }
}

fn words(text: &'static str) -> Vec<&'static str> {
    text.split(',').filter(|word| !word.is_empty()).collect()
}

/// Builds the tables of one target.
pub(super) fn load(files: &Files) -> Target {
    let op_rows: Vec<_> = rows(files.operations).collect();
    let operations_by_name: IndexMap<_, _> = op_rows.iter().map(|row| (field(row, 1), OpId(number(row, 0)))).collect();
    let operations = op_rows
        .iter()
        .map(|row| Operation {
            id: OpId(number(row, 0)),
            name: field(row, 1),
            parent: operations_by_name.get(field(row, 2)).copied(),
            own: action(field(row, 3)),
            prelude: number(row, 4),
            in_op_table: field(row, 5) == "1",
            categories: words(field(row, 6)),
            modifier_set: number(row, 7),
        })
        .collect();
    let filters: Vec<_> = rows(files.filters)
        .filter_map(|row| {
            Some(FilterInfo {
                id: FilterId(number(&row, 0)),
                name: field(&row, 1),
                argument: ArgKind::parse(field(&row, 2))?,
                category: field(&row, 3),
                requires: field(&row, 4).parse().ok().map(FilterId),
                symbols: Some(field(&row, 5)).filter(|name| !name.is_empty()),
                cost: number(&row, 6),
                single_valued: field(&row, 7) == "1",
                contrary: field(&row, 8) == "1",
            })
        })
        .collect();
    let mut enums: IndexMap<_, Vec<_>> = IndexMap::new();
    for row in rows(files.enums) {
        enums.entry(field(&row, 0)).or_default().push(EnumSymbol { symbol: field(&row, 1), value: number(&row, 2) });
    }
    Target {
        name: files.name,
        case_folding: files.folds_case,
        gaps: files.gaps,
        filters_by_name: filters.iter().map(|filter| (filter.name, filter.id)).collect(),
        operations,
        operations_by_name,
        filters,
        modifiers: rows(files.modifiers).map(|row| modifier(&row)).collect(),
        modifier_sets: rows(files.modifier_sets).map(|row| words(field(&row, 1))).collect(),
        enums,
    }
}

fn modifier(row: &[&'static str]) -> ModifierInfo {
    ModifierInfo {
        id: ModifierId(number(row, 0)),
        name: field(row, 1),
        actions: field(row, 2).split('+').filter_map(action).collect(),
        argument: match field(row, 3) {
            "integer" => ModifierArg::Integer,
            "string" => ModifierArg::String,
            "rules" => ModifierArg::Rules,
            _ => ModifierArg::None,
        },
        flag_mask: number(row, 4),
        flag_value: number(row, 5),
    }
}
