//! The example page of `sbpl report` in a browser: headless Chromium, as `chromium` on the search path.
//!
//! Without it the tests are listed as ignored, with the reason; with `CI` set that is a failure. `tests/browser/probe.js` is put
//! into a copy of the page and asks it about itself; the answers come back in the title.

// A test harness may print, and panics are how it fails.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

const PROGRAM: &str = "chromium";

/// The colour schemes as Blink numbers them.
const SCHEMES: [(&str, u8); 2] = [("dark", 0), ("light", 1)];

type Test = fn() -> Result<(), Failed>;

const TESTS: [(&str, Test); 6] = [
    ("the address filters and the console is quiet", address_filters),
    ("light: filter, keyboard, contrast", || asks_itself("light", 1280)),
    ("dark: filter, keyboard, contrast", || asks_itself("dark", 1280)),
    ("a narrow window", || asks_itself("light", 500)),
    ("screenshots in light and dark", screenshots),
    ("the filter of 10,000 probes", many_probes),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let there = Command::new(PROGRAM).arg("--version").output().is_ok();
    if !there && std::env::var_os("CI").is_some() {
        eprintln!("there is no {PROGRAM}: in CI the page must be looked at");
        return ExitCode::FAILURE;
    }
    let trials = TESTS.into_iter().map(|(name, test)| match there {
        true => Trial::test(name, test),
        false => Trial::test(format!("{name} (left out: there is no {PROGRAM})"), test).with_ignored_flag(true),
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/example/report.html")
}

/// Opens `page` in a browser that knows nothing and may reach nothing.
fn browse(page: &Path, fragment: &str, options: &[String]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=10000", "--host-resolver-rules=MAP * ~NOTFOUND"])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .args(options)
        .arg(format!("file://{}{fragment}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What the page wrote to the console: an error of its script, or something that its policy refused.
fn console(output: &Output) -> Vec<String> {
    let log = String::from_utf8_lossy(&output.stderr);
    log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect()
}

fn address_filters() -> Result<(), Failed> {
    let output = browse(&example(), "#filter=typo%20mismatch", &["--dump-dom".to_owned()]);
    assert_eq!(console(&output), [""; 0]);
    let dom = String::from_utf8_lossy(&output.stdout);
    assert!(dom.contains(">1 of 14 probes</output>"), "the filter did not say what it shows");
    let rows = |hidden: bool| {
        let rows = dom.split("<tr class=\"row\"").skip(1);
        rows.filter(|rest| rest.split('>').next().unwrap().contains("hidden") == hidden).count()
    };
    assert!(rows(false) >= 1 && rows(true) > rows(false), "{} shown, {} hidden", rows(false), rows(true));
    Ok(())
}

fn asks_itself(scheme: &str, width: u32) -> Result<(), Failed> {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let html = fs::read_to_string(example()).unwrap();
    // The page's own policy refuses any other script: the copy has none.
    let policy = html.find("<meta http-equiv=\"Content-Security-Policy\"").ok_or("no policy")?;
    let rest = html[policy..].split_once('>').ok_or("an open tag")?.1;
    let probe = include_str!("browser/probe.js");
    let copy = format!("{}{}", &html[..policy], rest.replace("</body>", &format!("<script>{probe}</script></body>")));
    fs::write(&page, copy).unwrap();

    let number = SCHEMES.iter().find(|(name, _)| *name == scheme).unwrap().1;
    let options = [
        "--dump-dom".to_owned(),
        format!("--blink-settings=preferredColorScheme={number}"),
        format!("--window-size={width},900"),
    ];
    let output = browse(&page, "", &options);
    assert_eq!(console(&output), [""; 0]);
    let dom = String::from_utf8_lossy(&output.stdout);
    let title =
        dom.split_once("<title>ANSWERS").and_then(|(_, rest)| rest.split_once("</title>")).ok_or("no answers")?.0;
    let title = title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let answers: Value = serde_json::from_str(&title).unwrap();
    let check =
        |what: &str, holds: bool| if holds { Ok(()) } else { Err(Failed::from(format!("{what}: {answers:#}"))) };

    check("scheme", answers["scheme"] == scheme)?;
    let dark = answers["background"] == "rgb(21, 24, 28)";
    check("background", dark == (scheme == "dark"))?;
    check("errors", answers["errors"] == serde_json::json!([]))?;
    check("every text has a contrast of 4.5 or more", answers["contrast"]["ratio"].as_f64() >= Some(4.5))?;
    check("what the keyboard reaches has a name", answers["nameless"] == 0)?;
    check("tables have heads with a scope", answers["headless"] == 0)?;
    check("the page is not wider than the window", answers["overflow"] == 0)?;
    let repaired = &answers["repaired"];
    check("the filter says what it shows", repaired["said"] == "3 of 14 probes")?;
    check("the filter is in the address", repaired["hash"] == "#filter=repaired%20deny")?;
    check("rows that do not fit are hidden", repaired["rows"].as_u64() > Some(0) && repaired["strangers"] == 0)?;
    check("profiles that do not fit are hidden", repaired["profiles"] == serde_json::json!(["repaired"]))?;
    check("nothing is said when nothing fits", answers["nothing"] == serde_json::json!({ "rows": 0, "told": true }))?;
    check("a link to a hidden line shows it", answers["target"] == true)?;
    check("an empty filter shows all", answers["cleared"] == answers["rows"])?;
    check("/ goes to the filter", answers["slash"] == true)
}

/// A page of 10,000 probes stays a page: its size, the first filter, which reads every row, and the next one.
fn many_probes() -> Result<(), Failed> {
    const PROBES: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let row = |number: usize| {
        let (place, expected) = if number.is_multiple_of(2) { ("allowed", "allow") } else { ("other", "deny") };
        let target = format!("/tmp/{place}/{number}");
        json!({"name": format!("read {number}"), "operation": "file-read*", "target": target, "expected": expected})
    };
    let profile = |rows: Vec<Value>| json!({"blob": "p.sb", "mode": "sbpl", "family": null, "semantic_group": null, "probes": rows});
    let matrix = json!({
        "world_id": sbpl::probe::WORLD_ID,
        "profiles": { "many": profile((0..PROBES).map(row).collect()) },
    });
    fs::write(at("matrix.json"), matrix.to_string()).unwrap();
    fs::write(at("p.sb"), "(version 1)\n(deny default)\n(allow file-read* (subpath \"/private/tmp/allowed\"))\n")
        .unwrap();
    let sbpl = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sbpl"));
        let output = command.current_dir(folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    sbpl(&["run", "-q", "--backend", "simulated", "--matrix", "matrix.json", "--out", "out"]);
    sbpl(&["report", "out", "-o", "page.html"]);
    let html = fs::read_to_string(at("page.html")).unwrap();
    let size = html.len();
    assert!(size < PROBES * 1_500, "{size} bytes");
    // Before the page's own script: what it hears on being loaded is timed, then a second filter.
    let policy = html.find("<meta http-equiv=\"Content-Security-Policy\"").ok_or("no policy")?;
    let rest = html[policy..].split_once('>').ok_or("an open tag")?.1;
    let (before, script) = rest.rsplit_once("<script>").ok_or("no script")?;
    let copy = format!(
        "{}{before}<script>window.started = performance.now();</script><script>{}",
        &html[..policy],
        script.replace(
            "</body>",
            "<script>\n\
            const first = performance.now() - started, said = () => document.getElementById('filter-said').value;\n\
            const told = [said()];\n\
            history.replaceState(null, '', '#filter=other%2077');\n\
            const again = performance.now();\n\
            window.dispatchEvent(new Event('hashchange'));\n\
            told.push(said());\n\
            document.title = 'ANSWERS' + JSON.stringify({ first, next: performance.now() - again, told });\n\
            </script></body>"
        ),
    );
    fs::write(at("copy.html"), copy).unwrap();
    let output = browse(&at("copy.html"), "#filter=allowed", &["--dump-dom".to_owned()]);
    let dom = String::from_utf8_lossy(&output.stdout);
    let title = dom.split_once("<title>ANSWERS").and_then(|(_, rest)| rest.split_once("</title>"));
    let answers: Value = serde_json::from_str(title.ok_or("no answers")?.0).unwrap();
    println!("{size} bytes; {answers}");
    let fits = (0..PROBES).filter(|number| number % 2 == 1 && number.to_string().contains("77")).count();
    assert_eq!(answers["told"], json!(["5000 of 10000 probes", format!("{fits} of 10000 probes")]));
    // A busy machine takes a few times what docs/run.md says.
    let millis = |key: &str| answers[key].as_f64().unwrap();
    assert!(millis("first") < 5_000.0 && millis("next") < 2_000.0, "{answers}");
    Ok(())
}

fn screenshots() -> Result<(), Failed> {
    let folder = tempfile::tempdir().unwrap();
    let pictures = SCHEMES.map(|(name, number)| {
        let picture = folder.path().join(format!("{name}.png"));
        let options = [
            format!("--screenshot={}", picture.display()),
            format!("--blink-settings=preferredColorScheme={number}"),
            "--window-size=1280,1600".to_owned(),
        ];
        assert_eq!(console(&browse(&example(), "", &options)), [""; 0]);
        fs::read(&picture).unwrap()
    });
    for picture in &pictures {
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n") && picture.len() > 20_000, "{} bytes", picture.len());
        // Width and height of the header chunk.
        assert_eq!(picture[16..24], [0, 0, 5, 0, 0, 0, 6, 64]);
    }
    assert_ne!(pictures[0], pictures[1], "dark looks like light");
    Ok(())
}
