//! What the sandbox writes to the log of macOS, read back (`spec/versions-and-defaults.md` section 7).
//!
//! A text of `log show` or `log stream` in any of its styles, a report of sandboxd, lines of an old `system.log`, or bare
//! messages. The log is a witness, not a ledger: repeated denials are merged and some are never written, so an empty text
//! says nothing about what was denied.

use serde::Serialize;
use serde_json::Value;

/// Selects the kernel's lines and the reports of sandboxd, for `log show --predicate`.
pub const PREDICATE: &str = "((processID == 0) AND (senderImagePath CONTAINS \"/Sandbox\")) OR \
                             (subsystem == \"com.apple.sandbox.reporting\")";

const REPORTING: &str = "com.apple.sandbox.reporting";

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The process's own profile.
    Sandbox,
    /// The platform's profile, or what protects private data; says nothing about the profile under test.
    SystemPolicy,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Permitted, by a rule with the modifier `report`.
    Allow,
    /// Refused.
    Deny,
}

/// One decision that was logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Who decided.
    pub layer: Layer,
    /// Name of the process, cut by the kernel.
    pub process: String,
    /// Its id.
    pub pid: i64,
    /// What was decided.
    pub verdict: Verdict,
    /// The operation, as a leaf or one of the wildcard names the kernel uses.
    pub operation: String,
    /// On what.
    pub argument: Option<String>,
    /// How often, when the line merges several.
    pub count: u64,
    /// True for a line about decisions that were logged before.
    pub duplicate: bool,
    /// Text of `(with message …)`.
    pub tag: Option<String>,
    /// A Mach name of one process only.
    pub local: bool,
    /// When, in ISO 8601, as far as the line says.
    pub time: Option<String>,
    /// Program, in a report of sandboxd.
    pub path: Option<String>,
    /// Bundle identifier, in a report of sandboxd.
    pub identifier: Option<String>,
}

/// What else the sandbox logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A profile with message filters was refused: the process lacks an entitlement. Explains an apply failure.
    MessageFilterEntitlement,
    /// A program was killed while it started.
    ExecKilled,
    /// A program was not started because its label could not be updated.
    ExecLabel,
    /// A second profile was put on a process that has one.
    Reinit,
}

const NOTICES: &[(&str, Notice)] = &[
    ("missing message filter entitlement", Notice::MessageFilterEntitlement),
    ("hook..execve() killing", Notice::ExecKilled),
    ("process-exec denied while updating label", Notice::ExecLabel),
    ("forbidden-sandbox-reinit", Notice::Reinit),
];

/// What a text of the log holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Log {
    /// Decisions, in the order of the text.
    pub entries: Vec<Entry>,
    /// Everything else of the sandbox.
    pub notices: Vec<Notice>,
    /// Records of other senders.
    pub others: usize,
}

/// Reads a text in any style.
pub fn read(text: &str) -> Log {
    let mut log = Log::default();
    if text.trim_start().starts_with('[')
        && let Ok(Value::Array(records)) = serde_json::from_str(text)
    {
        for record in &records {
            log.add_json(record);
        }
        return log;
    }
    for record in records(text) {
        if record.starts_with('{') {
            match serde_json::from_str(&record) {
                Ok(value) => log.add_json(&value),
                Err(_) => log.others += 1,
            }
        } else {
            log.add_text(&record);
        }
    }
    log
}

/// Joins the lines that belong to one record: the tag of a message and the lines of a report stand on lines of their own.
fn records(text: &str) -> Vec<String> {
    let mut records: Vec<String> = Vec::new();
    for line in text.lines() {
        if starts_record(line) || records.is_empty() {
            records.push(line.to_owned());
        } else if let Some(last) = records.last_mut() {
            last.push('\n');
            last.push_str(line);
        }
    }
    records
}

fn starts_record(line: &str) -> bool {
    let months = ["Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "];
    let dated = |line: &str| {
        let shape = line.bytes().zip(*b"0000-00-00 00:00");
        line.len() >= 16
            && shape.into_iter().all(|(byte, shape)| byte == shape || shape == b'0' && byte.is_ascii_digit())
    };
    line.starts_with('{')
        || line.starts_with("Filtering the log data")
        || line.starts_with("Timestamp ")
        || dated(line)
        || months.iter().any(|month| line.starts_with(month))
        || is_message(line)
}

fn is_message(line: &str) -> bool {
    let (_, rest) = count_prefix(line);
    ["Sandbox:", "System Policy:"].iter().any(|layer| rest.starts_with(layer))
        || NOTICES.iter().any(|(text, _)| line.starts_with(text))
}

impl Log {
    fn add_message(&mut self, text: &str, time: Option<String>) -> bool {
        if let Some(entry) = message(text) {
            self.entries.push(Entry { time, ..entry });
            return true;
        }
        let notice = NOTICES.iter().find(|(words, _)| text.contains(words));
        self.notices.extend(notice.map(|(_, notice)| *notice));
        notice.is_some()
    }

    fn add_text(&mut self, record: &str) {
        let line = record.lines().next().unwrap_or_default();
        if is_message(line) {
            if !self.add_message(record, None) {
                self.others += 1;
            }
            return;
        }
        // The head of a record never holds the marks of another style: they stand before the message.
        let marks = ["kernel: (Sandbox) ", "(Sandbox) ", "com.apple.sandbox.reporting:violation] "];
        let found = marks.iter().find_map(|mark| Some((record.find(mark)?, mark.len())));
        if let Some((at, length)) = found
            && line.len() >= at
        {
            let body = record.get(at + length..).unwrap_or_default();
            if self.add_message(body, time_of(line)) {
                return;
            }
        } else if let Some(entry) = system_log(line) {
            self.entries.push(entry);
            return;
        }
        self.others += usize::from(!line.is_empty());
    }

    fn add_json(&mut self, record: &Value) {
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let sender = text("senderImagePath").unwrap_or_default();
        let kernel = record.get("processID").and_then(Value::as_i64) == Some(0) && sender.contains("/Sandbox");
        if !kernel && text("subsystem") != Some(REPORTING) {
            self.others += 1;
            return;
        }
        let time = text("timestamp").and_then(time_of);
        let before = self.entries.len();
        if !self.add_message(text("eventMessage").unwrap_or_default(), time) {
            self.others += 1;
            return;
        }
        // The structured part is what the kernel said; the text may have been shortened.
        let Some(data) = record.get("MetaData") else { return };
        let operation = data.get("operation").and_then(Value::as_str);
        let target = data.get("target").and_then(Value::as_str);
        let pid = data.get("pid").and_then(Value::as_i64);
        if let (Some(entry), Some(operation), Some(target), Some(pid)) =
            (self.entries.get_mut(before), operation, target, pid)
        {
            entry.operation = operation.to_owned();
            entry.argument = Some(target.to_owned());
            entry.pid = pid;
        }
    }
}

/// The number of `N duplicate reports for`, and what follows.
fn count_prefix(text: &str) -> (Option<u64>, &str) {
    let parse = || {
        let (number, rest) = text.split_once(' ')?;
        let rest = rest.strip_prefix("duplicate report")?;
        let rest = rest.strip_prefix('s').unwrap_or(rest).strip_prefix(" for ")?;
        Some((number.parse().ok()?, rest))
    };
    parse().map_or((None, text), |(count, rest)| (Some(count), rest))
}

/// Reads one message, tag and report lines included; `None` when it is no decision.
pub fn message(text: &str) -> Option<Entry> {
    let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (count, head) = count_prefix(head);
    let (layer, head) = match head.strip_prefix("Sandbox:") {
        Some(rest) => (Layer::Sandbox, rest),
        None => (Layer::SystemPolicy, head.strip_prefix("System Policy:")?),
    };
    let entry = decision(head.trim_start(), layer)?;
    let report = rest.starts_with("Violation:");
    let field = |name: &str| {
        let line = rest.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().to_owned()).filter(|_| report)
    };
    Some(Entry {
        count: count.unwrap_or(1),
        duplicate: count.is_some(),
        tag: Some(rest.trim_end().to_owned()).filter(|tag| !tag.is_empty() && !report),
        path: field("Path:"),
        identifier: field("Identifier:"),
        ..entry
    })
}

/// `process(pid) verdict operation argument`. A target may hold anything, so the first verdict counts.
fn decision(text: &str, layer: Layer) -> Option<Entry> {
    let verdicts = [(") deny(", Verdict::Deny), (") deny ", Verdict::Deny), (") allow ", Verdict::Allow)];
    let (at, mark, verdict) = verdicts
        .iter()
        .filter_map(|(mark, verdict)| Some((text.find(mark)?, *mark, *verdict)))
        .min_by_key(|row| row.0)?;
    let (process, pid) = text.get(..at)?.rsplit_once('(')?;
    let mut rest = text.get(at + mark.len()..)?;
    if mark.ends_with('(') {
        let (number, after) = rest.split_once(") ")?;
        number.parse::<u64>().ok()?;
        rest = after;
    }
    let (operation, argument) = match rest.split_once(' ') {
        Some((operation, argument)) => (operation, Some(argument)),
        None => (rest, None),
    };
    // 10.15 writes `network-outbound*:443`.
    let (operation, argument) = match operation.find("*:") {
        Some(at) if argument.is_none() => (operation.get(..at)?, operation.get(at..)),
        _ => (operation, argument),
    };
    if operation.is_empty() {
        return None;
    }
    let argument = argument.filter(|argument| !argument.is_empty());
    let plain = argument.map(|argument| argument.strip_suffix(" (per-pid)").unwrap_or(argument));
    let mach = operation.starts_with("mach-");
    Some(Entry {
        layer,
        process: process.to_owned(),
        pid: pid.parse().ok()?,
        verdict,
        operation: operation.to_owned(),
        local: mach && plain != argument,
        argument: if mach { plain } else { argument }.map(str::to_owned),
        count: 1,
        duplicate: false,
        tag: None,
        time: None,
        path: None,
        identifier: None,
    })
}

/// `Mar  3 10:00:00 host sandboxd[120] ([36]): tool(36) deny file-write-create /path`.
fn system_log(line: &str) -> Option<Entry> {
    let (_, rest) = line.split_once(" sandboxd[")?;
    let (_, rest) = rest.split_once("]): ")?;
    decision(rest, Layer::Sandbox)
}

/// The time at the start of a line, as ISO 8601.
fn time_of(line: &str) -> Option<String> {
    let (date, rest) = line.split_once(' ')?;
    if date.len() != 10 || !date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return None;
    }
    let time = rest.split(' ').next()?;
    let (clock, zone) = match time.find(['+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let zone = match (zone.get(..3), zone.get(3..)) {
        (Some(hours), Some(minutes)) if minutes.len() == 2 => format!("{hours}:{minutes}"),
        _ => zone.to_owned(),
    };
    Some(format!("{date}T{clock}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Entry {
        let log = read(text);
        assert_eq!(log.entries.len(), 1, "{log:?}");
        log.entries.into_iter().next().unwrap()
    }

    #[test]
    fn a_target_may_look_like_a_message() {
        let entry = one("Sandbox: a b(7) deny(1) file-read-data /x(9) deny(1) y  z");
        assert_eq!((entry.process.as_str(), entry.pid), ("a b", 7));
        assert_eq!(entry.argument.as_deref(), Some("/x(9) deny(1) y  z"));
    }

    #[test]
    fn the_tag_is_the_next_line_and_every_style_gives_the_same() {
        let line = "Sandbox: bash(25) deny(1) file-write-create /private/tmp/out\nrun-7";
        let wanted = message(line).unwrap();
        assert_eq!(wanted.tag.as_deref(), Some("run-7"));
        let heads = [
            "2026-05-26 13:42:44.136321+0200 0xdbf47    Error       0x0                  0      0    kernel: (Sandbox) ",
            "2026-05-26 13:42:44.136321+0200  localhost kernel[0]: (Sandbox) ",
            "2026-05-26 13:42:44.136321+0200 E  kernel[0:1f2a] (Sandbox) ",
        ];
        for head in heads {
            let text = format!("Filtering the log data using \"x\"\n{head}{line}\n{head}Sandbox: x(1) deny(1) signal");
            let log = read(&text);
            assert_eq!(log.entries.len(), 2, "{log:?}");
            assert_eq!(log.entries[0].time.as_deref(), Some("2026-05-26T13:42:44.136321+02:00"));
            assert_eq!(Entry { time: None, ..log.entries[0].clone() }, wanted);
        }
    }

    /// The header of an empty answer is no record of the sandbox, and nothing else either.
    #[test]
    fn a_header_alone_is_no_entry() {
        let log = read("Filtering the log data using \"subsystem == \"com.apple.sandbox.reporting\"\"\n");
        assert_eq!((log.entries.len(), log.notices.len()), (0, 0));
    }

    #[test]
    fn what_is_no_decision_is_a_notice_or_nothing() {
        assert_eq!(read("Sandbox: missing message filter entitlement").notices, [Notice::MessageFilterEntitlement]);
        assert_eq!(
            read("Sandbox: hook..execve() killing helper[pid=29, uid=0]: (err=1) failed").notices,
            [Notice::ExecKilled]
        );
        for nothing in ["", "\n\n", "{", "[", "Sandbox: x() deny(1) y", "Sandbox: x(1) deny(", "(1) deny(1) a"] {
            assert_eq!(read(nothing).entries, [], "{nothing}");
        }
    }
}
