use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// An operation written in an old spelling.
    ///
    /// ## Why
    /// Old spellings are aliases that later versions drop: version 3 does not know `file-write-mount`, versions 2 and 3 do not know
    /// `iokit-open`. For `iokit-open` the compiler itself warns.
    ///
    /// ## Example
    /// ```scheme
    /// (allow iokit-open (iokit-user-client-class "RootDomainUserClient"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow iokit-open-user-client (iokit-user-client-class "RootDomainUserClient"))
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §1.3.
    OLD_SPELLING = "SBPL023" "old-spelling" { Names, Note, default: false, fix: Safe } old_spelling
}

fn old_spelling(context: &Context<'_>, found: &mut Findings<'_>) {
    use crate::lint::finding::{Applicability, Fix};
    for rule in &context.index.rules {
        for named in &rule.operations {
            let Some(id) = named.id else { continue };
            let proper = context.target.operation(id).name;
            if proper.as_bytes() == named.name || matches!(named.name, b"sysctl-write" | b"process-exec") {
                continue;
            }
            let name = String::from_utf8_lossy(named.name);
            let message = if named.obsolete {
                format!("sandbox operation \"{name}\" is obsolete; replace with \"{proper}\"")
            } else {
                format!("`{name}` is an old spelling of `{proper}`")
            };
            found.at(named.node, message).help(format!("Write `{proper}`.")).fix(Fix::replace(
                Applicability::Safe,
                context.tree.span(named.node),
                proper,
            ));
        }
    }
}
