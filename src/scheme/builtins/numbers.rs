//! Numbers: 64-bit integers that wrap, and doubles.

use super::{Builtin, Fault, argument, between, exactly, from, integer, size};
use crate::scheme::heap::Heap;
use crate::scheme::value::Value;

pub(super) const BUILTINS: &[Builtin] = &[
    from("+", 0, |_, arguments| fold(arguments, Value::Int(0), i64::wrapping_add, |a, b| a + b)),
    from("*", 0, |_, arguments| fold(arguments, Value::Int(1), i64::wrapping_mul, |a, b| a * b)),
    from("-", 1, |_, arguments| match arguments {
        [_] => fold(&[Value::Int(0), argument(arguments, 0)], Value::Nil, i64::wrapping_sub, |a, b| a - b)
            .map_err(|_| Fault::Type { index: 1, expected: "number" }),
        _ => fold(arguments, Value::Nil, i64::wrapping_sub, |a, b| a - b),
    }),
    from("/", 1, divide),
    exactly("quotient", 2, |_, arguments| whole(arguments, i64::wrapping_div)),
    exactly("remainder", 2, |_, arguments| whole(arguments, i64::wrapping_rem)),
    exactly("modulo", 2, |_, arguments| {
        whole(arguments, |a, b| {
            let rest = a.wrapping_rem(b);
            if rest != 0 && (rest < 0) != (b < 0) { rest.wrapping_add(b) } else { rest }
        })
    }),
    from("=", 2, |_, arguments| compare(arguments, |order| order.is_eq())),
    from("<", 2, |_, arguments| compare(arguments, |order| order.is_lt())),
    from(">", 2, |_, arguments| compare(arguments, |order| order.is_gt())),
    from("<=", 2, |_, arguments| compare(arguments, |order| order.is_le())),
    from(">=", 2, |_, arguments| compare(arguments, |order| order.is_ge())),
    from("<>", 2, |_, arguments| compare(arguments, |order| order.is_ne())),
    exactly("number?", 1, |_, arguments| Ok(Value::Bool(is_number(arguments)))),
    exactly("complex?", 1, |_, arguments| Ok(Value::Bool(is_number(arguments)))),
    exactly("real?", 1, |_, arguments| Ok(Value::Bool(is_number(arguments)))),
    exactly("rational?", 1, |_, arguments| Ok(Value::Bool(is_number(arguments)))),
    exactly("integer?", 1, |_, arguments| Ok(Value::Bool(integer(arguments, 0).is_ok()))),
    exactly("exact?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Int(_))))),
    exactly("inexact?", 1, |_, arguments| Ok(Value::Bool(matches!(argument(arguments, 0), Value::Real(_))))),
    exactly("even?", 1, |_, arguments| Ok(Value::Bool(integer(arguments, 0)? & 1 == 0))),
    exactly("odd?", 1, |_, arguments| Ok(Value::Bool(integer(arguments, 0)? & 1 == 1))),
    exactly("zero?", 1, |_, arguments| compare(&[argument(arguments, 0), Value::Int(0)], |order| order.is_eq())),
    exactly("positive?", 1, |_, arguments| compare(&[argument(arguments, 0), Value::Int(0)], |order| order.is_gt())),
    exactly("negative?", 1, |_, arguments| compare(&[argument(arguments, 0), Value::Int(0)], |order| order.is_lt())),
    exactly("abs", 1, |_, arguments| match argument(arguments, 0) {
        Value::Int(number) => Ok(Value::Int(number.wrapping_abs())),
        _ => Ok(Value::Real(real(arguments, 0)?.abs())),
    }),
    from("max", 1, |_, arguments| choose(arguments, |order| order.is_gt())),
    from("min", 1, |_, arguments| choose(arguments, |order| order.is_lt())),
    exactly("succ", 1, |_, arguments| {
        fold(&[argument(arguments, 0), Value::Int(1)], Value::Nil, i64::wrapping_add, |a, b| a + b)
    }),
    exactly("pred", 1, |_, arguments| {
        fold(&[argument(arguments, 0), Value::Int(1)], Value::Nil, i64::wrapping_sub, |a, b| a - b)
    }),
    from("gcd", 0, |_, arguments| {
        let mut result = 0u64;
        for index in 0..arguments.len() {
            result = gcd(result, integer(arguments, index)?.unsigned_abs());
        }
        Ok(Value::Int(result as i64))
    }),
    from("lcm", 0, |_, arguments| {
        let mut result = 1u64;
        for index in 0..arguments.len() {
            let number = integer(arguments, index)?.unsigned_abs();
            result = match gcd(result, number) {
                0 => 0,
                divisor => (result / divisor).wrapping_mul(number),
            };
        }
        Ok(Value::Int(result as i64))
    }),
    exactly("inexact->exact", 1, |_, arguments| match argument(arguments, 0) {
        Value::Int(number) => Ok(Value::Int(number)),
        _ => Ok(Value::Int(real(arguments, 0)? as i64)),
    }),
    exactly("exact->inexact", 1, |_, arguments| Ok(Value::Real(real(arguments, 0)?))),
    between("number->string", 1, 2, number_to_string),
    between("string->number", 1, 2, |heap, arguments| {
        let radix = radix(arguments)?;
        let text = super::bytes(heap, arguments, 0)?;
        heap.tick_cells(text.len());
        Ok(parse(text, radix).unwrap_or(Value::Bool(false)))
    }),
    exactly("floor", 1, |_, arguments| round(arguments, f64::floor)),
    exactly("ceiling", 1, |_, arguments| round(arguments, f64::ceil)),
    exactly("truncate", 1, |_, arguments| round(arguments, f64::trunc)),
    exactly("round", 1, |_, arguments| round(arguments, f64::round_ties_even)),
    exactly("exp", 1, |_, arguments| Ok(Value::Real(real(arguments, 0)?.exp()))),
    exactly("log", 1, |_, arguments| Ok(Value::Real(real(arguments, 0)?.ln()))),
    exactly("sin", 1, |_, arguments| Ok(Value::Real(real(arguments, 0)?.sin()))),
    exactly("cos", 1, |_, arguments| Ok(Value::Real(real(arguments, 0)?.cos()))),
    exactly("tan", 1, |_, arguments| Ok(Value::Real(real(arguments, 0)?.tan()))),
    exactly("asin", 1, |_, arguments| Ok(Value::Real(real(arguments, 0)?.asin()))),
    exactly("acos", 1, |_, arguments| Ok(Value::Real(real(arguments, 0)?.acos()))),
    between("atan", 1, 2, |_, arguments| match arguments {
        [_] => Ok(Value::Real(real(arguments, 0)?.atan())),
        _ => Ok(Value::Real(real(arguments, 0)?.atan2(real(arguments, 1)?))),
    }),
    exactly("sqrt", 1, |_, arguments| Ok(Value::Real(real(arguments, 0)?.sqrt()))),
    exactly("expt", 2, |_, arguments| match (argument(arguments, 0), argument(arguments, 1)) {
        (Value::Int(base), Value::Int(exponent @ 0..=0xffff_ffff)) => {
            Ok(Value::Int(base.wrapping_pow(exponent as u32)))
        }
        _ => Ok(Value::Real(real(arguments, 0)?.powf(real(arguments, 1)?))),
    }),
];

fn is_number(arguments: &[Value]) -> bool {
    matches!(argument(arguments, 0), Value::Int(_) | Value::Real(_))
}

fn real(arguments: &[Value], index: usize) -> Result<f64, Fault> {
    match argument(arguments, index) {
        Value::Int(number) => Ok(number as f64),
        Value::Real(number) => Ok(number),
        _ => Err(Fault::Type { index: index + 1, expected: "number" }),
    }
}

fn fold(
    arguments: &[Value],
    start: Value,
    ints: fn(i64, i64) -> i64,
    reals: fn(f64, f64) -> f64,
) -> Result<Value, Fault> {
    let mut result = start;
    for index in 0..arguments.len() {
        let next = argument(arguments, index);
        result = match (result, next) {
            (Value::Int(a), Value::Int(b)) => Value::Int(ints(a, b)),
            (Value::Nil, _) => {
                real(arguments, index)?;
                next
            }
            (a, _) => Value::Real(reals(real(&[a], 0)?, real(arguments, index)?)),
        };
    }
    Ok(result)
}

/// Exact when the division leaves no rest.
fn divide(_: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    let one = [Value::Int(1), argument(arguments, 0)];
    let arguments = if arguments.len() == 1 { &one } else { arguments };
    let mut result = argument(arguments, 0);
    real(arguments, 0)?;
    for index in 1..arguments.len() {
        if real(arguments, index)? == 0.0 {
            return Err(Fault::Domain("division by zero"));
        }
        result = match (result, argument(arguments, index)) {
            (Value::Int(a), Value::Int(b)) if a.wrapping_rem(b) == 0 => Value::Int(a.wrapping_div(b)),
            (a, _) => Value::Real(real(&[a], 0)? / real(arguments, index)?),
        };
    }
    Ok(result)
}

fn whole(arguments: &[Value], operation: fn(i64, i64) -> i64) -> Result<Value, Fault> {
    match (integer(arguments, 0)?, integer(arguments, 1)?) {
        (_, 0) => Err(Fault::Domain("division by zero")),
        (a, b) => Ok(Value::Int(operation(a, b))),
    }
}

fn order(arguments: &[Value], a: usize, b: usize) -> Result<Option<std::cmp::Ordering>, Fault> {
    Ok(match (argument(arguments, a), argument(arguments, b)) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
        _ => real(arguments, a)?.partial_cmp(&real(arguments, b)?),
    })
}

fn compare(arguments: &[Value], holds: fn(std::cmp::Ordering) -> bool) -> Result<Value, Fault> {
    for index in 1..arguments.len() {
        if !order(arguments, index - 1, index)?.is_some_and(holds) {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn choose(arguments: &[Value], better: fn(std::cmp::Ordering) -> bool) -> Result<Value, Fault> {
    real(arguments, 0)?;
    let mut best = 0;
    for index in 1..arguments.len() {
        if order(arguments, index, best)?.is_some_and(better) {
            best = index;
        }
    }
    Ok(argument(arguments, best))
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn round(arguments: &[Value], rounding: fn(f64) -> f64) -> Result<Value, Fault> {
    match argument(arguments, 0) {
        Value::Int(number) => Ok(Value::Int(number)),
        _ => Ok(Value::Real(rounding(real(arguments, 0)?))),
    }
}

fn radix(arguments: &[Value]) -> Result<u32, Fault> {
    match if arguments.len() > 1 { size(arguments, 1)? } else { 10 } {
        radix @ (2 | 8 | 10 | 16) => Ok(radix as u32),
        _ => Err(Fault::Domain("radix must be 2, 8, 10 or 16")),
    }
}

fn number_to_string(heap: &mut Heap, arguments: &[Value]) -> Result<Value, Fault> {
    let radix = radix(arguments)?;
    let text = match argument(arguments, 0) {
        Value::Int(number) => {
            let (sign, size) = if number < 0 { ("-", number.unsigned_abs()) } else { ("", number as u64) };
            match radix {
                2 => format!("{sign}{size:b}"),
                8 => format!("{sign}{size:o}"),
                16 => format!("{sign}{size:x}"),
                _ => number.to_string(),
            }
        }
        _ => crate::scheme::printer::real_text(real(arguments, 0)?),
    };
    Ok(heap.string(text))
}

/// The number that the whole text is.
pub(super) fn parse(text: &[u8], radix: u32) -> Option<Value> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(number) = i64::from_str_radix(text, radix) {
        return Some(Value::Int(number));
    }
    let starts = text.bytes().find(|byte| !matches!(byte, b'+' | b'-' | b'.'));
    (radix == 10 && starts.is_some_and(|byte| byte.is_ascii_digit())).then(|| text.parse().ok().map(Value::Real))?
}
