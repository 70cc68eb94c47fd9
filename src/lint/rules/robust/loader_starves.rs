use super::{allowing, closed};
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// Programs may be executed, but the loader cannot read what it needs.
    ///
    /// ## Why
    /// `(deny default)` also stops the loader `dyld` from reading itself and the system libraries. The program dies before `main`
    /// with SIGABRT (exit 134) and without a message. Profiles with imports are left alone: `system.sb` and `dyld-support.sb` open what is
    /// needed.
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow process-exec)
    /// (allow file-read* (subpath "/Users/me/project"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow process-exec)
    /// (allow file-read* (literal "/") (subpath "/usr") (subpath "/System") (subpath "/Users/me/project"))
    /// ```
    ///
    /// ## Sources
    /// openai/codex#35437, NixOS/nix#5888, jdx/mise#12263 (the loader also reads `/`).
    LOADER_STARVES = "SBPL049" "loader-starves" { Robustness, Warning, default: true, fix: No } loader
}

fn loader(context: &Context<'_>, found: &mut Findings<'_>) {
    let (Some(exec), Some(read)) = (context.operation("process-exec*"), context.operation("file-read-data")) else {
        return;
    };
    if !closed(context) {
        return;
    }
    let Some((_, rule)) = allowing(context, exec).next() else { return };
    if !["/usr/lib/dyld", "/usr/lib/libsystem.b.dylib"]
        .iter()
        .any(|path| context.order.may_allow(read, path.as_bytes()))
    {
        found
            .at(rule.node, "what is executed dies in the loader: nothing lets it read /usr/lib")
            .help("Allow file-read* for (literal \"/\"), (subpath \"/usr/lib\") and (subpath \"/System\").");
    }
}
