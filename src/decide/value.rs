//! What a request may know: values by filter, and the words in which people give them.

use std::borrow::Cow;

use super::error::RequestError;
use super::variables;
use super::world::World;
use crate::pattern;
use crate::vocab::{ArgKind, FilterForm, FilterId, OpId, Spelling, Target};

/// What a test asks about: the value of one filter, or one of the process's entitlements.
///
/// Compiled tests of entitlements are spread over several filters (`%entitlement-load`, `%entitlement-string` …,
/// `spec/blob-format.md` section 6); a request knows one value for each entitlement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// The value of a filter.
    Filter(FilterId),
    /// The entitlement of this name.
    Entitlement(Vec<u8>),
    /// What `${NAME}` in patterns stands for; the name is in lower case.
    Variable(Vec<u8>),
}

impl Attribute {
    /// How people call it: the filter's name, `entitlement=NAME` or `variable=NAME`.
    pub fn name(&self, target: &Target) -> Cow<'static, str> {
        match self {
            Self::Filter(id) => target.filter_name(*id),
            Self::Entitlement(name) => format!("entitlement={}", String::from_utf8_lossy(name)).into(),
            // Every name that is known is written in upper case.
            Self::Variable(name) => format!("variable={}", String::from_utf8_lossy(name).to_ascii_uppercase()).into(),
        }
    }
}

/// What is known of an [`Attribute`]. An attribute that a request does not mention is *unknown*.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Known not to be there: no test of it holds.
    Absent,
    /// One string, or for filters with several values (`extension`, `iokit-registry-entry-class`) all of them.
    Strings(Vec<Vec<u8>>),
    /// One number, or for filters with several values (`target`, `file-attribute`) all of them. Bit fields are one number.
    Numbers(Vec<u16>),
    /// The value of a filter without argument, or a boolean entitlement.
    Flag(bool),
    /// One end of a connection.
    Address(Address),
}

impl Value {
    /// One string.
    pub fn string(text: impl Into<Vec<u8>>) -> Self {
        Self::Strings(vec![text.into()])
    }

    /// One number.
    pub fn number(number: u16) -> Self {
        Self::Numbers(vec![number])
    }
}

/// What is known of an address; `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Address {
    /// IP version.
    pub family: Option<Family>,
    /// What is spoken above IP.
    pub transport: Option<Transport>,
    /// True for an address of a local interface: what SBPL calls `localhost`.
    pub local: Option<bool>,
    /// The port.
    pub port: Option<u16>,
}

/// IP versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

/// Transports that SBPL tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP
    Tcp,
    /// UDP
    Udp,
    /// Any other.
    Other,
}

impl Address {
    /// Reads `PROTO[:HOST[:PORT]]`. PROTO is a word of SBPL (`ip`, `tcp4`, `udp` …) or `raw`, `raw4`, `raw6` for neither TCP
    /// nor UDP; HOST is `localhost`, `127.0.0.1`, `[::1]`, `*` (unknown) or any other name, which stands for an address of
    /// another machine; PORT a number or `*` (unknown). `None` when it is nothing of that.
    pub fn parse(text: &str) -> Option<Self> {
        let (protocol, rest) = match text.split_once(':') {
            Some((protocol, rest)) => (protocol, Some(rest)),
            None => (text, None),
        };
        let (word, family) = match protocol.strip_suffix('4') {
            Some(word) => (word, Some(Family::V4)),
            None => match protocol.strip_suffix('6') {
                Some(word) => (word, Some(Family::V6)),
                None => (protocol, None),
            },
        };
        let transport = match word {
            "ip" => None,
            "tcp" => Some(Transport::Tcp),
            "udp" => Some(Transport::Udp),
            "raw" => Some(Transport::Other),
            _ => return None,
        };
        let mut address = Self { family, transport, local: None, port: None };
        let Some(rest) = rest else { return Some(address) };
        let (host, port) = split_port(rest)?;
        (address.local, address.family) = match host {
            "*" => (None, family),
            "localhost" => (Some(true), family),
            "127.0.0.1" => (Some(true), family.or(Some(Family::V4))),
            "::1" => (Some(true), family.or(Some(Family::V6))),
            "" => return None,
            other if other.contains(':') => (Some(false), family.or(Some(Family::V6))),
            other if other.parse::<std::net::Ipv4Addr>().is_ok() => (Some(false), family.or(Some(Family::V4))),
            _ => (Some(false), family),
        };
        address.port = match port {
            None | Some("*") => None,
            Some(number) => Some(number.parse().ok()?),
        };
        Some(address)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.transport {
            None => "ip",
            Some(Transport::Tcp) => "tcp",
            Some(Transport::Udp) => "udp",
            Some(Transport::Other) => "raw",
        })?;
        f.write_str(match self.family {
            None => "",
            Some(Family::V4) => "4",
            Some(Family::V6) => "6",
        })?;
        f.write_str(match self.local {
            None => ":*",
            Some(true) => ":localhost",
            Some(false) => ":elsewhere",
        })?;
        match self.port {
            None => f.write_str(":*"),
            Some(port) => write!(f, ":{port}"),
        }
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(inside) = text.strip_prefix('[') {
        let (host, rest) = inside.split_once(']')?;
        return match rest {
            "" => Some((host, None)),
            _ => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    Some(match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    })
}

/// One question: may this operation happen, given these values?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub operation: OpId,
    /// What is known, in the order given; an attribute occurs at most once ([`Request::with`] keeps to that).
    pub values: Vec<(Attribute, Value)>,
    /// Attributes that are not mentioned are absent instead of unknown.
    pub closed: bool,
}

impl Request {
    /// A question without any known value.
    pub fn new(operation: OpId) -> Self {
        Self { operation, values: Vec::new(), closed: false }
    }

    /// The same question with `attribute` set to `value`.
    #[must_use]
    pub fn with(mut self, attribute: Attribute, value: Value) -> Self {
        self.set(attribute, value);
        self
    }

    /// The same question about `path`, a canonical absolute path.
    #[must_use]
    pub fn with_path(self, path: impl Into<Vec<u8>>) -> Self {
        self.with(Attribute::Filter(PATH), Value::string(path))
    }

    /// Sets one value.
    pub fn set(&mut self, attribute: Attribute, value: Value) {
        match self.values.iter_mut().find(|(known, _)| *known == attribute) {
            Some((_, old)) => *old = value,
            None => self.values.push((attribute, value)),
        }
    }

    /// What is known of `attribute`.
    pub fn get(&self, attribute: &Attribute) -> Option<&Value> {
        self.values.iter().find(|(known, _)| known == attribute).map(|(_, value)| value)
    }

    /// Adds `NAME=VALUE` as people write it. The same name again adds one more value. An empty VALUE says *known to be
    /// absent*.
    ///
    /// | kind of filter | VALUE |
    /// | --- | --- |
    /// | strings and patterns | the string itself |
    /// | numbers | decimal, `0x…`, `#o…`, or a symbol of the filter's enumeration |
    /// | bits | a number; with a leading 0 octal, as `0644` |
    /// | without argument | `true` or `false` |
    /// | addresses | [`Address::parse`] |
    /// | `entitlement` | `NAME` (true), `NAME=false`, `NAME=STRING`, `NAME=` (absent) |
    /// | `variable` | `NAME=STRING` for `${NAME}` in patterns, `NAME=` (absent) |
    ///
    /// # Errors
    /// A name that is no filter, a value of the wrong kind.
    pub fn add_argument(&mut self, target: &Target, text: &str) -> Result<(), RequestError> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| RequestError::ArgumentShape { text: text.to_owned() })?;
        if matches!(name, "entitlement" | "require-entitlement") {
            let (name, value) = match value.split_once('=') {
                None => (value, Value::Flag(true)),
                Some((name, "")) => (name, Value::Absent),
                Some((name, "true" | "#t")) => (name, Value::Flag(true)),
                Some((name, "false" | "#f")) => (name, Value::Flag(false)),
                Some((name, text)) => (name, Value::string(text)),
            };
            self.add(Attribute::Entitlement(name.as_bytes().to_vec()), value);
            return Ok(());
        }
        if name == "variable" {
            let (attribute, value) = variable(value).ok_or_else(|| RequestError::Value {
                filter: name.to_owned(),
                value: value.to_owned(),
                expected: "NAME=STRING for a variable that has no meaning of its own".to_owned(),
            })?;
            self.add(attribute, value);
            return Ok(());
        }
        let filter = filter_named(target, name)?;
        let new = parse_value(target, filter, value).ok_or_else(|| RequestError::Value {
            filter: name.to_owned(),
            value: value.to_owned(),
            expected: expected(target, filter),
        })?;
        self.add(Attribute::Filter(filter), new);
        Ok(())
    }

    /// One more value.
    fn add(&mut self, attribute: Attribute, new: Value) {
        let old = self.values.iter_mut().find(|(known, _)| *known == attribute).map(|(_, old)| old);
        match (old, new) {
            (Some(Value::Strings(all)), Value::Strings(more)) => all.extend(more),
            (Some(Value::Numbers(all)), Value::Numbers(more)) => all.extend(more),
            (_, new) => self.set(attribute, new),
        }
    }

    /// Lets the variables that `world` knows and the request does not say stand for what they do there.
    pub fn take_variables(&mut self, world: &World) {
        for (name, values) in world.variables() {
            let attribute = Attribute::Variable(name.to_vec());
            if self.get(&attribute).is_none() {
                self.set(attribute, Value::Strings(values.to_vec()));
            }
        }
    }
}

/// `NAME=STRING` for a variable; `None` when there is no `=`, or when the variable has a meaning of its own.
fn variable(text: &str) -> Option<(Attribute, Value)> {
    let (name, value) = text.split_once('=')?;
    if name.is_empty() || pattern::variable::fixed(name.as_bytes()).is_some() {
        return None;
    }
    Some((variables::attribute(name.as_bytes()), if value.is_empty() { Value::Absent } else { Value::string(value) }))
}

/// The filter `path`: number 1 in every system.
pub const PATH: FilterId = FilterId(1);

fn filter_named(target: &Target, name: &str) -> Result<FilterId, RequestError> {
    match target.spelling(name, 1) {
        Some(Spelling::Filter { id, form: FilterForm::Exact }) => Ok(id),
        _ => {
            let names: Vec<&str> =
                target.filters().iter().map(|filter| filter.name).chain(["entitlement", "variable"]).collect();
            Err(RequestError::UnknownFilter { name: name.to_owned(), nearest: nearest(name, &names) })
        }
    }
}

/// The operation called `name`, other spellings of SBPL version 1 included.
///
/// # Errors
/// No such operation; the nearest names are in the error.
pub fn operation_named(target: &Target, name: &str) -> Result<OpId, RequestError> {
    match target.spelling(name, 1) {
        Some(Spelling::Operation { id, .. }) => Ok(id),
        _ => {
            let names: Vec<&str> = target.operations().iter().map(|operation| operation.name).collect();
            Err(RequestError::UnknownOperation { name: name.to_owned(), nearest: nearest(name, &names) })
        }
    }
}

fn nearest(name: &str, names: &[&str]) -> Vec<String> {
    similar::get_close_matches(name, names, 3, 0.6).into_iter().map(str::to_owned).collect()
}

fn parse_number(text: &str) -> Option<u16> {
    let with_radix = |digits: &str, radix| u16::from_str_radix(digits, radix).ok();
    for (prefix, radix) in [("0x", 16), ("#x", 16), ("#o", 8), ("0o", 8), ("#b", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return with_radix(digits, radix);
        }
    }
    with_radix(text, 10)
}

fn parse_value(target: &Target, filter: FilterId, text: &str) -> Option<Value> {
    let info = target.filter(filter)?;
    if text.is_empty() {
        return Some(Value::Absent);
    }
    match info.argument {
        ArgKind::Bool => match text {
            "true" | "#t" => Some(Value::Flag(true)),
            "false" | "#f" => Some(Value::Flag(false)),
            _ => None,
        },
        ArgKind::String | ArgKind::PatternLiteral | ArgKind::PatternPrefix | ArgKind::PatternSubpath => {
            Some(Value::string(text))
        }
        ArgKind::Network => Address::parse(text).map(Value::Address),
        ArgKind::Bitfield
            if text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.starts_with('0') =>
        {
            u16::from_str_radix(text, 8).ok().map(Value::number)
        }
        ArgKind::Bitfield | ArgKind::Integer | ArgKind::Bitmask => {
            let symbol = info.symbols.and_then(|name| {
                let symbols = target.enums().get(name)?;
                symbols.iter().find(|entry| entry.symbol == text).map(|entry| entry.value)
            });
            symbol.or_else(|| parse_number(text)).map(Value::number)
        }
    }
}

fn expected(target: &Target, filter: FilterId) -> String {
    let Some(info) = target.filter(filter) else { return "a value".to_owned() };
    match info.argument {
        ArgKind::Bool => "true or false".to_owned(),
        ArgKind::Network => "PROTO:HOST:PORT as tcp:localhost:22".to_owned(),
        ArgKind::String | ArgKind::PatternLiteral | ArgKind::PatternPrefix | ArgKind::PatternSubpath => {
            "a string".to_owned()
        }
        ArgKind::Bitfield | ArgKind::Integer | ArgKind::Bitmask => {
            match info.symbols.and_then(|name| target.enums().get(name)) {
                None => "a number from 0 to 65535".to_owned(),
                Some(symbols) => {
                    let some: Vec<&str> = symbols.iter().take(4).map(|entry| entry.symbol).collect();
                    format!("a number from 0 to 65535 or a symbol such as {}", some.join(", "))
                }
            }
        }
    }
}
