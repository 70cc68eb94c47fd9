use std::collections::HashSet;

use crate::diag::Span;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::{Place, RuleForm};
use crate::lint::order::{PathTest, is_below, parents};
use crate::lint::rule::declare_rule;
use crate::vocab::{Action, FilterForm, OpId};

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

declare_rule! {
    /// A directory is opened for writing, while nothing may be asked about the directories above it.
    ///
    /// ## Why
    /// `realpath`, `getcwd`, `lstat` and many tools ask for the metadata of every directory on the way. Denied, they fail with
    /// EPERM, ENOENT or ENOTDIR in places far from the cause.
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow file-read* file-write* (subpath "/Users/me/project"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow file-read* file-write* (subpath "/Users/me/project"))
    /// (allow file-read-metadata (path-ancestors "/Users/me/project"))
    /// ```
    ///
    /// ## Sources
    /// jdx/mise#13039, nikvdp/cco#49, Gitlawb/zero#302; `spec/sbpl-language.md` §5 (`path-ancestors`).
    MISSING_ANCESTORS = "SBPL050" "missing-ancestors" { Robustness, Warning, default: true, fix: Unsafe } ancestors
}

declare_rule! {
    /// A denied path that can be moved away: a directory above it, or the path itself, may be renamed.
    ///
    /// ## Why
    /// A deny follows the path, not the file. Whoever may rename `/work/.git` moves `/work/.git/hooks` to a path that is not denied,
    /// changes it there, and moves it back.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file* (subpath "/private/work"))
    /// (deny file-write* (subpath "/private/work/.git/hooks"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file* (subpath "/private/work"))
    /// (deny file-write* (subpath "/private/work/.git/hooks"))
    /// (deny file-write-unlink (literal "/private/work/.git"))
    /// ```
    ///
    /// ## Sources
    /// anthropic-experimental/sandbox-runtime#8, #545; navikt/cplt#455; openai/codex#40565 (the over-correction: only the directories
    /// on the way need it).
    RENAME_ESCAPE = "SBPL051" "rename-escape" { Robustness, Warning, default: true, fix: Unsafe } rename
}

declare_rule! {
    /// A UNIX socket that is denied as a file and stays open for `connect`.
    ///
    /// ## Why
    /// Connecting to a socket asks `network-outbound` with the socket's path, not `file-read*` or `file-write*`. With
    /// `(allow network-outbound)` the denied Docker socket is a way out of the sandbox.
    ///
    /// ## Example
    /// ```scheme
    /// (allow network-outbound)
    /// (deny file-read* file-write* (literal "/private/var/run/docker.sock"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow network-outbound)
    /// (deny file-read* file-write* network-outbound (literal "/private/var/run/docker.sock"))
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §5 n (measured); eugene1g/agent-safehouse#139.
    SOCKET_STAYS_OPEN = "SBPL052" "socket-stays-open" { Robustness, Error, default: true, fix: Unsafe } socket
}

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

/// What a complete profile looks like: it denies by default, and no import may add to it.
fn closed(context: &Context<'_>) -> bool {
    context.index.lists("import").is_empty()
        && !context.index.lists("version").is_empty()
        && context.order.fallback(OpId::DEFAULT) == Some(Action::Deny)
        && context.index.rules.iter().any(|rule| rule.names(OpId::DEFAULT))
        // A rule that is made by a function, or whose operation is a variable, can be anything.
        && context.index.rules.iter().all(|rule| rule.place != Place::Unknown && !rule.operations.is_empty())
}

/// The rules that may allow `operation`.
fn allowing<'c, 'a>(
    context: &'c Context<'a>,
    operation: OpId,
) -> impl Iterator<Item = (usize, &'c RuleForm<'a>)> + use<'c, 'a> {
    context.index.rules.iter().enumerate().filter(move |(_, rule)| {
        rule.action == Action::Allow && context.target.lineage(operation).any(|up| rule.names(up))
    })
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

fn ancestors(context: &Context<'_>, found: &mut Findings<'_>) {
    let (Some(write), Some(look)) = (context.operation("file-write-data"), context.operation("file-read-metadata"))
    else {
        return;
    };
    if !closed(context) {
        return;
    }
    for (at, rule) in allowing(context, write) {
        for test in context.order.condition(at).paths.iter().filter(|test| test.form == FilterForm::Subpath) {
            // Devices are not walked to, and what is above a parameter is not known here.
            if is_below(&test.path, b"/dev") {
                continue;
            }
            let hidden: Vec<&[u8]> =
                parents(&test.path).filter(|up| !up.is_empty() && !context.order.may_allow(look, up)).collect();
            let Some(nearest) = hidden.first() else { continue };
            let finding = found.at(
                test.node,
                format!("nothing may be asked about {}, which is on the way", test.shown(nearest.len())),
            );
            finding.help("Allow file-read-metadata for (path-ancestors …) of this path.");
            if context.tree.parent(rule.node).is_none() && rule.place == Place::Sure {
                let end = Span::point(context.tree.span(rule.node).end);
                let path = String::from_utf8_lossy(context.tree.source(test.node)).into_owned();
                let text = format!("\n(allow file-read-metadata (path-ancestors {path}))");
                finding.fix(Fix::replace(Applicability::Unsafe, end, text));
            }
            // The same advice again and again helps nobody.
            return;
        }
    }
}

/// Directories whose entries only the system makes; they cannot be renamed by those whom a profile is for.
fn is_fixed(path: &[u8]) -> bool {
    const PARENTS: [&[u8]; 9] =
        [b"", b"/users", b"/private", b"/private/var", b"/private/etc", b"/usr", b"/system", b"/library", b"/volumes"];
    let parent = memchr::memrchr(b'/', path).map_or(&b""[..], |at| &path[..at]);
    PARENTS.iter().any(|fixed| fixed.eq_ignore_ascii_case(parent))
}

fn rename(context: &Context<'_>, found: &mut Findings<'_>) {
    let (Some(unlink), Some(create)) = (context.operation("file-write-unlink"), context.operation("file-write-create"))
    else {
        return;
    };
    let mut said: HashSet<Vec<u8>> = HashSet::new();
    let file = |id: OpId| context.target.operation(id).name.starts_with("file");
    for (at, rule, condition) in context.rules().filter(|(_, rule, _)| rule.action == Action::Deny) {
        let protects = rule.operations.iter().filter_map(|named| named.id).any(file);
        if !protects || matches!(rule.place, Place::Unknown | Place::MessageFilter) {
            continue;
        }
        for test in condition.paths.iter().filter(|test| test.form != FilterForm::Prefix) {
            let Some(movable) = movable(context, unlink, create, test) else { continue };
            // One deny on the directory closes it for everything below.
            if !said.insert(movable.clone()) {
                continue;
            }
            let finding =
                found.at(test.node, format!("this can be got round: {} may be renamed", test.shown(movable.len())));
            finding.help("Deny file-write-unlink for it, after the rule that allows writing.");
            let text = test.shown(movable.len());
            // A later rule on the operation would win over the one that the fix adds.
            let last = context.order.filtered(unlink).last().is_none_or(|&last| last <= at);
            if last && !movable.contains(&0) && context.tree.parent(rule.node).is_none() {
                let end = Span::point(context.tree.span(rule.node).end);
                let text = format!("\n(deny file-write-unlink (literal \"{text}\"))");
                finding.fix(Fix::replace(Applicability::Unsafe, end, text));
            }
        }
    }
}

/// The path itself or the nearest directory above it that surely may be renamed.
fn movable(context: &Context<'_>, unlink: OpId, create: OpId, test: &PathTest) -> Option<Vec<u8>> {
    let candidates = std::iter::once(&test.path[..]).chain(parents(&test.path));
    candidates
        .filter(|path| path.len() > 1 && !is_fixed(path) && path.last() != Some(&0))
        .find(|path| {
            // The new name stands beside the old one.
            let beside = [path, &b".sbpl-moved"[..]].concat();
            let allowed = |operation, path: &[u8]| context.order.decide(operation, path) == Some(Action::Allow);
            allowed(unlink, path) && allowed(create, &beside)
        })
        .map(<[u8]>::to_vec)
}

fn socket(context: &Context<'_>, found: &mut Findings<'_>) {
    const ENDINGS: [&[u8]; 4] = [b".sock", b".socket", b".sock.raw", b"/mdnsresponder"];
    let Some(outbound) = context.operation("network-outbound") else { return };
    for (_, rule, condition) in context.rules().filter(|(_, rule, _)| rule.action == Action::Deny) {
        let file = rule.operations.iter().find(|named| named.name.starts_with(b"file"));
        let named = rule.names(outbound) || matches!(rule.place, Place::Unknown | Place::MessageFilter);
        let Some(file) = file.filter(|_| !named) else { continue };
        let open: Vec<&PathTest> = condition
            .paths
            .iter()
            .filter(|test| test.form == FilterForm::Exact)
            .filter(|test| ENDINGS.iter().any(|ending| test.path.ends_with(ending)))
            .filter(|test| context.order.decide(outbound, &test.path) == Some(Action::Allow))
            .collect();
        // A path that never matches a file is another rule's business.
        let dead =
            |test: &&&PathTest| ["/var/", "/tmp/", "/etc/"].iter().any(|link| test.path.starts_with(link.as_bytes()));
        let Some(test) = open.iter().find(|test| !dead(test)) else { continue };
        let finding = found.at(test.node, "this socket can still be connected to");
        finding.note("connecting asks network-outbound, not file-read* or file-write*");
        finding.help("Name network-outbound in the deny as well.");
        let end = Span::point(context.tree.span(file.node).end);
        finding.fix(Fix::replace(Applicability::Unsafe, end, " network-outbound"));
    }
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
