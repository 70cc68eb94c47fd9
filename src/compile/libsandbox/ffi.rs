//! The raw interface: types, symbols, ownership (`spec/probe-runner.md` §5).

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::ptr::{self, NonNull};

use super::{LibraryError, MAX_BLOB, MAX_TEXT};

/// `sandbox_profile`: 24 bytes on 64-bit systems.
#[repr(C)]
#[derive(Clone, Copy)]
struct RawProfile {
    builtin: *const c_char,
    data: *const u8,
    size: usize,
}

const PROFILE_LEN: usize = size_of::<RawProfile>();

type CreateParams = unsafe extern "C" fn() -> *mut c_void;
type SetParam = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int;
type FreeParams = unsafe extern "C" fn(*mut c_void);
type Compile = unsafe extern "C" fn(*const c_char, *mut c_void, *mut *mut c_char) -> *mut RawProfile;
type FreeProfile = unsafe extern "C" fn(*mut RawProfile);
type FreeError = unsafe extern "C" fn(*mut c_char);

/// The functions of one opened library. It stays open for the life of the process: code of it may be running in threads that
/// it started.
#[derive(Debug)]
pub(super) struct Functions {
    create_params: CreateParams,
    set_param: SetParam,
    free_params: FreeParams,
    compile_string: Compile,
    compile_file: Compile,
    /// Absent from older libraries, which look a bare name up in `sandbox_compile_file`.
    compile_named: Option<Compile>,
    free_profile: FreeProfile,
    /// Absent from some libraries; the text comes from `asprintf` and `free` does.
    free_error: Option<FreeError>,
}

/// A parameter table, freed when dropped.
pub(super) struct Parameters<'f> {
    functions: &'f Functions,
    table: NonNull<c_void>,
}

impl Functions {
    /// Opens the library at `path`, which messages call `name`.
    pub(super) fn load(path: &CString, name: &str) -> Result<Self, LibraryError> {
        // SAFETY: `path` is a C string; opening runs the library's initialisers, which is what was asked for.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        let Some(handle) = NonNull::new(handle) else {
            return Err(LibraryError::Unavailable { reason: loader_error() });
        };
        let find = |symbol: &'static CStr| {
            // SAFETY: the handle is open and the name a C string.
            NonNull::new(unsafe { libc::dlsym(handle.as_ptr(), symbol.as_ptr()) })
        };
        let need = |symbol: &'static CStr| {
            let missing = || LibraryError::MissingFunction {
                library: name.to_owned(),
                name: symbol.to_str().unwrap_or_default(),
            };
            find(symbol).ok_or_else(missing)
        };
        let (create, set, free_params) =
            (need(c"sandbox_create_params")?, need(c"sandbox_set_param")?, need(c"sandbox_free_params")?);
        let (string, file, free_profile) =
            (need(c"sandbox_compile_string")?, need(c"sandbox_compile_file")?, need(c"sandbox_free_profile")?);
        // SAFETY: the symbols are functions with these signatures; that is what a libsandbox is, and the caller named one.
        Ok(unsafe {
            Self {
                create_params: std::mem::transmute::<*mut c_void, CreateParams>(create.as_ptr()),
                set_param: std::mem::transmute::<*mut c_void, SetParam>(set.as_ptr()),
                free_params: std::mem::transmute::<*mut c_void, FreeParams>(free_params.as_ptr()),
                compile_string: std::mem::transmute::<*mut c_void, Compile>(string.as_ptr()),
                compile_file: std::mem::transmute::<*mut c_void, Compile>(file.as_ptr()),
                compile_named: find(c"sandbox_compile_named")
                    .map(|symbol| std::mem::transmute::<*mut c_void, Compile>(symbol.as_ptr())),
                free_profile: std::mem::transmute::<*mut c_void, FreeProfile>(free_profile.as_ptr()),
                free_error: find(c"sandbox_free_error")
                    .map(|symbol| std::mem::transmute::<*mut c_void, FreeError>(symbol.as_ptr())),
            }
        })
    }

    /// A new parameter table.
    pub(super) fn parameters(&self) -> Result<Parameters<'_>, LibraryError> {
        // SAFETY: no arguments.
        let table = NonNull::new(unsafe { (self.create_params)() });
        let table = table.ok_or(LibraryError::Parameter { key: String::new() })?;
        Ok(Parameters { functions: self, table })
    }

    pub(super) fn compile_string(
        &self,
        text: &CString,
        table: Option<&Parameters<'_>>,
    ) -> Result<Vec<u8>, LibraryError> {
        self.compile(self.compile_string, text, table)
    }

    pub(super) fn compile_file(&self, path: &CString, table: Option<&Parameters<'_>>) -> Result<Vec<u8>, LibraryError> {
        self.compile(self.compile_file, path, table)
    }

    pub(super) fn compile_named(
        &self,
        name: &CString,
        table: Option<&Parameters<'_>>,
    ) -> Result<Vec<u8>, LibraryError> {
        self.compile(self.compile_named.unwrap_or(self.compile_file), name, table)
    }

    fn compile(
        &self,
        function: Compile,
        argument: &CString,
        table: Option<&Parameters<'_>>,
    ) -> Result<Vec<u8>, LibraryError> {
        let table = table.map_or(ptr::null_mut(), |table| table.table.as_ptr());
        let mut error: *mut c_char = ptr::null_mut();
        // SAFETY: the argument is a C string that outlives the call, the table is null or live, `error` is ours to write.
        let profile = unsafe { function(argument.as_ptr(), table, &mut error) };
        let message = self.take_error(error);
        if profile.is_null() {
            return Err(message?.map_or(LibraryError::Nothing, LibraryError::Refused));
        }
        self.take_profile(profile)
    }

    /// Copies the blob out and gives the profile back.
    fn take_profile(&self, profile: *mut RawProfile) -> Result<Vec<u8>, LibraryError> {
        let head = copy(profile.cast::<u8>(), PROFILE_LEN).ok_or(LibraryError::Unreadable("a profile"))?;
        // SAFETY: `head` holds the bytes of a structure of integers and pointers, for which every bit pattern is a value.
        let RawProfile { builtin, data, size } = unsafe { ptr::read_unaligned(head.as_ptr().cast::<RawProfile>()) };
        let blob = if !builtin.is_null() {
            // A library of another pointer size has a part of another field here.
            let name = copy_text(builtin.cast::<u8>()).ok_or(LibraryError::Unreadable("a built-in profile's name"))?;
            Err(LibraryError::BuiltIn(String::from_utf8_lossy(&name).into_owned()))
        } else if size > MAX_BLOB {
            Err(LibraryError::TooLarge { size })
        } else {
            // A profile whose data cannot be read is not given back: freeing what is no allocation is a crash.
            Ok(copy(data, size).ok_or(LibraryError::Unreadable("a profile's data"))?)
        };
        // SAFETY: the library made this profile and it has not been freed.
        unsafe { (self.free_profile)(profile) };
        blob
    }

    /// Copies an error text out and frees it; `None` when there is none.
    fn take_error(&self, error: *mut c_char) -> Result<Option<String>, LibraryError> {
        if error.is_null() {
            return Ok(None);
        }
        let text = copy_text(error.cast::<u8>()).ok_or(LibraryError::Unreadable("an error text"))?;
        // SAFETY: the library allocated the text and nothing else frees it.
        unsafe {
            match self.free_error {
                Some(free) => free(error),
                None => libc::free(error.cast::<c_void>()),
            }
        }
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }
}

impl Parameters<'_> {
    /// Adds `name` as `key`.
    pub(super) fn set(&mut self, name: &str, key: &CString, value: &CString) -> Result<(), LibraryError> {
        // SAFETY: the table is live, the strings are C strings; the library copies them.
        let status = unsafe { (self.functions.set_param)(self.table.as_ptr(), key.as_ptr(), value.as_ptr()) };
        if status == 0 { Ok(()) } else { Err(LibraryError::Parameter { key: name.to_owned() }) }
    }
}

impl Drop for Parameters<'_> {
    fn drop(&mut self) {
        // SAFETY: the table came from `sandbox_create_params` and is freed only here.
        unsafe { (self.functions.free_params)(self.table.as_ptr()) }
    }
}

fn loader_error() -> String {
    // SAFETY: no arguments; the text belongs to the loader and is copied before any other call.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "unknown error".to_owned();
    }
    // SAFETY: not null, so a C string of the loader.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A pipe through which memory is copied: the kernel answers EFAULT where a plain read would kill the process.
struct Probe {
    read: c_int,
    write: c_int,
}

/// Bytes that fit any pipe.
const CHUNK: usize = 4096;

impl Probe {
    fn new() -> Option<Self> {
        let mut ends = [0; 2];
        // SAFETY: `ends` has room for the two descriptors.
        let status = unsafe { libc::pipe(ends.as_mut_ptr()) };
        (status == 0).then_some(Self { read: ends[0], write: ends[1] })
    }

    /// Appends up to `len` (at most [`CHUNK`]) bytes from `from`; `None` when none can be read.
    fn copy(&self, from: *const u8, len: usize, out: &mut Vec<u8>) -> Option<usize> {
        let written = retry(|| {
            // SAFETY: the kernel checks the memory and never writes to it.
            unsafe { libc::write(self.write, from.cast::<c_void>(), len) }
        })?;
        let mut buffer = [0_u8; CHUNK];
        let mut got = 0;
        while got < written {
            let rest = buffer.get_mut(got..written)?;
            // SAFETY: `rest` is writable for its length.
            got += retry(|| unsafe { libc::read(self.read, rest.as_mut_ptr().cast::<c_void>(), rest.len()) })?;
        }
        out.extend_from_slice(buffer.get(..written)?);
        Some(written)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // SAFETY: both descriptors are ours and closed only here.
        unsafe {
            libc::close(self.read);
            libc::close(self.write);
        }
    }
}

/// Repeats an interrupted call; `None` for an error or nothing done.
fn retry(mut call: impl FnMut() -> isize) -> Option<usize> {
    loop {
        let done = call();
        if done >= 0 {
            return usize::try_from(done).ok().filter(|done| *done > 0);
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return None;
        }
    }
}

/// The `len` bytes at `from`, or `None` when not all of them can be read.
fn copy(from: *const u8, len: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(len);
    if len == 0 {
        return Some(out);
    }
    let probe = Probe::new()?;
    while out.len() < len {
        probe.copy(from.wrapping_add(out.len()), (len - out.len()).min(CHUNK), &mut out)?;
    }
    Some(out)
}

/// The C string at `from` without its NUL, cut at [`MAX_TEXT`]; `None` when memory ends before the string.
fn copy_text(from: *const u8) -> Option<Vec<u8>> {
    let probe = Probe::new()?;
    let mut out = Vec::new();
    while out.len() < MAX_TEXT {
        let at = from.wrapping_add(out.len());
        // Never beyond the page: the next one may not be there although the string ends in this one.
        let len = CHUNK - at.addr() % CHUNK;
        let start = out.len();
        probe.copy(at, len, &mut out)?;
        if let Some(end) = memchr::memchr(0, out.get(start..)?) {
            out.truncate(start + end);
            return Some(out);
        }
    }
    Some(out)
}
