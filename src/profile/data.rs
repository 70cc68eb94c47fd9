//! JSON as Scheme data: what entitlements are to a profile.

use serde_json::{Map, Value as Json};

use crate::scheme::{Heap, Value};

/// An association list: strings to values, in the object's order.
///
/// JSON that was read by `serde_json` nests at most 128 deep, so this recursion is bounded.
pub(super) fn alist(heap: &mut Heap, object: &Map<String, Json>) -> Value {
    let pairs: Vec<_> = object
        .iter()
        .map(|(key, value)| {
            let (key, value) = (heap.string(key.as_bytes()), value_of(heap, value));
            heap.cons(key, value)
        })
        .collect();
    heap.list(&pairs)
}

fn value_of(heap: &mut Heap, json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Int(integer),
            None => Value::Real(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => heap.string(text.as_bytes()),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| value_of(heap, item)).collect();
            heap.list(&items)
        }
        Json::Object(object) => alist(heap, object),
    }
}
