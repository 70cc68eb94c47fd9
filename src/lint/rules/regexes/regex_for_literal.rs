use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::lint::text::literal;
use crate::pattern::regex::{self, Node};
use crate::syntax::{Atom, NodeId};

declare_rule! {
    /// A regex that only says what `literal` says.
    ///
    /// ## Why
    /// A literal is compared faster, is easier to read and is merged with others by the compiler.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (regex #"^/private/etc/hosts$"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (literal "/private/etc/hosts"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.3, §13.6.
    REGEX_FOR_LITERAL = "SBPL019" "regex-for-literal" { Style, Note, default: false, fix: Safe } for_literal
}

/// The fix that makes the argument `node` a plain string, when it is one literal in place.
fn plain(context: &Context<'_>, node: NodeId, bytes: &[u8]) -> Option<Fix> {
    let raw = bytes.contains(&b'\\');
    matches!(context.tree.datum(node), Some(Atom::String(_)))
        .then(|| Fix::replace(Applicability::Safe, context.tree.span(node), literal(bytes, raw)))
}

fn for_literal(context: &Context<'_>, found: &mut Findings<'_>) {
    for (call, node) in context.regex_arguments() {
        let text = context.text(node);
        let Some(parsed) = text.known().and_then(|bytes| regex::parse(&bytes).ok()) else { continue };
        let Node::Concat(parts) = parsed.node() else { continue };
        let [Node::Start, inner @ .., Node::End] = &parts[..] else { continue };
        let bytes: Option<Vec<u8>> = inner
            .iter()
            .map(|part| match part {
                Node::Byte(byte) => Some(*byte),
                _ => None,
            })
            .collect();
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { continue };
        let Some(exact) = call.name.strip_suffix(b"regex") else { continue };
        let exact = match exact {
            b"" => b"literal".to_vec(),
            base => base.strip_suffix(b"-").unwrap_or(base).to_vec(),
        };
        let name = context.tree.children(call.node).next();
        let single = context.tree.children(call.node).count() == 2;
        let finding = found.at(node, "this regex says no more than an exact comparison");
        finding.help(format!("Use `{}`.", String::from_utf8_lossy(&exact)));
        if let (Some(name), true, Some(mut fix)) = (name, single, plain(context, node, &bytes)) {
            fix.edits.extend(Fix::replace(Applicability::Safe, context.tree.span(name), exact).edits);
            finding.fix(fix);
        }
    }
}
