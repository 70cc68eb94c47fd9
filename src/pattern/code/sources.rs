//! A pattern tree in SBPL's terms.

use super::{Alternative, CodeError, CodeErrorKind, PatternTree, Ranges, Step};
use crate::pattern::byteset::ByteSet;
use crate::pattern::regex::{Class, Node, Regex, Repeat};
use crate::pattern::{Pattern, PatternKind, Piece, pieces};

/// Most bytes of all texts together.
const MAX_OUTPUT: usize = 1 << 24;

impl PatternTree {
    /// Filters whose union is this tree's language, in the tree's order: literals, prefixes and subpaths where the way
    /// to the end is plain, one regex for each alternative that is not. `variables[n]` is the name of variable n.
    ///
    /// # Errors
    /// [`CodeErrorKind::UnknownVariable`]; [`CodeErrorKind::TooLarge`] when the texts would take more than 16 MiB or a
    /// regex exceeds that module's limits.
    pub fn to_patterns(&self, variables: &[Vec<u8>]) -> Result<Vec<Pattern>, CodeError> {
        self.listed(variables, false)
    }

    /// The same with one filter for each way through the tree, so that a union gives what its members give each.
    ///
    /// # Errors
    /// As [`PatternTree::to_patterns`].
    pub(crate) fn ways(&self, variables: &[Vec<u8>]) -> Result<Vec<Pattern>, CodeError> {
        self.listed(variables, true)
    }

    fn listed(&self, variables: &[Vec<u8>], apart: bool) -> Result<Vec<Pattern>, CodeError> {
        let mut lister = Lister { variables, apart, out: Vec::new(), size: 0 };
        lister.list(self.alternatives(), &mut Vec::new())?;
        Ok(lister.out)
    }
}

/// The steps on the way to a list: plain ones, unless ways are kept apart.
type Path<'t> = Vec<&'t Step>;

fn is_plain(step: &Step) -> bool {
    matches!(step, Step::Literal(_) | Step::Variable(_))
}

struct Lister<'v> {
    variables: &'v [Vec<u8>],
    /// One filter for each way, also where the way is not plain.
    apart: bool,
    out: Vec<Pattern>,
    size: usize,
}

impl Lister<'_> {
    fn list<'t>(&mut self, list: &'t [Alternative], path: &mut Path<'t>) -> Result<(), CodeError> {
        // A subpath whose text is empty or ends in a slash would mean something else.
        let nameable = match path.last() {
            Some(Step::Literal(text)) => text.last() != Some(&b'/'),
            other => other.is_some(),
        };
        let plain = path.iter().all(|step| is_plain(step));
        let subpath = plain && nameable && list.iter().any(is_everything_below) && list.contains(&Alternative::End);
        for alternative in list {
            match alternative {
                Alternative::End if subpath => {}
                Alternative::End if !plain => self.way(path, Some(Node::End))?,
                Alternative::All if !plain => self.way(path, None)?,
                Alternative::End => self.push(PatternKind::Literal, path)?,
                Alternative::All => self.push(PatternKind::Prefix, path)?,
                below if subpath && is_everything_below(below) => self.push(PatternKind::Subpath, path)?,
                Alternative::Then(step, children) if self.apart || is_plain(step) => {
                    path.push(step);
                    self.list(children, path)?;
                    path.pop();
                }
                Alternative::Choice(groups) => {
                    for group in groups {
                        self.list(group, path)?;
                    }
                }
                other => self.regex(path, other)?,
            }
        }
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> Result<(), CodeError> {
        self.size += bytes;
        if self.size > MAX_OUTPUT { Err(too_large()) } else { Ok(()) }
    }

    fn name(&self, number: u16) -> Result<&[u8], CodeError> {
        let name = self.variables.get(usize::from(number)).map(Vec::as_slice);
        name.ok_or(CodeError::new(CodeErrorKind::UnknownVariable(number), 0))
    }

    fn push(&mut self, kind: PatternKind, path: &Path<'_>) -> Result<(), CodeError> {
        let mut text = Vec::new();
        let mut has_variables = false;
        for step in path {
            match step {
                Step::Literal(bytes) => text.extend_from_slice(bytes),
                Step::Variable(number) => {
                    has_variables = true;
                    text.extend_from_slice(b"${");
                    text.extend_from_slice(self.name(*number)?);
                    text.push(b'}');
                }
                Step::SkipTo(_) | Step::Search(_) | Step::Set(_) | Step::SetRepeat(_) => {}
            }
        }
        if has_variables && !self.names_only(path, &text) {
            // In a regex the bytes can be quoted.
            return self.way(path, Some(kind.regex_end()));
        }
        self.grow(text.len() + 1)?;
        // Only a regex can be refused.
        if let Ok(pattern) = Pattern::new(kind, text, has_variables) {
            self.out.push(pattern);
        }
        Ok(())
    }

    /// Whether `text` names the variables of `path` and no others: bytes may look like one.
    fn names_only(&self, path: &Path<'_>, text: &[u8]) -> bool {
        let read = pieces(text, true).into_iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name),
            Piece::Bytes(_) => None,
        });
        let meant = path.iter().filter_map(|step| match step {
            Step::Variable(number) => self.name(*number).ok(),
            _ => None,
        });
        read.eq(meant)
    }

    /// The regex of a way that is not plain, or whose text would be misread.
    fn way(&mut self, path: &Path<'_>, end: Option<Node>) -> Result<(), CodeError> {
        let mut parts = Vec::new();
        for (place, step) in path.iter().enumerate() {
            match step {
                Step::Search(byte) if place == 0 => parts.push(Node::Byte(*byte)),
                _ if place == 0 => parts.extend([Node::Start, self.step(step)?]),
                _ => parts.push(self.step(step)?),
            }
        }
        parts.extend(end);
        self.push_regex(parts)
    }

    fn regex(&mut self, path: &Path<'_>, alternative: &Alternative) -> Result<(), CodeError> {
        let parts = match alternative {
            Alternative::Then(Step::Search(byte), children) if path.is_empty() => {
                vec![Node::Byte(*byte), self.nodes(children)?]
            }
            other => {
                let mut parts = vec![Node::Start];
                for step in path {
                    parts.push(self.step(step)?);
                }
                parts.push(self.alternative(other)?);
                parts
            }
        };
        self.push_regex(parts)
    }

    fn push_regex(&mut self, parts: Vec<Node>) -> Result<(), CodeError> {
        let regex = Regex::new(Node::concat(merge_repeats(parts))).map_err(|_| too_large())?;
        let pattern = Pattern::from_regex(regex);
        self.grow(pattern.text().len())?;
        self.out.push(pattern);
        Ok(())
    }

    fn nodes(&mut self, list: &[Alternative]) -> Result<Node, CodeError> {
        let branches = list.iter().map(|alternative| self.alternative(alternative)).collect::<Result<Vec<_>, _>>()?;
        Ok(Node::alternate(branches))
    }

    fn alternative(&mut self, alternative: &Alternative) -> Result<Node, CodeError> {
        Ok(match alternative {
            Alternative::End => Node::End,
            Alternative::All => Node::Empty,
            Alternative::Choice(groups) => {
                let branches = groups.iter().map(|group| self.nodes(group)).collect::<Result<Vec<_>, _>>()?;
                Node::alternate(branches)
            }
            Alternative::Then(step, children) => {
                let parts = vec![self.step(step)?, self.nodes(children)?];
                Node::concat(merge_repeats(parts))
            }
        })
    }

    fn step(&mut self, step: &Step) -> Result<Node, CodeError> {
        Ok(match step {
            Step::Literal(bytes) => Node::concat(bytes.iter().map(|byte| Node::Byte(*byte)).collect()),
            Step::Variable(number) => Node::Variable(self.name(*number)?.to_vec()),
            Step::SkipTo(byte) => {
                let other = Node::Class(Class::new(true, vec![(*byte, *byte)]));
                Node::concat(vec![Node::Repeat(Box::new(other), Repeat::Star), Node::Byte(*byte)])
            }
            Step::Search(byte) => {
                Node::concat(vec![Node::Repeat(Box::new(Node::Any), Repeat::Star), Node::Byte(*byte)])
            }
            Step::Set(ranges) => set_node(ranges),
            Step::SetRepeat(ranges) => Node::Repeat(Box::new(set_node(ranges)), Repeat::Star),
        })
    }
}

fn too_large() -> CodeError {
    CodeError::new(CodeErrorKind::TooLarge, 0)
}

/// `/` and then anything: one half of a subpath.
fn is_everything_below(alternative: &Alternative) -> bool {
    matches!(alternative, Alternative::Then(Step::Literal(text), rest) if text == b"/" && rest == &[Alternative::All])
}

/// `.`, a negated class where that is shorter, or a class.
fn set_node(ranges: &Ranges) -> Node {
    if ranges.as_slice() == [(0, 255)] {
        return Node::Any;
    }
    let wraps = ranges.first().is_some_and(|range| range.0 == 0) && ranges.last().is_some_and(|range| range.1 == 255);
    if wraps {
        let gaps: Ranges = ranges
            .windows(2)
            .filter_map(|pair| match pair {
                [(_, before), (after, _)] => Some((before.checked_add(1)?, after.checked_sub(1)?)),
                _ => None,
            })
            .collect();
        let class = Class::new(true, gaps);
        if class.bytes() == bytes_of(ranges) {
            return Node::Class(class);
        }
    }
    Node::Class(Class::new(false, ranges.clone()))
}

fn bytes_of(ranges: &Ranges) -> ByteSet {
    ranges.iter().fold(ByteSet::EMPTY, |set, (low, high)| set.union(&ByteSet::range(*low, *high)))
}

/// `x x*` is `x+`.
fn merge_repeats(parts: Vec<Node>) -> Vec<Node> {
    let mut out: Vec<Node> = Vec::with_capacity(parts.len());
    let flat = parts.into_iter().flat_map(|part| match part {
        Node::Concat(inner) => inner,
        other => vec![other],
    });
    for part in flat {
        match (out.pop(), part) {
            (Some(before), Node::Repeat(body, Repeat::Star)) if before == *body => {
                out.push(Node::Repeat(body, Repeat::Plus));
            }
            (before, part) => {
                out.extend(before);
                out.push(part);
            }
        }
    }
    out
}
