//! What runs inside: the test binary itself, started with the name of an action.
//!
//! Results are lines `NAME=ERRNO` on standard output, 0 for success.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const ACTION: &str = "SBPL_TEST_ACTION";
const ARGUMENT: &str = "SBPL_TEST_ARGUMENT";

/// Runs `action` in a child under a profile.
pub fn act(profile: &str, action: &str, argument: &str) -> Run {
    run_command(profile, Mapping::host(), &acting(action, argument))
}

/// The command of a child that does `action`.
pub fn acting(action: &str, argument: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args =
        ["--exact", "supervised::child::entry", "--ignored", "--nocapture", "--test-threads=1"].map(Into::into).into();
    command.env = vec![
        ("PATH".into(), "/usr/bin:/bin".into()),
        (ACTION.into(), action.into()),
        (ARGUMENT.into(), argument.into()),
    ];
    command
}

impl Run {
    /// The results that the child told.
    pub fn results(&self) -> Vec<(String, i32)> {
        let text = self.stdout();
        let lines = text.lines().filter_map(|line| line.strip_prefix("RESULT ")?.split_once('='));
        lines.map(|(name, errno)| (name.to_owned(), errno.parse().unwrap())).collect()
    }

    /// Every result is this one, and there is one at least.
    pub fn all(&self, errno: i32) {
        let results = self.results();
        assert!(!results.is_empty(), "{}{}{:?}", self.stdout(), self.stderr(), self.denied());
        assert!(results.iter().all(|(_, found)| *found == errno), "{results:?} {:?}", self.denied());
    }
}

pub fn tell(name: &str, result: libc::c_long) {
    let errno = if result < 0 { std::io::Error::last_os_error().raw_os_error().unwrap() } else { 0 };
    // In front of it stands what the test harness has printed.
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nRESULT {name}={errno}").unwrap();
}

pub fn tell_io<T>(name: &str, result: std::io::Result<T>) {
    let errno = result.err().map_or(0, |error| error.raw_os_error().unwrap_or(-1));
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nRESULT {name}={errno}").unwrap();
}

pub fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn open(path: &str) -> libc::c_long {
    unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, c(path).as_ptr(), libc::O_RDONLY, 0) }
}

/// Reads a file under every name that it can have.
fn read_by_all_names(secret: &str) {
    let (folder, name) = secret.rsplit_once('/').unwrap();
    tell("raw", open(secret));
    tell("doubled slashes", open(&format!("{folder}//./{name}")));
    tell("dot dot", open(&format!("{folder}/../{}/{name}", folder.rsplit('/').next().unwrap())));
    tell("through proc root", open(&format!("/proc/self/root{secret}")));
    tell("through proc thread root", open(&format!("/proc/thread-self/root{secret}")));
    tell("private spelling", open(&format!("/private{secret}")));
    tell("data volume", open(&format!("/System/Volumes/Data/private{secret}")));
    tell("symbolic link", open(&format!("{folder}/link")));
    tell("link to folder", open(&format!("{folder}/folder-link/{name}")));
    std::env::set_current_dir(folder).unwrap();
    tell("relative", open(name));
    tell("through proc cwd", open(&format!("/proc/self/cwd/{name}")));
    let dir = std::fs::File::open(folder).unwrap();
    let at =
        |flags: libc::c_int| unsafe { libc::syscall(libc::SYS_openat, dir.as_raw_fd(), c(name).as_ptr(), flags, 0) };
    tell("descriptor of the folder", at(libc::O_RDONLY));
    tell("for reading and writing", at(libc::O_RDWR));
    tell("through the folder's descriptor in proc", open(&format!("/proc/self/fd/{}/{name}", dir.as_raw_fd())));
    tell("through dev fd", open(&format!("/dev/fd/{}/{name}", dir.as_raw_fd())));
    // A descriptor that can only be looked at is none to read from, and reopening it is an open.
    let handle = at(libc::O_PATH);
    assert!(handle >= 0);
    tell("reopened", open(&format!("/proc/self/fd/{handle}")));
    let path = secret.to_owned();
    std::thread::spawn(move || tell("thread", open(&path))).join().unwrap();
    tell_io("standard library", std::fs::read(secret));
    let cat = std::process::Command::new("/bin/cat").arg(secret).output().unwrap();
    assert!(cat.stdout.is_empty());
    let text = String::from_utf8_lossy(&cat.stderr).into_owned();
    tell_io("program", if text.contains("not permitted") { Err(std::io::Error::from_raw_os_error(1)) } else { Ok(()) });
    #[allow(deprecated, reason = "the call itself is what is tried; the child does next to nothing")]
    let child = unsafe { libc::vfork() };
    if child == 0 {
        let opened = unsafe { libc::open(c"secret".as_ptr(), libc::O_RDONLY) };
        unsafe { libc::_exit(if opened < 0 { *libc::__errno_location() } else { 0 }) };
    }
    let mut status = 0;
    unsafe { libc::waitpid(child, &mut status, 0) };
    tell_io(
        "vfork",
        match libc::WEXITSTATUS(status) {
            0 => Ok(()),
            errno => Err(std::io::Error::from_raw_os_error(errno)),
        },
    );
    // The file under a new name is a file under a new name; so making one must be refused.
    tell("hard link", unsafe { libc::link(c(secret).as_ptr(), c("second").as_ptr()) }.into());
    tell("renamed", unsafe { libc::rename(c(secret).as_ptr(), c("second").as_ptr()) }.into());
}

/// Calls that nobody gets.
fn outright() {
    let mut how: [u64; 3] = [0; 3];
    tell("openat2", unsafe { libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, c"/".as_ptr(), how.as_mut_ptr(), 24) });
    tell("io_uring_setup", unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, 0) });
    tell("clone3", unsafe { libc::syscall(libc::SYS_clone3, 0, 0) });
    tell("unshare", unsafe { libc::unshare(libc::CLONE_NEWNS) }.into());
    tell("ptrace", unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) });
    tell("mount", unsafe { libc::mount(c"x".as_ptr(), c"/".as_ptr(), c"tmpfs".as_ptr(), 0, std::ptr::null()) }.into());
    tell("chroot", unsafe { libc::chroot(c"/".as_ptr()) }.into());
    tell("kill all", unsafe { libc::kill(-1, 0) }.into());
    tell("setuid", unsafe { libc::syscall(libc::SYS_setuid, 12345) });
    tell("the supervisor's memory", open(&format!("/proc/{}/mem", std::env::var(ARGUMENT).unwrap())));
    tell("the supervisor", unsafe { libc::kill(std::env::var(ARGUMENT).unwrap().parse().unwrap(), 0) }.into());
    let listener = unsafe {
        let filter = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }];
        let program = libc::sock_fprog { len: 1, filter: filter.as_ptr().cast_mut() };
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    tell("second listener", listener);
}

/// A folder by the name that only the model has.
fn model_names(folder: &str) {
    let model = format!("/private{folder}");
    let (here, program) = (c(&model), c(&format!("{model}program")));
    let nothing = [std::ptr::null::<libc::c_char>()];
    let dir = open(&model);
    tell("opened", dir);
    tell("file in it", open(&format!("{model}open")));
    unsafe {
        tell("chdir", libc::chdir(here.as_ptr()).into());
        tell("handle", libc::open(here.as_ptr(), libc::O_PATH).into());
        tell("execve", libc::execve(program.as_ptr(), nothing.as_ptr(), nothing.as_ptr()).into());
        let at = libc::AT_FDCWD;
        tell(
            "execveat",
            libc::syscall(libc::SYS_execveat, at, program.as_ptr(), nothing.as_ptr(), nothing.as_ptr(), 0),
        );
        tell("made", libc::mkdir(c(&format!("{model}new")).as_ptr(), 0o700).into());
        tell("fchdir", libc::fchdir(dir as i32).into());
    }
    tell_io("relative", std::fs::metadata("new"));
    let name = std::env::current_dir().map(|name| format!("{}/", name.display()));
    tell_io("the host's name", name.map(|name| assert_eq!(name, folder)));
}

/// Makes processes that make processes, for ever.
fn bomb() {
    loop {
        // SAFETY: the child does nothing but this, too.
        unsafe {
            if libc::fork() < 0 {
                libc::usleep(1000);
            }
        }
    }
}

/// Every call that the table refuses outright, and numbers that it does not know.
fn table() {
    use sbpl::sandbox::supervised::table::{CALLS, Gate, Machine, Treatment, unknown};
    let machine = Machine::here().unwrap();
    let refused = |call: &&sbpl::sandbox::supervised::table::Call| {
        matches!(call.treatment, Treatment::Absent | Treatment::Refused) && call.gate == Gate::Always
    };
    let nothing = |number: u32| unsafe { libc::syscall(number as libc::c_long, -1, 0, -1, 0, 0, 0) };
    for call in CALLS.iter().filter(refused) {
        let Some(number) = call.number(machine) else { continue };
        tell(call.name, nothing(number.into()));
    }
    for (first, last) in unknown(machine) {
        for number in [*first, (*last).min(first + 1), (*last).min(1000)] {
            tell(&format!("number {number}"), nothing(number));
        }
    }
}

/// Calls on a process outside, and the same on one's own.
fn neighbours(pid: &str) {
    let outside: libc::pid_t = pid.parse().unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    unsafe {
        libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit);
        libc::sched_getaffinity(0, size_of_val(&set), &raw mut set);
    }
    for (who, pid) in [("outside", outside), ("own", unsafe { libc::getpid() })] {
        let tell = |name: &str, result: libc::c_long| tell(&format!("{who} {name}"), result);
        unsafe {
            tell("prlimit64", libc::prlimit(pid, libc::RLIMIT_CORE, &raw const limit, std::ptr::null_mut()).into());
            tell("setpriority", libc::setpriority(libc::PRIO_PROCESS, pid as u32, 0).into());
            tell("ioprio_set", libc::syscall(libc::SYS_ioprio_set, 1, pid, 0x6000));
            tell("sched_setaffinity", libc::sched_setaffinity(pid, size_of_val(&set), &raw const set).into());
            tell("sched_setscheduler", libc::sched_setscheduler(pid, 0, &raw const parameters).into());
            tell("sched_setparam", libc::sched_setparam(pid, &raw const parameters).into());
            tell("fcntl", libc::fcntl(file.as_raw_fd(), libc::F_SETOWN, pid).into());
        }
    }
    unsafe {
        tell("outside group fcntl", libc::fcntl(file.as_raw_fd(), libc::F_SETOWN, -outside).into());
        tell("outside user", libc::setpriority(libc::PRIO_USER, libc::getuid() + 1, 0).into());
        tell("outside lease", libc::fcntl(file.as_raw_fd(), 1024, 0).into());
        let mut number = outside;
        tell("outside ioctl", libc::ioctl(file.as_raw_fd(), 0x8901, &raw mut number).into());
    }
}

/// A program that has no name: in memory only, and a deleted file.
fn unnamed_program() {
    let code = std::fs::read("/bin/true").unwrap();
    let empty = [std::ptr::null::<libc::c_char>()];
    let memory = unsafe { libc::memfd_create(c"program".as_ptr(), 0) };
    let deleted = unsafe { libc::open(c"/tmp".as_ptr(), libc::O_TMPFILE | libc::O_RDWR, 0o700) };
    for (name, fd) in [("in memory", memory), ("deleted", deleted)] {
        assert!(fd >= 0, "{name}");
        assert_eq!(unsafe { libc::write(fd, code.as_ptr().cast(), code.len()) }, code.len() as isize);
        let path = c(&format!("/proc/self/fd/{fd}"));
        unsafe {
            tell(
                &format!("{name} by descriptor"),
                libc::syscall(
                    libc::SYS_execveat,
                    fd,
                    c"".as_ptr(),
                    empty.as_ptr(),
                    empty.as_ptr(),
                    libc::AT_EMPTY_PATH,
                ),
            );
            tell(&format!("{name} by path"), libc::execve(path.as_ptr(), empty.as_ptr(), empty.as_ptr()).into());
        }
    }
}

/// What another process holds: a pipe, a folder.
fn others(words: &str) {
    let (pid, pipe) = words.split_once(' ').unwrap();
    tell("pipe", open(&format!("/proc/{pid}/fd/{pipe}")));
    tell("root", open(&format!("/proc/{pid}/root/etc/hosts")));
    tell("memory", open(&format!("/proc/{pid}/mem")));
    tell("environment", open(&format!("/proc/{pid}/environ")));
}

/// Ways to a file by descriptors, flags and calls that take no name.
fn descriptor_tricks(secret: &str) {
    let (folder, name) = secret.rsplit_once('/').unwrap();
    let (path, name) = (c(secret), c(name));
    let at = c(folder);
    unsafe {
        let dir = libc::open(at.as_ptr(), libc::O_PATH | libc::O_DIRECTORY);
        let handle = libc::openat(dir, name.as_ptr(), libc::O_PATH);
        assert!(dir >= 0 && handle >= 0);
        let own = c(&format!("/proc/self/fd/{handle}"));
        let second = c(&format!("{folder}/second"));
        tell("handle read", libc::open(own.as_ptr(), libc::O_RDONLY).into());
        tell("handle written", libc::open(own.as_ptr(), libc::O_WRONLY | libc::O_TRUNC).into());
        tell("handle truncated", libc::truncate(own.as_ptr(), 0).into());
        tell("handle linked", libc::linkat(handle, c"".as_ptr(), dir, c"second".as_ptr(), libc::AT_EMPTY_PATH).into());
        tell(
            "handle followed",
            libc::linkat(libc::AT_FDCWD, own.as_ptr(), libc::AT_FDCWD, second.as_ptr(), libc::AT_SYMLINK_FOLLOW).into(),
        );
        tell("handle mode", libc::syscall(452, handle, c"".as_ptr(), 0o600, libc::AT_EMPTY_PATH));
        tell(
            "handle owner",
            libc::fchownat(handle, c"".as_ptr(), libc::getuid(), libc::getgid(), libc::AT_EMPTY_PATH).into(),
        );
        let exchange = |old: &CString, new: &CString| {
            libc::syscall(libc::SYS_renameat2, libc::AT_FDCWD, old.as_ptr(), libc::AT_FDCWD, new.as_ptr(), 2)
        };
        let open = c(&format!("{folder}/open"));
        tell("exchanged", exchange(&path, &open));
        tell("exchanged the other way", exchange(&open, &path));
        tell("renamed over", libc::rename(open.as_ptr(), path.as_ptr()).into());
        let mut attribute = [0u8; 8];
        let value = attribute.as_mut_ptr().cast();
        tell("attribute set", libc::setxattr(path.as_ptr(), c"user.x".as_ptr(), value, 1, 0).into());
        tell("times", libc::utimensat(dir, name.as_ptr(), std::ptr::null(), 0).into());
        tell("emptied", libc::truncate(path.as_ptr(), 0).into());
        tell("removed", libc::unlinkat(dir, name.as_ptr(), 0).into());
        // Changes of the folder do not change what it is called.
        assert_eq!(libc::fchdir(dir), 0);
        tell("from there", libc::open(name.as_ptr(), libc::O_RDONLY).into());
    }
}

/// Opens a name that alternates between an open and a secret file, and a path in memory that does.
fn race(folder: &str) {
    const ROUNDS: usize = 3000;
    std::env::set_current_dir(folder).unwrap();
    let over = &AtomicBool::new(false);
    let mut path = *b"open\0\0\0";
    let address = path.as_mut_ptr() as usize;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for target in ["open", "secret"] {
                    std::os::unix::fs::symlink(target, "next").unwrap();
                    std::fs::rename("next", "swapped").unwrap();
                }
            }
        });
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for text in [b"secret\0", b"open\0\0\0"] {
                    unsafe { (address as *mut [u8; 7]).write_volatile(*text) };
                }
            }
        });
        let (mut leaked, mut read) = (0, 0);
        for round in 0..ROUNDS {
            let name = if round % 2 == 0 { c"swapped".as_ptr() } else { address as *const libc::c_char };
            let opened = unsafe { libc::open(name, libc::O_RDONLY) };
            if opened >= 0 {
                let mut bytes = [0u8; 16];
                let length = unsafe { libc::read(opened, bytes.as_mut_ptr().cast(), bytes.len()) };
                unsafe { libc::close(opened) };
                read += usize::from(bytes.starts_with(b"open"));
                leaked += usize::from(length > 0 && bytes.starts_with(b"secret"));
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(read > 0, "the open file was never read");
        tell_io("race", if leaked == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(leaked as i32)) });
    });
}

/// Executes a name that alternates between two programs.
fn race_exec(folder: &str) {
    std::env::set_current_dir(folder).unwrap();
    let over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for target in ["/usr/bin/true", "./forbidden"] {
                    std::os::unix::fs::symlink(target, "next").unwrap();
                    std::fs::rename("next", "program").unwrap();
                }
            }
        });
        let mut forbidden = 0;
        for _ in 0..200 {
            // The forbidden one says so; whoever is found out to be it is killed before.
            let output = std::process::Command::new("./program").output();
            forbidden += i32::from(output.is_ok_and(|output| !output.stdout.is_empty()));
        }
        over.store(true, Ordering::Relaxed);
        tell_io("race", if forbidden == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(forbidden)) });
    });
}

fn look(path: &str) -> std::io::Result<u64> {
    let mut stat = unsafe { std::mem::zeroed::<libc::stat>() };
    match unsafe { libc::stat(c(path).as_ptr(), &raw mut stat) } {
        0 => Ok(stat.st_ino),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Looks at files in a folder that comes, goes and is replaced.
fn look_again(folder: &str) {
    std::env::set_current_dir(folder).unwrap();
    let number =
        |result: std::io::Result<u64>| result.unwrap_or_else(|error| -(error.raw_os_error().unwrap() as i64) as u64);
    let gone = -i64::from(libc::ENOENT) as u64;
    std::fs::create_dir_all("a/b").unwrap();
    std::fs::write("a/b/f", "").unwrap();
    let path = format!("{folder}/a/b/f");
    let file = number(look(&path));
    let mut found = vec![look(&path).is_ok_and(|again| again == file), look(&path).is_ok_and(|again| again == file)];
    // The folder itself, and one above it.
    std::fs::rename("a/b", "a/c").unwrap();
    found.push(number(look(&path)) == gone);
    std::fs::create_dir("a/b").unwrap();
    found.push(number(look(&path)) == gone);
    std::fs::write("a/b/f", "").unwrap();
    let other = number(look(&path));
    found.push(other != file && number(look(&path)) == other && number(look(&path)) == other);
    std::fs::rename("a", "d").unwrap();
    found.push(number(look(&path)) == gone);
    std::os::unix::fs::symlink("d", "a").unwrap();
    found.push(number(look(&path)) == other);
    std::fs::remove_file("a").unwrap();
    std::fs::rename("d", "a").unwrap();
    found.push(number(look(&path)) == other && std::fs::metadata(&path).is_ok() && std::fs::read(&path).is_ok());
    std::fs::remove_dir_all("a").unwrap();
    found.push(number(look(&path)) == gone && std::fs::metadata(&path).is_err() && std::fs::read(&path).is_err());
    for (step, right) in found.into_iter().enumerate() {
        tell_io(&format!("step {step}"), if right { Ok(()) } else { Err(std::io::Error::from_raw_os_error(1)) });
    }
}

/// Looks at a file in a folder that alternates between an open one and a link to a secret one.
fn race_folder(folder: &str) {
    std::env::set_current_dir(folder).unwrap();
    std::fs::create_dir("plain").unwrap();
    std::fs::write("plain/f", "").unwrap();
    std::os::unix::fs::symlink("hidden", "link").unwrap();
    let over = &AtomicBool::new(false);
    let (path, secret) = (format!("{folder}/swapped/f"), std::fs::read_to_string("number").unwrap());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for target in ["plain", "link"] {
                    std::fs::rename(target, "swapped").unwrap();
                    std::fs::rename("swapped", target).unwrap();
                }
            }
        });
        let (mut leaked, mut seen) = (0, 0);
        for round in 0..6000 {
            let found = match round % 3 {
                0 => look(&path),
                1 => std::fs::metadata(&path).map(|found| std::os::unix::fs::MetadataExt::ino(&found)),
                _ => std::fs::File::open(&path).and_then(|file| {
                    let mut stat = unsafe { std::mem::zeroed::<libc::stat>() };
                    match unsafe { libc::fstat(file.as_raw_fd(), &raw mut stat) } {
                        0 => Ok(stat.st_ino),
                        _ => Err(std::io::Error::last_os_error()),
                    }
                }),
            };
            seen += i32::from(found.is_ok());
            leaked += i32::from(found.is_ok_and(|found| found.to_string() == secret));
        }
        over.store(true, Ordering::Relaxed);
        assert!(seen > 0, "the file was never seen");
        tell_io("race", if leaked == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(leaked)) });
    });
}

fn xattr(path: &str) {
    let (path, name) = (c(path), c"user.sbpl");
    let mut bytes = [0u8; 8];
    let place = bytes.as_mut_ptr().cast();
    tell("set", unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), c"v".as_ptr().cast(), 1, 0) }.into());
    tell("get", unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), place, 8) } as libc::c_long);
    tell("list", unsafe { libc::listxattr(path.as_ptr(), bytes.as_mut_ptr().cast(), 0) } as libc::c_long);
    tell("remove", unsafe { libc::removexattr(path.as_ptr(), name.as_ptr()) }.into());
}

/// The same through a descriptor.
fn descriptor(path: &str) {
    let file = std::fs::File::open(path).unwrap();
    let fd = file.as_raw_fd();
    tell("fchmod", unsafe { libc::fchmod(fd, 0o600) }.into());
    tell("fchown", unsafe { libc::fchown(fd, libc::getuid(), libc::getgid()) }.into());
    tell("futimens", unsafe { libc::futimens(fd, std::ptr::null()) }.into());
    tell("fsetxattr", unsafe { libc::fsetxattr(fd, c"user.x".as_ptr(), c"v".as_ptr().cast(), 1, 0) }.into());
}

fn network(path: &str) {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    let listener = TcpListener::bind("127.0.0.1:0");
    let port = listener.as_ref().map_or(1, |listener| listener.local_addr().unwrap().port());
    tell_io(
        "bind",
        listener.as_ref().map_err(|error| std::io::Error::from_raw_os_error(error.raw_os_error().unwrap())),
    );
    let connected = TcpStream::connect(("127.0.0.1", port));
    let answered = connected.is_ok();
    tell_io("connect", connected);
    if let Some(listener) = listener.as_ref().ok().filter(|_| answered) {
        tell_io("accept", listener.accept());
    }
    let udp = UdpSocket::bind("127.0.0.1:0");
    if let Ok(udp) = &udp {
        tell_io("send to", udp.send_to(b"x", udp.local_addr().unwrap()));
    }
    let stream = UnixListener::bind(path);
    tell_io(
        "unix bind",
        stream.as_ref().map_err(|error| std::io::Error::from_raw_os_error(error.raw_os_error().unwrap())),
    );
    tell_io("unix connect", UnixStream::connect(path));
    let datagram = UnixDatagram::bind(format!("{path}.d"));
    if let Ok(datagram) = datagram {
        let sender = UnixDatagram::unbound().unwrap();
        let sent = sender.send_to(b"hello", format!("{path}.d"));
        if sent.is_ok() {
            let mut bytes = [0; 8];
            assert_eq!(datagram.recv(&mut bytes).unwrap(), 5);
        }
        tell_io("unix send to", sent);
    }
    let route = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    tell("netlink", route.into());
    let mut pair = [0; 2];
    tell("socketpair", unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) }.into());
}

fn signals(_: &str) {
    tell("own", unsafe { libc::kill(libc::getpid(), 0) }.into());
    tell("parent of the run", unsafe { libc::kill(libc::getppid(), 0) }.into());
    tell("init", unsafe { libc::kill(1, 0) }.into());
    let mut child = std::process::Command::new("/bin/sleep").arg("1").spawn().unwrap();
    tell("child", unsafe { libc::kill(child.id() as i32, libc::SIGKILL) }.into());
    child.wait().unwrap();
}

fn code(path: &str) {
    let file = std::fs::File::open(path).unwrap();
    let map = |protection| unsafe {
        libc::mmap(std::ptr::null_mut(), 4096, protection, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
    };
    tell("data", if map(libc::PROT_READ) == libc::MAP_FAILED { -1 } else { 0 });
    tell("code", if map(libc::PROT_READ | libc::PROT_EXEC) == libc::MAP_FAILED { -1 } else { 0 });
    let data = map(libc::PROT_READ);
    tell("code afterwards", unsafe { libc::mprotect(data, 4096, libc::PROT_READ | libc::PROT_EXEC) }.into());
}

/// Supervises a command itself, and waits to be killed.
fn supervise(number: &str) {
    let mut command = Command::new("/bin/sh");
    command.args = vec!["-c".into(), format!("(setsid sleep {number} &); exec sleep {number}").into()];
    command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let ended = Supervisor::new(judge("(allow default)"), Mapping::host()).run(&command, &mut |_| {});
    panic!("{ended:?}");
}

#[test]
#[ignore = "started by the other tests, as a process of its own"]
fn entry() {
    let argument = std::env::var(ARGUMENT).unwrap_or_default();
    match std::env::var(ACTION).unwrap_or_default().as_str() {
        "read by all names" => read_by_all_names(&argument),
        "outright" => outright(),
        "race" => race(&argument),
        "race exec" => race_exec(&argument),
        "look again" => look_again(&argument),
        "race folder" => race_folder(&argument),
        "xattr" => xattr(&argument),
        "descriptor" => descriptor(&argument),
        "network" => network(&argument),
        "signals" => signals(&argument),
        "code" => code(&argument),
        "supervise" => supervise(&argument),
        "table" => table(),
        "bomb" => bomb(),
        "model names" => model_names(&argument),
        "neighbours" => neighbours(&argument),
        "unnamed program" => unnamed_program(),
        "others" => others(&argument),
        "descriptor tricks" => descriptor_tricks(&argument),
        "handed" => handed::inside(&argument),
        // By hand, with all ignored tests: there is nothing to do.
        _ => {}
    }
}

/// The command line of a child that acts on its own.
pub fn on_its_own(action: &str, argument: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "supervised::child::entry", "--ignored", "--nocapture"]);
    command.env(ACTION, action).env(ARGUMENT, argument);
    command
}
