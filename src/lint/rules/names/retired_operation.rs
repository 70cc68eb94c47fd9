use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// An operation that Apple has retired: rules on it are accepted and do nothing.
    ///
    /// ## Why
    /// The rule looks as if it allowed or denied something.
    ///
    /// ## Example
    /// ```scheme
    /// (deny mach-per-user-lookup)
    /// ```
    ///
    /// ## Use instead
    /// Remove the operation.
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §6.5, §8 (other spellings).
    RETIRED_OPERATION = "SBPL022" "retired-operation" { Names, Warning, default: true, fix: No } retired
}

fn retired(context: &Context<'_>, found: &mut Findings<'_>) {
    for rule in &context.index.rules {
        for named in rule.operations.iter().filter(|named| named.id.is_none()) {
            let name = String::from_utf8_lossy(named.name);
            found
                .at(named.node, format!("`{name}` is retired: rules on it do nothing"))
                .help("Remove it from the rule.");
        }
    }
}
