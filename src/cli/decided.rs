//! Answers of the two engines as text and JSON.

use serde_json::{Value, json};

use crate::blob::{Program, ProgramNode, TerminalId};
use crate::compile::decompile::terminal_modifiers;
use crate::decide::lift::condition;
use crate::decide::world::Step as WalkStep;
use crate::decide::{
    Answer, Answered, Decider, Engine, Graph, GraphVerdict, PathVerdict, Request, Truth, Verdict, World, WorldError,
};
use crate::diag::SourceMap;
use crate::policy::print::Printer;
use crate::policy::{Filter, RuleSource};
use crate::vocab::{FilterId, OpId, Target};

/// One of the engines with what it needs to show where answers come from.
pub(super) enum Judge<'a> {
    Policy(&'a Engine, &'a SourceMap),
    Graph(&'a Graph<'a>, &'a Program),
}

/// A question and how to show its answer.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request,
    pub(super) path: Option<&'a str>,
    pub(super) world: &'a World,
    pub(super) follow: Option<bool>,
    pub(super) explain: bool,
}

/// An answer in words.
struct Shown {
    answer: Answer,
    /// Who decides, as one line and as JSON.
    by: (String, Value),
    /// Who decides instead when unknown values make them match.
    before: Vec<(String, Value)>,
    modifiers: Vec<String>,
    depends_on: Vec<String>,
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(|c: char| c.is_control(), "\u{fffd}")
}

/// A printed form on one line.
pub(super) fn one_line(form: &[u8]) -> String {
    String::from_utf8_lossy(form).lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Longest rule that is shown, in characters.
const SHOWN_RULE: usize = 240;

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_RULE) {
        Some((at, _)) => format!("{} …", text.get(..at).unwrap_or(text)),
        None => text.to_owned(),
    }
}

fn truth(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "yes",
        Truth::False => "no",
        Truth::Unknown => "unknown",
    }
}

impl Judge<'_> {
    fn target(&self) -> &'static Target {
        match self {
            Self::Policy(engine, _) => engine.policy().target(),
            Self::Graph(graph, _) => graph.target(),
        }
    }

    fn printer(&self) -> Printer {
        let version = match self {
            Self::Policy(engine, _) => engine.policy().version(),
            Self::Graph(..) => 1,
        };
        Printer::new(self.target(), version)
    }

    /// The answer, its text and its JSON document.
    pub(super) fn ask(&self, asked: &Asked<'_>) -> Result<(Answer, String, Value), WorldError> {
        match (self, asked.path) {
            (Self::Policy(engine, _), None) => Ok(self.plain(asked, &self.shown(&engine.decide(asked.request)))),
            (Self::Graph(graph, _), None) => Ok(self.plain(asked, &self.shown_graph(&graph.decide(asked.request)))),
            (Self::Policy(engine, _), Some(path)) => {
                let verdict = engine.decide_path(asked.request, path.as_bytes(), asked.world, asked.follow)?;
                Ok(self.walked(asked, path, &verdict, |verdict| self.shown(verdict)))
            }
            (Self::Graph(graph, _), Some(path)) => {
                let verdict = graph.decide_path(asked.request, path.as_bytes(), asked.world, asked.follow)?;
                Ok(self.walked(asked, path, &verdict, |verdict| self.shown_graph(verdict)))
            }
        }
    }

    fn plain(&self, asked: &Asked<'_>, shown: &Shown) -> (Answer, String, Value) {
        let name = self.operation(asked.request.operation);
        let mut text = format!("{}: {name}\n", shown.answer.name());
        let mut document = json!({ "operation": name, "answer": shown.answer.name() });
        describe(&mut text, shown);
        extend(&mut document, shown);
        if asked.explain {
            let (lines, steps) = self.explain(asked.request);
            text.push_str(&lines);
            document["steps"] = steps;
        }
        (shown.answer, text, document)
    }

    fn walked<V: Answered>(
        &self,
        asked: &Asked<'_>,
        path: &str,
        verdict: &PathVerdict<V>,
        show: impl Fn(&V) -> Shown,
    ) -> (Answer, String, Value) {
        let name = self.operation(asked.request.operation);
        let resolved = lossy(&verdict.resolved.path);
        let shown = show(verdict.decisive());
        let mut text = format!("{}: {name} {path}", verdict.answer.name());
        if resolved != path {
            text.push_str(&format!(" (which is {resolved})"));
        }
        text.push('\n');
        if let Some((link, _)) = verdict.links.iter().find(|(_, each)| std::ptr::eq(each, verdict.decisive())) {
            text.push_str(&format!("  {} is a link: file-read-metadata on it is asked first\n", lossy(link)));
        }
        describe(&mut text, &shown);
        let links: Vec<Value> = verdict
            .links
            .iter()
            .map(|(link, verdict)| {
                let shown = show(verdict);
                let mut row = json!({ "path": lossy(link), "answer": shown.answer.name() });
                extend(&mut row, &shown);
                row
            })
            .collect();
        let mut document = json!({
            "operation": name,
            "path": path,
            "resolved_path": resolved,
            "answer": verdict.answer.name(),
        });
        extend(&mut document, &shown);
        document["links"] = json!(links);
        document["operation_answer"] = json!(verdict.operation.answer().name());
        if asked.explain {
            let (way, steps) = self.way(verdict, &show);
            let (lines, rules) = self.explain(&asked.request.clone().with_path(verdict.resolved.path.clone()));
            text.push_str(&format!("the way:\n{way}{lines}"));
            document["way"] = steps;
            document["steps"] = rules;
        }
        (verdict.answer, text, document)
    }

    fn way<V: Answered>(&self, verdict: &PathVerdict<V>, show: &impl Fn(&V) -> Shown) -> (String, Value) {
        let mut lines = String::new();
        let mut steps = Vec::new();
        let mut links = verdict.links.iter();
        for step in &verdict.resolved.steps {
            let (line, row) = match step {
                WalkStep::Component(path) => (lossy(path), json!({ "kind": "component", "path": lossy(path) })),
                WalkStep::Parent(path) => {
                    (format!("..  {}", lossy(path)), json!({ "kind": "parent", "path": lossy(path) }))
                }
                WalkStep::Firmlink { from, to } => {
                    let (from, to) = (lossy(from), lossy(to));
                    (format!("{from} is seen as {to}"), json!({ "kind": "firmlink", "from": from, "path": to }))
                }
                WalkStep::Link { path, target } => {
                    let (path, target) = (lossy(path), lossy(target));
                    let shown = links.next().map(|(_, verdict)| show(verdict));
                    let (word, by) = shown.map_or(("", String::new()), |shown| (shown.answer.name(), shown.by.0));
                    let row = json!({ "kind": "link", "path": path, "target": target, "metadata": word });
                    (format!("{path} -> {target}  metadata: {word}, by {by}"), row)
                }
            };
            lines.push_str(&format!("  {line}\n"));
            steps.push(row);
        }
        (lines, json!(steps))
    }

    fn operation(&self, operation: OpId) -> &'static str {
        self.target().operation(operation).name
    }

    /// A rule or the base table, as one line and as JSON.
    fn decider(&self, engine: &Engine, sources: &SourceMap, decider: Decider) -> (String, Value) {
        let rule = match decider {
            Decider::Own(operation) => {
                let action = engine.action(decider);
                let name = self.operation(operation);
                let line = format!("the system's own default of {name}: {action}");
                return (line, json!({ "kind": "own", "operation": name, "action": action }));
            }
            Decider::Rule(id) => engine.policy().get(id),
        };
        let Some(rule) = rule else { return Default::default() };
        let text = one_line(&self.printer().rule(rule));
        let kind = match rule.source {
            RuleSource::Prelude => "prelude",
            RuleSource::Profile => "profile",
            RuleSource::Implicit => "implicit",
        };
        let mut row = json!({ "kind": kind, "action": rule.action, "rule": text });
        let place = rule.origin.as_ref().and_then(|origin| {
            let (file, at) = sources.position(origin.location)?;
            let line = lossy(sources.get(origin.location.source)?.line(at.line));
            row["file"] = json!(file);
            row["line"] = json!(at.line);
            row["column"] = json!(at.column);
            row["source_line"] = json!(line);
            let form = sources.get(origin.location.source)?.slice(origin.location.span);
            // A form of several lines is shown as it prints on one.
            let shown = if form.contains(&b'\n') { shorten(&text) } else { line.trim().to_owned() };
            Some(format!("{file}:{}:{}: {shown}", at.line, at.column))
        });
        let line = match (place, rule.source) {
            (Some(place), _) => place,
            (None, RuleSource::Prelude) => {
                format!("a default of SBPL version {}: {}", engine.policy().version(), shorten(&text))
            }
            (None, RuleSource::Implicit) => format!("a rule that the compiler adds: {}", shorten(&text)),
            (None, RuleSource::Profile) => text,
        };
        (line, row)
    }

    fn shown(&self, verdict: &Verdict) -> Shown {
        let Self::Policy(engine, sources) = self else { return nobody(verdict.answer) };
        let target = self.target();
        Shown {
            answer: verdict.answer,
            by: self.decider(engine, sources, verdict.decider),
            before: verdict.before.iter().map(|id| self.decider(engine, sources, Decider::Rule(*id))).collect(),
            modifiers: engine
                .modifiers(verdict.decider)
                .iter()
                .map(|each| one_line(&self.printer().modifier(each)))
                .collect(),
            depends_on: verdict.depends_on.iter().map(|each| each.name(target).into_owned()).collect(),
        }
    }

    fn terminal(&self, graph: &Graph<'_>, program: &Program, terminal: TerminalId) -> (String, Value) {
        let action = graph.action(terminal);
        let flags = program.terminal(terminal).map_or(0, |terminal| terminal.flags);
        let node = program.nodes.iter().position(|node| *node == ProgramNode::Terminal(terminal));
        let node = node.unwrap_or_default();
        let row = json!({ "kind": "terminal", "node": node, "action": action, "flags": flags });
        (format!("node {node}: {action}, flags {flags:#x}"), row)
    }

    /// The modifiers of a compiled answer, as a rule would write them.
    fn graph_modifiers(&self, program: &Program, terminal: TerminalId) -> Vec<String> {
        let Some(found) = terminal_modifiers(program, self.target(), terminal) else { return Vec::new() };
        let modifiers = found.modifiers.iter().map(|each| one_line(&self.printer().modifier(each)));
        let names = found.message_filters.iter().filter_map(|operation| self.target().get_operation(*operation));
        modifiers.chain(names.map(|operation| format!("(apply-message-filter …) for {}", operation.name))).collect()
    }

    fn shown_graph(&self, verdict: &GraphVerdict) -> Shown {
        let Self::Graph(graph, program) = self else { return nobody(verdict.answer) };
        let mut terminals = verdict.terminals.iter().map(|each| self.terminal(graph, program, *each));
        // The matching way is walked first, so the last terminal is the one without unknown matches.
        let by = terminals.next_back().unwrap_or_default();
        Shown {
            answer: verdict.answer,
            before: terminals.collect(),
            by,
            modifiers: verdict
                .terminals
                .last()
                .map(|terminal| self.graph_modifiers(program, *terminal))
                .unwrap_or_default(),
            depends_on: verdict.depends_on.iter().map(|each| each.name(self.target()).into_owned()).collect(),
        }
    }

    /// Every rule or node that was asked.
    fn explain(&self, request: &Request) -> (String, Value) {
        let mut text = String::new();
        let mut rows = Vec::new();
        match self {
            Self::Policy(engine, sources) => {
                let mut current = None;
                for step in engine.explain(request) {
                    let name = self.operation(step.operation);
                    if current.replace(step.operation) != Some(step.operation) {
                        text.push_str(&format!("asked of {name}:\n"));
                    }
                    let (line, mut row) = self.decider(engine, sources, step.decider);
                    text.push_str(&format!("  {:8}{line}\n", truth(step.holds)));
                    let mut tests = Vec::new();
                    for (test, holds) in &step.tests {
                        let shown = one_line(&self.printer().filter(&Filter::Test(test.clone())));
                        text.push_str(&format!("    {:8}{shown}\n", truth(*holds)));
                        tests.push(json!({ "test": shown, "holds": truth(*holds) }));
                    }
                    row["of"] = json!(name);
                    row["holds"] = json!(truth(step.holds));
                    row["tests"] = json!(tests);
                    rows.push(row);
                }
            }
            Self::Graph(graph, program) => {
                text.push_str(&format!("asked of {}:\n", self.operation(request.operation)));
                for step in graph.decide(request).steps {
                    let Some(ProgramNode::Test { filter, argument, .. }) = program.node(step.node) else { continue };
                    let filter = FilterId(*filter);
                    let name = self.target().filter_name(filter);
                    let test = condition(self.target(), program, filter, argument);
                    let test = test.map(|test| one_line(&self.printer().filter(&test)));
                    let test = shorten(&test.unwrap_or_else(|_| name.clone().into_owned()));
                    text.push_str(&format!("  {:8}node {}: {test}\n", truth(step.holds), step.node.0));
                    rows.push(json!({ "node": step.node.0, "filter": name, "test": test, "holds": truth(step.holds) }));
                }
            }
        }
        (text, json!(rows))
    }
}

fn nobody(answer: Answer) -> Shown {
    Shown { answer, by: Default::default(), before: Vec::new(), modifiers: Vec::new(), depends_on: Vec::new() }
}

fn describe(text: &mut String, shown: &Shown) {
    if !shown.depends_on.is_empty() {
        text.push_str(&format!("  depends on {}\n", shown.depends_on.join(", ")));
    }
    for (line, _) in &shown.before {
        text.push_str(&format!("  if it matches, by {line}\n"));
    }
    text.push_str(&format!("  {}by {}\n", if shown.before.is_empty() { "" } else { "else " }, shown.by.0));
    for modifier in &shown.modifiers {
        text.push_str(&format!("  {modifier}\n"));
    }
}

fn extend(document: &mut Value, shown: &Shown) {
    document["decided_by"] = shown.by.1.clone();
    document["before"] = shown.before.iter().map(|(_, row)| row.clone()).collect();
    document["modifiers"] = json!(shown.modifiers);
    document["depends_on"] = json!(shown.depends_on);
}
