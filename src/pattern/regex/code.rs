//! Regex code: the compiled form of regexes that are no pattern code (`spec/blob-format.md` §8).
//!
//! Code is a linear walk over a graph of steps and forks. [`encode`] builds that graph from the expression and walks it as
//! Apple's compiler does; [`decode`] finds the expression again: loops by their way back, alternatives by the place where
//! both sides meet (the immediate post-dominator of the fork).
//!
//! **Invariant:** what [`decode`] accepts, [`encode`] writes again byte for byte.

mod decode;

pub use decode::decode;

use super::{Class, Node, Regex, Repeat};
use crate::pattern::automaton::starts_anchored;
use crate::pattern::code::{CodeError, CodeErrorKind};

/// Version 3, big endian: the only one seen from 2019 to iOS 26.
const VERSION: [u8; 4] = [0, 0, 0, 3];
/// Most ranges of one class instruction.
const MAX_CLASS: usize = 15;

fn error(kind: CodeErrorKind, offset: usize) -> CodeError {
    CodeError::new(kind, offset)
}

/// Writes the record of a regex (version, code length and code, without the outer length word).
///
/// # Errors
/// [`CodeErrorKind::TooLarge`] when the code does not fit a record or a class has more than 15 ranges;
/// [`CodeErrorKind::Shape`] for pattern variables, which regex code cannot express.
pub fn encode(regex: &Regex) -> Result<Vec<u8>, CodeError> {
    let mut graph = Graph { steps: Vec::new() };
    let accept = graph.push(Step::Accept);
    let body = graph.build(regex.node(), accept)?;
    let start = if starts_anchored(regex.node()) {
        body
    } else {
        let fork = graph.push(Step::Fork(body, accept));
        let any = graph.push(Step::Code(vec![0x09], fork));
        graph.steps[fork] = Step::Fork(body, any);
        fork
    };
    let code = Linear { graph: &graph, at: vec![None; graph.steps.len()], code: Vec::new(), pending: Vec::new() }
        .run(start)?;
    let length = u16::try_from(code.len()).map_err(|_| error(CodeErrorKind::TooLarge, 0))?;
    let mut record = VERSION.to_vec();
    record.extend(length.to_le_bytes());
    record.extend(code);
    Ok(record)
}

type StepId = usize;

/// A step of the graph that is to be written.
enum Step {
    /// An instruction, then on.
    Code(Vec<u8>, StepId),
    Fork(StepId, StepId),
    /// The empty step at the end of a right-hand alternative.
    Empty(StepId),
    Accept,
}

struct Graph {
    steps: Vec<Step>,
}

impl Graph {
    fn push(&mut self, step: Step) -> StepId {
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// Steps for `node` that go on to `next`; recursion is bounded by the regex depth limit.
    fn build(&mut self, node: &Node, next: StepId) -> Result<StepId, CodeError> {
        Ok(match node {
            Node::Empty => next,
            Node::Byte(byte) => self.push(Step::Code(vec![0x02, *byte], next)),
            Node::Any => self.push(Step::Code(vec![0x09], next)),
            Node::Start => self.push(Step::Code(vec![0x19], next)),
            Node::End => self.push(Step::Code(vec![0x29], next)),
            Node::Class(class) => self.push(Step::Code(class_code(class)?, next)),
            Node::Variable(_) => return Err(error(CodeErrorKind::Shape, 0)),
            Node::Concat(parts) => parts.iter().rev().try_fold(next, |next, part| self.build(part, next))?,
            Node::Alternate(branches) => {
                let mut branches = branches.iter();
                let mut left = match branches.next() {
                    Some(first) => self.build(first, next)?,
                    None => next,
                };
                for branch in branches {
                    let end = self.push(Step::Empty(next));
                    let right = self.build(branch, end)?;
                    left = self.push(Step::Fork(left, right));
                }
                left
            }
            Node::Repeat(body, Repeat::Optional) => {
                let inner = self.build(body, next)?;
                self.push(Step::Fork(inner, next))
            }
            Node::Repeat(body, repeat) => {
                let fork = self.push(Step::Accept);
                let inner = self.build(body, fork)?;
                self.steps[fork] = Step::Fork(inner, next);
                if *repeat == Repeat::Plus { inner } else { fork }
            }
        })
    }
}

/// Ranges ascending; a negated class as the gaps between its ranges, the last gap wrapping.
fn class_code(class: &Class) -> Result<Vec<u8>, CodeError> {
    let ranges = class.ranges();
    let count = u8::try_from(ranges.len()).ok().filter(|count| (1..=MAX_CLASS).contains(&usize::from(*count)));
    let mut code = vec![count.ok_or(error(CodeErrorKind::TooLarge, 0))? << 4 | 0x0b];
    for (index, (low, high)) in ranges.iter().enumerate() {
        if class.negated() {
            let following = ranges.get(index + 1).or(ranges.first()).map_or(0, |range| range.0);
            code.extend([high.wrapping_add(1), following.wrapping_sub(1)]);
        } else {
            code.extend([*low, *high]);
        }
    }
    Ok(code)
}

/// The walk that puts the graph in a line.
struct Linear<'g> {
    graph: &'g Graph,
    /// Where each step was written.
    at: Vec<Option<usize>>,
    code: Vec<u8>,
    /// Forks whose second target is not written: place of its address, target.
    pending: Vec<(usize, StepId)>,
}

impl Linear<'_> {
    fn run(mut self, start: StepId) -> Result<Vec<u8>, CodeError> {
        let mut next = Some(start);
        while let Some(step) = next {
            next = match self.emit(step)? {
                Some(step) => Some(step),
                None => self.take_up()?,
            };
        }
        Ok(self.code)
    }

    fn address(&self, at: usize) -> Result<[u8; 2], CodeError> {
        Ok(u16::try_from(at).map_err(|_| error(CodeErrorKind::TooLarge, 0))?.to_le_bytes())
    }

    fn jump(&mut self, at: usize) -> Result<(), CodeError> {
        let [low, high] = self.address(at)?;
        self.code.extend([0x0a, low, high]);
        Ok(())
    }

    /// Writes a step and says which one follows directly; none when the path ends here.
    fn emit(&mut self, step: StepId) -> Result<Option<StepId>, CodeError> {
        if let Some(at) = self.at[step] {
            self.jump(at)?;
            return Ok(None);
        }
        let here = self.code.len();
        match &self.graph.steps[step] {
            Step::Empty(next) => match self.at[*next] {
                // It vanishes in front of a step that is not written yet.
                None => Ok(Some(*next)),
                Some(at) => {
                    self.at[step] = Some(here);
                    self.jump(at)?;
                    Ok(None)
                }
            },
            Step::Accept => {
                self.at[step] = Some(here);
                self.code.extend([0x15, 0x00]);
                Ok(None)
            }
            Step::Code(code, next) => {
                self.at[step] = Some(here);
                self.code.extend(code);
                Ok(Some(*next))
            }
            Step::Fork(first, second) => {
                self.at[step] = Some(here);
                self.code.extend([0x2f, 0, 0]);
                self.pending.push((here + 1, *second));
                Ok(Some(*first))
            }
        }
    }

    /// Goes back to the newest fork whose second target is not written.
    fn take_up(&mut self) -> Result<Option<StepId>, CodeError> {
        while let Some((place, target)) = self.pending.pop() {
            let known = self.at[target];
            let address = self.address(known.unwrap_or(self.code.len()))?;
            self.code[place..place + 2].copy_from_slice(&address);
            if known.is_none() {
                return Ok(Some(target));
            }
        }
        Ok(None)
    }
}
