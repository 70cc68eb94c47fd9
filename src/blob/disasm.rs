//! Pattern code and regex code, instruction by instruction (`spec/blob-format.md` sections 7 and 8).
//!
//! A listing never fails: what is no instruction is listed as a byte.

use std::ops::Range;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its bytes, from the start of the code.
    pub range: Range<usize>,
    /// What it does. Jump targets are offsets from the start of the code.
    pub text: String,
}

struct Cursor<'c> {
    code: &'c [u8],
    at: usize,
    start: usize,
    out: Vec<Instruction>,
}

impl<'c> Cursor<'c> {
    fn new(code: &'c [u8]) -> Self {
        Self { code, at: 0, start: 0, out: Vec::new() }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.code.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    fn take(&mut self, length: usize) -> Option<&'c [u8]> {
        let bytes = self.code.get(self.at..self.at + length)?;
        self.at += length;
        Some(bytes)
    }

    /// Lists everything with `read`, which gives the text of the instruction at the cursor or `None` when there is none.
    fn list(mut self, read: impl Fn(&mut Self) -> Option<String>) -> Vec<Instruction> {
        while self.at < self.code.len() {
            self.start = self.at;
            let text = read(&mut self).unwrap_or_else(|| {
                self.at = self.start + 1;
                "not an instruction".to_owned()
            });
            self.out.push(Instruction { range: self.start..self.at, text });
        }
        self.out
    }
}

/// Lists the code of a pattern record (without its length word).
pub fn pattern_instructions(code: &[u8]) -> Vec<Instruction> {
    Cursor::new(code).list(|cursor| {
        Some(match cursor.byte()? {
            0x00 => "end: at the end of the string?".to_owned(),
            0x01 => format!("variable {}", cursor.word()?),
            0x02 => format!("skip behind the next {}", one(cursor.byte()?)),
            0x03 => format!("search behind any later {}", one(cursor.byte()?)),
            0x04 => {
                let length = usize::from(cursor.byte()?) + 65;
                format!("literal {}", quote(cursor.take(length)?))
            }
            0x05 => "restore the saved position".to_owned(),
            0x06 => "save the position".to_owned(),
            0x07 => "drop the saved position".to_owned(),
            0x08 => {
                let distance = usize::from(cursor.word()?) + 129;
                format!("if not: go to {:#x}", cursor.at + distance)
            }
            0x0a => "accept".to_owned(),
            0x0b => {
                let head = cursor.byte()?;
                let ranges = cursor.take(2 * (usize::from(head & 0x7f) + 1))?;
                let name = if head & 0x80 == 0 { "one of" } else { "any number of" };
                format!("{name} {}", class(ranges))
            }
            0x0f => "if not: fail".to_owned(),
            op @ 0x10..=0x1f => format!("variable {}", op - 0x10),
            op @ 0x40..=0x7f => format!("literal {}", quote(cursor.take(usize::from(op) - 0x3f)?)),
            op @ 0x80.. => format!("if not: go to {:#x}", cursor.at + usize::from(op) - 0x7f),
            _ => return None,
        })
    })
}

/// Lists the code of a regex record (behind version and length).
pub fn regex_instructions(code: &[u8]) -> Vec<Instruction> {
    Cursor::new(code).list(|cursor| {
        Some(match cursor.byte()? {
            0x02 => format!("byte {}", one(cursor.byte()?)),
            0x09 => "any byte".to_owned(),
            0x0a => format!("go to {:#x}", cursor.word()?),
            0x15 => match cursor.byte()? {
                0 => "accept".to_owned(),
                _ => return None,
            },
            0x19 => "start of the string".to_owned(),
            0x29 => "end of the string".to_owned(),
            0x2f => format!("go on and at {:#x}", cursor.word()?),
            op if op & 0x0f == 0x0b && op > 0x0f => format!("one of {}", class(cursor.take(2 * usize::from(op >> 4))?)),
            _ => return None,
        })
    })
}

fn class(ranges: &[u8]) -> String {
    let ranges = ranges.chunks_exact(2).map(|pair| match *pair {
        [low, high] if low == high => one(low),
        [low, high] => format!("{}-{}", one(low), one(high)),
        _ => String::new(),
    });
    ranges.collect::<Vec<_>>().join(" ")
}

fn one(byte: u8) -> String {
    if byte.is_ascii_graphic() { format!("'{}'", char::from(byte)) } else { format!("{byte:#04x}") }
}

/// `bytes` in double quotes; what is not printable ASCII as `\xNN`.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}
