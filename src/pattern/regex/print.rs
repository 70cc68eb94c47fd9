//! Regex tree to text.

use super::{Class, Node};

/// How tightly a place binds what stands in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A whole regex or group.
    Whole,
    /// The first branch of an alternation: another alternation there would be flattened, so it cannot occur.
    Branch,
    /// A part of a concatenation.
    Part,
    /// In front of a repetition.
    Repeated,
}

/// The source text; recursion is bounded by [`super::MAX_DEPTH`].
pub(super) fn source(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    write(node, Place::Whole, &mut out);
    out
}

fn write(node: &Node, place: Place, out: &mut Vec<u8>) {
    let loose = match node {
        Node::Alternate(_) => Place::Whole,
        Node::Concat(_) => Place::Branch,
        Node::Empty if place == Place::Repeated => Place::Whole,
        _ => Place::Repeated,
    };
    if place > loose {
        out.push(b'(');
        write(node, Place::Whole, out);
        out.push(b')');
        return;
    }
    match node {
        Node::Empty => {}
        Node::Byte(byte) => write_byte(*byte, out),
        Node::Any => out.push(b'.'),
        Node::Class(class) => write_class(class, out),
        Node::Start => out.push(b'^'),
        Node::End => out.push(b'$'),
        Node::Variable(name) => {
            out.extend_from_slice(b"${");
            out.extend_from_slice(name);
            out.push(b'}');
        }
        Node::Concat(parts) => parts.iter().for_each(|part| write(part, Place::Part, out)),
        Node::Alternate(branches) => {
            for (index, branch) in branches.iter().enumerate() {
                if index > 0 {
                    out.push(b'|');
                }
                write(branch, Place::Branch, out);
            }
        }
        Node::Repeat(body, repeat) => {
            write(body, Place::Repeated, out);
            out.push(repeat.operator());
        }
    }
}

fn write_byte(byte: u8, out: &mut Vec<u8>) {
    if b"\\^$.|?*+()[]{}".contains(&byte) {
        out.push(b'\\');
    }
    out.push(byte);
}

/// Ranges in stored order. `]`, `^`, `-` and `\` are written with a backslash, which is literal in this dialect's brackets.
fn write_class(class: &Class, out: &mut Vec<u8>) {
    out.push(b'[');
    if class.negated() {
        out.push(b'^');
    }
    for &(low, high) in class.ranges() {
        write_member(low, out);
        if low != high {
            out.push(b'-');
            write_member(high, out);
        }
    }
    out.push(b']');
}

fn write_member(byte: u8, out: &mut Vec<u8>) {
    if b"]^-[\\".contains(&byte) {
        out.push(b'\\');
    }
    out.push(byte);
}
