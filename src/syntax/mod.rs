//! Bytes to tokens, tokens to a lossless tree, and the errors on the way.
//!
//! The room knows the lexical grammar of SBPL (`spec/sbpl-language.md` §2, stated in `grammar/sbpl.ebnf`) and nothing of
//! Scheme or of operations: `(allow . 3)` is a fine tree here. Text is bytes; nothing is decoded on the way in.
//!
//! ```
//! use sbpl::syntax::{parse, Atom, SyntaxLimits};
//!
//! let parsed = parse(&b"(version 1) ; first"[..], &SyntaxLimits::default());
//! assert!(parsed.errors.is_empty());
//! let form = parsed.tree.roots().next().unwrap();
//! let values: Vec<_> = parsed.tree.children(form).map(|child| parsed.tree.datum(child)).collect();
//! assert_eq!(values, [Some(Atom::Symbol(b"version")), Some(Atom::Integer(1))]);
//! assert_eq!(parsed.tree.print(), b"(version 1) ; first");
//! ```
//!
//! **Invariants**
//! - *Reading never fails*: [`parse`] gives a tree and all errors, for any bytes.
//! - *Tokens tile the text*: each byte is in exactly one token, so [`Tree::print`] returns the input byte for byte.
//! - *Bounded*: nothing recurses by input depth, and memory is bounded by [`SyntaxLimits`] whatever the input.
//! - nom is used in `lex` only; no other module and no public type mentions it.

mod atom;
mod error;
pub mod format;
mod hint;
mod lex;
mod parse;
mod token;
mod tree;

pub use crate::diag::Span;
pub use atom::{Atom, decode, write_string};
pub use error::{CODES, SharpHint, SyntaxError, SyntaxErrorKind, UnclosedSuspect};
pub use hint::{TemplateHint, template_hint};
pub use lex::{Lexer, lex};
pub use parse::{Parse, SyntaxLimits, parse};
pub use token::{AtomKind, LexError, QuoteKind, Token, TokenKind};
pub use tree::{NodeId, NodeKind, Siblings, Tree};
