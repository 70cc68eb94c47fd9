//! What supervising costs: the same calls natively, under a bare listener that lets everything through, and supervised with a
//! profile of 250 rules.
//!
//! The limit is stated for the overhead, that is for what a call costs more than natively: at most 1.3 times that of the bare listener.
//! The listener has the flags of the supervisor, and either waits in receiving as that does, or polls before. All take turns, and of each
//! the fastest batch counts: a machine that is busy with something else only makes batches slower.
//!
//! `stat`, `open` and `missing` do the same call again and again; `scattered` looks into two folders in turns; `each` looks at every file once.
//! With `only=KIND` only that one is measured.

// A benchmark's data is its own; it talks to the kernel as the supervisor does.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, unsafe_code)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::CString;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::sync::Arc;
    use std::time::Instant;

    use sbpl::diag::Source;
    use sbpl::profile::{EvalOptions, NoImports, evaluate};
    use sbpl::sandbox::judge::Judge;
    use sbpl::sandbox::supervised::table::Machine;
    use sbpl::sandbox::supervised::{Command, How, Mapping, Stdio, Supervisor, bpf};
    use sbpl::sandbox::{ProfileInput, Rules};

    /// Calls that are timed together: so few that other processes rarely come between.
    const BATCH: u32 = 50;
    const BATCHES: usize = 200;
    const ROUNDS: usize = 5;
    const KINDS: [&str; 5] = ["stat", "open", "missing", "scattered", "each"];
    /// For `each`: files that are looked at once.
    const FILES: u32 = BATCH * BATCHES as u32;

    fn folder() -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("supervised")
    }

    fn stat(path: &CString) -> i32 {
        // SAFETY: the path ends with NUL, the buffer is of the right type.
        unsafe {
            let mut stat: libc::stat = std::mem::zeroed();
            libc::lstat(path.as_ptr(), &raw mut stat)
        }
    }

    /// The work that is measured, in a process of its own: prints nanoseconds for each call, of the fastest batch.
    fn work(kind: &str) {
        let (path, missing) = (CString::new("/usr/bin/env").unwrap(), CString::new("/usr/bin/nothing-there").unwrap());
        let other = CString::new("/usr/lib/os-release").unwrap();
        let files: Vec<CString> = match kind {
            "each" => (0..FILES).map(file).collect(),
            _ => Vec::new(),
        };
        let mut best = u128::MAX;
        for batch in 0..BATCHES {
            let start = Instant::now();
            for number in 0..BATCH {
                match kind {
                    "stat" => assert_eq!(stat(&path), 0),
                    "missing" => assert_eq!(stat(&missing), -1),
                    "scattered" => assert_eq!(stat(if number % 2 == 0 { &path } else { &other }), 0),
                    "each" => assert_eq!(stat(&files[batch * BATCH as usize + number as usize]), 0),
                    // SAFETY: the path ends with NUL.
                    _ => unsafe {
                        let fd = libc::open(path.as_ptr(), libc::O_RDONLY);
                        assert!(fd >= 0);
                        libc::close(fd);
                    },
                }
            }
            best = best.min(start.elapsed().as_nanos() / u128::from(BATCH));
        }
        println!("{best}");
    }

    fn file(number: u32) -> CString {
        CString::new(folder().join(number.to_string()).into_os_string().into_encoded_bytes()).unwrap()
    }

    fn text(rules: usize) -> String {
        let mut text = "(version 1)\n(allow default)\n".to_owned();
        for number in 0..rules {
            let filter = match number % 5 {
                0 => format!("(regex #\"^/private/var/folders/[^/]+/[^/]+/{number}(/|$)\")"),
                1 => format!("(literal \"/private/etc/file{number}\")"),
                2 => format!("(subpath \"/Users/me/Library/Caches/app{number}\")"),
                3 => format!("(require-all (subpath \"/Users/me/work{number}\") (vnode-type REGULAR-FILE))"),
                _ => format!("(subpath \"/System/Library/Frameworks/Part{number}.framework\")"),
            };
            let action = if number % 3 == 0 { "deny" } else { "allow" };
            text.push_str(&format!("({action} file-read* {filter})\n"));
        }
        text
    }

    fn number(output: &[u8]) -> u64 {
        String::from_utf8_lossy(output).trim().parse().unwrap()
    }

    fn native(kind: &str) -> u64 {
        let output = std::process::Command::new(std::env::current_exe().unwrap()).arg(kind).output().unwrap();
        number(&output.stdout)
    }

    fn supervised(supervisor: &Supervisor, kind: &str) -> u64 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args = vec![kind.into()];
        command.stdio = Stdio::Capture { limit: 1000 };
        let ended = supervisor.run(&command, &mut |_| {}).unwrap();
        assert_eq!(ended.how, How::Exited(0), "{}", String::from_utf8_lossy(&ended.stderr));
        number(&ended.stdout)
    }

    /// The same filter, and a listener that lets everything through; it waits as the supervisor does on this kernel, or polls before.
    fn bare(kind: &str, polls: bool) -> u64 {
        let program = bpf::program(Machine::here().unwrap());
        let executable = CString::new(std::env::current_exe().unwrap().as_os_str().as_encoded_bytes()).unwrap();
        let argument = CString::new(kind).unwrap();
        let argv = [executable.as_ptr(), argument.as_ptr(), std::ptr::null()];
        let (mut told, mut out) = ([0; 2], [0; 2]);
        // SAFETY: the child makes system calls only, with what was made before the fork.
        let child = unsafe {
            libc::pipe2(told.as_mut_ptr(), libc::O_CLOEXEC);
            libc::pipe2(out.as_mut_ptr(), libc::O_CLOEXEC);
            let child = libc::fork();
            if child == 0 {
                libc::dup2(out[1], 1);
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                let program =
                    libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut().cast() };
                let listener = libc::syscall(
                    libc::SYS_seccomp,
                    libc::SECCOMP_SET_MODE_FILTER,
                    libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                    &raw const program,
                ) as i32;
                libc::write(told[1], (&raw const listener).cast(), 4);
                libc::execve(argv[0], argv.as_ptr(), [std::ptr::null()].as_ptr());
                libc::_exit(1);
            }
            child
        };
        // SAFETY: plain system calls; structs are those of the requests.
        unsafe {
            libc::close(out[1]);
            let mut listener = 0i32;
            libc::read(told[0], (&raw mut listener).cast(), 4);
            let pidfd = OwnedFd::from_raw_fd(libc::syscall(libc::SYS_pidfd_open, child, 0) as i32);
            let listener = libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), listener, 0) as i32;
            assert!(listener >= 0);
            libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, 1u64);
            loop {
                let mut poll = libc::pollfd { fd: listener, events: libc::POLLIN, revents: 0 };
                if polls {
                    libc::poll(&raw mut poll, 1, -1);
                    if poll.revents & libc::POLLIN == 0 {
                        break;
                    }
                }
                let mut request: libc::seccomp_notif = std::mem::zeroed();
                if libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut request) == 0 {
                    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
                    let mut answer = libc::seccomp_notif_resp { id: request.id, val: 0, error: 0, flags };
                    libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer);
                } else if libc::poll(&raw mut poll, 1, 0) == 1 && poll.revents & libc::POLLHUP != 0 {
                    break;
                }
            }
            let mut output = [0u8; 100];
            let length = libc::read(out[0], output.as_mut_ptr().cast(), output.len());
            for fd in [listener, told[0], told[1], out[0]] {
                libc::close(fd);
            }
            libc::waitpid(child, std::ptr::null_mut(), 0);
            number(&output[..usize::try_from(length).unwrap()])
        }
    }

    pub(super) fn main() {
        let argument = std::env::args().nth(1).unwrap_or_default();
        if KINDS.contains(&argument.as_str()) {
            return work(&argument);
        }
        let text = text(250);
        let source = Source::new("bench.sb", text.clone().into_bytes());
        let policy = evaluate(source, &NoImports, &EvalOptions::default()).unwrap().policy;
        let input = ProfileInput { bytes: text.into_bytes().into(), rules: Rules::Policy(Arc::new(policy)) };
        let supervisor = Supervisor::new(Judge::of(&input).unwrap(), Mapping::host());
        std::fs::create_dir_all(folder()).unwrap();
        (0..FILES).for_each(|number| drop(std::fs::File::create(folder().join(number.to_string())).unwrap()));
        let only = std::env::args().nth(1).filter(|kind| kind.starts_with("only=")).map(|kind| kind[5..].to_owned());
        println!(
            "call         native  bare, polls    bare  supervised  overhead of supervised to bare that polls, to bare"
        );
        for kind in KINDS.into_iter().filter(|kind| only.as_ref().is_none_or(|only| only == kind)) {
            let mut best = [u64::MAX; 4];
            for _ in 0..ROUNDS {
                let round = [native(kind), bare(kind, true), bare(kind, false), supervised(&supervisor, kind)];
                best.iter_mut().zip(round).for_each(|(best, time)| *best = (*best).min(time));
            }
            let [native, polls, bare, supervised] = best;
            let to = |bare: u64| supervised.saturating_sub(native) as f64 / bare.saturating_sub(native).max(1) as f64;
            let ratios = [polls, bare].map(to);
            println!(
                "{kind:10} {native:5} ns  {polls:8} ns  {bare:6} ns  {supervised:7} ns  {:.2}  {:.2}",
                ratios[0], ratios[1]
            );
        }
        std::fs::remove_dir_all(folder()).unwrap();
    }
}
