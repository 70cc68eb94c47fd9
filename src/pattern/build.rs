//! From one pattern to its tree (`spec/blob-format.md` §7.1), and which regexes have one (§7.4).
//!
//! A regex becomes pattern code when it is anchored, or begins with a plain byte, and consists of bytes, `.`, classes,
//! groups, `|`, `?`, `[^c]*` or `[^c]+` in front of `c`, and a closure in front of the final `$`. Everything else stays a regex:
//! Apple's compiler keeps `[^/]+(/|$)`, `[0-9]*` at an open end, `.+/` and `(x)*` as regexes (iOS 17, macOS 15.2 and iOS 26
//! platform profiles). Exactly where it draws the line for `?` and for groups with text behind them is open; here they are
//! written out, as long as one byte tells the branches apart.

use super::byteset::ByteSet;
use super::code::{Alternative, CodeError, CodeErrorKind, MAX_DEPTH, PatternTree, Ranges, Step};
use super::regex::{Node, Regex, Repeat};
use super::union::{self, Order};
use super::{Pattern, PatternKind, Piece, pieces};

/// Most end-points that one regex may be written out to; above it stays a regex.
const MAX_END_POINTS: usize = 1024;

/// The compiled form of one pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiled {
    /// Pattern code.
    Tree(PatternTree),
    /// A regex that needs the regex engine; see [`super::regex::code`].
    Regex(Regex),
}

/// Compiles `pattern`. `variable` gives the number of a variable in the blob's table.
///
/// # Errors
/// [`CodeErrorKind::TooDeep`] for a regex that nests too deep as a tree.
pub fn compile(pattern: &Pattern, variable: &mut dyn FnMut(&[u8]) -> u16) -> Result<Compiled, CodeError> {
    let Some(regex) = pattern.regex() else {
        return Ok(Compiled::Tree(PatternTree::new(plain(pattern, variable))?));
    };
    let mut converter = Converter { variable };
    match converter.regex(regex.node()) {
        Some(list) => Ok(Compiled::Tree(PatternTree::new(list)?)),
        None => Ok(Compiled::Regex(regex.clone())),
    }
}

/// Whether `pattern` becomes pattern code that can be united with others; see [`PatternTree::is_search`].
pub fn is_unitable(pattern: &Pattern) -> bool {
    matches!(compile(pattern, &mut |_| 0), Ok(Compiled::Tree(tree)) if !tree.is_search())
}

fn plain(pattern: &Pattern, variable: &mut dyn FnMut(&[u8]) -> u16) -> Vec<Alternative> {
    let (kind, text) = pattern.shape();
    let end = match kind {
        PatternKind::Prefix => vec![Alternative::All],
        PatternKind::Subpath => {
            vec![Alternative::Then(Step::Literal(b"/".to_vec()), vec![Alternative::All]), Alternative::End]
        }
        PatternKind::Literal | PatternKind::Regex => vec![Alternative::End],
    };
    pieces(text, pattern.has_variables()).iter().rev().fold(end, |rest, piece| {
        let step = match piece {
            Piece::Bytes(bytes) => Step::Literal(bytes.to_vec()),
            Piece::Variable(name) => Step::Variable(variable(name)),
        };
        vec![Alternative::Then(step, rest)]
    })
}

struct Converter<'v> {
    variable: &'v mut dyn FnMut(&[u8]) -> u16,
}

impl Converter<'_> {
    fn regex(&mut self, node: &Node) -> Option<Vec<Alternative>> {
        let open = || vec![Alternative::All];
        match node {
            Node::Start => Some(open()),
            Node::Concat(parts) => match parts.split_first()? {
                (Node::Start, rest) => self.parts(rest, open()),
                (Node::Byte(first), rest) => {
                    Some(vec![Alternative::Then(Step::Search(*first), self.parts(rest, open())?)])
                }
                _ => None,
            },
            Node::Byte(only) => Some(vec![Alternative::Then(Step::Search(*only), open())]),
            Node::Alternate(branches) => {
                let anchored = |branch: &Node| match branch {
                    Node::Start => true,
                    Node::Concat(parts) => parts.first() == Some(&Node::Start),
                    _ => false,
                };
                if !branches.iter().all(anchored) {
                    return None;
                }
                let lists = branches.iter().map(|branch| self.regex(branch)).collect::<Option<Vec<_>>>()?;
                unite(lists)
            }
            _ => None,
        }
    }

    /// `parts`, then `rest`.
    fn parts(&mut self, parts: &[Node], rest: Vec<Alternative>) -> Option<Vec<Alternative>> {
        parts.iter().rev().try_fold(rest, |rest, part| self.part(part, rest))
    }

    fn part(&mut self, part: &Node, rest: Vec<Alternative>) -> Option<Vec<Alternative>> {
        match part {
            Node::Empty => Some(rest),
            Node::Byte(byte) => Some(vec![union::literal(vec![*byte], rest)]),
            Node::Any => Some(vec![Alternative::Then(Step::Set(ranges(&ByteSet::ALL)), rest)]),
            Node::Class(class) => Some(vec![Alternative::Then(Step::Set(ranges(&class.bytes())), rest)]),
            Node::Start => None,
            Node::End => (rest == [Alternative::All]).then(|| vec![Alternative::End]),
            Node::Variable(name) => Some(vec![Alternative::Then(Step::Variable((self.variable)(name)), rest)]),
            Node::Concat(parts) => self.parts(parts, rest),
            Node::Alternate(branches) => {
                self.check_size(branches.len(), &rest)?;
                let lists =
                    branches.iter().map(|branch| self.part(branch, rest.clone())).collect::<Option<Vec<_>>>()?;
                unite(lists)
            }
            Node::Repeat(body, Repeat::Optional) => {
                self.check_size(2, &rest)?;
                let with = self.part(body, rest.clone())?;
                unite(vec![with, rest])
            }
            Node::Repeat(body, repeat) => {
                let bytes = match body.as_ref() {
                    Node::Any => ByteSet::ALL,
                    Node::Class(class) => class.bytes(),
                    _ => return None,
                };
                let tail = closure(&bytes, rest)?;
                Some(vec![match repeat {
                    Repeat::Plus => Alternative::Then(Step::Set(ranges(&bytes)), vec![tail]),
                    Repeat::Star | Repeat::Optional => tail,
                }])
            }
        }
    }

    fn check_size(&self, copies: usize, rest: &[Alternative]) -> Option<()> {
        (super::code::end_points(rest).saturating_mul(copies) <= MAX_END_POINTS).then_some(())
    }
}

/// `bytes*` in front of `rest`: up to the one byte that is no member, or up to the end.
fn closure(bytes: &ByteSet, mut rest: Vec<Alternative>) -> Option<Alternative> {
    if rest == [Alternative::End] {
        return Some(Alternative::Then(Step::SetRepeat(ranges(bytes)), rest));
    }
    let outside = bytes.complement();
    let stop = outside.iter().next().filter(|_| outside.len() == 1)?;
    match (rest.pop(), rest.is_empty()) {
        (Some(Alternative::Then(Step::Literal(label), children)), true) if label.first() == Some(&stop) => {
            let behind = match label.get(1..) {
                None | Some([]) => children,
                Some(label) => vec![Alternative::Then(Step::Literal(label.to_vec()), children)],
            };
            Some(Alternative::Then(Step::SkipTo(stop), behind))
        }
        _ => None,
    }
}

/// Branches of one regex keep their order (`spec/pattern-union.md` §5); those that one byte cannot tell apart make it stay a
/// regex.
fn unite(lists: Vec<Vec<Alternative>>) -> Option<Vec<Alternative>> {
    let mut lists = lists.into_iter();
    let mut united = lists.next()?;
    for list in lists {
        united = union::merge(united, list, Order::Source, 0).ok()?;
    }
    let told_apart = !united.iter().any(|alternative| matches!(alternative, Alternative::Choice(_)));
    (told_apart && super::code::end_points(&united) <= MAX_END_POINTS).then_some(united)
}

/// The longest runs of members, ascending.
fn ranges(bytes: &ByteSet) -> Ranges {
    let mut out = Ranges::new();
    for byte in bytes.iter() {
        match out.last_mut() {
            Some((_, high)) if *high + 1 == byte => *high = byte,
            _ => out.push((byte, byte)),
        }
    }
    out
}

/// Checked when a tree is put together step by step.
pub(super) fn check_depth(depth: usize) -> Result<(), CodeError> {
    if depth > MAX_DEPTH { Err(CodeError::new(CodeErrorKind::TooDeep, 0)) } else { Ok(()) }
}
