//! Vectors.

use super::{Builtin, Fault, argument, between, exactly, from, room, size};
use crate::scheme::heap::Heap;
use crate::scheme::value::Value;

pub(super) const BUILTINS: &[Builtin] = &[
    exactly("vector?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Vector(_))))),
    from("vector", 0, |heap, arguments| Ok(heap.vector(arguments.to_vec()))),
    between("make-vector", 1, 2, |heap, arguments| {
        let count = size(arguments, 0)?;
        room(heap, count.saturating_mul(size_of::<Value>()))?;
        Ok(heap.vector(vec![argument(arguments, 1); count]))
    }),
    exactly("vector-length", 1, |heap, arguments| Ok(Value::Int(items(heap, arguments)?.len() as i64))),
    exactly("vector-ref", 2, |heap, arguments| {
        let index = size(arguments, 1)?;
        items(heap, arguments)?.get(index).copied().ok_or(Fault::Domain("out of bounds"))
    }),
    exactly("vector-set!", 3, |heap, arguments| {
        let index = size(arguments, 1)?;
        items(heap, arguments)?;
        let slot = heap.vector_items_mut(argument(arguments, 0)).and_then(|items| items.get_mut(index));
        *slot.ok_or(Fault::Domain("out of bounds"))? = argument(arguments, 2);
        Ok(argument(arguments, 0))
    }),
    exactly("vector-fill!", 2, |heap, arguments| {
        heap.tick_cells(items(heap, arguments)?.len());
        if let Some(items) = heap.vector_items_mut(argument(arguments, 0)) {
            items.fill(argument(arguments, 1));
        }
        Ok(argument(arguments, 0))
    }),
    exactly("vector->list", 1, |heap, arguments| {
        let items = items(heap, arguments)?.to_vec();
        Ok(heap.list(&items))
    }),
    exactly("list->vector", 1, |heap, arguments| {
        let items = heap.proper_list(argument(arguments, 0)).ok_or(Fault::Type { index: 1, expected: "list" })?;
        Ok(heap.vector(items))
    }),
    exactly("vector-equal?", 2, |heap, arguments| {
        Ok(Value::Bool(heap.equal(argument(arguments, 0), argument(arguments, 1))))
    }),
];

fn items<'h>(heap: &'h Heap, arguments: &[Value]) -> Result<&'h [Value], Fault> {
    heap.vector_items(argument(arguments, 0)).ok_or(Fault::Type { index: 1, expected: "vector" })
}
