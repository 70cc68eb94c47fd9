//! The functions of the table as calls with safe arguments: no pointer leaves this module.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::{io, ptr};

use super::table::{AuditToken, Kern, Port, RawProfile, Table};
use crate::sandbox::SandboxError;

/// macOS, or a library that stands in for it.
#[derive(Clone, Copy)]
pub struct System {
    table: Table,
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("System")
    }
}

/// Why a call could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// This system has no such function.
    #[error("there is no function {0} here")]
    Missing(&'static str),
    /// C strings hold no NUL.
    #[error("{0} holds a NUL byte, which a C string cannot")]
    Nul(&'static str),
}

/// What putting a profile in force came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The function.
    pub api: &'static str,
    /// What it returned.
    pub rc: i32,
    /// The error number it left; 0 for none.
    pub errno: i32,
    /// Its words, whole.
    pub errbuf: Option<String>,
}

/// What `sandbox_check` said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// 0 allowed, 1 denied, -1 with an error number.
    pub rc: i32,
    /// The error number it left; 0 for none.
    pub errno: i32,
}

/// What opening a driver's client came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Whether the class has an instance at all. If it has none, nothing was asked.
    pub found: bool,
    /// `kern_return_t` of opening.
    pub open: Option<i32>,
    /// Each selector that was called, with no arguments, and its `kern_return_t`; none when it was not opened.
    pub calls: Vec<(u32, i32)>,
}

/// A right to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// `kern_return_t` of looking it up.
    pub kern: i32,
    port: Port,
}

/// Which spelling of a descriptor's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `F_GETPATH`: what rules are matched against.
    Plain,
    /// `F_GETPATH_NOFIRMLINK`: on the data volume.
    NoFirmlink,
}

impl Spelling {
    const fn command(self) -> c_int {
        match self {
            Self::Plain => 50,
            Self::NoFirmlink => 102,
        }
    }
}

/// `MAXPATHLEN`, the room that both commands write to.
const PATH_ROOM: usize = 1024;
/// `TASK_AUDIT_TOKEN` and its length in words.
const AUDIT_TOKEN: (u32, u32) = (15, 8);
/// `PROC_PIDTBSDINFO` and room for any version of its structure.
const BSD_INFO: (c_int, usize) = (3, 1024);
/// Longest error text that is kept, in bytes.
const MAX_TEXT: usize = 1 << 20;

fn c_string(text: &str, what: &'static str) -> Result<CString, CallError> {
    CString::new(text).map_err(|_| CallError::Nul(what))
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// So that a number left by an earlier call is not taken for this one's.
fn clear_errno() {
    #[cfg(target_os = "macos")]
    // SAFETY: the address of this thread's own error number.
    unsafe {
        *libc::__error() = 0;
    }
    #[cfg(target_os = "linux")]
    // SAFETY: the address of this thread's own error number.
    unsafe {
        *libc::__errno_location() = 0;
    }
}

fn need<T>(function: Option<T>, name: &'static str) -> Result<T, CallError> {
    function.ok_or(CallError::Missing(name))
}

impl System {
    /// This Mac, or the library at `library` in its place.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`]: no Mac and no library, or one without a sandbox.
    pub fn open(library: Option<&Path>) -> Result<Self, SandboxError> {
        Ok(Self { table: Table::open(library)? })
    }

    /// The functions that are looked for: symbol and the library macOS has it in.
    pub fn symbols() -> impl Iterator<Item = (&'static str, &'static str)> {
        Table::SYMBOLS.iter().map(|(name, place)| (*name, place.path().to_str().unwrap_or_default()))
    }

    /// Puts a text in force for this process, for good. With parameters `sandbox_init_with_parameters` does it.
    ///
    /// # Errors
    /// [`CallError`]; a refusal is an [`Applied`] with `rc` not 0.
    pub fn init(&self, profile: &str, parameters: &[(String, String)]) -> Result<Applied, CallError> {
        let text = c_string(profile, "the profile")?;
        let mut error: *mut c_char = ptr::null_mut();
        clear_errno();
        let (api, rc, errno) = if parameters.is_empty() {
            let init = need(self.table.init, "sandbox_init")?;
            // SAFETY: a C string and a place for a pointer; 0 says that the string is a profile's text.
            let rc = unsafe { init(text.as_ptr(), 0, &mut error) };
            ("sandbox_init", rc, errno())
        } else {
            let init = need(self.table.init_with_parameters, "sandbox_init_with_parameters")?;
            let mut strings = Vec::new();
            for (key, value) in parameters {
                strings.push(c_string(key, "a parameter's name")?);
                strings.push(c_string(value, "a parameter's value")?);
            }
            let mut pointers: Vec<*const c_char> = strings.iter().map(|string| string.as_ptr()).collect();
            pointers.push(ptr::null());
            // SAFETY: as above; the list of C strings ends with a null pointer and outlives the call.
            let rc = unsafe { init(text.as_ptr(), 0, pointers.as_ptr(), &mut error) };
            ("sandbox_init_with_parameters", rc, errno())
        };
        let errbuf = self.take_error(error);
        Ok(Applied { api, rc, errno: if rc == 0 { 0 } else { errno }, errbuf })
    }

    /// Copies an error text out and gives it back.
    fn take_error(&self, error: *mut c_char) -> Option<String> {
        if error.is_null() {
            return None;
        }
        // SAFETY: not null, so a C string that the library allocated.
        let bytes = unsafe { CStr::from_ptr(error) }.to_bytes();
        let text = String::from_utf8_lossy(bytes.get(..MAX_TEXT).unwrap_or(bytes)).into_owned();
        // SAFETY: the library allocated the text and nothing else frees it.
        unsafe {
            match self.table.free_error {
                Some(free) => free(error),
                None => libc::free(error.cast::<c_void>()),
            }
        }
        Some(text)
    }

    /// Puts a compiled profile in force for this process, for good.
    ///
    /// # Errors
    /// [`CallError`]; a refusal is an [`Applied`] with `rc` not 0.
    pub fn apply(&self, blob: &[u8]) -> Result<Applied, CallError> {
        let apply = need(self.table.apply, "sandbox_apply")?;
        let mut profile = RawProfile { builtin: ptr::null(), data: blob.as_ptr(), size: blob.len() };
        clear_errno();
        // SAFETY: the structure and the bytes outlive the call; the function reads them.
        let rc = unsafe { apply(&mut profile) };
        let errno = if rc == 0 { 0 } else { errno() };
        Ok(Applied { api: "sandbox_apply", rc, errno, errbuf: None })
    }

    /// Whether the process `pid` has a profile.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn is_sandboxed(&self, pid: u32) -> Result<Checked, CallError> {
        let check = need(self.table.check, "sandbox_check")?;
        clear_errno();
        // SAFETY: no operation and type 0 take no further argument.
        let rc = unsafe { check(pid as c_int, ptr::null(), 0) };
        Ok(Checked { rc, errno: if rc == -1 { errno() } else { 0 } })
    }

    /// Asks whether `pid` may do `operation` on `argument`, a value of the kind that `check_type` names.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn check(
        &self,
        pid: u32,
        operation: &str,
        check_type: i32,
        argument: Option<&str>,
    ) -> Result<Checked, CallError> {
        let check = need(self.table.check, "sandbox_check")?;
        let operation = c_string(operation, "an operation")?;
        let argument = argument.map(|argument| c_string(argument, "an argument")).transpose()?;
        clear_errno();
        // SAFETY: C strings that outlive the call; the types that are asked for take one string, type 0 takes none.
        let rc = unsafe {
            match &argument {
                Some(argument) => check(pid as c_int, operation.as_ptr(), check_type, argument.as_ptr()),
                None => check(pid as c_int, operation.as_ptr(), check_type),
            }
        };
        Ok(Checked { rc, errno: if rc == -1 { errno() } else { 0 } })
    }

    /// The same of this process, by its audit token. The second value is the `kern_return_t` of getting the token.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn check_self_by_token(
        &self,
        operation: &str,
        check_type: i32,
        argument: Option<&str>,
    ) -> Result<(Option<Checked>, Kern), CallError> {
        let check = need(self.table.check_by_audit_token, "sandbox_check_by_audit_token")?;
        let operation = c_string(operation, "an operation")?;
        let argument = argument.map(|argument| c_string(argument, "an argument")).transpose()?;
        let (token, kern) = self.audit_token()?;
        if kern != 0 {
            return Ok((None, kern));
        }
        clear_errno();
        // SAFETY: as in `check`.
        let rc = unsafe {
            match &argument {
                Some(argument) => check(token, operation.as_ptr(), check_type, argument.as_ptr()),
                None => check(token, operation.as_ptr(), check_type),
            }
        };
        Ok((Some(Checked { rc, errno: if rc == -1 { errno() } else { 0 } }), kern))
    }

    fn audit_token(&self) -> Result<(AuditToken, Kern), CallError> {
        let info = need(self.table.task_info, "task_info")?;
        let task = self.task()?;
        let mut token = AuditToken::default();
        let (flavor, mut count) = AUDIT_TOKEN;
        // SAFETY: the token has room for `count` words.
        let kern = unsafe { info(task, flavor, token.words.as_mut_ptr(), &mut count) };
        Ok((token, kern))
    }

    /// A flag that the system exports, or `fallback`.
    fn flag(variable: Option<&AtomicI32>, fallback: i32) -> i32 {
        variable.map_or(fallback, |variable| variable.load(Ordering::Relaxed))
    }

    /// Asks without leaving a report in the log.
    pub fn no_report(&self) -> i32 {
        Self::flag(self.table.check_no_report, 0x4000_0000)
    }

    /// Refuses arguments that are not canonical; it does not make them so.
    pub fn canonical(&self) -> i32 {
        Self::flag(self.table.check_canonical, 0x2000_0000)
    }

    fn task(&self) -> Result<Port, CallError> {
        Ok(need(self.table.task_self, "mach_task_self_")?.load(Ordering::Relaxed))
    }

    /// Asks launchd for a service: its `kern_return_t`. 0 found, 1100 refused, 1102 nobody registered it.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn look_up(&self, service: &str) -> Result<Kern, CallError> {
        let held = self.acquire(service)?;
        if let (0, Some(deallocate), Ok(task)) = (held.kern, self.table.deallocate, self.task())
            && held.port != 0
        {
            // SAFETY: a right that was just given to this task.
            unsafe { deallocate(task, held.port) };
        }
        Ok(held.kern)
    }

    /// The same, and keeps the right for the life of the process.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn acquire(&self, service: &str) -> Result<Held, CallError> {
        let look_up = need(self.table.look_up, "bootstrap_look_up")?;
        let bootstrap = need(self.table.bootstrap_port, "bootstrap_port")?;
        let service = c_string(service, "a service")?;
        let mut port: Port = 0;
        // SAFETY: the name is a C string, `port` ours to write.
        let kern = unsafe { look_up(bootstrap.load(Ordering::Relaxed), service.as_ptr(), &mut port) };
        Ok(Held { kern, port })
    }

    /// Whether a right is still one to send with: 0, or a `kern_return_t` that says why not.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn still_holds(&self, held: Held) -> Result<Kern, CallError> {
        /// `MACH_PORT_TYPE_SEND`.
        const SEND: u32 = 1 << 16;
        /// `KERN_INVALID_RIGHT`.
        const INVALID_RIGHT: Kern = 17;
        let of = need(self.table.port_type, "mach_port_type")?;
        let task = self.task()?;
        let mut rights = 0;
        // SAFETY: names of this task and a place to write a number.
        let kern = unsafe { of(task, held.port, &mut rights) };
        Ok(if kern == 0 && rights & SEND == 0 { INVALID_RIGHT } else { kern })
    }

    /// Makes a socket and closes it again: nothing, or an error number.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn socket(&self, family: i32, kind: i32, protocol: i32) -> Result<Result<(), i32>, CallError> {
        let socket = need(self.table.socket, "socket")?;
        clear_errno();
        // SAFETY: numbers only.
        let made = unsafe { socket(family, kind, protocol) };
        if made < 0 {
            return Ok(Err(errno()));
        }
        // SAFETY: the descriptor is new and nobody else has it.
        drop(unsafe { OwnedFd::from_raw_fd(made) });
        Ok(Ok(()))
    }

    /// What System Integrity Protection lets pass, one bit a protection that is off: 0 when all of it is on. An error number when the
    /// system does not say.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn integrity_protection(&self) -> Result<Result<u32, i32>, CallError> {
        let ask = need(self.table.csr, "csr_get_active_config")?;
        let mut bits = 0;
        clear_errno();
        // SAFETY: a place to write a number.
        let rc = unsafe { ask(&mut bits) };
        Ok(if rc == 0 { Ok(bits) } else { Err(errno()) })
    }

    /// Reads a variable of the kernel: its length in bytes, or an error number.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn sysctl(&self, name: &str) -> Result<Result<usize, i32>, CallError> {
        let sysctl = need(self.table.sysctl, "sysctlbyname")?;
        let name = c_string(name, "a name")?;
        let mut room = vec![0_u8; 4096];
        let mut length = room.len();
        clear_errno();
        // SAFETY: `room` has `length` bytes; nothing is set.
        let rc = unsafe { sysctl(name.as_ptr(), room.as_mut_ptr().cast::<c_void>(), &mut length, ptr::null_mut(), 0) };
        Ok(if rc == 0 { Ok(length) } else { Err(errno()) })
    }

    /// Posts a Darwin notification: its status, 0 for posted.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn notify(&self, name: &str) -> Result<u32, CallError> {
        let notify = need(self.table.notify, "notify_post")?;
        let name = c_string(name, "a name")?;
        // SAFETY: a C string.
        Ok(unsafe { notify(name.as_ptr()) })
    }

    /// Posts a distributed notification. The call returns nothing, so whether it was let through is not known.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn notify_distributed(&self, name: &str) -> Result<(), CallError> {
        const UTF8: u32 = 0x0800_0100;
        let string = need(self.table.string, "CFStringCreateWithCString")?;
        let release = need(self.table.release, "CFRelease")?;
        let center = need(self.table.distributed_center, "CFNotificationCenterGetDistributedCenter")?;
        let post = need(self.table.post, "CFNotificationCenterPostNotification")?;
        let name = c_string(name, "a name")?;
        // SAFETY: a C string in; the object that comes out is given back once; the centre is the system's.
        unsafe {
            let object = string(ptr::null(), name.as_ptr(), UTF8);
            let center = center();
            if !object.is_null() && !center.is_null() {
                post(center, object, ptr::null(), ptr::null(), 1);
            }
            if !object.is_null() {
                release(object);
            }
        }
        Ok(())
    }

    /// Asks about a process: bytes of the answer, or an error number.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn pid_info(&self, pid: i32) -> Result<Result<i32, i32>, CallError> {
        let info = need(self.table.pid_info, "proc_pidinfo")?;
        let (flavor, length) = BSD_INFO;
        let mut room = vec![0_u8; length];
        clear_errno();
        // SAFETY: `room` has `length` bytes.
        let rc = unsafe { info(pid, flavor, 0, room.as_mut_ptr().cast::<c_void>(), length as c_int) };
        Ok(if rc > 0 { Ok(rc) } else { Err(errno()) })
    }

    /// The parent of a process, or an error number.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn parent_of(&self, pid: u32) -> Result<Result<u32, i32>, CallError> {
        /// Where `pbi_ppid` is in `proc_bsdinfo`: behind flags, status, exit status and the process's own id.
        const PARENT: usize = 16;
        let info = need(self.table.pid_info, "proc_pidinfo")?;
        let (flavor, length) = BSD_INFO;
        let mut room = vec![0_u8; length];
        clear_errno();
        // SAFETY: `room` has `length` bytes.
        let rc = unsafe { info(pid as c_int, flavor, 0, room.as_mut_ptr().cast::<c_void>(), length as c_int) };
        let number = room.get(PARENT..PARENT + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
        Ok(number.filter(|_| rc > PARENT as c_int).ok_or_else(errno))
    }

    /// Sends a signal: nothing, or an error number.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn kill(&self, pid: i32, signal: i32) -> Result<Result<(), i32>, CallError> {
        let kill = need(self.table.kill, "kill")?;
        clear_errno();
        // SAFETY: numbers only.
        let rc = unsafe { kill(pid, signal) };
        Ok(if rc == 0 { Ok(()) } else { Err(errno()) })
    }

    /// Opens the first instance of a driver class and calls each of `selectors` without arguments.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn open_service(&self, class: &str, selectors: &[u32]) -> Result<Opened, CallError> {
        let matching = need(self.table.service_matching, "IOServiceMatching")?;
        let find = need(self.table.matching_service, "IOServiceGetMatchingService")?;
        let open = need(self.table.service_open, "IOServiceOpen")?;
        let task = self.task()?;
        let class = c_string(class, "a class")?;
        // SAFETY: a C string in; the dictionary that comes out is used up by the next call, whose answer is a name.
        let service = unsafe { find(0, matching(class.as_ptr())) };
        if service == 0 {
            return Ok(Opened { found: false, open: None, calls: Vec::new() });
        }
        let mut client: Port = 0;
        // SAFETY: names of kernel objects and a place to write one.
        let kern = unsafe { open(service, task, 0, &mut client) };
        if let Some(release) = self.table.object_release {
            // SAFETY: a right that was just given to this task.
            unsafe { release(service) };
        }
        if kern != 0 {
            return Ok(Opened { found: true, open: Some(kern), calls: Vec::new() });
        }
        let calls = selectors.iter().filter_map(|selector| Some((*selector, self.call_client(client, *selector)?)));
        let calls = calls.collect();
        if let Some(close) = self.table.service_close {
            // SAFETY: a client that was opened above, and is not used any more.
            unsafe { close(client) };
        }
        Ok(Opened { found: true, open: Some(kern), calls })
    }

    fn call_client(&self, client: Port, selector: u32) -> Option<Kern> {
        let call = self.table.call_method?;
        // SAFETY: no arguments and no room for results: null pointers with zero lengths.
        let kern = unsafe {
            call(
                client,
                selector,
                ptr::null(),
                0,
                ptr::null(),
                0,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        Some(kern)
    }

    /// The path of a descriptor, or an error number.
    ///
    /// # Errors
    /// [`CallError`]
    pub fn path_of(&self, file: BorrowedFd<'_>, spelling: Spelling) -> Result<Result<String, i32>, CallError> {
        let fcntl = need(self.table.fcntl, "fcntl")?;
        let mut room = [0_u8; PATH_ROOM];
        clear_errno();
        // SAFETY: both commands write at most `MAXPATHLEN` bytes, which `room` has.
        let rc = unsafe { fcntl(file.as_raw_fd(), spelling.command(), room.as_mut_ptr()) };
        if rc == -1 {
            return Ok(Err(errno()));
        }
        let end = room.iter().position(|&byte| byte == 0).unwrap_or(room.len());
        Ok(Ok(String::from_utf8_lossy(room.get(..end).unwrap_or_default()).into_owned()))
    }
}
