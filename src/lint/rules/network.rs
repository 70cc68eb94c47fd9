use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::lint::text::{is_raw, literal, shown};
use crate::vocab::ArgKind;

declare_rule! {
    /// A network address that the compiler refuses: another host than `*` or `localhost`, no port, a range of ports.
    ///
    /// ## Why
    /// SBPL cannot filter by address. `(remote ip "127.0.0.1:80")` is an error and loses the whole profile; there are no ranges
    /// and no names of services.
    ///
    /// ## Example
    /// ```scheme
    /// (allow network-outbound (remote ip "127.0.0.1:*") (remote tcp "*:8000-9000"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow network-outbound (remote ip "localhost:*") (remote tcp "*:8000"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §9 (network addresses); zeroclaw-labs/zeroclaw#4767, microsoft/mxc#946.
    NETWORK_ADDRESS = "SBPL027" "network-address" { Correctness, Error, default: true, fix: Unsafe } check
}

fn check(context: &Context<'_>, found: &mut Findings<'_>) {
    for call in &context.index.calls {
        if context.target.filter(call.id).is_none_or(|info| info.argument != ArgKind::Network) {
            continue;
        }
        let sockets =
            context.arguments(call.node).next().and_then(|kind| context.tree.symbol(kind)) == Some(b"unix-socket");
        for node in context.arguments(call.node).skip(1).filter(|_| !sockets) {
            let text = context.text(node);
            let Some(address) = text.known() else { continue };
            let Some(problem) = problem(&address) else { continue };
            let finding = found.at(node, problem);
            finding.note(format!("the address is {}", shown(&address)));
            if let (Some(fixed), Some(first), false) = (corrected(&address), text.head_node(), text.indirect) {
                finding.help(format!("Write {}.", shown(&fixed)));
                let text = literal(&fixed, is_raw(context.tree, first));
                finding.fix(Fix::replace(Applicability::Unsafe, context.tree.span(node), text));
            }
        }
    }
}

/// What the compiler says about `address`; its own words (`spec/sbpl-language.md` §14).
fn problem(address: &[u8]) -> Option<&'static str> {
    let Some(colon) = memchr::memrchr(b':', address) else { return Some("port missing in network address") };
    let (host, port) = (&address[..colon], &address[colon + 1..]);
    if !matches!(host, b"*" | b"localhost") {
        return Some("host must be * or localhost in network address");
    }
    let number = std::str::from_utf8(port).ok().and_then(|port| port.parse::<u16>().ok());
    let plain = port.iter().all(u8::is_ascii_digit);
    (port != b"*" && (number.is_none() || !plain)).then_some("invalid port in network address")
}

/// The address that was probably meant.
fn corrected(address: &[u8]) -> Option<Vec<u8>> {
    let hosts: [(&[u8], &[u8]); 6] = [
        (b"127.0.0.1", b"localhost"),
        (b"[::1]", b"localhost"),
        (b"::1", b"localhost"),
        (b"0.0.0.0", b"*"),
        (b"[::]", b"*"),
        (b"", b"*"),
    ];
    let colon = memchr::memrchr(b':', address);
    let (host, port) = colon.map_or((address, &b"*"[..]), |colon| (&address[..colon], &address[colon + 1..]));
    let host = hosts.iter().find(|(wrong, _)| *wrong == host).map_or(host, |(_, right)| right);
    let fixed = [host, b":", port].concat();
    (fixed != address && problem(&fixed).is_none()).then_some(fixed)
}
