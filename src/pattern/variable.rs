//! What a pattern variable stands for.

use crate::pattern::ByteSet;

/// What a variable matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Any of these strings.
    Values(Vec<Vec<u8>>),
    /// The text of a UUID: 8, 4, 4, 4 and 12 hexadecimal digits with `-` between them, in either case.
    Uuid,
    /// One component of a path: bytes other than `/` and NUL, at least one.
    Component,
    /// Any string that is not empty and holds no NUL: what a variable can be whose value is not known.
    Anything,
}

/// Variables whose name says what they match, in lower case. The names are those of system profiles (iOS 13 to 26, macOS 15.2);
/// that they stand for all UUIDs and all components is read from the names and from where they occur, not measured.
const FIXED: &[(&[u8], Meaning)] = &[(b"any_path_component", Meaning::Component), (b"any_uuid", Meaning::Uuid)];

/// The meaning of a variable that has the same one in every process.
pub(crate) fn fixed(name: &[u8]) -> Option<&'static Meaning> {
    FIXED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, meaning)| meaning)
}

/// Whether a variable that is not [`fixed`] may have several values at once: those called `ANY_…` stand for any of a set
/// (`ANY_USER_HOME`), `ENTITLEMENT:NAME` for each string of that entitlement; every other has one value in a process.
pub(crate) fn is_many(name: &[u8]) -> bool {
    let begins = |with: &[u8]| name.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    begins(b"any_") || begins(ENTITLEMENT)
}

/// Whether what the variable matches ends at one place of a string, wherever in the string it begins: it has one value, or values of
/// one length.
pub(crate) fn has_one_end(name: &[u8]) -> bool {
    match fixed(name) {
        Some(meaning) => *meaning == Meaning::Uuid,
        None => !is_many(name),
    }
}

/// What the name of a variable begins with that stands for the value of an entitlement.
const ENTITLEMENT: &[u8] = b"entitlement:";

/// The entitlement whose strings are the values of the variable called `name`.
pub(crate) fn entitlement(name: &[u8]) -> Option<&[u8]> {
    let (head, rest) = name.split_at_checked(ENTITLEMENT.len())?;
    head.eq_ignore_ascii_case(ENTITLEMENT).then_some(rest)
}

/// One place of a UUID's text: a set of bytes.
pub(crate) fn uuid_bytes() -> impl DoubleEndedIterator<Item = ByteSet> {
    let digit = b'0'..=b'9';
    let digits: ByteSet = digit.chain(b'a'..=b'f').chain(b'A'..=b'F').collect();
    (0..36).map(move |place| if [8, 13, 18, 23].contains(&place) { ByteSet::one(b'-') } else { digits })
}

/// All bytes without some.
pub(crate) fn bytes_but(without: &[u8]) -> ByteSet {
    without.iter().copied().collect::<ByteSet>().complement()
}

impl Meaning {
    /// The length of the longest beginning of `text` that it matches.
    pub(crate) fn longest(&self, text: &[u8]) -> Option<usize> {
        let run = |stop: &[u8]| text.iter().position(|byte| stop.contains(byte)).unwrap_or(text.len());
        match self {
            Self::Values(values) => values.iter().filter(|value| text.starts_with(value)).map(Vec::len).max(),
            Self::Uuid => {
                let mut rest = text.iter();
                uuid_bytes().all(|set| rest.next().is_some_and(|byte| set.contains(*byte))).then_some(36)
            }
            Self::Component => Some(run(b"/\0")).filter(|length| *length > 0),
            Self::Anything => Some(run(b"\0")).filter(|length| *length > 0),
        }
    }
}
