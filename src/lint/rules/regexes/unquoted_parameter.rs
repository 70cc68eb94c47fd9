use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::lint::text::Piece;

declare_rule! {
    /// A parameter that goes into a regex without `regex-quote`.
    ///
    /// ## Why
    /// The value's dots, brackets and plus signs become regex operators: with `HOME=/Users/a.b` the directory `/Users/aXb`
    /// matches too, and a value with `[` or `(` makes the compiler refuse the profile.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-write* (regex (string-append "^" (param "HOME") "/Library/")))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-write* (regex (string-append "^" (regex-quote (param "HOME")) "/Library/")))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.8; valon-technologies/gestalt#382, tilesprivacy/tiles#74.
    UNQUOTED_PARAMETER = "SBPL018" "unquoted-parameter" { Regex, Warning, default: true, fix: Unsafe } unquoted
}

fn unquoted(context: &Context<'_>, found: &mut Findings<'_>) {
    for (_, node) in context.regex_arguments() {
        let text = context.text(node);
        // A parameter alone is a whole regex, given from outside.
        if text.pieces.len() < 2 {
            continue;
        }
        for piece in &text.pieces {
            // A given value is known and still read as a regex.
            let param = match *piece {
                Piece::Param { node } => node,
                Piece::Bytes { node, .. } if context.tree.head(node).is_some() => node,
                _ => continue,
            };
            let place = if context.tree.subtree(node).any(|inside| inside == param) { param } else { node };
            let finding = found.at(place, "the parameter's value is read as a regex");
            finding.help("Wrap it in (regex-quote …).");
            if place == param {
                let quoted = [b"(regex-quote ", context.tree.source(param), b")"].concat();
                finding.fix(Fix::replace(Applicability::Unsafe, context.tree.span(param), quoted));
            }
        }
    }
}
