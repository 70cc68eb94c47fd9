//! Catching a signal.

#![allow(unsafe_code)]

/// Lets `handler` have `signal` from now on and gives the disposition before; `None`, and nothing is changed, when the signal is ignored.
///
/// # Safety
/// `handler` is a function of the form that `flags` (as of `sigaction`) ask for, and does only what a handler may do.
pub(super) unsafe fn catch(
    signal: libc::c_int,
    handler: libc::sighandler_t,
    flags: libc::c_int,
) -> Option<libc::sigaction> {
    // SAFETY: a `sigaction` is integers and a pointer that may be null; both live through the calls.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut old);
        if old.sa_sigaction == libc::SIG_IGN {
            return None;
        }
        let mut new: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = handler;
        new.sa_flags = flags;
        libc::sigaction(signal, &raw const new, std::ptr::null_mut());
        Some(old)
    }
}
