use std::collections::HashMap;

use crate::lint::context::{Context, PathArgument};
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::lint::text::{is_raw, literal, shown};
use crate::vocab::{FilterForm, OpId};

declare_rule! {
    /// A path filter that can never match a file, because its path goes through one of the links `/tmp`, `/var`, `/etc`.
    ///
    /// ## Why
    /// The kernel compares the *resolved* path: a file opened as `/tmp/x` is seen as `/private/tmp/x`. The compiler does not
    /// translate paths, so the rule is silently dead. Only the link itself, `(literal "/tmp")`, is seen under its own name.
    ///
    /// A dead path that stands beside its live form is left alone here (`redundant-link-path`).
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-write* (subpath "/tmp/build"))
    /// (deny file-read* (literal "/etc/master.passwd"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-write* (subpath "/private/tmp/build"))
    /// (deny file-read* (literal "/private/etc/master.passwd"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.1; the mistake met most often in public projects, among them openai/codex#275,
    /// anthropic-experimental/sandbox-runtime#596, retrace#720.
    DEAD_PATH = "SBPL003" "dead-path" { Paths, Error, default: true, fix: Unsafe } dead_path
}

declare_rule! {
    /// A path through `/tmp`, `/var` or `/etc` beside its live form under `/private`.
    ///
    /// ## Why
    /// The first one never matches; only the one under `/private` does the work. Kept out of caution, it makes readers
    /// believe that both are needed.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (subpath "/tmp/build") (subpath "/private/tmp/build"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/private/tmp/build"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.1.
    REDUNDANT_LINK_PATH = "SBPL004" "redundant-link-path" { Style, Note, default: false, fix: No } redundant
}

const LINKS: [&[u8]; 3] = [b"/tmp", b"/var", b"/etc"];
const FORMS: [FilterForm; 4] = [FilterForm::Exact, FilterForm::Prefix, FilterForm::Subpath, FilterForm::Regex];

fn dead_path(context: &Context<'_>, found: &mut Findings<'_>) {
    let (dead, live) = split(context);
    for argument in dead.iter().filter(|argument| !has_twin(context, &live, argument)) {
        let path = argument.path();
        let message = format!("this path never matches: {} is a link", shown(path.get(..4).unwrap_or(path)));
        let finding = found.at(argument.node, message);
        finding.note(format!("the kernel sees /private{}", shown(path)));
        match argument.text.head_node().filter(|_| !argument.text.indirect) {
            Some(node) => {
                let head = argument.text.head();
                let at = head.len() - path.len();
                let fixed = [&head[..at], b"/private", path].concat();
                let text = literal(&fixed, is_raw(context.tree, node));
                finding.fix(Fix::replace(Applicability::Unsafe, context.tree.span(node), text));
            }
            None => {
                finding.help("Write the path under /private.");
            }
        }
    }
}

fn redundant(context: &Context<'_>, found: &mut Findings<'_>) {
    let (dead, live) = split(context);
    for argument in dead.iter().filter(|argument| has_twin(context, &live, argument)) {
        let message = "this path never matches; its form under /private, which is also here, does";
        found.at(argument.node, message).help("Remove it.");
    }
}

/// The live paths under `/private`, by form and known front.
type Live<'c, 'a> = HashMap<(FilterForm, Vec<u8>), Vec<PathArgument<'c, 'a>>>;

/// The arguments that only name something behind a link, and those that name something under `/private`.
fn split<'c, 'a>(context: &'c Context<'a>) -> (Vec<PathArgument<'c, 'a>>, Live<'c, 'a>) {
    let mut dead = Vec::new();
    let mut live = Live::new();
    // Longer ones are another rule's business.
    for argument in context.path_arguments(&FORMS).into_iter().filter(|argument| argument.path().len() <= 1024) {
        if is_dead(&argument) {
            dead.push(argument);
        } else if let Some(path) = argument.path().strip_prefix(b"/private") {
            live.entry((argument.call.form, path.to_vec())).or_default().push(argument);
        }
    }
    (dead, live)
}

fn is_dead(argument: &PathArgument<'_, '_>) -> bool {
    let path = argument.path();
    let Some(link) = LINKS.iter().find(|link| path.starts_with(link)) else { return false };
    match path.get(link.len()) {
        Some(b'/') => true,
        Some(_) => false,
        // The link alone is meant as such by `literal`, while `subpath` means what is behind it.
        None => argument.text.pieces.len() == 1 && argument.call.form == FilterForm::Subpath,
    }
}

/// True when a rule with the same action names the live path for one of the same operations; where no rule is known, when the
/// live path occurs at all.
fn has_twin(context: &Context<'_>, live: &Live<'_, '_>, argument: &PathArgument<'_, '_>) -> bool {
    let rule = context.rule_of(argument.call);
    let path = argument.path();
    let same = live.get(&(argument.call.form, path.to_vec()));
    // A subpath above it does as well.
    let slashes = (0..path.len()).filter(|&at| path[at] == b'/');
    let above = slashes.filter_map(|at| live.get(&(FilterForm::Subpath, path[..at].to_vec())));
    same.into_iter().chain(above).flatten().any(|twin| match (rule, context.rule_of(twin.call)) {
        (Some(one), Some(other)) => {
            let decides = |id: OpId| context.target.lineage(id).any(|up| other.names(up));
            twin.call.negated == argument.call.negated
                && one.action == other.action
                && (one.operations.is_empty() || one.operations.iter().filter_map(|named| named.id).any(decides))
        }
        _ => true,
    })
}
