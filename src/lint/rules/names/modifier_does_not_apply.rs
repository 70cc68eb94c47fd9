use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::vocab::Spelling;

declare_rule! {
    /// A modifier on the wrong action, such as `report` on a deny or `no-log` on an allow.
    ///
    /// ## Why
    /// `M modifier does not apply to A action` loses the whole profile.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-write* (with report))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny file-write*)
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §10 (the modifier error seen most often).
    MODIFIER_MISMATCH = "SBPL026" "modifier-does-not-apply" { Names, Error, default: true, fix: No } modifier_mismatch
}

fn modifier_mismatch(context: &Context<'_>, found: &mut Findings<'_>) {
    for rule in &context.index.rules {
        for &form in &rule.modifiers {
            if context.tree.head(form) != Some(b"with") {
                continue;
            }
            let Some(name) = context.arguments(form).next().and_then(|name| context.tree.symbol(name)) else {
                continue;
            };
            let Some(Spelling::Modifier(id)) = context.spelling(name) else { continue };
            let Some(info) = context.target.modifier(id) else { continue };
            if !info.actions.contains(&rule.action) {
                let action = rule.action;
                let message = format!("{} modifier does not apply to {action} action", info.name);
                found.at(form, message).help("Remove the modifier.");
            }
        }
    }
}
