use super::{TEXT_FORMS, rewrite};
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings};
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;

declare_rule! {
    /// A path of the data volume written with its mount point, `/System/Volumes/Data/…`, although a firmlink shows it elsewhere.
    ///
    /// ## Why
    /// The kernel resolves a file below a firmlink to the short path: `/System/Volumes/Data/Users/me` is seen as `/Users/me`.
    /// A rule on the long path never matches.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-read* (subpath "/System/Volumes/Data/Users/me/.ssh"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny file-read* (subpath "/Users/me/.ssh"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.2; bazelbuild/bazel#13766.
    FIRMLINK_PATH = "SBPL005" "firmlink-path" { Paths, Warning, default: true, fix: Unsafe } firmlink
}

fn firmlink(context: &Context<'_>, found: &mut Findings<'_>) {
    const VOLUME: &[u8] = b"/System/Volumes/Data";
    const LINKED: [&[u8]; 9] = [
        b"/Applications",
        b"/Library",
        b"/Users",
        b"/Volumes",
        b"/cores",
        b"/opt",
        b"/private",
        b"/usr/local",
        b"/usr/share/snmp",
    ];
    for argument in context.path_arguments(&TEXT_FORMS) {
        let Some(short) = argument.path().strip_prefix(VOLUME) else { continue };
        let linked = LINKED
            .iter()
            .any(|link| short.strip_prefix(*link).is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/')));
        if !linked {
            continue;
        }
        let short = short.to_vec();
        let finding = found.at(argument.node, "this path never matches: the kernel sees the file through its firmlink");
        finding.help(format!("Write {}.", shown(&short)));
        if let Some(fix) = rewrite(context, &argument, &short, Applicability::Unsafe) {
            finding.fix(fix);
        }
    }
}
