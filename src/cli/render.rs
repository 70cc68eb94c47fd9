//! Draws diagnostics: position, source line, caret, hints.

use std::io::Write;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use crate::diag::{Diagnostic, Location, Severity, SourceMap};

/// Longest piece of a source line that is shown, in bytes; longer lines are cut around the caret.
const SHOWN_LINE: usize = 400;

/// Draws `diagnostic` on a stream that strips colours where they are not wanted.
pub(super) fn write(stream: &mut impl Write, sources: &SourceMap, diagnostic: &Diagnostic) {
    // When standard error is gone there is nobody to tell.
    let _ = writeln!(stream, "{}", draw(sources, diagnostic));
}

/// Reports a failure of the common options themselves.
pub(super) fn report_without_context(failure: &Failure) -> Exit {
    let mut stream = anstream::stderr();
    for diagnostic in &failure.diagnostics {
        write(&mut stream, &failure.sources, diagnostic);
    }
    failure.exit
}

/// One line of a text, as UTF-8, with a range in it.
struct Excerpt {
    text: String,
    line: usize,
    range: std::ops::Range<usize>,
    /// True when the line begins before `text`.
    cut: bool,
}

/// The line on which `span` starts, cut to a readable length, and the span's part of it.
fn excerpt(sources: &SourceMap, location: Location) -> Option<Excerpt> {
    let source = sources.get(location.source)?;
    let position = source.line_column(location.span.start);
    let line = source.line(position.line);
    let line_start = line_offset(source.text(), location.span.start);
    let start = (location.span.start as usize).saturating_sub(line_start).min(line.len());
    let end = (location.span.end as usize).saturating_sub(line_start).clamp(start, line.len());
    let cut_start = start.saturating_sub(SHOWN_LINE / 2);
    let cut_end = (cut_start + SHOWN_LINE).min(line.len());
    let head = readable(&line[cut_start..start]);
    let marked = readable(&line[start..end.min(cut_end)]);
    let tail = readable(&line[end.min(cut_end)..cut_end]);
    let range = head.len()..head.len() + marked.len();
    Some(Excerpt { text: head + &marked + &tail, line: position.line as usize, range, cut: cut_start > 0 })
}

/// As UTF-8, one replacement character for each stray byte (so columns agree with `diag`) and for each control character.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.extend(chunk.valid().chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }));
        text.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    text
}

fn line_offset(text: &[u8], at: u32) -> usize {
    let at = (at as usize).min(text.len());
    memchr::memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1)
}

fn draw(sources: &SourceMap, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let main = diagnostic.location.and_then(|location| Some((location, excerpt(sources, location)?)));
    let labels: Vec<_> = diagnostic
        .labels
        .iter()
        .filter_map(|label| Some((label.location, excerpt(sources, label.location)?, label.text.as_str())))
        .collect();
    let mut group: Group<'_> = Group::with_title(level.primary_title(&diagnostic.message).id(diagnostic.code.0));
    if let Some((location, shown)) = &main {
        group = place(group, sources, *location, shown, AnnotationKind::Primary, "");
    }
    for (location, shown, text) in &labels {
        group = place(group, sources, *location, shown, AnnotationKind::Context, text);
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    let mut drawn = Renderer::styled().render(&[group]);
    if !diagnostic.backtrace.is_empty() {
        drawn.push_str("\n\nBacktrace:");
        for frame in &diagnostic.backtrace {
            if let Some((name, at)) = sources.position(frame.location) {
                drawn.push_str(&format!("\n{name}:{}:{}:\n\t{}", at.line, at.column, frame.form));
            }
        }
    }
    drawn
}

/// A diagnostic as JSON: `{severity, code, message, file?, start?, end?, line?, column?, labels, help, notes, backtrace}`.
pub(super) fn json(sources: &SourceMap, diagnostic: &Diagnostic) -> Value {
    let place = |location: Location| {
        let position = sources.position(location);
        json!({
            "file": position.map(|(name, _)| name),
            "start": location.span.start,
            "end": location.span.end,
            "line": position.map(|(_, at)| at.line),
            "column": position.map(|(_, at)| at.column),
        })
    };
    let with = |location: Location, key: &str, text: &str| {
        let mut row = place(location);
        row[key] = json!(text);
        row
    };
    let mut row = json!({
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
    });
    if let (Some(row), Some(Value::Object(at))) = (row.as_object_mut(), diagnostic.location.map(place)) {
        row.extend(at);
    }
    row["labels"] = diagnostic.labels.iter().map(|label| with(label.location, "text", &label.text)).collect();
    row["help"] = json!(diagnostic.help);
    row["notes"] = json!(diagnostic.notes);
    row["backtrace"] = diagnostic.backtrace.iter().map(|frame| with(frame.location, "form", &frame.form)).collect();
    row
}

/// Adds the excerpt `shown` of `location` to what is drawn.
fn place<'a>(
    group: Group<'a>,
    sources: &'a SourceMap,
    location: Location,
    shown: &'a Excerpt,
    kind: AnnotationKind,
    label: &'a str,
) -> Group<'a> {
    let annotation = kind.span(shown.range.clone());
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    let snippet = Snippet::source(shown.text.as_str()).line_start(shown.line).annotation(annotation);
    match sources.position(location) {
        // The renderer counts columns in what it is given, which is not the whole line here.
        Some((name, at)) if shown.cut => {
            let origin = Origin::path(name).line(at.line as usize).char_column(at.column as usize);
            group.element(origin).element(snippet)
        }
        Some((name, _)) => group.element(snippet.path(name)),
        None => group.element(snippet),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, Source, Span};

    fn plain(text: &[u8], span: Span) -> String {
        let mut sources = SourceMap::new();
        let id = sources.add(Source::new("t.sb", text));
        let diagnostic = Diagnostic::error(Code("E0000"), "wrong").at(Location::new(id, span)).with_help("do this");
        anstream::adapter::strip_str(&draw(&sources, &diagnostic)).to_string()
    }

    #[test]
    fn the_caret_is_under_the_span_also_behind_bytes_that_are_not_utf8() {
        expect_test::expect![[r#"
            error[E0000]: wrong
             --> t.sb:2:5
              |
            2 | (�� x)
              |     ^
              |
              = help: do this"#]]
        .assert_eq(&plain(b"ok\n(\xff\xfe x)\n", Span::new(7, 8)));
    }

    #[test]
    fn a_span_past_the_end_of_the_text_draws_something() {
        assert!(plain(b"", Span::new(7, 8)).contains("wrong"));
    }

    #[test]
    fn long_lines_are_cut() {
        let text = vec![b'('; 1 << 20];
        assert!(plain(&text, Span::new(500_000, 500_001)).len() < 4 * SHOWN_LINE);
    }
}
