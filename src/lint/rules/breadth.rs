use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::index::{Place, RuleForm};
use crate::lint::rule::declare_rule;
use crate::vocab::{Action, FilterForm, OpId};

declare_rule! {
    /// `(allow default)`: everything that no rule denies is allowed.
    ///
    /// ## Why
    /// A list of denials is never complete: new systems bring new operations, and every way round the denied ones stays open
    /// (other paths to the same file, Apple events, launchd jobs, Mach services that act for the caller).
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (allow default)
    /// (deny file-write* (subpath "/Users"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow file-read*)
    /// ```
    ///
    /// ## Sources
    /// google-gemini/gemini-cli#28423; `spec/sbpl-language.md` §7.
    ALLOW_DEFAULT = "SBPL031" "allow-default" { Breadth, Note, default: true, fix: No } allow_default
}

declare_rule! {
    /// `mach-lookup`, or an operation above it, allowed for every service.
    ///
    /// ## Why
    /// Services act for their callers with their own rights. With every service open, a sandboxed program can have files read,
    /// programs started and passwords asked for outside of its sandbox.
    ///
    /// ## Example
    /// ```scheme
    /// (allow mach-lookup)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow mach-lookup
    ///   (global-name "com.apple.system.opendirectoryd.libinfo")
    ///   (global-name "com.apple.trustd.agent"))
    /// ```
    ///
    /// ## Sources
    /// BaseIntelligence/bounty-challenge#10704.
    BARE_MACH_LOOKUP = "SBPL032" "bare-mach-lookup" { Breadth, Warning, default: true, fix: No } bare_mach_lookup
}

declare_rule! {
    /// Writing allowed to every file.
    ///
    /// ## Why
    /// Whoever can write every file of the user can change what the user runs next: shell start-up files, launch agents,
    /// programs, and the profile itself.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-write*)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-write* (subpath (param "PROJECT")))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §8; posit-dev/commons#355 (an allow without scope re-opened everything).
    WRITE_EVERYWHERE = "SBPL033" "write-everywhere" { Breadth, Warning, default: true, fix: No } write_everywhere
}

declare_rule! {
    /// An operation allowed without filter that hands control to programs outside of the sandbox.
    ///
    /// ## Why
    /// `appleevent-send`, `lsopen` and `job-creation` make other programs act; `mach-priv-task-port` and `mach-task-read` take
    /// over or read other processes. Each of them is a way out.
    ///
    /// ## Example
    /// ```scheme
    /// (allow appleevent-send)
    /// (allow mach-priv-task-port)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow appleevent-send (appleevent-destination "com.apple.finder"))
    /// (allow mach-priv-task-port (target same-sandbox))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §8.
    ESCAPING_OPERATION = "SBPL034" "escaping-operation" { Breadth, Note, default: false, fix: No } escaping
}

declare_rule! {
    /// `sysctl-read` allowed for every name.
    ///
    /// ## Why
    /// `kern.procargs2` gives the arguments and the environment of other processes of the user, tokens and passwords included.
    ///
    /// ## Example
    /// ```scheme
    /// (allow sysctl-read)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow sysctl-read (sysctl-name "hw.ncpu") (sysctl-name-prefix "kern.os"))
    /// ```
    ///
    /// ## Sources
    /// eugene1g/agent-safehouse#150, anthropics/claude-code#30697.
    BARE_SYSCTL_READ = "SBPL054" "bare-sysctl-read" { Breadth, Note, default: false, fix: No } bare_sysctl_read
}

declare_rule! {
    /// A pattern that every value matches: an empty prefix, an empty regex, `.*`.
    ///
    /// ## Why
    /// The filter looks as if it limited the rule and does not. It comes from a parameter or a list that was empty.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (regex #".*"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read*)
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §9 (special cases), §13.6.
    MATCHES_EVERYTHING = "SBPL055" "matches-everything" { Breadth, Warning, default: true, fix: No } matches_everything
}

declare_rule! {
    /// Programs that are executed outside of the sandbox, without saying which.
    ///
    /// ## Why
    /// `(with no-sandbox)` drops the sandbox for the executed program. Unless the rule names programs that do not take orders from
    /// their caller, that is the way out.
    ///
    /// ## Example
    /// ```scheme
    /// (allow process-exec (with no-sandbox))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow process-exec (literal "/usr/libexec/helper") (with no-sandbox))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §10.
    EXEC_WITHOUT_SANDBOX = "SBPL056" "exec-without-sandbox" { Breadth, Warning, default: true, fix: No } without_sandbox
}

/// The unfiltered allow rules that take effect by themselves.
fn bare_allows<'c, 'a>(context: &'c Context<'a>) -> impl Iterator<Item = &'c RuleForm<'a>> {
    let rules = context.index.rules.iter();
    rules.filter(|rule| rule.action == Action::Allow && rule.unfiltered() && rule.place != Place::MessageFilter)
}

fn allow_default(context: &Context<'_>, found: &mut Findings<'_>) {
    for rule in bare_allows(context).filter(|rule| rule.names(OpId::DEFAULT)) {
        found
            .at(rule.node, "everything that no rule denies is allowed")
            .help("Start from (deny default) and allow what is needed.");
    }
}

fn bare_mach_lookup(context: &Context<'_>, found: &mut Findings<'_>) {
    let operations: Vec<OpId> =
        ["mach*", "mach-lookup"].into_iter().filter_map(|name| context.operation(name)).collect();
    for rule in bare_allows(context) {
        if let Some(named) = rule.operations.iter().find(|named| named.id.is_some_and(|id| operations.contains(&id))) {
            found
                .at(named.node, "every Mach service may be looked up")
                .help("Name the services with `global-name`, `local-name` or `xpc-service-name`.");
        }
    }
}

fn write_everywhere(context: &Context<'_>, found: &mut Findings<'_>) {
    let operations: Vec<OpId> =
        ["file*", "file-write*", "file-write-data"].into_iter().filter_map(|name| context.operation(name)).collect();
    let everywhere = |rule: &RuleForm<'_>| {
        rule.unfiltered()
            || rule.filters.iter().any(|&filter| {
                context.tree.head(filter) == Some(b"subpath")
                    && context
                        .arguments(filter)
                        .any(|node| context.text(node).known().is_some_and(|path| *path == *b"/"))
            })
    };
    for rule in context.index.rules.iter().filter(|rule| rule.action == Action::Allow && !rule.with_filter) {
        let named = rule.operations.iter().find(|named| named.id.is_some_and(|id| operations.contains(&id)));
        if let Some(named) = named.filter(|_| everywhere(rule)) {
            found.at(named.node, "every file may be written").help("Name the directories with `subpath`.");
        }
    }
}

fn escaping(context: &Context<'_>, found: &mut Findings<'_>) {
    const NAMES: [&str; 6] = [
        "appleevent-send",
        "job-creation",
        "lsopen",
        "mach-priv-task-port",
        "mach-task-read",
        "process-exec-update-label",
    ];
    let operations: Vec<OpId> = NAMES.into_iter().filter_map(|name| context.operation(name)).collect();
    for rule in bare_allows(context) {
        for named in rule.operations.iter().filter(|named| named.id.is_some_and(|id| operations.contains(&id))) {
            let name = String::from_utf8_lossy(named.name);
            found.at(named.node, format!("`{name}` without a filter leads out of the sandbox")).help("Add a filter.");
        }
    }
}

fn bare_sysctl_read(context: &Context<'_>, found: &mut Findings<'_>) {
    let operations: Vec<OpId> =
        ["sysctl*", "sysctl-read"].into_iter().filter_map(|name| context.operation(name)).collect();
    for rule in bare_allows(context) {
        if let Some(named) = rule.operations.iter().find(|named| named.id.is_some_and(|id| operations.contains(&id))) {
            found
                .at(named.node, "every sysctl may be read, other processes' arguments included")
                .help("Name them with `sysctl-name` and `sysctl-name-prefix`.");
        }
    }
}

fn matches_everything(context: &Context<'_>, found: &mut Findings<'_>) {
    for call in context.index.calls.iter().filter(|call| !call.negated) {
        // The text of a filter that is narrowed by others may well be everything.
        // `(xpc-service-name-prefix "")` still tells names of XPC services from others.
        let name = context.target.filter_name(call.id);
        let single_kind = !matches!(&*name, "global-name" | "local-name" | "xpc-service-name");
        let alone = context
            .rule_of(call)
            .is_some_and(|rule| rule.filters.binary_search(&call.node).is_ok() && !rule.with_filter);
        for node in context.arguments(call.node).filter(|_| alone) {
            let text = context.text(node);
            let Some(bytes) = text.known() else { continue };
            let all = match call.form {
                FilterForm::Prefix => single_kind && (bytes.is_empty() || (call.name == b"prefix" && *bytes == *b"/")),
                FilterForm::Regex => {
                    matches!(&*bytes, b"" | b".*" | b"^" | b"$" | b"^.*" | b".*$" | b"^.*$" | b"^/" | b"/")
                }
                FilterForm::Exact | FilterForm::Subpath => false,
            };
            if all {
                found.at(node, "every value matches this").help("Leave the filter out when that is meant.");
            }
        }
    }
}

fn without_sandbox(context: &Context<'_>, found: &mut Findings<'_>) {
    for rule in bare_allows(context) {
        let drops = rule.modifiers.iter().find(|&&form| {
            let name = context.arguments(form).next().and_then(|name| context.tree.symbol(name));
            matches!(name, Some(b"no-sandbox" | b"no-profile"))
        });
        if let Some(&form) = drops {
            found.at(form, "every program may be run outside of the sandbox").help("Name the programs.");
        }
    }
}
