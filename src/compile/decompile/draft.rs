//! The rules of a whole profile.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use super::facts::Tests;
use super::flow::Flow;
use super::leaf::{Answer, Leaves};
use super::line::unfold;
use super::operation::{Entry, MAX_STORED_SEGMENT, Parts, Splitter};
use super::subject::Subject;
use super::{Stop, loads, text};
use crate::blob::{NodeId, Program, Roots, Terminal};
use crate::policy::{Filter, MessageFilter, Modifier, ModifierValue, Rule, RuleSource};
use crate::vocab::{Action, OpId, Target};

/// Which of two possible readings to take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// The SBPL version; `None`: the one whose prelude explains most.
    pub version: Option<u8>,
    /// Operations that get an unfiltered rule although their parent could answer.
    pub unfiltered: BTreeSet<OpId>,
    /// Operations whose alternatives are listed with the runs of one filter in reverse order: uniting makes a run dearer, and
    /// what is dearer sinks behind what follows it (`f2_right_and_preference_names`).
    pub reversed: BTreeSet<OpId>,
}

/// A decompiled profile.
#[derive(Debug, Clone)]
pub struct Draft {
    /// SBPL.
    pub text: Vec<u8>,
    /// The rules in the text, in its order.
    pub rules: Vec<Rule>,
    /// The SBPL version.
    pub version: u8,
    /// Parameters with which the text must be compiled, and no others; their value does not matter.
    pub params: Vec<&'static str>,
    /// What the text could not say, each a sentence for people.
    pub lost: Vec<String>,
    /// Operations for which [`Choices::unfiltered`] makes a difference.
    pub open: BTreeSet<OpId>,
}

/// Says `program` (profile number `profile` of a collection) in SBPL for `target`.
///
/// # Errors
/// [`Stop::NoProfile`]; [`Stop::Names`], or every rule would be called by the name of another. What else cannot be said is listed in the draft.
pub fn decompile(program: &Program, profile: usize, target: &'static Target, choices: &Choices) -> Result<Draft, Stop> {
    let roots = match &program.roots {
        Roots::Single(roots) if profile == 0 => roots,
        Roots::Single(_) => return Err(Stop::NoProfile),
        Roots::Collection { profiles, .. } => &profiles.get(profile).ok_or(Stop::NoProfile)?.roots,
    };
    if roots.len() != target.op_table_len() {
        let (operations, names) = (roots.len(), target.op_table_len());
        return Err(Stop::Names { operations, target: target.name(), names });
    }
    let all = roots.iter().copied().chain(program.policies.iter().copied());
    let flow = Flow::of(program, all);
    let leaves = Leaves::new(program, target);
    let subject = Subject::new(&flow, &leaves, target, roots);
    let version = choices.version.unwrap_or_else(|| subject.likely_version());
    let explicit = subject.defines_storage_classes() || !subject.shows_what_is_implied();
    let mut writer = Writer {
        splitter: Splitter::new(&flow, &leaves, MAX_STORED_SEGMENT),
        tests: OnceCell::new(),
        taken_apart: HashMap::new(),
        subject: &subject,
        target,
        version,
        explicit,
        stripped: Vec::new(),
        usual: Vec::new(),
        filtered: Vec::new(),
        unfiltered: Vec::new(),
        lost: Vec::new(),
        open: BTreeSet::new(),
        choices,
    };
    writer.run();
    let rules = writer.rules();
    let Writer { mut lost, open, .. } = writer;
    lost.extend(text::without_name(target, version, &rules));
    lost.sort();
    lost.dedup();
    let params = text::params(explicit, &rules);
    let text = text::text(target, version, &params, &rules, &lost);
    Ok(Draft { text, rules, version, params, lost, open })
}

/// A root, where its program may lead to, and the answer that is expected when no rule applies.
type Question = (NodeId, Vec<NodeId>, Option<Terminal>);

struct Writer<'f, 'p> {
    splitter: Splitter<'f, 'p>,
    /// Of the whole program, when the first part of it is unfolded.
    tests: OnceCell<Tests<'p>>,
    taken_apart: HashMap<Question, Result<Parts, Stop>>,
    subject: &'f Subject<'f, 'p>,
    target: &'static Target,
    version: u8,
    /// Nothing is left to the compiler but what the version allows: see [`text::params`].
    explicit: bool,
    /// By operation: its program without what the compiler adds.
    stripped: Vec<NodeId>,
    /// By operation: the answer when no rule applies.
    usual: Vec<Option<&'p Terminal>>,
    /// Rules with filters, oldest first, by operation; equal lists share one row.
    filtered: Vec<(Vec<Rule>, Vec<OpId>)>,
    unfiltered: Vec<Rule>,
    lost: Vec<String>,
    open: BTreeSet<OpId>,
    choices: &'f Choices,
}

impl<'p> Writer<'_, 'p> {
    fn run(&mut self) {
        let count = self.target.operations().len();
        self.usual = vec![None; count];
        self.stripped = (0..count).map(|at| self.subject.roots.get(at).copied().unwrap_or(NodeId(u32::MAX))).collect();
        // Parents before children.
        let mut order: Vec<OpId> =
            self.target.operations().iter().filter(|row| row.in_op_table).map(|row| row.id).collect();
        order.sort_by_key(|&id| (self.target.lineage(id).count(), id));
        for operation in order {
            let Some(root) = self.subject.root(operation) else { continue };
            if let Err(stop) = self.operation(operation, root) {
                let name = self.target.operation(operation).name;
                self.lost.push(format!("{name}: {stop}"));
            }
        }
    }

    fn operation(&mut self, operation: OpId, root: NodeId) -> Result<(), Stop> {
        let row = self.target.operation(operation);
        let index = usize::from(operation.0);
        let (root, masked) = self.subject.without_additions(operation, root, self.version, self.explicit);
        self.stripped[index] = root;
        let parent = row.parent.filter(|_| row.prelude < self.version);
        let own = if row.prelude >= self.version { Some(Action::Allow) } else { row.own };
        let parent_roots: Vec<NodeId> = parent
            .map(|parent| [self.subject.root(parent), self.stripped.get(usize::from(parent.0)).copied()])
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        self.usual[index] = parent.and_then(|parent| self.usual.get(usize::from(parent.0)).copied().flatten());
        let nothing_of_its_own = masked.is_empty()
            && (parent_roots.contains(&root) || own.is_some_and(|action| self.subject.is_plain(root, action)));
        if nothing_of_its_own {
            if parent.is_none() {
                self.usual[index] = self.subject.terminal(root);
            }
            return Ok(());
        }
        let usual = self.usual[index].or_else(|| own.and_then(|action| self.subject.some_plain(action)));
        let through: Vec<NodeId> =
            parent_roots.iter().copied().filter(|id| !self.subject.flow.is_terminal(*id)).collect();
        let parts = self.parts(root, &through, usual)?;
        let mut entries = parts.entries;
        if row.name == "network-outbound" && !self.explicit && self.subject.can_allow(operation) {
            entries.retain_mut(|entry| !self.subject.is_flow_divert(entry));
        }
        if !self.subject.flow.is_terminal(parts.end) {
            // Falls through to the parent.
        } else {
            let falls_to_parent = parent.is_some() && self.subject.terminal(parts.end) == usual;
            if falls_to_parent && parent_roots.iter().any(|id| !self.subject.flow.is_terminal(*id)) {
                self.open.insert(operation);
            }
            // Where nothing is asked, the parent's tests were not passed over.
            let asks = self.subject.root(operation).is_some_and(|root| !self.subject.flow.is_terminal(root))
                || parent_roots.iter().all(|id| self.subject.flow.is_terminal(*id));
            let implied = match parent {
                Some(_) => falls_to_parent && asks && !self.choices.unfiltered.contains(&operation),
                None => own.is_some_and(|action| self.subject.is_plain(parts.end, action)),
            };
            self.usual[index] = self.subject.terminal(parts.end);
            if !implied || operation == OpId::DEFAULT {
                let answer = self.answer(parts.end)?;
                let mut rule = self.rule(operation, None, answer, 0)?;
                rule.operations = vec![operation];
                self.unfiltered.push(rule);
            }
        }
        // Before anything is turned round: a value looks at what was loaded before it.
        loads::complete(self.target, &mut entries);
        if self.choices.reversed.contains(&operation) {
            entries.iter_mut().for_each(|entry| reverse_runs(&mut entry.filter));
        }
        let mut rules = Vec::new();
        for Entry { filter, answer } in entries.into_iter().rev() {
            let answer = self.answer(answer)?;
            rules.push(self.rule(operation, Some(filter), answer, 0)?);
        }
        if !masked.is_empty() {
            let allow = Answer { action: Action::Allow, modifiers: Vec::new(), filters: Vec::new(), unknown: 0 };
            rules.push(self.rule(operation, Some(Filter::Any(masked)), allow, 0)?);
        }
        if rules.is_empty() {
            return Ok(());
        }
        match self.filtered.iter_mut().find(|(known, _)| same(known, &rules)) {
            Some((_, operations)) => operations.push(operation),
            None => self.filtered.push((rules, vec![operation])),
        }
        Ok(())
    }

    /// The program at `root`, taken apart as it is stored, else unfolded.
    fn parts(&mut self, root: NodeId, through: &[NodeId], usual: Option<&Terminal>) -> Result<Parts, Stop> {
        let key = (root, through.to_vec(), usual.cloned());
        if let Some(known) = self.taken_apart.get(&key) {
            return known.clone();
        }
        let mut parts = self.splitter.split(root, through, usual);
        if parts == Err(Stop::TooComplex) {
            let program = self.subject.flow.program();
            let tests = self.tests.get_or_init(|| Tests::new(program, self.target));
            parts = match unfold(program, tests, root, through) {
                Some(unfolded) => {
                    Splitter::new(&unfolded.flow, self.subject.leaves, usize::MAX).split(unfolded.root, through, usual)
                }
                None => Splitter::new(self.subject.flow, self.subject.leaves, usize::MAX).split(root, through, usual),
            };
        }
        self.taken_apart.insert(key, parts.clone());
        parts
    }

    fn answer(&mut self, id: NodeId) -> Result<Answer, Stop> {
        let terminal = self.subject.terminal(id).ok_or(Stop::Dangling)?;
        let mut answer = self.subject.leaves.answer(terminal);
        if self.subject.is_separate(id)
            && let Some(modifier) = self.filter_of_nothing()
        {
            answer.modifiers.push(modifier);
        }
        if answer.unknown != 0 {
            self.lost.push(format!("bits {:#x} of an answer have no modifier", answer.unknown));
        }
        Ok(answer)
    }

    /// A message filter that allows what is allowed anyway.
    fn filter_of_nothing(&self) -> Option<Modifier> {
        let id = self.target.modifier_named("message-filter")?.id;
        let mut operations = self.target.operations().iter().filter(|row| !row.in_op_table && row.parent.is_some());
        let rule = Rule {
            action: Action::Allow,
            operations: vec![operations.next()?.id],
            filter: None,
            modifiers: Vec::new(),
            source: RuleSource::Profile,
            origin: None,
        };
        Some(Modifier { id, value: ModifierValue::Rules(MessageFilter { rules: vec![rule] }) })
    }

    /// `depth`: message filters around it; their rules hold none.
    fn rule(&mut self, operation: OpId, filter: Option<Filter>, answer: Answer, depth: u8) -> Result<Rule, Stop> {
        let mut modifiers = answer.modifiers;
        if !answer.filters.is_empty() && depth == 0 {
            let mut rules = Vec::new();
            for (operation, root) in answer.filters {
                self.message_rules(OpId(operation), root, &mut rules)?;
            }
            let id = self.target.modifier_named("message-filter").map(|info| info.id).ok_or(Stop::Dangling)?;
            modifiers.push(Modifier { id, value: ModifierValue::Rules(MessageFilter { rules }) });
        }
        Ok(Rule {
            action: answer.action,
            operations: vec![operation],
            filter,
            modifiers,
            source: RuleSource::Profile,
            origin: None,
        })
    }

    fn message_rules(&mut self, operation: OpId, root: NodeId, out: &mut Vec<Rule>) -> Result<(), Stop> {
        let mut parts = self.parts(root, &[], self.subject.some_plain(Action::Allow))?;
        loads::complete(self.target, &mut parts.entries);
        if !self.subject.is_plain(parts.end, Action::Allow) {
            let answer = self.answer(parts.end)?;
            out.push(self.rule(operation, None, answer, 1)?);
        }
        for entry in parts.entries.into_iter().rev() {
            let answer = self.answer(entry.answer)?;
            out.push(self.rule(operation, Some(entry.filter), answer, 1)?);
        }
        Ok(())
    }

    /// Unfiltered rules first, by operation; then the filtered ones.
    fn rules(&mut self) -> Vec<Rule> {
        let mut out: Vec<Rule> = Vec::new();
        self.unfiltered.sort_by_key(|rule| rule.operations.first().copied());
        for rule in self.unfiltered.drain(..) {
            let is_default = rule.operations == [OpId::DEFAULT];
            let known = out.iter_mut().find(|known| {
                !is_default
                    && known.operations != [OpId::DEFAULT]
                    && (known.action, &known.modifiers) == (rule.action, &rule.modifiers)
            });
            match known {
                Some(known) => known.operations.extend(rule.operations),
                None => out.push(rule),
            }
        }
        self.filtered.sort_by_key(|(_, operations)| operations.iter().min().copied());
        for (rules, mut operations) in self.filtered.drain(..) {
            operations.sort();
            out.extend(rules.into_iter().map(|rule| Rule { operations: operations.clone(), ..rule }));
        }
        out
    }
}

/// Reverses the order of the runs of alternatives that test the same filter.
fn reverse_runs(filter: &mut Filter) {
    let Filter::Any(parts) = filter else { return };
    let kind = |filter: &Filter| match filter {
        Filter::Test(test) => Some(test.filter),
        _ => None,
    };
    let runs: Vec<Vec<Filter>> =
        parts.chunk_by(|a, b| kind(a).is_some() && kind(a) == kind(b)).map(<[Filter]>::to_vec).collect();
    *parts = runs.into_iter().rev().flatten().collect();
}

/// The same rules, whatever their operations.
fn same(a: &[Rule], b: &[Rule]) -> bool {
    let alike = |a: &Rule, b: &Rule| a.action == b.action && a.modifiers == b.modifiers && a.filter == b.filter;
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
}
