//! Executes pattern code on a subject, as the state machine of `spec/blob-format.md` §7.

use super::{CodeError, CodeErrorKind};
use crate::pattern::Meaning;

/// Where a matcher may go on after a failure: the next byte of a SEARCH.
struct Retry {
    byte: u8,
    /// Offset of the instruction behind the SEARCH's branch.
    code: usize,
    /// First position in the subject that was not tried.
    subject: usize,
}

/// Whether `subject` matches the code of one pattern (the record without its length word). `variables[n]` is what variable
/// n stands for; of several strings that fit, the longest is taken.
///
/// Time: code length × subject length at most, because jumps only go forward.
///
/// # Errors
/// Wrong instructions or jumps on the way that is taken. Use [`super::decode`] to check code as a whole.
pub fn run(code: &[u8], subject: &[u8], variables: &[Meaning]) -> Result<bool, CodeError> {
    let mut machine = Machine { code, at: 0, subject, position: 0, flag: true, stack: Vec::new(), retry: None };
    machine.run(variables)
}

struct Machine<'a> {
    code: &'a [u8],
    at: usize,
    subject: &'a [u8],
    position: usize,
    flag: bool,
    stack: Vec<usize>,
    retry: Option<Retry>,
}

impl Machine<'_> {
    fn run(&mut self, variables: &[Meaning]) -> Result<bool, CodeError> {
        loop {
            let start = self.at;
            match self.byte()? {
                0x00 => self.flag = self.position == self.subject.len(),
                0x01 => {
                    let number = self.word()?;
                    self.variable(number, variables);
                }
                0x02 => {
                    let byte = self.byte()?;
                    self.flag = self.skip_to(byte);
                }
                0x03 => {
                    let byte = self.byte()?;
                    self.flag = self.skip_to(byte);
                    if self.flag {
                        let branch = self.branch_length();
                        self.retry = Some(Retry { byte, code: self.at + branch, subject: self.position });
                    }
                }
                0x04 => {
                    let length = usize::from(self.byte()?) + 65;
                    self.literal(length)?;
                }
                0x05 => match self.stack.last() {
                    Some(position) => self.position = *position,
                    None => return Err(CodeError::new(CodeErrorKind::Shape, start)),
                },
                0x06 => self.stack.push(self.position),
                0x07 => {
                    self.stack.pop();
                    // The groups of the choice have all failed.
                    self.flag = false;
                }
                0x08 => {
                    let distance = usize::from(self.word()?) + 129;
                    self.jump(distance);
                }
                0x0a => return Ok(true),
                0x0b => self.set()?,
                0x0f => {
                    if !self.flag && !self.search_on() {
                        return Ok(false);
                    }
                }
                short @ 0x10..=0x1f => self.variable(u16::from(short - 0x10), variables),
                short @ 0x40..=0x7f => self.literal(usize::from(short) - 0x3f)?,
                short @ 0x80.. => self.jump(usize::from(short) - 0x7f),
                other => return Err(CodeError::new(CodeErrorKind::UnknownInstruction(other), start)),
            }
        }
    }

    fn byte(&mut self) -> Result<u8, CodeError> {
        let byte = self.code.get(self.at).copied().ok_or(CodeError::new(CodeErrorKind::Truncated, self.at))?;
        self.at += 1;
        Ok(byte)
    }

    fn word(&mut self) -> Result<u16, CodeError> {
        Ok(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    /// The length of the branch instruction that stands here.
    fn branch_length(&self) -> usize {
        if self.code.get(self.at) == Some(&0x08) { 3 } else { 1 }
    }

    fn rest(&self) -> &[u8] {
        self.subject.get(self.position..).unwrap_or_default()
    }

    fn jump(&mut self, distance: usize) {
        if !self.flag {
            self.at += distance;
        }
    }

    fn skip_to(&mut self, byte: u8) -> bool {
        let found = memchr::memchr(byte, self.rest());
        if let Some(found) = found {
            self.position += found + 1;
        }
        found.is_some()
    }

    fn literal(&mut self, length: usize) -> Result<(), CodeError> {
        let end = self.at + length;
        let bytes = self.code.get(self.at..end).ok_or(CodeError::new(CodeErrorKind::Truncated, self.at))?;
        self.flag = self.rest().starts_with(bytes);
        self.at = end;
        self.position += if self.flag { length } else { 0 };
        Ok(())
    }

    fn variable(&mut self, number: u16, variables: &[Meaning]) {
        let longest = variables.get(usize::from(number)).and_then(|meaning| meaning.longest(self.rest()));
        self.flag = longest.is_some();
        self.position += longest.unwrap_or(0);
    }

    fn set(&mut self) -> Result<(), CodeError> {
        let head = self.byte()?;
        let start = self.at;
        let end = start + 2 * (usize::from(head & 0x7f) + 1);
        let ranges = self.code.get(start..end).ok_or(CodeError::new(CodeErrorKind::Truncated, start))?;
        self.at = end;
        let member = |byte: &u8| {
            ranges.chunks_exact(2).any(|range| matches!(range, [low, high] if (low..=high).contains(&byte)))
        };
        if head & 0x80 == 0 {
            self.flag = self.rest().first().is_some_and(member);
            self.position += usize::from(self.flag);
        } else {
            self.position += self.rest().iter().take_while(|byte| member(byte)).count();
        }
        Ok(())
    }

    /// Takes up an earlier SEARCH at its next byte.
    fn search_on(&mut self) -> bool {
        let Some(retry) = &mut self.retry else { return false };
        let rest = self.subject.get(retry.subject..).unwrap_or_default();
        let Some(found) = memchr::memchr(retry.byte, rest) else { return false };
        retry.subject += found + 1;
        self.position = retry.subject;
        self.at = retry.code;
        self.flag = true;
        self.stack.clear();
        true
    }
}
