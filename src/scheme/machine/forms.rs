//! Special forms.

use super::{Cont, Fail, Host, Machine, State, Step};
use crate::scheme::error::ErrorKind;
use crate::scheme::heap::{Closure, Promise};
use crate::scheme::special::Special;
use crate::scheme::value::{Env, Symbol, Value};

impl<H: Host> Machine<H> {
    pub(super) fn special(&mut self, special: Special, form: Value, env: Env) -> Step<H> {
        let rest = self.heap.cdr(form);
        let (first, after) = self.heap.split(rest).unwrap_or((Value::Nil, Value::Nil));
        Ok(match special {
            Special::Quote => State::Return(first),
            Special::Lambda => State::Return(self.lambda(first, after, env)),
            Special::Define => return self.define(first, after, env),
            Special::If => {
                if rest == Value::Nil {
                    return Err(self.syntax_error("if"));
                }
                self.stack.push(Cont::If { branches: after, env });
                self.eval_car(rest, env)
            }
            Special::Begin => self.sequence(rest, env),
            Special::Set => {
                let Value::Symbol(symbol) = first else { return Err(self.error(ErrorKind::NotSymbol)) };
                self.stack.push(Cont::Set { symbol, cell: rest, env });
                self.eval_car(after, env)
            }
            Special::Let => return self.let_form(form, env),
            Special::LetStar => return self.let_star(form, env),
            Special::LetRec => {
                let env = self.heap.frame(env);
                let base = self.values.len();
                return self.letrec(form, first, env, base);
            }
            Special::Cond => {
                if !matches!(first, Value::Pair(_)) {
                    return Err(self.syntax_error("cond"));
                }
                self.stack.push(Cont::Cond { clauses: rest, env });
                self.eval_car(first, env)
            }
            Special::Case => {
                self.stack.push(Cont::Case { clauses: after, env });
                self.eval_car(rest, env)
            }
            Special::And => match rest {
                Value::Nil => State::Return(Value::Bool(true)),
                _ => self.logic(rest, env, |rest, env| Cont::And { rest, env }),
            },
            Special::Or => match rest {
                Value::Nil => State::Return(Value::Bool(false)),
                _ => self.logic(rest, env, |rest, env| Cont::Or { rest, env }),
            },
            Special::Delay => State::Return(self.heap.promise(Promise::Waiting { expression: first, env })),
            Special::ConsStream => {
                self.stack.push(Cont::ConsStream { expression: self.heap.car(after), env });
                self.eval_car(rest, env)
            }
            Special::Macro => {
                if let Some((name, parameters)) = self.heap.split(first) {
                    let Value::Symbol(symbol) = name else { return Err(self.error(ErrorKind::NotSymbol)) };
                    let lambda = self.lambda(parameters, after, env);
                    return Ok(self.define_macro(symbol, lambda, env));
                }
                let Value::Symbol(symbol) = first else { return Err(self.error(ErrorKind::NotSymbol)) };
                self.stack.push(Cont::DefineMacro { symbol, env });
                self.eval_car(after, env)
            }
            Special::When | Special::Unless => {
                let unless = special == Special::Unless;
                self.stack.push(Cont::Guard { unless, body: after, env });
                self.eval_car(rest, env)
            }
            Special::Quasiquote => {
                let expression = self.quasiquote(first, 1, 0)?;
                State::Eval { expression, cell: Value::Nil, env }
            }
        })
    }

    pub(super) fn logic(&mut self, rest: Value, env: Env, cont: fn(Value, Env) -> Cont) -> State {
        let after = self.heap.cdr(rest);
        if after != Value::Nil {
            self.stack.push(cont(after, env));
        }
        self.eval_car(rest, env)
    }

    pub(super) fn lambda(&mut self, parameters: Value, body: Value, env: Env) -> Value {
        Value::Closure(self.heap.closure(Closure { parameters, body, env, name: None }))
    }

    pub(super) fn define(&mut self, target: Value, rest: Value, env: Env) -> Step<H> {
        match target {
            Value::Symbol(symbol) if rest != Value::Nil => {
                self.stack.push(Cont::Define { symbol, env });
                Ok(self.eval_car(rest, env))
            }
            Value::Symbol(_) => Err(self.syntax_error("define")),
            _ => match self.heap.split(target) {
                Some((Value::Symbol(symbol), parameters)) => {
                    let value = self.lambda(parameters, rest, env);
                    self.heap.name_closure(value, symbol);
                    self.heap.define(symbol, value, env);
                    Ok(State::Return(Value::Symbol(symbol)))
                }
                _ => Err(self.error(ErrorKind::NotSymbol)),
            },
        }
    }

    pub(super) fn define_macro(&mut self, symbol: Symbol, lambda: Value, env: Env) -> State {
        let value = match lambda {
            Value::Closure(index) => Value::Macro(index),
            other => other,
        };
        self.heap.name_closure(value, symbol);
        self.heap.define(symbol, value, env);
        State::Return(Value::Symbol(symbol))
    }

    /// `(let ((v e) …) body …)` and `(let name ((v e) …) body …)`.
    pub(super) fn let_form(&mut self, form: Value, env: Env) -> Step<H> {
        let rest = self.heap.cdr(form);
        let first = self.heap.car(rest);
        let bindings = if matches!(first, Value::Symbol(_)) { self.heap.car(self.heap.cdr(rest)) } else { first };
        let base = self.values.len();
        self.let_values(form, bindings, env, base)
    }

    /// Evaluates the next binding of a `let`, or binds all and runs the body.
    pub(super) fn let_values(&mut self, form: Value, rest: Value, env: Env, base: usize) -> Step<H> {
        if let Some((binding, next)) = self.heap.split(rest) {
            let value = self.heap.cdr(binding);
            if !matches!(value, Value::Pair(_)) {
                return Err(self.syntax_error("let"));
            }
            self.stack.push(Cont::Let { form, rest: next, env, base: base as u32 });
            return Ok(self.eval_car(value, env));
        }
        let rest = self.heap.cdr(form);
        let (first, after) = self.heap.split(rest).unwrap_or((Value::Nil, Value::Nil));
        let mut outer = env;
        let (bindings, body) = match first {
            Value::Symbol(name) => {
                outer = self.heap.frame(env);
                let (bindings, body) = self.heap.split(after).unwrap_or((Value::Nil, Value::Nil));
                let (items, _) = self.heap.elements(bindings);
                let names: Vec<_> = items.iter().map(|&binding| self.heap.car(binding)).collect();
                let parameters = self.heap.list(&names);
                let procedure = self.lambda(parameters, body, outer);
                self.heap.name_closure(procedure, name);
                self.heap.bind_new(name, procedure, outer);
                (bindings, body)
            }
            bindings => (bindings, after),
        };
        let inner = self.heap.frame(outer);
        let mut rest = bindings;
        let values = self.values.split_off(base);
        for value in values {
            let (binding, next) = self.heap.split(rest).unwrap_or((Value::Nil, Value::Nil));
            let Value::Symbol(symbol) = self.heap.car(binding) else { return Err(self.error(ErrorKind::NotSymbol)) };
            self.heap.name_closure(value, symbol);
            self.heap.define(symbol, value, inner);
            rest = next;
        }
        Ok(self.sequence(body, inner))
    }

    pub(super) fn let_star(&mut self, form: Value, env: Env) -> Step<H> {
        let bindings = self.heap.car(self.heap.cdr(form));
        if bindings == Value::Nil {
            let inner = self.heap.frame(env);
            let body = self.heap.cdr(self.heap.cdr(form));
            return Ok(self.sequence(body, inner));
        }
        self.let_star_next(form, bindings, env, true)
    }

    /// Only the first value is computed outside: all bindings share one frame (`spec/sbpl-language.md` section 3).
    pub(super) fn let_star_next(&mut self, form: Value, rest: Value, env: Env, first: bool) -> Step<H> {
        let Some((binding, next)) = self.heap.split(rest) else {
            let body = self.heap.cdr(self.heap.cdr(form));
            return Ok(self.sequence(body, env));
        };
        let value = self.heap.cdr(binding);
        match self.heap.car(binding) {
            Value::Symbol(symbol) if matches!(value, Value::Pair(_)) => {
                self.stack.push(Cont::LetStar { form, rest: next, symbol, env, first });
                Ok(self.eval_car(value, env))
            }
            _ => Err(self.syntax_error("let*")),
        }
    }

    pub(super) fn letrec(&mut self, form: Value, rest: Value, env: Env, base: usize) -> Step<H> {
        if let Some((binding, next)) = self.heap.split(rest) {
            let value = self.heap.cdr(binding);
            if !matches!((self.heap.car(binding), value), (Value::Symbol(_), Value::Pair(_))) {
                return Err(self.syntax_error("letrec"));
            }
            self.stack.push(Cont::LetRec { form, rest: next, env, base: base as u32 });
            return Ok(self.eval_car(value, env));
        }
        let (mut bindings, body) = self.heap.split(self.heap.cdr(form)).unwrap_or((Value::Nil, Value::Nil));
        let values = self.values.split_off(base);
        for value in values {
            if let Value::Symbol(symbol) = self.heap.car(self.heap.car(bindings)) {
                self.heap.name_closure(value, symbol);
                self.heap.define(symbol, value, env);
            }
            bindings = self.heap.cdr(bindings);
        }
        Ok(self.sequence(body, env))
    }

    pub(super) fn cond(&mut self, clauses: Value, value: Value, env: Env) -> Step<H> {
        let (clause, rest) = self.heap.split(clauses).unwrap_or((Value::Nil, Value::Nil));
        if value.is_true() {
            let body = self.heap.cdr(clause);
            if body == Value::Nil {
                return Ok(State::Return(value));
            }
            if let Value::Symbol(symbol) = self.heap.car(body)
                && self.heap.name(symbol) == b"=>"
            {
                let receiver = self.heap.cdr(body);
                if !matches!(receiver, Value::Pair(_)) {
                    return Err(self.syntax_error("cond"));
                }
                self.stack.push(Cont::Arrow { value, form: self.current, env });
                return Ok(self.eval_car(receiver, env));
            }
            return Ok(self.sequence(body, env));
        }
        let Some((next, _)) = self.heap.split(rest) else { return Ok(State::Return(Value::Nil)) };
        if !matches!(next, Value::Pair(_)) {
            return Err(self.syntax_error("cond"));
        }
        if let Value::Symbol(symbol) = self.heap.car(next)
            && self.heap.name(symbol) == b"else"
        {
            let body = self.heap.cdr(next);
            return Ok(self.sequence(body, env));
        }
        self.stack.push(Cont::Cond { clauses: rest, env });
        Ok(self.eval_car(next, env))
    }

    pub(super) fn case(&mut self, clauses: Value, value: Value, env: Env) -> State {
        let (clauses, _) = self.heap.elements(clauses);
        for clause in clauses {
            let (data, body) = self.heap.split(clause).unwrap_or((Value::Nil, Value::Nil));
            let matched = match data {
                // `else`, or any other datum that is no list.
                Value::Symbol(_) => true,
                list => self.heap.elements(list).0.iter().any(|&datum| self.heap.eqv(datum, value)),
            };
            if matched {
                return self.sequence(body, env);
            }
        }
        State::Return(Value::Nil)
    }

    fn syntax_error(&self, form: &'static str) -> Fail<H> {
        self.error(ErrorKind::Syntax(form))
    }
}
