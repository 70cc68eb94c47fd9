//! Decision diagrams: hash-consed, ordered, over the tests of a policy. Two conditions are the same exactly when their roots
//! are.
//!
//! **Invariants:** a node's children test later atoms only; no node has equal children; equal nodes are one node. Nothing here
//! recurses by the number of rules or tests.

use indexmap::IndexSet;
use rustc_hash::{FxHashMap, FxHashSet};

use super::atoms::{Atom, Expr};

/// A node: a condition over atoms, or which of two actions is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Root(u32);

impl Root {
    /// False; deny.
    pub(crate) const DENY: Self = Self(0);
    /// True; allow.
    pub(crate) const ALLOW: Self = Self(1);

    pub(crate) fn is_constant(self) -> bool {
        self.0 < 2
    }

    /// Its place in the store.
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

impl From<bool> for Root {
    fn from(value: bool) -> Self {
        if value { Self::ALLOW } else { Self::DENY }
    }
}

/// The diagram would need more nodes than its owner allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decision diagram needs more nodes than the limit allows")]
pub(crate) struct TooManyNodes;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    /// Position of the atom in the order.
    level: u32,
    low: Root,
    high: Root,
}

const CONSTANT_LEVEL: u32 = u32::MAX;

/// A store of nodes. Atoms are ordered as they are first met, or as [`Dag::order`] says.
#[derive(Debug)]
pub(crate) struct Dag {
    limit: usize,
    atoms: IndexSet<Atom>,
    nodes: Vec<Node>,
    unique: FxHashMap<Node, Root>,
    results: FxHashMap<(Root, Root, Root), Root>,
}

enum Task {
    Expand(Root, Root, Root),
    Join { level: u32, key: (Root, Root, Root) },
}

impl Dag {
    /// An empty store for at most `limit` nodes.
    pub(crate) fn new(limit: usize) -> Self {
        let constant = |value| Node { level: CONSTANT_LEVEL, low: Root::from(value), high: Root::from(value) };
        Self {
            limit,
            atoms: IndexSet::new(),
            nodes: vec![constant(false), constant(true)],
            unique: FxHashMap::default(),
            results: FxHashMap::default(),
        }
    }

    /// Puts `atom` last in the order unless it has a place already.
    pub(crate) fn order(&mut self, atom: Atom) -> u32 {
        self.atoms.insert_full(atom).0 as u32
    }

    fn node(&self, root: Root) -> Node {
        self.nodes[root.0 as usize]
    }

    fn make(&mut self, level: u32, low: Root, high: Root) -> Result<Root, TooManyNodes> {
        if low == high {
            return Ok(low);
        }
        let node = Node { level, low, high };
        if let Some(known) = self.unique.get(&node) {
            return Ok(*known);
        }
        if self.nodes.len() >= self.limit {
            return Err(TooManyNodes);
        }
        let root = Root(self.nodes.len() as u32);
        self.nodes.push(node);
        self.unique.insert(node, root);
        Ok(root)
    }

    /// The condition that `atom` holds.
    pub(crate) fn atom(&mut self, atom: Atom) -> Result<Root, TooManyNodes> {
        let level = self.order(atom);
        self.make(level, Root::DENY, Root::ALLOW)
    }

    /// If `condition` then `yes` else `no`.
    pub(crate) fn ite(&mut self, condition: Root, yes: Root, no: Root) -> Result<Root, TooManyNodes> {
        let mut tasks = vec![Task::Expand(condition, yes, no)];
        let mut done: Vec<Root> = Vec::new();
        while let Some(task) = tasks.pop() {
            match task {
                Task::Expand(f, g, h) => {
                    if let Some(known) = self.shortcut(f, g, h) {
                        done.push(known);
                        continue;
                    }
                    let level = [f, g, h].map(|root| self.node(root).level).into_iter().min().unwrap_or(CONSTANT_LEVEL);
                    let [f1, g1, h1] = [f, g, h].map(|root| self.child(root, level, true));
                    let [f0, g0, h0] = [f, g, h].map(|root| self.child(root, level, false));
                    tasks.push(Task::Join { level, key: (f, g, h) });
                    tasks.push(Task::Expand(f1, g1, h1));
                    tasks.push(Task::Expand(f0, g0, h0));
                }
                Task::Join { level, key } => {
                    // Each Expand leaves one result; the two of this Join are on top, the high side last.
                    let (Some(high), Some(low)) = (done.pop(), done.pop()) else { return Err(TooManyNodes) };
                    let root = self.make(level, low, high)?;
                    if self.results.len() >= 4 * self.limit {
                        self.results.clear();
                    }
                    self.results.insert(key, root);
                    done.push(root);
                }
            }
        }
        done.pop().ok_or(TooManyNodes)
    }

    fn shortcut(&self, f: Root, g: Root, h: Root) -> Option<Root> {
        match (f, g, h) {
            (Root::ALLOW, g, _) => Some(g),
            (Root::DENY, _, h) => Some(h),
            (_, g, h) if g == h => Some(g),
            (f, Root::ALLOW, Root::DENY) => Some(f),
            key => self.results.get(&key).copied(),
        }
    }

    fn child(&self, root: Root, level: u32, side: bool) -> Root {
        let node = self.node(root);
        match (node.level == level, side) {
            (false, _) => root,
            (true, true) => node.high,
            (true, false) => node.low,
        }
    }

    pub(crate) fn not(&mut self, root: Root) -> Result<Root, TooManyNodes> {
        self.ite(root, Root::DENY, Root::ALLOW)
    }

    pub(crate) fn and(&mut self, a: Root, b: Root) -> Result<Root, TooManyNodes> {
        self.ite(a, b, Root::DENY)
    }

    pub(crate) fn or(&mut self, a: Root, b: Root) -> Result<Root, TooManyNodes> {
        self.ite(a, Root::ALLOW, b)
    }

    /// The condition `expr`, atoms that `known` answers put in. Callers order the atoms beforehand, first test first. Recursion is bounded by the policy's limit on nesting.
    pub(crate) fn expr(&mut self, expr: &Expr, known: &impl Fn(Atom) -> Option<bool>) -> Result<Root, TooManyNodes> {
        match expr {
            Expr::Atom(atom) => known(*atom).map_or_else(|| self.atom(*atom), |value| Ok(Root::from(value))),
            Expr::Not(inner) => {
                let inner = self.expr(inner, known)?;
                self.not(inner)
            }
            // Later parts test later atoms, so joining from the end touches each once.
            Expr::All(parts) | Expr::Any(parts) => {
                let is_all = matches!(expr, Expr::All(_));
                let mut joined = Root::from(is_all);
                for part in parts.iter().rev() {
                    let part = self.expr(part, known)?;
                    joined = if is_all { self.and(part, joined)? } else { self.or(part, joined)? };
                }
                Ok(joined)
            }
        }
    }

    /// The atoms that `root` depends on, in order.
    pub(crate) fn support(&self, root: Root) -> Vec<Atom> {
        let mut levels: Vec<u32> = self.reachable(root).iter().map(|root| self.node(*root).level).collect();
        levels.sort_unstable();
        levels.dedup();
        levels.iter().filter_map(|level| self.atoms.get_index(*level as usize).copied()).collect()
    }

    /// The inner nodes below `root`, children before parents.
    fn reachable(&self, root: Root) -> Vec<Root> {
        let mut seen = FxHashSet::default();
        let mut todo = vec![root];
        while let Some(root) = todo.pop() {
            if !root.is_constant() && seen.insert(root) {
                let node = self.node(root);
                todo.extend([node.low, node.high]);
            }
        }
        let mut all: Vec<Root> = seen.into_iter().collect();
        // Children test later atoms.
        all.sort_unstable_by_key(|root| (std::cmp::Reverse(self.node(*root).level), *root));
        all
    }

    /// The condition that `root` holds for some answers of the atoms that are `free`.
    pub(crate) fn exists(&mut self, root: Root, free: impl Fn(Atom) -> bool) -> Result<Root, TooManyNodes> {
        let mut renamed: FxHashMap<Root, Root> = FxHashMap::default();
        let new = |renamed: &FxHashMap<Root, Root>, root: Root| renamed.get(&root).copied().unwrap_or(root);
        for old in self.reachable(root) {
            let node = self.node(old);
            let (low, high) = (new(&renamed, node.low), new(&renamed, node.high));
            let replaced = match self.atoms.get_index(node.level as usize).is_some_and(|atom| free(*atom)) {
                true => self.or(low, high)?,
                false => self.make(node.level, low, high)?,
            };
            renamed.insert(old, replaced);
        }
        Ok(new(&renamed, root))
    }

    /// `root` with the atoms that `value` answers put in. Only what is left below those answers is visited.
    pub(crate) fn restrict(&mut self, root: Root, value: impl Fn(Atom) -> Option<bool>) -> Result<Root, TooManyNodes> {
        let mut renamed: FxHashMap<Root, Root> = FxHashMap::default();
        let known = |renamed: &FxHashMap<Root, Root>, root: Root| match root.is_constant() {
            true => Some(root),
            false => renamed.get(&root).copied(),
        };
        let mut todo = vec![root];
        while let Some(old) = todo.pop() {
            if known(&renamed, old).is_some() {
                continue;
            }
            let node = self.node(old);
            let value = self.atoms.get_index(node.level as usize).and_then(|atom| value(*atom));
            let sides = match value {
                Some(side) => [self.child(old, node.level, side); 2],
                None => [node.low, node.high],
            };
            match sides.map(|side| known(&renamed, side)) {
                [Some(low), Some(high)] => {
                    // Of an answered atom both sides are one.
                    let replaced = self.make(node.level, low, high)?;
                    renamed.insert(old, replaced);
                }
                _ => {
                    todo.push(old);
                    todo.extend(sides);
                }
            }
        }
        Ok(known(&renamed, root).unwrap_or(root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(question: u32) -> Atom {
        Atom { column: 0, question }
    }

    #[test]
    fn equal_conditions_are_one_root() {
        let mut dag = Dag::new(100);
        let (a, b) = (dag.atom(atom(0)).unwrap(), dag.atom(atom(1)).unwrap());
        let left = dag.and(a, b).unwrap();
        let (not_a, not_b) = (dag.not(a).unwrap(), dag.not(b).unwrap());
        let either = dag.or(not_b, not_a).unwrap();
        assert_eq!(dag.not(either).unwrap(), left);
        assert_eq!(dag.or(a, not_a).unwrap(), Root::ALLOW);
        assert_eq!(dag.support(left), [atom(0), atom(1)]);
    }

    #[test]
    fn restricting_puts_values_in() {
        let mut dag = Dag::new(100);
        let (a, b) = (dag.atom(atom(0)).unwrap(), dag.atom(atom(1)).unwrap());
        let both = dag.and(a, b).unwrap();
        assert_eq!(dag.restrict(both, |which| (which == atom(0)).then_some(true)).unwrap(), b);
        assert_eq!(dag.restrict(both, |which| (which == atom(1)).then_some(false)).unwrap(), Root::DENY);
        assert_eq!(dag.restrict(both, |_| Some(true)).unwrap(), Root::ALLOW);
    }

    #[test]
    fn free_atoms_leave_what_some_answer_of_theirs_allows() {
        let mut dag = Dag::new(100);
        let [a, b, c] = [0, 1, 2].map(|question| dag.atom(atom(question)).unwrap());
        let (not_a, not_b) = (dag.not(a).unwrap(), dag.not(b).unwrap());
        let left = dag.and(a, b).unwrap();
        let right = dag.and(not_a, c).unwrap();
        let either = dag.or(left, right).unwrap();
        let (b_or_c, a_or_c) = (dag.or(b, c).unwrap(), dag.or(a, c).unwrap());
        assert_eq!(dag.exists(either, |which| which == atom(0)).unwrap(), b_or_c);
        assert_eq!(dag.exists(either, |which| which == atom(1)).unwrap(), a_or_c);
        assert_eq!(dag.exists(either, |_| true).unwrap(), Root::ALLOW);
        let never = dag.and(b, not_b).unwrap();
        assert_eq!(dag.exists(never, |_| true).unwrap(), Root::DENY);
    }

    #[test]
    fn a_long_chain_neither_recurses_nor_exceeds_its_limit() {
        let mut dag = Dag::new(50_010);
        let mut any = Root::DENY;
        for number in (0..50_000).rev() {
            dag.order(atom(49_999 - number));
        }
        for number in (0..50_000).rev() {
            let one = dag.atom(atom(number));
            match one.and_then(|one| dag.or(one, any)) {
                Ok(root) => any = root,
                Err(TooManyNodes) => return,
            }
        }
        assert_eq!(dag.support(any).len(), 50_000);
    }
}
