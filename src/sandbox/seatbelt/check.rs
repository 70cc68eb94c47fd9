//! The oracle: what `sandbox_check` says of an operation, before it is tried (`spec/probe-runner.md` section 2.6).
//!
//! Its filter types have numbers of their own, which are not those of compiled profiles. Whether a number means what the table
//! says is not believed but calibrated: under a profile that refuses one made-up name of each kind, the oracle has to allow a
//! neighbour *and* refuse that name. What is not calibrated is written down and never compared.
//!
//! **Invariant:** an oracle's answer is an annotation. It never becomes a probe's result.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::system::{CallError, Checked, System};

/// Kinds of argument that `sandbox_check` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckType {
    /// No argument: any.
    None,
    /// A path.
    Path,
    /// A service of launchd.
    GlobalName,
    /// A service of one process.
    LocalName,
    /// Who gets an Apple event.
    AppleeventDestination,
    /// A right.
    RightName,
    /// A domain of preferences.
    PreferenceDomain,
    /// A kernel extension.
    KextBundleId,
    /// A kind of information.
    InfoType,
    /// A notification.
    NotificationName,
    /// An XPC service.
    XpcServiceName,
    /// A driver's connection.
    IokitConnection,
}

/// A kind of argument: its number, and how it is calibrated.
#[derive(Debug, Clone, Copy)]
pub struct CheckRow {
    /// Which kind.
    pub kind: CheckType,
    /// The number that `sandbox_check` takes.
    pub number: i32,
    /// The filter's name in SBPL.
    pub name: &'static str,
    /// The operation and the filter that calibration uses, and what comes before the made-up name; none where no filter fits.
    pub calibration: Option<(&'static str, &'static str, &'static str)>,
}

/// Every kind, by number.
pub const CHECK_TYPES: &[CheckRow] = &[
    CheckRow { kind: CheckType::None, number: 0, name: "none", calibration: None },
    CheckRow {
        kind: CheckType::Path,
        number: 1,
        name: "path",
        calibration: Some(("file-read-data", "literal", "/private/var/empty/")),
    },
    CheckRow {
        kind: CheckType::GlobalName,
        number: 2,
        name: "global-name",
        calibration: Some(("mach-lookup", "global-name", "")),
    },
    CheckRow {
        kind: CheckType::LocalName,
        number: 3,
        name: "local-name",
        calibration: Some(("mach-lookup", "local-name", "")),
    },
    CheckRow {
        kind: CheckType::AppleeventDestination,
        number: 4,
        name: "appleevent-destination",
        calibration: Some(("appleevent-send", "appleevent-destination", "")),
    },
    CheckRow {
        kind: CheckType::RightName,
        number: 5,
        name: "right-name",
        calibration: Some(("authorization-right-obtain", "right-name", "")),
    },
    CheckRow {
        kind: CheckType::PreferenceDomain,
        number: 6,
        name: "preference-domain",
        calibration: Some(("user-preference-read", "preference-domain", "")),
    },
    CheckRow {
        kind: CheckType::KextBundleId,
        number: 7,
        name: "kext-bundle-id",
        calibration: Some(("system-kext-load", "kext-bundle-id", "")),
    },
    CheckRow {
        kind: CheckType::InfoType,
        number: 8,
        name: "info-type",
        calibration: Some(("system-info", "info-type", "")),
    },
    CheckRow {
        kind: CheckType::NotificationName,
        number: 9,
        name: "notification-name",
        calibration: Some(("darwin-notification-post", "notification-name", "")),
    },
    CheckRow {
        kind: CheckType::XpcServiceName,
        number: 12,
        name: "xpc-service-name",
        calibration: Some(("mach-lookup", "xpc-service-name", "")),
    },
    CheckRow {
        kind: CheckType::IokitConnection,
        number: 13,
        name: "iokit-connection",
        calibration: Some(("iokit-open-user-client", "iokit-connection", "")),
    },
];

/// The last part of a made-up name that calibration refuses.
pub const REFUSED: &str = "org.sbpl.calibration.refused";
/// The last part of one that it allows.
pub const ALLOWED: &str = "org.sbpl.calibration.allowed";

impl CheckType {
    /// Its row.
    pub fn row(self) -> Option<&'static CheckRow> {
        CHECK_TYPES.iter().find(|row| row.kind == self)
    }
}

/// The profile that calibration is done under: everything is allowed but one made-up name of each kind.
pub fn calibration_profile() -> String {
    let rules = CHECK_TYPES
        .iter()
        .filter_map(|row| row.calibration)
        .map(|(operation, filter, before)| format!("(deny {operation} ({filter} \"{before}{REFUSED}\"))\n"));
    format!("(version 1)\n(allow default)\n{}", rules.collect::<String>())
}

/// How one kind came out of calibration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibrated {
    /// Which kind.
    pub kind: CheckType,
    /// Its number.
    pub number: i32,
    /// What was asked.
    pub operation: String,
    /// What a known allow gave: has to be 0.
    pub allowed_rc: i32,
    /// What a known deny gave: has to be 1.
    pub refused_rc: i32,
    /// Both are right.
    pub calibrated: bool,
}

/// Asks for each kind, under [`calibration_profile`].
///
/// # Errors
/// [`CallError`]
pub fn calibrate(system: &System, pid: u32) -> Result<Vec<Calibrated>, CallError> {
    let mut rows = Vec::new();
    for row in CHECK_TYPES {
        let Some((operation, _, before)) = row.calibration else { continue };
        let ask = |name: &str| {
            system.check(pid, operation, row.number | system.no_report(), Some(&format!("{before}{name}")))
        };
        let (allowed, refused) = (ask(ALLOWED)?.rc, ask(REFUSED)?.rc);
        rows.push(Calibrated {
            kind: row.kind,
            number: row.number,
            operation: operation.to_owned(),
            allowed_rc: allowed,
            refused_rc: refused,
            calibrated: allowed == 0 && refused == 1,
        });
    }
    Ok(rows)
}

/// What is asked for a probe: the operation that its call will ask for, and the kind of its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The operation.
    pub operation: String,
    /// The kind of the argument.
    pub kind: CheckType,
    /// The argument.
    pub argument: Option<String>,
}

/// The question that fits a probe; `None` where the oracle must not be asked (`sysctl-name` has no number) or has no kind
/// for the target.
pub fn question(operation: &str, target: &str, filter: Option<&str>) -> Option<Question> {
    let asked = match operation {
        "file-read*" => "file-read-data",
        "file-write*" => "file-write-data",
        other => other,
    };
    let kind = match (filter, asked) {
        (Some(filter), _) => CHECK_TYPES.iter().find(|row| row.name == filter)?.kind,
        (None, "mach-lookup") => CheckType::GlobalName,
        (None, "darwin-notification-post" | "distributed-notification-post") => CheckType::NotificationName,
        (None, "user-preference-read" | "user-preference-write") => CheckType::PreferenceDomain,
        (None, "authorization-right-obtain") => CheckType::RightName,
        (None, "appleevent-send") => CheckType::AppleeventDestination,
        (None, name) if name.starts_with("file-") && target.starts_with('/') => CheckType::Path,
        (None, "process-fork") => CheckType::None,
        _ => return None,
    };
    let argument = (kind != CheckType::None).then(|| target.to_owned());
    Some(Question { operation: asked.to_owned(), kind, argument })
}

/// A marker of the tool `seatbelt-callout`, version 2: one question and its answer. Keys without a value are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callout {
    /// `seatbelt-callout`.
    pub tool: String,
    /// 2.
    pub marker_schema_version: u32,
    /// `pre_syscall`, `preflight`, `bootstrap_exec`.
    pub stage: String,
    /// The process that asked, about itself.
    pub pid: u32,
    /// `sandbox_check`, `sandbox_check_by_audit_token`.
    pub api: String,
    /// What was asked.
    pub operation: String,
    /// Number of the kind.
    pub filter_type: i32,
    /// Its name.
    pub filter_type_name: String,
    /// The number with its flags.
    pub check_type: i32,
    /// Arguments behind it.
    pub varargs_count: u32,
    /// The argument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// For a path: `raw`, or `canonical` when it had to be canonical already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonicalization: Option<String>,
    /// Without a report in the log.
    pub no_report: bool,
    /// 0, 1, or -1 with `errno`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rc: Option<i32>,
    /// Error number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// `allow`, `deny`, `error`.
    pub decision: String,
    /// Why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The tool's name in its markers.
const TOOL: &str = "seatbelt-callout";

impl Callout {
    /// The line, without its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The callouts among the lines of `stderr`, in order.
    pub fn find(stderr: &str) -> Vec<Self> {
        let lines = stderr.lines().filter(|line| line.starts_with('{') && line.contains(TOOL));
        lines.filter_map(|line| serde_json::from_str(line).ok()).filter(|callout: &Self| callout.tool == TOOL).collect()
    }
}

/// Which spelling a path is asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Raw,
    Canonical,
}

/// Asks a question; a path as it is and once more as one that has to be canonical already.
pub fn ask(system: &System, pid: u32, question: &Question, stage: &str) -> Vec<Callout> {
    let variants: &[Variant] = match question.kind {
        CheckType::Path => &[Variant::Raw, Variant::Canonical],
        _ => &[Variant::Raw],
    };
    variants.iter().map(|variant| ask_one(system, pid, question, *variant, stage)).collect()
}

fn ask_one(system: &System, pid: u32, question: &Question, variant: Variant, stage: &str) -> Callout {
    let number = question.kind.row().map_or(0, |row| row.number);
    let canonical = variant == Variant::Canonical;
    let flags = system.no_report() | if canonical { system.canonical() } else { 0 };
    let check_type = number | flags;
    let answer = system.check(pid, &question.operation, check_type, question.argument.as_deref());
    let (checked, error) = match answer {
        Ok(checked) => (Some(checked), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Callout {
        api: "sandbox_check".to_owned(),
        stage: stage.to_owned(),
        operation: question.operation.clone(),
        filter_type: number,
        filter_type_name: question.kind.row().map_or("none", |row| row.name).to_owned(),
        check_type,
        varargs_count: u32::from(question.argument.is_some()),
        argument: question.argument.clone(),
        canonicalization: (question.kind == CheckType::Path)
            .then(|| if canonical { "canonical" } else { "raw" }.to_owned()),
        rc: checked.map(|checked| checked.rc),
        errno: checked.map(|checked| checked.errno),
        decision: decision(checked).to_owned(),
        error,
        tool: TOOL.to_owned(),
        marker_schema_version: 2,
        pid,
        no_report: true,
        extra: Map::new(),
    }
}

fn decision(checked: Option<Checked>) -> &'static str {
    match checked.map(|checked| checked.rc) {
        Some(0) => "allow",
        Some(1) => "deny",
        _ => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of the enumeration, not those of compiled filters (5 there is a global name).
    #[test]
    fn the_numbers_are_those_of_sandbox_check() {
        let number = |kind: CheckType| kind.row().map(|row| row.number);
        assert_eq!(number(CheckType::Path), Some(1));
        assert_eq!(number(CheckType::GlobalName), Some(2));
        assert_eq!(number(CheckType::RightName), Some(5));
        assert_eq!(number(CheckType::XpcServiceName), Some(12));
        assert!(CHECK_TYPES.windows(2).all(|pair| pair[0].number < pair[1].number));
    }

    #[test]
    fn questions_of_probes() {
        let asked = |operation, target, filter| {
            question(operation, target, filter).map(|question| (question.operation, question.kind))
        };
        assert_eq!(asked("file-read*", "/etc/hosts", None), Some(("file-read-data".to_owned(), CheckType::Path)));
        assert_eq!(asked("mach-lookup", "a.b", None), Some(("mach-lookup".to_owned(), CheckType::GlobalName)));
        assert_eq!(asked("mach-lookup", "a", Some("local-name")).map(|(_, kind)| kind), Some(CheckType::LocalName));
        // Never sent: there is no such kind.
        assert_eq!(asked("sysctl-read", "kern.osversion", Some("sysctl-name")), None);
        assert_eq!(asked("sysctl-read", "kern.osversion", None), None);
        assert_eq!(asked("iokit-open-user-client", "IOSurfaceRoot", None), None);
    }

    /// The profile means what calibration takes it to mean: the decision engine says so too.
    #[test]
    fn the_calibration_profile_refuses_exactly_the_made_up_names() {
        use crate::decide::{Answer, Engine, Request, operation_named};
        use crate::diag::Source;
        use crate::profile::{EvalOptions, NoImports, evaluate};
        let source = Source::new("calibration", calibration_profile().into_bytes());
        let policy = evaluate(source, &NoImports, &EvalOptions::default()).unwrap().policy;
        let target = policy.target();
        let engine = Engine::new(std::sync::Arc::new(policy));
        for row in CHECK_TYPES {
            let Some((operation, filter, before)) = row.calibration else { continue };
            for (name, wanted) in [(ALLOWED, Answer::Allow), (REFUSED, Answer::Deny)] {
                let mut request = Request::new(operation_named(target, operation).unwrap());
                request.closed = true;
                let filter = if filter == "literal" { "path" } else { filter };
                request.add_argument(target, &format!("{filter}={before}{name}")).unwrap();
                assert_eq!(engine.decide(&request).answer, wanted, "{operation} {filter} {name}");
            }
        }
    }
}
