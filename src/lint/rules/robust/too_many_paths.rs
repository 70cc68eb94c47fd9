use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// More path text in one rule than the compiler takes.
    ///
    /// ## Why
    /// The paths of one rule become one pattern, and a pattern's code is at most 65,535 bytes. Programs that list every file
    /// or every dependency hit this with `pattern serialization length … exceeds maximum`.
    ///
    /// ## Example
    /// One rule with several thousand `literal` filters.
    ///
    /// ## Use instead
    /// Name the directories above with `subpath`, or split the rule.
    ///
    /// ## Sources
    /// NixOS/nix#4119; isanchez31/opencode-sandbox-plugin#58.
    TOO_MANY_PATHS = "SBPL053" "too-many-paths" { Robustness, Error, default: true, fix: No } too_many
}

fn too_many(context: &Context<'_>, found: &mut Findings<'_>) {
    const MOST: usize = 65_535;
    for (_, rule, condition) in context.rules() {
        let bytes: usize = condition.paths.iter().map(|test| test.path.len()).sum();
        if bytes > MOST {
            let message = format!("the {} paths of this rule have {bytes} bytes of text", condition.paths.len());
            found.at(rule.node, message).note(format!("a pattern's code has at most {MOST} bytes"));
        }
    }
}
