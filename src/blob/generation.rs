//! How each generation of systems lays a blob out: one row of data each, no branches elsewhere.
//!
//! Facts: `spec/blob-format.md` sections 1, 2, 5, 6, 9.2 and 12; the width of the 10.15 bit set and the position of
//! modifier arrays were read from the iOS 13 and iOS 17 collections (see `docs/blob-format.md`).

use serde::Serialize;

use crate::pattern::code::Style;

/// A family of systems that share one blob format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Generation {
    /// macOS 10.15 and iOS 13.
    #[serde(rename = "10.15")]
    Macos10_15,
    /// macOS 14 and iOS 17.
    #[serde(rename = "14")]
    Macos14,
    /// macOS 15 and iOS 18.
    #[serde(rename = "15")]
    Macos15,
    /// macOS 26 and iOS 26.
    #[serde(rename = "26")]
    Macos26,
}

/// A field of the header; all but [`Field::Zero`] are values of [`super::Header`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Type,
    Nodes,
    Ops,
    Vars,
    States,
    FlagsA,
    FlagsB,
    Messages,
    Profiles,
    Regexes,
    Policies,
    Zero,
}

/// A table between the header and the op table; each entry is a `u16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Pool index of the record of regex *i*.
    Regexes,
    /// Pool index of the name of variable *i*.
    Variables,
    /// Pool index of the name of state flag *i*.
    States,
    /// Pool index of a profile flag's name (first table of 15 and later).
    FlagsA,
    /// Pool index of a profile flag's name (second table of 15 and later; `profile-flag` refers to it).
    FlagsB,
    /// Node index of the root of message-filter program *i*.
    Policies,
    /// Pool index of message *i*+1 (10.15 only).
    Messages,
}

/// A word of the head of a collection's profile record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordField {
    Name,
    Type,
    Base,
    FlagMask,
}

/// How a terminal node stores flags and modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TerminalForm {
    /// Flags u8, signal u8, 0, message number u16 (1-based), 0.
    Small,
    /// Flags u24, payload of four bytes.
    Wide,
}

/// How a bit set record starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BitmaskForm {
    /// `u16` number of bits, then the bytes they need.
    Bits,
    /// `u8` 1, `u8` 0, `u16` number of bytes, the bytes.
    Bytes,
}

/// Everything that differs between generations.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) header: &'static [(Field, usize)],
    pub(crate) tables: &'static [Table],
    pub(crate) record: &'static [RecordField],
    /// Entries of the op table on a released system of this generation.
    pub(crate) op_count: u8,
    pub(crate) terminal: TerminalForm,
    pub(crate) bitmask: BitmaskForm,
    /// How pattern code ends a choice.
    pub(crate) choices: Style,
    /// Modifier id of message filters; 0 where there are none.
    pub(crate) message_filter: u8,
    /// Modifier id of `enable-state-flag`; 0 where unknown.
    pub(crate) enable_state_flag: u8,
    /// The `vocab` target whose names fit.
    pub(crate) target: &'static str,
}

use Field as F;

const HEADER_12: &[(Field, usize)] = &[
    (F::Type, 2),
    (F::Nodes, 2),
    (F::Ops, 1),
    (F::Zero, 1),
    (F::Profiles, 2),
    (F::Regexes, 2),
    (F::Vars, 1),
    (F::Messages, 1),
];
const HEADER_14: &[(Field, usize)] = &[
    (F::Type, 2),
    (F::Nodes, 2),
    (F::Ops, 1),
    (F::Vars, 1),
    (F::States, 1),
    (F::Zero, 1),
    (F::Profiles, 2),
    (F::Regexes, 2),
    (F::Policies, 2),
];
const HEADER_16: &[(Field, usize)] = &[
    (F::Type, 2),
    (F::Nodes, 2),
    (F::Ops, 1),
    (F::Vars, 1),
    (F::States, 1),
    (F::FlagsA, 1),
    (F::FlagsB, 2),
    (F::Profiles, 2),
    (F::Regexes, 2),
    (F::Policies, 2),
];
const TABLES_12: &[Table] = &[Table::Regexes, Table::Variables, Table::Messages];
const TABLES_14: &[Table] = &[Table::Regexes, Table::Variables, Table::States, Table::Policies];
const TABLES_16: &[Table] =
    &[Table::Regexes, Table::Variables, Table::States, Table::FlagsA, Table::FlagsB, Table::Policies];
const RECORD_4: &[RecordField] = &[RecordField::Name, RecordField::Type];
const RECORD_8: &[RecordField] = &[RecordField::Name, RecordField::Type, RecordField::Base, RecordField::FlagMask];

static MACOS_10_15: Format = Format {
    header: HEADER_12,
    tables: TABLES_12,
    record: RECORD_4,
    op_count: 145,
    terminal: TerminalForm::Small,
    bitmask: BitmaskForm::Bits,
    choices: Style::Old,
    message_filter: 0,
    enable_state_flag: 0,
    target: "macos-10.15",
};
static MACOS_14: Format = Format {
    header: HEADER_14,
    tables: TABLES_14,
    record: RECORD_4,
    op_count: 190,
    terminal: TerminalForm::Wide,
    bitmask: BitmaskForm::Bytes,
    choices: Style::Modern,
    message_filter: 19,
    enable_state_flag: 17,
    target: "macos-14.4",
};
static MACOS_15: Format = Format {
    header: HEADER_16,
    tables: TABLES_16,
    record: RECORD_8,
    op_count: 192,
    terminal: TerminalForm::Wide,
    bitmask: BitmaskForm::Bytes,
    choices: Style::Modern,
    message_filter: 19,
    enable_state_flag: 17,
    target: "macos-15.2",
};
static MACOS_26: Format = Format {
    header: HEADER_16,
    tables: TABLES_16,
    record: RECORD_8,
    op_count: 195,
    terminal: TerminalForm::Wide,
    bitmask: BitmaskForm::Bytes,
    choices: Style::Modern,
    message_filter: 21,
    enable_state_flag: 0,
    target: "macos-26",
};

impl Generation {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::Macos10_15, Self::Macos14, Self::Macos15, Self::Macos26];

    pub(crate) fn format(self) -> &'static Format {
        match self {
            Self::Macos10_15 => &MACOS_10_15,
            Self::Macos14 => &MACOS_14,
            Self::Macos15 => &MACOS_15,
            Self::Macos26 => &MACOS_26,
        }
    }

    /// The word used on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Macos10_15 => "10.15",
            Self::Macos14 => "14",
            Self::Macos15 => "15",
            Self::Macos26 => "26",
        }
    }

    /// The generation called `name`; the iOS sibling's name (`ios13` …) is understood too.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "10.15" | "ios13" => Self::Macos10_15,
            "14" | "ios17" => Self::Macos14,
            "15" | "ios18" => Self::Macos15,
            "26" | "ios26" => Self::Macos26,
            _ => return None,
        })
    }

    /// Bytes of the header.
    pub fn header_len(self) -> usize {
        self.format().header.iter().map(|(_, width)| width).sum()
    }

    /// Entries of the op table on a released system of this generation.
    pub fn op_count(self) -> u8 {
        self.format().op_count
    }

    /// The `vocab` target whose operation and filter names fit.
    pub fn target(self) -> &'static str {
        self.format().target
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Table {
    /// The name of its section.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regexes => "regex_table",
            Self::Variables => "variable_table",
            Self::States => "state_table",
            Self::FlagsA => "flag_table_a",
            Self::FlagsB => "flag_table_b",
            Self::Policies => "policy_table",
            Self::Messages => "message_table",
        }
    }

    pub(crate) const fn count_field(self) -> Field {
        match self {
            Self::Regexes => Field::Regexes,
            Self::Variables => Field::Vars,
            Self::States => Field::States,
            Self::FlagsA => Field::FlagsA,
            Self::FlagsB => Field::FlagsB,
            Self::Policies => Field::Policies,
            Self::Messages => Field::Messages,
        }
    }
}
