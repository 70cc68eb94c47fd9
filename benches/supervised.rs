//! What supervising costs: the same calls natively, under a bare listener that lets everything through, and supervised with a
//! profile of 250 rules.
//!
//! The limit is stated for the overhead, that is for what a call costs more than natively: at most 1.3 times that of the bare listener.
//! The three take turns, and of each the fastest round counts: a machine that is busy with something else only makes rounds slower.

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

    const CALLS: u32 = 20_000;
    const ROUNDS: usize = 7;
    const KINDS: [&str; 3] = ["stat", "open", "missing"];

    /// The work that is measured, in a process of its own: prints nanoseconds for each call.
    fn work(kind: &str) {
        let (path, missing) = (CString::new("/usr/bin/env").unwrap(), CString::new("/usr/bin/nothing-there").unwrap());
        let start = Instant::now();
        for _ in 0..CALLS {
            // SAFETY: the paths end with NUL, the buffer is of the right type.
            unsafe {
                let mut stat: libc::stat = std::mem::zeroed();
                match kind {
                    "stat" => assert_eq!(libc::stat(path.as_ptr(), &raw mut stat), 0),
                    "missing" => assert_eq!(libc::stat(missing.as_ptr(), &raw mut stat), -1),
                    _ => {
                        let fd = libc::open(path.as_ptr(), libc::O_RDONLY);
                        assert!(fd >= 0);
                        libc::close(fd);
                    }
                }
            }
        }
        println!("{}", start.elapsed().as_nanos() / u128::from(CALLS));
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

    /// The same filter, and a listener that lets everything through.
    fn bare(kind: &str) -> u64 {
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
                libc::poll(&raw mut poll, 1, -1);
                if poll.revents & libc::POLLIN == 0 {
                    break;
                }
                let mut request: libc::seccomp_notif = std::mem::zeroed();
                if libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut request) == 0 {
                    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
                    let mut answer = libc::seccomp_notif_resp { id: request.id, val: 0, error: 0, flags };
                    libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer);
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
        println!("call     native      bare  supervised  overhead of supervised to bare (limit 1.3)");
        for kind in KINDS {
            let mut best = [u64::MAX; 3];
            for _ in 0..ROUNDS {
                let round = [native(kind), bare(kind), supervised(&supervisor, kind)];
                best.iter_mut().zip(round).for_each(|(best, time)| *best = (*best).min(time));
            }
            let [native, bare, supervised] = best;
            let overhead = supervised.saturating_sub(native) as f64 / bare.saturating_sub(native).max(1) as f64;
            println!("{kind:8} {native:4} ns {bare:6} ns   {supervised:6} ns  {overhead:.2}");
        }
    }
}
