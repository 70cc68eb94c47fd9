//! Scheme: the language that profiles are programs of, an extended TinyScheme (`spec/sbpl-language.md` sections 3 and 4).
//!
//! Values, the machine that runs them and the built-in procedures. The room knows nothing of SBPL: operations, filters and
//! rules are values of a [`Host`] that it carries without looking. Texts come in as [`syntax::Tree`](crate::syntax::Tree)s.
//!
//! Quirks of TinyScheme that profiles rely on are kept: `()` is true, the bindings of `let*` share one frame, `eval` works
//! where it is called, more arguments than parameters are dropped, macros get the whole form.
//!
//! **Invariants:** no native recursion by input; steps, memory and stack have limits ([`MachineLimits`]) and every run ends;
//! values are never collected but freed with their [`Heap`]; nothing reaches files, the clock or the environment.

mod builtins;
mod error;
mod heap;
mod machine;
mod printer;
mod reader;
mod special;
mod value;

pub use error::{ErrorKind, Limit, RunError, Trace, TraceKind};
pub use heap::Heap;
pub use machine::{Call, Fail, Failure, Host, Machine, MachineLimits, Outcome};
pub use special::Special;
pub use value::{Env, HostValue, Ref, Symbol, Value};

use crate::diag::SourceId;
use crate::syntax::Tree;

/// A list of the data of `tree`, which is the text `source`.
pub fn read(heap: &mut Heap, tree: &Tree, source: SourceId) -> Value {
    reader::read_all(heap, tree, Some(source))
}

/// The same without places: a text that belongs to the host.
pub fn read_unplaced(heap: &mut Heap, tree: &Tree) -> Value {
    reader::read_all(heap, tree, None)
}

/// `value` as text of at most about `limit` bytes; `describe` says what values of the host are.
pub fn write(
    heap: &Heap,
    value: Value,
    quote: bool,
    limit: usize,
    describe: &dyn Fn(Value) -> Option<String>,
) -> Vec<u8> {
    printer::print(heap, value, quote, limit, describe)
}

#[cfg(test)]
mod tests;
