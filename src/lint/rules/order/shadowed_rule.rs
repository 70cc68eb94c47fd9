use super::covering;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// A path that a later rule decides the other way, always: the earlier rule never has a say.
    ///
    /// ## Why
    /// Among the filtered rules of one operation the *last* one that matches decides. A deny that stands before an allow for a
    /// directory above it is dead, and what it should protect is open.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-read* (subpath "/Users/me/.ssh"))
    /// (allow file-read* (subpath "/Users/me"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/Users/me"))
    /// (deny file-read* (subpath "/Users/me/.ssh"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.2, §7.4 (settled, `spec/versions-and-defaults.md` §5 a); empathic/clash#295, lijunzh/koda#1086.
    SHADOWED_RULE = "SBPL039" "shadowed-rule" { Correctness, Error, default: true, fix: No } shadowed
}

fn shadowed(context: &Context<'_>, found: &mut Findings<'_>) {
    let order = &context.order;
    covering(context, true, |at, index, later| {
        let (rule, other) = (order.rule(at), order.rule(later));
        let Some(test) = order.condition(at).paths.get(index) else { return };
        found
            .at(test.node, format!("this {} never decides: a later {} covers the path", rule.action, other.action))
            .label(context.location(other.node), "the last rule that matches decides")
            .help("Put the narrower rule after the wider one.");
    });
}
