use super::{known, rewrite};
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings};
use crate::lint::rule::declare_rule;
use crate::pattern::regex::{self};

declare_rule! {
    /// `.*` at the end of a regex, or at its beginning.
    ///
    /// ## Why
    /// A regex is searched anywhere; `.*` at an end adds nothing but states.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-ioctl (regex #"^/dev/tty.*"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-ioctl (regex #"^/dev/tty"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.6.
    OPEN_REGEX_END = "SBPL020" "open-regex-end" { Style, Note, default: false, fix: Safe } open_end
}

fn open_end(context: &Context<'_>, found: &mut Findings<'_>) {
    for (node, _, bytes) in known(context) {
        let mut body = &bytes[..];
        if let Some(front) = body.strip_suffix(b".*$").or_else(|| body.strip_suffix(b".*"))
            && !front.ends_with(b"\\")
            && !front.is_empty()
        {
            body = front;
        }
        if let Some(tail) = body.strip_prefix(b"^.*").or_else(|| body.strip_prefix(b".*"))
            && !tail.is_empty()
            && !tail.starts_with(b"*")
        {
            body = tail;
        }
        // An alternative at an end or a lone anchor may need its neighbour.
        if body.len() == bytes.len()
            || body == b"^"
            || body == b"$"
            || bytes.contains(&b'|')
            || regex::parse(body).is_err()
        {
            continue;
        }
        let finding = found.at(node, "`.*` at the end of a regex adds nothing");
        finding.help("Remove it: a regex is searched anywhere.");
        if let Some(fix) = rewrite(context, node, body, Applicability::Safe) {
            finding.fix(fix);
        }
    }
}
