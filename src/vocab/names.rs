//! From a written name to what it means: derived filter forms (`path-regex`, `subpath`) and other spellings.

use std::sync::OnceLock;

use serde::Serialize;

use super::data::rows;
use super::{FilterId, ModifierId, OpId, Target, target_names};

/// Which form of a filter a name stands for (`spec/sbpl-language.md` section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FilterForm {
    /// The base name: exact for patterns, the only form of all other filters.
    Exact,
    /// `X-prefix`.
    Prefix,
    /// The word `path` in the name replaced by `subpath`.
    Subpath,
    /// `X-regex`.
    Regex,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// An operation. `obsolete` names the spelling that the compiler wants instead, when it warns.
    Operation {
        /// Which one.
        id: OpId,
        /// True when the compiler accepts the name with a warning.
        obsolete: bool,
    },
    /// An operation that the system has dropped: accepted, and rules on it are ignored.
    RetiredOperation,
    /// A filter in one of its forms.
    Filter {
        /// Which one.
        id: FilterId,
        /// Which form.
        form: FilterForm,
    },
    /// A modifier.
    Modifier(ModifierId),
    /// A modifier that leaves no trace in the rule.
    IgnoredModifier,
}

/// What an [`Alias`] renames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AliasKind {
    /// An operation.
    Operation,
    /// A filter, in any form.
    Filter,
    /// A modifier.
    Modifier,
}

/// Another spelling of a name.
#[derive(Debug, Clone, Serialize)]
pub struct Alias {
    /// What it renames.
    pub kind: AliasKind,
    /// As written.
    pub name: &'static str,
    /// What it is read as; `None` when it is accepted and ignored.
    pub stands_for: Option<&'static str>,
    versions: &'static str,
    from: Option<usize>,
    until: Option<usize>,
}

impl Alias {
    fn known(&self, target: &Target, version: u8) -> bool {
        let age = target.age();
        self.versions.bytes().any(|digit| digit == b'0' + version)
            && self.from.is_none_or(|from| from <= age)
            && self.until.is_none_or(|until| age <= until)
    }
}

fn aliases() -> &'static [Alias] {
    static ALIASES: OnceLock<Vec<Alias>> = OnceLock::new();
    ALIASES.get_or_init(|| {
        let age = |name: &str| target_names().position(|known| known == name);
        rows(include_str!("data/aliases.tsv"))
            .filter_map(|row| {
                let [kind, name, stands_for, versions, from, until] = row[..] else { return None };
                Some(Alias {
                    kind: match kind {
                        "operation" => AliasKind::Operation,
                        "filter" => AliasKind::Filter,
                        "modifier" => AliasKind::Modifier,
                        _ => return None,
                    },
                    name,
                    stands_for: Some(stands_for).filter(|name| !name.is_empty()),
                    versions,
                    from: age(from),
                    until: age(until),
                })
            })
            .collect()
    })
}

/// The spellings with a warning: `sandbox operation "X" is obsolete; replace with "Y"` was recorded for these only.
const OBSOLETE: &[&str] = &["iokit-open"];

fn derived_filter(target: &Target, name: &str) -> Option<Spelling> {
    if let Some(id) = target.filter_named(name) {
        return Some(Spelling::Filter { id, form: FilterForm::Exact });
    }
    let with_form = |base: &str, form| {
        let id = target.filter_named(base)?;
        let argument = target.filter(id)?.argument;
        let exists = match form {
            FilterForm::Subpath => argument == super::ArgKind::PatternSubpath,
            _ => argument.is_pattern(),
        };
        exists.then_some(Spelling::Filter { id, form })
    };
    if let Some(base) = name.strip_suffix("-prefix") {
        return with_form(base, FilterForm::Prefix);
    }
    if let Some(base) = name.strip_suffix("-regex") {
        return with_form(base, FilterForm::Regex);
    }
    name.contains("subpath").then(|| with_form(&name.replacen("subpath", "path", 1), FilterForm::Subpath))?
}

fn direct(target: &Target, name: &str) -> Option<Spelling> {
    if let Some(id) = target.operation_named(name) {
        return Some(Spelling::Operation { id, obsolete: false });
    }
    if let Some(modifier) = target.modifier_named(name) {
        return Some(Spelling::Modifier(modifier.id));
    }
    derived_filter(target, name)
}

fn from_alias(target: &Target, alias: &Alias) -> Option<Spelling> {
    match (alias.kind, alias.stands_for) {
        (AliasKind::Operation, None) => Some(Spelling::RetiredOperation),
        (AliasKind::Modifier, None) => Some(Spelling::IgnoredModifier),
        (AliasKind::Filter, None) => None,
        (AliasKind::Operation, Some(name)) => {
            target.operation_named(name).map(|id| Spelling::Operation { id, obsolete: OBSOLETE.contains(&alias.name) })
        }
        (AliasKind::Modifier, Some(name)) => {
            target.modifier_named(name).map(|modifier| Spelling::Modifier(modifier.id))
        }
        (AliasKind::Filter, Some(name)) => derived_filter(target, name),
    }
}

/// What `name` means for `target` in SBPL version `version`.
pub(super) fn resolve(target: &Target, name: &str, version: u8) -> Option<Spelling> {
    let other = || {
        aliases()
            .iter()
            .filter(|alias| alias.name == name && alias.known(target, version))
            .find_map(|alias| from_alias(target, alias))
    };
    // `sysctl-write` is both an operation of the tables and an alias of `sysctl*`; the alias is what profiles get.
    if name == "sysctl-write" { other().or_else(|| direct(target, name)) } else { direct(target, name).or_else(other) }
}

/// Every name with its meaning: operations, filters in all forms, modifiers, then other spellings.
pub(super) fn all(target: &Target, version: u8) -> Vec<(String, Spelling)> {
    let mut names: Vec<String> = target.operations().iter().map(|operation| operation.name.to_owned()).collect();
    for filter in target.filters() {
        names.push(filter.name.to_owned());
        if filter.argument.is_pattern() {
            names.extend(["-prefix", "-regex"].map(|suffix| format!("{}{suffix}", filter.name)));
        }
        if filter.argument == super::ArgKind::PatternSubpath {
            names.push(filter.name.replacen("path", "subpath", 1));
        }
    }
    names.extend(target.modifiers().iter().map(|modifier| modifier.name.to_owned()));
    let known = aliases().iter().filter(|alias| alias.known(target, version)).map(|alias| alias.name.to_owned());
    let mut out: indexmap::IndexMap<String, Spelling> = indexmap::IndexMap::new();
    for name in names.into_iter().chain(known) {
        if let Some(spelling) = resolve(target, &name, version) {
            out.entry(name).or_insert(spelling);
        }
    }
    out.into_iter().collect()
}
