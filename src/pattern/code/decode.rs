//! Pattern code to tree: the inverse of [`super::encode`].
//!
//! The branch behind a step tells its place: "required" or a jump to a RESTORE make it the last of its list, a jump to
//! anything else leads to its next sibling. So the tree can be read from left to right without a search.

use super::{Alternative, CodeError, CodeErrorKind, MAX_DEPTH, PatternTree, Ranges, Step};

/// Reads the code of one pattern (the record without its length word).
///
/// # Errors
/// Code that no compiler writes; see [`CodeErrorKind`].
pub fn decode(code: &[u8]) -> Result<PatternTree, CodeError> {
    let mut reader = Reader { code, at: 0 };
    let list = reader.list(0)?;
    if reader.at < code.len() {
        return reader.fail(CodeErrorKind::Trailing);
    }
    Ok(PatternTree(list))
}

/// What a step does when it does not match.
enum Branch {
    /// The whole pattern fails, or the choice goes to its next group: last of its list.
    Last,
    /// The next sibling stands at this offset.
    Sibling(usize),
}

struct Reader<'c> {
    code: &'c [u8],
    at: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, kind: CodeErrorKind) -> Result<T, CodeError> {
        Err(CodeError::new(kind, self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.code.get(self.at).copied()
    }

    fn byte(&mut self) -> Result<u8, CodeError> {
        match self.peek() {
            Some(byte) => {
                self.at += 1;
                Ok(byte)
            }
            None => self.fail(CodeErrorKind::Truncated),
        }
    }

    fn word(&mut self) -> Result<u16, CodeError> {
        Ok(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    /// One list, up to and with its last alternative.
    fn list(&mut self, depth: usize) -> Result<Vec<Alternative>, CodeError> {
        if depth >= MAX_DEPTH {
            return self.fail(CodeErrorKind::TooDeep);
        }
        // Most lists hold one alternative; hostile code must not cost four.
        let mut list = Vec::with_capacity(1);
        loop {
            let start = self.at;
            let step = match self.byte()? {
                0x0a => {
                    list.push(Alternative::All);
                    return Ok(list);
                }
                0x06 => {
                    let (groups, last) = self.groups(depth)?;
                    list.push(Alternative::Choice(groups));
                    if last {
                        return Ok(list);
                    }
                    continue;
                }
                0x00 => None,
                opcode => Some(self.step(opcode, start)?),
            };
            let branch = match step {
                Some(Step::SetRepeat(_)) => Branch::Last,
                _ => self.branch()?,
            };
            list.push(match step {
                Some(step) => Alternative::Then(step, self.list(depth + 1)?),
                None => {
                    if self.byte()? != 0x0a {
                        self.at -= 1;
                        return self.fail(CodeErrorKind::Shape);
                    }
                    Alternative::End
                }
            });
            match branch {
                Branch::Last => return Ok(list),
                Branch::Sibling(at) if at == self.at => {}
                Branch::Sibling(_) => return self.fail(CodeErrorKind::BadJump),
            }
        }
    }

    /// The groups of a choice, whose first byte is read already, and whether the choice is the last of its list. A
    /// closed choice goes on by a branch, or without one when the place to go to stands right behind it.
    fn groups(&mut self, depth: usize) -> Result<(Vec<Vec<Alternative>>, bool), CodeError> {
        let mut groups = Vec::new();
        loop {
            groups.push(self.list(depth + 1)?);
            if self.peek() != Some(0x05) {
                return Ok((groups, true));
            }
            self.at += 1;
            if self.peek() == Some(0x07) {
                self.at += 1;
                return match self.peek() {
                    Some(0x05) => Ok((groups, true)),
                    Some(0x0f | 0x08 | 0x80..) => match self.branch()? {
                        Branch::Last => Ok((groups, true)),
                        Branch::Sibling(_) => self.fail(CodeErrorKind::Shape),
                    },
                    _ => Ok((groups, false)),
                };
            }
        }
    }

    fn branch(&mut self) -> Result<Branch, CodeError> {
        let distance = match self.byte()? {
            0x0f => return Ok(Branch::Last),
            0x08 => usize::from(self.word()?) + 129,
            short @ 0x80.. => usize::from(short) - 0x7f,
            _ => {
                self.at -= 1;
                return self.fail(CodeErrorKind::Shape);
            }
        };
        let target = self.at + distance;
        match self.code.get(target) {
            Some(0x05) => Ok(Branch::Last),
            Some(_) => Ok(Branch::Sibling(target)),
            None => self.fail(CodeErrorKind::BadJump),
        }
    }

    fn step(&mut self, opcode: u8, start: usize) -> Result<Step, CodeError> {
        Ok(match opcode {
            0x01 => Step::Variable(self.word()?),
            0x02 => Step::SkipTo(self.byte()?),
            0x03 => Step::Search(self.byte()?),
            0x04 => {
                let length = usize::from(self.byte()?) + 65;
                Step::Literal(self.literal(length)?)
            }
            0x0b => {
                let head = self.byte()?;
                let mut ranges = Ranges::new();
                for _ in 0..=(head & 0x7f) {
                    ranges.push((self.byte()?, self.byte()?));
                }
                ranges.reverse();
                if head & 0x80 == 0 { Step::Set(ranges) } else { Step::SetRepeat(ranges) }
            }
            0x10..=0x1f => Step::Variable(u16::from(opcode - 0x10)),
            0x40..=0x7f => Step::Literal(self.literal(usize::from(opcode) - 0x3f)?),
            other => return Err(CodeError::new(CodeErrorKind::UnknownInstruction(other), start)),
        })
    }

    fn literal(&mut self, length: usize) -> Result<Vec<u8>, CodeError> {
        match self.code.get(self.at..self.at + length) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes.to_vec())
            }
            None => self.fail(CodeErrorKind::Truncated),
        }
    }
}
