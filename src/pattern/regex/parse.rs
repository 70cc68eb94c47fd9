//! Regex text to tree, without recursion.
//!
//! Where the sources leave the dialect open, this parser decides as follows:
//!
//! - `^` may stand wherever nothing stands before it on its branch: `^a`, `(^a|^b)`. Anywhere else it is an error, as
//!   `(?i)^/x` is for Apple's compiler.
//! - `$` is accepted anywhere; before more text it can never match.
//! - `?` with nothing in front is accepted and means nothing, because `(?:…)` is "accepted silently" (`spec/versions-and-defaults.md`
//!   §6); `*`, `+` and `{…}` there are errors.
//! - `{m}`, `{m,}` and `{m,n}` are written out; any other `{` is a plain character.
//! - `\` makes the next byte literal, in brackets too: `\w` is the letter `w` (in the corpus `\c` is a typing mistake for `c`).
//! - In brackets a first `]` and a first or last `-` are literal.
//! - `[[:alpha:]]` is refused, because no profile has it and its meaning is unknown.

use super::{Class, MAX_DEPTH, MAX_NODES, MAX_TEXT, Node, Regex, RegexError, RegexErrorKind, Repeat};

/// Largest number in `{m,n}`.
const MAX_BOUND: usize = 255;

/// Reads a regex; `${…}` is text (`$` is the end, `{` a character).
///
/// # Errors
/// [`RegexError`] with the offset of the first offending byte.
pub fn parse(text: &[u8]) -> Result<Regex, RegexError> {
    Parser::new(text, false).run()
}

/// Reads a regex in which `${NAME}` is a pattern variable.
///
/// # Errors
/// As [`parse`].
pub fn parse_with_variables(text: &[u8]) -> Result<Regex, RegexError> {
    Parser::new(text, true).run()
}

/// A group (or the whole text) that is being read.
#[derive(Default)]
struct Frame {
    branches: Vec<Node>,
    parts: Vec<Node>,
    /// The depth of each of `parts`.
    depths: Vec<usize>,
    /// The deepest part of the branches that are done.
    depth: usize,
    /// Where the group began.
    offset: usize,
    /// Whether a `^` may follow at the start of each branch.
    at_start: bool,
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    variables: bool,
    stack: Vec<Frame>,
    frame: Frame,
    nodes: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t [u8], variables: bool) -> Self {
        let frame = Frame { at_start: true, ..Frame::default() };
        Self { text, at: 0, variables, stack: Vec::new(), frame, nodes: 0 }
    }

    fn error<T>(&self, kind: RegexErrorKind, offset: usize) -> Result<T, RegexError> {
        Err(RegexError { kind, offset })
    }

    fn run(mut self) -> Result<Regex, RegexError> {
        if self.text.len() > MAX_TEXT {
            return self.error(RegexErrorKind::TooLong, MAX_TEXT);
        }
        while let Some(&byte) = self.text.get(self.at) {
            let offset = self.at;
            self.at += 1;
            match byte {
                b'(' => self.open(offset)?,
                b')' => self.close(offset)?,
                b'|' => self.end_branch(),
                b'*' => self.repeat(Repeat::Star, offset)?,
                b'+' => self.repeat(Repeat::Plus, offset)?,
                b'?' => self.optional(offset)?,
                b'{' => self.brace(offset)?,
                b'[' => {
                    let class = self.class(offset)?;
                    self.push(Node::Class(class), offset)?;
                }
                b'.' => self.push(Node::Any, offset)?,
                b'^' if self.frame.at_start && self.frame.parts.is_empty() => self.push(Node::Start, offset)?,
                b'^' => return self.error(RegexErrorKind::CaretInside, offset),
                b'$' => {
                    let node = self.variable().map_or(Node::End, Node::Variable);
                    self.push(node, offset)?;
                }
                b'\\' => match self.text.get(self.at) {
                    Some(&escaped) => {
                        self.at += 1;
                        self.push(Node::Byte(escaped), offset)?;
                    }
                    None => return self.error(RegexErrorKind::TrailingBackslash, offset),
                },
                plain => self.push(Node::Byte(plain), offset)?,
            }
        }
        if !self.stack.is_empty() {
            return self.error(RegexErrorKind::MissingParenthesis, self.frame.offset);
        }
        self.end_branch();
        Regex::new(Node::alternate(self.frame.branches))
    }

    fn push(&mut self, node: Node, offset: usize) -> Result<(), RegexError> {
        self.push_nested(node, 1, offset)
    }

    /// Adds a part; the limits are checked before it grows, so that no tree too deep to drop ever exists.
    fn push_nested(&mut self, node: Node, depth: usize, offset: usize) -> Result<(), RegexError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self.error(RegexErrorKind::TooLarge, offset);
        }
        if depth > MAX_DEPTH {
            return self.error(RegexErrorKind::TooDeep, offset);
        }
        self.frame.parts.push(node);
        self.frame.depths.push(depth);
        Ok(())
    }

    fn pop(&mut self) -> Option<(Node, usize)> {
        Some((self.frame.parts.pop()?, self.frame.depths.pop()?))
    }

    fn open(&mut self, offset: usize) -> Result<(), RegexError> {
        if self.stack.len() >= MAX_DEPTH {
            return self.error(RegexErrorKind::TooDeep, offset);
        }
        let at_start = self.frame.at_start && self.frame.parts.is_empty();
        let outer = std::mem::replace(&mut self.frame, Frame { offset, at_start, ..Frame::default() });
        self.stack.push(outer);
        Ok(())
    }

    fn close(&mut self, offset: usize) -> Result<(), RegexError> {
        let Some(outer) = self.stack.pop() else {
            return self.error(RegexErrorKind::UnexpectedParenthesis, offset);
        };
        self.end_branch();
        let inner = std::mem::replace(&mut self.frame, outer);
        let levels = usize::from(inner.branches.len() > 1) + 1;
        self.push_nested(Node::alternate(inner.branches), inner.depth + levels, offset)
    }

    fn end_branch(&mut self) {
        let parts = std::mem::take(&mut self.frame.parts);
        let deepest = std::mem::take(&mut self.frame.depths).into_iter().max().unwrap_or(0);
        self.frame.depth = self.frame.depth.max(deepest);
        self.frame.branches.push(Node::concat(parts));
    }

    fn repeat(&mut self, repeat: Repeat, offset: usize) -> Result<(), RegexError> {
        match self.pop() {
            Some((body, depth)) => self.push_nested(Node::Repeat(Box::new(body), repeat), depth + 1, offset),
            None => self.error(RegexErrorKind::NothingToRepeat, offset),
        }
    }

    fn optional(&mut self, offset: usize) -> Result<(), RegexError> {
        if self.frame.parts.is_empty() { Ok(()) } else { self.repeat(Repeat::Optional, offset) }
    }

    /// `{m}`, `{m,}`, `{m,n}` after an expression; anything else is a plain `{`.
    fn brace(&mut self, offset: usize) -> Result<(), RegexError> {
        let Some((low, high, next)) = self.bounds() else {
            return self.push(Node::Byte(b'{'), offset);
        };
        let bad = low > MAX_BOUND || high.is_some_and(|high| high > MAX_BOUND || high < low);
        if bad {
            return self.error(RegexErrorKind::BadBounds, offset);
        }
        let Some((body, depth)) = self.pop() else {
            return self.error(RegexErrorKind::NothingToRepeat, offset);
        };
        self.at = next;
        let copies = high.unwrap_or(low + 1).max(1);
        if self.nodes + copies * size(&body) > MAX_NODES {
            return self.error(RegexErrorKind::TooLarge, offset);
        }
        self.nodes += copies * size(&body);
        let tail = match high {
            None => vec![Node::Repeat(Box::new(body.clone()), Repeat::Star)],
            Some(high) => vec![Node::Repeat(Box::new(body.clone()), Repeat::Optional); high - low],
        };
        let parts = std::iter::repeat_n(body, low).chain(tail).collect();
        self.push_nested(Node::concat(parts), depth + 2, offset)
    }

    /// The numbers of `{m,n}` with the offset behind it, when that is what follows.
    fn bounds(&self) -> Option<(usize, Option<usize>, usize)> {
        let rest = self.text.get(self.at..)?;
        let end = rest.iter().take(16).position(|byte| *byte == b'}')?;
        let inside = std::str::from_utf8(rest.get(..end)?).ok()?;
        let number = |text: &str| -> Option<usize> {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(usize::MAX))
        };
        let (low, high) = match inside.split_once(',') {
            None => (number(inside)?, Some(number(inside)?)),
            Some((low, "")) => (number(low)?, None),
            Some((low, high)) => (number(low)?, Some(number(high)?)),
        };
        Some((low, high, self.at + end + 1))
    }

    /// The name of a variable when `${NAME}` stands here and variables are on.
    fn variable(&mut self) -> Option<Vec<u8>> {
        if !self.variables {
            return None;
        }
        let (name, length) = crate::pattern::variable_name(self.text.get(self.at - 1..)?)?;
        self.at += length - 1;
        Some(name.to_vec())
    }

    /// A bracket expression; the opening bracket is read already.
    fn class(&mut self, offset: usize) -> Result<Class, RegexError> {
        let negated = self.text.get(self.at) == Some(&b'^');
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        loop {
            let first = ranges.is_empty();
            match self.text.get(self.at) {
                None => return self.error(RegexErrorKind::MissingBracket, offset),
                Some(b']') if !first => break,
                Some(b'[') if self.text.get(self.at + 1).is_some_and(|next| b":.=".contains(next)) => {
                    let named = self.text.get(self.at + 2..).unwrap_or_default();
                    let mark = self.text.get(self.at + 1).copied().unwrap_or_default();
                    if named.windows(2).take_while(|pair| pair.first() != Some(&b']')).any(|pair| pair == [mark, b']'])
                    {
                        return self.error(RegexErrorKind::NamedClass, self.at);
                    }
                }
                Some(_) => {}
            }
            let start = self.at;
            let low = self.class_byte(offset)?;
            let is_range =
                self.text.get(self.at) == Some(&b'-') && self.text.get(self.at + 1).is_some_and(|b| *b != b']');
            let high = if is_range {
                self.at += 1;
                self.class_byte(offset)?
            } else {
                low
            };
            if high < low {
                return self.error(RegexErrorKind::ReversedRange, start);
            }
            ranges.push((low, high));
        }
        self.at += 1;
        Ok(Class::new(negated, ranges))
    }

    fn class_byte(&mut self, offset: usize) -> Result<u8, RegexError> {
        let escaped = self.text.get(self.at) == Some(&b'\\');
        self.at += usize::from(escaped);
        match self.text.get(self.at) {
            Some(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            None => self.error(RegexErrorKind::MissingBracket, offset),
        }
    }
}

/// The number of nodes; the depth is bounded by what was parsed so far, so this walks with a stack of its own.
fn size(node: &Node) -> usize {
    let mut todo = vec![node];
    let mut count = 0;
    while let Some(node) = todo.pop() {
        count += 1;
        match node {
            Node::Concat(inner) | Node::Alternate(inner) => todo.extend(inner),
            Node::Repeat(body, _) => todo.push(body),
            _ => {}
        }
    }
    count
}
