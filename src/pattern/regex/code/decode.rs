//! Regex code to expression.

use super::super::{Class, MAX_DEPTH, Node, Regex, Repeat};
use super::{VERSION, encode, error};
use crate::pattern::code::{CodeError, CodeErrorKind};

/// Version word and code length in front of the code.
const HEAD: usize = 6;
/// Most instructions that are looked at.
const MAX_INSTRUCTIONS: usize = 1 << 14;
/// Most steps of the search for the expression.
const MAX_WORK: usize = 1 << 22;

/// Reads the record of a regex (version, code length and code, without the outer length word).
///
/// # Errors
/// Code that Apple's compiler would not have written for any expression; offsets count from the start of the record.
pub fn decode(record: &[u8]) -> Result<Regex, CodeError> {
    let program = read(record)?;
    let shape = || error(CodeErrorKind::Shape, HEAD);
    let accept = program.iter().position(|step| matches!(step, Instruction::Accept)).ok_or_else(shape)?;
    let mut work = MAX_WORK;
    let meets = post_dominators(&program, accept, &mut work)?;
    let mut closers = vec![Vec::new(); program.len()];
    for (at, pair) in program.windows(2).enumerate() {
        match pair {
            [Instruction::Fork(out), Instruction::Jump(to)] if *to <= at => closers[*to].push((at, *out)),
            _ => {}
        }
    }
    let mut parser = Parser { program: &program, meets: &meets, closers: &closers, barriers: Vec::new(), work };
    let node = parser.sequence(start(&program), accept, None)?;
    let regex = Regex::new(node).map_err(|_| error(CodeErrorKind::TooLarge, 0))?;
    if encode(&regex)? == record { Ok(regex) } else { Err(shape()) }
}

/// An instruction; targets are instruction numbers.
#[derive(Debug)]
enum Instruction {
    Atom(Node),
    Fork(usize),
    Jump(usize),
    Accept,
}

/// Where the expression begins: without `^` the code starts with a fork to "any byte, then again" at its end.
fn start(program: &[Instruction]) -> usize {
    let Some(Instruction::Fork(any)) = program.first() else { return 0 };
    let searches = matches!(program.get(*any..), Some([Instruction::Atom(Node::Any), Instruction::Jump(0)]));
    usize::from(searches)
}

fn read(record: &[u8]) -> Result<Vec<Instruction>, CodeError> {
    let (head, code) = record.split_at_checked(HEAD).ok_or(error(CodeErrorKind::Truncated, record.len()))?;
    if !head.starts_with(&VERSION) {
        return Err(error(CodeErrorKind::Version, 0));
    }
    if usize::from(u16::from_le_bytes([head[4], head[5]])) != code.len() {
        return Err(error(CodeErrorKind::Length, 4));
    }
    let mut program = Vec::new();
    let mut numbers = vec![None; code.len()];
    let mut at = 0;
    let truncated = || error(CodeErrorKind::Truncated, record.len());
    let target = |at: usize| match code.get(at + 1..at + 3) {
        Some(&[low, high]) => Ok(usize::from(u16::from_le_bytes([low, high]))),
        _ => Err(truncated()),
    };
    while let Some(&opcode) = code.get(at) {
        if program.len() == MAX_INSTRUCTIONS {
            return Err(error(CodeErrorKind::TooLarge, HEAD + at));
        }
        numbers[at] = Some(program.len());
        let operand = code.get(at + 1).copied();
        let (instruction, length) = match opcode {
            0x02 => (Instruction::Atom(Node::Byte(operand.ok_or_else(truncated)?)), 2),
            0x09 => (Instruction::Atom(Node::Any), 1),
            0x19 => (Instruction::Atom(Node::Start), 1),
            0x29 => (Instruction::Atom(Node::End), 1),
            0x2f => (Instruction::Fork(target(at)?), 3),
            0x0a => (Instruction::Jump(target(at)?), 3),
            0x15 => match operand {
                Some(0) => (Instruction::Accept, 2),
                _ => return Err(error(CodeErrorKind::Shape, HEAD + at)),
            },
            class if class & 0x0f == 0x0b && class > 0x0f => {
                let length = 1 + 2 * usize::from(class >> 4);
                let pairs = code.get(at + 1..at + length).ok_or_else(truncated)?;
                (Instruction::Atom(Node::Class(class_of(pairs))), length)
            }
            other => return Err(error(CodeErrorKind::UnknownInstruction(other), HEAD + at)),
        };
        program.push(instruction);
        at += length;
    }
    for instruction in &mut program {
        if let Instruction::Fork(to) | Instruction::Jump(to) = instruction {
            *to = numbers.get(*to).copied().flatten().ok_or(error(CodeErrorKind::BadJump, HEAD + *to))?;
        }
    }
    match program.last() {
        Some(Instruction::Jump(_) | Instruction::Accept) => Ok(program),
        _ => Err(truncated()),
    }
}

/// A class from its pairs; the first low byte above the last high one tells a negated class.
fn class_of(pairs: &[u8]) -> Class {
    let ranges: Vec<(u8, u8)> = pairs.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    match (ranges.first(), ranges.last()) {
        (Some((low, _)), Some((_, high))) if low > high => {
            let before = std::iter::once(*high).chain(ranges.iter().map(|range| range.1));
            let excluded = before.zip(&ranges).map(|(high, (low, _))| (high.wrapping_add(1), low.wrapping_sub(1)));
            Class::new(true, excluded.collect())
        }
        _ => Class::new(false, ranges),
    }
}

fn successors(program: &[Instruction], at: usize) -> [Option<usize>; 2] {
    match program.get(at) {
        Some(Instruction::Atom(_)) => [Some(at + 1), None],
        Some(Instruction::Fork(to)) => [Some(at + 1), Some(*to)],
        Some(Instruction::Jump(to)) => [Some(*to), None],
        Some(Instruction::Accept) | None => [None, None],
    }
}

/// For each instruction the first one that every way from it to `accept` passes (Cooper, Harvey, Kennedy: "A simple, fast
/// dominance algorithm", on the reversed graph). None where `accept` is out of reach. Graphs that no compiler makes take
/// many rounds; `work` ends them.
fn post_dominators(program: &[Instruction], accept: usize, work: &mut usize) -> Result<Vec<Option<usize>>, CodeError> {
    let mut predecessors = vec![Vec::new(); program.len()];
    for at in 0..program.len() {
        for next in successors(program, at).into_iter().flatten() {
            predecessors[next].push(at);
        }
    }
    // Postorder of the reversed graph, without recursion.
    let mut order = Vec::new();
    let mut rank = vec![None; program.len()];
    let mut seen = vec![false; program.len()];
    let mut stack = vec![(accept, 0usize)];
    seen[accept] = true;
    while let Some((at, child)) = stack.pop() {
        match predecessors[at].get(child) {
            Some(&next) => {
                stack.push((at, child + 1));
                if !std::mem::replace(&mut seen[next], true) {
                    stack.push((next, 0));
                }
            }
            None => {
                rank[at] = Some(order.len());
                order.push(at);
            }
        }
    }
    let mut parent: Vec<Option<usize>> = vec![None; program.len()];
    parent[accept] = Some(accept);
    let mut changed = true;
    while changed {
        changed = false;
        for &at in order.iter().rev().filter(|at| **at != accept) {
            let mut climbed = 1;
            let known = successors(program, at).into_iter().flatten().filter(|next| parent[*next].is_some());
            let new = known.reduce(|mut a, mut b| {
                while a != b {
                    climbed += 1;
                    // A smaller rank is farther from `accept`; known nodes lead up to it.
                    let climber = if rank[a] < rank[b] { &mut a } else { &mut b };
                    *climber = parent[*climber].unwrap_or(accept);
                }
                a
            });
            *work = work.checked_sub(climbed).ok_or(error(CodeErrorKind::TooLarge, 0))?;
            if new.is_some() && parent[at] != new {
                parent[at] = new;
                changed = true;
            }
        }
    }
    Ok(parent)
}

struct Parser<'p> {
    program: &'p [Instruction],
    meets: &'p [Option<usize>],
    /// For each instruction the forks that may close an `x+` beginning there, ascending, and where each goes on.
    closers: &'p [Vec<(usize, usize)>],
    /// Where the sequences around the present one stop.
    barriers: Vec<usize>,
    work: usize,
}

impl Parser<'_> {
    fn spend(&mut self, work: usize) -> Result<(), CodeError> {
        self.work = self.work.checked_sub(work).ok_or(error(CodeErrorKind::TooLarge, 0))?;
        Ok(())
    }

    /// The expression from `start` up to `stop`; loops of `x+` that close at `inside` or later are those around it.
    fn sequence(&mut self, start: usize, stop: usize, inside: Option<usize>) -> Result<Node, CodeError> {
        if self.barriers.len() >= MAX_DEPTH {
            return Err(error(CodeErrorKind::TooDeep, 0));
        }
        self.barriers.push(stop);
        let mut parts = Vec::new();
        let mut at = start;
        let mut limit = inside;
        while at != stop {
            self.spend(1)?;
            if let Some((fork, out)) = self.plus_loop(at, limit.take())? {
                let body = self.sequence(at, fork, Some(fork))?;
                parts.push(Node::Repeat(Box::new(body), Repeat::Plus));
                at = out;
                continue;
            }
            match &self.program[at] {
                Instruction::Atom(node) => {
                    parts.push(node.clone());
                    at += 1;
                }
                Instruction::Jump(to) => at = *to,
                Instruction::Accept => return Err(error(CodeErrorKind::Shape, 0)),
                Instruction::Fork(out) if self.reaches(at + 1, at)? => {
                    let body = self.sequence(at + 1, at, None)?;
                    parts.push(Node::Repeat(Box::new(body), Repeat::Star));
                    at = *out;
                }
                Instruction::Fork(other) => {
                    let meet = self.meets[at].ok_or(error(CodeErrorKind::Shape, 0))?;
                    parts.push(self.branches(at, *other, meet)?);
                    at = meet;
                }
            }
        }
        self.barriers.pop();
        Ok(Node::concat(parts))
    }

    /// `x?` or `a|b|c` at the fork `at`.
    fn branches(&mut self, at: usize, other: usize, meet: usize) -> Result<Node, CodeError> {
        if other == meet {
            let body = self.sequence(at + 1, meet, None)?;
            return Ok(Node::Repeat(Box::new(body), Repeat::Optional));
        }
        // `a|b|c` is `(a|b)|c`: follow the left side down.
        let mut rights = vec![other];
        let mut left = at + 1;
        while let Some(&Instruction::Fork(other)) = self.program.get(left) {
            self.spend(1)?;
            let alternation = other != meet && self.meets[left] == Some(meet);
            if !alternation || self.plus_loop(left, None)?.is_some() || self.reaches(left + 1, left)? {
                break;
            }
            rights.push(other);
            left += 1;
        }
        let mut branches = vec![self.sequence(left, meet, None)?];
        for right in rights.into_iter().rev() {
            branches.push(self.sequence(right, meet, None)?);
        }
        Ok(Node::alternate(branches))
    }

    /// The outermost `x+` that begins at `at`: its fork, which goes back by a jump right behind it, and what follows.
    fn plus_loop(&mut self, at: usize, limit: Option<usize>) -> Result<Option<(usize, usize)>, CodeError> {
        let closers = self.closers;
        for &(fork, out) in closers[at].iter().rev().filter(|(fork, _)| limit.is_none_or(|limit| *fork < limit)) {
            self.spend(1)?;
            // A fork whose left branch is empty goes back by a jump too, but nothing leads to it from there.
            if !self.reaches(out, fork)? && self.reaches(at, fork)? {
                return Ok(Some((fork, out)));
            }
        }
        Ok(None)
    }

    /// Whether a way leads from `from` to `to` without passing where a sequence around stops.
    fn reaches(&mut self, from: usize, to: usize) -> Result<bool, CodeError> {
        // Clearing memory is cheap, not free.
        self.spend(self.program.len() / 32)?;
        let mut seen = vec![false; self.program.len()];
        for barrier in &self.barriers {
            seen[*barrier] = true;
        }
        let mut todo = vec![from];
        while let Some(at) = todo.pop() {
            self.spend(1)?;
            if at == to {
                return Ok(true);
            }
            if !std::mem::replace(&mut seen[at], true) {
                todo.extend(successors(self.program, at).into_iter().flatten());
            }
        }
        Ok(false)
    }
}
