//! Comments that allow findings: `;; sbpl-lint: allow SBPL001 -- reason`.
//!
//! A comment behind code covers findings that start on its line; one on a line of its own covers the datum that follows;
//! `allow-file` covers the file. The reason is required: a comment without one suppresses nothing.

use std::collections::HashMap;

use super::config::Config;
use super::context::Context;
use super::finding::{Finding, Findings};
use super::rules::suppression::bad_suppression::BAD;
use super::rules::suppression::unused_suppression::UNUSED;
use crate::diag::Span;
use crate::syntax::{Token, TokenKind};

/// One code in one comment.
struct Suppression<'a> {
    comment: Span,
    code: &'a str,
    covers: Span,
    used: bool,
}

/// All suppressions, to be asked by place.
struct Suppressions<'a> {
    /// By the start of what they cover.
    list: Vec<Suppression<'a>>,
    /// For each, the farthest end of those up to it.
    farthest: Vec<u32>,
}

impl<'a> Suppressions<'a> {
    fn new(mut list: Vec<Suppression<'a>>) -> Self {
        list.sort_by_key(|suppression| suppression.covers.start);
        let mut end = 0;
        let farthest = list.iter().map(|suppression| {
            end = end.max(suppression.covers.end);
            end
        });
        Self { farthest: farthest.collect(), list }
    }

    /// True when some of them allow `finding`; they are then used.
    fn allow(&mut self, finding: &Finding) -> bool {
        let at = finding.span().start;
        let before = self.list.partition_point(|suppression| suppression.covers.start <= at);
        let mut allowed = false;
        for index in (0..before).rev().take_while(|&index| self.farthest[index] >= at) {
            let suppression = &mut self.list[index];
            let named = suppression.code == finding.rule.code.0 || suppression.code == finding.rule.name;
            if named && at <= suppression.covers.end {
                suppression.used = true;
                allowed = true;
            }
        }
        allowed
    }
}

const MARK: &str = "sbpl-lint:";

/// Takes out what comments allow and adds findings about the comments themselves.
pub(super) fn apply(context: &Context<'_>, config: &Config, findings: &mut Vec<Finding>) {
    if memchr::memmem::find(context.tree.text(), MARK.as_bytes()).is_none() {
        return;
    }
    let mut bad = Findings::new(&BAD, context);
    let mut suppressions = Suppressions::new(read(context, &mut bad));
    findings.retain(|finding| !suppressions.allow(finding));
    let mut unused = Findings::new(&UNUSED, context);
    for suppression in suppressions.list.iter().filter(|suppression| !suppression.used) {
        // A rule that is switched off finds nothing; that does not make the comment wrong.
        if super::rule(suppression.code).is_some_and(|rule| config.enabled(rule)) {
            let message = format!("nothing here for {} to allow", suppression.code);
            unused.at_span(suppression.comment, message).help("Remove the comment, or the code from it.");
        }
    }
    for (rule, found) in [(&BAD, bad), (&UNUSED, unused)] {
        if config.enabled(rule) {
            findings.append(&mut found.into_vec());
        }
    }
}

fn read<'a>(context: &Context<'a>, bad: &mut Findings<'_>) -> Vec<Suppression<'a>> {
    let tree = context.tree;
    let tokens = tree.tokens();
    let mut out = Vec::new();
    let mut spans = HashMap::new();
    // For each token, the first one behind it that is no white space and no comment.
    let mut following = vec![tokens.len(); tokens.len()];
    for index in (1..tokens.len()).rev() {
        following[index - 1] = if tokens[index].kind.is_trivia() { following[index] } else { index };
    }
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Comment) {
        let Ok(text) = std::str::from_utf8(tree.slice(token.span)) else { continue };
        let Some(rest) = text.trim_start_matches(';').trim_start().strip_prefix(MARK) else { continue };
        let (command, reason) = rest.split_once("--").unwrap_or((rest, ""));
        let mut words = command.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
        let covers = match words.next() {
            Some("allow") => covered(tree.text(), tokens, &following, index, &mut spans),
            Some("allow-file") => Span::new(0, u32::MAX),
            _ => {
                bad.at_span(token.span, "unknown word after `sbpl-lint:`")
                    .help("Write `allow CODE -- reason` or `allow-file CODE -- reason`.");
                continue;
            }
        };
        let codes: Vec<&str> = words.collect();
        if reason.trim().is_empty() || codes.is_empty() {
            let missing = if codes.is_empty() { "code" } else { "reason" };
            bad.at_span(token.span, format!("this comment allows nothing: it gives no {missing}"))
                .help("Write `;; sbpl-lint: allow SBPL001 -- reason`.");
            continue;
        }
        for code in codes {
            if super::rule(code).is_none() {
                bad.at_span(token.span, format!("there is no rule {code}"));
                continue;
            }
            out.push(Suppression { comment: token.span, code, covers, used: false });
        }
    }
    out
}

/// What the comment at `index` covers: its own line, or the datum after it when it is alone on its line. `following` gives the first
/// token of that; `spans` keeps the data that were looked at, since many comments may stand before one.
fn covered(text: &[u8], tokens: &[Token], following: &[usize], index: usize, spans: &mut HashMap<usize, Span>) -> Span {
    let comment = tokens[index].span;
    let line_start = memchr::memrchr(b'\n', &text[..comment.start as usize]).map_or(0, |at| at + 1);
    let alone = text[line_start..comment.start as usize].iter().all(u8::is_ascii_whitespace);
    if !alone {
        return Span::new(line_start as u32, comment.end);
    }
    match following.get(index) {
        Some(&first) if first < tokens.len() => *spans.entry(first).or_insert_with(|| datum(&tokens[first..])),
        _ => comment,
    }
}

/// The span of the datum that `tokens` start with.
fn datum(tokens: &[Token]) -> Span {
    let mut depth = 0u32;
    let mut span: Option<Span> = None;
    for token in tokens.iter().filter(|token| !token.kind.is_trivia()) {
        span = Some(span.map_or(token.span, |span| span.cover(token.span)));
        match token.kind {
            TokenKind::LParen | TokenKind::VectorOpen => depth += 1,
            TokenKind::RParen => depth = depth.saturating_sub(1),
            TokenKind::Quote(_) => continue,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    span.unwrap_or_default()
}
