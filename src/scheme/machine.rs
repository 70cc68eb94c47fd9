//! The machine: runs forms with an explicit stack.
//!
//! **Invariants:** native recursion never depends on the program or its data; every step is counted ([`Heap::work`]); a call in
//! tail position adds nothing to the stack but, at most [`TAIL_MARKS`] times in a row, a mark that lets errors and rules say
//! where they come from.

use super::builtins::{self, Control, Implementation};
use super::error::{ErrorKind, Limit, RunError, Trace, TraceKind};
use super::heap::{Closure, Heap, Promise};
use super::reader::read_all;
use super::special::{FIXED, REBINDABLE, Special};
use super::value::{Env, HostValue, Ref, Symbol, Value};
use std::sync::OnceLock;

use crate::diag::Location;
use crate::syntax::{SyntaxLimits, Tree, parse};

/// How many tail calls in a row leave a mark each.
const TAIL_MARKS: u8 = 8;
/// Steps of an error's way that are kept.
const TRACE_LENGTH: usize = 32;
/// How deep a quasiquoted datum may nest.
const QUASIQUOTE_DEPTH: usize = 1000;

/// Bounds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineLimits {
    /// Machine steps.
    pub steps: u64,
    /// Bytes of all values.
    pub heap_bytes: usize,
    /// Entries of the stack.
    pub depth: usize,
}

/// What the machine is embedded in: gives names that the program does not bind, and procedures that act on the outside.
pub trait Host {
    /// What its procedures fail with.
    type Error: Clone + PartialEq + std::fmt::Debug + std::fmt::Display;

    /// The value of a name that nothing binds at top level. The machine keeps what it gets.
    fn global(&mut self, name: &[u8], heap: &mut Heap) -> Option<Value>;

    /// Calls one of its procedures.
    ///
    /// # Errors
    /// Whatever the host refuses; the machine adds the place.
    fn call(&mut self, procedure: HostValue, call: &Call<'_>, heap: &mut Heap)
    -> Result<Outcome, Failure<Self::Error>>;

    /// The text that [`Outcome::Run`] named has been run to its end.
    fn text_ended(&mut self, text: u32, heap: &mut Heap);

    /// A value of the host as text.
    fn describe(&self, value: Value) -> Option<String>;
}

/// Why a host procedure failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure<H> {
    /// The host's own reasons.
    Host(H),
    /// Argument `index` (from 1) of `name` is not `expected`.
    ArgumentType {
        /// The procedure.
        name: &'static str,
        /// Which argument, from 1.
        index: usize,
        /// What it wants.
        expected: &'static str,
    },
}

impl<H> From<H> for Failure<H> {
    fn from(error: H) -> Self {
        Self::Host(error)
    }
}

/// A call of a host procedure.
pub struct Call<'a> {
    /// The arguments.
    pub arguments: &'a [Value],
    /// The form that makes the call.
    pub form: Value,
    stack: &'a [Cont],
}

/// What a host procedure wants to happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The call gives this value.
    Value(Value),
    /// The forms of this list are run at top level, one by one; the host is told when the last is done.
    Run {
        /// A list of forms.
        forms: Value,
        /// What the host calls the text.
        text: u32,
    },
}

impl Call<'_> {
    /// Where the call was written, and the calls and texts around it, innermost first. A call that a macro or a library
    /// procedure made up counts as written where the program called that.
    pub fn way(&self, heap: &Heap) -> (Option<Location>, Vec<Trace>) {
        heap.tick_cells(self.stack.len());
        let mut location = heap.list_location(self.form);
        let mut way = Vec::new();
        for trace in traces(self.stack, heap) {
            if location.is_none() && trace.location.is_some() {
                location = trace.location;
            } else if trace.location.is_some() {
                way.push(trace);
            }
            if way.len() == TRACE_LENGTH {
                break;
            }
        }
        (location, way)
    }
}

/// What happens with a value when it is there.
#[derive(Debug, Clone, Copy)]
enum Cont {
    /// `form` waits for its operator or for the argument before `rest`; what is there begins at `base` of the value stack.
    Arguments {
        form: Value,
        rest: Value,
        env: Env,
        base: u32,
    },
    If {
        branches: Value,
        env: Env,
    },
    Sequence {
        rest: Value,
        env: Env,
    },
    Define {
        symbol: Symbol,
        env: Env,
    },
    DefineMacro {
        symbol: Symbol,
        env: Env,
    },
    Set {
        symbol: Symbol,
        cell: Value,
        env: Env,
    },
    Cond {
        clauses: Value,
        env: Env,
    },
    Arrow {
        value: Value,
        form: Value,
        env: Env,
    },
    Case {
        clauses: Value,
        env: Env,
    },
    And {
        rest: Value,
        env: Env,
    },
    Or {
        rest: Value,
        env: Env,
    },
    Guard {
        unless: bool,
        body: Value,
        env: Env,
    },
    /// The value of one binding of `let` has come; `rest` are the bindings after it.
    Let {
        form: Value,
        rest: Value,
        env: Env,
        base: u32,
    },
    LetStar {
        form: Value,
        rest: Value,
        symbol: Symbol,
        env: Env,
        first: bool,
    },
    LetRec {
        form: Value,
        rest: Value,
        env: Env,
        base: u32,
    },
    ConsStream {
        expression: Value,
        env: Env,
    },
    /// A macro's expansion has come and is evaluated where the macro was called.
    Expanded {
        env: Env,
    },
    KeepPromise {
        promise: Ref,
    },
    /// A procedure of the program is running.
    Call {
        form: Value,
        callee: Value,
        run: u8,
    },
    /// A text of the host is running.
    Text {
        form: Value,
        text: u32,
    },
}

enum State {
    /// Evaluate `expression`, the first element of `cell` if it was read.
    Eval {
        expression: Value,
        cell: Value,
        env: Env,
    },
    Return(Value),
    /// Call the value at `base` of the value stack with those after it.
    Apply {
        form: Value,
        env: Env,
        base: usize,
    },
}

/// Runs programs for a host.
pub struct Machine<H: Host> {
    /// All values.
    pub heap: Heap,
    /// What the machine is embedded in.
    pub host: H,
    limits: MachineLimits,
    stack: Vec<Cont>,
    values: Vec<Value>,
    continuations: Vec<(Vec<Cont>, Vec<Value>)>,
    /// The list whose evaluation began last: what Apple's messages show.
    current: Value,
}

/// What [`Machine::run`] fails with.
pub type Fail<H> = Box<RunError<<H as Host>::Error>>;
type Step<H> = Result<State, Fail<H>>;

impl<H: Host> Machine<H> {
    /// A machine that knows the core of the language; [`Machine::run_library`] adds the rest.
    pub fn new(host: H, limits: MachineLimits) -> Self {
        let mut heap = Heap::new(limits.heap_bytes);
        for (name, _) in FIXED {
            heap.intern(name.as_bytes());
        }
        for (name, special) in REBINDABLE {
            let symbol = heap.intern(name.as_bytes());
            heap.define_global(symbol, Value::Special(special));
        }
        for (index, builtin) in builtins::all().iter().enumerate() {
            let symbol = heap.intern(builtin.name.as_bytes());
            heap.define_global(symbol, Value::Builtin(index as u16));
        }
        Self {
            heap,
            host,
            limits,
            stack: Vec::new(),
            values: Vec::new(),
            continuations: Vec::new(),
            current: Value::Nil,
        }
    }

    /// A machine that knows the whole language.
    ///
    /// # Errors
    /// Limits too small for it.
    pub fn with_library(host: H, limits: MachineLimits) -> Result<Self, Fail<H>> {
        let mut machine = Self::new(host, limits);
        machine.run_library()?;
        Ok(machine)
    }

    /// Defines the part of the language that is written in itself.
    ///
    /// # Errors
    /// Limits too small for it.
    pub fn run_library(&mut self) -> Result<Value, Fail<H>> {
        let forms = read_all(&mut self.heap, library(), None);
        self.run(forms)
    }

    /// Runs the forms of a list at top level and gives the value of the last.
    ///
    /// # Errors
    /// The first error stops the run; the machine can be used again.
    pub fn run(&mut self, forms: Value) -> Result<Value, Fail<H>> {
        let (bottom, values) = (self.stack.len(), self.values.len());
        let result = self.run_from(bottom, forms);
        self.stack.truncate(bottom);
        self.values.truncate(values);
        result
    }

    fn run_from(&mut self, bottom: usize, forms: Value) -> Result<Value, Fail<H>> {
        let mut state = self.sequence(forms, Env::GLOBAL);
        loop {
            self.heap.tick(1);
            self.check_limits()?;
            let step = match state {
                State::Eval { expression, cell, env } => self.eval(expression, cell, env),
                State::Apply { form, env, base } => self.apply(form, env, base),
                State::Return(value) => {
                    if self.stack.len() <= bottom {
                        return Ok(value);
                    }
                    match self.stack.pop() {
                        Some(cont) => self.resume(cont, value),
                        None => return Ok(value),
                    }
                }
            };
            state = match step {
                Ok(state) => state,
                Err(error) => self.handle(error)?,
            };
        }
    }

    /// `catch` keeps its handlers in a variable of the library. What a limit stopped stays stopped.
    fn handle(&mut self, error: Fail<H>) -> Step<H> {
        let symbol = self.heap.intern(b"*handlers*");
        let handlers = self.heap.global(symbol).and_then(|handlers| self.heap.split(handlers));
        let Some((handler, rest)) = handlers.filter(|_| !matches!(error.kind, ErrorKind::Limit(_))) else {
            return Err(error);
        };
        self.heap.define_global(symbol, rest);
        let base = self.values.len();
        self.values.push(handler);
        Ok(State::Apply { form: self.current, env: Env::GLOBAL, base })
    }

    fn check_limits(&self) -> Result<(), Fail<H>> {
        let limit = if self.heap.work() > self.limits.steps {
            Limit::Steps(self.limits.steps)
        } else if self.heap.is_exhausted() {
            Limit::Heap(self.limits.heap_bytes)
        } else if self.stack.len() > self.limits.depth || self.values.len() > self.limits.depth {
            Limit::Depth(self.limits.depth)
        } else {
            return Ok(());
        };
        Err(self.error(ErrorKind::Limit(limit)))
    }

    fn error(&self, kind: ErrorKind<H::Error>) -> Fail<H> {
        self.error_at(kind, self.heap.list_location(self.current))
    }

    fn error_at(&self, kind: ErrorKind<H::Error>, location: Option<Location>) -> Fail<H> {
        let mut trace = vec![Trace {
            form: self.current,
            location: self.heap.element_location(self.current),
            kind: TraceKind::Innermost,
        }];
        trace.extend(traces(&self.stack, &self.heap).take(TRACE_LENGTH));
        let location = location.or_else(|| trace.iter().find_map(|step| step.location));
        Box::new(RunError { kind, location, call: None, trace })
    }

    /// An error about the arguments of `form`, which stand on the value stack from `base + 1` on.
    fn call_error(&self, kind: ErrorKind<H::Error>, form: Value, base: usize) -> Fail<H> {
        let mut error = self.error_at(kind, self.heap.list_location(form));
        error.call = Some((form, self.values.get(base + 1..).unwrap_or_default().to_vec()));
        error
    }

    fn syntax_error(&self, form: &'static str) -> Fail<H> {
        self.error(ErrorKind::Syntax(form))
    }

    /// The value of a variable.
    fn variable(&mut self, symbol: Symbol, cell: Value, env: Env) -> Result<Value, Fail<H>> {
        if let Some(value) = self.find(symbol, env) {
            return Ok(value);
        }
        let location = self.heap.element_location(cell);
        Err(self.error_at(ErrorKind::Unbound(self.heap.name_text(symbol)), location))
    }

    fn find(&mut self, symbol: Symbol, env: Env) -> Option<Value> {
        if let Some(value) = self.heap.lookup(symbol, env) {
            return Some(value);
        }
        let name = self.heap.name(symbol).to_vec();
        let value = self.host.global(&name, &mut self.heap)?;
        self.heap.define_global(symbol, value);
        Some(value)
    }

    /// The value of an expression that needs no stack; `None` for lists.
    fn simple(&mut self, expression: Value, cell: Value, env: Env) -> Option<Result<Value, Fail<H>>> {
        match expression {
            Value::Pair(_) => None,
            Value::Symbol(symbol) => Some(self.variable(symbol, cell, env)),
            other => Some(Ok(other)),
        }
    }

    fn eval(&mut self, expression: Value, cell: Value, env: Env) -> Step<H> {
        if let Some(value) = self.simple(expression, cell, env) {
            return value.map(State::Return);
        }
        self.current = expression;
        let head = self.heap.car(expression);
        if let Value::Symbol(Symbol(number)) = head
            && let Some((_, special)) = FIXED.get(number as usize)
        {
            return self.special(*special, expression, env);
        }
        let base = self.values.len();
        let rest = self.heap.cdr(expression);
        match self.simple(head, expression, env) {
            Some(operator) => self.operator(operator?, expression, rest, env, base),
            None => {
                self.stack.push(Cont::Arguments { form: expression, rest, env, base: base as u32 });
                Ok(State::Eval { expression: head, cell: expression, env })
            }
        }
    }

    fn operator(&mut self, operator: Value, form: Value, rest: Value, env: Env, base: usize) -> Step<H> {
        match operator {
            Value::Special(special) => self.special(special, form, env),
            Value::Macro(index) => {
                self.stack.push(Cont::Expanded { env });
                self.values.push(Value::Closure(index));
                self.values.push(form);
                Ok(State::Apply { form, env, base })
            }
            operator => {
                self.values.push(operator);
                self.arguments(form, rest, env, base)
            }
        }
    }

    /// Evaluates the operands `rest`, then calls.
    fn arguments(&mut self, form: Value, mut rest: Value, env: Env, base: usize) -> Step<H> {
        while let Some((operand, next)) = self.heap.split(rest) {
            match self.simple(operand, rest, env) {
                Some(value) => {
                    let value = value?;
                    self.values.push(value);
                }
                None => {
                    self.stack.push(Cont::Arguments { form, rest: next, env, base: base as u32 });
                    return Ok(State::Eval { expression: operand, cell: rest, env });
                }
            }
            // A data list may run into itself.
            self.heap.tick(1);
            self.check_limits()?;
            rest = next;
        }
        Ok(State::Apply { form, env, base })
    }

    /// Evaluates the forms of a list, the last in tail position.
    fn sequence(&mut self, forms: Value, env: Env) -> State {
        let Some((first, rest)) = self.heap.split(forms) else { return State::Return(Value::Nil) };
        if rest != Value::Nil {
            self.stack.push(Cont::Sequence { rest, env });
        }
        State::Eval { expression: first, cell: forms, env }
    }

    fn eval_car(&self, cell: Value, env: Env) -> State {
        State::Eval { expression: self.heap.car(cell), cell, env }
    }

    fn special(&mut self, special: Special, form: Value, env: Env) -> Step<H> {
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

    fn logic(&mut self, rest: Value, env: Env, cont: fn(Value, Env) -> Cont) -> State {
        let after = self.heap.cdr(rest);
        if after != Value::Nil {
            self.stack.push(cont(after, env));
        }
        self.eval_car(rest, env)
    }

    fn lambda(&mut self, parameters: Value, body: Value, env: Env) -> Value {
        Value::Closure(self.heap.closure(Closure { parameters, body, env, name: None }))
    }

    fn define(&mut self, target: Value, rest: Value, env: Env) -> Step<H> {
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

    fn define_macro(&mut self, symbol: Symbol, lambda: Value, env: Env) -> State {
        let value = match lambda {
            Value::Closure(index) => Value::Macro(index),
            other => other,
        };
        self.heap.name_closure(value, symbol);
        self.heap.define(symbol, value, env);
        State::Return(Value::Symbol(symbol))
    }

    /// `(let ((v e) …) body …)` and `(let name ((v e) …) body …)`.
    fn let_form(&mut self, form: Value, env: Env) -> Step<H> {
        let rest = self.heap.cdr(form);
        let first = self.heap.car(rest);
        let bindings = if matches!(first, Value::Symbol(_)) { self.heap.car(self.heap.cdr(rest)) } else { first };
        let base = self.values.len();
        self.let_values(form, bindings, env, base)
    }

    /// Evaluates the next binding of a `let`, or binds all and runs the body.
    fn let_values(&mut self, form: Value, rest: Value, env: Env, base: usize) -> Step<H> {
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

    fn let_star(&mut self, form: Value, env: Env) -> Step<H> {
        let bindings = self.heap.car(self.heap.cdr(form));
        if bindings == Value::Nil {
            let inner = self.heap.frame(env);
            let body = self.heap.cdr(self.heap.cdr(form));
            return Ok(self.sequence(body, inner));
        }
        self.let_star_next(form, bindings, env, true)
    }

    /// Only the first value is computed outside: all bindings share one frame (`spec/sbpl-language.md` section 3).
    fn let_star_next(&mut self, form: Value, rest: Value, env: Env, first: bool) -> Step<H> {
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

    fn letrec(&mut self, form: Value, rest: Value, env: Env, base: usize) -> Step<H> {
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

    /// The expression that builds `datum`. Lists are walked element by element, so recursion is by nesting only.
    fn quasiquote(&mut self, datum: Value, level: usize, depth: usize) -> Result<Value, Fail<H>> {
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

    fn resume(&mut self, cont: Cont, value: Value) -> Step<H> {
        Ok(match cont {
            Cont::Arguments { form, rest, env, base } => {
                let base = base as usize;
                if self.values.len() == base {
                    return self.operator(value, form, rest, env, base);
                }
                self.values.push(value);
                return self.arguments(form, rest, env, base);
            }
            Cont::If { branches, env } => {
                let chosen = if value.is_true() { branches } else { self.heap.cdr(branches) };
                match chosen {
                    Value::Pair(_) => self.eval_car(chosen, env),
                    _ => State::Return(Value::Nil),
                }
            }
            Cont::Sequence { rest, env } => self.sequence(rest, env),
            Cont::Define { symbol, env } => {
                self.heap.name_closure(value, symbol);
                self.heap.define(symbol, value, env);
                State::Return(Value::Symbol(symbol))
            }
            Cont::DefineMacro { symbol, env } => self.define_macro(symbol, value, env),
            Cont::Set { symbol, cell, env } => {
                if self.find(symbol, env).is_none() {
                    let location = self.heap.element_location(cell);
                    return Err(self.error_at(ErrorKind::UnboundSet(self.heap.name_text(symbol)), location));
                }
                self.heap.name_closure(value, symbol);
                self.heap.assign(symbol, value, env);
                State::Return(value)
            }
            Cont::Cond { clauses, env } => return self.cond(clauses, value, env),
            Cont::Arrow { value: argument, form, env } => {
                let base = self.values.len();
                self.values.extend([value, argument]);
                State::Apply { form, env, base }
            }
            Cont::Case { clauses, env } => self.case(clauses, value, env),
            Cont::And { rest, env } if value.is_true() => self.logic(rest, env, |rest, env| Cont::And { rest, env }),
            Cont::Or { rest, env } if !value.is_true() => self.logic(rest, env, |rest, env| Cont::Or { rest, env }),
            Cont::And { .. } | Cont::Or { .. } => State::Return(value),
            Cont::Guard { unless, body, env } => {
                if value.is_true() != unless {
                    self.sequence(body, env)
                } else {
                    State::Return(Value::Nil)
                }
            }
            Cont::Let { form, rest, env, base } => {
                self.values.push(value);
                return self.let_values(form, rest, env, base as usize);
            }
            Cont::LetStar { form, rest, symbol, env, first } => {
                let env = if first { self.heap.frame(env) } else { env };
                self.heap.name_closure(value, symbol);
                self.heap.bind_new(symbol, value, env);
                return self.let_star_next(form, rest, env, false);
            }
            Cont::LetRec { form, rest, env, base } => {
                self.values.push(value);
                return self.letrec(form, rest, env, base as usize);
            }
            Cont::ConsStream { expression, env } => {
                let tail = self.heap.promise(Promise::Waiting { expression, env });
                State::Return(self.heap.cons(value, tail))
            }
            Cont::Expanded { env } => State::Eval { expression: value, cell: Value::Nil, env },
            Cont::KeepPromise { promise } => {
                // The first value counts, also when computing it forced the same promise again.
                if let Some(Promise::Kept(kept)) = self.heap.get_promise(promise) {
                    return Ok(State::Return(kept));
                }
                self.heap.keep_promise(promise, value);
                State::Return(value)
            }
            Cont::Call { .. } => State::Return(value),
            Cont::Text { text, .. } => {
                self.host.text_ended(text, &mut self.heap);
                State::Return(value)
            }
        })
    }

    fn cond(&mut self, clauses: Value, value: Value, env: Env) -> Step<H> {
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

    fn case(&mut self, clauses: Value, value: Value, env: Env) -> State {
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

    fn apply(&mut self, form: Value, env: Env, base: usize) -> Step<H> {
        let Some(&callee) = self.values.get(base) else { return Ok(State::Return(Value::Nil)) };
        match callee {
            Value::Builtin(index) => self.apply_builtin(index, form, env, base),
            Value::Closure(index) => self.apply_closure(index, callee, form, base),
            Value::HostProcedure(procedure) => {
                let arguments = self.values.get(base + 1..).unwrap_or_default();
                let call = Call { arguments, form, stack: &self.stack };
                match self.host.call(procedure, &call, &mut self.heap) {
                    Ok(Outcome::Value(value)) => {
                        self.values.truncate(base);
                        Ok(State::Return(value))
                    }
                    Ok(Outcome::Run { forms, text }) => {
                        self.values.truncate(base);
                        self.stack.push(Cont::Text { form, text });
                        Ok(self.sequence(forms, Env::GLOBAL))
                    }
                    Err(failure) => {
                        let kind = match failure {
                            Failure::Host(error) => ErrorKind::Host(error),
                            Failure::ArgumentType { name, index, expected } => {
                                ErrorKind::ArgumentType { name, index, expected }
                            }
                        };
                        Err(self.call_error(kind, form, base))
                    }
                }
            }
            Value::Continuation(index) => {
                let value = self.values.get(base + 1).copied().unwrap_or(Value::Nil);
                let Some((stack, values)) = self.continuations.get(index as usize) else {
                    return Err(self.error(ErrorKind::IllegalFunction));
                };
                self.heap.tick_cells(stack.len() + values.len());
                self.stack.clone_from(stack);
                self.values.clone_from(values);
                Ok(State::Return(value))
            }
            _ => Err(self.call_error(ErrorKind::IllegalFunction, form, base)),
        }
    }

    fn apply_closure(&mut self, index: Ref, callee: Value, form: Value, base: usize) -> Step<H> {
        let Some(closure) = self.heap.get_closure(index) else { return Err(self.error(ErrorKind::IllegalFunction)) };
        let env = self.heap.frame(closure.env);
        let mut parameters = closure.parameters;
        let mut next = base + 1;
        // More arguments than parameters are dropped without a word (spec/sbpl-language.md section 3).
        while let Some((parameter, rest)) = self.heap.split(parameters) {
            let Some(&value) = self.values.get(next) else {
                return Err(self.call_error(ErrorKind::NotEnoughArguments, form, base));
            };
            let Value::Symbol(symbol) = parameter else { return Err(self.error(ErrorKind::NotSymbol)) };
            self.heap.bind_new(symbol, value, env);
            next += 1;
            parameters = rest;
        }
        match parameters {
            Value::Nil => {}
            Value::Symbol(symbol) => {
                let rest = self.heap.list(self.values.get(next..).unwrap_or_default());
                self.heap.bind_new(symbol, rest, env);
            }
            _ => return Err(self.error(ErrorKind::NotSymbol)),
        }
        self.values.truncate(base);
        self.mark_call(form, callee);
        Ok(self.sequence(closure.body, env))
    }

    fn mark_call(&mut self, form: Value, callee: Value) {
        let run = match self.stack.last() {
            Some(Cont::Call { run, .. }) => *run + 1,
            _ => 0,
        };
        if run >= TAIL_MARKS {
            self.stack.pop();
        }
        self.stack.push(Cont::Call { form, callee, run: run.min(TAIL_MARKS - 1) });
    }

    fn apply_builtin(&mut self, index: u16, form: Value, env: Env, base: usize) -> Step<H> {
        let Some(builtin) = builtins::all().get(usize::from(index)) else {
            return Err(self.error(ErrorKind::IllegalFunction));
        };
        let arguments = self.values.get(base + 1..).unwrap_or_default();
        if let Err(fault) = builtin.check_count(arguments.len()) {
            return Err(self.call_error(fault.into_kind(builtin.name), form, base));
        }
        match builtin.implementation {
            Implementation::Plain(function) => match function(&mut self.heap, arguments) {
                Ok(value) => {
                    self.values.truncate(base);
                    Ok(State::Return(value))
                }
                Err(fault) => {
                    // What was refused for want of memory is the limit's error.
                    self.check_limits()?;
                    Err(self.call_error(fault.into_kind(builtin.name), form, base))
                }
            },
            Implementation::Control(control) => {
                let arguments = arguments.to_vec();
                self.control(control, builtin.name, &arguments, form, env, base)
            }
        }
    }

    fn control(
        &mut self,
        control: Control,
        name: &'static str,
        arguments: &[Value],
        form: Value,
        env: Env,
        base: usize,
    ) -> Step<H> {
        let wrong = |index, expected| ErrorKind::ArgumentType { name, index, expected };
        let first = arguments.first().copied().unwrap_or(Value::Nil);
        let second = arguments.get(1).copied();
        let environment = match second {
            Some(Value::Environment(env)) => Some(env),
            None => Some(env),
            Some(_) => None,
        };
        if !matches!(control, Control::Apply) && self.values.len() > base {
            // Kept until here for error messages.
            if matches!(control, Control::Eval | Control::Defined) && environment.is_none() {
                return Err(self.call_error(wrong(2, "environment"), form, base));
            }
        }
        Ok(match control {
            Control::Apply => {
                let last = arguments.last().copied().unwrap_or(Value::Nil);
                let Some(spread) = self.heap.proper_list(last) else {
                    return Err(self.call_error(wrong(arguments.len(), "list"), form, base));
                };
                self.values.truncate(base);
                self.values.extend_from_slice(arguments.get(..arguments.len() - 1).unwrap_or_default());
                if arguments.len() == 1 {
                    self.values.push(first);
                } else {
                    self.values.extend(spread);
                }
                State::Apply { form, env, base }
            }
            Control::Eval => {
                self.values.truncate(base);
                State::Eval { expression: first, cell: Value::Nil, env: environment.unwrap_or(env) }
            }
            Control::Defined => {
                let Value::Symbol(symbol) = first else {
                    return Err(self.call_error(wrong(1, "symbol"), form, base));
                };
                self.values.truncate(base);
                State::Return(Value::Bool(self.find(symbol, environment.unwrap_or(env)).is_some()))
            }
            Control::CallCc => {
                self.values.truncate(base);
                let cells = self.stack.len() * size_of::<Cont>() + self.values.len() * size_of::<Value>();
                if !self.heap.reserve(cells) {
                    return Err(self.error(ErrorKind::Limit(Limit::Heap(self.limits.heap_bytes))));
                }
                self.heap.charge(cells);
                self.heap.tick_cells(self.stack.len() + self.values.len());
                self.continuations.push((self.stack.clone(), self.values.clone()));
                let continuation = Value::Continuation(self.continuations.len() as Ref - 1);
                self.values.extend([first, continuation]);
                State::Apply { form, env, base }
            }
            Control::Force => {
                self.values.truncate(base);
                let Value::Promise(promise) = first else { return Ok(State::Return(first)) };
                match self.heap.get_promise(promise) {
                    Some(Promise::Waiting { expression, env }) => {
                        self.stack.push(Cont::KeepPromise { promise });
                        State::Eval { expression, cell: Value::Nil, env }
                    }
                    Some(Promise::Kept(value)) => State::Return(value),
                    None => State::Return(Value::Nil),
                }
            }
            Control::CurrentEnvironment => {
                self.values.truncate(base);
                State::Return(Value::Environment(env))
            }
            Control::Expand => {
                self.values.truncate(base);
                let operator = match self.heap.car(first) {
                    Value::Symbol(symbol) => self.find(symbol, env),
                    _ => None,
                };
                let Some(Value::Macro(index)) = operator else { return Ok(State::Return(first)) };
                self.values.extend([Value::Closure(index), first]);
                State::Apply { form, env, base }
            }
            Control::Error => {
                let mut text = Vec::new();
                for (position, &argument) in arguments.iter().enumerate() {
                    if position > 0 {
                        text.push(b' ');
                    }
                    text.extend(self.write(argument, position > 0, 4096));
                }
                let text = String::from_utf8_lossy(&text).into_owned();
                return Err(self.call_error(ErrorKind::User(text), form, base));
            }
            Control::Unavailable => return Err(self.call_error(ErrorKind::Unavailable(name), form, base)),
        })
    }

    /// `value` as text of at most about `limit` bytes.
    pub fn write(&self, value: Value, quote: bool, limit: usize) -> Vec<u8> {
        super::printer::print(&self.heap, value, quote, limit, &|value| match value {
            Value::Builtin(index) => builtins::all().get(usize::from(index)).map(|builtin| builtin.name.to_owned()),
            other => self.host.describe(other),
        })
    }
}

fn library() -> &'static Tree {
    static LIBRARY: OnceLock<Tree> = OnceLock::new();
    LIBRARY.get_or_init(|| parse(&include_bytes!("library.scm")[..], &SyntaxLimits::default()).tree)
}

/// The calls and texts on a stack, innermost first.
fn traces<'a>(stack: &'a [Cont], heap: &'a Heap) -> impl Iterator<Item = Trace> + 'a {
    stack.iter().rev().filter_map(|cont| {
        let (form, kind) = match *cont {
            Cont::Call { form, callee, .. } => (form, TraceKind::Call(callee)),
            Cont::Text { form, text } => (form, TraceKind::Text(text)),
            _ => return None,
        };
        Some(Trace { form, location: heap.list_location(form), kind })
    })
}
