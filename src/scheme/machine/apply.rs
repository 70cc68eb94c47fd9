//! Calls.

use super::{Call, Cont, Failure, Host, Machine, Outcome, State, Step, TAIL_MARKS};
use crate::scheme::builtins::{self, Control, Implementation};
use crate::scheme::error::{ErrorKind, Limit};
use crate::scheme::heap::Promise;
use crate::scheme::value::{Env, Ref, Value};

/// The text of `(error …)` is cut to about this many bytes.
const ERROR_LENGTH: usize = 4096;

impl<H: Host> Machine<H> {
    pub(super) fn apply(&mut self, form: Value, env: Env, base: usize) -> Step<H> {
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
                        self.check_limits()?;
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
                    if text.len() > ERROR_LENGTH {
                        break;
                    }
                    if position > 0 {
                        text.push(b' ');
                    }
                    text.extend(self.write(argument, position > 0, ERROR_LENGTH));
                }
                let text = String::from_utf8_lossy(&text).into_owned();
                return Err(self.call_error(ErrorKind::User(text), form, base));
            }
            Control::Unavailable => return Err(self.call_error(ErrorKind::Unavailable(name), form, base)),
        })
    }
}
