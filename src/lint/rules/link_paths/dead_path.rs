use super::{has_twin, split};
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::lint::text::{is_raw, literal, shown};

declare_rule! {
    /// A path filter that can never match a file, because its path goes through one of the links `/tmp`, `/var`, `/etc`.
    ///
    /// ## Why
    /// The kernel compares the *resolved* path: a file opened as `/tmp/x` is seen as `/private/tmp/x`. The compiler does not
    /// translate paths, so the rule is silently dead. Only the link itself, `(literal "/tmp")`, is seen under its own name.
    ///
    /// A dead path that stands beside its live form is left alone here (`redundant-link-path`).
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-write* (subpath "/tmp/build"))
    /// (deny file-read* (literal "/etc/master.passwd"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-write* (subpath "/private/tmp/build"))
    /// (deny file-read* (literal "/private/etc/master.passwd"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.1; the mistake met most often in public projects, among them openai/codex#275,
    /// anthropic-experimental/sandbox-runtime#596, retrace#720.
    DEAD_PATH = "SBPL003" "dead-path" { Paths, Error, default: true, fix: Unsafe } dead_path
}

fn dead_path(context: &Context<'_>, found: &mut Findings<'_>) {
    let (dead, live) = split(context);
    for argument in dead.iter().filter(|argument| !has_twin(context, &live, argument)) {
        let path = argument.path();
        let message = format!("this path never matches: {} is a link", shown(path.get(..4).unwrap_or(path)));
        let finding = found.at(argument.node, message);
        finding.note(format!("the kernel sees /private{}", shown(path)));
        match argument.text.head_node().filter(|_| !argument.text.indirect) {
            Some(node) => {
                let head = argument.text.head();
                let at = head.len() - path.len();
                let fixed = [&head[..at], b"/private", path].concat();
                let text = literal(&fixed, is_raw(context.tree, node));
                finding.fix(Fix::replace(Applicability::Unsafe, context.tree.span(node), text));
            }
            None => {
                finding.help("Write the path under /private.");
            }
        }
    }
}
