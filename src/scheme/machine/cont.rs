//! What is left to do, as data: the machine's stack instead of the native one.

use crate::scheme::error::{Trace, TraceKind};
use crate::scheme::heap::Heap;
use crate::scheme::value::{Env, Ref, Symbol, Value};

/// What happens with a value when it is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cont {
    /// `form` waits for its operator or for the argument before `rest`; what is there begins at `base` of the value stack.
    Arguments {
        form: Value,
        rest: Value,
        env: Env,
        base: u32,
    },
    If {
        branches: Value,
        env: Env,
    },
    Sequence {
        rest: Value,
        env: Env,
    },
    Define {
        symbol: Symbol,
        env: Env,
    },
    DefineMacro {
        symbol: Symbol,
        env: Env,
    },
    Set {
        symbol: Symbol,
        cell: Value,
        env: Env,
    },
    Cond {
        clauses: Value,
        env: Env,
    },
    Arrow {
        value: Value,
        form: Value,
        env: Env,
    },
    Case {
        clauses: Value,
        env: Env,
    },
    And {
        rest: Value,
        env: Env,
    },
    Or {
        rest: Value,
        env: Env,
    },
    Guard {
        unless: bool,
        body: Value,
        env: Env,
    },
    /// The value of one binding of `let` has come; `rest` are the bindings after it.
    Let {
        form: Value,
        rest: Value,
        env: Env,
        base: u32,
    },
    LetStar {
        form: Value,
        rest: Value,
        symbol: Symbol,
        env: Env,
        first: bool,
    },
    LetRec {
        form: Value,
        rest: Value,
        env: Env,
        base: u32,
    },
    ConsStream {
        expression: Value,
        env: Env,
    },
    /// A macro's expansion has come and is evaluated where the macro was called.
    Expanded {
        env: Env,
    },
    KeepPromise {
        promise: Ref,
    },
    /// A procedure of the program is running.
    Call {
        form: Value,
        callee: Value,
        run: u8,
    },
    /// A text of the host is running.
    Text {
        form: Value,
        text: u32,
    },
}

/// What the machine does next.
pub(super) enum State {
    /// Evaluate `expression`, the first element of `cell` if it was read.
    Eval {
        expression: Value,
        cell: Value,
        env: Env,
    },
    Return(Value),
    /// Call the value at `base` of the value stack with those after it.
    Apply {
        form: Value,
        env: Env,
        base: usize,
    },
}

/// The calls and texts on a stack, innermost first.
pub(super) fn traces<'a>(stack: &'a [Cont], heap: &'a Heap) -> impl Iterator<Item = Trace> + 'a {
    stack.iter().rev().filter_map(|cont| {
        let (form, kind) = match *cont {
            Cont::Call { form, callee, .. } => (form, TraceKind::Call(callee)),
            Cont::Text { form, text } => (form, TraceKind::Text(text)),
            _ => return None,
        };
        Some(Trace { form, location: heap.list_location(form), kind })
    })
}
