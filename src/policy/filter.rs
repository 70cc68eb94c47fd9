//! Conditions of rules.

use crate::pattern::Pattern;
use crate::vocab::FilterId;

/// Deepest nesting of [`Filter`]s that a policy may hold. Apple states no limit; ours keeps walking them safe.
pub const MAX_FILTER_DEPTH: usize = 256;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// One test.
    Test(Test),
    /// Every one holds.
    All(Vec<Filter>),
    /// At least one holds.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
}

/// One comparison of a request's value with one argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Test {
    /// What is compared.
    pub filter: FilterId,
    /// With what.
    pub arg: Arg,
}

/// What `(extension)` without argument means (`spec/sbpl-language.md` section 9, special cases: 10.10; no later system is measured).
pub(crate) const EXTENSION_CLASS: &[u8] = b"com.apple.app-sandbox.read-write";

/// The argument of a [`Test`]; its kind is the one that `vocab` gives for the filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Arg {
    /// The filter takes none, as `(extension)` or `(notification-payload)`.
    None,
    /// `#t` or `#f` (`%entitlement-boolean`).
    Bool(bool),
    /// A number, an enumeration's value, or bits (bit field filters).
    Integer(u16),
    /// A set of numbers (bitmask filters), ascending.
    Integers(Vec<u16>),
    /// A plain string.
    String(Vec<u8>),
    /// A string test, as written (not folded to lower case).
    Pattern(Pattern),
    /// A network address.
    Network(NetworkAddress),
}

/// The hosts that a network address can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// `*`
    Any,
    /// `localhost`: every address of a local interface (`spec/versions-and-defaults.md` section 5 g).
    Localhost,
}

/// `PROTO "host:port"` (`spec/sbpl-language.md` section 9, network addresses).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkAddress {
    /// Bits: 1 IPv4, 2 IPv6, 4 TCP, 8 UDP.
    pub protocol: u8,
    /// Which hosts.
    pub host: Host,
    /// The port; `None` for `*`.
    pub port: Option<u16>,
}

const PROTOCOLS: &[(&str, u8)] =
    &[("ip4", 1), ("ip6", 2), ("ip", 3), ("tcp4", 5), ("tcp6", 6), ("tcp", 7), ("udp4", 9), ("udp6", 10), ("udp", 11)];

/// The number of a protocol word.
pub fn protocol_number(name: &str) -> Option<u8> {
    PROTOCOLS.iter().find(|(word, _)| *word == name).map(|(_, number)| *number)
}

/// The word of a protocol number.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    PROTOCOLS.iter().find(|(_, known)| *known == number).map(|(word, _)| *word)
}

impl Filter {
    /// Nesting depth; 1 for a single test.
    pub fn depth(&self) -> usize {
        match self {
            Self::Test(_) => 1,
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::depth).max().unwrap_or(0),
            Self::Not(inner) => 1 + inner.depth(),
        }
    }

    /// Calls `visit` for every test, in source order.
    pub fn for_each_test<'a>(&'a self, visit: &mut impl FnMut(&'a Test)) {
        match self {
            Self::Test(test) => visit(test),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.for_each_test(visit)),
            Self::Not(inner) => inner.for_each_test(visit),
        }
    }
}
