//! Which rules are used, and how bad their findings are.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::rule::Rule;
use crate::diag::Severity;

/// What a selector stands for: `all`, a category, a code, a rule's name, or the front of codes (`SBPL01`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection(String);

impl Selection {
    fn holds(&self, rule: &Rule) -> bool {
        self.0 == "all"
            || self.0 == rule.category.name()
            || self.0 == rule.name
            || (self.0.starts_with("SBPL") && rule.code.0.starts_with(&self.0))
    }

    /// How exactly it names a rule; the more exact of two selectors counts.
    fn weight(&self) -> usize {
        match self.0.as_str() {
            "all" => 0,
            text if text.starts_with("SBPL") => 1 + text.len(),
            text if super::RULES.iter().any(|rule| rule.name == text) => 1 + "SBPL000".len(),
            _ => 1,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A selector that stands for no rule.
    #[error("no rule, code or category is called {0:?}")]
    UnknownSelector(String),
    /// Not JSON of the right shape.
    #[error("bad configuration: {0}")]
    Shape(String),
}

/// The configuration of one run. The default one uses the default set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    select: Vec<Selection>,
    ignore: Vec<Selection>,
    severity: BTreeMap<Selection, Severity>,
}

/// The file `.sbpl-lint.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    select: Vec<String>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    severity: BTreeMap<String, Level>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Note,
    Warning,
    Error,
}

impl Config {
    /// Reads `{"select": […], "ignore": […], "severity": {"SBPL001": "error"}}`; every key may be left out.
    ///
    /// # Errors
    /// JSON of another shape; a selector that stands for nothing.
    pub fn from_json(text: &[u8]) -> Result<Self, ConfigError> {
        let file: File = serde_json::from_slice(text).map_err(|error| ConfigError::Shape(error.to_string()))?;
        let mut config = Self::default();
        config.select(file.select)?;
        config.ignore(file.ignore)?;
        for (name, level) in file.severity {
            let level = match level {
                Level::Note => Severity::Note,
                Level::Warning => Severity::Warning,
                Level::Error => Severity::Error,
            };
            config.severity.insert(selection(name)?, level);
        }
        Ok(config)
    }

    /// Uses these rules too, beside the default set.
    ///
    /// # Errors
    /// A selector that stands for nothing.
    pub fn select<S: Into<String>>(&mut self, selectors: impl IntoIterator<Item = S>) -> Result<(), ConfigError> {
        self.select.extend(selectors.into_iter().map(selection).collect::<Result<Vec<_>, _>>()?);
        Ok(())
    }

    /// Leaves these rules out.
    ///
    /// # Errors
    /// A selector that stands for nothing.
    pub fn ignore<S: Into<String>>(&mut self, selectors: impl IntoIterator<Item = S>) -> Result<(), ConfigError> {
        self.ignore.extend(selectors.into_iter().map(selection).collect::<Result<Vec<_>, _>>()?);
        Ok(())
    }

    /// True when `rule` is used: the most exact selector decides, `ignore` before `select` when both are as exact.
    pub fn enabled(&self, rule: &Rule) -> bool {
        let most = |list: &[Selection]| {
            list.iter().filter(|selection| selection.holds(rule)).map(|selection| selection.weight() + 1).max()
        };
        match (most(&self.select), most(&self.ignore)) {
            (None, None) => rule.default,
            (select, ignore) => select > ignore,
        }
    }

    /// How bad the findings of `rule` are.
    pub fn severity(&self, rule: &Rule) -> Severity {
        let named = self.severity.iter().filter(|(selection, _)| selection.holds(rule));
        named.max_by_key(|(selection, _)| selection.weight()).map_or(rule.severity, |(_, severity)| *severity)
    }
}

fn selection(name: impl Into<String>) -> Result<Selection, ConfigError> {
    let selection = Selection(name.into());
    if super::RULES.iter().any(|rule| selection.holds(rule)) {
        Ok(selection)
    } else {
        Err(ConfigError::UnknownSelector(selection.0))
    }
}
