//! Attributes of which a request has at most one.

use super::value::PATH;
use crate::vocab::{FilterId, OpId, Target};

/// Filters that exclude each other: global and local names (`contrary` in the filter table), and the kinds of sockets. A Mach name
/// is global or local; a socket is one of IP, UNIX (a path) and control socket.
#[derive(Debug)]
pub(crate) struct Exclusive {
    remote: Option<FilterId>,
    /// Sides of which at most one is there; a side is one or more filters.
    names: Vec<Vec<FilterId>>,
    sockets: Vec<Vec<FilterId>>,
}

impl Exclusive {
    pub(crate) fn new(target: &Target) -> Self {
        let contrary = target.filters().iter().filter(|filter| filter.contrary);
        let named = |name| target.filter_named(name);
        let addresses = named("local").into_iter().chain(named("remote")).collect();
        Self {
            remote: named("remote"),
            names: contrary.map(|filter| vec![filter.id]).collect(),
            sockets: vec![vec![PATH], addresses, named("control-name").into_iter().collect()],
        }
    }

    /// The filters that `known` ones rule out for requests on `operation`.
    pub(crate) fn ruled_out(
        &self,
        target: &Target,
        operation: OpId,
        known: impl Fn(FilterId) -> bool,
    ) -> Vec<FilterId> {
        let mut out = Vec::new();
        let is_network = self.remote.is_some_and(|remote| target.accepts(operation, remote));
        for group in [Some(&self.names), is_network.then_some(&self.sockets)].into_iter().flatten() {
            if let Some(given) = group.iter().position(|side| side.iter().any(|filter| known(*filter))) {
                let others = group.iter().enumerate().filter(|(number, _)| *number != given);
                out.extend(others.flat_map(|(_, side)| side.iter().copied()));
            }
        }
        out
    }
}
