//! Quasiquotation: a template becomes an expression that builds it, from procedures that a profile cannot rebind.

use super::{Fail, Host, Machine};
use crate::scheme::builtins;
use crate::scheme::error::{ErrorKind, Limit};
use crate::scheme::value::Value;

/// How deep a quasiquoted datum may nest.
const QUASIQUOTE_DEPTH: usize = 1000;

impl<H: Host> Machine<H> {
    /// The expression that builds `datum`. Lists are walked element by element, so recursion is by nesting only.
    pub(super) fn quasiquote(&mut self, datum: Value, level: usize, depth: usize) -> Result<Value, Fail<H>> {
        if depth > QUASIQUOTE_DEPTH {
            return Err(self.error(ErrorKind::Limit(Limit::Depth(QUASIQUOTE_DEPTH))));
        }
        if let Some(items) = self.heap.vector_items(datum).map(<[Value]>::to_vec) {
            let list = self.heap.list(&items);
            let inner = self.quasiquote(list, level, depth + 1)?;
            let convert = self.builtin("list->vector");
            return Ok(self.heap.list(&[convert, inner]));
        }
        if !matches!(datum, Value::Pair(_)) {
            return Ok(self.quoted(datum));
        }
        let mut parts = Vec::new();
        let mut rest = datum;
        let mut tail = Value::Nil;
        while let Some((item, next)) = self.heap.split(rest) {
            self.heap.tick(1);
            self.check_limits()?;
            // `(a . ,b)` reads as `(a unquote b)`.
            if let Some(name) = self.quasi_name(item)
                && self.heap.length(rest) == Some(2)
            {
                tail = self.quasi_mark(name, item, self.heap.car(next), level, depth)?;
                if parts.is_empty() {
                    return Ok(tail);
                }
                rest = Value::Nil;
                break;
            }
            let spliced = match self.heap.split(item) {
                Some((head, inside)) if level == 1 && self.quasi_name(head) == Some("unquote-splicing") => {
                    Some(self.heap.car(inside))
                }
                _ => None,
            };
            let part = match spliced {
                Some(expression) => (true, expression),
                None => (false, self.quasiquote(item, level, depth + 1)?),
            };
            parts.push(part);
            rest = next;
        }
        if tail == Value::Nil {
            tail = self.quoted(rest);
        }
        let (cons, append) = (self.builtin("cons"), self.builtin("append"));
        let nil = self.quoted(Value::Nil);
        for (splice, expression) in parts.into_iter().rev() {
            tail = if !splice {
                self.heap.list(&[cons, expression, tail])
            } else if tail == nil {
                expression
            } else {
                self.heap.list(&[append, expression, tail])
            };
        }
        Ok(tail)
    }

    fn quasi_name(&self, value: Value) -> Option<&'static str> {
        let Value::Symbol(symbol) = value else { return None };
        let name = self.heap.name(symbol);
        ["unquote", "unquote-splicing", "quasiquote"].into_iter().find(|known| known.as_bytes() == name)
    }

    fn quasi_mark(
        &mut self,
        name: &str,
        symbol: Value,
        inner: Value,
        level: usize,
        depth: usize,
    ) -> Result<Value, Fail<H>> {
        let level = match name {
            "quasiquote" => level + 1,
            _ if level == 1 => return Ok(inner),
            _ => level - 1,
        };
        let built = self.quasiquote(inner, level, depth + 1)?;
        let list = self.builtin("list");
        let mark = self.quoted(symbol);
        Ok(self.heap.list(&[list, mark, built]))
    }

    fn quoted(&mut self, datum: Value) -> Value {
        let quote = Value::Symbol(self.heap.intern(b"quote"));
        match datum {
            Value::Pair(_) | Value::Symbol(_) => self.heap.list(&[quote, datum]),
            other => other,
        }
    }

    fn builtin(&self, name: &str) -> Value {
        builtins::all()
            .iter()
            .position(|builtin| builtin.name == name)
            .map_or(Value::Nil, |index| Value::Builtin(index as u16))
    }
}
