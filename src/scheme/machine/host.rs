//! What the machine is embedded in.

use super::{Cont, TRACE_LENGTH, traces};
use crate::diag::Location;
use crate::scheme::error::Trace;
use crate::scheme::heap::Heap;
use crate::scheme::value::{HostValue, Value};

/// What the machine is embedded in: gives names that the program does not bind, and procedures that act on the outside.
pub trait Host {
    /// What its procedures fail with.
    type Error: Clone + PartialEq + std::fmt::Debug + std::fmt::Display;

    /// The value of a name that nothing binds at top level. The machine keeps what it gets.
    fn global(&mut self, name: &[u8], heap: &mut Heap) -> Option<Value>;

    /// Calls one of its procedures.
    ///
    /// # Errors
    /// Whatever the host refuses; the machine adds the place.
    fn call(&mut self, procedure: HostValue, call: &Call<'_>, heap: &mut Heap)
    -> Result<Outcome, Failure<Self::Error>>;

    /// The text that [`Outcome::Run`] named has been run to its end.
    fn text_ended(&mut self, text: u32, heap: &mut Heap);

    /// A value of the host as text.
    fn describe(&self, value: Value) -> Option<String>;
}

/// Why a host procedure failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure<H> {
    /// The host's own reasons.
    Host(H),
    /// Argument `index` (from 1) of `name` is not `expected`.
    ArgumentType {
        /// The procedure.
        name: &'static str,
        /// Which argument, from 1.
        index: usize,
        /// What it wants.
        expected: &'static str,
    },
}

impl<H> From<H> for Failure<H> {
    fn from(error: H) -> Self {
        Self::Host(error)
    }
}

/// A call of a host procedure.
pub struct Call<'a> {
    /// The arguments.
    pub arguments: &'a [Value],
    /// The form that makes the call.
    pub form: Value,
    pub(super) stack: &'a [Cont],
}

/// What a host procedure wants to happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The call gives this value.
    Value(Value),
    /// The forms of this list are run at top level, one by one; the host is told when the last is done.
    Run {
        /// A list of forms.
        forms: Value,
        /// What the host calls the text.
        text: u32,
    },
}

impl Call<'_> {
    /// Where the call was written, and the calls and texts around it, innermost first. A call that a macro or a library
    /// procedure made up counts as written where the program called that.
    pub fn way(&self, heap: &Heap) -> (Option<Location>, Vec<Trace>) {
        heap.tick_cells(self.stack.len());
        let mut location = heap.list_location(self.form);
        let mut way = Vec::new();
        for trace in traces(self.stack, heap) {
            if location.is_none() && trace.location.is_some() {
                location = trace.location;
            } else if trace.location.is_some() {
                way.push(trace);
            }
            if way.len() == TRACE_LENGTH {
                break;
            }
        }
        (location, way)
    }
}
