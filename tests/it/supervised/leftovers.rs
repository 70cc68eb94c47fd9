//! Nothing outlives its run.

use std::time::Instant;

use super::child::on_its_own;
use super::*;

/// A number that no other test sleeps for.
fn number() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}{:03}", 100_000 + std::process::id() % 100_000, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// How many processes sleep for `number`.
fn sleepers(number: &str) -> usize {
    let wanted = format!("sleep\0{number}\0");
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = std::fs::read(entry.unwrap().path().join("cmdline")).ok()?;
        (line == wanted.as_bytes()).then_some(())
    });
    processes.count()
}

fn leaves(script: &str) -> Run {
    let number = number();
    let run = run("(allow default)", "/bin/sh", &["-c", &script.replace('N', &number)]);
    assert_eq!(sleepers(&number), 0, "{script}");
    run
}

#[test]
fn a_process_that_left_its_session_and_its_parent() {
    leaves("(setsid sh -c '(sleep N &)' &); sleep 0.2; exit 0");
}

#[test]
fn a_stopped_process() {
    leaves("sleep N & kill -STOP $!; exit 0");
}

#[test]
fn a_process_without_descriptors() {
    leaves("exec 0<&- 1>&- 2>&-; sleep N & sleep 0.1; exit 0");
}

#[test]
fn a_process_that_hears_no_signal() {
    leaves("trap '' TERM HUP INT QUIT; sleep N & exit 0");
}

#[test]
fn a_thousand_children() {
    leaves("i=0; while [ $i -lt 1000 ]; do sleep N & i=$((i+1)); done; exit 0");
}

#[test]
fn more_output_than_anybody_wants() {
    let mut command = Command::new("/bin/sh");
    command.args = vec!["-c".into(), "head -c 5000000 /dev/zero; exit 4".into()];
    command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let run = run_command("(allow default)", Mapping::host(), &command);
    assert_eq!((run.status(), run.ended.stdout.len()), (4, 1 << 20));
}

#[test]
fn the_time_limit_ends_everything() {
    let number = number();
    let mut command = Command::new("/bin/sh");
    command.args = vec!["-c".into(), format!("sleep {number} & yes > /dev/null & sleep {number}").into()];
    command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    command.time_limit = Some(Duration::from_millis(500));
    let start = Instant::now();
    let run = run_command("(allow default)", Mapping::host(), &command);
    assert_eq!(run.ended.how, How::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(sleepers(&number), 0);
}

#[test]
fn a_reader_of_a_pipe_that_nobody_writes() {
    let fixture = Fixture::new();
    let script = format!("mkfifo {0}; cat {0} & cat {0} & sleep 0.2; exit 0", fixture.host("pipe"));
    assert_eq!(run("(allow default)", "/bin/sh", &["-c", &script]).status(), 0);
}

#[test]
fn a_killed_supervisor_takes_all_with_it() {
    let number = number();
    let mut supervisor = on_its_own("supervise", &number).stdout(std::process::Stdio::null()).spawn().unwrap();
    let wait_until = |wanted: usize| {
        let start = Instant::now();
        while sleepers(&number) != wanted {
            assert!(start.elapsed() < Duration::from_secs(30), "{} sleep", sleepers(&number));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_until(2);
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    wait_until(0);
}
