//! Where processes cannot be supervised, that is said (69), and nothing is taken for a denial.

use std::os::unix::process::CommandExt;
use std::process::Command;

const ALLOW: &str = "(version 1)(allow default)";

fn sbpl() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sbpl"))
}

fn told(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A process whose calls `number` fail with `errno`, as a container's filter does it.
fn without(mut command: Command, number: libc::c_long, errno: i32) -> Command {
    let instruction = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let filter = [
        instruction(0x20, 0, 0, 0),
        instruction(0x15, 0, 1, number as u32),
        instruction(0x06, 0, 0, 0x0005_0000 | errno as u32),
        instruction(0x06, 0, 0, 0x7fff_0000),
    ];
    // SAFETY: two calls that a forked child may do, with a filter that it has its own copy of.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            match libc::prctl(libc::PR_SET_SECCOMP, 2, &raw const program) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    command
}

#[test]
fn a_container_or_a_kernel_that_forbids_it() {
    for (number, errno, words) in [
        (libc::SYS_seccomp, libc::EPERM, "seccomp is refused here"),
        (libc::SYS_seccomp, libc::ENOSYS, "the kernel has no seccomp user notification"),
        (libc::SYS_seccomp, libc::EINVAL, "the kernel has no seccomp user notification"),
        (libc::SYS_pidfd_open, libc::EPERM, "pidfd_open is refused here"),
        (libc::SYS_pidfd_getfd, libc::EPERM, "pidfd_getfd is refused here"),
        (libc::SYS_process_vm_readv, libc::EPERM, "process_vm_readv is refused here"),
        (libc::SYS_unshare, libc::EPERM, "unshare is refused here"),
        (libc::SYS_faccessat2, libc::EPERM, "faccessat2 is refused here"),
    ] {
        let mut exec = sbpl();
        exec.args(["exec", "-p", ALLOW, "--", "/bin/true"]);
        let (status, stderr) = told(without(exec, number, errno));
        assert!(status == Some(69) && stderr.contains(words), "{number} {errno}: {status:?} {stderr}");
    }
    // What it can do without, it does without.
    let mut exec = sbpl();
    exec.args(["exec", "-p", ALLOW, "--", "/bin/sh", "-c", "cat /etc/hosts > /dev/null"]);
    assert_eq!(told(without(exec, libc::SYS_openat2, libc::EPERM)).0, Some(0));
}

#[test]
fn under_another_supervisor() {
    let mut nested = sbpl();
    nested.args(["exec", "-p", ALLOW, "--", env!("CARGO_BIN_EXE_sbpl"), "exec", "-p", ALLOW, "--", "/bin/true"]);
    let (status, stderr) = told(nested);
    assert!(status == Some(69) && stderr.contains("itself supervised"), "{status:?} {stderr}");
    let out = tempfile::tempdir().unwrap();
    for (backend, wanted) in [("supervised", 69), ("auto", 0)] {
        let mut nested = sbpl();
        nested.args(["exec", "-p", ALLOW, "--", env!("CARGO_BIN_EXE_sbpl"), "run", "--backend", backend, "--out"]);
        nested.arg(out.path());
        let (status, stderr) = told(nested);
        assert_eq!(status, Some(wanted), "{stderr}");
        assert!(backend == "supervised" || stderr.contains("nothing is executed"), "{stderr}");
    }
}
