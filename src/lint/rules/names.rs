use std::collections::HashSet;

use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::index::{Place, RuleForm, ancestors};
use crate::lint::rule::declare_rule;
use crate::syntax::NodeId;
use crate::vocab::{self, Action, FilterId, OpId, Spelling};

declare_rule! {
    /// An operation or filter that the target does not have.
    ///
    /// ## Why
    /// An unknown name is `unbound variable`, and the whole profile is lost, not the one rule. Names come and go between
    /// systems: `iokit-open` ended with macOS 10.15 in versions 2 and 3, `syscall-mach` came with 11.
    ///
    /// Names that the file defines, that are tested with `defined?`, or that an import may define are left alone, except when
    /// another system has them.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-raed* (subpath "/usr"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/usr"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §8, §9, §14; ZaxbyHub/opencode-swarm#2590.
    UNKNOWN_NAME = "SBPL021" "unknown-name" { Names, Error, default: true, fix: No } unknown
}

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

declare_rule! {
    /// An operation written in an old spelling.
    ///
    /// ## Why
    /// Old spellings are aliases that later versions drop: version 3 does not know `file-write-mount`, versions 2 and 3 do not know
    /// `iokit-open`. For `iokit-open` the compiler itself warns.
    ///
    /// ## Example
    /// ```scheme
    /// (allow iokit-open (iokit-user-client-class "RootDomainUserClient"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow iokit-open-user-client (iokit-user-client-class "RootDomainUserClient"))
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §1.3.
    OLD_SPELLING = "SBPL023" "old-spelling" { Names, Note, default: false, fix: Safe } old_spelling
}

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

declare_rule! {
    /// A filter that an operation of the rule does not accept.
    ///
    /// ## Why
    /// `T filter does not apply to O operation` loses the whole profile, and the compiler stops at the first. This rule shows
    /// them all.
    ///
    /// ## Example
    /// ```scheme
    /// (allow mach-lookup (literal "/private/var/run/service"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow mach-lookup (global-name "com.example.service"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §6.4, §8 (categories).
    FILTER_MISMATCH = "SBPL025" "filter-does-not-apply" { Names, Error, default: true, fix: No } filter_mismatch
}

declare_rule! {
    /// A modifier on the wrong action, such as `report` on a deny or `no-log` on an allow.
    ///
    /// ## Why
    /// `M modifier does not apply to A action` loses the whole profile.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-write* (with report))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny file-write*)
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §10 (the modifier error seen most often).
    MODIFIER_MISMATCH = "SBPL026" "modifier-does-not-apply" { Names, Error, default: true, fix: No } modifier_mismatch
}

/// Unknown names for which a known one is looked for; more of them are not typing mistakes.
const MOST_GUESSES: usize = 100;

fn unknown(context: &Context<'_>, found: &mut Findings<'_>) {
    let tree = context.tree;
    let imports = !context.index.lists("import").is_empty() || !context.index.lists("load").is_empty();
    let questions = context.index.lists("defined?").iter().flat_map(|&form| tree.subtree(form));
    let asked: HashSet<&[u8]> = questions.filter_map(|node| tree.symbol(node)).collect();
    let mut guesses = MOST_GUESSES;
    for rule in context.index.rules.iter().filter(|rule| rule.place != Place::Unknown && !rule.broken) {
        for &node in &rule.opaque {
            let (name, filter) = match (tree.symbol(node), tree.head(node)) {
                (Some(name), _) => (name, false),
                (None, Some(name)) => (name, true),
                _ => continue,
            };
            if context.index.binds(name) || context.names.contains_key(name) || is_language(name) {
                continue;
            }
            if tested(context, &asked, node, name) {
                continue;
            }
            let Ok(name) = std::str::from_utf8(name) else { continue };
            let elsewhere = systems_with(name, context.version);
            let close = (guesses > 0).then(|| nearest(context, name, filter)).flatten();
            guesses = guesses.saturating_sub(1);
            if elsewhere.is_empty() && close.is_none() && (imports || filter) {
                continue;
            }
            // A fragment may rely on names of the file that holds it.
            if elsewhere.is_empty() && close.is_none() && context.index.lists("version").is_empty() {
                continue;
            }
            let what = if filter { "filter" } else { "operation" };
            let place = if filter { tree.children(node).next().unwrap_or(node) } else { node };
            let system = context.target.name();
            let finding = found.at(place, format!("{system} has no {what} `{name}` in version {}", context.version));
            if let (Some(first), Some(last)) = (elsewhere.first(), elsewhere.last()) {
                finding.note(format!("systems that have it: {first} to {last}"));
                finding.help(format!("Guard it: (if (defined? '{name}) …)."));
            } else if let Some(close) = close {
                finding.help(format!("Did you mean `{close}`?"));
            }
        }
    }
}

/// Names that are no operations or filters and may still stand in a rule.
fn is_language(name: &[u8]) -> bool {
    const LANGUAGE: [&[u8]; 18] = [
        b"if",
        b"when",
        b"unless",
        b"cond",
        b"case",
        b"and",
        b"or",
        b"let",
        b"let*",
        b"letrec",
        b"apply",
        b"map",
        b"begin",
        b"quote",
        b"list",
        b"entitlement-value",
        b"entitlement-value-regex",
        b"extension",
    ];
    LANGUAGE.contains(&name) || name.starts_with(b"require-") || name.starts_with(b"%")
}

/// True when a form around `node` is a test, and the file asks `(defined? 'name)` somewhere.
fn tested(context: &Context<'_>, asked: &HashSet<&[u8]>, node: NodeId, name: &[u8]) -> bool {
    asked.contains(name)
        && ancestors(context.tree, node)
            .any(|up| matches!(context.tree.head(up), Some(b"if" | b"when" | b"unless" | b"cond" | b"and" | b"or")))
}

/// The systems that know `name` in `version`, oldest first.
fn systems_with(name: &str, version: u8) -> Vec<&'static str> {
    vocab::target_names()
        .filter(|target| {
            vocab::target(target)
                .is_ok_and(|target| crate::lint::names::names(target, version).contains_key(name.as_bytes()))
        })
        .collect()
}

/// The known name that is at most two typing mistakes away.
fn nearest(context: &Context<'_>, name: &str, filter: bool) -> Option<String> {
    if !(5..=64).contains(&name.len()) {
        return None;
    }
    let known = context.names.iter().filter(|(_, spelling)| matches!(spelling, Spelling::Filter { .. }) == filter);
    known
        .filter(|(known, _)| known.len().abs_diff(name.len()) <= 2)
        .map(|(known, _)| (distance(known, name.as_bytes()), known))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, known)| String::from_utf8_lossy(known).into_owned())
}

/// Levenshtein distance; names are short.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let change = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
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

fn old_spelling(context: &Context<'_>, found: &mut Findings<'_>) {
    use crate::lint::finding::{Applicability, Fix};
    for rule in &context.index.rules {
        for named in &rule.operations {
            let Some(id) = named.id else { continue };
            let proper = context.target.operation(id).name;
            if proper.as_bytes() == named.name || matches!(named.name, b"sysctl-write" | b"process-exec") {
                continue;
            }
            let name = String::from_utf8_lossy(named.name);
            let message = if named.obsolete {
                format!("sandbox operation \"{name}\" is obsolete; replace with \"{proper}\"")
            } else {
                format!("`{name}` is an old spelling of `{proper}`")
            };
            found.at(named.node, message).help(format!("Write `{proper}`.")).fix(Fix::replace(
                Applicability::Safe,
                context.tree.span(named.node),
                proper,
            ));
        }
    }
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

fn filter_mismatch(context: &Context<'_>, found: &mut Findings<'_>) {
    for call in &context.index.calls {
        let Some(rule) = context.rule_of(call) else { continue };
        if rule.place == Place::MessageFilter {
            continue;
        }
        let refusing = rule.operations.iter().find(|named| {
            named.id.is_some_and(|id| {
                let operation = context.target.operation(id);
                !operation.categories.is_empty() && !accepted(context, id, call.id)
            })
        });
        let Some(named) = refusing else { continue };
        let operation = String::from_utf8_lossy(named.name);
        let category = context.target.filter(call.id).map_or("", |info| info.category);
        found
            .at(call.node, format!("{category} filter does not apply to {operation} operation"))
            .label(context.location(named.node), "this operation");
    }
}

/// True when `operation` or one below it takes the filter; profiles use wildcards with the filters of their members. A category
/// that the tables give no operation is one that they do not know enough about.
fn accepted(context: &Context<'_>, operation: OpId, filter: FilterId) -> bool {
    let target = context.target;
    let Some(category) = target.filter(filter).map(|info| info.category) else { return true };
    target.accepts(operation, filter)
        || target.descendants(operation).any(|below| target.accepts(below, filter))
        || !target.operations().iter().any(|operation| operation.categories.contains(&category))
}

fn modifier_mismatch(context: &Context<'_>, found: &mut Findings<'_>) {
    for rule in &context.index.rules {
        for &form in &rule.modifiers {
            if context.tree.head(form) != Some(b"with") {
                continue;
            }
            let Some(name) = context.arguments(form).next().and_then(|name| context.tree.symbol(name)) else {
                continue;
            };
            let Some(Spelling::Modifier(id)) = context.spelling(name) else { continue };
            let Some(info) = context.target.modifier(id) else { continue };
            if !info.actions.contains(&rule.action) {
                let action = rule.action;
                let message = format!("{} modifier does not apply to {action} action", info.name);
                found.at(form, message).help("Remove the modifier.");
            }
        }
    }
}
