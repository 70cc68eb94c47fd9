//! The rules of a whole profile.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use super::Stop;
use super::facts::Tests;
use super::flow::Flow;
use super::leaf::{Answer, Leaves};
use super::line::unfold;
use super::loads;
use super::operation::{Entry, MAX_STORED_SEGMENT, Parts, Splitter};
use crate::blob::{Argument, NodeId, Program, ProgramNode, Roots, Terminal};
use crate::pattern::Pattern;
use crate::policy::print::Printer;
use crate::policy::{Arg, Filter, MessageFilter, Modifier, ModifierValue, Rule, RuleSource, Test};
use crate::profile::{has_flow_divert, implicit_self};
use crate::vocab::{Action, FilterId, OpId, Target};

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

const FLOW_DIVERT: &[u8] = b"com.apple.flow-divert";
/// Inferred system calls where the version does not allow all: operation, filter, numbers, and the operation that must be able to
/// allow.
const INFERRED: &[(&str, u8, &[u16], &str)] =
    &[("syscall-unix", 65, &[1, 37], "signal"), ("syscall-mach", 75, &[100], "iokit-open-user-client")];

/// Nodes that may be looked at for the numbers of one mask.
const MAX_MASK_WORK: usize = 4_000_000;

/// The parameter where nothing may be implied: of a profile that defines storage classes (they are allowed nowhere else), and of
/// one without the rules that the compiler adds.
const NO_IMPLICIT_RULES: &str = "NO_IMPLICIT_RULES";
/// The parameter without which `${NAME}` is not a variable, for a compiler that is given parameters at all.
const ENABLE_PATTERN_VARIABLES: &str = "ENABLE_PATTERN_VARIABLES";

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
    let mut writer = Writer {
        splitter: Splitter::new(&flow, &leaves, MAX_STORED_SEGMENT),
        tests: OnceCell::new(),
        taken_apart: HashMap::new(),
        flow: &flow,
        leaves: &leaves,
        target,
        roots,
        version: 1,
        explicit: defines_storage_classes(&flow, roots, target),
        stripped: Vec::new(),
        usual: Vec::new(),
        filtered: Vec::new(),
        unfiltered: Vec::new(),
        lost: Vec::new(),
        open: BTreeSet::new(),
        separate: separate_allows(&flow, roots),
        choices,
    };
    writer.version = choices.version.unwrap_or_else(|| writer.likely_version());
    writer.explicit |= !writer.shows_what_is_implied();
    writer.run();
    let rules = writer.rules();
    let Writer { version, explicit, mut lost, open, .. } = writer;
    let needed = [(explicit, NO_IMPLICIT_RULES), (has_variables(&rules), ENABLE_PATTERN_VARIABLES)];
    let params: Vec<&str> = needed.into_iter().filter_map(|(needed, name)| needed.then_some(name)).collect();
    lost.extend(without_name(target, version, &rules));
    lost.sort();
    lost.dedup();
    let text = text(target, version, explicit, &params, &rules, &lost);
    Ok(Draft { text, rules, version, params, lost, open })
}

/// Rules of operations whose name means another one: the text says them of that one, for no other name exists.
fn without_name(target: &'static Target, version: u8, rules: &[Rule]) -> Vec<String> {
    let printer = Printer::new(target, version);
    let operations: BTreeSet<OpId> = rules.iter().flat_map(|rule| rule.operations.iter().copied()).collect();
    let other = |id: OpId| printer.reads_back_as(id).filter(|read| *read != id);
    let name = |id: OpId| target.operation(id).name;
    let sentence = |id, read| {
        format!("{}: this name means {} and no other name exists, so its rules apply to {1} too", name(id), name(read))
    };
    operations.into_iter().filter_map(|id| Some(sentence(id, other(id)?))).collect()
}

/// Whether a rule, or one in its message filters, tests a pattern that holds a variable.
fn has_variables(rules: &[Rule]) -> bool {
    let in_filter = |filter: &Filter| {
        let mut found = false;
        filter.for_each_test(&mut |test| {
            found |= matches!(&test.arg, Arg::Pattern(pattern) if pattern.has_variables());
        });
        found
    };
    let in_messages = |modifier: &Modifier| match &modifier.value {
        ModifierValue::Rules(filter) => filter.rules.iter().filter_map(|rule| rule.filter.as_ref()).any(in_filter),
        _ => false,
    };
    rules.iter().any(|rule| rule.filter.as_ref().is_some_and(in_filter) || rule.modifiers.iter().any(in_messages))
}

/// The whole profile as text.
fn text(
    target: &'static Target,
    version: u8,
    explicit: bool,
    params: &[&str],
    rules: &[Rule],
    lost: &[String],
) -> Vec<u8> {
    let name = target.name();
    let mut head = if explicit {
        format!(
            ";; Decompiled for {name}. Left out: what the version allows by itself. Nothing else is left to the compiler.\n"
        )
    } else {
        format!(
            ";; Decompiled for {name}. Left out, because the compiler adds it: what the version allows by itself,\n\
             ;; (target self) for signal and the task operations, flow-divert, inferred system calls.\n"
        )
    };
    if !params.is_empty() {
        let options: Vec<String> = params.iter().map(|name| format!("-D {name}=1")).collect();
        head += &format!(";; Compile it with {}.\n", options.join(" "));
    }
    let mut out = head.into_bytes();
    for line in lost {
        let line = line.replace(|c: char| c.is_control(), " ");
        out.extend_from_slice(format!(";; NOT SAID: {line}\n").as_bytes());
    }
    out.extend_from_slice(format!("(version {version})\n").as_bytes());
    let printer = Printer::new(target, version);
    out.extend(printer.rules_by_names(rules));
    out
}

/// A root, where its program may lead to, and the answer that is expected when no rule applies.
type Question = (NodeId, Vec<NodeId>, Option<Terminal>);

struct Writer<'f, 'p> {
    splitter: Splitter<'f, 'p>,
    /// Of the whole program, when the first part of it is unfolded.
    tests: OnceCell<Tests<'p>>,
    taken_apart: HashMap<Question, Result<Parts, Stop>>,
    flow: &'f Flow<'p>,
    leaves: &'f Leaves<'p>,
    target: &'static Target,
    roots: &'p [NodeId],
    version: u8,
    /// Nothing is left to the compiler but what the version allows: see [`NO_IMPLICIT_RULES`].
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
    /// Plain allows that are not the ordinary one: what is left of a message filter that filters nothing.
    separate: BTreeSet<NodeId>,
    choices: &'f Choices,
}

impl<'p> Writer<'_, 'p> {
    fn root(&self, operation: OpId) -> Option<NodeId> {
        self.roots.get(usize::from(operation.0)).copied()
    }

    fn terminal(&self, id: NodeId) -> Option<&'p Terminal> {
        self.leaves.terminal(id).map(|(_, terminal)| terminal)
    }

    fn is_plain(&self, id: NodeId, action: Action) -> bool {
        let flags = if action == Action::Deny { 5 } else { 0 };
        let plain = |terminal: &Terminal| terminal.flags == flags && terminal.modifiers.is_empty();
        !self.separate.contains(&id) && self.terminal(id).is_some_and(plain)
    }

    /// Whether the rules that the compiler adds can be behind what the blob holds.
    fn shows_what_is_implied(&self) -> bool {
        let operation = |name: &str| self.target.operation_named(name).and_then(|id| Some((id, self.root(id)?)));
        let of_self = implicit_self(self.target).filter_map(operation);
        // A cheaper test may stand before it.
        let tests_self = |id: &NodeId| {
            self.flow.step(*id).is_some_and(|step| {
                self.target.filter_named("target") == Some(FilterId(step.filter))
                    && step.argument == Argument::Integer(1)
                    && self.is_plain(step.matched, Action::Allow)
            })
        };
        let mut of_self = of_self.map(|(_, root)| root);
        if !of_self
            .all(|root| self.is_plain(root, Action::Allow) || self.flow.reach_all(&[root]).0.iter().any(tests_self))
        {
            return false;
        }
        let Some((_, root)) = operation("network-outbound").filter(|_| has_flow_divert(self.target)) else {
            return true;
        };
        let (tests, ends) = self.flow.reach_all(&[root]);
        let allows = |id: &NodeId| self.terminal(*id).is_some_and(|terminal| terminal.flags & 1 == 0);
        let mut filters = tests.iter().filter_map(|id| self.leaves.filter(&self.flow.step(*id)?).ok());
        self.flow.is_terminal(root) || !ends.iter().any(allows) || filters.any(|filter| self.is_divert_test(&filter))
    }

    /// The test that the compiler adds to `network-outbound`.
    fn is_divert(&self, filter: &Filter) -> bool {
        matches!(filter, Filter::Test(_)) && self.is_divert_test(filter)
    }

    /// That test, or one united with it.
    fn is_divert_test(&self, filter: &Filter) -> bool {
        let mut found = false;
        filter.for_each_test(&mut |test| {
            found |= self.target.filter_named("control-name") == Some(test.filter)
                && matches!(&test.arg, Arg::Pattern(pattern) if *pattern == Pattern::literal(FLOW_DIVERT));
        });
        found
    }

    /// The highest version whose prelude agrees with most of the operations that some prelude allows.
    fn likely_version(&self) -> u8 {
        let default_is_allow = self.root(OpId::DEFAULT).is_some_and(|root| self.is_plain(root, Action::Allow));
        if default_is_allow {
            return 1;
        }
        let allowed = |version: u8| {
            let rows = self.target.operations().iter().filter(|row| row.prelude == version);
            let (mut allowed, mut others) = (0, 0);
            for root in rows.filter_map(|row| self.root(row.id)) {
                if self.is_plain(root, Action::Allow) {
                    allowed += 1;
                } else {
                    others += 1;
                }
            }
            allowed >= others
        };
        match (allowed(1), allowed(2)) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 3,
        }
    }

    fn run(&mut self) {
        let count = self.target.operations().len();
        self.usual = vec![None; count];
        self.stripped = (0..count).map(|at| self.roots.get(at).copied().unwrap_or(NodeId(u32::MAX))).collect();
        // Parents before children.
        let mut order: Vec<OpId> =
            self.target.operations().iter().filter(|row| row.in_op_table).map(|row| row.id).collect();
        order.sort_by_key(|&id| (self.target.lineage(id).count(), id));
        for operation in order {
            let Some(root) = self.root(operation) else { continue };
            if let Err(stop) = self.operation(operation, root) {
                let name = self.target.operation(operation).name;
                self.lost.push(format!("{name}: {stop}"));
            }
        }
    }

    fn operation(&mut self, operation: OpId, root: NodeId) -> Result<(), Stop> {
        let row = self.target.operation(operation);
        let index = usize::from(operation.0);
        let (root, masked) = self.without_additions(operation, root);
        self.stripped[index] = root;
        let parent = row.parent.filter(|_| row.prelude < self.version);
        let own = if row.prelude >= self.version { Some(Action::Allow) } else { row.own };
        let parent_roots: Vec<NodeId> = parent
            .map(|parent| [self.root(parent), self.stripped.get(usize::from(parent.0)).copied()])
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        self.usual[index] = parent.and_then(|parent| self.usual.get(usize::from(parent.0)).copied().flatten());
        let nothing_of_its_own = masked.is_empty()
            && (parent_roots.contains(&root) || own.is_some_and(|action| self.is_plain(root, action)));
        if nothing_of_its_own {
            if parent.is_none() {
                self.usual[index] = self.terminal(root);
            }
            return Ok(());
        }
        let usual = self.usual[index].or_else(|| own.and_then(|action| self.some_plain(action)));
        let through: Vec<NodeId> = parent_roots.iter().copied().filter(|id| !self.flow.is_terminal(*id)).collect();
        let parts = self.parts(root, &through, usual)?;
        let mut entries = parts.entries;
        if row.name == "network-outbound" && !self.explicit && self.can_allow(operation) {
            entries.retain_mut(|entry| !self.is_flow_divert(entry));
        }
        if !self.flow.is_terminal(parts.end) {
            // Falls through to the parent.
        } else {
            let falls_to_parent = parent.is_some() && self.terminal(parts.end) == usual;
            if falls_to_parent && parent_roots.iter().any(|id| !self.flow.is_terminal(*id)) {
                self.open.insert(operation);
            }
            // Where nothing is asked, the parent's tests were not passed over.
            let asks = self.root(operation).is_some_and(|root| !self.flow.is_terminal(root))
                || parent_roots.iter().all(|id| self.flow.is_terminal(*id));
            let implied = match parent {
                Some(_) => falls_to_parent && asks && !self.choices.unfiltered.contains(&operation),
                None => own.is_some_and(|action| self.is_plain(parts.end, action)),
            };
            self.usual[index] = self.terminal(parts.end);
            if !implied || operation == OpId::DEFAULT {
                let answer = self.answer(parts.end)?;
                let mut rule = self.rule(operation, None, answer, 0)?;
                rule.operations = vec![operation];
                self.unfiltered.push(rule);
            }
        }
        if self.choices.reversed.contains(&operation) {
            entries.iter_mut().for_each(|entry| reverse_runs(&mut entry.filter));
        }
        loads::complete(self.target, &mut entries);
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
            let program = self.flow.program();
            let tests = self.tests.get_or_init(|| Tests::new(program, self.target));
            parts = match unfold(program, tests, root, through) {
                Some(unfolded) => {
                    Splitter::new(&unfolded.flow, self.leaves, usize::MAX).split(unfolded.root, through, usual)
                }
                None => Splitter::new(self.flow, self.leaves, usize::MAX).split(root, through, usual),
            };
        }
        self.taken_apart.insert(key, parts.clone());
        parts
    }

    /// Any terminal of the program that is a plain `action`.
    fn some_plain(&self, action: Action) -> Option<&'p Terminal> {
        let flags = if action == Action::Deny { 5 } else { 0 };
        let terminals = &self.flow.program().terminals;
        terminals.iter().find(|terminal| terminal.flags == flags && terminal.modifiers.is_empty())
    }

    /// The program behind a number mask and behind `(target self)`; the tests of masked numbers that need a rule.
    fn without_additions(&self, operation: OpId, root: NodeId) -> (NodeId, Vec<Filter>) {
        let name = self.target.operation(operation).name;
        let Some(step) = self.flow.step(root) else { return (root, Vec::new()) };
        if !self.explicit
            && implicit_self(self.target).any(|implied| implied == name)
            && self.target.filter_named("target") == Some(FilterId(step.filter))
            && step.argument == Argument::Integer(1)
            && self.is_plain(step.matched, Action::Allow)
        {
            return (step.unmatched, Vec::new());
        }
        let Argument::Bitmask(mask) = step.argument else { return (root, Vec::new()) };
        let Some(mask) = self.flow.program().bitmasks.get(mask.index()) else { return (root, Vec::new()) };
        let numbers: Vec<u16> = mask.numbers().filter_map(|number| u16::try_from(number).ok()).collect();
        let inferred = INFERRED
            .iter()
            .find(|row| row.0 == name && row.1 == step.filter && self.version > 1 && !self.explicit)
            .filter(|row| self.target.operation_named(row.3).is_some_and(|cause| self.can_allow(cause)));
        let inferred = inferred.map_or(&[][..], |row| row.2);
        // Where an allow follows in any case the compiler fills the mask by itself.
        let falls_to_allow = self.last(step.unmatched).is_some_and(|end| self.is_plain(end, Action::Allow));
        let filter = FilterId(step.filter);
        let mut work = 0;
        let tests = numbers
            .into_iter()
            .filter(|number| !inferred.contains(number))
            .filter(|number| !(falls_to_allow && self.allows_anyway(step.unmatched, filter, *number, &mut work)))
            .map(|number| Filter::Test(Test { filter, arg: Arg::Integer(number) }))
            .collect();
        (step.unmatched, tests)
    }

    /// Whether the program at `root` is a plain allow where `filter` has the value `number`, whatever else holds. A program too
    /// large to be walked for each number is not: a rule that says what holds anyway does no harm.
    fn allows_anyway(&self, root: NodeId, filter: FilterId, number: u16, work: &mut usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut pending = vec![root];
        while let Some(id) = pending.pop() {
            if !seen.insert(id) {
                continue;
            }
            *work += 1;
            if *work > MAX_MASK_WORK {
                return false;
            }
            let Some(step) = self.flow.step(id) else {
                if !self.is_plain(id, Action::Allow) {
                    return false;
                }
                continue;
            };
            match step.argument {
                Argument::Integer(value) if FilterId(step.filter) == filter => {
                    pending.push(if value == number { step.matched } else { step.unmatched });
                }
                _ => pending.extend([step.matched, step.unmatched]),
            }
        }
        true
    }

    /// Whether `operation` allows anything besides what the compiler adds, so that a rule of the text does and the compiler adds it.
    fn can_allow(&self, operation: OpId) -> bool {
        let mut seen = BTreeSet::new();
        let mut pending: Vec<NodeId> = self.root(operation).into_iter().collect();
        while let Some(id) = pending.pop() {
            if !seen.insert(id) {
                continue;
            }
            let Some(step) = self.flow.step(id) else {
                if self.terminal(id).is_some_and(|terminal| terminal.flags & 1 == 0) {
                    return true;
                }
                continue;
            };
            let added = self.leaves.filter(&step).is_ok_and(|filter| self.is_divert(&filter));
            pending.extend((!added).then_some(step.matched));
            pending.push(step.unmatched);
        }
        false
    }

    /// The end of the way on which nothing matches.
    fn last(&self, mut at: NodeId) -> Option<NodeId> {
        while let Some(step) = self.flow.step(at) {
            at = step.unmatched;
        }
        Some(at)
    }

    /// Takes the compiler's own alternative out of a rule; true when nothing is left of the rule.
    fn is_flow_divert(&self, entry: &mut Entry) -> bool {
        let added = |filter: &Filter| self.is_divert(filter);
        if !self.is_plain(entry.answer, Action::Allow) {
            return false;
        }
        match &mut entry.filter {
            Filter::Any(parts) => {
                parts.retain(|part| !added(part));
                parts.is_empty()
            }
            filter => added(filter),
        }
    }

    fn answer(&mut self, id: NodeId) -> Result<Answer, Stop> {
        let terminal = self.terminal(id).ok_or(Stop::Dangling)?;
        let mut answer = self.leaves.answer(terminal);
        if self.separate.contains(&id)
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
        let mut parts = self.parts(root, &[], self.some_plain(Action::Allow))?;
        loads::complete(self.target, &mut parts.entries);
        if !self.is_plain(parts.end, Action::Allow) {
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

/// Whether some answer assigns a storage class.
fn defines_storage_classes(flow: &Flow<'_>, roots: &[NodeId], target: &Target) -> bool {
    let Some(id) = target.modifier_named("assign-storage-class").map(|info| info.id) else { return false };
    let (_, ends) = flow.reach_all(roots);
    ends.into_iter().any(|end| match flow.program().node(end) {
        Some(ProgramNode::Terminal(terminal)) => {
            let terminal = flow.program().terminal(*terminal);
            terminal.is_some_and(|terminal| terminal.modifiers.iter().any(|modifier| modifier.id == id.0))
        }
        _ => false,
    })
}

/// The plain allows besides the one to which most ways lead, without those of number masks.
fn separate_allows(flow: &Flow<'_>, roots: &[NodeId]) -> BTreeSet<NodeId> {
    let program = flow.program();
    let is_plain = |id: NodeId| match program.node(id) {
        Some(ProgramNode::Terminal(terminal)) => {
            program.terminal(*terminal).is_some_and(|terminal| terminal.flags == 0 && terminal.modifiers.is_empty())
        }
        _ => false,
    };
    let mut ways: std::collections::BTreeMap<NodeId, usize> = std::collections::BTreeMap::new();
    let mut of_masks = BTreeSet::new();
    let (tests, ends) = flow.reach_all(roots);
    for id in ends.into_iter().filter(|id| is_plain(*id)) {
        ways.entry(id).or_default();
    }
    for step in tests.iter().filter_map(|id| flow.step(*id)) {
        if matches!(step.argument, Argument::Bitmask(_)) {
            of_masks.insert(step.matched);
        }
        for next in [step.matched, step.unmatched] {
            ways.entry(next).and_modify(|count| *count += 1);
        }
    }
    for root in roots {
        ways.entry(*root).and_modify(|count| *count += 1);
    }
    ways.retain(|id, _| !of_masks.contains(id));
    let ordinary = ways.iter().max_by_key(|(_, count)| **count).map(|(id, _)| *id);
    ways.into_keys().filter(|id| Some(*id) != ordinary).collect()
}

/// The same rules, whatever their operations.
fn same(a: &[Rule], b: &[Rule]) -> bool {
    let alike = |a: &Rule, b: &Rule| a.action == b.action && a.modifiers == b.modifiers && a.filter == b.filter;
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
}
