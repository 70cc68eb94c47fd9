//! Characters: single bytes, with letters and digits of ASCII.

use super::{Builtin, Fault, character, exactly, from, integer};
use crate::scheme::heap::Heap;
use crate::scheme::value::Value;

pub(super) const BUILTINS: &[Builtin] = &[
    exactly("char?", 1, |_, arguments| Ok(Value::Bool(character(arguments, 0).is_ok()))),
    exactly("char->integer", 1, |_, arguments| Ok(Value::Int(i64::from(character(arguments, 0)?)))),
    exactly("integer->char", 1, |_, arguments| Ok(Value::Char(integer(arguments, 0)? as u8))),
    exactly("char-upcase", 1, |_, arguments| Ok(Value::Char(character(arguments, 0)?.to_ascii_uppercase()))),
    exactly("char-downcase", 1, |_, arguments| Ok(Value::Char(character(arguments, 0)?.to_ascii_lowercase()))),
    exactly("char-alphabetic?", 1, |_, arguments| is(arguments, |byte| byte.is_ascii_alphabetic())),
    exactly("char-numeric?", 1, |_, arguments| is(arguments, |byte| byte.is_ascii_digit())),
    exactly("char-whitespace?", 1, |_, arguments| is(arguments, |byte| byte.is_ascii_whitespace() || byte == 0x0b)),
    exactly("char-upper-case?", 1, |_, arguments| is(arguments, |byte| byte.is_ascii_uppercase())),
    exactly("char-lower-case?", 1, |_, arguments| is(arguments, |byte| byte.is_ascii_lowercase())),
    from("char=?", 2, |heap, arguments| compare(heap, arguments, |a, b| a == b)),
    from("char<?", 2, |heap, arguments| compare(heap, arguments, |a, b| a < b)),
    from("char>?", 2, |heap, arguments| compare(heap, arguments, |a, b| a > b)),
    from("char<=?", 2, |heap, arguments| compare(heap, arguments, |a, b| a <= b)),
    from("char>=?", 2, |heap, arguments| compare(heap, arguments, |a, b| a >= b)),
    from("char-ci=?", 2, |heap, arguments| compare(heap, &lower(arguments), |a, b| a == b)),
    from("char-ci<?", 2, |heap, arguments| compare(heap, &lower(arguments), |a, b| a < b)),
    from("char-ci>?", 2, |heap, arguments| compare(heap, &lower(arguments), |a, b| a > b)),
    from("char-ci<=?", 2, |heap, arguments| compare(heap, &lower(arguments), |a, b| a <= b)),
    from("char-ci>=?", 2, |heap, arguments| compare(heap, &lower(arguments), |a, b| a >= b)),
];

fn is(arguments: &[Value], test: fn(u8) -> bool) -> Result<Value, Fault> {
    character(arguments, 0).map(|byte| Value::Bool(test(byte)))
}

fn lower(arguments: &[Value]) -> Vec<Value> {
    let fold = |value: &Value| match value {
        Value::Char(byte) => Value::Char(byte.to_ascii_lowercase()),
        other => *other,
    };
    arguments.iter().map(fold).collect()
}

fn compare(_: &mut Heap, arguments: &[Value], holds: fn(u8, u8) -> bool) -> Result<Value, Fault> {
    for index in 1..arguments.len() {
        if !holds(character(arguments, index - 1)?, character(arguments, index)?) {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}
