//! What a rule found, and how to repair it.

use serde::Serialize;

use super::context::Context;
use super::rule::Rule;
use crate::diag::{Diagnostic, Location, Span};
use crate::syntax::NodeId;

/// Whether a fix may be applied without a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Applicability {
    /// The profile decides every request as before.
    Safe,
    /// The profile then does what was probably meant, which is not what it did.
    Unsafe,
}

/// One replacement in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go.
    pub span: Span,
    /// The bytes that come.
    pub text: Vec<u8>,
}

/// A repair of one finding: all its edits or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Whether it may be applied without a look.
    pub applicability: Applicability,
    /// Not empty; the spans do not overlap.
    pub edits: Vec<Edit>,
}

impl Fix {
    /// Replaces `span` by `text`.
    pub(super) fn replace(applicability: Applicability, span: Span, text: impl Into<Vec<u8>>) -> Self {
        Self { applicability, edits: vec![Edit { span, text: text.into() }] }
    }
}

/// One finding of one rule.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// What it says, with the rule's code.
    pub diagnostic: Diagnostic,
    /// How to repair it, when a program can.
    pub fix: Option<Fix>,
}

impl Finding {
    /// Where it is; findings about the command line stand at the beginning.
    pub fn span(&self) -> Span {
        self.diagnostic.location.map(|location| location.span).unwrap_or_default()
    }

    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.diagnostic.help.push(help.into());
        self
    }

    pub(super) fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.diagnostic.notes.push(note.into());
        self
    }

    pub(super) fn label(&mut self, location: Location, text: impl Into<String>) -> &mut Self {
        self.diagnostic = self.diagnostic.clone().with_label(location, text);
        self
    }

    pub(super) fn fix(&mut self, fix: Fix) -> &mut Self {
        self.fix = Some(fix);
        self
    }
}

/// Collects the findings of one rule.
pub(crate) struct Findings<'a> {
    rule: &'static Rule,
    context: &'a Context<'a>,
    found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(rule: &'static Rule, context: &'a Context<'a>) -> Self {
        Self { rule, context, found: Vec::new() }
    }

    /// A finding at `node`.
    pub(super) fn at(&mut self, node: NodeId, message: impl Into<String>) -> &mut Finding {
        self.at_span(self.context.tree.span(node), message)
    }

    /// A finding at `span`.
    pub(super) fn at_span(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        let location = Location::new(self.context.source, span);
        let mut diagnostic = Diagnostic::error(self.rule.code, message).at(location);
        diagnostic.severity = self.rule.severity;
        let index = self.found.len();
        self.found.push(Finding { rule: self.rule, diagnostic, fix: None });
        &mut self.found[index]
    }

    /// A finding about what the command line gave.
    pub(super) fn about_the_command(&mut self, message: impl Into<String>) -> &mut Finding {
        let finding = self.at_span(Span::default(), message);
        finding.diagnostic.location = None;
        finding
    }

    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.found
    }
}
