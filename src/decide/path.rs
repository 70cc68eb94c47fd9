//! A path as it is given, judged with every link on the way.

use super::engine::{Answer, Engine, Verdict};
use super::error::WorldError;
use super::graph::{Graph, GraphVerdict};
use super::value::{Attribute, PATH, Request, Value};
use super::world::{Resolved, World, follows_last};
use crate::vocab::{FilterId, OpId, Target};

/// A verdict of either engine.
pub trait Answered {
    /// Its answer.
    fn answer(&self) -> Answer;
}

impl Answered for Verdict {
    fn answer(&self) -> Answer {
        self.answer
    }
}

impl Answered for GraphVerdict {
    fn answer(&self) -> Answer {
        self.answer
    }
}

/// The answer for a path: the way to it, what was asked on the way, and what it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathVerdict<V = Verdict> {
    /// The way and where it ends.
    pub resolved: Resolved,
    /// For each link on the way its own path and whether its metadata may be read.
    pub links: Vec<(Vec<u8>, V)>,
    /// The operation itself, asked about the resolved path.
    pub operation: V,
    /// What the whole call comes to: a refused link refuses it.
    pub answer: Answer,
}

impl<V: Answered> PathVerdict<V> {
    /// The first link that is refused; the operation itself is then never asked.
    pub fn refused_link(&self) -> Option<&(Vec<u8>, V)> {
        self.links.iter().find(|(_, verdict)| verdict.answer() == Answer::Deny)
    }

    /// The verdict that the answer comes from: the first link that is refused, else the operation when it is refused,
    /// else the first link that is undecided, else the operation.
    pub fn decisive(&self) -> &V {
        let undecided = || self.links.iter().find(|(_, verdict)| verdict.answer() == Answer::Depends);
        match (self.refused_link(), self.operation.answer()) {
            (Some((_, link)), _) => link,
            (None, Answer::Deny) => &self.operation,
            (None, _) => undecided().map_or(&self.operation, |(_, link)| link),
        }
    }
}

/// The request for the metadata of a link: what is known of the process stays, what is known of the file does not apply.
fn link_request(target: &Target, request: &Request, metadata: OpId, link: &[u8]) -> Request {
    const OF_THE_PROCESS: &[&str] = &["process", "system", "sandbox", "extension"];
    let keeps = |filter: FilterId| target.filter(filter).is_some_and(|info| OF_THE_PROCESS.contains(&info.category));
    let values = request.values.iter().filter(|(attribute, _)| match attribute {
        Attribute::Filter(filter) => keeps(*filter),
        Attribute::Entitlement(_) | Attribute::Variable(_) => true,
    });
    let mut asked = Request { operation: metadata, values: values.cloned().collect(), closed: request.closed };
    asked.set(Attribute::Filter(PATH), Value::string(link));
    let vnode_type = target.filter_named("vnode-type");
    let symlink = target.enums().get("vnode-type").and_then(|symbols| symbols.iter().find(|s| s.symbol == "SYMLINK"));
    if let (Some(filter), Some(symlink)) = (vnode_type, symlink) {
        asked.set(Attribute::Filter(filter), Value::number(symlink.value));
    }
    asked
}

fn judge<V: Answered>(
    target: &Target,
    request: &Request,
    path: &[u8],
    world: &World,
    follow: Option<bool>,
    ask: impl Fn(&Request) -> V,
) -> Result<PathVerdict<V>, WorldError> {
    let follow = follow.unwrap_or_else(|| follows_last(target, request.operation));
    let resolved = world.resolve(path, follow)?;
    let mut request = request.clone();
    request.take_variables(world);
    let metadata = target.operation_named("file-read-metadata");
    let links: Vec<(Vec<u8>, V)> = resolved
        .links()
        .filter_map(|link| Some((link.to_vec(), ask(&link_request(target, &request, metadata?, link)))))
        .collect();
    let operation = ask(&request.with_path(resolved.path.clone()));
    let answers = || links.iter().map(|(_, verdict)| verdict.answer()).chain([operation.answer()]);
    let answer = match () {
        () if answers().any(|answer| answer == Answer::Deny) => Answer::Deny,
        () if answers().any(|answer| answer == Answer::Depends) => Answer::Depends,
        () => Answer::Allow,
    };
    Ok(PathVerdict { resolved, links, operation, answer })
}

impl Engine {
    /// The answer to `request` about `path` as a program would give it: walked through `world`, each link on the way asked for
    /// its metadata (`spec/probe-runner.md` section 8), the operation asked about where the walk ends.
    ///
    /// `follow` says whether a link as last component is followed; `None` takes [`follows_last`] of the operation.
    ///
    /// # Errors
    /// A path that cannot be walked ([`World::resolve`]).
    pub fn decide_path(
        &self,
        request: &Request,
        path: &[u8],
        world: &World,
        follow: Option<bool>,
    ) -> Result<PathVerdict, WorldError> {
        judge(self.policy().target(), request, path, world, follow, |request| self.decide(request))
    }
}

impl Graph<'_> {
    /// As [`Engine::decide_path`].
    ///
    /// # Errors
    /// As [`Engine::decide_path`].
    pub fn decide_path(
        &self,
        request: &Request,
        path: &[u8],
        world: &World,
        follow: Option<bool>,
    ) -> Result<PathVerdict<GraphVerdict>, WorldError> {
        judge(self.target(), request, path, world, follow, |request| self.decide(request))
    }
}
