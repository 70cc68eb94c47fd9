//! Starting a command under a filter.
//!
//! ```text
//! supervisor --fork--> keeper --fork--> target --execve--> program
//! ```
//!
//! The *keeper* adopts every process that its parent leaves behind (subreaper), reports how the target ended, and kills all that
//! is left when its lifeline closes: when the run is over, or when the supervisor has died, however that happened. It is in a
//! session of its own, where no signal to a group of the command's reaches it. The *target*
//! puts itself under the filter, tells the number of the listener, waits until the supervisor has taken it, and executes the
//! program.
//!
//! A shell sees the supervisor and not the command. So at a terminal the keeper stops the supervisor when the target has stopped,
//! and lets it go on when the target goes on; the supervisor passes on that it goes on ([`super::signals`]).
//!
//! The standard library's way to start programs cannot be used: it waits for `execve`, which waits for the supervisor.
//!
//! **Invariants:** between `fork` and `execve` nothing allocates, locks or unwinds: the caller may have other threads. All that
//! is needed is made before.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

use super::sys::{self, Errno, Sys};
use crate::sandbox::supervised::bpf::{self, Instruction};
use crate::sandbox::supervised::table::Machine;
use crate::sandbox::supervised::{Command, Stdio, SuperviseError, Unavailable};

/// What keeper and target tell the supervisor: a tag and two numbers.
const RECORD: usize = 12;
const TARGET: i32 = 1;
const LISTENER: i32 = 2;
const NOT_EXECUTED: i32 = 3;
const ENDED: i32 = 4;
const FAILED: i32 = 5;
const KEEPS: i32 = 6;

/// Steps of the target that can fail.
const STEPS: [&str; 4] = ["seccomp", "chdir", "prctl", "dup2"];
const SECCOMP: i32 = 0;
const CHDIR: i32 = 1;
const PRCTL: i32 = 2;
const DUP: i32 = 3;

/// A word that the supervisor must be able to read in the target's memory.
static READABLE: u64 = 0x7362_706c_7362_706c;

/// Everything the children need, made before they are.
struct Prepared {
    candidates: Vec<CString>,
    /// Ends with null, as do the variables; both point into the strings beside them.
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    _strings: (Vec<CString>, Vec<CString>),
    cwd: Option<CString>,
    filter: Vec<Instruction>,
    stdio: Option<[RawFd; 3]>,
}

/// The ends of pipes as the children see them.
struct Ends {
    reports: RawFd,
    lifeline: RawFd,
    go: RawFd,
    not_theirs: [RawFd; 2],
}

/// What the target came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// `execve` failed with this number.
    NotExecuted(i32),
    /// Exited with a status.
    Exited(i32),
    /// Killed by a signal.
    Signaled(i32),
}

/// A target that waits to execute its program.
#[derive(Debug)]
pub(super) struct Started {
    /// Until it is taken.
    pub(super) listener: Option<OwnedFd>,
    pub(super) keeper: i32,
    /// The process that becomes the command.
    pub(super) target: i32,
    /// Where reports come from; at its end the keeper is gone.
    pub(super) reports: OwnedFd,
    /// Output and complaints, when they are captured.
    pub(super) output: Option<[OwnedFd; 2]>,
    lifeline: Option<OwnedFd>,
    go: OwnedFd,
}

impl Started {
    /// Lets the target execute its program.
    pub(super) fn go(&self) -> Sys<()> {
        sys::write(&self.go, &[1]).map(drop)
    }

    /// Makes the keeper kill everything that is left.
    pub(super) fn end(&mut self) {
        self.lifeline = None;
    }

    /// The next report; `None` at the end.
    pub(super) fn report(&self) -> Sys<Option<Report>> {
        Ok(match record(&self.reports)? {
            Some((NOT_EXECUTED, errno, _)) => Some(Report::NotExecuted(errno)),
            Some((ENDED, libc::CLD_EXITED, status)) => Some(Report::Exited(status)),
            Some((ENDED, _, signal)) => Some(Report::Signaled(signal)),
            _ => None,
        })
    }
}

impl Drop for Started {
    /// However a run ends, the keeper ends with it.
    fn drop(&mut self) {
        self.end();
        sys::wait_for(self.keeper);
    }
}

fn record(from: &OwnedFd) -> Sys<Option<(i32, i32, i32)>> {
    let mut bytes = [0u8; RECORD];
    loop {
        // Records are shorter than what a pipe writes in one piece.
        return match sys::read(from, &mut bytes) {
            Err(Errno(libc::EINTR)) => continue,
            Err(error) => Err(error),
            Ok(RECORD) => {
                let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = bytes;
                let number = i32::from_ne_bytes;
                Ok(Some((number([a0, a1, a2, a3]), number([b0, b1, b2, b3]), number([c0, c1, c2, c3]))))
            }
            Ok(_) => Ok(None),
        };
    }
}

fn nul<T>(result: Result<T, std::ffi::NulError>) -> Result<T, SuperviseError> {
    result.map_err(|_| SuperviseError::Nul)
}

/// The files that `execvp` would try, in order.
fn candidates(command: &Command) -> Result<Vec<CString>, SuperviseError> {
    let program = command.program.as_bytes();
    if program.contains(&b'/') {
        return Ok(vec![nul(CString::new(program))?]);
    }
    let path = command.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_bytes());
    let folders = path.unwrap_or(b"/bin:/usr/bin").split(|byte| *byte == b':');
    let full = folders.map(|folder| match folder {
        b"" => program.to_vec(),
        folder => [folder, b"/", program].concat(),
    });
    full.map(|path| nul(CString::new(path))).collect()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

fn prepare(command: &Command, machine: Machine) -> Result<Prepared, SuperviseError> {
    let args = [&command.program].into_iter().chain(&command.args).map(|arg| nul(CString::new(arg.as_bytes())));
    let args: Vec<CString> = args.collect::<Result<_, _>>()?;
    let vars = command
        .env
        .iter()
        .map(|(name, value)| nul(CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())))
        .collect::<Result<Vec<_>, _>>()?;
    let cwd = command.cwd.as_ref().map(|folder| nul(CString::new(folder.as_os_str().as_bytes()))).transpose()?;
    Ok(Prepared {
        candidates: candidates(command)?,
        argv: pointers(&args),
        envp: pointers(&vars),
        _strings: (args, vars),
        cwd,
        filter: bpf::program(machine),
        stdio: None,
    })
}

fn failed(call: &'static str) -> impl Fn(Errno) -> SuperviseError {
    move |Errno(errno)| SuperviseError::System { call, errno }
}

/// One start at a time. A forked target holds the ends of every pipe that is open then until it executes its program; two
/// that hold each other's lifeline would never end.
static STARTING: Mutex<()> = Mutex::new(());

/// Starts keeper and target; the target waits for [`Started::go`].
pub(super) fn start(command: &Command, machine: Machine) -> Result<Started, SuperviseError> {
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut prepared = prepare(command, machine)?;
    let pipe = || sys::pipe().map_err(failed("pipe2"));
    let (reports, report_end) = pipe()?;
    let (lifeline_end, lifeline) = pipe()?;
    let (go_end, go) = pipe()?;
    let mut output = None;
    let mut children = None;
    if let Stdio::Capture { .. } = command.stdio {
        let null = sys::openat(sys::ROOT, c"/dev/null", libc::O_RDONLY, 0).map_err(failed("open /dev/null"))?;
        let ((out, out_end), (err, err_end)) = (pipe()?, pipe()?);
        prepared.stdio = Some([null.as_raw_fd(), out_end.as_raw_fd(), err_end.as_raw_fd()]);
        output = Some([out, err]);
        children = Some([null, out_end, err_end]);
    }
    let ends = Ends {
        reports: report_end.as_raw_fd(),
        lifeline: lifeline_end.as_raw_fd(),
        go: go_end.as_raw_fd(),
        // In the children these would keep their own other ends waiting.
        not_theirs: [lifeline.as_raw_fd(), go.as_raw_fd()],
    };
    // SAFETY: the child runs `keeper`, which keeps to what a forked child may do and never returns.
    let keeper = unsafe {
        match libc::fork() {
            0 => keeper(&prepared, &ends),
            pid => pid,
        }
    };
    if keeper < 0 {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EAGAIN);
        return Err(SuperviseError::System { call: "fork", errno });
    }
    drop((report_end, lifeline_end, go_end, children));
    // From here on the guard ends the keeper on every way out.
    let guard = Guard { keeper, lifeline: Some(lifeline) };
    let (target, listener) = handshake(&reports)?;
    let pidfd = sys::pidfd(target, || Ok(target)).map_err(forbidden("pidfd_open"))?;
    let listener = sys::take_fd(&pidfd, listener).map_err(forbidden("pidfd_getfd"))?;
    let mut word = [0; 8];
    let address = (&raw const READABLE) as u64;
    sys::read_memory(target, &mut word, [(address, 8), (address, 0)]).map_err(forbidden("process_vm_readv"))?;
    Ok(guard.into_started(target as i32, listener, reports, output, go))
}

fn forbidden(call: &'static str) -> impl Fn(Errno) -> SuperviseError {
    move |Errno(errno)| match errno {
        libc::ENOSYS => Unavailable::Kernel.into(),
        errno => Unavailable::Forbidden { call, errno }.into(),
    }
}

/// Ends the keeper unless the start succeeds.
struct Guard {
    keeper: i32,
    lifeline: Option<OwnedFd>,
}

impl Guard {
    fn into_started(
        mut self,
        target: i32,
        listener: OwnedFd,
        reports: OwnedFd,
        output: Option<[OwnedFd; 2]>,
        go: OwnedFd,
    ) -> Started {
        let lifeline = self.lifeline.take();
        let keeper = std::mem::replace(&mut self.keeper, 0);
        Started { listener: Some(listener), keeper, target, reports, output, lifeline, go }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.lifeline = None;
        if self.keeper > 0 {
            sys::wait_for(self.keeper);
        }
    }
}

/// Target and number of its listener.
fn handshake(reports: &OwnedFd) -> Result<(u32, i32), SuperviseError> {
    let (mut target, mut listener, mut keeps) = (0, None, false);
    loop {
        if let Some(listener) = listener.filter(|_| keeps) {
            return Ok((target, listener));
        }
        match record(reports).map_err(failed("read"))? {
            Some((TARGET, pid, _)) => target = pid as u32,
            Some((LISTENER, number, _)) => listener = Some(number),
            Some((KEEPS, ..)) => keeps = true,
            Some((FAILED, SECCOMP, errno)) => {
                return Err(match errno {
                    libc::EBUSY => Unavailable::Nested.into(),
                    libc::EINVAL | libc::ENOSYS => Unavailable::Kernel.into(),
                    errno => Unavailable::Forbidden { call: "seccomp", errno }.into(),
                });
            }
            Some((FAILED, CHDIR, errno)) => return Err(SuperviseError::Folder { errno }),
            Some((FAILED, step, errno)) => {
                let call = STEPS.get(step as usize).copied().unwrap_or("start");
                return Err(SuperviseError::System { call, errno });
            }
            _ => return Err(SuperviseError::System { call: "start", errno: libc::ECHILD }),
        }
    }
}

fn errno() -> i32 {
    // SAFETY: the C library's own place for this thread.
    unsafe { *libc::__errno_location() }
}

/// Writes one record. In a forked child.
fn tell(to: RawFd, tag: i32, a: i32, b: i32) {
    let words = [tag, a, b];
    // SAFETY: three words of four bytes.
    unsafe { libc::write(to, words.as_ptr().cast(), RECORD) };
}

/// Closes every descriptor but `keep`, which is in ascending order. In a forked child.
fn close_all_but(keep: &[RawFd]) {
    let mut from: u32 = 0;
    for fd in keep {
        if *fd as u32 > from {
            // SAFETY: no pointers.
            unsafe { libc::syscall(libc::SYS_close_range, from, *fd as u32 - 1, 0) };
        }
        from = *fd as u32 + 1;
    }
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_close_range, from, u32::MAX, 0) };
}

/// The keeper's life. In a forked child; never returns.
///
/// # Safety
/// Only in a child that was just forked.
unsafe fn keeper(prepared: &Prepared, ends: &Ends) -> ! {
    let Ends { reports, lifeline, go, not_theirs } = *ends;
    // SAFETY: system calls with values and with places on this stack.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_NAME, c"sbpl-keeper".as_ptr());
        let supervisor = libc::getppid();
        let terminal = libc::open(c"/dev/tty".as_ptr(), libc::O_RDONLY | libc::O_NOCTTY | libc::O_CLOEXEC);
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let target = libc::fork();
        if target == 0 {
            libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
            libc::close(lifeline);
            for fd in not_theirs {
                libc::close(fd);
            }
            self::target(prepared, reports, go);
        }
        if target < 0 {
            tell(reports, FAILED, PRCTL, errno());
            libc::_exit(1);
        }
        libc::setsid();
        tell(reports, KEEPS, 0, 0);
        let keep = if reports < lifeline { [reports, lifeline] } else { [lifeline, reports] };
        close_all_but(&keep);
        let mut child: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut child);
        libc::sigaddset(&raw mut child, libc::SIGCHLD);
        let signals = libc::signalfd(-1, &raw const child, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
        let shell_watches = prepared.stdio.is_none() && terminal >= 0;
        keep_watch(target, reports, lifeline, signals, if shell_watches { supervisor } else { 0 })
    }
}

/// Reaps, reports the target, and kills what is left once the lifeline is cut. `follows`, unless 0, is stopped and goes on with the
/// target.
///
/// # Safety
/// Only in the keeper.
unsafe fn keep_watch(target: libc::pid_t, reports: RawFd, lifeline: RawFd, signals: RawFd, follows: libc::pid_t) -> ! {
    let watched = libc::WEXITED | libc::WNOHANG | if follows == 0 { 0 } else { libc::WSTOPPED | libc::WCONTINUED };
    let mut dying = false;
    loop {
        // SAFETY: system calls with values and with places on this stack.
        unsafe {
            loop {
                let mut info: libc::siginfo_t = std::mem::zeroed();
                if libc::waitid(libc::P_ALL, 0, &raw mut info, watched) < 0 {
                    if errno() == libc::ECHILD {
                        libc::_exit(0);
                    }
                    continue;
                }
                let pid = info.si_pid();
                if pid == 0 {
                    break;
                }
                if pid != target {
                    continue;
                }
                match info.si_code {
                    // Not when the supervisor is gone and its number is another's.
                    libc::CLD_STOPPED | libc::CLD_CONTINUED if libc::getppid() != follows => {}
                    libc::CLD_STOPPED => {
                        libc::kill(follows, libc::SIGSTOP);
                    }
                    libc::CLD_CONTINUED => {
                        libc::kill(follows, libc::SIGCONT);
                    }
                    code => tell(reports, ENDED, code, info.si_status()),
                }
            }
            if dying {
                kill_children();
            }
            let mut fds = [
                libc::pollfd { fd: signals, events: libc::POLLIN, revents: 0 },
                libc::pollfd { fd: if dying { -1 } else { lifeline }, events: libc::POLLIN, revents: 0 },
            ];
            libc::poll(fds.as_mut_ptr(), 2, if dying { 10 } else { -1 });
            let mut info = [0u8; 128];
            while libc::read(signals, info.as_mut_ptr().cast(), info.len()) > 0 {}
            dying |= fds[1].revents != 0;
        }
    }
}

/// Kills every child; grandchildren become children then.
///
/// # Safety
/// Only in the keeper.
unsafe fn kill_children() {
    // SAFETY: system calls with values and with places on this stack.
    unsafe {
        let list = libc::open(c"/proc/thread-self/children".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if list < 0 {
            return;
        }
        let mut buffer = [0u8; 4096];
        let mut pid: libc::pid_t = 0;
        loop {
            let read = libc::read(list, buffer.as_mut_ptr().cast(), buffer.len());
            if read <= 0 {
                break;
            }
            for byte in buffer.iter().take(read as usize) {
                if byte.is_ascii_digit() {
                    pid = pid.wrapping_mul(10).wrapping_add(libc::pid_t::from(*byte - b'0'));
                } else if pid > 1 {
                    libc::kill(pid, libc::SIGKILL);
                    pid = 0;
                }
            }
        }
        if pid > 1 {
            libc::kill(pid, libc::SIGKILL);
        }
        libc::close(list);
    }
}

/// The target's life before its program. In a forked child; never returns.
///
/// # Safety
/// Only in a child that was just forked.
unsafe fn target(prepared: &Prepared, reports: RawFd, go: RawFd) -> ! {
    // SAFETY: system calls with values and with places that were made before the fork.
    unsafe {
        let fail = |step: i32| -> ! {
            tell(reports, FAILED, step, errno());
            libc::_exit(127)
        };
        tell(reports, TARGET, libc::getpid(), 0);
        if let Some(stdio) = prepared.stdio {
            libc::setsid();
            for (number, fd) in stdio.iter().enumerate() {
                // The ends are above 2 as long as the caller has its own three.
                if libc::dup2(*fd, number as RawFd) < 0 {
                    fail(DUP);
                }
            }
        }
        if let Some(folder) = &prepared.cwd
            && libc::chdir(folder.as_ptr()) < 0
        {
            fail(CHDIR);
        }
        // Rust programs ignore it; others do not expect that.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 {
            fail(PRCTL);
        }
        let filter = libc::sock_fprog {
            len: prepared.filter.len() as u16,
            // `Instruction` is laid out as `sock_filter`.
            filter: prepared.filter.as_ptr().cast_mut().cast(),
        };
        let listen = |flags: libc::c_ulong| {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter) as i32
        };
        let mut listener =
            listen(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
        if listener < 0 && errno() == libc::EINVAL {
            listener = listen(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
        }
        if listener < 0 {
            fail(SECCOMP);
        }
        tell(reports, LISTENER, listener, 0);
        let mut byte = 0u8;
        if libc::read(go, (&raw mut byte).cast(), 1) != 1 {
            libc::_exit(127);
        }
        libc::close(listener);
        let mut last = libc::ENOENT;
        for program in &prepared.candidates {
            libc::execve(program.as_ptr(), prepared.argv.as_ptr(), prepared.envp.as_ptr());
            match errno() {
                // As execvp: what cannot be found here may be further on.
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => last = libc::EACCES,
                other => {
                    last = other;
                    break;
                }
            }
        }
        tell(reports, NOT_EXECUTED, last, 0);
        libc::_exit(127)
    }
}
