use crate::diag::Span;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::Place;
use crate::lint::order::PathTest;
use crate::lint::rule::declare_rule;
use crate::vocab::{Action, FilterForm};

declare_rule! {
    /// A UNIX socket that is denied as a file and stays open for `connect`.
    ///
    /// ## Why
    /// Connecting to a socket asks `network-outbound` with the socket's path, not `file-read*` or `file-write*`. With
    /// `(allow network-outbound)` the denied Docker socket is a way out of the sandbox.
    ///
    /// ## Example
    /// ```scheme
    /// (allow network-outbound)
    /// (deny file-read* file-write* (literal "/private/var/run/docker.sock"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow network-outbound)
    /// (deny file-read* file-write* network-outbound (literal "/private/var/run/docker.sock"))
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §5 n (measured); eugene1g/agent-safehouse#139.
    SOCKET_STAYS_OPEN = "SBPL052" "socket-stays-open" { Robustness, Error, default: true, fix: Unsafe } socket
}

fn socket(context: &Context<'_>, found: &mut Findings<'_>) {
    const ENDINGS: [&[u8]; 4] = [b".sock", b".socket", b".sock.raw", b"/mdnsresponder"];
    let Some(outbound) = context.operation("network-outbound") else { return };
    for (_, rule, condition) in context.rules().filter(|(_, rule, _)| rule.action == Action::Deny) {
        let file = rule.operations.iter().find(|named| named.name.starts_with(b"file"));
        let named = rule.names(outbound) || matches!(rule.place, Place::Unknown | Place::MessageFilter);
        let Some(file) = file.filter(|_| !named) else { continue };
        let open: Vec<&PathTest> = condition
            .paths
            .iter()
            .filter(|test| test.form == FilterForm::Exact)
            .filter(|test| ENDINGS.iter().any(|ending| test.path.ends_with(ending)))
            .filter(|test| context.order.decide(outbound, &test.path) == Some(Action::Allow))
            .collect();
        // A path that never matches a file is another rule's business.
        let dead =
            |test: &&&PathTest| ["/var/", "/tmp/", "/etc/"].iter().any(|link| test.path.starts_with(link.as_bytes()));
        let Some(test) = open.iter().find(|test| !dead(test)) else { continue };
        let finding = found.at(test.node, "this socket can still be connected to");
        finding.note("connecting asks network-outbound, not file-read* or file-write*");
        finding.help("Name network-outbound in the deny as well.");
        let end = Span::point(context.tree.span(file.node).end);
        finding.fix(Fix::replace(Applicability::Unsafe, end, " network-outbound"));
    }
}
