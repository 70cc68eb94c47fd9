//! JSON as Python's `json.dumps(value, sort_keys=True)` writes it: what plan digests are taken of
//! (`spec/probe-runner.md` section 1.2).

use std::fmt::Write;

use serde_json::Value;

/// The text of `value`: keys sorted, `", "` and `": "` between, everything outside ASCII escaped.
///
/// Recursion is bounded by the depth that the JSON reader accepts (128).
pub(super) fn dumps(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_string(out, key);
                out.push_str(": ");
                write_value(out, map.get(key).unwrap_or(&Value::Null));
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for unit in text.encode_utf16() {
        match unit {
            0x22 => out.push_str("\\\""),
            0x5c => out.push_str("\\\\"),
            0x0a => out.push_str("\\n"),
            0x0d => out.push_str("\\r"),
            0x09 => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            0x20..=0x7e => out.push(char::from(unit as u8)),
            // Writing to a string does not fail.
            _ => drop(write!(out, "\\u{unit:04x}")),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts printed by Python 3 for the same values.
    #[test]
    fn as_python_writes_it() {
        let value = serde_json::json!({"b": [1, true, null, "é\u{1F600}\n\u{7f}\u{1}\"\\"], "a": {}, "c": []});
        assert_eq!(
            dumps(&value),
            r#"{"a": {}, "b": [1, true, null, "\u00e9\ud83d\ude00\n\u007f\u0001\"\\"], "c": []}"#
        );
    }
}
