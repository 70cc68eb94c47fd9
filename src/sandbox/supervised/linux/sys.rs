//! System calls, each behind a safe function.
//!
//! **Invariants:** descriptors that come out are owned and close-on-exec; an error is the kernel's number.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// An error number of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Errno(pub(super) i32);

pub(super) type Sys<T> = Result<T, Errno>;

impl Errno {
    pub(super) const PERM: Self = Self(libc::EPERM);
    pub(super) const NOENT: Self = Self(libc::ENOENT);
    pub(super) const FAULT: Self = Self(libc::EFAULT);
    pub(super) const INVAL: Self = Self(libc::EINVAL);
    pub(super) const NOTDIR: Self = Self(libc::ENOTDIR);
    pub(super) const LOOP: Self = Self(libc::ELOOP);

    fn last() -> Self {
        Self(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }
}

/// For calls relative to nothing: the path is absolute.
pub(super) const ROOT: RawFd = libc::AT_FDCWD;

fn check(result: libc::c_long) -> Sys<libc::c_long> {
    if result < 0 { Err(Errno::last()) } else { Ok(result) }
}

fn check_int(result: libc::c_int) -> Sys<libc::c_int> {
    if result < 0 { Err(Errno::last()) } else { Ok(result) }
}

fn owned(result: libc::c_long) -> Sys<OwnedFd> {
    let fd = check(result)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

pub(super) fn c_string(bytes: &[u8]) -> Sys<CString> {
    CString::new(bytes).map_err(|_| Errno::INVAL)
}

/// `/proc/self/fd/N`: the very thing behind a descriptor, as a path.
pub(super) fn magic(fd: &OwnedFd) -> CString {
    // A number holds no NUL.
    CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap_or_default()
}

pub(super) fn openat(dir: RawFd, name: &CStr, flags: i32, mode: u32) -> Sys<OwnedFd> {
    // SAFETY: `name` ends with NUL and lives through the call.
    owned(unsafe { libc::syscall(libc::SYS_openat, dir, name.as_ptr(), flags | libc::O_CLOEXEC, mode) })
}

/// `openat` that meets no link of any kind on the way.
pub(super) fn open_without_links(path: &CStr, flags: i32, mode: u32) -> Sys<OwnedFd> {
    // SAFETY: all-zero is a valid value of this plain struct.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u32 as u64;
    how.mode = if flags & (libc::O_CREAT | libc::O_TMPFILE) != 0 { u64::from(mode) } else { 0 };
    how.resolve = libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;
    let size = size_of::<libc::open_how>();
    // SAFETY: `path` ends with NUL, `how` is of the size given; both live through the call.
    owned(unsafe { libc::syscall(libc::SYS_openat2, ROOT, path.as_ptr(), &raw const how, size) })
}

pub(super) fn stat_fd(fd: &OwnedFd) -> Sys<libc::stat> {
    // SAFETY: all-zero is a valid value of this plain struct.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is writable and of the right type. fstat works on O_PATH descriptors.
    check_int(unsafe { libc::fstat(fd.as_raw_fd(), &raw mut stat) })?;
    Ok(stat)
}

/// What a name in the thread's folder stands for; a link is not followed.
pub(super) fn stat_here(name: &CStr) -> Sys<libc::stat> {
    // SAFETY: all-zero is a valid value of this plain struct.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `name` ends with NUL, `stat` is writable and of the right type.
    check_int(unsafe { libc::fstatat(ROOT, name.as_ptr(), &raw mut stat, libc::AT_SYMLINK_NOFOLLOW) })?;
    Ok(stat)
}

/// What a path leads to; links are followed, those of `/proc` too.
pub(super) fn stat_path(path: &CStr) -> Sys<libc::stat> {
    // SAFETY: all-zero is a valid value of this plain struct.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends with NUL, `stat` is writable and of the right type.
    check_int(unsafe { libc::stat(path.as_ptr(), &raw mut stat) })?;
    Ok(stat)
}

/// The kernel's `struct statx`.
pub(super) type Statx = [u8; 256];

fn statx(dir: RawFd, name: &CStr, flags: i32, mask: u32) -> Sys<Statx> {
    let mut bytes = [0u8; 256];
    // SAFETY: the kernel's struct has 256 bytes; `name` ends with NUL.
    check(unsafe { libc::syscall(libc::SYS_statx, dir, name.as_ptr(), flags, mask, bytes.as_mut_ptr()) })?;
    Ok(bytes)
}

const STATX_SYNC: i32 = libc::AT_STATX_FORCE_SYNC | libc::AT_STATX_DONT_SYNC;

/// `statx` of the thing behind a descriptor.
pub(super) fn statx_fd(fd: &OwnedFd, flags: i32, mask: u32) -> Sys<Statx> {
    statx(fd.as_raw_fd(), c"", (flags & STATX_SYNC) | libc::AT_EMPTY_PATH, mask)
}

/// `statx` of a name in the thread's folder; a link is not followed.
pub(super) fn statx_here(name: &CStr, flags: i32, mask: u32) -> Sys<Statx> {
    let mask = mask | libc::STATX_BASIC_STATS;
    statx(ROOT, name, (flags & STATX_SYNC) | libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT, mask)
}

/// Device, number and mode of the file that `found` describes.
pub(super) fn identity_in(found: &Statx) -> (u64, u64, u32) {
    let word = |at: usize| found.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes);
    let number = found.get(0x20..0x28).and_then(|word| word.try_into().ok()).map_or(0, u64::from_ne_bytes);
    (libc::makedev(word(0x88), word(0x8c)), number, word(0x1c) & 0xffff)
}

/// `fstatfs`, as the bytes of the kernel's struct.
pub(super) fn statfs_fd(fd: &OwnedFd) -> Sys<[u8; size_of::<libc::statfs>()]> {
    let mut bytes = [0u8; size_of::<libc::statfs>()];
    // SAFETY: the buffer has the size of the struct.
    check(unsafe { libc::syscall(libc::SYS_fstatfs, fd.as_raw_fd(), bytes.as_mut_ptr()) })?;
    Ok(bytes)
}

pub(super) fn readlink_at(dir: RawFd, name: &CStr) -> Sys<Vec<u8>> {
    let mut bytes = vec![0u8; 4096];
    // SAFETY: the buffer is writable for the length given.
    let length =
        check(unsafe { libc::syscall(libc::SYS_readlinkat, dir, name.as_ptr(), bytes.as_mut_ptr(), bytes.len()) })?;
    bytes.truncate(length as usize);
    Ok(bytes)
}

/// What a link holds, or the host's path of what a `/proc/…/fd` link stands for.
pub(super) fn readlink(path: &CStr) -> Sys<Vec<u8>> {
    readlink_at(ROOT, path)
}

pub(super) fn access_fd(fd: &OwnedFd, mode: i32, flags: i32) -> Sys<()> {
    let flags = (flags & libc::AT_EACCESS) | libc::AT_EMPTY_PATH;
    // SAFETY: the empty path is a literal.
    check(unsafe { libc::syscall(libc::SYS_faccessat2, fd.as_raw_fd(), c"".as_ptr(), mode, flags) }).map(drop)
}

/// The same of a name in the thread's folder; a link is not followed.
pub(super) fn access_here(name: &CStr, mode: i32, flags: i32) -> Sys<()> {
    let flags = (flags & libc::AT_EACCESS) | libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: `name` ends with NUL.
    check(unsafe { libc::syscall(libc::SYS_faccessat2, ROOT, name.as_ptr(), mode, flags) }).map(drop)
}

pub(super) fn unlink_at(dir: &OwnedFd, name: &CStr, flags: i32) -> Sys<()> {
    // SAFETY: `name` ends with NUL.
    check_int(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), flags) }).map(drop)
}

pub(super) fn rename_at(from: (&OwnedFd, &CStr), to: (&OwnedFd, &CStr), flags: u32) -> Sys<()> {
    // SAFETY: both names end with NUL.
    check(unsafe {
        libc::syscall(libc::SYS_renameat2, from.0.as_raw_fd(), from.1.as_ptr(), to.0.as_raw_fd(), to.1.as_ptr(), flags)
    })
    .map(drop)
}

pub(super) fn link_at(from: (RawFd, &CStr), to: (&OwnedFd, &CStr), flags: i32) -> Sys<()> {
    // SAFETY: both names end with NUL.
    check_int(unsafe { libc::linkat(from.0, from.1.as_ptr(), to.0.as_raw_fd(), to.1.as_ptr(), flags) }).map(drop)
}

pub(super) fn symlink_at(text: &CStr, dir: &OwnedFd, name: &CStr) -> Sys<()> {
    // SAFETY: both names end with NUL.
    check_int(unsafe { libc::symlinkat(text.as_ptr(), dir.as_raw_fd(), name.as_ptr()) }).map(drop)
}

pub(super) fn mkdir_at(dir: &OwnedFd, name: &CStr, mode: u32) -> Sys<()> {
    // SAFETY: `name` ends with NUL.
    check_int(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), mode) }).map(drop)
}

pub(super) fn mknod_at(dir: &OwnedFd, name: &CStr, mode: u32, device: u64) -> Sys<()> {
    // SAFETY: `name` ends with NUL.
    check_int(unsafe { libc::mknodat(dir.as_raw_fd(), name.as_ptr(), mode, device) }).map(drop)
}

pub(super) fn chmod_fd(fd: &OwnedFd, mode: u32) -> Sys<()> {
    // SAFETY: the path ends with NUL.
    check_int(unsafe { libc::chmod(magic(fd).as_ptr(), mode) }).map(drop)
}

pub(super) fn chown_fd(fd: &OwnedFd, user: u32, group: u32) -> Sys<()> {
    // SAFETY: the empty path is a literal.
    check_int(unsafe { libc::fchownat(fd.as_raw_fd(), c"".as_ptr(), user, group, libc::AT_EMPTY_PATH) }).map(drop)
}

pub(super) fn times_fd(fd: &OwnedFd, times: Option<&[libc::timespec; 2]>) -> Sys<()> {
    let times = times.map_or(std::ptr::null(), |times| times.as_ptr());
    // SAFETY: the empty path is a literal; `times` is null or two values.
    check_int(unsafe { libc::utimensat(fd.as_raw_fd(), c"".as_ptr(), times, libc::AT_EMPTY_PATH) }).map(drop)
}

pub(super) fn truncate_fd(fd: &OwnedFd, length: i64) -> Sys<()> {
    // SAFETY: the path ends with NUL.
    check_int(unsafe { libc::truncate(magic(fd).as_ptr(), length) }).map(drop)
}

pub(super) fn get_xattr(fd: &OwnedFd, name: &CStr, size: usize) -> Sys<Vec<u8>> {
    let mut bytes = vec![0u8; size];
    // SAFETY: paths end with NUL, the buffer is writable for its length.
    let length = unsafe { libc::getxattr(magic(fd).as_ptr(), name.as_ptr(), bytes.as_mut_ptr().cast(), bytes.len()) };
    sized(bytes, length)
}

pub(super) fn list_xattr(fd: &OwnedFd, size: usize) -> Sys<Vec<u8>> {
    let mut bytes = vec![0u8; size];
    // SAFETY: the path ends with NUL, the buffer is writable for its length.
    let length = unsafe { libc::listxattr(magic(fd).as_ptr(), bytes.as_mut_ptr().cast(), bytes.len()) };
    sized(bytes, length)
}

/// The kernel answers a buffer of no size with the size that is needed: then the bytes are zeros of that length.
fn sized(mut bytes: Vec<u8>, length: isize) -> Sys<Vec<u8>> {
    let length = check(length as libc::c_long)? as usize;
    bytes.resize(length, 0);
    Ok(bytes)
}

pub(super) fn set_xattr(fd: &OwnedFd, name: &CStr, value: &[u8], flags: i32) -> Sys<()> {
    // SAFETY: paths end with NUL, the value is readable for its length.
    check_int(unsafe { libc::setxattr(magic(fd).as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), flags) })
        .map(drop)
}

pub(super) fn remove_xattr(fd: &OwnedFd, name: &CStr) -> Sys<()> {
    // SAFETY: paths end with NUL.
    check_int(unsafe { libc::removexattr(magic(fd).as_ptr(), name.as_ptr()) }).map(drop)
}

pub(super) fn inotify_add(watcher: &OwnedFd, fd: &OwnedFd, mask: u32) -> Sys<i64> {
    // SAFETY: the path ends with NUL.
    check_int(unsafe { libc::inotify_add_watch(watcher.as_raw_fd(), magic(fd).as_ptr(), mask) }).map(i64::from)
}

/// Reads another process's memory at up to two places; how many bytes there were.
pub(super) fn read_memory(pid: u32, buffer: &mut [u8], places: [(u64, usize); 2]) -> Sys<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote =
        places.map(|(address, length)| libc::iovec { iov_base: address as *mut libc::c_void, iov_len: length });
    // SAFETY: the local vector is `buffer`; remote addresses are the kernel's to check.
    let read = unsafe {
        libc::process_vm_readv(pid as libc::pid_t, &raw const local, 1, remote.as_ptr(), remote.len() as u64, 0)
    };
    check(read as libc::c_long).map(|read| read as usize)
}

/// Writes another process's memory; all or an error.
pub(super) fn write_memory(pid: u32, address: u64, bytes: &[u8]) -> Sys<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: the local vector is only read; the remote address is the kernel's to check.
    let written = unsafe { libc::process_vm_writev(pid as libc::pid_t, &raw const local, 1, &raw const remote, 1, 0) };
    let written = check(written as libc::c_long)?;
    if written as usize == bytes.len() { Ok(()) } else { Err(Errno::FAULT) }
}

const PIDFD_THREAD: libc::c_uint = libc::O_EXCL as libc::c_uint;

/// A descriptor for one thread, or for the process `group` where the kernel knows no descriptors of threads.
pub(super) fn pidfd(thread: u32, group: impl FnOnce() -> Sys<u32>) -> Sys<OwnedFd> {
    // SAFETY: no pointers.
    let open = |pid: u32, flags: libc::c_uint| owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) });
    match open(thread, PIDFD_THREAD) {
        Err(Errno(libc::EINVAL)) => open(group()?, 0),
        other => other,
    }
}

/// A copy of descriptor `number` of another process.
pub(super) fn take_fd(pidfd: &OwnedFd, number: i32) -> Sys<OwnedFd> {
    // SAFETY: no pointers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) })
}

pub(super) fn pipe() -> Sys<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for both ends.
    check_int(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the kernel has just made both.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

pub(super) fn read(fd: &OwnedFd, buffer: &mut [u8]) -> Sys<usize> {
    // SAFETY: the buffer is writable for its length.
    check(unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) } as libc::c_long)
        .map(|read| read as usize)
}

pub(super) fn write(fd: &OwnedFd, bytes: &[u8]) -> Sys<usize> {
    // SAFETY: the buffer is readable for its length.
    check(unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) } as libc::c_long)
        .map(|written| written as usize)
}

/// Waits until one of the descriptors has something; a descriptor of -1 is passed over.
pub(super) fn poll(fds: &mut [libc::pollfd]) -> Sys<()> {
    // SAFETY: the slice is writable for its length.
    match check_int(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) }) {
        Err(Errno(libc::EINTR)) => {
            fds.iter_mut().for_each(|fd| fd.revents = 0);
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Whether one descriptor has one of `events` now.
pub(super) fn is_ready(fd: &OwnedFd, events: i16) -> bool {
    let mut one = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one writable element.
    unsafe { libc::poll(&raw mut one, 1, 0) == 1 }
}

/// A descriptor that can be read once the time is over.
pub(super) fn timer(after: std::time::Duration) -> Sys<OwnedFd> {
    // SAFETY: no pointers.
    let timer = owned(libc::c_long::from(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) }))?;
    let value = libc::timespec {
        tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        // No time at all would switch the timer off.
        tv_nsec: i64::from(after.subsec_nanos()).max(1),
    };
    let setting = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    // SAFETY: the setting lives through the call; nothing is asked back.
    check_int(unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const setting, std::ptr::null_mut()) })?;
    Ok(timer)
}

/// Waits for a child of ours to end.
pub(super) fn wait_for(pid: i32) {
    let mut status = 0;
    // SAFETY: `status` is writable.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0 && Errno::last().0 == libc::EINTR {}
}

pub(super) fn send_signal(pid: i32, signal: i32) {
    // A process that is gone needs no signal.
    // SAFETY: no pointers.
    let _ = unsafe { libc::kill(pid, signal) };
}

/// Gives the calling thread a folder and a file mode mask of its own; the mask is then empty.
pub(super) fn own_fs_state() -> Sys<()> {
    // SAFETY: no pointers; only this thread is changed.
    check_int(unsafe { libc::unshare(libc::CLONE_FS) })?;
    // SAFETY: as above.
    unsafe { libc::umask(0) };
    Ok(())
}

/// The calling thread's mask, which own_fs_state made its own.
pub(super) fn set_umask(mask: u32) {
    // SAFETY: no pointers.
    unsafe { libc::umask(mask) };
}

/// Longest folder that [`is_current_folder`] knows.
const FOLDER_MAX: usize = 1024;

/// Whether the kernel calls the thread's folder `path` now. A folder that was removed, or is below another root, has no such name.
pub(super) fn is_current_folder(path: &[u8]) -> bool {
    let mut name = [0u8; FOLDER_MAX];
    // SAFETY: the buffer is writable for the length given.
    match check(unsafe { libc::syscall(libc::SYS_getcwd, name.as_mut_ptr(), name.len()) }) {
        // The length counts the NUL.
        Ok(length) => name.get(..(length as usize).saturating_sub(1)) == Some(path),
        Err(_) => false,
    }
}

/// Goes to the folder `path`, unless a link is on the way.
pub(super) fn enter_without_links(path: &[u8]) -> Sys<()> {
    let folder = open_without_links(&c_string(path)?, libc::O_PATH | libc::O_DIRECTORY, 0)?;
    change_folder(&folder)
}

/// The time since some moment in the past, in nanoseconds, a few milliseconds late.
pub(super) fn coarse_now() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

pub(super) fn change_folder(dir: &OwnedFd) -> Sys<()> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::fchdir(dir.as_raw_fd()) }).map(drop)
}

/// The first two numbers of the kernel's release; zeros when it has none.
pub(super) fn kernel_version() -> (u32, u32) {
    // SAFETY: all-zero is a valid value of this plain struct; `uname` fills it.
    let name = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        libc::uname(&raw mut name);
        name
    };
    let release = name.release.map(|byte| byte as u8);
    let mut numbers =
        release.split(|byte| !byte.is_ascii_digit()).map_while(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The user and the group that the supervisor acts as.
pub(super) fn own_ids() -> (u32, u32) {
    // SAFETY: no pointers.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

pub(super) fn own_pid() -> u32 {
    std::process::id()
}

pub(super) fn connect(socket: &OwnedFd, address: &[u8]) -> Sys<()> {
    // SAFETY: the address is readable for its length.
    check_int(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), address.len() as u32) }).map(drop)
}

pub(super) fn bind(socket: &OwnedFd, address: &[u8]) -> Sys<()> {
    // SAFETY: the address is readable for its length.
    check_int(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), address.len() as u32) }).map(drop)
}

pub(super) fn listen(socket: &OwnedFd, backlog: i32) -> Sys<()> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}

/// Sends `payload` with control data to `address`, which may be empty.
pub(super) fn send_to(socket: &OwnedFd, payload: &[u8], control: &[u8], address: &[u8], flags: i32) -> Sys<i64> {
    let mut vector = libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
    // SAFETY: all-zero is a valid value of this plain struct.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = if address.is_empty() { std::ptr::null_mut() } else { address.as_ptr().cast_mut().cast() };
    message.msg_namelen = address.len() as u32;
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = if control.is_empty() { std::ptr::null_mut() } else { control.as_ptr().cast_mut().cast() };
    message.msg_controllen = control.len() as _;
    // SAFETY: the kernel only reads what the message points to, and all of it lives through the call.
    check(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags | libc::MSG_NOSIGNAL) } as libc::c_long)
}

/// The local address of a socket.
pub(super) fn socket_name(socket: &OwnedFd) -> Sys<Vec<u8>> {
    let mut bytes = vec![0u8; 128];
    let mut length = bytes.len() as u32;
    // SAFETY: the buffer is writable for the length given.
    check_int(unsafe { libc::getsockname(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), &raw mut length) })?;
    bytes.truncate(length as usize);
    Ok(bytes)
}

/// An integer option of a socket.
pub(super) fn socket_option(socket: &OwnedFd, option: i32) -> Sys<i32> {
    let mut value = 0;
    let mut length = 4u32;
    // SAFETY: the value has the size given.
    check_int(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut length)
    })?;
    Ok(value)
}

/// The flags of an open file (`F_GETFL`).
pub(super) fn file_flags(fd: &OwnedFd) -> Sys<i32> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })
}

/// Sets the flags of an open file (`F_SETFL`).
pub(super) fn set_file_flags(fd: &OwnedFd, flags: i32) -> Sys<()> {
    // SAFETY: no pointers.
    check_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) }).map(drop)
}

/// `ioctl` with a pointer to a struct of the request's size.
///
/// Callers pair requests of seccomp with their structs: `notify` is the only one.
pub(super) fn ioctl<T>(fd: &OwnedFd, request: libc::Ioctl, argument: &mut T) -> Sys<i64> {
    // SAFETY: the request carries the size of the struct, which the kernel checks against its own.
    check(libc::c_long::from(unsafe { libc::ioctl(fd.as_raw_fd(), request, std::ptr::from_mut(argument)) }))
}

/// `ioctl` with a number as argument.
pub(super) fn ioctl_number(fd: &OwnedFd, request: libc::Ioctl, argument: u64) -> Sys<i64> {
    // SAFETY: the request takes a number.
    check(libc::c_long::from(unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) }))
}

/// Major and minor number of a device.
pub(super) fn device(number: libc::dev_t) -> (u32, u32) {
    (libc::major(number), libc::minor(number))
}

/// The bytes of a plain C struct of the kernel's interface.
pub(super) fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: `Plain` promises that every byte is initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// A struct without padding that is never written, made from zeros.
pub(super) trait Plain: Copy {}
impl Plain for libc::stat {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_has_a_version() {
        assert!(kernel_version() >= (5, 14), "{:?}", kernel_version());
    }

    #[test]
    fn links_on_the_way_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), "x").unwrap();
        std::os::unix::fs::symlink("f", folder.path().join("l")).unwrap();
        let path = |name: &str| c_string(folder.path().join(name).as_os_str().as_encoded_bytes()).unwrap();
        assert!(open_without_links(&path("f"), libc::O_PATH, 0).is_ok());
        assert_eq!(open_without_links(&path("l"), libc::O_PATH, 0).err(), Some(Errno::LOOP));
        assert_eq!(open_without_links(&path("no"), libc::O_PATH, 0).err(), Some(Errno::NOENT));
    }
}
