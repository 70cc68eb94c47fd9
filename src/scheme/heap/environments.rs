//! Environments: frames with their bindings, newest first, and the variables at top level.

use super::Heap;
use crate::scheme::value::{Env, Symbol, Value};

#[derive(Debug, Clone, Copy)]
pub(super) struct Binding {
    symbol: Symbol,
    value: Value,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    parent: Env,
    first: u32,
}

const NONE: u32 = u32::MAX;

impl Frame {
    /// The global environment, whose variables stand by symbol.
    pub(super) const GLOBAL: Self = Self { parent: Env::GLOBAL, first: NONE };
}

impl Heap {
    /// A new environment inside `parent`.
    pub(in crate::scheme) fn frame(&mut self, parent: Env) -> Env {
        self.charge(size_of::<Frame>());
        self.frames.push(Frame { parent, first: NONE });
        Env(self.frames.len() as u32 - 1)
    }

    fn find(&self, symbol: Symbol, env: Env) -> Option<u32> {
        let mut binding = self.frames.get(env.0 as usize)?.first;
        let mut seen = 0;
        let mut result = None;
        while let Some(found) = self.bindings.get(binding as usize) {
            seen += 1;
            if found.symbol == symbol {
                result = Some(binding);
                break;
            }
            binding = found.next;
        }
        self.tick_cells(seen);
        result
    }

    /// The value of `symbol` as seen from `env`.
    pub(in crate::scheme) fn lookup(&self, symbol: Symbol, mut env: Env) -> Option<Value> {
        let mut hops = 0;
        while env != Env::GLOBAL {
            if let Some(binding) = self.find(symbol, env) {
                return self.bindings.get(binding as usize).map(|binding| binding.value);
            }
            env = self.frames.get(env.0 as usize)?.parent;
            hops += 1;
        }
        self.tick_cells(hops);
        self.global(symbol)
    }

    /// The value of `symbol` at top level.
    pub fn global(&self, symbol: Symbol) -> Option<Value> {
        self.globals.get(symbol.0 as usize).copied().flatten()
    }

    /// Binds `symbol` at top level.
    pub fn define_global(&mut self, symbol: Symbol, value: Value) {
        if let Some(slot) = self.globals.get_mut(symbol.0 as usize) {
            *slot = Some(value);
        }
    }

    /// Binds `symbol` in exactly this environment.
    pub(in crate::scheme) fn define(&mut self, symbol: Symbol, value: Value, env: Env) {
        if env == Env::GLOBAL {
            return self.define_global(symbol, value);
        }
        if let Some(binding) = self.find(symbol, env).and_then(|at| self.bindings.get_mut(at as usize)) {
            binding.value = value;
        } else {
            self.bind_new(symbol, value, env);
        }
    }

    /// Binds `symbol` in an environment that does not have it yet.
    pub(in crate::scheme) fn bind_new(&mut self, symbol: Symbol, value: Value, env: Env) {
        self.charge(size_of::<Binding>());
        let new = self.bindings.len() as u32;
        if let Some(frame) = self.frames.get_mut(env.0 as usize) {
            self.bindings.push(Binding { symbol, value, next: frame.first });
            frame.first = new;
        }
    }

    /// Changes the binding of `symbol` seen from `env`; false when there is none.
    pub(in crate::scheme) fn assign(&mut self, symbol: Symbol, value: Value, mut env: Env) -> bool {
        while env != Env::GLOBAL {
            if let Some(binding) = self.find(symbol, env).and_then(|at| self.bindings.get_mut(at as usize)) {
                binding.value = value;
                return true;
            }
            env = match self.frames.get(env.0 as usize) {
                Some(frame) => frame.parent,
                None => Env::GLOBAL,
            };
        }
        let bound = self.global(symbol).is_some();
        if bound {
            self.define_global(symbol, value);
        }
        bound
    }
}
