use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::lint::text::{Piece, Text, is_raw, literal};
use crate::pattern::regex::{self, Node};
use crate::syntax::{Atom, NodeId};

declare_rule! {
    /// A regex that the compiler refuses.
    ///
    /// ## Why
    /// One bad regex loses the whole profile, and the compiler stops at the first. This rule shows them all.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-read* (regex #"(?i)^/opt/.*\.env$"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny file-read* (regex #"^/opt/.*\.env$"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.6; `spec/versions-and-defaults.md` §6.
    BAD_REGEX = "SBPL015" "bad-regex" { Regex, Error, default: true, fix: No } bad
}

declare_rule! {
    /// Syntax of other regex dialects that SBPL accepts and reads differently: `\d`, `\s`, `\b`, `(?:…)`, `*?`.
    ///
    /// ## Why
    /// In SBPL a backslash before a letter is that letter: `\d+` matches `ddd`. `(?:x)` compiles and never matches as meant, and
    /// there are no lazy repetitions.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (regex #"^/dev/ttys\d+$"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (regex #"^/dev/ttys[0-9]+$"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.6; `spec/versions-and-defaults.md` §6.
    REGEX_DIALECT = "SBPL016" "regex-dialect" { Regex, Warning, default: true, fix: Unsafe } dialect
}

declare_rule! {
    /// A regex that starts with an absolute path but is not tied to the beginning with `^`.
    ///
    /// ## Why
    /// A regex is searched anywhere in the path. `/private/var/db/x` also matches below any directory that holds a copy of that
    /// path, for example `/Users/me/private/var/db/x`, which anyone can make.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (regex #"/private/var/db/mds/"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (regex #"^/private/var/db/mds/"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.6.
    UNANCHORED_REGEX = "SBPL017" "unanchored-regex" { Regex, Warning, default: true, fix: Unsafe } unanchored
}

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

declare_rule! {
    /// A regex that only says what `literal` says.
    ///
    /// ## Why
    /// A literal is compared faster, is easier to read and is merged with others by the compiler.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (regex #"^/private/etc/hosts$"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (literal "/private/etc/hosts"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.3, §13.6.
    REGEX_FOR_LITERAL = "SBPL019" "regex-for-literal" { Style, Note, default: false, fix: Safe } for_literal
}

declare_rule! {
    /// `.*` at the end of a regex, or at its beginning.
    ///
    /// ## Why
    /// A regex is searched anywhere; `.*` at an end adds nothing but states.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-ioctl (regex #"^/dev/tty.*"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-ioctl (regex #"^/dev/tty"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.6.
    OPEN_REGEX_END = "SBPL020" "open-regex-end" { Style, Note, default: false, fix: Safe } open_end
}

/// Every regex argument whose text is fully known, with that text.
fn known<'c>(context: &'c Context<'_>) -> impl Iterator<Item = (NodeId, Text<'c>, Vec<u8>)> + use<'c> {
    context.regex_arguments().filter_map(|(_, node)| {
        let text = context.text(node);
        let bytes = text.known()?.into_owned();
        Some((node, text, bytes))
    })
}

/// The fix that makes the argument `node` the string `bytes`, when it is one literal in place.
fn rewrite(context: &Context<'_>, node: NodeId, bytes: &[u8], how: Applicability) -> Option<Fix> {
    context.tree.datum(node)?;
    context
        .tree
        .symbol(node)
        .is_none()
        .then(|| Fix::replace(how, context.tree.span(node), literal(bytes, is_raw(context.tree, node))))
}

fn bad(context: &Context<'_>, found: &mut Findings<'_>) {
    for (node, _, bytes) in known(context) {
        let Err(error) = regex::parse(&bytes) else { continue };
        let finding = found.at(node, error.to_string());
        finding.note(format!("at byte {} of the regex ({})", error.offset, error.code()));
        if let Some(hint) = error.hint() {
            finding.help(hint);
        }
    }
}

fn dialect(context: &Context<'_>, found: &mut Findings<'_>) {
    const LETTERS: [(u8, &str); 8] = [
        (b'd', "[0-9]"),
        (b'D', "[^0-9]"),
        (b's', "[ \t]"),
        (b'S', "[^ \t]"),
        (b'W', "[^A-Za-z0-9_]"),
        (b'w', "[A-Za-z0-9_]"),
        (b'b', ""),
        (b'B', ""),
    ];
    for (node, _, bytes) in known(context) {
        let mut brackets = false;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let next = bytes.get(at + 1).copied();
            match (byte, next) {
                (b'\\', Some(letter)) if !brackets => {
                    if let Some((_, class)) = LETTERS.iter().find(|(known, _)| *known == letter) {
                        let letter = char::from(letter);
                        let finding = found.at(node, format!("`\\{letter}` is the letter `{letter}` in this dialect"));
                        if !class.is_empty() {
                            finding.help(format!("Write {}.", class.escape_debug()));
                            let fixed = [&bytes[..at], class.as_bytes(), &bytes[at + 2..]].concat();
                            if let Some(fix) = rewrite(context, node, &fixed, Applicability::Unsafe) {
                                finding.fix(fix);
                            }
                        }
                        break;
                    }
                    at += 1;
                }
                (b'\\', Some(_)) => at += 1,
                (b'(', Some(b'?')) if !brackets => {
                    let kind = bytes.get(at + 2).copied().map_or('?', char::from);
                    let message = format!("`(?{kind}` is no group of this dialect; it never matches as meant");
                    found.at(node, message).help("Write a plain group `(…)`.");
                    break;
                }
                (b'*' | b'+' | b'?', Some(b'?')) if !brackets => {
                    let message = "there are no lazy repetitions in this dialect";
                    let finding = found.at(node, message);
                    finding.help("Remove the `?`: whether a text matches does not depend on it.");
                    let fixed = [&bytes[..=at], &bytes[at + 2..]].concat();
                    if let Some(fix) = rewrite(context, node, &fixed, Applicability::Unsafe) {
                        finding.fix(fix);
                    }
                    break;
                }
                (b'[', _) => brackets = true,
                (b']', _) => brackets = false,
                _ => {}
            }
            at += 1;
        }
    }
}

fn unanchored(context: &Context<'_>, found: &mut Findings<'_>) {
    const ROOTS: [&[u8]; 12] = [
        b"/private/",
        b"/System/",
        b"/usr/",
        b"/dev/",
        b"/Users/",
        b"/Applications/",
        b"/Volumes/",
        b"/bin/",
        b"/sbin/",
        b"/opt/",
        b"/var/folders/",
        b"/cores/",
    ];
    for (call, node) in context.regex_arguments() {
        if context.target.filter_name(call.id) != "path" {
            continue;
        }
        let text = context.text(node);
        let parameter = matches!(text.pieces.first(), Some(Piece::Param { .. })) || starts_quoted(&text);
        if !(parameter || ROOTS.iter().any(|root| text.head().starts_with(root))) {
            continue;
        }
        let finding = found.at(node, "this regex is searched anywhere in the path: it lacks `^`");
        if let Some(first) = text.head_node().filter(|_| !text.indirect) {
            let fixed = [b"^", text.head()].concat();
            let literal = literal(&fixed, is_raw(context.tree, first));
            finding.fix(Fix::replace(Applicability::Unsafe, context.tree.span(first), literal));
        }
        finding.help("Put `^` in front.");
    }
}

fn starts_quoted(text: &Text<'_>) -> bool {
    matches!(text.pieces.first(), Some(Piece::Quoted))
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

/// The fix that makes the argument `node` a plain string, when it is one literal in place.
fn plain(context: &Context<'_>, node: NodeId, bytes: &[u8]) -> Option<Fix> {
    let raw = bytes.contains(&b'\\');
    matches!(context.tree.datum(node), Some(Atom::String(_)))
        .then(|| Fix::replace(Applicability::Safe, context.tree.span(node), literal(bytes, raw)))
}

fn for_literal(context: &Context<'_>, found: &mut Findings<'_>) {
    for (call, node) in context.regex_arguments() {
        let text = context.text(node);
        let Some(parsed) = text.known().and_then(|bytes| regex::parse(&bytes).ok()) else { continue };
        let Node::Concat(parts) = parsed.node() else { continue };
        let [Node::Start, inner @ .., Node::End] = &parts[..] else { continue };
        let bytes: Option<Vec<u8>> = inner
            .iter()
            .map(|part| match part {
                Node::Byte(byte) => Some(*byte),
                _ => None,
            })
            .collect();
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { continue };
        let Some(exact) = call.name.strip_suffix(b"regex") else { continue };
        let exact = match exact {
            b"" => b"literal".to_vec(),
            base => base.strip_suffix(b"-").unwrap_or(base).to_vec(),
        };
        let name = context.tree.children(call.node).next();
        let single = context.tree.children(call.node).count() == 2;
        let finding = found.at(node, "this regex says no more than an exact comparison");
        finding.help(format!("Use `{}`.", String::from_utf8_lossy(&exact)));
        if let (Some(name), true, Some(mut fix)) = (name, single, plain(context, node, &bytes)) {
            fix.edits.extend(Fix::replace(Applicability::Safe, context.tree.span(name), exact).edits);
            finding.fix(fix);
        }
    }
}

fn open_end(context: &Context<'_>, found: &mut Findings<'_>) {
    for (node, _, bytes) in known(context) {
        let mut body = &bytes[..];
        if let Some(front) = body.strip_suffix(b".*$").or_else(|| body.strip_suffix(b".*"))
            && !front.ends_with(b"\\")
            && !front.is_empty()
        {
            body = front;
        }
        if let Some(tail) = body.strip_prefix(b"^.*").or_else(|| body.strip_prefix(b".*"))
            && !tail.is_empty()
            && !tail.starts_with(b"*")
        {
            body = tail;
        }
        // An alternative at an end or a lone anchor may need its neighbour.
        if body.len() == bytes.len()
            || body == b"^"
            || body == b"$"
            || bytes.contains(&b'|')
            || regex::parse(body).is_err()
        {
            continue;
        }
        let finding = found.at(node, "`.*` at the end of a regex adds nothing");
        finding.help("Remove it: a regex is searched anywhere.");
        if let Some(fix) = rewrite(context, node, body, Applicability::Safe) {
            finding.fix(fix);
        }
    }
}
