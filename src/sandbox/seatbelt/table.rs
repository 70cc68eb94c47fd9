//! Every function that is asked of macOS, found by name at run time.
//!
//! One row a function: its field, its type, its symbol, the library that has it. On a Mac each is opened where it lives; with a
//! library that was named, all of them are looked for in that one. A function that is not there is an error of the call that
//! needs it, so an older or newer system loses a probe, not the backend.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32};

use crate::sandbox::SandboxError;

/// `kern_return_t`.
pub(super) type Kern = c_int;
/// `mach_port_t`, also `io_object_t`.
pub(super) type Port = u32;

/// `sandbox_profile`: 24 bytes.
#[repr(C)]
pub(super) struct RawProfile {
    pub(super) builtin: *const c_char,
    pub(super) data: *const u8,
    pub(super) size: usize,
}

/// `audit_token_t`, passed by value.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct AuditToken {
    pub(super) words: [u32; 8],
}

macro_rules! table {
    ($($place:ident { $($field:ident = $symbol:literal: $type:ty,)* })*) => {
        /// The functions and variables that were found.
        #[derive(Clone, Copy, Default)]
        pub(super) struct Table {
            $($(pub(super) $field: Option<$type>,)*)*
        }

        impl Table {
            /// The symbols, for documentation and tests: name and library.
            pub(super) const SYMBOLS: &'static [(&'static str, Place)] = &[$($(($symbol, Place::$place),)*)*];

            // A variable's address becomes a reference by the same row rule as a function's.
            #[allow(clippy::transmute_ptr_to_ref)]
            fn find(libraries: &Libraries) -> Self {
                Self {
                    $($($field: libraries.symbol(Place::$place, $symbol).map(|symbol| {
                        // SAFETY: the symbol is what the row says; that is what these libraries are, and the caller chose them.
                        // Functions and data pointers have the size of a pointer, which transmute checks.
                        unsafe { std::mem::transmute::<*mut c_void, $type>(symbol.as_ptr()) }
                    }),)*)*
                }
            }
        }
    };
}

/// Which library has a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The compiler's.
    Sandbox,
    /// Everybody's.
    System,
    /// Drivers.
    IoKit,
    /// Distributed notifications.
    CoreFoundation,
}

impl Place {
    const ALL: [Self; 4] = [Self::Sandbox, Self::System, Self::IoKit, Self::CoreFoundation];

    /// Where macOS keeps it. The files are in the shared cache and need not exist.
    pub(super) const fn path(self) -> &'static CStr {
        match self {
            Self::Sandbox => c"/usr/lib/libsandbox.1.dylib",
            Self::System => c"/usr/lib/libSystem.B.dylib",
            Self::IoKit => c"/System/Library/Frameworks/IOKit.framework/IOKit",
            Self::CoreFoundation => c"/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation",
        }
    }
}

type Call0<R> = unsafe extern "C" fn() -> R;

table! {
    Sandbox {
    init = "sandbox_init": unsafe extern "C" fn(*const c_char, u64, *mut *mut c_char) -> c_int,
    init_with_parameters = "sandbox_init_with_parameters":
        unsafe extern "C" fn(*const c_char, u64, *const *const c_char, *mut *mut c_char) -> c_int,
    free_error = "sandbox_free_error": unsafe extern "C" fn(*mut c_char),
    apply = "sandbox_apply": unsafe extern "C" fn(*mut RawProfile) -> c_int,
    }
    System {
    // The three dots matter: on Apple silicon such arguments are passed in other places than named ones.
    check = "sandbox_check": unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int,
    check_by_audit_token =
        "sandbox_check_by_audit_token": unsafe extern "C" fn(AuditToken, *const c_char, c_int, ...) -> c_int,
    // Variables are read as atomic values: the system may set them, and some lie in memory that cannot be written.
    check_no_report = "SANDBOX_CHECK_NO_REPORT": &'static AtomicI32,
    check_canonical = "SANDBOX_CHECK_CANONICAL": &'static AtomicI32,
    task_self = "mach_task_self_": &'static AtomicU32,
    task_info = "task_info": unsafe extern "C" fn(Port, u32, *mut u32, *mut u32) -> Kern,
    bootstrap_port = "bootstrap_port": &'static AtomicU32,
    look_up = "bootstrap_look_up": unsafe extern "C" fn(Port, *const c_char, *mut Port) -> Kern,
    deallocate = "mach_port_deallocate": unsafe extern "C" fn(Port, Port) -> Kern,
    port_type = "mach_port_type": unsafe extern "C" fn(Port, Port, *mut u32) -> Kern,
    sysctl = "sysctlbyname":
        unsafe extern "C" fn(*const c_char, *mut c_void, *mut usize, *mut c_void, usize) -> c_int,
    notify = "notify_post": unsafe extern "C" fn(*const c_char) -> u32,
    pid_info = "proc_pidinfo": unsafe extern "C" fn(c_int, c_int, u64, *mut c_void, c_int) -> c_int,
    kill = "kill": unsafe extern "C" fn(c_int, c_int) -> c_int,
    socket = "socket": unsafe extern "C" fn(c_int, c_int, c_int) -> c_int,
    csr = "csr_get_active_config": unsafe extern "C" fn(*mut u32) -> c_int,
    fcntl = "fcntl": unsafe extern "C" fn(c_int, c_int, ...) -> c_int,
    }
    IoKit {
    service_matching = "IOServiceMatching": unsafe extern "C" fn(*const c_char) -> *mut c_void,
    matching_service = "IOServiceGetMatchingService": unsafe extern "C" fn(Port, *mut c_void) -> Port,
    service_open = "IOServiceOpen": unsafe extern "C" fn(Port, Port, u32, *mut Port) -> Kern,
    service_close = "IOServiceClose": unsafe extern "C" fn(Port) -> Kern,
    object_release = "IOObjectRelease": unsafe extern "C" fn(Port) -> Kern,
    call_method = "IOConnectCallMethod": unsafe extern "C" fn(
        Port, u32, *const u64, u32, *const c_void, usize, *mut u64, *mut u32, *mut c_void, *mut usize,
    ) -> Kern,
    }
    CoreFoundation {
    string = "CFStringCreateWithCString": unsafe extern "C" fn(*const c_void, *const c_char, u32) -> *mut c_void,
    release = "CFRelease": unsafe extern "C" fn(*const c_void),
    distributed_center = "CFNotificationCenterGetDistributedCenter": Call0<*mut c_void>,
    post = "CFNotificationCenterPostNotification":
        unsafe extern "C" fn(*mut c_void, *const c_void, *const c_void, *const c_void, u8),
    }
}

/// Opened libraries. They stay open for the life of the process: code of them may be running in threads that they started.
struct Libraries {
    handles: Vec<(Place, NonNull<c_void>)>,
}

impl Libraries {
    /// Those of macOS; ones that are missing have no functions.
    #[cfg(target_os = "macos")]
    fn of_the_system() -> Result<Self, String> {
        let handles = Place::ALL.into_iter().filter_map(|place| Some((place, open(place.path()).ok()?)));
        Ok(Self { handles: handles.collect() })
    }

    #[cfg(not(target_os = "macos"))]
    fn of_the_system() -> Result<Self, String> {
        Err("this is not macOS".to_owned())
    }

    /// One library that stands for all.
    fn named(path: &Path) -> Result<Self, String> {
        let absolute = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = CString::new(absolute.as_os_str().as_encoded_bytes()).map_err(|error| error.to_string())?;
        let handle = open(&text)?;
        Ok(Self { handles: Place::ALL.map(|place| (place, handle)).to_vec() })
    }

    fn symbol(&self, place: Place, name: &str) -> Option<NonNull<c_void>> {
        let (_, handle) = self.handles.iter().find(|(at, _)| *at == place)?;
        let name = CString::new(name).ok()?;
        // SAFETY: the handle is open and the name a C string.
        NonNull::new(unsafe { libc::dlsym(handle.as_ptr(), name.as_ptr()) })
    }
}

fn open(path: &CStr) -> Result<NonNull<c_void>, String> {
    // SAFETY: a C string; opening runs the library's initialisers, which is what was asked for.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    NonNull::new(handle).ok_or_else(|| {
        // SAFETY: no arguments; the text belongs to the loader and is copied before any other call.
        let text = unsafe { libc::dlerror() };
        if text.is_null() {
            return format!("{}: cannot be opened", path.to_string_lossy());
        }
        // SAFETY: not null, so a C string of the loader.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    })
}

impl Table {
    /// The functions of this Mac, or those of the library at `path`.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, SandboxError> {
        let unavailable = |reason| SandboxError::Unavailable { backend: "seatbelt", reason };
        let libraries = match path {
            Some(path) => Libraries::named(path),
            None => Libraries::of_the_system(),
        };
        let table = Self::find(&libraries.map_err(unavailable)?);
        // Without these there is no sandbox to speak of; every other one is missed by the probe that needs it.
        match (table.init, table.apply, table.check) {
            (Some(_), Some(_), Some(_)) => Ok(table),
            (None, ..) => Err(unavailable("there is no function sandbox_init".to_owned())),
            (_, None, _) => Err(unavailable("there is no function sandbox_apply".to_owned())),
            _ => Err(unavailable("there is no function sandbox_check".to_owned())),
        }
    }
}
