use super::TEXT_FORMS;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// A path longer than any path can be.
    ///
    /// ## Why
    /// macOS refuses paths of 1024 bytes and more, so a longer `literal`, `subpath` or `prefix` never matches.
    ///
    /// ## Example
    /// A `literal` with a path of 1100 characters, as programs write that paste lists together.
    ///
    /// ## Use instead
    /// Check the program that writes the profile; allow a directory above it.
    ///
    /// ## Sources
    /// `PATH_MAX` of macOS is 1024 with the final NUL; pattern sizes: NixOS/nix#4119.
    LONG_PATH = "SBPL010" "over-long-path" { Paths, Warning, default: true, fix: No } long_path
}

fn long_path(context: &Context<'_>, found: &mut Findings<'_>) {
    const PATH_MAX: usize = 1024;
    for argument in context.path_arguments(&TEXT_FORMS) {
        let length: usize = argument.text.known().map_or(0, |path| path.len());
        if length >= PATH_MAX {
            found.at(argument.node, format!("this path has {length} bytes; no path has more than {}", PATH_MAX - 1));
        }
    }
}
