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
        /// True when symbols that follow the name on its line stay there: operations, arguments that are variables.
        symbols_stay: bool,
    },
    /// Bindings, clauses, vectors: elements below each other, the first right after the parenthesis.
    Column,
    /// A quoted list: as a column, but elements that the author put on one line stay on it.
    Data,
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
        return Shape::Call { indent: 4, first_line: 0, symbols_stay: true };
    }
    match SPECIAL.iter().find(|(known, _)| *known == name) {
        // A named `let` has its name before the bindings.
        Some((b"let", _)) if named => Shape::Call { indent: 2, first_line: 2, symbols_stay: false },
        Some(&(_, first_line)) => Shape::Call { indent: 2, first_line, symbols_stay: false },
        None => Shape::Call { indent: 2, first_line: 0, symbols_stay: true },
    }
}
