//! The built-in procedures (`spec/sbpl-language.md` section 4).
//!
//! One table a group; a procedure gets the heap and its arguments and gives a value or a [`Fault`]. What needs the machine
//! itself is a [`Control`]; what is easier to say in the language is in `library.scm`.

mod characters;
mod control;
mod lists;
mod numbers;
mod strings;
mod vectors;

use std::sync::OnceLock;

use super::error::ErrorKind;
use super::heap::Heap;
use super::value::Value;

/// What a built-in may do.
pub(super) type Plain = fn(&mut Heap, &[Value]) -> Result<Value, Fault>;

/// A built-in that the machine itself carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Apply,
    Eval,
    Defined,
    CallCc,
    Force,
    CurrentEnvironment,
    Expand,
    Error,
    /// Input and output with files: a profile that is checked gets none.
    Unavailable,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Implementation {
    Plain(Plain),
    Control(Control),
}

/// One built-in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Builtin {
    pub(super) name: &'static str,
    least: usize,
    most: Option<usize>,
    pub(super) implementation: Implementation,
}

/// Why a built-in failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Wrong number of arguments.
    Count { bound: &'static str, count: usize },
    /// Argument `index`, from 1, is of the wrong type.
    Type { index: usize, expected: &'static str },
    /// Arguments of the right types that cannot be used.
    Domain(&'static str),
}

impl Fault {
    pub(super) fn into_kind<H>(self, name: &'static str) -> ErrorKind<H> {
        match self {
            Self::Count { bound, count } => ErrorKind::ArgumentCount { name, bound, count },
            Self::Type { index, expected } => ErrorKind::ArgumentType { name, index, expected },
            Self::Domain(problem) => ErrorKind::Domain { name, problem },
        }
    }
}

impl Builtin {
    pub(super) fn check_count(&self, count: usize) -> Result<(), Fault> {
        let exact = self.most == Some(self.least);
        if count < self.least {
            let bound = if exact { "" } else { "at least " };
            return Err(Fault::Count { bound, count: self.least });
        }
        match self.most {
            Some(most) if count > most => Err(Fault::Count { bound: if exact { "" } else { "at most " }, count: most }),
            _ => Ok(()),
        }
    }
}

/// Exactly `count` arguments.
const fn exactly(name: &'static str, count: usize, function: Plain) -> Builtin {
    Builtin { name, least: count, most: Some(count), implementation: Implementation::Plain(function) }
}

/// `least` to `most` arguments.
const fn between(name: &'static str, least: usize, most: usize, function: Plain) -> Builtin {
    Builtin { name, least, most: Some(most), implementation: Implementation::Plain(function) }
}

/// `least` arguments or more.
const fn from(name: &'static str, least: usize, function: Plain) -> Builtin {
    Builtin { name, least, most: None, implementation: Implementation::Plain(function) }
}

/// All built-ins; a `Value::Builtin` is an index into this table.
pub(super) fn all() -> &'static [Builtin] {
    static ALL: OnceLock<Vec<Builtin>> = OnceLock::new();
    ALL.get_or_init(|| {
        let groups: [&[Builtin]; 6] = [
            lists::BUILTINS,
            strings::BUILTINS,
            numbers::BUILTINS,
            characters::BUILTINS,
            vectors::BUILTINS,
            control::BUILTINS,
        ];
        let mut all = groups.concat();
        all.extend(lists::accessors());
        all
    })
}

fn argument(arguments: &[Value], index: usize) -> Value {
    arguments.get(index).copied().unwrap_or(Value::Nil)
}

fn bytes<'h>(heap: &'h Heap, arguments: &[Value], index: usize) -> Result<&'h [u8], Fault> {
    heap.bytes(argument(arguments, index)).ok_or(Fault::Type { index: index + 1, expected: "string" })
}

fn integer(arguments: &[Value], index: usize) -> Result<i64, Fault> {
    match argument(arguments, index) {
        Value::Int(number) => Ok(number),
        Value::Real(number) if number.fract() == 0.0 => Ok(number as i64),
        _ => Err(Fault::Type { index: index + 1, expected: "integer" }),
    }
}

/// A count or position.
fn size(arguments: &[Value], index: usize) -> Result<usize, Fault> {
    integer(arguments, index)
        .ok()
        .and_then(|number| usize::try_from(number).ok())
        .ok_or(Fault::Type { index: index + 1, expected: "non-negative integer" })
}

fn character(arguments: &[Value], index: usize) -> Result<u8, Fault> {
    match argument(arguments, index) {
        Value::Char(byte) => Ok(byte),
        _ => Err(Fault::Type { index: index + 1, expected: "character" }),
    }
}

fn pair(heap: &Heap, arguments: &[Value], index: usize) -> Result<(Value, Value), Fault> {
    heap.split(argument(arguments, index)).ok_or(Fault::Type { index: index + 1, expected: "pair" })
}

/// Room for `bytes` more bytes, or the fault that no memory is left. (The machine then reports its limit.)
fn room(heap: &mut Heap, bytes: usize) -> Result<(), Fault> {
    if heap.reserve(bytes) { Ok(()) } else { Err(Fault::Domain("not enough memory")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once() {
        let mut names: Vec<_> = all().iter().map(|builtin| builtin.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
    }
}
