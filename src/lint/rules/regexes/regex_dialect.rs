use super::{known, rewrite};
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings};
use crate::lint::rule::declare_rule;

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
