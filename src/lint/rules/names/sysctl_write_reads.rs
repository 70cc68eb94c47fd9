use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::index::RuleForm;
use crate::lint::rule::declare_rule;
use crate::vocab::Action;

declare_rule! {
    /// `sysctl-write`, which is an alias of `sysctl*` and so decides about reading too.
    ///
    /// ## Why
    /// `(allow sysctl-write)` opens every sysctl for reading, among them the arguments and environments of other processes;
    /// `(deny sysctl-write)` closes reading for all sysctls that no `sysctl-read` rule opens.
    ///
    /// ## Example
    /// ```scheme
    /// (allow sysctl-write)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow sysctl-write (sysctl-name "kern.grade_cputype"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §8 (other spellings); compiled evidence in `spec/versions-and-defaults.md` §1.3.
    SYSCTL_WRITE = "SBPL024" "sysctl-write-reads" { Names, Warning, default: true, fix: No } sysctl_write
}

fn sysctl_write(context: &Context<'_>, found: &mut Findings<'_>) {
    let reads =
        |rule: &RuleForm<'_>| rule.operations.iter().any(|named| matches!(named.name, b"sysctl-read" | b"sysctl*"));
    let bare = || context.index.rules.iter().filter(|rule| rule.unfiltered());
    let opened: Vec<Action> = bare().filter(|rule| reads(rule)).map(|rule| rule.action).collect();
    let (allow, deny) = (opened.contains(&Action::Allow), opened.contains(&Action::Deny));
    for rule in bare().filter(|rule| !if rule.action == Action::Allow { allow } else { deny }) {
        for named in rule.operations.iter().filter(|named| named.name == b"sysctl-write") {
            if context.operation("sysctl*") == named.id {
                let action = rule.action;
                found
                    .at(named.node, format!("`sysctl-write` means `sysctl*`: this rule is an {action} of reading too"))
                    .help("Name the sysctls with `sysctl-name`.");
            }
        }
    }
}
