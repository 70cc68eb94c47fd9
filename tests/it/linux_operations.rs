//! `docs/linux-operations.md` and the supervisor's table say the same. `BLESS=1` rewrites the document.

use std::fmt::Write;

use sbpl::sandbox::supervised::table::{CALLS, Call, Gate};

const START: &str = "<!-- table -->\n";
const END: &str = "<!-- end of table -->";

/// When a call is looked at, in words.
fn condition(call: &Call) -> &'static str {
    match call.gate {
        Gate::Always => "",
        Gate::Bits(..) => " that makes memory executable",
        Gate::NotZero(_) if call.name == "sendto" => " with an address",
        Gate::NotZero(_) => " of a process by its number",
        Gate::Is(..) => "",
        Gate::MapsCode => " of a file as code",
        Gate::MakesProcess => " of a process",
        Gate::ReadImpliesExec => " `READ_IMPLIES_EXEC`",
        Gate::OtherFamily => " of other families than UNIX and IP",
    }
}

fn row(call: &Call) -> String {
    let number = |number: Option<u16>| number.map_or("–".to_owned(), |number| number.to_string());
    let operations: Vec<String> = call.operations.iter().map(|operation| format!("`{operation}`")).collect();
    let operations = if operations.is_empty() { "–".to_owned() } else { operations.join(", ") };
    let (name, condition) = (call.name, condition(call));
    let (x86_64, aarch64) = (number(call.x86_64), number(call.aarch64));
    format!("| `{name}`{condition} | {x86_64} | {aarch64} | {} | {operations} |\n", call.treatment.name())
}

#[test]
fn the_document_holds_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/linux-operations.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (head, rest) = document.split_once(START).unwrap();
    let (table, tail) = rest.split_once(END).unwrap();
    let mut wanted = "| call | x86-64 | aarch64 | what happens | asks |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for call in CALLS {
        write!(wanted, "{}", row(call)).unwrap();
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, format!("{head}{START}{wanted}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(table, wanted, "BLESS=1 rewrites the table");
}
