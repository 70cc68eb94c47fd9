//! Pairs, lists and what compares values.

use super::{Builtin, Fault, argument, exactly, from, pair, size};
use crate::scheme::heap::Heap;
use crate::scheme::value::Value;

pub(super) const BUILTINS: &[Builtin] = &[
    exactly("cons", 2, |heap, arguments| Ok(heap.cons(argument(arguments, 0), argument(arguments, 1)))),
    exactly("set-car!", 2, |heap, arguments| {
        pair(heap, arguments, 0)?;
        heap.set_car(argument(arguments, 0), argument(arguments, 1));
        Ok(argument(arguments, 0))
    }),
    exactly("set-cdr!", 2, |heap, arguments| {
        pair(heap, arguments, 0)?;
        heap.set_cdr(argument(arguments, 0), argument(arguments, 1));
        Ok(argument(arguments, 0))
    }),
    exactly("pair?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Pair(_))))),
    exactly("null?", 1, |_, arguments| Ok(Value::Bool(argument(arguments, 0) == Value::Nil))),
    exactly("list?", 1, |heap, arguments| Ok(Value::Bool(heap.length(argument(arguments, 0)).is_some()))),
    from("list", 0, |heap, arguments| Ok(heap.list(arguments))),
    from("list*", 1, list_star),
    exactly("length", 1, |heap, arguments| match heap.length(argument(arguments, 0)) {
        Some(length) => Ok(Value::Int(length as i64)),
        None => Err(Fault::Type { index: 1, expected: "list" }),
    }),
    from("append", 0, append),
    exactly("reverse", 1, |heap, arguments| {
        let mut items = list(heap, arguments, 0)?;
        items.reverse();
        Ok(heap.list(&items))
    }),
    exactly("list-tail", 2, list_tail),
    exactly("list-ref", 2, |heap, arguments| {
        let tail = list_tail(heap, arguments)?;
        heap.split(tail).map(|(car, _)| car).ok_or(Fault::Domain("index out of range"))
    }),
    exactly("last-pair", 1, |heap, arguments| {
        let length = heap.elements(argument(arguments, 0)).0.len();
        Ok((1..length).fold(argument(arguments, 0), |rest, _| heap.cdr(rest)))
    }),
    exactly("head", 2, |heap, arguments| take(heap, argument(arguments, 0), size(arguments, 1)?)),
    exactly("tail", 2, list_tail),
    exactly("take", 2, |heap, arguments| take(heap, argument(arguments, 0), size(arguments, 1)?)),
    exactly("drop", 2, list_tail),
    exactly("memq", 2, |heap, arguments| Ok(member(heap, arguments, |_, a, b| a == b))),
    exactly("memv", 2, |heap, arguments| Ok(member(heap, arguments, |heap, a, b| heap.eqv(a, b)))),
    exactly("member", 2, |heap, arguments| Ok(member(heap, arguments, |heap, a, b| heap.equal(a, b)))),
    exactly("assq", 2, |heap, arguments| Ok(assoc(heap, arguments, |_, a, b| a == b))),
    exactly("assv", 2, |heap, arguments| Ok(assoc(heap, arguments, |heap, a, b| heap.eqv(a, b)))),
    exactly("assoc", 2, |heap, arguments| Ok(assoc(heap, arguments, |heap, a, b| heap.equal(a, b)))),
    exactly("acons", 3, |heap, arguments| {
        let entry = heap.cons(argument(arguments, 0), argument(arguments, 1));
        Ok(heap.cons(entry, argument(arguments, 2)))
    }),
    exactly("flatten", 1, flatten),
    exactly("eq?", 2, |_, arguments| Ok(Value::Bool(argument(arguments, 0) == argument(arguments, 1)))),
    exactly("eqv?", 2, |heap, arguments| Ok(Value::Bool(heap.eqv(argument(arguments, 0), argument(arguments, 1))))),
    exactly("equal?", 2, |heap, arguments| Ok(Value::Bool(heap.equal(argument(arguments, 0), argument(arguments, 1))))),
    exactly("atom?", 1, |_, arguments| Ok(Value::Bool(!matches!(argument(arguments, 0), Value::Pair(_))))),
];

const ACCESSORS: [&str; 30] = [
    "car", "cdr", "caar", "cadr", "cdar", "cddr", "caaar", "caadr", "cadar", "caddr", "cdaar", "cdadr", "cddar",
    "cdddr", "caaaar", "caaadr", "caadar", "caaddr", "cadaar", "cadadr", "caddar", "cadddr", "cdaaar", "cdaadr",
    "cdadar", "cdaddr", "cddaar", "cddadr", "cdddar", "cddddr",
];

/// The procedures that are named by the way they go. `const` parameters make one function of each.
pub(super) fn accessors() -> Vec<Builtin> {
    macro_rules! table {
        ($($index:literal)*) => {
            vec![$(exactly(ACCESSORS[$index], 1, |heap, arguments| walk(heap, arguments, ACCESSORS[$index]))),*]
        };
    }
    table!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29)
}

/// Goes the way that `name` spells, last letter first: `cadr` is the `car` of the `cdr`.
fn walk(heap: &mut Heap, arguments: &[Value], name: &str) -> Result<Value, Fault> {
    let mut value = argument(arguments, 0);
    for step in name.bytes().rev().filter(|step| matches!(step, b'a' | b'd')) {
        let (car, cdr) = heap.split(value).ok_or(Fault::Type { index: 1, expected: "pair" })?;
        value = if step == b'a' { car } else { cdr };
    }
    Ok(value)
}

fn list(heap: &Heap, arguments: &[Value], index: usize) -> Result<Vec<Value>, Fault> {
    heap.proper_list(argument(arguments, index)).ok_or(Fault::Type { index: index + 1, expected: "list" })
}

fn list_star(heap: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    let Some((&tail, items)) = arguments.split_last() else { return Ok(Value::Nil) };
    Ok(heap.list_with_tail(items, tail))
}

/// The last argument becomes the tail, whatever it is. One argument alone gives a list that holds it: a quirk.
fn append(heap: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    match arguments {
        [] => Ok(Value::Nil),
        [one] => Ok(heap.cons(*one, Value::Nil)),
        [lists @ .., tail] => {
            let mut result = *tail;
            for (index, _) in lists.iter().enumerate().rev() {
                let items = list(heap, lists, index)?;
                result = heap.list_with_tail(&items, result);
            }
            Ok(result)
        }
    }
}

fn list_tail(heap: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    let mut rest = argument(arguments, 0);
    let count = size(arguments, 1)?;
    // A list that runs into itself has no end to stop at.
    if heap.is_cyclic_walk(count) {
        return Err(Fault::Domain("index out of range"));
    }
    for _ in 0..count {
        rest = heap.split(rest).map(|(_, cdr)| cdr).ok_or(Fault::Domain("index out of range"))?;
    }
    heap.tick_cells(count);
    Ok(rest)
}

fn take(heap: &mut Heap, value: Value, count: usize) -> Result<Value, Fault> {
    let (items, _) = heap.elements(value);
    let items = items.get(..count).ok_or(Fault::Domain("index out of range"))?;
    Ok(heap.list(items))
}

fn member(heap: &Heap, arguments: &[Value], same: fn(&Heap, Value, Value) -> bool) -> Value {
    let wanted = argument(arguments, 0);
    let mut rest = argument(arguments, 1);
    for _ in 0..heap.elements(rest).0.len() {
        if same(heap, wanted, heap.car(rest)) {
            return rest;
        }
        rest = heap.cdr(rest);
    }
    Value::Bool(false)
}

fn assoc(heap: &Heap, arguments: &[Value], same: fn(&Heap, Value, Value) -> bool) -> Value {
    let wanted = argument(arguments, 0);
    let (entries, _) = heap.elements(argument(arguments, 1));
    entries
        .into_iter()
        .find(|&entry| matches!(entry, Value::Pair(_)) && same(heap, wanted, heap.car(entry)))
        .unwrap_or(Value::Bool(false))
}

/// All atoms of a tree in order; `()` disappears.
fn flatten(heap: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    let mut items = Vec::new();
    let mut work = vec![argument(arguments, 0)];
    while let Some(value) = work.pop() {
        match heap.split(value) {
            Some((car, cdr)) => {
                heap.tick(1);
                super::room(heap, 0)?;
                if heap.is_cyclic_walk(items.len() + work.len()) {
                    return Err(Fault::Type { index: 1, expected: "list" });
                }
                work.push(cdr);
                work.push(car);
            }
            None if value == Value::Nil => {}
            None => items.push(value),
        }
    }
    Ok(heap.list(&items))
}
