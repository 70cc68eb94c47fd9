//! A set of bytes as 256 bits.

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// No byte.
    pub const EMPTY: Self = Self([0; 4]);
    /// Every byte.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// Just `byte`.
    pub fn one(byte: u8) -> Self {
        let mut set = Self::EMPTY;
        set.insert(byte);
        set
    }

    /// `low..=high`; empty when `low > high`.
    pub fn range(low: u8, high: u8) -> Self {
        let mut set = Self::EMPTY;
        for byte in low..=high {
            set.insert(byte);
        }
        set
    }

    /// Adds `byte`.
    pub fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// Whether `byte` is a member.
    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The member, when there is exactly one.
    pub fn only(&self) -> Option<u8> {
        let (at, word) = (0u8..).zip(self.0).find(|(_, word)| *word != 0)?;
        // At most 63 in one of four words.
        (self.len() == 1).then(|| at * 64 + word.trailing_zeros() as u8)
    }

    /// Members of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// Members of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// The bytes that are no members.
    #[must_use]
    pub fn complement(&self) -> Self {
        Self(std::array::from_fn(|i| !self.0[i]))
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=255u8).filter(|byte| self.contains(*byte))
    }
}

impl FromIterator<u8> for ByteSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        let mut set = Self::EMPTY;
        for byte in bytes {
            set.insert(byte);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_algebra_agrees_with_membership() {
        let a = ByteSet::range(b'a', b'z');
        let b = ByteSet::one(b'q').union(&ByteSet::one(255));
        assert_eq!(a.intersection(&b).iter().collect::<Vec<_>>(), [b'q']);
        assert_eq!(a.len(), 26);
        assert!(a.complement().contains(b'A') && !a.complement().contains(b'a'));
        assert!(ByteSet::range(2, 1).is_empty());
        assert_eq!(ByteSet::ALL.len(), 256);
        assert!((0..=255).all(|byte| ByteSet::one(byte).only() == Some(byte)));
        assert_eq!([b.only(), ByteSet::EMPTY.only()], [None; 2]);
    }
}
