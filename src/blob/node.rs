//! The eight bytes of a node (`spec/blob-format.md` section 5).

use super::generation::TerminalForm;

/// Flag of a wide terminal: its payload is one inline modifier.
pub(crate) const FLAG_INLINE: u32 = 0x80_0000;
/// Bit of a test's filter byte: the argument is a regex or a bit set.
pub(crate) const ALTERNATIVE: u8 = 0x80;

/// A node as it is stored; indexes are not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A comparison with two ways on.
    Test {
        /// Filter id, without the alternative bit.
        filter: u8,
        /// The argument is a regex (pattern filters) or a bit set (integer filters).
        alternative: bool,
        /// The argument.
        argument: u16,
        /// Node index when the filter matches.
        matched: u16,
        /// Node index when it does not.
        unmatched: u16,
    },
    /// An answer.
    Terminal {
        /// 1 deny, 4 report … ; bit 0x800000 of wide terminals is left out, [`Payload`] tells it.
        flags: u32,
        /// What comes with it.
        payload: Payload,
    },
    /// Bytes that are neither.
    Invalid([u8; 8]),
}

/// What a terminal stores besides its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Nothing.
    None,
    /// One modifier in the node.
    Inline(RawModifier),
    /// `count` modifiers in an array at a pool index; `zero` is 0 in compiler output.
    Array {
        /// Entries.
        count: u8,
        /// The byte behind the count.
        zero: u8,
        /// Pool index of the array.
        index: u16,
    },
    /// The 10.15 form: signal number (0 none), number of the message (1-based, 0 none), and two unused bytes.
    Small {
        /// Signal to send.
        signal: u8,
        /// Message number.
        message: u16,
        /// Bytes 3, 6 and 7, which are 0.
        unused: [u8; 3],
    },
}

/// A modifier as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawModifier {
    /// Modifier id.
    pub id: u8,
    /// Filtered operation (message filters only).
    pub operation: u8,
    /// The argument.
    pub argument: u16,
}

impl RawModifier {
    pub(crate) fn read([id, operation, low, high]: [u8; 4]) -> Self {
        Self { id, operation, argument: u16::from_le_bytes([low, high]) }
    }

    pub(crate) fn write(self) -> [u8; 4] {
        let [low, high] = self.argument.to_le_bytes();
        [self.id, self.operation, low, high]
    }
}

impl Node {
    #[inline]
    pub(crate) fn read(bytes: [u8; 8], form: TerminalForm) -> Self {
        let [tag, b1, b2, b3, b4, b5, b6, b7] = bytes;
        match (tag, form) {
            (0, _) => Self::Test {
                filter: b1 & !ALTERNATIVE,
                alternative: b1 & ALTERNATIVE != 0,
                argument: u16::from_le_bytes([b2, b3]),
                matched: u16::from_le_bytes([b4, b5]),
                unmatched: u16::from_le_bytes([b6, b7]),
            },
            (1, TerminalForm::Small) => {
                let message = u16::from_le_bytes([b4, b5]);
                let payload = if bytes[2..] == [0; 6] {
                    Payload::None
                } else {
                    Payload::Small { signal: b2, message, unused: [b3, b6, b7] }
                };
                Self::Terminal { flags: b1.into(), payload }
            }
            (1, TerminalForm::Wide) => {
                let flags = u32::from_le_bytes([b1, b2, b3, 0]);
                let payload = if flags & FLAG_INLINE != 0 {
                    Payload::Inline(RawModifier::read([b4, b5, b6, b7]))
                } else if [b4, b5, b6, b7] == [0; 4] {
                    Payload::None
                } else {
                    Payload::Array { count: b4, zero: b5, index: u16::from_le_bytes([b6, b7]) }
                };
                Self::Terminal { flags: flags & !FLAG_INLINE, payload }
            }
            _ => Self::Invalid(bytes),
        }
    }

    pub(crate) fn write(self) -> [u8; 8] {
        match self {
            Self::Test { filter, alternative, argument, matched, unmatched } => {
                let [a0, a1] = argument.to_le_bytes();
                let [m0, m1] = matched.to_le_bytes();
                let [u0, u1] = unmatched.to_le_bytes();
                [0, filter | if alternative { ALTERNATIVE } else { 0 }, a0, a1, m0, m1, u0, u1]
            }
            Self::Terminal { flags, payload } => {
                let inline = if matches!(payload, Payload::Inline(_)) { FLAG_INLINE } else { 0 };
                let [f0, f1, f2, _] = (flags | inline).to_le_bytes();
                match payload {
                    Payload::None => [1, f0, f1, f2, 0, 0, 0, 0],
                    Payload::Inline(modifier) => {
                        let [b4, b5, b6, b7] = modifier.write();
                        [1, f0, f1, f2, b4, b5, b6, b7]
                    }
                    Payload::Array { count, zero, index } => {
                        let [i0, i1] = index.to_le_bytes();
                        [1, f0, f1, f2, count, zero, i0, i1]
                    }
                    Payload::Small { signal, message, unused: [b3, b6, b7] } => {
                        let [m0, m1] = message.to_le_bytes();
                        [1, f0, signal, b3, m0, m1, b6, b7]
                    }
                }
            }
            Self::Invalid(bytes) => bytes,
        }
    }

    /// Where a test leads; nothing for terminals.
    pub fn edges(&self) -> Option<[u16; 2]> {
        match *self {
            Self::Test { matched, unmatched, .. } => Some([matched, unmatched]),
            Self::Terminal { .. } | Self::Invalid(_) => None,
        }
    }
}
