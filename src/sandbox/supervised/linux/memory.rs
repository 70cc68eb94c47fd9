//! The thread that called: its memory, its folder, its descriptors.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use super::sys::{self, Errno, Sys};

/// Longest path that the kernel takes, its NUL included.
const PATH_MAX: usize = 4096;
/// Most paths are shorter than this, and are read in one go.
const SHORT: usize = 256;
const PAGE: u64 = 4096;

/// One thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) thread: u32,
}

impl Task {
    /// As many bytes as are there, up to the buffer's length.
    fn read_some(self, address: u64, buffer: &mut [u8]) -> Sys<usize> {
        let to_page_end = (PAGE - address % PAGE) as usize;
        let first = buffer.len().min(to_page_end);
        let rest = buffer.len() - first;
        sys::read_memory(self.thread, buffer, [(address, first), (address.wrapping_add(first as u64), rest)])
            .map_err(|_| Errno::FAULT)
    }

    /// Exactly `length` bytes.
    pub(super) fn bytes(self, address: u64, length: usize) -> Sys<Vec<u8>> {
        let mut buffer = vec![0; length];
        if length > 0 && sys::read_memory(self.thread, &mut buffer, [(address, length), (address, 0)]) != Ok(length) {
            return Err(Errno::FAULT);
        }
        Ok(buffer)
    }

    pub(super) fn array<const N: usize>(self, address: u64) -> Sys<[u8; N]> {
        let mut buffer = [0; N];
        match sys::read_memory(self.thread, &mut buffer, [(address, N), (address, 0)]) {
            Ok(read) if read == N => Ok(buffer),
            _ => Err(Errno::FAULT),
        }
    }

    pub(super) fn u64(self, address: u64) -> Sys<u64> {
        self.array(address).map(u64::from_ne_bytes)
    }

    /// A string that ends with NUL, without it.
    pub(super) fn string(self, address: u64) -> Sys<Vec<u8>> {
        if address == 0 {
            return Err(Errno::FAULT);
        }
        let mut short = [0u8; SHORT];
        if let Some(text) = self.string_in(address, &mut short)? {
            return Ok(text.to_vec());
        }
        let mut long = vec![0u8; PATH_MAX];
        if let Some(text) = self.string_in(address, &mut long)? {
            return Ok(text.to_vec());
        }
        Err(Errno(libc::ENAMETOOLONG))
    }

    /// The string, when it ends within the buffer.
    fn string_in(self, address: u64, buffer: &mut [u8]) -> Sys<Option<&[u8]>> {
        let size = buffer.len();
        let read = self.read_some(address, buffer)?;
        let read = buffer.get(..read).unwrap_or_default();
        match memchr::memchr(0, read) {
            Some(end) => Ok(read.get(..end)),
            None if read.len() < size => Err(Errno::FAULT),
            None => Ok(None),
        }
    }

    pub(super) fn write(self, address: u64, bytes: &[u8]) -> Sys<()> {
        sys::write_memory(self.thread, address, bytes).map_err(|_| Errno::FAULT)
    }

    /// `/proc/THREAD/…`
    fn proc(self, rest: std::fmt::Arguments<'_>) -> CString {
        // Numbers and literals hold no NUL.
        CString::new(format!("/proc/{}/{rest}", self.thread)).unwrap_or_default()
    }

    /// The host's path of the folder that relative paths start from (`AT_FDCWD`), or of a descriptor.
    pub(super) fn folder_name(self, descriptor: i32) -> Sys<Vec<u8>> {
        sys::readlink(&self.link_to(descriptor)).map_err(|error| match error {
            Errno::NOENT => Errno(libc::EBADF),
            other => other,
        })
    }

    /// The folder that relative paths start from (`AT_FDCWD`), or that of a descriptor; and the host's path of it.
    pub(super) fn folder(self, descriptor: i32) -> Sys<(OwnedFd, Vec<u8>)> {
        let link = self.link_to(descriptor);
        let fd = sys::openat(sys::ROOT, &link, libc::O_PATH | libc::O_DIRECTORY, 0).map_err(|error| match error {
            Errno::NOENT => Errno(libc::EBADF),
            other => other,
        })?;
        // Of our own descriptor, so that name and folder belong together.
        let path = sys::readlink(&sys::magic(&fd))?;
        Ok((fd, path))
    }

    fn link_to(self, descriptor: i32) -> CString {
        if descriptor == libc::AT_FDCWD {
            self.proc(format_args!("cwd"))
        } else {
            self.proc(format_args!("fd/{descriptor}"))
        }
    }

    /// The thing behind a descriptor as an `O_PATH` descriptor, and its name as the kernel gives it: a path when it starts
    /// with `/`.
    pub(super) fn behind(self, descriptor: i32) -> Sys<(OwnedFd, Vec<u8>)> {
        let fd = sys::openat(sys::ROOT, &self.link_to(descriptor), libc::O_PATH, 0).map_err(|error| match error {
            Errno::NOENT => Errno(libc::EBADF),
            other => other,
        })?;
        let name = sys::readlink(&sys::magic(&fd))?;
        Ok((fd, name))
    }

    /// What is behind a descriptor.
    pub(super) fn stat(self, descriptor: i32) -> Sys<libc::stat> {
        sys::stat_path(&self.link_to(descriptor)).map_err(|error| match error {
            Errno::NOENT => Errno(libc::EBADF),
            other => other,
        })
    }

    /// A copy of a descriptor.
    pub(super) fn copy_of(self, descriptor: i32) -> Sys<OwnedFd> {
        sys::take_fd(&sys::pidfd(self.thread, || self.group())?, descriptor)
    }

    /// The host's path of the program.
    pub(super) fn program(self) -> Sys<Vec<u8>> {
        sys::readlink(&self.proc(format_args!("exe")))
    }

    /// Device and number of the program's file.
    pub(super) fn program_file(self) -> Sys<(u64, u64)> {
        let fd = sys::openat(sys::ROOT, &self.proc(format_args!("exe")), libc::O_PATH, 0)?;
        let stat = sys::stat_fd(&fd)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// The text of a file below `/proc/THREAD`.
    pub(super) fn text(self, name: &str) -> Sys<String> {
        let fd = sys::openat(sys::ROOT, &self.proc(format_args!("{name}")), libc::O_RDONLY, 0)?;
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match sys::read(&fd, &mut buffer)? {
                0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
                read => text.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            }
        }
    }

    /// The fields of one line of `/proc/THREAD/status`.
    pub(super) fn status(self, name: &str) -> Sys<Vec<String>> {
        let text = self.text("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).ok_or(Errno::INVAL)?;
        Ok(line.split_whitespace().map(str::to_owned).collect())
    }

    fn number(self, name: &str, radix: u32) -> Sys<u32> {
        let fields = self.status(name)?;
        fields.first().and_then(|field| u32::from_str_radix(field, radix).ok()).ok_or(Errno::INVAL)
    }

    /// The process that the thread belongs to.
    pub(super) fn group(self) -> Sys<u32> {
        self.number("Tgid", 10)
    }

    /// The process's parent.
    pub(super) fn parent(self) -> Sys<u32> {
        self.number("PPid", 10)
    }

    pub(super) fn umask(self) -> Sys<u32> {
        self.number("Umask", 8)
    }

    /// Process group and controlling terminal of the process.
    pub(super) fn process_group_and_terminal(self) -> Sys<(u32, u32)> {
        let text = self.text("stat")?;
        // The name in parentheses may hold anything; state, parent, group, session, terminal follow it.
        let rest = text.rsplit_once(')').map(|(_, rest)| rest).ok_or(Errno::INVAL)?;
        let mut fields = rest.split_whitespace();
        let group = fields.nth(2).and_then(|field| field.parse().ok()).ok_or(Errno::INVAL)?;
        let terminal = fields.nth(1).and_then(|field| field.parse::<i32>().ok()).ok_or(Errno::INVAL)?;
        Ok((group, terminal as u32))
    }
}
