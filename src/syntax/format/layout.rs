//! Where lines break.

use super::forms::{Shape, Stay, call_shape};
use super::gap::Gap;
use super::measure::{Measures, has_break};
use super::out::Out;
use super::{Style, shown};
use crate::syntax::lex::Lexer;
use crate::syntax::token::{AtomKind, QuoteKind, Token, TokenKind};
use crate::syntax::tree::{NodeId, NodeKind, Siblings, Tree};

/// Empty lines that are kept between two forms, and inside a form.
const BLANK_LINES: (usize, usize) = (2, 1);

/// The whole text.
pub(super) fn file(tree: &Tree, style: Style) -> Vec<u8> {
    let mut layout = Layout {
        tree,
        width: usize::from(style.width),
        measures: Measures::new(tree),
        out: Out::with_capacity(tree.text().len() + tree.text().len() / 8),
        gap: Gap::default(),
    };
    let mut last = 0;
    for root in tree.roots() {
        let tokens = tree.token_range(root);
        layout.between_forms(last..tokens.start, true);
        let start = layout.out.len();
        layout.form(root);
        if !layout.kept(root, start) {
            layout.out.truncate(start);
            layout.out.text(tree.source(root));
        }
        last = tokens.end;
    }
    layout.between_forms(last..tree.tokens().len(), false);
    layout.out.into_bytes()
}

/// A list whose elements are being written.
struct Frame<'a> {
    node: NodeId,
    children: Siblings<'a>,
    /// Elements written so far.
    written: usize,
    /// One past the last token written.
    last: usize,
    shape: Shape,
    /// Column of the parenthesis, and of elements on lines of their own.
    open: usize,
    inner: usize,
    /// True while elements may follow on the first line.
    on_first_line: bool,
    /// For [`Shape::Data`]: the author broke it nowhere, so it breaks everywhere.
    break_all: bool,
    /// Inside `'`.
    quoted: bool,
}

struct Layout<'a> {
    tree: &'a Tree,
    width: usize,
    measures: Measures,
    out: Out,
    gap: Gap,
}

impl<'a> Layout<'a> {
    /// Comments and empty lines before a form, or at the end of the text.
    fn between_forms(&mut self, range: std::ops::Range<usize>, form_follows: bool) {
        self.gap.read(self.tree, range);
        for comment in std::mem::take(&mut self.gap.comments) {
            self.own_comment(comment.token, comment.newlines, 0, BLANK_LINES.0);
        }
        if form_follows {
            self.start_line(self.gap.newlines, 0, BLANK_LINES.0);
        } else if self.out.len() > 0 {
            self.out.newline(0);
        }
    }

    /// Goes to the start of a new line, `newlines` line ends after what is there. Stays where it is at the very start.
    fn start_line(&mut self, newlines: usize, indent: usize, most_blank: usize) {
        if self.out.len() == 0 {
            return;
        }
        for _ in 0..newlines.saturating_sub(1).min(most_blank) {
            self.out.blank_line();
        }
        self.out.newline(indent);
    }

    fn own_comment(&mut self, token: Token, newlines: usize, indent: usize, most_blank: usize) {
        if newlines == 0 && self.out.len() > 0 {
            self.out.text(b" ");
        } else {
            self.start_line(newlines, indent, most_blank);
        }
        self.out.text(shown(token.kind, self.tree.slice(token.span)));
    }

    /// True when what was written from `start` on has the tokens of `form`.
    fn kept(&self, form: NodeId, start: usize) -> bool {
        let source = self.tree.tokens().get(self.tree.token_range(form)).unwrap_or_default();
        let mut source = source.iter().filter(|token| token.kind != TokenKind::Whitespace);
        let text = self.out.since(start);
        let same = Lexer::new(text).filter(|token| token.kind != TokenKind::Whitespace).all(|after| {
            let now = text.get(after.span.range()).unwrap_or_default();
            source.next().is_some_and(|before| {
                before.kind == after.kind && shown(before.kind, self.tree.slice(before.span)) == shown(after.kind, now)
            })
        });
        same && source.next().is_none()
    }

    /// Writes one top-level datum.
    fn form(&mut self, root: NodeId) {
        let start = self.out.len();
        // Indentation of hostile nesting grows with the square of the text; such a form is left as it is.
        let most = 4096 + 16 * self.tree.span(root).len() as usize;
        let mut stack: Vec<Frame<'a>> = Vec::new();
        stack.extend(self.datum(root, false));
        while let Some(mut frame) = stack.pop() {
            if self.out.since(start).len() > most {
                return;
            }
            match frame.children.next() {
                Some(child) => {
                    self.before_element(&mut frame, child);
                    let inner = self.datum(child, frame.quoted);
                    frame.written += 1;
                    frame.last = self.tree.token_range(child).end;
                    stack.push(frame);
                    stack.extend(inner);
                }
                None => self.close(&frame),
            }
        }
    }

    /// Writes a datum, or the front of a list that has to be broken: then its elements are still to be written.
    fn datum(&mut self, mut node: NodeId, mut quoted: bool) -> Option<Frame<'a>> {
        while let NodeKind::Quoted(kind) = self.tree.kind(node) {
            self.out.text(kind.mark().as_bytes());
            quoted = kind == QuoteKind::Quote || quoted && kind == QuoteKind::Quasiquote;
            node = self.tree.children(node).next()?;
        }
        if !matches!(self.tree.kind(node), NodeKind::List | NodeKind::DottedList | NodeKind::Vector) {
            self.out.text(self.tree.source(node));
            return None;
        }
        if self.fits(node) {
            self.flat(node);
            return None;
        }
        Some(self.open(node, quoted))
    }

    /// True when a list is whole on the rest of the line, with the parentheses that close right after it.
    fn fits(&self, node: NodeId) -> bool {
        if self.measures.broken(node) {
            return false;
        }
        let room = self.width.saturating_sub(self.out.column());
        let width = self.measures.width(node);
        width <= room && width + self.closing_after(node, room - width) <= room
    }

    /// Closing parentheses that will follow `node` without a space; counts no further than `enough` + 1.
    fn closing_after(&self, node: NodeId, enough: usize) -> usize {
        let after = self.tree.tokens().get(self.tree.token_range(node).end..).unwrap_or_default();
        let closing = after.iter().filter(|token| token.kind != TokenKind::Whitespace);
        closing.take_while(|token| token.kind == TokenKind::RParen).take(enough + 1).count()
    }

    /// Writes a list on one line.
    fn flat(&mut self, node: NodeId) {
        let tokens = self.tree.tokens().get(self.tree.token_range(node)).unwrap_or_default();
        let mut glued = true;
        for token in tokens.iter().filter(|token| !token.kind.is_trivia()) {
            if !glued && token.kind != TokenKind::RParen {
                self.out.text(b" ");
            }
            self.out.text(self.tree.slice(token.span));
            glued = matches!(token.kind, TokenKind::LParen | TokenKind::VectorOpen | TokenKind::Quote(_));
        }
    }

    fn open(&mut self, node: NodeId, quoted: bool) -> Frame<'a> {
        let open = self.out.column();
        let tokens = self.tree.token_range(node);
        let mark: &[u8] = if self.tree.kind(node) == NodeKind::Vector { b"#(" } else { b"(" };
        self.out.text(mark);
        let shape = self.shape(node, quoted);
        let inner = match shape {
            Shape::Call { indent, .. } => open + indent,
            Shape::Column | Shape::Data => open + mark.len(),
        };
        Frame {
            node,
            children: self.tree.children(node),
            written: 0,
            last: tokens.start + 1,
            shape,
            open,
            inner,
            on_first_line: true,
            break_all: shape == Shape::Data && !self.broken_by_author(node),
            quoted,
        }
    }

    fn shape(&self, node: NodeId, quoted: bool) -> Shape {
        if quoted {
            return Shape::Data;
        }
        let mut children = self.tree.children(node);
        let first = children.next();
        let comment_first = first.is_some_and(|first| {
            let gap = self.tree.token_range(node).start + 1..self.tree.token_range(first).start;
            self.tree.tokens().get(gap).unwrap_or_default().iter().any(|token| token.kind.is_comment())
        });
        match first.and_then(|first| self.tree.symbol(first)) {
            Some(name) if self.tree.kind(node) != NodeKind::Vector && !comment_first => {
                call_shape(name, children.next().is_some_and(|second| self.tree.symbol(second).is_some()))
            }
            _ => Shape::Column,
        }
    }

    fn broken_by_author(&self, node: NodeId) -> bool {
        let mut end = None;
        self.tree.children(node).any(|child| {
            let tokens = self.tree.token_range(child);
            end.replace(tokens.end).is_some_and(|end| has_break(self.tree, end..tokens.start))
        })
    }

    /// What stands between an element and the one before it, or the parenthesis.
    fn before_element(&mut self, frame: &mut Frame<'a>, child: NodeId) {
        let range = frame.last..self.tree.token_range(child).start;
        let dotted = self.tree.tokens().get(range.clone()).unwrap_or_default().iter().any(|t| t.kind == TokenKind::Dot);
        self.gap.read(self.tree, range);
        let comments = std::mem::take(&mut self.gap.comments);
        for comment in &comments {
            // Right after the parenthesis there is no line to begin.
            let newlines = if frame.written == 0 { comment.newlines.min(1) } else { comment.newlines };
            self.own_comment(comment.token, newlines, frame.inner, BLANK_LINES.1);
        }
        let commented = !comments.is_empty();
        self.gap.comments = comments;
        if commented || frame.written > 0 && self.breaks_before(frame, child) {
            frame.on_first_line = false;
            let newlines = if frame.written == 0 { 1 } else { self.gap.newlines };
            self.start_line(newlines, frame.inner, BLANK_LINES.1);
        } else if frame.written > 0 {
            self.out.text(b" ");
        }
        if dotted {
            self.out.text(b". ");
        }
    }

    /// True when `child`, not the first element, starts a line. The gap before it was read.
    fn breaks_before(&self, frame: &Frame<'a>, child: NodeId) -> bool {
        match frame.shape {
            Shape::Column => true,
            Shape::Data => frame.break_all || self.gap.breaks(),
            Shape::Call { first_line, .. } if frame.on_first_line && frame.written <= first_line => false,
            Shape::Call { stay, .. } => !frame.on_first_line || self.gap.breaks() || !self.stays(child, stay),
        }
    }

    /// True when `child`, which the author wrote on the first line of a broken call, stays there.
    fn stays(&self, child: NodeId, stay: Stay) -> bool {
        let is_kind = match self.tree.kind(child) {
            NodeKind::Atom(AtomKind::Symbol) => stay != Stay::None,
            NodeKind::List => stay == Stay::SymbolsAndModifiers && self.tree.head(child) == Some(b"with"),
            _ => false,
        };
        let width = self.measures.width(child);
        is_kind && !self.measures.broken(child) && self.out.column() + 1 + width <= self.width
    }

    /// The closing parenthesis; after a comment it stands on a line of its own.
    fn close(&mut self, frame: &Frame<'a>) {
        let end = self.tree.token_range(frame.node).end;
        self.gap.read(self.tree, frame.last..end.saturating_sub(1));
        let comments = std::mem::take(&mut self.gap.comments);
        for comment in &comments {
            self.own_comment(comment.token, comment.newlines, frame.inner, BLANK_LINES.1);
        }
        if !comments.is_empty() {
            self.out.newline(frame.open);
        }
        self.gap.comments = comments;
        self.out.text(b")");
    }
}
