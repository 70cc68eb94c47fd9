//! Every system call that the supervisor looks at, on both machines: what is done with it and which operations it asks.
//!
//! `docs/linux-operations.md` is the same table for people; a test keeps the two equal. A call that is not in the table passes:
//! it takes its arguments by value and names no file, or macOS asks nothing about its like.

/// The machines whose call numbers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// x86-64, without x32 and without 32-bit calls.
    X86_64,
    /// aarch64, without 32-bit calls.
    Aarch64,
}

impl Machine {
    /// The machine that this was built for.
    pub const fn here() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Aarch64)
        } else {
            None
        }
    }

    /// The `AUDIT_ARCH_…` number that filters see.
    pub const fn audit(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::Aarch64 => 0xc000_00b7,
        }
    }
}

/// What is done with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Judged, then done by the supervisor on the process's behalf.
    Done(Handler),
    /// Judged, then let through: its arguments are values, or what they point to is checked afterwards.
    Judged(Handler),
    /// Not there (ENOSYS): programs fall back to calls that can be judged.
    Absent,
    /// Refused (EPERM) for every process and every profile.
    Refused,
    /// Answered with success and not done.
    Ignored,
}

impl Treatment {
    /// The word in the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done(_) => "done for it",
            Self::Judged(_) => "let through",
            Self::Absent => "ENOSYS",
            Self::Refused => "EPERM",
            Self::Ignored => "ignored",
        }
    }
}

/// Which code of the supervisor serves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the call of its name, in all its forms")]
pub enum Handler {
    Open,
    Stat,
    Access,
    Readlink,
    Xattr,
    Unlink,
    Rename,
    Link,
    Symlink,
    Mkdir,
    Mknod,
    Chmod,
    Chown,
    Times,
    Truncate,
    Statfs,
    Chdir,
    Getcwd,
    Watch,
    Exec,
    Fork,
    MapCode,
    Signal,
    Socket,
    Bind,
    Connect,
    Listen,
    Accept,
    Send,
    Ioctl,
    /// Asks its one operation, about nothing in particular.
    Plain,
    /// What changes how another process runs: for processes of the same run only.
    Neighbour,
    /// Who gets the signals of a descriptor: processes of the same run only.
    Owner,
    Credentials,
}

/// When a call is looked at; otherwise it passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Every time.
    Always,
    /// A bit of the mask is set in the low half of this argument.
    Bits(u8, u32),
    /// This argument is not 0.
    NotZero(u8),
    /// The low half of this argument has this value.
    Is(u8, u32),
    /// `mmap` of a file with `PROT_EXEC`.
    MapsCode,
    /// `clone` that makes a process or a namespace, not a thread.
    MakesProcess,
    /// `personality` that makes readable memory executable.
    ReadImpliesExec,
    /// `socket` that is not UNIX and not IP.
    OtherFamily,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: &'static str,
    /// Its number on x86-64.
    pub x86_64: Option<u16>,
    /// Its number on aarch64.
    pub aarch64: Option<u16>,
    /// What is done.
    pub treatment: Treatment,
    /// When.
    pub gate: Gate,
    /// The operations that it can ask, most usual first. Each link on the way of a path asks `file-read-metadata` besides.
    pub operations: &'static [&'static str],
}

impl Call {
    /// Its number on a machine.
    pub const fn number(&self, machine: Machine) -> Option<u16> {
        match machine {
            Machine::X86_64 => self.x86_64,
            Machine::Aarch64 => self.aarch64,
        }
    }
}

/// The call with this number.
pub fn call(machine: Machine, number: u32) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.number(machine).is_some_and(|known| u32::from(known) == number))
}

/// Numbers that are nobody's as far as this table knows, first and last. Calls that Linux gets later are not there (ENOSYS) until
/// somebody has looked at them.
pub const fn unknown(machine: Machine) -> &'static [(u32, u32)] {
    match machine {
        Machine::X86_64 => &[(337, 423), (LAST + 1, u32::MAX)],
        // The first are for machines that want calls of their own.
        Machine::Aarch64 => &[(244, 259), (295, 423), (LAST + 1, u32::MAX)],
    }
}

/// The last call that was looked at: `file_setattr` of Linux 6.17.
const LAST: u32 = 469;

const NO: u16 = u16::MAX;

const fn number(number: u16) -> Option<u16> {
    if number == NO { None } else { Some(number) }
}

const fn row(
    name: &'static str,
    x86_64: u16,
    aarch64: u16,
    treatment: Treatment,
    gate: Gate,
    operations: &'static [&'static str],
) -> Call {
    Call { name, x86_64: number(x86_64), aarch64: number(aarch64), treatment, gate, operations }
}

const fn done(name: &'static str, x86_64: u16, aarch64: u16, by: Handler, operations: &'static [&'static str]) -> Call {
    row(name, x86_64, aarch64, Treatment::Done(by), Gate::Always, operations)
}

const fn judged(
    name: &'static str,
    x86_64: u16,
    aarch64: u16,
    by: Handler,
    gate: Gate,
    operations: &'static [&'static str],
) -> Call {
    row(name, x86_64, aarch64, Treatment::Judged(by), gate, operations)
}

const fn absent(name: &'static str, x86_64: u16, aarch64: u16) -> Call {
    row(name, x86_64, aarch64, Treatment::Absent, Gate::Always, &[])
}

const fn refused(name: &'static str, x86_64: u16, aarch64: u16) -> Call {
    row(name, x86_64, aarch64, Treatment::Refused, Gate::Always, &[])
}

const OPEN: &[&str] = &[
    "file-read-data",
    "file-write-data",
    "file-write-create",
    "file-read-metadata",
    "process-info-pidinfo",
    "process-info-listpids",
    "sysctl-read",
    "sysctl-write",
];
const STAT: &[&str] = &["file-read-metadata", "process-info-pidinfo", "process-info-listpids", "sysctl-read"];
const ACCESS: &[&str] = &["file-test-existence", "file-read-data", "file-write-data"];
const READ_XATTR: &[&str] = &["file-read-xattr"];
const WRITE_XATTR: &[&str] = &["file-write-xattr"];
const METADATA: &[&str] = &["file-read-metadata"];
const UNLINK: &[&str] = &["file-write-unlink"];
const RENAME: &[&str] = &["file-write-unlink", "file-write-create"];
const LINK: &[&str] = &["file-link", "file-write-create"];
const CREATE: &[&str] = &["file-write-create"];
const MKNOD: &[&str] = &["file-write-create", "file-mknod"];
const MODE: &[&str] = &["file-write-mode", "file-write-setugid"];
const OWNER: &[&str] = &["file-write-owner"];
const TIMES: &[&str] = &["file-write-times"];
const DATA: &[&str] = &["file-write-data"];
const EXEC: &[&str] = &["process-exec*", "process-exec-interpreter"];
const FORK: &[&str] = &["process-fork"];
const MAP: &[&str] = &["file-map-executable"];
const SIGNAL: &[&str] = &["signal"];
const OUT: &[&str] = &["network-outbound"];
const CLONE_NEW: u32 = 0x7e02_0000;
const _: () = assert!(CLONE_NEW & 0x0001_0000 == 0, "CLONE_THREAD makes no namespace");

/// The calls.
pub const CALLS: &[Call] = &[
    done("open", 2, NO, Handler::Open, OPEN),
    done("openat", 257, 56, Handler::Open, OPEN),
    done("creat", 85, NO, Handler::Open, OPEN),
    done("stat", 4, NO, Handler::Stat, STAT),
    done("lstat", 6, NO, Handler::Stat, STAT),
    done("newfstatat", 262, 79, Handler::Stat, STAT),
    done("statx", 332, 291, Handler::Stat, STAT),
    done("access", 21, NO, Handler::Access, ACCESS),
    done("faccessat", 269, 48, Handler::Access, ACCESS),
    done("faccessat2", 439, 439, Handler::Access, ACCESS),
    done("readlink", 89, NO, Handler::Readlink, METADATA),
    done("readlinkat", 267, 78, Handler::Readlink, METADATA),
    done("getxattr", 191, 8, Handler::Xattr, READ_XATTR),
    done("lgetxattr", 192, 9, Handler::Xattr, READ_XATTR),
    done("fgetxattr", 193, 10, Handler::Xattr, READ_XATTR),
    done("listxattr", 194, 11, Handler::Xattr, READ_XATTR),
    done("llistxattr", 195, 12, Handler::Xattr, READ_XATTR),
    done("flistxattr", 196, 13, Handler::Xattr, READ_XATTR),
    done("setxattr", 188, 5, Handler::Xattr, WRITE_XATTR),
    done("lsetxattr", 189, 6, Handler::Xattr, WRITE_XATTR),
    done("fsetxattr", 190, 7, Handler::Xattr, WRITE_XATTR),
    done("removexattr", 197, 14, Handler::Xattr, WRITE_XATTR),
    done("lremovexattr", 198, 15, Handler::Xattr, WRITE_XATTR),
    done("fremovexattr", 199, 16, Handler::Xattr, WRITE_XATTR),
    done("unlink", 87, NO, Handler::Unlink, UNLINK),
    done("unlinkat", 263, 35, Handler::Unlink, UNLINK),
    done("rmdir", 84, NO, Handler::Unlink, UNLINK),
    done("rename", 82, NO, Handler::Rename, RENAME),
    done("renameat", 264, 38, Handler::Rename, RENAME),
    done("renameat2", 316, 276, Handler::Rename, RENAME),
    done("link", 86, NO, Handler::Link, LINK),
    done("linkat", 265, 37, Handler::Link, LINK),
    done("symlink", 88, NO, Handler::Symlink, CREATE),
    done("symlinkat", 266, 36, Handler::Symlink, CREATE),
    done("mkdir", 83, NO, Handler::Mkdir, CREATE),
    done("mkdirat", 258, 34, Handler::Mkdir, CREATE),
    done("mknod", 133, NO, Handler::Mknod, MKNOD),
    done("mknodat", 259, 33, Handler::Mknod, MKNOD),
    done("chmod", 90, NO, Handler::Chmod, MODE),
    done("fchmod", 91, 52, Handler::Chmod, MODE),
    done("fchmodat", 268, 53, Handler::Chmod, MODE),
    done("fchmodat2", 452, 452, Handler::Chmod, MODE),
    done("chown", 92, NO, Handler::Chown, OWNER),
    done("lchown", 94, NO, Handler::Chown, OWNER),
    done("fchown", 93, 55, Handler::Chown, OWNER),
    done("fchownat", 260, 54, Handler::Chown, OWNER),
    done("utime", 132, NO, Handler::Times, TIMES),
    done("utimes", 235, NO, Handler::Times, TIMES),
    done("futimesat", 261, NO, Handler::Times, TIMES),
    done("utimensat", 280, 88, Handler::Times, TIMES),
    done("truncate", 76, 45, Handler::Truncate, DATA),
    done("statfs", 137, 43, Handler::Statfs, METADATA),
    judged("chdir", 80, 49, Handler::Chdir, Gate::Always, &[]),
    done("getcwd", 79, 17, Handler::Getcwd, &[]),
    done("inotify_add_watch", 254, 27, Handler::Watch, METADATA),
    judged("execve", 59, 221, Handler::Exec, Gate::Always, EXEC),
    judged("execveat", 322, 281, Handler::Exec, Gate::Always, EXEC),
    judged("fork", 57, NO, Handler::Fork, Gate::Always, FORK),
    judged("vfork", 58, NO, Handler::Fork, Gate::Always, FORK),
    judged("clone", 56, 220, Handler::Fork, Gate::MakesProcess, FORK),
    judged("mmap", 9, 222, Handler::MapCode, Gate::MapsCode, MAP),
    judged("mprotect", 10, 226, Handler::MapCode, Gate::Bits(2, 4), MAP),
    judged("pkey_mprotect", 329, 288, Handler::MapCode, Gate::Bits(2, 4), MAP),
    judged("kill", 62, 129, Handler::Signal, Gate::Always, SIGNAL),
    judged("tkill", 200, 130, Handler::Signal, Gate::Always, SIGNAL),
    judged("tgkill", 234, 131, Handler::Signal, Gate::Always, SIGNAL),
    judged("rt_sigqueueinfo", 129, 138, Handler::Signal, Gate::Always, SIGNAL),
    judged("rt_tgsigqueueinfo", 297, 240, Handler::Signal, Gate::Always, SIGNAL),
    judged("pidfd_send_signal", 424, 424, Handler::Signal, Gate::Always, SIGNAL),
    judged("socket", 41, 198, Handler::Socket, Gate::OtherFamily, &["system-socket"]),
    done("bind", 49, 200, Handler::Bind, &["network-bind"]),
    done("connect", 42, 203, Handler::Connect, OUT),
    done("listen", 50, 201, Handler::Listen, &["network-inbound"]),
    judged("accept", 43, 202, Handler::Accept, Gate::Always, &["network-inbound"]),
    judged("accept4", 288, 242, Handler::Accept, Gate::Always, &["network-inbound"]),
    row("sendto", 44, 206, Treatment::Done(Handler::Send), Gate::NotZero(4), OUT),
    done("sendmsg", 46, 211, Handler::Send, OUT),
    done("sendmmsg", 307, 269, Handler::Send, OUT),
    judged("ioctl", 16, 29, Handler::Ioctl, Gate::Always, &["file-ioctl"]),
    judged("shmget", 29, 194, Handler::Plain, Gate::Always, &["ipc-sysv-shm"]),
    judged("semget", 64, 190, Handler::Plain, Gate::Always, &["ipc-sysv-sem"]),
    judged("msgget", 68, 186, Handler::Plain, Gate::Always, &["ipc-sysv-msg"]),
    judged("settimeofday", 164, 170, Handler::Plain, Gate::Always, &["system-set-time"]),
    judged("clock_settime", 227, 112, Handler::Plain, Gate::Always, &["system-set-time"]),
    judged("sethostname", 170, 161, Handler::Plain, Gate::Always, &["sysctl-write"]),
    judged("setdomainname", 171, 162, Handler::Plain, Gate::Always, &["sysctl-write"]),
    judged("setuid", 105, 146, Handler::Credentials, Gate::Always, &[]),
    judged("setgid", 106, 144, Handler::Credentials, Gate::Always, &[]),
    judged("setreuid", 113, 145, Handler::Credentials, Gate::Always, &[]),
    judged("setregid", 114, 143, Handler::Credentials, Gate::Always, &[]),
    judged("setgroups", 116, 159, Handler::Credentials, Gate::Always, &[]),
    judged("setresuid", 117, 147, Handler::Credentials, Gate::Always, &[]),
    judged("setresgid", 119, 149, Handler::Credentials, Gate::Always, &[]),
    judged("setfsuid", 122, 151, Handler::Credentials, Gate::Always, &[]),
    judged("setfsgid", 123, 152, Handler::Credentials, Gate::Always, &[]),
    judged("capset", 126, 91, Handler::Credentials, Gate::Always, &[]),
    judged("prlimit64", 302, 261, Handler::Neighbour, Gate::NotZero(0), &[]),
    judged("setpriority", 141, 140, Handler::Neighbour, Gate::NotZero(1), &[]),
    judged("ioprio_set", 251, 30, Handler::Neighbour, Gate::NotZero(1), &[]),
    judged("sched_setparam", 142, 118, Handler::Neighbour, Gate::NotZero(0), &[]),
    judged("sched_setscheduler", 144, 119, Handler::Neighbour, Gate::NotZero(0), &[]),
    judged("sched_setaffinity", 203, 122, Handler::Neighbour, Gate::NotZero(0), &[]),
    judged("sched_setattr", 314, 274, Handler::Neighbour, Gate::NotZero(0), &[]),
    judged("fcntl F_SETOWN", 72, 25, Handler::Owner, Gate::Is(1, 8), &[]),
    row("fcntl F_SETOWN_EX", 72, 25, Treatment::Refused, Gate::Is(1, 15), &[]),
    row("fcntl F_SETLEASE", 72, 25, Treatment::Refused, Gate::Is(1, 1024), &[]),
    absent("openat2", 437, 437),
    absent("clone3", 435, 435),
    absent("io_uring_setup", 425, 425),
    absent("io_uring_enter", 426, 426),
    absent("io_uring_register", 427, 427),
    absent("setxattrat", 463, 463),
    absent("getxattrat", 464, 464),
    absent("listxattrat", 465, 465),
    absent("removexattrat", 466, 466),
    absent("file_getattr", 468, 468),
    absent("file_setattr", 469, 469),
    absent("uselib", 134, NO),
    absent("lookup_dcookie", 212, 18),
    absent("landlock_create_ruleset", 444, 444),
    absent("landlock_add_rule", 445, 445),
    absent("landlock_restrict_self", 446, 446),
    absent("statmount", 457, 457),
    absent("listmount", 458, 458),
    absent("add_key", 248, 217),
    absent("request_key", 249, 218),
    absent("keyctl", 250, 219),
    refused("chroot", 161, 51),
    refused("pivot_root", 155, 41),
    refused("mount", 165, 40),
    refused("umount2", 166, 39),
    refused("open_tree", 428, 428),
    refused("open_tree_attr", 467, 467),
    refused("move_mount", 429, 429),
    refused("fsopen", 430, 430),
    refused("fsconfig", 431, 431),
    refused("fsmount", 432, 432),
    refused("fspick", 433, 433),
    refused("mount_setattr", 442, 442),
    refused("swapon", 167, 224),
    refused("swapoff", 168, 225),
    refused("quotactl", 179, 60),
    refused("quotactl_fd", 443, 443),
    refused("name_to_handle_at", 303, 264),
    refused("open_by_handle_at", 304, 265),
    refused("fanotify_init", 300, 262),
    refused("fanotify_mark", 301, 263),
    refused("setns", 308, 268),
    refused("unshare", 272, 97),
    refused("ptrace", 101, 117),
    refused("process_vm_readv", 310, 270),
    refused("process_vm_writev", 311, 271),
    refused("pidfd_getfd", 438, 438),
    refused("process_madvise", 440, 440),
    refused("process_mrelease", 448, 448),
    refused("kcmp", 312, 272),
    row("move_pages", 279, 239, Treatment::Refused, Gate::NotZero(0), &[]),
    row("migrate_pages", 256, 238, Treatment::Refused, Gate::NotZero(0), &[]),
    refused("userfaultfd", 323, 282),
    refused("bpf", 321, 280),
    refused("perf_event_open", 298, 241),
    refused("init_module", 175, 105),
    refused("finit_module", 313, 273),
    refused("delete_module", 176, 106),
    refused("kexec_load", 246, 104),
    refused("kexec_file_load", 320, 294),
    refused("reboot", 169, 142),
    refused("acct", 163, 89),
    refused("adjtimex", 159, 171),
    refused("clock_adjtime", 305, 266),
    refused("syslog", 103, 116),
    refused("vhangup", 153, 58),
    refused("iopl", 172, NO),
    refused("ioperm", 173, NO),
    row("personality", 135, 92, Treatment::Refused, Gate::ReadImpliesExec, &[]),
    row("prctl PR_SET_MM", 157, 167, Treatment::Refused, Gate::Is(0, 35), &[]),
    row("prctl PR_SET_DUMPABLE", 157, 167, Treatment::Ignored, Gate::Is(0, 4), &[]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_machine_has_a_number_or_a_name_twice() {
        let mut names = BTreeSet::new();
        assert!(CALLS.iter().all(|call| names.insert(call.name)));
        for machine in [Machine::X86_64, Machine::Aarch64] {
            let mut numbers = BTreeSet::new();
            // Rows of one command each share a number and a first word.
            let shared = |call: &&Call| !call.name.contains(' ');
            let single = CALLS.iter().filter(shared).filter_map(|call| call.number(machine));
            assert!(single.clone().all(|number| numbers.insert(number)), "{machine:?}");
            let words: BTreeSet<_> = CALLS
                .iter()
                .filter(|call| call.name.contains(' '))
                .map(|call| (call.name.split(' ').next(), call.number(machine)))
                .collect();
            assert!(words.len() == 2 && words.iter().all(|(_, number)| numbers.insert(number.unwrap())));
        }
    }

    #[test]
    fn every_operation_is_one_of_the_default_target() {
        let target = crate::vocab::target(crate::vocab::DEFAULT_TARGET).unwrap();
        for call in CALLS {
            for operation in call.operations {
                assert!(target.operation_named(operation).is_some(), "{}: {operation}", call.name);
            }
        }
    }
}
