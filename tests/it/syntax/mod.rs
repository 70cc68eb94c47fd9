//! The syntax room, seen from outside.

mod format;
pub(crate) mod grammar;
mod limits;
mod properties;
mod recovery;
mod torture;

use sbpl::diag::Source;
use sbpl::syntax::{NodeKind, Parse, SyntaxLimits, parse};

pub(crate) fn read(text: &[u8]) -> Parse {
    parse(text, &SyntaxLimits::default())
}

/// The tree, one line a node, and the errors, one line each: what the expected files hold.
pub(crate) fn dump(text: &[u8]) -> String {
    use std::fmt::Write;

    let Parse { tree, errors } = read(text);
    let source = Source::new("t", text);
    let mut out = String::new();
    let mut depths = vec![0; tree.len()];
    for node in tree.nodes() {
        let depth = tree.parent(node).map_or(0, |parent| depths[parent.index()] + 1);
        depths[node.index()] = depth;
        let at = source.line_column(tree.span(node).start);
        write!(out, "{:1$}{2}:{3} ", "", depth.min(20) * 2, at.line, at.column).unwrap();
        match tree.kind(node) {
            NodeKind::List => writeln!(out, "list"),
            NodeKind::DottedList => writeln!(out, "dotted-list"),
            NodeKind::Vector => writeln!(out, "vector"),
            NodeKind::Quoted(kind) => writeln!(out, "{}", kind.symbol()),
            NodeKind::Atom(kind) => {
                writeln!(out, "{} {} = {}", kind.name(), tree.source(node).escape_ascii(), value(&tree, node))
            }
            NodeKind::Error => {
                let text = tree.source(node);
                let (head, more) = text.split_at(text.len().min(40));
                writeln!(out, "error {}{}", head.escape_ascii(), if more.is_empty() { "" } else { "…" })
            }
        }
        .unwrap();
    }
    for error in &errors {
        let at = source.line_column(error.span.start);
        writeln!(out, "{} {}:{} {error}", error.kind.code(), at.line, at.column).unwrap();
        let diagnostic = error.to_diagnostic(sbpl::diag::SourceId(0));
        for label in diagnostic.labels {
            let at = source.line_column(label.location.span.start);
            writeln!(out, "  {}:{} {}", at.line, at.column, label.text).unwrap();
        }
        for help in diagnostic.help {
            writeln!(out, "  {help}").unwrap();
        }
    }
    out
}

fn value(tree: &sbpl::syntax::Tree, node: sbpl::syntax::NodeId) -> String {
    use sbpl::syntax::Atom;
    match tree.datum(node) {
        Some(Atom::Symbol(name)) => name.escape_ascii().to_string(),
        Some(Atom::String(bytes)) => format!("\"{}\"", bytes.escape_ascii()),
        Some(Atom::Integer(number)) => number.to_string(),
        Some(Atom::Real(number)) => format!("{number:?}"),
        Some(Atom::Bool(value)) => value.to_string(),
        Some(Atom::Char(byte)) => byte.to_string(),
        None => "none".to_owned(),
    }
}
