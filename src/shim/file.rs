//! Reading shim files.

use std::sync::Arc;

use super::error::{ShimError, ShimErrorKind as Kind};
use super::form::{self, Form};
use crate::diag::Span;
use crate::syntax::{self, AtomKind, NodeId, NodeKind, SyntaxLimits, Tree};
use crate::vocab::Action;

/// Deepest nesting of `for-profile` and `unless-rule`.
const MAX_STEP_DEPTH: usize = 16;

/// A shim file is a page or two; a much larger one is refused unread.
const LIMITS: SyntaxLimits = SyntaxLimits { max_bytes: 1 << 20, ..SyntaxLimits::DEFAULT };

/// One shim, with the text it was read from.
#[derive(Debug, Clone)]
pub struct Shim {
    /// What it is called by.
    pub name: String,
    /// What it is for; empty when it does not say.
    pub doc: String,
    /// What it may let through that the profile does not; `None` when it states nothing.
    pub widens: Option<Bound>,
    /// What it may refuse that the profile does not; `None` when it states nothing.
    pub narrows: Option<Bound>,
    /// What it does, in order.
    pub steps: Vec<Step>,
    /// The whole form in its file.
    pub span: Span,
    pub(super) tree: Arc<Tree>,
}

/// A side of a shim's contract. It is kept, not checked here: that takes the meaning of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// No request changes its answer this way.
    Nothing,
    /// Any request may.
    Anything,
    /// Only requests of these kinds may.
    Only(Vec<Scope>),
}

/// `(OPERATION… FILTER…)` in a contract: these operations, where one of the filters matches (or always, without one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Names of operations, as written.
    pub operations: Vec<String>,
    /// Filters, as written.
    pub filters: Vec<Vec<u8>>,
    /// Where it is stated.
    pub span: Span,
}

/// One step of a shim. Node ids are of the shim file's tree; [`Shim::rule_text`] gives their text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `(append RULE…)`: at the end, unless they are the effective last rules already. All of a shim's are one block.
    Append(Vec<NodeId>),
    /// `(add-sibling ("FROM" "TO")…)`: beside every path under FROM, the same path under TO.
    AddSibling(Vec<PathPair>),
    /// `(rewrite-prefix ("FROM" "TO")…)`: every path under FROM becomes the same path under TO.
    RewritePrefix(Vec<PathPair>),
    /// `(replace PATTERN RULE…)`.
    Replace {
        /// What goes.
        pattern: Pattern,
        /// What comes in its place.
        rules: Vec<NodeId>,
    },
    /// `(drop PATTERN…)`.
    Drop(Vec<Pattern>),
    /// `(for-profile "KEY"… STEP…)`: only for the profiles called so.
    ForProfile {
        /// Profile ids.
        keys: Vec<String>,
        /// What is done for them.
        steps: Vec<Step>,
    },
    /// `(unless-rule PATTERN STEP…)`: only when no rule of the profile matches.
    UnlessRule {
        /// What must not be there.
        pattern: Pattern,
        /// What is done then.
        steps: Vec<Step>,
    },
}

/// A path and what it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPair {
    /// The path as profiles name it, e.g. `/tmp`.
    pub from: Vec<u8>,
    /// The path that the system sees, e.g. `/private/tmp`.
    pub to: Vec<u8>,
}

/// `(ACTION OPERATION FILTER…)`: which rules are meant. `_` for action or operation is any, `...` is any filters or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// `None` for `_`.
    pub action: Option<Action>,
    /// `None` for `_`.
    pub operation: Option<String>,
    /// Filters that the rule must have among its own; empty: a rule without filters. `None` for `...`.
    pub filters: Option<Vec<NodeId>>,
}

impl Shim {
    /// A shim that appends the rules of `text`, which may be for one profile only: the `key_specific_rules` of a registry.
    ///
    /// # Errors
    /// Every form of `text` that is no rule.
    pub fn appending(name: &str, text: &[u8]) -> Result<Self, Vec<ShimError>> {
        let tree = read(text)?;
        let mut reader = Reader { tree: &tree, errors: Vec::new() };
        let rules: Vec<NodeId> = tree.roots().filter(|&node| reader.rule(node)).collect();
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        Ok(Self {
            name: name.to_owned(),
            doc: String::new(),
            widens: None,
            narrows: None,
            steps: vec![Step::Append(rules)],
            span: Span::new(0, tree.text().len() as u32),
            tree: Arc::new(tree),
        })
    }

    /// The text of the whole file that the shim is from.
    pub fn text(&self) -> &[u8] {
        self.tree.text()
    }

    /// The text of a rule that a step names.
    pub fn rule_text(&self, rule: NodeId) -> &[u8] {
        self.tree.source(rule)
    }

    /// The profiles that some step is for; empty when no step is bound to one.
    pub fn profiles(&self) -> Vec<&str> {
        fn collect<'a>(steps: &'a [Step], into: &mut Vec<&'a str>) {
            for step in steps {
                match step {
                    Step::ForProfile { keys, steps } => {
                        into.extend(keys.iter().map(String::as_str));
                        collect(steps, into);
                    }
                    Step::UnlessRule { steps, .. } => collect(steps, into),
                    _ => {}
                }
            }
        }
        let mut profiles = Vec::new();
        collect(&self.steps, &mut profiles);
        profiles
    }
}

fn read(text: &[u8]) -> Result<Tree, Vec<ShimError>> {
    let parsed = syntax::parse(text, &LIMITS);
    if parsed.errors.is_empty() {
        return Ok(parsed.tree);
    }
    Err(parsed.errors.into_iter().map(|error| ShimError { span: error.span, kind: Kind::Syntax(error) }).collect())
}

/// Reads a shim file: one or more shims, with names that differ.
///
/// # Errors
/// Everything that is wrong with the file, in the order of the text.
pub fn parse(text: &[u8]) -> Result<Vec<Shim>, Vec<ShimError>> {
    let tree = Arc::new(read(text)?);
    let mut reader = Reader { tree: &tree, errors: Vec::new() };
    let mut shims: Vec<Shim> = Vec::new();
    for node in tree.roots() {
        let Some(shim) = reader.shim(&tree, node) else { continue };
        if shims.iter().any(|other| other.name == shim.name) {
            reader.error(node, Kind::NameTaken(shim.name.clone()));
        }
        shims.push(shim);
    }
    if tree.is_empty() {
        reader.errors.push(ShimError { kind: Kind::Expected("(shim NAME …)"), span: Span::point(text.len() as u32) });
    }
    let mut errors = reader.errors;
    errors.sort_by_key(|error| error.span.start);
    if errors.is_empty() { Ok(shims) } else { Err(errors) }
}

struct Reader<'a> {
    tree: &'a Tree,
    errors: Vec<ShimError>,
}

impl Reader<'_> {
    fn error(&mut self, node: NodeId, kind: Kind) {
        self.errors.push(ShimError { kind, span: self.tree.span(node) });
    }

    fn shim(&mut self, tree: &Arc<Tree>, node: NodeId) -> Option<Shim> {
        if !self.is_list(node, b"shim") {
            self.error(node, Kind::Expected("(shim NAME …)"));
            return None;
        }
        let name = self.tree.children(node).nth(1);
        let Some(name) = name.and_then(|name| self.name(name)) else {
            self.error(name.unwrap_or(node), Kind::BadName);
            return None;
        };
        let mut shim = Shim {
            name,
            doc: String::new(),
            widens: None,
            narrows: None,
            steps: Vec::new(),
            span: self.tree.span(node),
            tree: Arc::clone(tree),
        };
        let mut has_step = false;
        for clause in self.tree.children(node).skip(2) {
            match self.clause_name(clause) {
                Some(b"doc") => shim.doc.push_str(&self.doc(clause)),
                Some(b"widens") => self.bound(clause, "widens", &mut shim.widens),
                Some(b"narrows") => self.bound(clause, "narrows", &mut shim.narrows),
                _ => {
                    has_step = true;
                    shim.steps.extend(self.step(clause, 1));
                }
            }
        }
        if !has_step {
            self.error(node, Kind::NoStep);
        }
        Some(shim)
    }

    fn is_list(&self, node: NodeId, head: &[u8]) -> bool {
        self.tree.kind(node) == NodeKind::List && self.tree.head(node) == Some(head)
    }

    fn clause_name(&self, node: NodeId) -> Option<&[u8]> {
        if self.tree.kind(node) == NodeKind::List { self.tree.head(node) } else { None }
    }

    fn name(&self, node: NodeId) -> Option<String> {
        let name = std::str::from_utf8(self.tree.symbol(node)?).ok()?;
        let fits = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        fits.then(|| name.to_owned())
    }

    fn doc(&mut self, clause: NodeId) -> String {
        let Some(text) = self.only_strings(clause) else { return String::new() };
        text.iter().map(|part| String::from_utf8_lossy(part)).collect()
    }

    /// The arguments of a clause, which must be one string or more.
    fn only_strings(&mut self, clause: NodeId) -> Option<Vec<Vec<u8>>> {
        let strings: Option<Vec<_>> =
            self.tree.children(clause).skip(1).map(|node| form::string(self.tree, node)).collect();
        let strings = strings.filter(|strings| !strings.is_empty());
        if strings.is_none() {
            self.error(clause, Kind::Expected("strings"));
        }
        strings
    }

    fn bound(&mut self, clause: NodeId, side: &'static str, into: &mut Option<Bound>) {
        if into.is_some() {
            self.error(clause, Kind::ContractTwice(side));
        }
        let tree = self.tree;
        let items: Vec<NodeId> = tree.children(clause).skip(1).collect();
        *into = match items.as_slice() {
            [] => {
                self.error(clause, Kind::Expected("'nothing', 'anything' or (OPERATION… FILTER…)"));
                None
            }
            [one] if tree.symbol(*one) == Some(b"nothing") => Some(Bound::Nothing),
            [one] if tree.symbol(*one) == Some(b"anything") => Some(Bound::Anything),
            items => Some(Bound::Only(items.iter().filter_map(|&item| self.scope(item)).collect())),
        };
    }

    fn scope(&mut self, node: NodeId) -> Option<Scope> {
        let tree = self.tree;
        let mut scope = Scope { operations: Vec::new(), filters: Vec::new(), span: tree.span(node) };
        let mut fits = tree.kind(node) == NodeKind::List;
        for child in tree.children(node) {
            match (tree.kind(child), tree.head(child)) {
                (NodeKind::Atom(AtomKind::Symbol), _) if scope.filters.is_empty() => {
                    scope.operations.push(String::from_utf8_lossy(tree.source(child)).into_owned());
                }
                (NodeKind::List, Some(_)) => scope.filters.push(tree.source(child).to_vec()),
                _ => fits = false,
            }
        }
        if !fits || scope.operations.is_empty() {
            self.error(node, Kind::Expected("(OPERATION… FILTER…)"));
            return None;
        }
        Some(scope)
    }

    fn step(&mut self, node: NodeId, depth: usize) -> Option<Step> {
        let tree = self.tree;
        let Some(head) = self.clause_name(node).map(<[u8]>::to_vec) else {
            self.error(node, Kind::Expected("a step, such as (append RULE …)"));
            return None;
        };
        if depth > MAX_STEP_DEPTH {
            self.error(node, Kind::TooDeep { limit: MAX_STEP_DEPTH });
            return None;
        }
        let arguments: Vec<NodeId> = tree.children(node).skip(1).collect();
        match head.as_slice() {
            b"append" => Some(Step::Append(self.rules(node, &arguments))),
            b"add-sibling" => Some(Step::AddSibling(self.pairs(node, &arguments))),
            b"rewrite-prefix" => Some(Step::RewritePrefix(self.pairs(node, &arguments))),
            b"replace" => {
                let (pattern, rules) = self.pattern_and_rest(node, &arguments)?;
                Some(Step::Replace { pattern, rules: self.rules(node, rules) })
            }
            b"drop" => {
                if arguments.is_empty() {
                    self.error(node, Kind::Expected("(ACTION OPERATION FILTER…)"));
                }
                Some(Step::Drop(arguments.iter().filter_map(|&argument| self.pattern(argument)).collect()))
            }
            b"for-profile" => {
                let split = arguments.iter().position(|&node| form::string(tree, node).is_none());
                let (keys, steps) = arguments.split_at(split.unwrap_or(arguments.len()));
                if keys.is_empty() {
                    self.error(node, Kind::Expected("the id of a profile as a string"));
                }
                let keys = keys.iter().filter_map(|&key| form::string(tree, key));
                let keys = keys.map(|key| String::from_utf8_lossy(&key).into_owned()).collect();
                Some(Step::ForProfile { keys, steps: self.steps(node, steps, depth) })
            }
            b"unless-rule" => {
                let (pattern, steps) = self.pattern_and_rest(node, &arguments)?;
                Some(Step::UnlessRule { pattern, steps: self.steps(node, steps, depth) })
            }
            other => {
                let name = String::from_utf8_lossy(other).into_owned();
                self.error(node, Kind::UnknownClause { name });
                None
            }
        }
    }

    fn steps(&mut self, node: NodeId, steps: &[NodeId], depth: usize) -> Vec<Step> {
        if steps.is_empty() {
            self.error(node, Kind::Expected("a step, such as (append RULE …)"));
        }
        steps.iter().filter_map(|&step| self.step(step, depth + 1)).collect()
    }

    fn pattern_and_rest<'n>(&mut self, node: NodeId, arguments: &'n [NodeId]) -> Option<(Pattern, &'n [NodeId])> {
        match arguments {
            [first, rest @ ..] => Some((self.pattern(*first)?, rest)),
            [] => {
                self.error(node, Kind::Expected("(ACTION OPERATION FILTER…)"));
                None
            }
        }
    }

    fn rules(&mut self, node: NodeId, rules: &[NodeId]) -> Vec<NodeId> {
        if rules.is_empty() {
            self.error(node, Kind::Expected("rules"));
        }
        rules.iter().copied().filter(|&rule| self.rule(rule)).collect()
    }

    fn rule(&mut self, node: NodeId) -> bool {
        let is_rule = Form::new(self.tree, node).rule().is_some();
        if !is_rule {
            self.error(node, Kind::Expected("a rule (allow OPERATION …) or (deny OPERATION …)"));
        }
        is_rule
    }

    fn pairs(&mut self, node: NodeId, pairs: &[NodeId]) -> Vec<PathPair> {
        if pairs.is_empty() {
            self.error(node, Kind::Expected("(\"FROM\" \"TO\")"));
        }
        pairs.iter().filter_map(|&pair| self.pair(pair)).collect()
    }

    fn pair(&mut self, node: NodeId) -> Option<PathPair> {
        let list = self.tree.kind(node) == NodeKind::List;
        let strings: Vec<_> = self.tree.children(node).map(|child| form::string(self.tree, child)).collect();
        let ([Some(from), Some(to)], true) = (strings.as_slice(), list) else {
            self.error(node, Kind::Expected("(\"FROM\" \"TO\")"));
            return None;
        };
        let absolute = |path: &[u8]| path.len() > 1 && path.starts_with(b"/") && !path.ends_with(b"/");
        let below = to.strip_prefix(from.as_slice()).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')));
        if !absolute(from) || !absolute(to) || below {
            self.error(node, Kind::BadPaths);
            return None;
        }
        Some(PathPair { from: from.clone(), to: to.clone() })
    }

    fn pattern(&mut self, node: NodeId) -> Option<Pattern> {
        let tree = self.tree;
        let mut children = tree.children(node);
        let action = match children.next().and_then(|child| tree.symbol(child)) {
            Some(b"allow") => Some(Some(Action::Allow)),
            Some(b"deny") => Some(Some(Action::Deny)),
            Some(b"_") => Some(None),
            _ => None,
        };
        let operation = children.next().and_then(|child| tree.symbol(child)).and_then(|name| match name {
            b"_" => Some(None),
            name if form::is_operation(name) => Some(Some(String::from_utf8_lossy(name).into_owned())),
            _ => None,
        });
        let filters: Vec<NodeId> = children.collect();
        let any = matches!(filters.as_slice(), [one] if tree.symbol(*one) == Some(b"..."));
        let lists = filters.iter().all(|&filter| tree.kind(filter) == NodeKind::List && tree.head(filter).is_some());
        match (tree.kind(node), action, operation) {
            (NodeKind::List, Some(action), Some(operation)) if any || lists => {
                Some(Pattern { action, operation, filters: (!any).then_some(filters) })
            }
            _ => {
                self.error(node, Kind::Expected("(ACTION OPERATION FILTER…)"));
                None
            }
        }
    }
}
