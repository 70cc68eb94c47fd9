//! From what a log says was denied to the request that was denied.

use crate::decide::{Address, Attribute, PATH, Request, RequestError, Value, operation_named};
use crate::vocab::{OpId, Target};

/// A refusal as logs tell it (`spec/versions-and-defaults.md` section 7.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Denial {
    /// The operation's name.
    pub operation: String,
    /// On what, in the words of the log.
    pub argument: Option<String>,
    /// The argument is a Mach name of one process only.
    pub local: bool,
}

/// Why no rule can be made of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlearnable {
    /// Of another system, or no operation at all.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A second profile was applied inside a sandbox: no rule allows that.
    #[error("no rule allows a second profile inside a sandbox")]
    Reinit,
    /// The argument is none that the operation has, or was hidden by the log.
    #[error("{0:?} is no argument of {1}")]
    Argument(String, String),
    /// A rule that names every given value would not be one that people can read, or cannot be written.
    #[error("no rule is made of {0}")]
    Value(String),
}

/// What is logged when a second profile is applied inside a sandbox.
const PSEUDO: &str = "forbidden-sandbox-reinit";

/// The filter that the argument of a log line is about: the first that the operation takes. Paths and addresses go before.
const NAMED: &[&str] = &[
    "sysctl-name",
    "ipc-posix-name",
    "iokit-registry-entry-class",
    "iokit-property",
    "preference-domain",
    "right-name",
    "appleevent-destination",
    "notification-name",
    "nvram-variable",
    "kext-bundle-id",
    "boot-arg",
    "filesystem-name",
    "mac-policy-name",
    "syscall-number",
    "machtrap-number",
    "kernel-mig-routine",
    "fsctl-command",
    "ioctl-command",
    "fcntl-command",
    "info-type",
    "host-special-port",
];

impl Denial {
    /// The request that was refused.
    ///
    /// # Errors
    /// [`Unlearnable`].
    pub fn request(&self, target: &Target) -> Result<Request, Unlearnable> {
        if self.operation == PSEUDO {
            return Err(Unlearnable::Reinit);
        }
        let operation = operation_named(target, &self.operation)?;
        let request = Request::new(operation);
        let Some(argument) = self.argument.as_deref().filter(|argument| !argument.is_empty()) else {
            return Ok(request);
        };
        self.with_argument(target, request, operation, argument)
            .ok_or_else(|| Unlearnable::Argument(argument.to_owned(), self.operation.clone()))
    }

    fn with_argument(&self, target: &Target, request: Request, operation: OpId, argument: &str) -> Option<Request> {
        let takes = |name: &str| target.filter_named(name).filter(|filter| target.accepts(operation, *filter));
        let string = |name, text: &str| Some((Attribute::Filter(takes(name)?), Value::string(text)));
        if let Some((path, class)) = extension(argument) {
            let (attribute, value) = string("extension-class", class)?;
            return Some(request.with_path(path).with(attribute, value));
        }
        if argument.starts_with('/') {
            return target.accepts(operation, PATH).then(|| request.with_path(argument));
        }
        if let Some(what) = argument.strip_prefix("target ") {
            let mut request = request;
            request.add_argument(target, &format!("target={what}")).ok()?;
            return Some(request);
        }
        let is_outgoing = target.operation(operation).name == "network-outbound";
        if takes("remote").is_some() {
            let (end, address) = endpoint(argument, if is_outgoing { "remote" } else { "local" })?;
            return Some(request.with(Attribute::Filter(takes(end)?), Value::Address(address)));
        }
        // What operations on files are asked about is a path; anything else the log has hidden.
        if target.accepts(operation, PATH) {
            return None;
        }
        let mach = if self.local { "local-name" } else { "global-name" };
        if let Some((attribute, value)) = string(mach, argument) {
            return Some(request.with(attribute, value));
        }
        let name = NAMED.iter().find(|name| takes(name).is_some())?;
        let mut request = request;
        let command = control_command(argument).map(|number| number.to_string());
        request.add_argument(target, &format!("{name}={}", command.as_deref().unwrap_or(argument))).ok()?;
        Some(request)
    }
}

/// `target:PATH extension-class:CLASS`, and as 10.14 writes it `target: PATH class: CLASS`.
fn extension(argument: &str) -> Option<(&str, &str)> {
    let rest = argument.strip_prefix("target:")?;
    let (path, class) = rest.rsplit_once(" extension-class:").or_else(|| rest.rsplit_once(" class:"))?;
    Some((path.trim_start(), class.trim_start()))
}

/// `remote:*:443`, `local:*:0`, `*:443`, `203.0.113.5:443`: which end, and what is known of it. A rule can say of a host only
/// whether it is this one.
fn endpoint<'e>(argument: &'e str, default: &'e str) -> Option<(&'e str, Address)> {
    let (end, rest) = match argument.split_once(':') {
        Some((end @ ("remote" | "local"), rest)) => (end, rest),
        _ => (default, argument),
    };
    let (host, port) = rest.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return None;
    }
    let local = matches!(host, "localhost" | "127.0.0.1" | "::1").then_some(true);
    let port = match port {
        "*" => None,
        // A socket that is bound to any port.
        "0" => None,
        number => Some(number.parse().ok()?),
    };
    Some((end, Address { local, port, ..Address::default() }))
}

/// The number of a command such as `(_IO "h" 47)`: group and number, a byte each.
fn control_command(argument: &str) -> Option<u16> {
    let inside = argument.strip_prefix("(_IO \"")?.strip_suffix(')')?;
    let (group, number) = inside.split_once("\" ")?;
    let [group] = group.as_bytes() else { return None };
    Some(u16::from(*group) << 8 | u16::from(number.trim().parse::<u8>().ok()?))
}
