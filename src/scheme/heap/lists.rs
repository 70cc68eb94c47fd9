//! Pairs and the lists made of them, with the places where they were read.

use super::Heap;
use crate::diag::{Location, SourceId, Span};
use crate::scheme::value::{Ref, Value};

/// Where a pair was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairPlace {
    source: SourceId,
    element: Span,
    list: Span,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    car: Value,
    cdr: Value,
    /// One past the index in `places`; 0 for pairs made by the program.
    place: u32,
}

impl Heap {
    /// A new pair.
    pub fn cons(&mut self, car: Value, cdr: Value) -> Value {
        self.charge(size_of::<Pair>());
        self.pairs.push(Pair { car, cdr, place: 0 });
        Value::Pair(self.pairs.len() as Ref - 1)
    }

    pub(in crate::scheme) fn cons_at(
        &mut self,
        car: Value,
        cdr: Value,
        source: SourceId,
        element: Span,
        list: Span,
    ) -> Value {
        self.charge(size_of::<Pair>() + size_of::<PairPlace>());
        self.places.push(PairPlace { source, element, list });
        self.pairs.push(Pair { car, cdr, place: self.places.len() as u32 });
        Value::Pair(self.pairs.len() as Ref - 1)
    }

    fn pair(&self, value: Value) -> Option<&Pair> {
        match value {
            Value::Pair(index) => self.pairs.get(index as usize),
            _ => None,
        }
    }

    /// Both halves of a pair.
    pub fn split(&self, value: Value) -> Option<(Value, Value)> {
        self.pair(value).map(|pair| (pair.car, pair.cdr))
    }

    /// The first half of a pair, `()` of anything else.
    pub fn car(&self, value: Value) -> Value {
        self.pair(value).map_or(Value::Nil, |pair| pair.car)
    }

    /// The second half of a pair, `()` of anything else.
    pub fn cdr(&self, value: Value) -> Value {
        self.pair(value).map_or(Value::Nil, |pair| pair.cdr)
    }

    pub(in crate::scheme) fn set_car(&mut self, pair: Value, value: Value) {
        if let Value::Pair(index) = pair
            && let Some(pair) = self.pairs.get_mut(index as usize)
        {
            pair.car = value;
        }
    }

    pub(in crate::scheme) fn set_cdr(&mut self, pair: Value, value: Value) {
        if let Value::Pair(index) = pair
            && let Some(pair) = self.pairs.get_mut(index as usize)
        {
            pair.cdr = value;
        }
    }

    /// Where the list that starts with `pair` was written.
    pub fn list_location(&self, pair: Value) -> Option<Location> {
        let place = self.place(pair)?;
        Some(Location::new(place.source, place.list))
    }

    /// Where the first element of the list that starts with `pair` was written.
    pub fn element_location(&self, pair: Value) -> Option<Location> {
        let place = self.place(pair)?;
        Some(Location::new(place.source, place.element))
    }

    fn place(&self, pair: Value) -> Option<&PairPlace> {
        self.places.get(self.pair(pair)?.place.checked_sub(1)? as usize)
    }

    /// A new list of `items` with the tail `tail`; only the tail when the budget has no room for it.
    pub fn list_with_tail(&mut self, items: &[Value], tail: Value) -> Value {
        if !self.reserve(items.len().saturating_mul(size_of::<Pair>())) {
            return tail;
        }
        items.iter().rev().fold(tail, |tail, &item| self.cons(item, tail))
    }

    /// A new list of `items`.
    pub fn list(&mut self, items: &[Value]) -> Value {
        self.list_with_tail(items, Value::Nil)
    }

    /// The elements of a list and whatever stands at its end (`()` for a proper one). A list that runs into itself is cut.
    pub fn elements(&self, list: Value) -> (Vec<Value>, Value) {
        let mut items = Vec::new();
        let mut rest = list;
        while let Some((car, cdr)) = self.split(rest) {
            if items.len() > self.pairs.len() {
                break;
            }
            items.push(car);
            rest = cdr;
        }
        self.tick_cells(items.len());
        (items, rest)
    }

    /// The elements of a proper list.
    pub fn proper_list(&self, list: Value) -> Option<Vec<Value>> {
        let (items, tail) = self.elements(list);
        (tail == Value::Nil).then_some(items)
    }

    /// Number of elements; `None` for what is no proper list. Allocates nothing.
    pub fn length(&self, list: Value) -> Option<usize> {
        let mut count = 0;
        let mut rest = list;
        while let Some((_, cdr)) = self.split(rest) {
            count += 1;
            if count > self.pairs.len() {
                self.tick_cells(count);
                return None;
            }
            rest = cdr;
        }
        self.tick_cells(count);
        (rest == Value::Nil).then_some(count)
    }
}
