use super::{allowing, closed};
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::index::RuleForm;
use crate::lint::rule::declare_rule;
use crate::vocab::OpId;

declare_rule! {
    /// A complete profile that lets nothing be executed.
    ///
    /// ## Why
    /// `sandbox-exec` applies the profile and then executes the command under it: without `process-exec*` that fails with exit 71 and
    /// `execvp() … failed`. Only a program that sandboxes itself needs no exec. Profiles with imports are left alone.
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow file-read*)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow process-exec (literal "/usr/bin/true"))
    /// (allow file-read*)
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §5 k, l.
    NO_EXEC = "SBPL048" "nothing-executable" { Robustness, Note, default: true, fix: No } no_exec
}

fn default_rule<'c, 'a>(context: &'c Context<'a>) -> Option<&'c RuleForm<'a>> {
    context.index.rules.iter().find(|rule| rule.names(OpId::DEFAULT))
}

fn no_exec(context: &Context<'_>, found: &mut Findings<'_>) {
    let (Some(exec), Some(rule)) = (context.operation("process-exec*"), default_rule(context)) else { return };
    if closed(context) && allowing(context, exec).next().is_none() {
        found
            .at(rule.node, "under this profile nothing can be executed")
            .help("Allow process-exec* for the programs that shall run.");
    }
}
