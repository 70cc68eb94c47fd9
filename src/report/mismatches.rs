//! What did not come out as expected, with the reason as far as the lanes say.

use std::collections::HashMap;

use super::markup::Markup;
use super::verdict::{decision, outcome};
use super::{View, heading, long_table, mark, name, named, profile_name, rule_cell};
use crate::probe::artifact::MismatchPacket;
use crate::probe::artifact::{Mismatch, ProbeResult};

pub(super) fn section(main: &mut Markup, view: &View<'_>) {
    let mismatches = &view.bundle.mismatches.mismatches;
    main.element("section", &[("id", "mismatches")], |section| {
        heading(section, "Mismatches", Some(mismatches.len()));
        if mismatches.is_empty() {
            return section.leaf("p", &[("class", "quiet")], "None: everything came out as expected.");
        }
        let known = Known::of(view);
        let names = ["Profile", "Probe", "Expected", "Actual", "Kind and reason", "Without a profile", "Decided by"];
        long_table(section, "Mismatches", "mismatches", &names, mismatches, |row, mismatch| {
            known.row(row, view, mismatch);
        });
    });
}

type Key<'a> = (&'a str, &'a str);

/// Packets and results by profile and expectation.
struct Known<'a> {
    packets: HashMap<Key<'a>, &'a MismatchPacket>,
    probes: HashMap<Key<'a>, &'a ProbeResult>,
}

impl<'a> Known<'a> {
    fn of(view: &View<'a>) -> Self {
        let packet = |packet: &'a MismatchPacket| {
            Some(((packet.decision_event.profile_id.as_str(), packet.expectation_id.as_deref()?), packet))
        };
        let probes = view.bundle.results.iter().flat_map(|(id, result)| {
            result.probes.iter().filter_map(|probe| Some(((id.as_str(), probe.expectation_id.as_deref()?), probe)))
        });
        Self { packets: view.bundle.packets.iter().filter_map(packet).collect(), probes: probes.collect() }
    }

    fn row(&self, row: &mut Markup, view: &View<'_>, mismatch: &Mismatch) {
        let key = (mismatch.profile_id.as_str(), mismatch.expectation_id.as_deref().unwrap_or(""));
        let number = view.numbers.get(key.0).copied();
        row.element("th", &[("scope", "row")], |cell| match number {
            Some(number) => profile_name(cell, view, number, key.0),
            None => cell.text(key.0),
        });
        row.element("td", &[], |cell| {
            name(cell, mismatch.path.as_deref().unwrap_or(""));
            cell.leaf("small", &[], &mismatch.operation);
        });
        row.leaf("td", &[], decision(mismatch.expected));
        let probe = self.probes.get(&key);
        let actual = probe.map_or_else(|| decision(mismatch.actual).into(), |probe| outcome(probe));
        row.element("td", &[("class", "bad")], |cell| mark(cell, "✗", &actual));
        let packet = self.packets.get(&key);
        row.element("td", &[], |cell| {
            cell.text(&named(&mismatch.mismatch_type));
            if let Some(packet) = packet {
                cell.leaf("small", &[], &named(&packet.mismatch_reason));
            }
            if let Some(notes) = &mismatch.notes {
                cell.leaf("small", &[], notes);
            }
        });
        let baseline = packet.and_then(|packet| packet.baseline.as_ref());
        row.leaf("td", &[], baseline.map_or("not asked", |baseline| baseline.status.name()));
        row.element("td", &[], |cell| match (number, probe) {
            (Some(number), Some(probe)) => rule_cell(cell, view, number, probe),
            _ => cell.leaf("span", &[("class", "quiet")], "not known"),
        });
    }
}
