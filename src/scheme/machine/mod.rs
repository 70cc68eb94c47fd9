//! The machine: runs forms with an explicit stack.
//!
//! **Invariants:** native recursion never depends on the program or its data; every step is counted ([`Heap::work`]); a call in
//! tail position adds nothing to the stack but, at most [`TAIL_MARKS`] times in a row, a mark that lets errors and rules say
//! where they come from.

mod apply;
mod cont;
mod forms;
mod host;
mod quasiquote;

pub use host::{Call, Failure, Host, Outcome};

use std::sync::OnceLock;

use self::cont::{Cont, State, traces};
use super::builtins;
use super::error::{ErrorKind, Limit, RunError, Trace, TraceKind};
use super::heap::{Heap, Promise};
use super::reader::read_all;
use super::special::{FIXED, REBINDABLE};
use super::value::{Env, Symbol, Value};
use crate::diag::Location;
use crate::syntax::{SyntaxLimits, Tree, parse};

/// How many tail calls in a row leave a mark each.
const TAIL_MARKS: u8 = 8;
/// Steps that asking the host for a name costs.
const HOST_LOOKUP: u64 = 100;
/// Steps of an error's way that are kept.
const TRACE_LENGTH: usize = 32;

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
        // The host looks through its tables.
        self.heap.tick(HOST_LOOKUP);
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
    LIBRARY.get_or_init(|| parse(&include_bytes!("../library.scm")[..], &SyntaxLimits::default()).tree)
}
