//! Attributes of which a request has at most one.

use super::value::PATH;
use crate::vocab::{FilterId, OpId, Target};

/// Filters that exclude each other: global and local names (`contrary` in the filter table), and the kinds of sockets.
#[derive(Debug)]
pub(crate) struct Exclusive {
    contrary: Vec<FilterId>,
    local: Option<FilterId>,
    remote: Option<FilterId>,
    control: Option<FilterId>,
}

/// Sides of which at most one is there; a side is one or more filters.
pub(crate) type Group = Vec<Vec<FilterId>>;

impl Exclusive {
    pub(crate) fn new(target: &Target) -> Self {
        Self {
            contrary: target.filters().iter().filter(|filter| filter.contrary).map(|filter| filter.id).collect(),
            local: target.filter_named("local"),
            remote: target.filter_named("remote"),
            control: target.filter_named("control-name"),
        }
    }

    /// The groups for requests on `operation`. A Mach name is global or local; a socket is one of IP, UNIX (a path) and control
    /// socket.
    pub(crate) fn groups(&self, target: &Target, operation: OpId) -> Vec<Group> {
        let mut groups = vec![self.contrary.iter().map(|filter| vec![*filter]).collect::<Group>()];
        if self.remote.is_some_and(|remote| target.accepts(operation, remote)) {
            let addresses = self.local.into_iter().chain(self.remote).collect();
            groups.push(vec![vec![PATH], addresses, self.control.into_iter().collect()]);
        }
        groups
    }
}

/// The filters that `known` rules out, given groups of which only one side can be there.
pub(crate) fn ruled_out(groups: &[Group], known: impl Fn(FilterId) -> bool) -> Vec<FilterId> {
    let mut out = Vec::new();
    for group in groups {
        if let Some(given) = group.iter().position(|side| side.iter().any(|filter| known(*filter))) {
            let others = group.iter().enumerate().filter(|(number, _)| *number != given);
            out.extend(others.flat_map(|(_, side)| side.iter().copied()));
        }
    }
    out
}
