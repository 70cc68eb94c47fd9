//! What a rule is, and the macro that makes its documentation comment its page.

use serde::Serialize;

use super::context::Context;
use super::finding::Findings;
use crate::diag::{Code, Severity};

/// What kind of problem a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// A rule of the profile does not do what it says.
    Correctness,
    /// A path can never match a file.
    Paths,
    /// A regex matches something else than meant.
    Regex,
    /// A name does not exist, or means something else than it says.
    Names,
    /// The profile allows more than is good.
    Breadth,
    /// The profile will not work, or can be got round.
    Robustness,
    /// The profile could be simpler.
    Style,
}

impl Category {
    /// The word, as in the JSON output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Correctness => "correctness",
            Self::Paths => "paths",
            Self::Regex => "regex",
            Self::Names => "names",
            Self::Breadth => "breadth",
            Self::Robustness => "robustness",
            Self::Style => "style",
        }
    }
}

/// Whether a rule offers fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FixKind {
    /// None.
    No,
    /// Some, which keep the meaning of the profile.
    Safe,
    /// Some, which change what the profile means to what was probably meant.
    Unsafe,
}

/// One rule of the linter.
#[derive(Debug)]
pub struct Rule {
    /// Its stable code.
    pub code: Code,
    /// Its name, in kebab case.
    pub name: &'static str,
    /// What kind of problem it is about.
    pub category: Category,
    /// How bad its findings are, unless the configuration says otherwise.
    pub severity: Severity,
    /// True when it is used without being asked for.
    pub default: bool,
    /// Whether it offers fixes.
    pub fix: FixKind,
    /// Its documentation: what it does, why that is bad, an example, what to use instead, sources. Markdown.
    pub page: &'static str,
    pub(super) check: fn(&Context<'_>, &mut Findings<'_>),
}

impl Rule {
    /// The first paragraph of the page, on one line.
    pub fn summary(&self) -> String {
        let first = self.page.split("\n\n").next().unwrap_or_default();
        first.lines().map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// Everything there is to say about the rule, as `sbpl rule CODE` prints it. Markdown.
    pub fn document(&self) -> String {
        let default = if self.default { "on" } else { "off" };
        let fix = match self.fix {
            FixKind::No => "none",
            FixKind::Safe => "safe",
            FixKind::Unsafe => "unsafe (`--unsafe-fixes`)",
        };
        let page: Vec<&str> = self.page.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        format!(
            "# {} {}\n\nCategory: {}. By default: {default}. Fix: {fix}.\n\n{}\n",
            self.code,
            self.name,
            self.category.name(),
            page.join("\n").trim()
        )
    }
}

/// The headings that every page has, in this order.
#[cfg(test)]
pub(super) const HEADINGS: [&str; 4] = ["## Why", "## Example", "## Use instead", "## Sources"];

/// Declares a rule. The documentation comment is both the item's documentation and the rule's page.
macro_rules! declare_rule {
    (
        $(#[doc = $line:literal])+
        $name:ident = $code:literal $kebab:literal {
            $category:ident, $severity:ident, default: $default:literal, fix: $fix:ident
        } $check:expr
    ) => {
        $(#[doc = $line])+
        pub(crate) static $name: $crate::lint::Rule = $crate::lint::Rule {
            code: $crate::diag::Code($code),
            name: $kebab,
            category: $crate::lint::Category::$category,
            severity: $crate::diag::Severity::$severity,
            default: $default,
            fix: $crate::lint::FixKind::$fix,
            page: concat!($($line, "\n"),+),
            check: $check,
        };
    };
}
pub(super) use declare_rule;
