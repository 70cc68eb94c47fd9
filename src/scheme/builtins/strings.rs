//! Strings and symbols. Strings are bytes.

use super::{Builtin, Fault, argument, between, bytes, character, exactly, from, room, size};
use crate::scheme::heap::Heap;
use crate::scheme::value::Value;

pub(super) const BUILTINS: &[Builtin] = &[
    exactly("string?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::String(_))))),
    from("string", 0, |heap, arguments| {
        let bytes = (0..arguments.len()).map(|index| character(arguments, index)).collect::<Result<Vec<_>, _>>()?;
        Ok(heap.string(bytes))
    }),
    between("make-string", 1, 2, |heap, arguments| {
        let count = size(arguments, 0)?;
        let fill = if arguments.len() > 1 { character(arguments, 1)? } else { b' ' };
        room(heap, count)?;
        Ok(heap.string(vec![fill; count]))
    }),
    exactly("string-length", 1, |heap, arguments| Ok(Value::Int(bytes(heap, arguments, 0)?.len() as i64))),
    exactly("string-ref", 2, |heap, arguments| {
        let text = bytes(heap, arguments, 0)?;
        let index = size(arguments, 1)?;
        text.get(index).map(|&byte| Value::Char(byte)).ok_or(Fault::Domain("out of bounds"))
    }),
    exactly("string-set!", 3, |heap, arguments| {
        let (index, byte) = (size(arguments, 1)?, character(arguments, 2)?);
        bytes(heap, arguments, 0)?;
        let slot = heap.bytes_mut(argument(arguments, 0)).and_then(|text| text.get_mut(index));
        *slot.ok_or(Fault::Domain("out of bounds"))? = byte;
        Ok(argument(arguments, 0))
    }),
    from("string-append", 0, |heap, arguments| {
        let mut length = 0;
        for index in 0..arguments.len() {
            length += bytes(heap, arguments, index)?.len();
        }
        room(heap, length)?;
        let mut out = Vec::with_capacity(length);
        for &part in arguments {
            out.extend_from_slice(heap.bytes(part).unwrap_or_default());
        }
        heap.tick_cells(length / 8);
        Ok(heap.string(out))
    }),
    between("substring", 2, 3, |heap, arguments| {
        let text = bytes(heap, arguments, 0)?;
        let start = size(arguments, 1)?;
        let end = if arguments.len() > 2 { size(arguments, 2)? } else { text.len() };
        if start > text.len() {
            return Err(Fault::Domain("start out of bounds"));
        }
        let part = text.get(start..end).ok_or(Fault::Domain("end out of bounds"))?.to_vec();
        Ok(heap.string(part))
    }),
    exactly("string-copy", 1, |heap, arguments| {
        let copy = bytes(heap, arguments, 0)?.to_vec();
        Ok(heap.string(copy))
    }),
    exactly("string-fill!", 2, |heap, arguments| {
        let byte = character(arguments, 1)?;
        bytes(heap, arguments, 0)?;
        heap.tick_cells(bytes(heap, arguments, 0)?.len() / 8);
        if let Some(text) = heap.bytes_mut(argument(arguments, 0)) {
            text.fill(byte);
        }
        Ok(argument(arguments, 0))
    }),
    exactly("string->list", 1, |heap, arguments| {
        let text = bytes(heap, arguments, 0)?.to_vec();
        let items: Vec<_> = text.into_iter().map(Value::Char).collect();
        Ok(heap.list(&items))
    }),
    exactly("list->string", 1, |heap, arguments| {
        let items = heap.proper_list(argument(arguments, 0)).ok_or(Fault::Type { index: 1, expected: "list" })?;
        let bytes = (0..items.len()).map(|index| character(&items, index)).collect::<Result<Vec<_>, _>>();
        Ok(heap.string(bytes.map_err(|_| Fault::Type { index: 1, expected: "list of characters" })?))
    }),
    from("string=?", 2, |heap, arguments| compare(heap, arguments, false, |a, b| a == b)),
    from("string<?", 2, |heap, arguments| compare(heap, arguments, false, |a, b| a < b)),
    from("string>?", 2, |heap, arguments| compare(heap, arguments, false, |a, b| a > b)),
    from("string<=?", 2, |heap, arguments| compare(heap, arguments, false, |a, b| a <= b)),
    from("string>=?", 2, |heap, arguments| compare(heap, arguments, false, |a, b| a >= b)),
    from("string-ci=?", 2, |heap, arguments| compare(heap, arguments, true, |a, b| a == b)),
    from("string-ci<?", 2, |heap, arguments| compare(heap, arguments, true, |a, b| a < b)),
    from("string-ci>?", 2, |heap, arguments| compare(heap, arguments, true, |a, b| a > b)),
    from("string-ci<=?", 2, |heap, arguments| compare(heap, arguments, true, |a, b| a <= b)),
    from("string-ci>=?", 2, |heap, arguments| compare(heap, arguments, true, |a, b| a >= b)),
    exactly("internal-strcmp", 2, |heap, arguments| {
        let order = bytes(heap, arguments, 0)?.cmp(bytes(heap, arguments, 1)?);
        Ok(Value::Int(order as i64))
    }),
    exactly("internal-strchr", 2, |heap, arguments| {
        let byte = character(arguments, 1)?;
        let text = bytes(heap, arguments, 0)?;
        heap.tick_cells(text.len() / 8);
        let found = memchr::memchr(byte, text);
        Ok(found.map_or(Value::Bool(false), |at| Value::Int(at as i64)))
    }),
    exactly("symbol?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Symbol(_))))),
    exactly("symbol->string", 1, symbol_to_string),
    exactly("string->symbol", 1, |heap, arguments| {
        let name = bytes(heap, arguments, 0)?.to_vec();
        Ok(Value::Symbol(heap.intern(&name)))
    }),
    exactly("atom->string", 1, any_to_string),
    exactly("anyatom->string", 1, any_to_string),
    exactly("string->atom", 1, string_to_any),
    exactly("string->anyatom", 1, string_to_any),
    exactly("gensym", 0, |heap, _| Ok(Value::Symbol(heap.gensym()))),
];

fn compare(heap: &mut Heap, arguments: &[Value], fold: bool, holds: fn(&[u8], &[u8]) -> bool) -> Result<Value, Fault> {
    for index in 1..arguments.len() {
        let (a, b) = (bytes(heap, arguments, index - 1)?, bytes(heap, arguments, index)?);
        heap.tick_cells(a.len().min(b.len()) / 8);
        let result = if fold { holds(&a.to_ascii_lowercase(), &b.to_ascii_lowercase()) } else { holds(a, b) };
        if !result {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn symbol_to_string(heap: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    let Value::Symbol(symbol) = argument(arguments, 0) else {
        return Err(Fault::Type { index: 1, expected: "symbol" });
    };
    let name = heap.name(symbol).to_vec();
    Ok(heap.string(name))
}

fn any_to_string(heap: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    let value = argument(arguments, 0);
    if matches!(value, Value::Pair(_) | Value::Vector(_)) {
        return Err(Fault::Type { index: 1, expected: "atom" });
    }
    let text = crate::scheme::printer::print(heap, value, false, usize::MAX, &|_| None);
    Ok(heap.string(text))
}

/// A number if the text is one, else a symbol.
fn string_to_any(heap: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    let text = bytes(heap, arguments, 0)?.to_vec();
    Ok(super::numbers::parse(&text, 10).unwrap_or_else(|| Value::Symbol(heap.intern(&text))))
}
