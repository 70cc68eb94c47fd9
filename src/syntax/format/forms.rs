//! How lists are laid out, by the name they start with.

/// How the elements of a broken list are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A call: some elements stay on the first line, each other one has a line of its own, `indent` columns in.
    Call {
        /// Columns from the parenthesis.
        indent: usize,
        /// Elements after the name that belong on the first line wherever the author wrote them.
        first_line: usize,
        /// What else stays on the first line when the author wrote it there.
        stay: Stay,
    },
    /// Bindings, clauses, vectors: elements below each other, the first right after the parenthesis.
    Column,
    /// A quoted list: as a column, but elements that the author put on one line stay on it.
    Data,
}

/// Which elements stay on the first line of a broken call, as long as they follow each other there and fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// None.
    None,
    /// Symbols: operations, arguments that are variables.
    Symbols,
    /// Symbols, and modifiers such as `(with no-log)`.
    SymbolsAndModifiers,
}

/// Forms whose first elements belong on the line of their name.
const SPECIAL: &[(&[u8], usize)] = &[
    (b"begin", 0),
    (b"case", 1),
    (b"cond", 0),
    (b"define", 1),
    (b"define-macro", 1),
    (b"define-once", 1),
    (b"define-storage-class", 1),
    (b"do", 2),
    (b"if", 1),
    (b"lambda", 1),
    (b"let", 1),
    (b"let*", 1),
    (b"letrec", 1),
    (b"macro", 1),
    (b"require-all", 0),
    (b"require-any", 0),
    (b"require-entitlement", 1),
    (b"require-not", 0),
    (b"set!", 1),
    (b"unless", 1),
    (b"when", 1),
    (b"with-filter", 1),
    (b"with-modifier", 1),
    (b"with-operations", 1),
];

/// The shape of a list that starts with the symbol `name`; `named` when its second element is a symbol too.
pub(super) fn call_shape(name: &[u8], named: bool) -> Shape {
    if matches!(name, b"allow" | b"deny") {
        return Shape::Call { indent: 4, first_line: 0, stay: Stay::SymbolsAndModifiers };
    }
    match SPECIAL.iter().find(|(known, _)| *known == name) {
        // A named `let` has its name before the bindings.
        Some((b"let", _)) if named => Shape::Call { indent: 2, first_line: 2, stay: Stay::None },
        Some(&(_, first_line)) => Shape::Call { indent: 2, first_line, stay: Stay::None },
        None => Shape::Call { indent: 2, first_line: 0, stay: Stay::Symbols },
    }
}
