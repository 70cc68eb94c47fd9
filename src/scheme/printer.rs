//! Values as text, as `write` and `display` give it.

use super::heap::Heap;
use super::value::Value;

/// Describes values of the host; the heap does not know what they are.
pub(super) type Describe<'a> = &'a dyn Fn(Value) -> Option<String>;

enum Work {
    Value(Value),
    /// The rest of a list, after one element.
    Tail(Value),
    Text(&'static str),
}

/// `value` as text of at most about `limit` bytes; what is longer ends in `…`. Strings are quoted if `quote`.
pub(super) fn print(heap: &Heap, value: Value, quote: bool, limit: usize, describe: Describe<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut work = vec![Work::Value(value)];
    while let Some(item) = work.pop() {
        if out.len() >= limit || work.len() > limit {
            out.truncate(limit);
            out.extend_from_slice("…".as_bytes());
            break;
        }
        match item {
            Work::Text(text) => out.extend_from_slice(text.as_bytes()),
            Work::Value(value) => one(heap, value, quote, &mut out, &mut work, describe),
            Work::Tail(rest) => match heap.split(rest) {
                Some((car, cdr)) => {
                    out.push(b' ');
                    work.push(Work::Tail(cdr));
                    work.push(Work::Value(car));
                }
                None if rest == Value::Nil => out.push(b')'),
                None => {
                    out.extend_from_slice(b" . ");
                    work.push(Work::Text(")"));
                    work.push(Work::Value(rest));
                }
            },
        }
    }
    out
}

fn one(heap: &Heap, value: Value, quote: bool, out: &mut Vec<u8>, work: &mut Vec<Work>, describe: Describe<'_>) {
    match value {
        Value::Nil => out.extend_from_slice(b"()"),
        Value::Bool(truth) => out.extend_from_slice(if truth { b"#t" } else { b"#f" }),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Real(number) => out.extend_from_slice(real_text(number).as_bytes()),
        Value::Char(byte) if quote => match byte {
            b' ' => out.extend_from_slice(b"#\\space"),
            b'\n' => out.extend_from_slice(b"#\\newline"),
            b'\r' => out.extend_from_slice(b"#\\return"),
            b'\t' => out.extend_from_slice(b"#\\tab"),
            0..0x20 | 0x7f.. => out.extend_from_slice(format!("#\\x{byte:x}").as_bytes()),
            _ => out.extend_from_slice(&[b'#', b'\\', byte]),
        },
        Value::Char(byte) => out.push(byte),
        Value::Symbol(symbol) => out.extend_from_slice(heap.name(symbol)),
        Value::String(_) => {
            let bytes = heap.bytes(value).unwrap_or_default();
            if quote {
                crate::syntax::write_string(out, bytes);
            } else {
                out.extend_from_slice(bytes);
            }
        }
        Value::Pair(_) => {
            let (car, cdr) = (heap.car(value), heap.cdr(value));
            let mark = match (car, heap.split(cdr)) {
                (Value::Symbol(symbol), Some((datum, Value::Nil))) => {
                    quote_mark(heap.name(symbol)).map(|mark| (mark, datum))
                }
                _ => None,
            };
            if let Some((mark, datum)) = mark {
                out.extend_from_slice(mark);
                work.push(Work::Value(datum));
            } else {
                out.push(b'(');
                work.push(Work::Tail(cdr));
                work.push(Work::Value(car));
            }
        }
        Value::Vector(_) => {
            let items = heap.vector_items(value).unwrap_or_default();
            out.extend_from_slice(b"#(");
            work.push(Work::Text(")"));
            for (index, item) in items.iter().enumerate().rev() {
                work.push(Work::Value(*item));
                if index > 0 {
                    work.push(Work::Text(" "));
                }
            }
        }
        Value::Eof => out.extend_from_slice(b"#<EOF>"),
        other => match describe(other).or_else(|| heap.closure_name(other)) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => out.extend_from_slice(format!("#<{}>", other.type_name().to_uppercase()).as_bytes()),
        },
    }
}

fn quote_mark(name: &[u8]) -> Option<&'static [u8]> {
    Some(match name {
        b"quote" => b"'",
        b"quasiquote" => b"`",
        b"unquote" => b",",
        b"unquote-splicing" => b",@",
        _ => return None,
    })
}

/// A real number with a point, so that it reads back as one.
pub(super) fn real_text(number: f64) -> String {
    let text = number.to_string();
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') { text + ".0" } else { text }
}
