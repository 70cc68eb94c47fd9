//! Where values live: arenas that only grow, with one budget for all of them.
//!
//! A profile is run once and is short, so nothing is collected: what a run allocates is bounded by the budget and freed with
//! the heap at once. That also means that no list, however long or deep, is dropped cell by cell.

mod environments;
mod lists;

use std::cell::Cell;
use std::collections::HashMap;

use super::value::{Env, Ref, Symbol, Value};
use environments::{Binding, Frame};
use lists::{Pair, PairPlace};

/// A procedure or macro of the program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closure {
    /// A list, dotted list or symbol.
    pub(super) parameters: Value,
    /// A list of forms.
    pub(super) body: Value,
    pub(super) env: Env,
    /// The name that `define` gave it.
    pub(super) name: Option<Symbol>,
}

/// A delayed expression or its value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Promise {
    Waiting { expression: Value, env: Env },
    Kept(Value),
}

/// An input port over a string.
#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) text: Vec<u8>,
    pub(super) at: usize,
}

/// All values of one run.
#[derive(Debug)]
pub struct Heap {
    names: Vec<Box<[u8]>>,
    by_name: HashMap<Box<[u8]>, Symbol>,
    globals: Vec<Option<Value>>,
    pairs: Vec<Pair>,
    places: Vec<PairPlace>,
    strings: Vec<Vec<u8>>,
    vectors: Vec<Vec<Value>>,
    closures: Vec<Closure>,
    promises: Vec<Promise>,
    ports: Vec<Port>,
    frames: Vec<Frame>,
    bindings: Vec<Binding>,
    used: usize,
    budget: usize,
    gensyms: u32,
    /// Work done so far, in machine steps; walking lists and environments counts too.
    work: Cell<u64>,
}

impl Heap {
    /// An empty heap that may grow to about `budget` bytes.
    pub fn new(budget: usize) -> Self {
        Self {
            names: Vec::new(),
            by_name: HashMap::new(),
            globals: Vec::new(),
            pairs: Vec::new(),
            places: Vec::new(),
            strings: Vec::new(),
            vectors: Vec::new(),
            closures: Vec::new(),
            promises: Vec::new(),
            ports: Vec::new(),
            // Frame 0 stands for the global environment, whose variables are in `globals`.
            frames: vec![Frame::GLOBAL],
            bindings: Vec::new(),
            used: 0,
            budget,
            gensyms: 0,
            work: Cell::new(0),
        }
    }

    /// True when more was allocated than the budget allows. The machine looks at every step, so a run stops in time.
    pub(super) fn is_exhausted(&self) -> bool {
        self.used > self.budget
    }

    /// True when `bytes` more fit; else the heap counts as exhausted from now on, and the machine stops.
    pub fn reserve(&mut self, bytes: usize) -> bool {
        let fits = self.used.saturating_add(bytes) <= self.budget;
        if !fits {
            self.used = usize::MAX;
        }
        fits
    }

    /// Counts `bytes` that the host keeps for the program.
    pub fn charge(&mut self, bytes: usize) {
        self.used = self.used.saturating_add(bytes);
    }

    /// Counts work that took `cells` cells to be looked at.
    pub fn tick_cells(&self, cells: usize) {
        self.tick(cells as u64 / 8);
    }

    /// Counts `steps` machine steps.
    pub fn tick(&self, steps: u64) {
        self.work.set(self.work.get().saturating_add(steps));
    }

    /// Machine steps taken so far.
    pub fn work(&self) -> u64 {
        self.work.get()
    }

    /// The symbol called `name`.
    pub fn intern(&mut self, name: &[u8]) -> Symbol {
        if let Some(&symbol) = self.by_name.get(name) {
            return symbol;
        }
        let symbol = Symbol(self.names.len() as u32);
        self.charge(64 + 2 * name.len());
        self.names.push(name.into());
        self.by_name.insert(name.into(), symbol);
        self.globals.push(None);
        symbol
    }

    /// A symbol that no text can hold.
    pub(super) fn gensym(&mut self) -> Symbol {
        self.gensyms += 1;
        self.intern(format!("gensym-{}", self.gensyms).as_bytes())
    }

    /// The name of `symbol`.
    pub fn name(&self, symbol: Symbol) -> &[u8] {
        self.names.get(symbol.0 as usize).map_or(b"", |name| name)
    }

    /// The name of `symbol` for messages, cut when it is longer than anybody reads.
    pub fn name_text(&self, symbol: Symbol) -> String {
        const LONGEST: usize = 256;
        let name = self.name(symbol);
        match name.get(..LONGEST) {
            Some(start) if name.len() > LONGEST => format!("{}…", String::from_utf8_lossy(start)),
            _ => String::from_utf8_lossy(name).into_owned(),
        }
    }

    /// Every name that is bound at top level.
    pub fn global_names(&self) -> impl Iterator<Item = &[u8]> {
        self.globals.iter().zip(&self.names).filter(|(value, _)| value.is_some()).map(|(_, name)| &**name)
    }

    /// A new string.
    pub fn string(&mut self, bytes: impl Into<Vec<u8>>) -> Value {
        let bytes = bytes.into();
        self.charge(size_of::<Vec<u8>>() + bytes.len());
        self.strings.push(bytes);
        Value::String(self.strings.len() as Ref - 1)
    }

    /// The bytes of a string.
    pub fn bytes(&self, value: Value) -> Option<&[u8]> {
        match value {
            Value::String(index) => self.strings.get(index as usize).map(Vec::as_slice),
            _ => None,
        }
    }

    pub(super) fn bytes_mut(&mut self, value: Value) -> Option<&mut Vec<u8>> {
        match value {
            Value::String(index) => self.strings.get_mut(index as usize),
            _ => None,
        }
    }

    pub(super) fn vector(&mut self, items: Vec<Value>) -> Value {
        self.charge(size_of::<Vec<Value>>() + items.len() * size_of::<Value>());
        self.vectors.push(items);
        Value::Vector(self.vectors.len() as Ref - 1)
    }

    /// The elements of a vector.
    pub fn vector_items(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::Vector(index) => self.vectors.get(index as usize).map(Vec::as_slice),
            _ => None,
        }
    }

    pub(super) fn vector_items_mut(&mut self, value: Value) -> Option<&mut Vec<Value>> {
        match value {
            Value::Vector(index) => self.vectors.get_mut(index as usize),
            _ => None,
        }
    }

    pub(super) fn closure(&mut self, closure: Closure) -> Ref {
        self.charge(size_of::<Closure>());
        self.closures.push(closure);
        self.closures.len() as Ref - 1
    }

    pub(super) fn get_closure(&self, index: Ref) -> Option<Closure> {
        self.closures.get(index as usize).copied()
    }

    /// Gives a closure the name under which it is defined, if it has none yet.
    pub(super) fn name_closure(&mut self, value: Value, name: Symbol) {
        if let Value::Closure(index) | Value::Macro(index) = value
            && let Some(closure) = self.closures.get_mut(index as usize)
            && closure.name.is_none()
        {
            closure.name = Some(name);
        }
    }

    /// The name of a procedure of the program.
    pub fn closure_name(&self, value: Value) -> Option<String> {
        let (Value::Closure(index) | Value::Macro(index)) = value else { return None };
        self.get_closure(index)?.name.map(|name| self.name_text(name))
    }

    pub(super) fn promise(&mut self, promise: Promise) -> Value {
        self.charge(size_of::<Promise>());
        self.promises.push(promise);
        Value::Promise(self.promises.len() as Ref - 1)
    }

    pub(super) fn get_promise(&self, index: Ref) -> Option<Promise> {
        self.promises.get(index as usize).copied()
    }

    pub(super) fn keep_promise(&mut self, index: Ref, value: Value) {
        if let Some(promise) = self.promises.get_mut(index as usize) {
            *promise = Promise::Kept(value);
        }
    }

    pub(super) fn port(&mut self, text: Vec<u8>) -> Value {
        self.charge(size_of::<Port>() + text.len());
        self.ports.push(Port { text, at: 0 });
        Value::Port(self.ports.len() as Ref - 1)
    }

    pub(super) fn port_mut(&mut self, value: Value) -> Option<&mut Port> {
        match value {
            Value::Port(index) => self.ports.get_mut(index as usize),
            _ => None,
        }
    }

    /// True when a walk that has `seen` so much must be going in circles.
    pub(super) fn is_cyclic_walk(&self, seen: usize) -> bool {
        seen > 2 * self.pairs.len() + 2
    }

    /// `eqv?`: numbers by value, all else by identity.
    pub fn eqv(&self, a: Value, b: Value) -> bool {
        match (a, b) {
            (Value::Int(a), Value::Real(b)) | (Value::Real(b), Value::Int(a)) => a as f64 == b,
            _ => a == b,
        }
    }

    /// `equal?`: strings by bytes, lists and vectors by their elements. Data that run into themselves are not equal.
    pub fn equal(&self, a: Value, b: Value) -> bool {
        let mut work = vec![(a, b)];
        let mut seen = 0;
        while let Some((a, b)) = work.pop() {
            seen += 1;
            if seen % 1024 == 0 {
                self.tick_cells(1024);
                if self.is_cyclic_walk(seen / 4) {
                    return false;
                }
            }
            let same = match (a, b) {
                (Value::Pair(x), Value::Pair(y)) if x != y => {
                    work.push((self.cdr(a), self.cdr(b)));
                    work.push((self.car(a), self.car(b)));
                    true
                }
                (Value::String(_), Value::String(_)) => {
                    let (a, b) = (self.bytes(a).unwrap_or_default(), self.bytes(b).unwrap_or_default());
                    self.tick_cells(a.len().min(b.len()) / 8);
                    a == b
                }
                (Value::Vector(x), Value::Vector(y)) if x != y => match (self.vector_items(a), self.vector_items(b)) {
                    (Some(a), Some(b)) if a.len() == b.len() => {
                        work.extend(a.iter().copied().zip(b.iter().copied()));
                        true
                    }
                    _ => false,
                },
                _ => self.eqv(a, b),
            };
            if !same {
                return false;
            }
        }
        true
    }
}
