//! Values of one attribute that stand for all others: one for each combination of answers that some value has.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Choices, Combinations, Undecided};
use crate::decide::atoms::{Column, Question, Truth};
use crate::decide::value::{Address, Family, Transport, Value};
use crate::pattern::automaton::{self as strings, Combination};
use crate::pattern::{Pattern, Variables};

/// The combinations of `questions` that some string answers with yes, each with a shortest one, shortest first.
pub(super) fn combinations(column: &Column, questions: &[u32], limit: usize) -> Result<Combinations, Undecided> {
    let patterns: Vec<Pattern> =
        questions.iter().filter_map(|number| column.questions.get_index(*number as usize)?.pattern()).collect();
    let found = strings::Space::new(&patterns, &Variables::none(), column.domain(), limit).combinations()?;
    let named = |combination: Combination| {
        let holds = |number: &usize| strings::contains(&combination.matching, *number);
        let yes = (0..questions.len()).filter(holds).map(|number| questions[number]).collect();
        (yes, combination.subject)
    };
    Ok(found.into_iter().map(named).collect())
}

/// Values of a column that is no plain string, one for each combination of answers.
pub(crate) fn choices(column: &Column, questions: &[u32], limit: usize) -> Result<Choices, Undecided> {
    let asked: Vec<(u32, &Question)> = questions
        .iter()
        .filter_map(|number| column.questions.get_index(*number as usize).map(|question| (*number, question)))
        .collect();
    let mut known = HashSet::new();
    let mut out = Vec::new();
    for value in candidates(column, &asked, limit)? {
        let holds = asked.iter().filter(|(_, question)| question.ask(&value) == Truth::True);
        let yes: BTreeSet<u32> = holds.map(|(number, _)| *number).collect();
        if known.insert(yes.clone()) {
            out.push((yes, value));
        }
    }
    Ok(out)
}

/// Most bits that tests of one bit field may tell apart.
const MAX_BITS: usize = 12;

fn candidates(column: &Column, asked: &[(u32, &Question)], limit: usize) -> Result<Vec<Value>, Undecided> {
    let mut out = Vec::new();
    let mut numbers = BTreeSet::new();
    let mut masks = Vec::new();
    let mut ports = BTreeSet::new();
    let mut addresses = false;
    let mut texts = Vec::new();
    for (number, question) in asked {
        match question {
            Question::Number(wanted) => drop(numbers.insert(*wanted)),
            Question::OneOf(wanted) => numbers.extend(wanted),
            Question::Bits(bits) => masks.push(*bits),
            Question::Network(address) => {
                addresses = true;
                ports.extend(address.port);
            }
            Question::Pattern(_) | Question::Text(_) => texts.push(*number),
            Question::Flag(_) | Question::Present => {}
        }
    }
    if !numbers.is_empty() {
        let other = (0..=u16::MAX).find(|number| !numbers.contains(number));
        out.extend(numbers.into_iter().chain(other).map(Value::number));
    }
    if !masks.is_empty() {
        // Bits that the same masks hold are alike: one of them stands for all.
        let mut alike: HashMap<Vec<bool>, u16> = HashMap::new();
        for bit in (0..16).map(|shift| 1u16 << shift) {
            let held: Vec<bool> = masks.iter().map(|mask| mask & bit != 0).collect();
            if held.contains(&true) {
                alike.entry(held).or_insert(bit);
            }
        }
        let mut bits: Vec<u16> = alike.into_values().collect();
        bits.sort_unstable();
        if bits.len() > MAX_BITS {
            return Err(Undecided::Trials);
        }
        let chosen = |subset: usize| {
            let set = bits.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1);
            set.fold(0, |all, (_, bit)| all | bit)
        };
        out.extend((0..1usize << bits.len()).map(|subset| Value::number(chosen(subset))));
    }
    if addresses {
        let other = (1..=u16::MAX).find(|port| !ports.contains(port));
        for port in ports.into_iter().chain(other) {
            for transport in [Transport::Tcp, Transport::Udp, Transport::Other] {
                for family in [Family::V4, Family::V6] {
                    for local in [true, false] {
                        out.push(Value::Address(Address {
                            family: Some(family),
                            transport: Some(transport),
                            local: Some(local),
                            port: Some(port),
                        }));
                    }
                }
            }
        }
    }
    if !texts.is_empty() {
        out.extend(combinations(column, &texts, limit)?.into_iter().map(|(_, text)| Value::string(text)));
    }
    if asked.iter().any(|(_, question)| matches!(question, Question::Flag(_) | Question::Present)) {
        out.extend([Value::Flag(true), Value::Flag(false)]);
    }
    out.push(Value::Absent);
    Ok(out)
}
