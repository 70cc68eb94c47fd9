//! Tokens to tree, with recovery.

use std::sync::Arc;

use super::Span;
use super::error::{SyntaxError, SyntaxErrorKind};
use super::hint;
use super::lex::Lexer;
use super::token::{LexError, QuoteKind, Token, TokenKind};
use super::tree::{NO_PARENT, Node, NodeKind, Tree};

/// How much of a text is read. Whatever the text, memory is at most its size plus 12 bytes a token and 20 bytes a node,
/// and there are no more nodes than tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxLimits {
    /// Bytes of a text; a larger one is refused unread.
    pub max_bytes: u32,
    /// Tokens of a text; what comes after them is left unread.
    pub max_tokens: u32,
    /// Lists and quote marks inside each other. A list deeper than this becomes one [`NodeKind::Error`] node, so
    /// whoever walks a tree by recursion needs at most this many frames. The deepest shipped profile nests 12 deep.
    pub max_depth: u32,
    /// Errors that are kept; the last says how many more there were.
    pub max_errors: u32,
}

impl SyntaxLimits {
    /// What [`Default`] gives, for use in constants.
    pub const DEFAULT: Self = Self { max_bytes: 64 << 20, max_tokens: 16 << 20, max_depth: 1000, max_errors: 100 };

    /// The greatest depth that can be asked for; a larger `max_depth` counts as this. What recurses over a tree of this
    /// depth fits the 8 MiB stack of a main thread with 2 KiB a level.
    pub const DEEPEST: u32 = 4000;
}

impl Default for SyntaxLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What reading a text gave.
#[derive(Debug, Clone)]
pub struct Parse {
    /// The tree, whatever the text.
    pub tree: Tree,
    /// All errors in the order of the text; empty for a text that can be evaluated.
    pub errors: Vec<SyntaxError>,
}

/// Reads a text. Never fails: see [`Parse::errors`].
pub fn parse(text: impl Into<Arc<[u8]>>, limits: &SyntaxLimits) -> Parse {
    let text = text.into();
    let limits = SyntaxLimits { max_depth: limits.max_depth.min(SyntaxLimits::DEEPEST), ..*limits };
    let mut builder = Builder::new(limits);
    if text.len() > limits.max_bytes as usize {
        let span = Span::new(0, u32::try_from(text.len()).unwrap_or(u32::MAX));
        builder.tokens.push(Token { kind: TokenKind::Error(LexError::Unread), span });
        builder.error(SyntaxErrorKind::TooLarge { size: text.len() as u64, limit: limits.max_bytes }, Span::point(0));
    } else {
        builder.read(&text);
    }
    let Builder { tokens, nodes, mut errors, unkept, .. } = builder;
    errors.sort_by_key(|error| error.span.start);
    if unkept > 0 {
        let span = Span::point(text.len() as u32);
        errors.push(SyntaxError { kind: SyntaxErrorKind::TooManyErrors { more: unkept }, span });
    }
    Parse { tree: Tree { text, tokens, nodes }, errors }
}

/// Where a list is with respect to its `.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// No dot yet.
    None,
    /// The dot was read, its datum not.
    Wanted,
    /// The datum after the dot was read.
    Read,
    /// An error about the dot was reported; no further ones in this list.
    Reported,
}

/// An open list, vector or quote.
#[derive(Debug, Clone, Copy)]
struct Frame {
    node: u32,
    children: u32,
    tail: Tail,
    quote: Option<QuoteKind>,
}

struct Builder {
    limits: SyntaxLimits,
    tokens: Vec<Token>,
    nodes: Vec<Node>,
    stack: Vec<Frame>,
    errors: Vec<SyntaxError>,
    unkept: u64,
    too_deep: bool,
    /// Open parentheses inside a list that is too deep.
    skipped: u32,
    /// The last token that is not white space or comment.
    last_token: u32,
}

impl Builder {
    fn new(limits: SyntaxLimits) -> Self {
        Self {
            limits,
            tokens: Vec::new(),
            nodes: Vec::new(),
            stack: Vec::new(),
            errors: Vec::new(),
            unkept: 0,
            too_deep: false,
            skipped: 0,
            last_token: 0,
        }
    }

    fn error(&mut self, kind: SyntaxErrorKind, span: Span) {
        if self.errors.len() < self.limits.max_errors as usize {
            self.errors.push(SyntaxError { kind, span });
        } else {
            self.unkept += 1;
        }
    }

    fn read(&mut self, text: &[u8]) {
        // A shipped profile has 5 to 6 bytes a token and 2.6 tokens a node.
        let guess = (text.len() / 5).min(self.limits.max_tokens as usize);
        self.tokens.reserve(guess);
        self.nodes.reserve(guess / 2);
        let end = text.len() as u32;
        for token in Lexer::new(text) {
            if self.tokens.len() >= self.limits.max_tokens as usize {
                let rest = Span::new(token.span.start, end);
                self.error(SyntaxErrorKind::TooManyTokens { limit: self.limits.max_tokens }, Span::point(rest.start));
                self.tokens.push(Token { kind: TokenKind::Error(LexError::Unread), span: rest });
                break;
            }
            let index = self.tokens.len() as u32;
            self.tokens.push(token);
            if !token.kind.is_trivia() {
                self.accept(text, token, index);
                self.last_token = index;
            }
        }
        self.finish(text);
    }

    #[inline]
    fn accept(&mut self, text: &[u8], token: Token, index: u32) {
        if self.skipped > 0 {
            self.skip(token.kind, index);
            return;
        }
        match token.kind {
            TokenKind::Atom(kind) => {
                self.leaf(NodeKind::Atom(kind), index);
            }
            TokenKind::LParen => self.open(NodeKind::List, None, token, index),
            TokenKind::VectorOpen => self.open(NodeKind::Vector, None, token, index),
            TokenKind::Quote(kind) => self.open(NodeKind::Quoted(kind), Some(kind), token, index),
            TokenKind::RParen => self.close(text, token, index),
            TokenKind::Dot => self.dot(token),
            TokenKind::Error(error) => {
                self.unreadable(error, text, token.span);
                self.leaf(NodeKind::Error, index);
            }
            TokenKind::Whitespace | TokenKind::Comment | TokenKind::Shebang => {}
        }
    }

    /// Inside a list that is too deep only its end counts.
    fn skip(&mut self, kind: TokenKind, index: u32) {
        match kind {
            TokenKind::LParen | TokenKind::VectorOpen => self.skipped += 1,
            TokenKind::RParen => self.skipped -= 1,
            _ => {}
        }
        if let Some(node) = self.nodes.last_mut() {
            node.last = index;
        }
        if self.skipped == 0 {
            self.datum_is_complete(index);
        }
    }

    fn push_node(&mut self, kind: NodeKind, token: u32) -> u32 {
        let node = self.nodes.len() as u32;
        let mut parent = NO_PARENT;
        if let Some(frame) = self.stack.last_mut() {
            parent = frame.node;
            frame.children += 1;
            if frame.tail == Tail::Read {
                frame.tail = Tail::Reported;
                let span = self.tokens.get(token as usize).map_or(Span::default(), |token| token.span);
                self.error(SyntaxErrorKind::IllegalDot, span);
            }
        }
        self.nodes.push(Node { kind, first: token, last: token, end: node + 1, parent, closed: false });
        node
    }

    fn leaf(&mut self, kind: NodeKind, token: u32) {
        self.push_node(kind, token);
        self.datum_is_complete(token);
    }

    fn open(&mut self, kind: NodeKind, quote: Option<QuoteKind>, token: Token, index: u32) {
        if self.stack.len() < self.limits.max_depth as usize {
            let node = self.push_node(kind, index);
            self.stack.push(Frame { node, children: 0, tail: Tail::None, quote });
            return;
        }
        if !self.too_deep {
            self.too_deep = true;
            self.error(SyntaxErrorKind::TooDeep { limit: self.limits.max_depth }, token.span);
        }
        if quote.is_some() {
            self.leaf(NodeKind::Error, index);
        } else {
            self.push_node(NodeKind::Error, index);
            self.skipped = 1;
        }
    }

    /// A datum ended with token `last`: quotes that waited for it end too, and a list may have its tail.
    #[inline]
    fn datum_is_complete(&mut self, last: u32) {
        while let Some(frame) = self.stack.last_mut() {
            if frame.quote.is_none() {
                if frame.tail == Tail::Wanted {
                    frame.tail = Tail::Read;
                }
                return;
            }
            let node = frame.node;
            self.stack.pop();
            self.end_node(node, last, false);
        }
    }

    fn end_node(&mut self, node: u32, last: u32, closed: bool) {
        let end = self.nodes.len() as u32;
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.last = last;
            node.end = end;
            node.closed = closed;
        }
    }

    /// Quotes at the top of the stack got no datum before what comes at `at`.
    fn drop_quotes(&mut self) {
        while let Some(Frame { node, quote: Some(kind), .. }) = self.stack.last().copied() {
            let first = self.nodes.get(node as usize).map_or(0, |node| node.first);
            let span = self.tokens.get(first as usize).map_or(Span::default(), |token| token.span);
            self.error(SyntaxErrorKind::QuoteWithoutDatum(kind), span);
            self.stack.pop();
            // An outer quote has this one as its datum: one error is enough.
            self.end_node(node, self.last_token, false);
            self.datum_is_complete(self.last_token);
        }
    }

    fn close(&mut self, text: &[u8], token: Token, index: u32) {
        self.drop_quotes();
        let Some(frame) = self.stack.pop() else {
            let first = !self.errors.iter().any(|it| matches!(it.kind, SyntaxErrorKind::UnexpectedClose { .. }));
            let suspect = first.then(|| hint::early_close(text, &self.tokens, &self.nodes)).flatten();
            self.error(SyntaxErrorKind::UnexpectedClose { suspect }, token.span);
            self.leaf(NodeKind::Error, index);
            return;
        };
        self.end_node(frame.node, index, true);
        match frame.tail {
            Tail::Wanted => self.error(SyntaxErrorKind::DotWithoutDatum, token.span),
            Tail::Read => {
                if let Some(node) = self.nodes.get_mut(frame.node as usize) {
                    node.kind = NodeKind::DottedList;
                }
            }
            Tail::None | Tail::Reported => {}
        }
        self.datum_is_complete(index);
    }

    fn dot(&mut self, token: Token) {
        self.drop_quotes();
        let nodes = &self.nodes;
        match self.stack.last_mut() {
            Some(frame) if frame.tail == Tail::Reported => {}
            Some(frame)
                if frame.tail == Tail::None
                    && frame.children > 0
                    && nodes.get(frame.node as usize).is_some_and(|node| node.kind == NodeKind::List) =>
            {
                frame.tail = Tail::Wanted;
            }
            Some(frame) => {
                frame.tail = Tail::Reported;
                self.error(SyntaxErrorKind::IllegalDot, token.span);
            }
            None => self.error(SyntaxErrorKind::IllegalDot, token.span),
        }
    }

    fn unreadable(&mut self, error: LexError, text: &[u8], span: Span) {
        let opening = Span::new(span.start, span.start + 1);
        let (kind, span) = match error {
            LexError::UnterminatedString | LexError::UnterminatedRawString => {
                let suspect = hint::string_over_lines(text, &self.tokens, span.start);
                (SyntaxErrorKind::UnterminatedString { suspect }, opening)
            }
            LexError::BadEscape => (SyntaxErrorKind::BadEscape, span),
            LexError::UndefinedSharp => (SyntaxErrorKind::UndefinedSharp { hint: hint::sharp_hint(text, span) }, span),
            LexError::NulInAtom => (SyntaxErrorKind::NulInAtom, span),
            // Reported where the limit was met.
            LexError::Unread => return,
        };
        self.error(kind, span);
    }

    /// The end of the text: everything still open ends here.
    fn finish(&mut self, text: &[u8]) {
        let last = self.last_token;
        if self.skipped > 0 {
            self.skipped = 0;
            self.datum_is_complete(last);
        }
        // Of a text cut short by a string without end or by a limit, that is what was reported.
        let whole = !matches!(self.tokens.last().map(|token| token.kind), Some(TokenKind::Error(error))
            if matches!(error, LexError::Unread | LexError::UnterminatedString | LexError::UnterminatedRawString));
        if whole {
            self.drop_quotes();
        }
        let innermost = self.stack.last().and_then(|frame| self.nodes.get(frame.node as usize));
        if let Some(open) = innermost.and_then(|node| self.tokens.get(node.first as usize)).map(|token| token.span)
            && whole
        {
            let suspect = hint::unclosed_suspect(text, &self.tokens);
            self.error(SyntaxErrorKind::UnclosedList { open, suspect }, Span::point(text.len() as u32));
        }
        while let Some(frame) = self.stack.pop() {
            self.end_node(frame.node, last, false);
        }
    }
}
