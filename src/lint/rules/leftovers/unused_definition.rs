use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;
use crate::vocab::OpId;
use std::collections::HashMap;

declare_rule! {
    /// A value that is defined and that nothing in the profile uses.
    ///
    /// ## Why
    /// It is left over, or the rule that should use it has another name in it. Functions are left alone, since
    /// helpers are pasted in as a set, and so are files without a rule on `default`: others import them.
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (define home (param "HOME"))
    /// ```
    ///
    /// ## Use instead
    /// Remove it, or use it.
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §1.3.
    UNUSED_DEFINITION = "SBPL035" "unused-definition" { Style, Warning, default: true, fix: No } unused_definition
}

fn unused_definition(context: &Context<'_>, found: &mut Findings<'_>) {
    if !context.index.rules.iter().any(|rule| rule.names(OpId::DEFAULT)) {
        return;
    }
    // Helpers such as `home-literal` are pasted in as a set; only values are looked at.
    let values = context.index.definitions.iter().filter(|definition| definition.global && definition.value.is_some());
    let mut uses: HashMap<&[u8], u32> = values.clone().map(|definition| (definition.name, 0)).collect();
    for symbol in context.tree.nodes().filter_map(|node| context.tree.symbol(node)) {
        if let Some(count) = uses.get_mut(symbol) {
            *count += 1;
        }
    }
    for definition in values {
        // Once where it is defined.
        if uses.get(definition.name) == Some(&1) && !definition.name.starts_with(b"%") {
            found.at(definition.node, format!("nothing uses `{}`", shown(definition.name)));
        }
    }
}
