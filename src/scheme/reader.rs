//! From tree to values.

use super::heap::Heap;
use super::value::Value;
use crate::diag::{SourceId, Span};
use crate::syntax::{Atom, NodeId, NodeKind, SyntaxLimits, Tree, parse};

/// A list of the values of all top-level data of `tree`. Pairs remember their place in `source`, if it is one that people
/// can look at.
///
/// Nodes stand in preorder, so going backwards finds every node's children already read: no recursion.
pub(super) fn read_all(heap: &mut Heap, tree: &Tree, source: Option<SourceId>) -> Value {
    let mut ready: Vec<(NodeId, Value)> = Vec::new();
    let nodes: Vec<_> = tree.nodes().collect();
    for &node in nodes.iter().rev() {
        let value = read_node(heap, tree, source, node, &mut ready);
        ready.push((node, value));
    }
    let mut forms = Value::Nil;
    for &(node, value) in &ready {
        let span = tree.span(node);
        forms = cons(heap, value, forms, source, span, span);
    }
    forms
}

fn cons(heap: &mut Heap, car: Value, cdr: Value, source: Option<SourceId>, element: Span, list: Span) -> Value {
    match source {
        Some(source) => heap.cons_at(car, cdr, source, element, list),
        None => heap.cons(car, cdr),
    }
}

fn read_node(
    heap: &mut Heap,
    tree: &Tree,
    source: Option<SourceId>,
    node: NodeId,
    ready: &mut Vec<(NodeId, Value)>,
) -> Value {
    match tree.kind(node) {
        NodeKind::Atom(_) => match tree.datum(node) {
            Some(Atom::Symbol(name)) => Value::Symbol(heap.intern(name)),
            Some(Atom::String(bytes)) => heap.string(bytes.into_owned()),
            Some(Atom::Integer(number)) => Value::Int(number),
            Some(Atom::Real(number)) => Value::Real(number),
            Some(Atom::Bool(truth)) => Value::Bool(truth),
            Some(Atom::Char(byte)) => Value::Char(byte),
            None => Value::Nil,
        },
        NodeKind::List => list(heap, tree, source, node, take(tree, node, ready), false),
        NodeKind::DottedList => list(heap, tree, source, node, take(tree, node, ready), true),
        NodeKind::Vector => {
            let items = take(tree, node, ready).into_iter().rev().map(|(_, value)| value).collect();
            heap.vector(items)
        }
        NodeKind::Quoted(kind) => {
            let items = take(tree, node, ready);
            let (span, symbol) = (tree.span(node), Value::Symbol(heap.intern(kind.symbol().as_bytes())));
            let rest = list(heap, tree, source, node, items, false);
            cons(heap, symbol, rest, source, span, span)
        }
        // Texts with errors are not evaluated.
        NodeKind::Error => Value::Nil,
    }
}

/// Takes the children of `node` off `ready`, where they stand last to first.
fn take(tree: &Tree, node: NodeId, ready: &mut Vec<(NodeId, Value)>) -> Vec<(NodeId, Value)> {
    let count = tree.children(node).count();
    ready.split_off(ready.len().saturating_sub(count))
}

/// `items` stand last to first.
fn list(
    heap: &mut Heap,
    tree: &Tree,
    source: Option<SourceId>,
    node: NodeId,
    items: Vec<(NodeId, Value)>,
    dotted: bool,
) -> Value {
    let whole = tree.span(node);
    let mut items = items.into_iter();
    let tail = if dotted { items.next().map_or(Value::Nil, |(_, value)| value) } else { Value::Nil };
    items.fold(tail, |tail, (child, value)| cons(heap, value, tail, source, tree.span(child), whole))
}

/// The first datum of `text` and how many bytes it takes; [`Value::Eof`] when there is none.
pub(super) fn read_one(heap: &mut Heap, text: &[u8]) -> Result<(Value, usize), &'static str> {
    let parsed = parse(text, &SyntaxLimits::default());
    let Some(first) = parsed.tree.roots().next() else {
        return if parsed.errors.is_empty() { Ok((Value::Eof, text.len())) } else { Err("cannot read the text") };
    };
    let end = parsed.tree.span(first).end;
    if parsed.errors.iter().any(|error| error.span.start <= end) {
        return Err("cannot read the text");
    }
    let mut ready = Vec::new();
    let nodes: Vec<_> = parsed.tree.subtree(first).collect();
    for &node in nodes.iter().rev() {
        let value = read_node(heap, &parsed.tree, None, node, &mut ready);
        ready.push((node, value));
    }
    Ok((ready.pop().map_or(Value::Nil, |(_, value)| value), end as usize))
}
