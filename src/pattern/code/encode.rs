//! Pattern tree to code (`spec/blob-format.md` §7.2).
//!
//! The code is produced from its end, so every jump knows its distance; a place is the number of bytes behind it.

use super::{Alternative, CodeError, CodeErrorKind, MAX_CODE, MAX_LITERAL, MAX_RANGES, PatternTree, Step};

/// How a choice ends: the one difference between the generations of compilers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// macOS 14 (iOS 17) and later: a choice that is not inside another leaves its last group to fail by itself.
    Modern,
    /// macOS 10.15 (iOS 13): every choice ends with RESTORE, POP and its own failure.
    Old,
}

/// Writes the code of a pattern (the record without its length word).
///
/// # Errors
/// [`CodeErrorKind::TooLarge`] when the code does not fit a record or a set has too many ranges.
pub fn encode(tree: &PatternTree, style: Style) -> Result<Vec<u8>, CodeError> {
    let mut writer = Writer { reversed: Vec::new(), style };
    writer.list(tree.alternatives(), Fail::Require, false)?;
    writer.reversed.reverse();
    if writer.reversed.len() > MAX_CODE { Err(too_large()) } else { Ok(writer.reversed) }
}

fn too_large() -> CodeError {
    CodeError::new(CodeErrorKind::TooLarge, 0)
}

/// What the last alternative of a list does when it does not match.
#[derive(Clone, Copy)]
enum Fail {
    /// The pattern fails.
    Require,
    /// Jump to the RESTORE with this many bytes from its start to the end of the code.
    Restore(usize),
}

struct Writer {
    reversed: Vec<u8>,
    style: Style,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.reversed.extend(bytes.iter().rev());
    }

    /// `inside`: somewhere inside a choice.
    fn list(&mut self, list: &[Alternative], fail: Fail, inside: bool) -> Result<(), CodeError> {
        let mut branch = fail;
        for alternative in list.iter().rev() {
            // A tree that outgrows the format is given up early, which bounds time and memory.
            if self.reversed.len() > MAX_CODE {
                return Err(too_large());
            }
            match alternative {
                Alternative::All => self.put(&[0x0a]),
                Alternative::End => {
                    self.put(&[0x0a]);
                    self.branch(branch)?;
                    self.put(&[0x00]);
                }
                Alternative::Then(step, children) => {
                    self.list(children, fail, inside)?;
                    self.step(step, branch)?;
                }
                Alternative::Choice(groups) => self.choice(groups, branch, inside)?,
            }
            branch = Fail::Restore(self.reversed.len());
        }
        Ok(())
    }

    fn choice(&mut self, groups: &[Vec<Alternative>], outer: Fail, inside: bool) -> Result<(), CodeError> {
        // A sibling behind a choice needs the closed form too; only 10.15 is known to write one.
        let closed = inside || self.style == Style::Old || matches!(outer, Fail::Restore(_));
        let mut fail = outer;
        if closed {
            self.branch(outer)?;
            self.put(&[0x05, 0x07]);
            fail = Fail::Restore(self.reversed.len());
        }
        for (index, group) in groups.iter().rev().enumerate() {
            if index > 0 {
                self.put(&[0x05]);
                fail = Fail::Restore(self.reversed.len());
            }
            self.list(group, fail, true)?;
        }
        self.put(&[0x06]);
        Ok(())
    }

    fn branch(&mut self, fail: Fail) -> Result<(), CodeError> {
        let Fail::Restore(target) = fail else {
            self.put(&[0x0f]);
            return Ok(());
        };
        let distance = self.reversed.len() - target;
        if distance == 0 {
            return Ok(());
        }
        match (u8::try_from(distance + 0x7f), distance.checked_sub(129).map(u16::try_from)) {
            (Ok(short), _) => self.put(&[short]),
            (_, Some(Ok(far))) => {
                let [low, high] = far.to_le_bytes();
                self.put(&[0x08, low, high]);
            }
            _ => return Err(too_large()),
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, branch: Fail) -> Result<(), CodeError> {
        match step {
            Step::Literal(bytes) => {
                for (index, part) in bytes.chunks(MAX_LITERAL).rev().enumerate() {
                    debug_assert!(index == 0 || part.len() == MAX_LITERAL);
                    self.branch(branch)?;
                    self.put(part);
                    // A part has 1 to 320 bytes.
                    match u8::try_from(part.len() + 0x3f) {
                        Ok(short @ ..=0x7f) => self.put(&[short]),
                        _ => self.put(&[0x04, (part.len() - 65) as u8]),
                    }
                }
            }
            Step::Variable(number) => {
                self.branch(branch)?;
                match u8::try_from(*number) {
                    Ok(short @ ..=15) => self.put(&[0x10 + short]),
                    _ => {
                        let [low, high] = number.to_le_bytes();
                        self.put(&[0x01, low, high]);
                    }
                }
            }
            Step::SkipTo(byte) => {
                self.branch(branch)?;
                self.put(&[0x02, *byte]);
            }
            Step::Search(byte) => {
                self.branch(branch)?;
                self.put(&[0x03, *byte]);
            }
            Step::Set(ranges) => {
                self.branch(branch)?;
                self.set(ranges, 0)?;
            }
            Step::SetRepeat(ranges) => self.set(ranges, 0x80)?,
        }
        Ok(())
    }

    /// Ranges stand in descending order.
    fn set(&mut self, ranges: &[(u8, u8)], repeat: u8) -> Result<(), CodeError> {
        if ranges.is_empty() || ranges.len() > MAX_RANGES {
            return Err(too_large());
        }
        for (low, high) in ranges {
            self.put(&[*low, *high]);
        }
        self.put(&[0x0b, (ranges.len() - 1) as u8 | repeat]);
        Ok(())
    }
}
