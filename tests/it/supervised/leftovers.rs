//! Nothing outlives its run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::child::{acting, on_its_own};
use super::*;

/// A number that no other test sleeps for.
fn number() -> String {
    use std::sync::atomic::AtomicU32;
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

/// As many processes as there may be, then EAGAIN; all are gone when the time is over, which the bomb cannot put off.
#[test]
fn a_fork_bomb() {
    let number = number();
    let mut command = acting("bomb", &number);
    (command.most_processes, command.time_limit) = (Some(100), Some(Duration::from_secs(6)));
    let bombs = || {
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let variables = std::fs::read(entry.ok()?.path().join("environ")).ok()?;
            variables.windows(number.len()).any(|part| part == number.as_bytes()).then_some(())
        });
        processes.count()
    };
    let over = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                most = most.max(bombs());
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        let start = Instant::now();
        let how = run_command("(allow default)", Mapping::host(), &command).ended.how;
        over.store(true, Ordering::Relaxed);
        assert_eq!((how, bombs()), (How::TimedOut, 0));
        assert!(start.elapsed() < Duration::from_secs(60));
        watcher.join().unwrap()
    });
    // Those that were let go and not yet made when the others were counted come on top.
    assert!((20..=200).contains(&most), "{most} at a time");
}

/// A thousand children come and go under the same limit.
#[test]
fn processes_that_have_ended_do_not_count() {
    let mut command = Command::new("/bin/sh");
    let script = "i=0; while [ $i -lt 1000 ]; do (:) || exit 1; i=$((i+1)); done; echo $i";
    command.args = vec!["-c".into(), script.into()];
    command.most_processes = Some(20);
    assert_eq!(run_command("(allow default)", Mapping::host(), &command).stdout(), "1000\n");
}

/// A process that waits for ever to write into a pipe that nobody empties.
#[test]
fn a_full_pipe() {
    let number = number();
    let mut command = Command::new("/bin/sh");
    let script = format!("sleep {number} | yes & yes | sleep {number}");
    command.args = vec!["-c".into(), script.into()];
    command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    command.time_limit = Some(Duration::from_millis(700));
    let start = Instant::now();
    assert_eq!(run_command("(allow default)", Mapping::host(), &command).ended.how, How::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(sleepers(&number), 0);
}

/// What the keeper adopts are the orphans of orphans too, stopped and in sessions of their own.
#[test]
fn forks_of_forks_that_stop() {
    leaves("(setsid sh -c '(setsid sh -c \"sleep N & kill -STOP \\$!\" &) &' &); sleep 0.3; exit 0");
}

/// A signal to the command's whole group, which is its caller's too: the keeper is in no group of theirs.
#[test]
fn a_group_that_is_killed_with_its_supervisor() {
    use std::os::unix::process::CommandExt;
    let number = number();
    let script = format!("setsid sleep {number} & sleep {number} & sleep 0.3; kill -KILL 0");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sbpl"));
    command.args(["exec", "-p", "(version 1)(allow default)", "--", "/bin/sh", "-c", &script]).process_group(0);
    let ended = command.status().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(libc::SIGKILL));
    let start = Instant::now();
    while sleepers(&number) != 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "{} sleep", sleepers(&number));
        std::thread::sleep(Duration::from_millis(20));
    }
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
