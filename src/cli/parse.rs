//! `sbpl parse`: read, and say what is wrong.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::{input, render};
use crate::diag::{Diagnostic, Source, SourceId, SourceMap, Span};
use crate::syntax::{self, Atom, NodeId, NodeKind, Tree};

/// Read profiles and report every syntax error. Without options nothing else is printed.
///
/// With --json: {"files": [{"file", "bytes", "errors": […], "tree": [NODE…]}]}. A NODE is {"kind", "start", "end", "line", "column"} with "children" for list, dotted-list (the last child
/// is the tail), vector, quote, quasiquote, unquote and unquote-splicing, or with "text" as written for symbol, string, raw-string, char, bool, number and error; all atoms but symbols also have
/// "value". Bytes that are not UTF-8 are U+FFFD in "text" and "value"; "text_hex" and "value_hex" then hold all bytes. "start" and "end" are byte offsets.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profiles; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print all tokens, white space and comments included, one a line: offsets, line:column, kind, text. With --json they are rows of "tokens" in place of "tree".
    #[arg(long)]
    tokens: bool,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let limits = context.syntax_limits();
        let mut exit = Exit::Fine;
        if context.json {
            context.print("{\"files\": [");
        }
        let mut separator = "\n";
        for path in &self.files {
            let source = match input::text(context, path) {
                Ok(source) => source,
                Err(failure) => {
                    context.report(&failure.sources, &failure.diagnostics);
                    exit = worse(exit, failure.exit);
                    continue;
                }
            };
            let parsed = syntax::parse(source.shared_text(), &limits);
            let mut sources = SourceMap::new();
            let id = sources.add(source.clone());
            let errors: Vec<Diagnostic> = parsed.errors.iter().map(|error| error.to_diagnostic(id)).collect();
            if context.json {
                context.print(separator);
                separator = ",\n";
                print_json(context, &sources, id, &parsed.tree, &errors, self.tokens);
            } else if self.tokens {
                print_tokens(context, &source, &parsed.tree);
            }
            context.report(&sources, &errors);
            if !errors.is_empty() {
                exit = worse(exit, Exit::BadInput);
            }
        }
        if context.json {
            context.print("\n]}\n");
        }
        Ok(exit)
    }
}

/// A file that cannot be read outweighs one that is bad.
fn worse(a: Exit, b: Exit) -> Exit {
    if a == Exit::Fine || b == Exit::NoInput { b } else { a }
}

/// How much text is collected before it is written.
const CHUNK: usize = 1 << 16;

fn print_tokens(context: &mut Context, source: &Source, tree: &Tree) {
    let mut lines = LineCounter::new(tree);
    let mut out = String::new();
    if !source.name().is_empty() {
        let _ = writeln!(out, "{}", source.name());
    }
    for token in tree.tokens() {
        let (line, column) = lines.at(token.span.start);
        let text = tree.slice(token.span).escape_ascii();
        let Span { start, end } = token.span;
        let _ = writeln!(out, "{start:6} {end:6} {:>8}  {:16}  {text}", format!("{line}:{column}"), token.kind.name());
        if out.len() > CHUNK {
            context.print(std::mem::take(&mut out));
        }
    }
    context.print(out);
}

/// One file as a JSON object. Written piece by piece: a tree may be deeper than a serializer may recurse.
fn print_json(
    context: &mut Context,
    sources: &SourceMap,
    id: SourceId,
    tree: &Tree,
    errors: &[Diagnostic],
    tokens: bool,
) {
    let name = sources.get(id).map_or("", Source::name);
    let mut out = String::new();
    let errors: Vec<Value> = errors.iter().map(|error| render::json(sources, error)).collect();
    let _ =
        writeln!(out, "{{\"file\": {}, \"bytes\": {}, \"errors\": {},", json!(name), tree.text().len(), json!(errors));
    if tokens {
        let mut lines = LineCounter::new(tree);
        out.push_str("\"tokens\": [");
        for (index, token) in tree.tokens().iter().enumerate() {
            out.push_str(if index == 0 { "\n" } else { ",\n" });
            let mut row = head(token.kind.name(), token.span, &mut lines);
            put_text(&mut row, "text", tree.slice(token.span));
            out.push_str(&Value::Object(row).to_string());
            if out.len() > CHUNK {
                context.print(std::mem::take(&mut out));
            }
        }
        out.push_str("\n]}");
    } else {
        write_tree(context, tree, out);
        return;
    }
    context.print(out);
}

fn write_tree(context: &mut Context, tree: &Tree, mut out: String) {
    let mut lines = LineCounter::new(tree);
    // The ends, in preorder, of the nodes whose children are being written.
    let mut open: Vec<usize> = Vec::new();
    let mut first = true;
    out.push_str("\"tree\": [");
    for node in tree.nodes() {
        while open.last() == Some(&node.index()) {
            open.pop();
            out.push_str("]}");
            first = false;
        }
        out.push_str(if first { "\n" } else { ",\n" });
        first = false;
        let row = Value::Object(node_json(tree, node, &mut lines)).to_string();
        if matches!(tree.kind(node), NodeKind::Atom(_) | NodeKind::Error) {
            out.push_str(&row);
        } else {
            // Left open for the children.
            out.push_str(row.strip_suffix('}').unwrap_or(&row));
            out.push_str(",\"children\":[");
            open.push(tree.subtree(node).last().map_or(0, |last| last.index()) + 1);
            first = true;
        }
        if out.len() > CHUNK {
            context.print(std::mem::take(&mut out));
        }
    }
    out.push_str(&"]}".repeat(open.len()));
    out.push_str("\n]}");
    context.print(out);
}

type Row = serde_json::Map<String, Value>;

fn head(kind: &str, span: Span, lines: &mut LineCounter<'_>) -> Row {
    let (line, column) = lines.at(span.start);
    let mut row = Row::new();
    row.insert("kind".into(), json!(kind));
    for (key, number) in [("start", span.start), ("end", span.end), ("line", line), ("column", column)] {
        row.insert(key.into(), json!(number));
    }
    row
}

fn node_json(tree: &Tree, node: NodeId, lines: &mut LineCounter<'_>) -> Row {
    let kind = tree.kind(node);
    let mut row = head(kind.name(), tree.span(node), lines);
    if matches!(kind, NodeKind::Atom(_) | NodeKind::Error) {
        put_text(&mut row, "text", tree.source(node));
    }
    match tree.datum(node) {
        None | Some(Atom::Symbol(_)) => {}
        Some(Atom::String(bytes)) => put_text(&mut row, "value", &bytes),
        Some(Atom::Integer(number)) => put(&mut row, "value", number),
        Some(Atom::Real(number)) => put(&mut row, "value", number),
        Some(Atom::Bool(value)) => put(&mut row, "value", value),
        Some(Atom::Char(byte)) => put(&mut row, "value", byte),
    }
    row
}

fn put(row: &mut Row, key: &str, value: impl Serialize) {
    row.insert(key.into(), json!(value));
}

fn put_text(row: &mut Row, key: &str, bytes: &[u8]) {
    put(row, key, String::from_utf8_lossy(bytes));
    if std::str::from_utf8(bytes).is_err() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        put(row, &format!("{key}_hex"), hex);
    }
}

/// Lines and columns of offsets that only grow: every byte is counted once.
struct LineCounter<'a> {
    text: &'a [u8],
    offset: usize,
    line: u32,
    column: u32,
}

impl<'a> LineCounter<'a> {
    fn new(tree: &'a Tree) -> Self {
        Self { text: tree.text(), offset: 0, line: 1, column: 1 }
    }

    fn at(&mut self, offset: u32) -> (u32, u32) {
        let mut passed = self.text.get(self.offset..offset as usize).unwrap_or_default();
        self.offset = offset as usize;
        self.line += memchr::memchr_iter(b'\n', passed).count() as u32;
        if let Some(last) = memchr::memrchr(b'\n', passed) {
            self.column = 1;
            passed = passed.get(last + 1..).unwrap_or_default();
        }
        let columns: usize = passed.utf8_chunks().map(|it| it.valid().chars().count() + it.invalid().len()).sum();
        self.column += columns as u32;
        (self.line, self.column)
    }
}
