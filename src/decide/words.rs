//! A request's values in the words in which people give them.

use super::value::{Attribute, Request, Value};
use crate::vocab::{FilterId, Target};

impl Request {
    /// The values as [`Request::add_argument`] reads them: `path=/x`, `vnode-type=DIRECTORY`. Bytes that are no text are shown
    /// as U+FFFD.
    pub fn words(&self, target: &Target) -> Vec<String> {
        self.values.iter().flat_map(|(attribute, value)| words(target, attribute, value)).collect()
    }
}

fn words(target: &Target, attribute: &Attribute, value: &Value) -> Vec<String> {
    let name = attribute.name(target);
    match value {
        Value::Absent => vec![format!("{name}=")],
        Value::Strings(all) => all.iter().map(|text| format!("{name}={}", shown(text))).collect(),
        Value::Numbers(all) => {
            all.iter().map(|number| format!("{name}={}", number_word(target, attribute, *number))).collect()
        }
        Value::Flag(flag) => vec![format!("{name}={flag}")],
        Value::Address(address) => vec![format!("{name}={address}")],
    }
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace(|c: char| c.is_control(), "\u{fffd}")
}

/// A number as its symbol where it has one.
fn number_word(target: &Target, attribute: &Attribute, number: u16) -> String {
    let symbol = |filter: FilterId| target.symbol_named(target.filter(filter)?.symbols?, number);
    match attribute {
        Attribute::Filter(filter) => symbol(*filter).map_or_else(|| number.to_string(), str::to_owned),
        Attribute::Entitlement(_) | Attribute::Variable(_) => number.to_string(),
    }
}
