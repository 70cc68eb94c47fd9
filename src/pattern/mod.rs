//! Path strings, prefixes, subpaths and regexes: what they match, how they are compiled, how their languages compare.
//!
//! This room works on bytes. It knows nothing of operations, rules or blobs; a blob's pattern records come in and go out
//! as byte slices.
//!
//! - [`Pattern`]: one string test of a profile, with [`Pattern::matches`] as the meaning everything else is measured by;
//! - [`code`]: the compiled form of string tests that need no regex engine;
//! - [`build`], [`union`]: from patterns to that form, and the order of alternatives;
//! - [`regex`]: the regex dialect, its tree, its text and its compiled code;
//! - [`automaton`]: languages as automata.
//!
//! **Invariants:** nothing here reads a file, prints or knows a profile. Every [`Pattern`] of kind
//! [`PatternKind::Regex`] holds a regex that parses, so matching cannot fail.

pub mod automaton;
pub mod build;
pub mod byteset;
pub mod code;
pub mod codes;
pub mod regex;
pub mod union;
pub(crate) mod variable;

pub use automaton::Variables;
pub use byteset::ByteSet;
pub use regex::{Regex, RegexError, RegexErrorKind};
pub use variable::Meaning;

use automaton::Nfa;

/// How a pattern's text is to be read (`spec/sbpl-language.md` §13.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatternKind {
    /// The whole subject equals the text.
    Literal,
    /// The subject begins with the text's bytes.
    Prefix,
    /// The subject is the text or lies below it, component by component; `/` is everything.
    Subpath,
    /// A part of the subject matches the regex.
    Regex,
}

impl PatternKind {
    /// What stands behind the quoted text in the anchored regex of the same meaning, `(/|$)` for a subpath.
    pub(crate) fn regex_end(self) -> regex::Node {
        use regex::Node;
        match self {
            Self::Literal => Node::End,
            Self::Subpath => Node::alternate(vec![Node::Byte(b'/'), Node::End]),
            Self::Prefix | Self::Regex => Node::Empty,
        }
    }
}

/// One string test as a profile writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    kind: PatternKind,
    text: Vec<u8>,
    variables: bool,
    /// Present exactly for [`PatternKind::Regex`].
    regex: Option<Regex>,
}

impl Pattern {
    /// A pattern of `kind`. With `variables`, `${NAME}` in the text stands for a pattern variable
    /// (`spec/sbpl-language.md` §13.5), else it is text.
    ///
    /// # Errors
    /// A regex that does not parse.
    pub fn new(kind: PatternKind, text: impl Into<Vec<u8>>, variables: bool) -> Result<Self, RegexError> {
        let text = text.into();
        let regex = match kind {
            PatternKind::Regex if variables => Some(regex::parse_with_variables(&text)?),
            PatternKind::Regex => Some(regex::parse(&text)?),
            _ => None,
        };
        let mut pattern = Self { kind, text, variables, regex };
        pattern.variables = variables && !pattern.variable_names().is_empty();
        Ok(pattern)
    }

    fn plain(kind: PatternKind, text: impl Into<Vec<u8>>) -> Self {
        Self { kind, text: text.into(), variables: false, regex: None }
    }

    /// `(literal "text")`, without variables.
    pub fn literal(text: impl Into<Vec<u8>>) -> Self {
        Self::plain(PatternKind::Literal, text)
    }

    /// `(prefix "text")`, without variables.
    pub fn prefix(text: impl Into<Vec<u8>>) -> Self {
        Self::plain(PatternKind::Prefix, text)
    }

    /// `(subpath "text")`, without variables.
    pub fn subpath(text: impl Into<Vec<u8>>) -> Self {
        Self::plain(PatternKind::Subpath, text)
    }

    /// `(regex #"text")` of a regex tree, without variables unless the tree holds some.
    pub fn from_regex(regex: Regex) -> Self {
        Self { kind: PatternKind::Regex, text: regex.to_source(), variables: regex.has_variables(), regex: Some(regex) }
    }

    /// How the text is read.
    pub fn kind(&self) -> PatternKind {
        self.kind
    }

    /// The text as given (after folding: as folded).
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether a variable is in it.
    pub fn has_variables(&self) -> bool {
        self.variables
    }

    /// The parsed regex, for [`PatternKind::Regex`].
    pub fn regex(&self) -> Option<&Regex> {
        self.regex.as_ref()
    }

    /// The names of the variables in it, in order, repeated as they are.
    pub fn variable_names(&self) -> Vec<&[u8]> {
        match &self.regex {
            Some(regex) => regex.variable_names(),
            None => pieces(&self.text, self.variables)
                .into_iter()
                .filter_map(|piece| match piece {
                    Piece::Variable(name) => Some(name),
                    Piece::Bytes(_) => None,
                })
                .collect(),
        }
    }

    /// The names of its variables that have no [`Meaning`] of their own: what they stand for is to be said.
    pub fn free_variables(&self) -> impl Iterator<Item = &[u8]> {
        let names = if self.variables { self.variable_names() } else { Vec::new() };
        names.into_iter().filter(|name| variable::fixed(name).is_none())
    }

    /// How literals, prefixes and subpaths really compare, and with which text: a subpath's trailing slashes do not count,
    /// and `/` is every absolute path. Whether Apple's compiler drops the slashes is open (`spec/sbpl-language.md` §17.4); kept,
    /// such a pattern could match no path.
    pub(crate) fn shape(&self) -> (PatternKind, &[u8]) {
        let mut text = self.text.as_slice();
        if self.kind == PatternKind::Subpath {
            while let [rest @ .., b'/'] = text {
                if rest.is_empty() {
                    return (PatternKind::Prefix, text);
                }
                text = rest;
            }
        }
        (self.kind, text)
    }

    /// The pattern as the macOS compiler stores it for path filters: ASCII letters in lower case, regexes folded after
    /// parsing (`spec/versions-and-defaults.md` §6). Names of variables are folded too: macOS 15.2 stores `any_user_home`.
    /// Subjects must be folded likewise.
    #[must_use]
    pub fn fold_case(&self) -> Self {
        if let Some(regex) = &self.regex {
            let folded = regex.fold_case();
            return if folded == *regex {
                self.clone()
            } else {
                Self { variables: self.variables, ..Self::from_regex(folded) }
            };
        }
        Self { text: self.text.to_ascii_lowercase(), ..self.clone() }
    }

    /// Whether `subject` matches. A variable matches what [`Variables::meaning`] says.
    ///
    /// Builds an automaton for a regex or a pattern with variables each time; for many subjects use
    /// [`automaton`].
    pub fn matches(&self, subject: &[u8], variables: &Variables) -> bool {
        let (kind, text) = self.shape();
        match kind {
            _ if self.variables => {}
            PatternKind::Literal => return subject == text,
            PatternKind::Prefix => return subject.starts_with(text),
            PatternKind::Subpath => {
                return subject.strip_prefix(text).is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'));
            }
            PatternKind::Regex => {}
        }
        let mut nfa = Nfa::new();
        nfa.add(self, variables);
        !nfa.matches(subject).is_empty()
    }
}

/// A part of a text with variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// Plain bytes.
    Bytes(&'t [u8]),
    /// The name in `${…}`.
    Variable(&'t [u8]),
}

/// Splits a text at its variables; one piece of bytes when `variables` is off.
pub(crate) fn pieces(text: &[u8], variables: bool) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while variables && from < rest.len() {
        let Some(at) = memchr::memchr(b'$', &rest[from..]).map(|at| at + from) else { break };
        match variable_name(&rest[at..]) {
            Some((name, length)) => {
                if at > 0 {
                    out.push(Piece::Bytes(&rest[..at]));
                }
                out.push(Piece::Variable(name));
                rest = &rest[at + length..];
                from = 0;
            }
            None => from = at + 1,
        }
    }
    if !rest.is_empty() {
        out.push(Piece::Bytes(rest));
    }
    out
}

/// The name and the whole length of the `${NAME}` that `text` begins with. A name holds no `{`, `}` or `$` and is not
/// empty (`HOME`, `ENTITLEMENT:com.apple.x`).
pub(crate) fn variable_name(text: &[u8]) -> Option<(&[u8], usize)> {
    let inside = text.strip_prefix(b"${")?;
    let end = inside.iter().position(|byte| b"{}$".contains(byte))?;
    (end > 0 && inside.get(end) == Some(&b'}')).then(|| (&inside[..end], end + 3))
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
