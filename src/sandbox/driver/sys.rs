//! The system calls that the standard library does not offer, one safe function each.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::super::seatbelt::{Spelling, System};
use super::super::transcript::FdPath;

/// How long a child waits for a signal and its parent for the child, in seconds.
const PATIENCE: u32 = 1;

fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The path of an open file in one spelling, as the system has it now: macOS by its table, Linux by its own table of
/// descriptors, which knows one spelling.
pub(super) fn fd_path(system: Option<&System>, file: &File, spelling: Spelling) -> FdPath {
    match (system, spelling) {
        (Some(system), _) => match system.path_of(file.as_fd(), spelling) {
            Ok(Ok(path)) => FdPath::Known(path),
            Ok(Err(number)) => FdPath::Failed(number),
            Err(_) => FdPath::Unavailable,
        },
        (None, Spelling::Plain) => match std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
            Ok(path) => FdPath::Known(path.to_string_lossy().into_owned()),
            Err(error) => FdPath::Failed(error.raw_os_error().unwrap_or(0)),
        },
        (None, Spelling::NoFirmlink) => FdPath::Unavailable,
    }
}

/// Opens a folder for reading.
pub(super) fn open_folder(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)
}

/// `openat`.
pub(super) fn open_at(folder: &File, leaf: &OsStr, flags: i32) -> io::Result<File> {
    let leaf = c_string(leaf.as_bytes())?;
    let mode: libc::c_uint = 0o644;
    // SAFETY: the name ends with NUL and lives through the call; the folder's descriptor is open.
    let fd = unsafe { libc::openat(folder.as_raw_fd(), leaf.as_ptr(), flags | libc::O_CLOEXEC, mode) };
    check(fd)?;
    // SAFETY: the descriptor is new and nobody else has it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// `access(F_OK)`.
pub(super) fn exists(path: &str) -> io::Result<()> {
    let path = c_string(path.as_bytes())?;
    // SAFETY: the path ends with NUL and lives through the call.
    check(unsafe { libc::access(path.as_ptr(), libc::F_OK) })
}

/// The first bytes of an extended attribute.
pub(super) fn get_attribute(path: &str, name: &str) -> io::Result<Vec<u8>> {
    let (path, name) = (c_string(path.as_bytes())?, c_string(name.as_bytes())?);
    let mut buffer = vec![0u8; 256];
    let (place, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    #[cfg(target_os = "macos")]
    // SAFETY: both strings end with NUL; the buffer is `length` bytes long.
    let read = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), place, length, 0, 0) };
    #[cfg(not(target_os = "macos"))]
    // SAFETY: both strings end with NUL; the buffer is `length` bytes long.
    let read = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), place, length) };
    buffer.truncate(usize::try_from(read).map_err(|_| io::Error::last_os_error())?);
    Ok(buffer)
}

/// Sets an extended attribute.
pub(super) fn set_attribute(path: &str, name: &str, value: &[u8]) -> io::Result<()> {
    let (path, name) = (c_string(path.as_bytes())?, c_string(name.as_bytes())?);
    let (place, length) = (value.as_ptr().cast(), value.len());
    #[cfg(target_os = "macos")]
    // SAFETY: both strings end with NUL; the value is `length` bytes long.
    let result = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), place, length, 0, 0) };
    #[cfg(not(target_os = "macos"))]
    // SAFETY: both strings end with NUL; the value is `length` bytes long.
    let result = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), place, length, 0) };
    check(result)
}

fn times(seconds: i64) -> [libc::timespec; 2] {
    // SAFETY: a timespec is integers; all zero is a value of it.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    time.tv_sec = seconds;
    [time; 2]
}

/// Sets both times of a file, or of the link that `path` names.
pub(super) fn set_times(path: &str, seconds: i64, follow: bool) -> io::Result<()> {
    let path = c_string(path.as_bytes())?;
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    // SAFETY: the path ends with NUL; the times are two.
    check(unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times(seconds).as_ptr(), flags) })
}

/// Sets both times of an open file.
pub(super) fn set_times_of(file: &File, seconds: i64) -> io::Result<()> {
    // SAFETY: the descriptor is open; the times are two.
    check(unsafe { libc::futimens(file.as_raw_fd(), times(seconds).as_ptr()) })
}

/// Effective user and group.
pub(super) fn own_ids() -> (u32, u32) {
    // SAFETY: these calls take nothing and cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// `fchownat` with an absolute path.
pub(super) fn change_owner_at(path: &str, user: u32, group: u32) -> io::Result<()> {
    let path = c_string(path.as_bytes())?;
    // SAFETY: the path ends with NUL and lives through the call.
    check(unsafe { libc::fchownat(libc::AT_FDCWD, path.as_ptr(), user, group, 0) })
}

/// `getattrlist` and `setattrlist`, with the file's flags as the one attribute.
#[cfg(target_os = "macos")]
pub(super) fn attribute_list(name: &str, path: &str) -> Option<io::Result<()>> {
    let path = match c_string(path.as_bytes()) {
        Ok(path) => path,
        Err(error) => return Some(Err(error)),
    };
    // SAFETY: an attribute list is integers; all zero is a value of it.
    let mut list: libc::attrlist = unsafe { std::mem::zeroed() };
    list.bitmapcount = libc::ATTR_BIT_MAP_COUNT;
    list.commonattr = libc::ATTR_CMN_FLAGS;
    let list: *mut libc::c_void = std::ptr::from_mut(&mut list).cast();
    // Length and flags of an answer.
    let mut answer = [0u32; 2];
    let place = answer.as_mut_ptr().cast();
    // SAFETY: the path ends with NUL; list and answer live through the call, and the answer is as long as is said.
    let read = check(unsafe { libc::getattrlist(path.as_ptr(), list, place, size_of_val(&answer), 0) });
    match name {
        "getattrlist" => Some(read),
        "setattrlist" => Some(read.and_then(|()| {
            let flags = std::ptr::from_mut(&mut answer[1]).cast();
            // SAFETY: as above; what is written are the flags that were read.
            check(unsafe { libc::setattrlist(path.as_ptr(), list, flags, 4, 0) })
        })),
        _ => None,
    }
}

/// Calls of macOS only.
#[cfg(not(target_os = "macos"))]
pub(super) fn attribute_list(_name: &str, _path: &str) -> Option<io::Result<()>> {
    None
}

/// Makes a child that does nothing, and gives its exit status; negative for a signal.
pub(super) fn fork_and_wait() -> io::Result<i32> {
    // SAFETY: the child calls nothing but `_exit`.
    let child = unsafe { libc::fork() };
    check(child)?;
    if child == 0 {
        // SAFETY: ends this process.
        unsafe { libc::_exit(0) };
    }
    wait(child)
}

fn wait(child: libc::pid_t) -> io::Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: the status lives through the call.
        match check(unsafe { libc::waitpid(child, &mut status, 0) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => {
                outcome?;
                return Ok(match libc::WIFEXITED(status) {
                    true => libc::WEXITSTATUS(status),
                    false => -libc::WTERMSIG(status),
                });
            }
        }
    }
}

/// What a child saw of a signal.
#[derive(Debug)]
pub(super) struct Signalled {
    /// Its process id.
    pub(super) child: i32,
    /// It said that it waits.
    pub(super) ready: bool,
    /// Why the signal could not be sent.
    pub(super) errno: Option<i32>,
    /// It got the signal.
    pub(super) received: bool,
    /// How it ended.
    pub(super) exit_code: i32,
}

/// Makes a child that waits for SIGUSR1, waits until it is ready, sends the signal, and sees how the child ends.
pub(super) fn signal_child() -> io::Result<Signalled> {
    let (mut ours, theirs) = io::pipe()?;
    // SAFETY: a signal set is integers, and `sigemptyset` makes it one.
    let (mut awaited, mut before): (libc::sigset_t, libc::sigset_t) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    // SAFETY: the sets live through the calls. Both signals are blocked before the fork, so none is lost.
    unsafe {
        libc::sigemptyset(&mut awaited);
        libc::sigaddset(&mut awaited, libc::SIGUSR1);
        libc::sigaddset(&mut awaited, libc::SIGALRM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &awaited, &mut before);
    }
    // SAFETY: the child calls only functions that may be called after a fork.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above; the byte and the set live through the calls.
        unsafe {
            libc::alarm(PATIENCE);
            libc::write(theirs.as_raw_fd(), b"r".as_ptr().cast(), 1);
            let mut got = 0;
            libc::sigwait(&awaited, &mut got);
            libc::_exit(if got == libc::SIGUSR1 { 0 } else { 1 });
        }
    }
    let forked = check(child);
    drop(theirs);
    let outcome = forked.and_then(|()| {
        let ready = io::Read::read(&mut ours, &mut [0]).is_ok_and(|length| length == 1);
        // SAFETY: the child is ours and was not waited for, so the number is still its own.
        let sent = check(unsafe { libc::kill(child, libc::SIGUSR1) });
        let exit_code = wait(child)?;
        let errno = sent.err().and_then(|error| error.raw_os_error());
        Ok(Signalled { child, ready, errno, received: exit_code == 0, exit_code })
    });
    // SAFETY: the set is the one that was in force.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    outcome
}
