//! What can go wrong in a run, before it is put into words for people.

use thiserror::Error;

use super::value::Value;
use crate::diag::Location;

/// What went wrong. The display text is TinyScheme's (`spec/sbpl-language.md` section 14).
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ErrorKind<H> {
    /// A variable that nothing binds.
    #[error("unbound variable: {0}")]
    Unbound(String),
    /// `set!` of such a variable.
    #[error("set!: unbound variable: {0}")]
    UnboundSet(String),
    /// `define` or `set!` of something else than a symbol.
    #[error("variable is not a symbol")]
    NotSymbol,
    /// A call of something that is no procedure.
    #[error("illegal function")]
    IllegalFunction,
    /// A procedure of the program got too few arguments.
    #[error("not enough arguments")]
    NotEnoughArguments,
    /// A special form that cannot be read.
    #[error("syntax error in {0}")]
    Syntax(&'static str),
    /// A built-in got the wrong number of arguments.
    #[error("{name}: needs {bound}{count} argument(s)")]
    ArgumentCount {
        /// Which built-in.
        name: &'static str,
        /// `at least `, `at most ` or nothing.
        bound: &'static str,
        /// How many it takes.
        count: usize,
    },
    /// A built-in got an argument of the wrong type.
    #[error("{name}: argument {index} must be: {expected}")]
    ArgumentType {
        /// Which built-in.
        name: &'static str,
        /// Which argument, from 1.
        index: usize,
        /// What it wants.
        expected: &'static str,
    },
    /// A built-in refused its arguments.
    #[error("{name}: {problem}")]
    Domain {
        /// Which built-in.
        name: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// The program called `error`.
    #[error("{0}")]
    User(String),
    /// `(quit)` or the like: nothing that a profile can ask for.
    #[error("{0} is not available in a profile")]
    Unavailable(&'static str),
    /// A limit was reached.
    #[error("{0}")]
    Limit(Limit),
    /// The host refused.
    #[error("{0}")]
    Host(H),
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Limit {
    /// Machine steps.
    #[error("the profile runs for more than {0} steps")]
    Steps(u64),
    /// Memory.
    #[error("the profile needs more than {0} bytes of memory")]
    Heap(usize),
    /// Calls inside calls.
    #[error("calls are nested deeper than {0}")]
    Depth(usize),
}

/// A step on the way to an error, innermost first.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The form.
    pub form: Value,
    /// Where it was written.
    pub location: Option<Location>,
    /// What the form did.
    pub kind: TraceKind,
}

/// What the form of a [`Trace`] did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TraceKind {
    /// It was being evaluated when the error arose.
    Innermost,
    /// It called this procedure of the program.
    Call(Value),
    /// It made the host run a text; the host knows which.
    Text(u32),
}

/// An error and how the run got there.
#[derive(Debug, Clone, PartialEq)]
pub struct RunError<H> {
    /// What went wrong.
    pub kind: ErrorKind<H>,
    /// The form that failed: for a variable the variable itself.
    pub location: Option<Location>,
    /// The call whose arguments are at fault, with those arguments.
    pub call: Option<(Value, Vec<Value>)>,
    /// The way, innermost first.
    pub trace: Vec<Trace>,
}
