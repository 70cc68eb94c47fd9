use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::syntax::Atom;

declare_rule! {
    /// A parameter that is given and that the profile never asks for.
    ///
    /// ## Why
    /// Its name is misspelt, on the command line or in the profile: a parameter that is asked for and not given is `#f`, and what
    /// depends on it is left out or is an error.
    ///
    /// ## Example
    /// `sbpl lint -D HOEM=/Users/me profile.sb`, where the profile has `(param "HOME")`.
    ///
    /// ## Use instead
    /// `sbpl lint -D HOME=/Users/me profile.sb`
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §5 (`param`).
    UNUSED_PARAMETER = "SBPL057" "unused-parameter" { Correctness, Warning, default: true, fix: No } unused
}

/// Parameters that the compiler itself looks at (`spec/sbpl-language.md` §5, §12, §13.5).
const KNOWN: [&str; 3] = ["ENABLE_PATTERN_VARIABLES", "IMPORT_DIR", "NO_IMPLICIT_RULES"];

fn unused(context: &Context<'_>, found: &mut Findings<'_>) {
    // An imported file may ask.
    if context.parameters.is_empty() || !context.index.lists("import").is_empty() {
        return;
    }
    let tree = context.tree;
    for name in context.parameters.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
        let asked =
            tree.nodes().any(|node| matches!(tree.datum(node), Some(Atom::String(text)) if *text == *name.as_bytes()));
        if !asked {
            found.about_the_command(format!("nothing asks for the parameter {name}"));
        }
    }
}
