use crate::lint::context::{Context, PathArgument};
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::lint::text::{is_raw, literal, shown};
use crate::vocab::FilterForm;

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

declare_rule! {
    /// A path that no file can have: relative, with `~`, or with `//`, `/./`, `/../` or a trailing slash in a `literal`.
    ///
    /// ## Why
    /// The compiler takes path strings as they are; the kernel compares them with absolute, resolved paths. There is no `~`, no
    /// current directory and no tidying up.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (subpath "~/project") (literal "/opt//tool") (literal "/usr/lib/"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read*
    ///   (subpath (string-append (param "HOME") "/project"))
    ///   (literal "/opt/tool")
    ///   (literal "/usr/lib"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.1.
    IMPOSSIBLE_PATH = "SBPL006" "impossible-path" { Paths, Error, default: true, fix: Unsafe } impossible
}

declare_rule! {
    /// A `subpath` that ends in a slash.
    ///
    /// ## Why
    /// Up to macOS 10.11 this was an error. Newer compilers accept it; whether it then matches like the path without the slash
    /// has not been measured. Without the slash there is no doubt.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (subpath "/private/var/protected/"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/private/var/protected"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §9 (special cases), §17.4.
    TRAILING_SLASH = "SBPL007" "trailing-slash" { Paths, Warning, default: true, fix: Unsafe } trailing_slash
}

declare_rule! {
    /// A `*` or `?` in a path that is not a regex.
    ///
    /// ## Why
    /// SBPL knows no glob patterns: `*` in a `literal`, `subpath` or `prefix` is that character, and files are rarely called so.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (literal "/private/var/db/store.archive*"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (prefix "/private/var/db/store.archive"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.1.
    GLOB_IN_PATH = "SBPL008" "glob-in-path" { Paths, Warning, default: true, fix: Unsafe } glob
}

declare_rule! {
    /// A placeholder that nothing fills in: `$HOME`, `$(VAR)`, `${VAR}`, `@VAR@`, `__VAR__`, `%s` in a path.
    ///
    /// ## Why
    /// SBPL expands nothing in strings, except `${HOME}`, `${FRONT_USER_HOME}`, `${ANY_UUID}` and values of entitlements when
    /// the compiler is told to. What is left over from a template is compared as text and never matches.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (subpath "$HOME/project") (literal "/Applications/${PRODUCT_NAME}.app"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath (string-append (param "HOME") "/project")))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.5, §16 cases 30 and 34.
    PLACEHOLDER = "SBPL009" "unexpanded-placeholder" { Paths, Warning, default: true, fix: No } placeholder
}

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

const TEXT_FORMS: [FilterForm; 3] = [FilterForm::Exact, FilterForm::Subpath, FilterForm::Prefix];

/// Replaces the first literal of an argument by `bytes`, when it is written in place.
fn rewrite(context: &Context<'_>, argument: &PathArgument<'_, '_>, bytes: &[u8], how: Applicability) -> Option<Fix> {
    let node = argument.text.head_node().filter(|_| !argument.text.indirect && argument.text.pieces.len() == 1)?;
    Some(Fix::replace(how, context.tree.span(node), literal(bytes, is_raw(context.tree, node))))
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

fn impossible(context: &Context<'_>, found: &mut Findings<'_>) {
    for argument in context.path_arguments(&TEXT_FORMS) {
        let Some(path) = argument.text.known() else {
            let head = argument.text.head();
            if !head.is_empty() && !head.starts_with(b"/") && !placeholders(head) {
                found.at(argument.node, "this path never matches: it is not absolute");
            }
            continue;
        };
        if path.is_empty() || placeholders(&path) {
            continue;
        }
        if path.starts_with(b"~") {
            found
                .at(argument.node, "this path never matches: `~` is not expanded")
                .help("Use (string-append (param \"HOME\") …) and pass the parameter.");
            continue;
        }
        if !path.starts_with(b"/") {
            found.at(argument.node, "this path never matches: it is not absolute");
            continue;
        }
        let body =
            if argument.call.form == FilterForm::Prefix { path.strip_suffix(b"/").unwrap_or(&path) } else { &path };
        let trailing = argument.call.form == FilterForm::Exact && path.len() > 1 && path.ends_with(b"/");
        let parts = body.get(1..).unwrap_or_default().split(|byte| *byte == b'/');
        let odd = body.len() > 1
            && parts.clone().enumerate().any(|(index, part)| match part {
                b"." | b".." => true,
                // The last one is empty when the path ends in a slash.
                b"" => index + 1 < parts.clone().count(),
                _ => false,
            });
        if !(odd || trailing) {
            continue;
        }
        let finding = found.at(argument.node, "this path never matches: resolved paths are not written so");
        match tidy(body) {
            Some(tidied) => {
                finding.help(format!("Write {}.", shown(&tidied)));
                if let Some(fix) = rewrite(context, &argument, &tidied, Applicability::Unsafe) {
                    finding.fix(fix);
                }
            }
            None => {
                finding.help("Write the path without `..`.");
            }
        }
    }
}

/// The path without empty parts and `.`; `None` when it has a `..`, which links can lead anywhere.
fn tidy(path: &[u8]) -> Option<Vec<u8>> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    (!parts.contains(&&b".."[..])).then(|| [b"/", &parts.join(&b'/')[..]].concat())
}

fn trailing_slash(context: &Context<'_>, found: &mut Findings<'_>) {
    for argument in context.path_arguments(&[FilterForm::Subpath]) {
        let Some(path) = argument.text.known() else { continue };
        let Some(end) = path.iter().rposition(|byte| *byte != b'/') else { continue };
        if end + 1 == path.len() {
            continue;
        }
        let finding = found.at(argument.node, "this subpath ends in a slash");
        finding.help("Write it without: then it surely holds the directory and everything below.");
        if let Some(fix) = rewrite(context, &argument, &path[..=end], Applicability::Unsafe) {
            finding.fix(fix);
        }
    }
}

fn glob(context: &Context<'_>, found: &mut Findings<'_>) {
    for argument in context.path_arguments(&TEXT_FORMS) {
        let Some(path) = argument.text.known() else { continue };
        // A path with regex signs is a regex in the wrong place (`regex-outside-regex`).
        if super::regex_place::looks_like_regex(&path) || !path.iter().any(|byte| matches!(byte, b'*' | b'?')) {
            continue;
        }
        let finding = found.at(argument.node, "`*` and `?` are plain characters here: this path hardly ever matches");
        let star_last = path.iter().position(|byte| matches!(byte, b'*' | b'?')) == Some(path.len() - 1);
        let name = context.tree.children(argument.call.node).next();
        match name.filter(|_| star_last && argument.call.form == FilterForm::Exact && argument.call.name == b"literal")
        {
            Some(name) if context.tree.children(argument.call.node).count() == 2 => {
                finding.help("Use `prefix` without the star.");
                if let Some(mut fix) = rewrite(context, &argument, &path[..path.len() - 1], Applicability::Unsafe) {
                    let edit = Fix::replace(Applicability::Unsafe, context.tree.span(name), "prefix").edits;
                    fix.edits.extend(edit);
                    finding.fix(fix);
                }
            }
            _ => {
                finding.help("Use `prefix`, `subpath` or `regex`.");
            }
        }
    }
}

fn placeholder(context: &Context<'_>, found: &mut Findings<'_>) {
    for argument in context.path_arguments(&TEXT_FORMS) {
        let Some(path) = argument.text.known() else { continue };
        if placeholders(&path) {
            found
                .at(argument.node, format!("nothing fills in the placeholder in {}", shown(&path)))
                .help("Use (param …) with string-append, or fill in the template before it is compiled.");
        }
    }
}

fn placeholders(path: &[u8]) -> bool {
    const EXPANDED: [&[u8]; 3] = [b"HOME", b"FRONT_USER_HOME", b"ANY_UUID"];
    let name_at = |text: &[u8]| text.iter().take(64).take_while(|b| b.is_ascii_uppercase() || **b == b'_').count();
    for (at, byte) in path.iter().enumerate() {
        let rest = &path[at + 1..];
        let found = match byte {
            b'$' => match rest.first() {
                Some(b'{') => {
                    let name = rest[1..].split(|b| *b == b'}').next().unwrap_or_default();
                    rest.contains(&b'}') && !EXPANDED.contains(&name) && !name.contains(&b':')
                }
                Some(b'(') => rest.contains(&b')'),
                _ => name_at(rest) >= 3,
            },
            b'@' => {
                let name = name_at(rest);
                name >= 2 && rest.get(name) == Some(&b'@')
            }
            b'_' => rest.strip_prefix(b"_").is_some_and(|rest| {
                let name = name_at(rest);
                name >= 4 && rest[..name].ends_with(b"__")
            }),
            b'%' => matches!(rest.first(), Some(b's' | b'@')),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
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
