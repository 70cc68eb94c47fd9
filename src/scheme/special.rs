//! The names that are special forms.

/// A special form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The variants are the names of the forms.
pub enum Special {
    Quote,
    Lambda,
    Define,
    If,
    Begin,
    Set,
    Let,
    LetStar,
    LetRec,
    Cond,
    Case,
    And,
    Or,
    Delay,
    ConsStream,
    Macro,
    When,
    Unless,
    Quasiquote,
}

/// Forms whose names cannot be given another meaning as the head of a list: TinyScheme marks the symbol itself.
/// They are interned first, so that a symbol's number tells.
pub(super) const FIXED: [(&str, Special); 16] = [
    ("quote", Special::Quote),
    ("lambda", Special::Lambda),
    ("define", Special::Define),
    ("if", Special::If),
    ("begin", Special::Begin),
    ("set!", Special::Set),
    ("let", Special::Let),
    ("let*", Special::LetStar),
    ("letrec", Special::LetRec),
    ("cond", Special::Cond),
    ("case", Special::Case),
    ("and", Special::And),
    ("or", Special::Or),
    ("delay", Special::Delay),
    ("cons-stream", Special::ConsStream),
    ("macro", Special::Macro),
];

/// Forms that are macros of TinyScheme's library: global variables, which a profile may rebind.
pub(super) const REBINDABLE: [(&str, Special); 3] =
    [("when", Special::When), ("unless", Special::Unless), ("quasiquote", Special::Quasiquote)];
