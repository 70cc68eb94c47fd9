//! Terminals: an action with its modifiers, as flags and a list (`spec/blob-format.md` §5.2).
//!
//! Two terminals are one when flags and modifier list agree; a message filter that turns out to filter nothing still makes the
//! terminal another one (`gate_v1_inner_allow_external_method`, `spec/codegen-rules.md` §7.2).

use indexmap::IndexSet;

use crate::policy::{MessageFilter, ModifierValue as Value, Rule};
use crate::vocab::{Action, ModifierId, Target};

/// Flag: the answer is deny.
const FLAG_DENY: u32 = 1;
/// Flag: the answer is reported; denials are by default.
const FLAG_REPORT: u32 = 4;

/// A terminal of a [`super::Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TerminalId(pub(crate) u32);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Terminal {
    /// Bits as stored.
    pub(crate) flags: u32,
    /// Modifiers with an argument, by ascending id. Their order in the blob is open (`spec/blob-format.md` §13.10).
    pub(crate) modifiers: Vec<(ModifierId, ModifierValue)>,
}

/// The argument of a modifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ModifierValue {
    /// A signal or errno.
    Integer(u16),
    /// A string, or a state flag's name.
    String(Vec<u8>),
    /// A message filter, by its number in [`Terminals`].
    Filter(usize),
}

impl Terminal {
    pub(crate) fn is_plain_allow(&self) -> bool {
        self.flags == 0 && self.modifiers.is_empty()
    }
}

/// Whether two rules say the same, whoever wrote them where.
fn same_content(a: &Rule, b: &Rule) -> bool {
    (a.action, &a.operations, &a.filter, &a.modifiers) == (b.action, &b.operations, &b.filter, &b.modifiers)
}

/// All terminals and message filters of a graph.
#[derive(Debug, Default)]
pub(crate) struct Terminals {
    known: IndexSet<Terminal>,
    filters: Vec<MessageFilter>,
    /// Plain allows that no look-up finds, one for each number mask.
    fresh: u32,
}

/// Ids from here on are fresh allows.
const FRESH: u32 = 1 << 31;
static PLAIN_ALLOW: Terminal = Terminal { flags: 0, modifiers: Vec::new() };

impl Terminals {
    /// Terminal `id`.
    pub(crate) fn get(&self, id: TerminalId) -> &Terminal {
        if id.0 >= FRESH { &PLAIN_ALLOW } else { &self.known[id.0 as usize] }
    }

    /// The message filters by number.
    pub(super) fn filters(&self) -> &[MessageFilter] {
        &self.filters
    }

    /// A plain allow of its own.
    pub(crate) fn fresh_allow(&mut self) -> TerminalId {
        self.fresh += 1;
        TerminalId(FRESH | self.fresh)
    }

    fn intern(&mut self, terminal: Terminal) -> TerminalId {
        TerminalId(self.known.insert_full(terminal).0 as u32)
    }

    /// The terminal of an action without modifiers.
    pub(super) fn plain(&mut self, action: Action) -> TerminalId {
        self.intern(Terminal { flags: base_flags(action), modifiers: Vec::new() })
    }

    /// The terminal of `rule`.
    pub(super) fn of_rule(&mut self, target: &Target, rule: &Rule) -> TerminalId {
        let mut flags = base_flags(rule.action);
        let mut modifiers = Vec::new();
        for modifier in &rule.modifiers {
            let value = match &modifier.value {
                Value::Flag => {
                    if let Some(info) = target.modifier(modifier.id) {
                        flags = flags & !info.flag_mask | info.flag_value;
                    }
                    continue;
                }
                Value::Integer(number) => ModifierValue::Integer(*number),
                Value::String(text) => ModifierValue::String(text.clone()),
                Value::Rules(filter) => ModifierValue::Filter(self.filter(filter)),
            };
            modifiers.push((modifier.id, value));
        }
        modifiers.sort_by_key(|(id, _)| *id);
        self.intern(Terminal { flags, modifiers })
    }

    fn filter(&mut self, filter: &MessageFilter) -> usize {
        let same = |known: &MessageFilter| {
            known.rules.len() == filter.rules.len()
                && known.rules.iter().zip(&filter.rules).all(|(known, rule)| same_content(known, rule))
        };
        self.filters.iter().position(same).unwrap_or_else(|| {
            self.filters.push(filter.clone());
            self.filters.len() - 1
        })
    }
}

const fn base_flags(action: Action) -> u32 {
    match action {
        Action::Allow => 0,
        Action::Deny => FLAG_DENY | FLAG_REPORT,
    }
}
