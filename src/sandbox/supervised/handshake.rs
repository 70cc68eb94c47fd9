//! How a driver asks to be confined once it is ready ([`super::Start::Handshake`]).
//!
//! The question is a call that means nothing without a supervisor: `listen` on no descriptor, with a number that no program
//! uses. Who is not supervised gets EBADF, so nobody takes himself for confined who is not.
//!
//! **Invariants:** the answer 0 comes from the supervisor only, after which every call is judged.

use std::io;

/// The second argument of the question; the first is -1.
const QUESTION: i32 = 0x5b_9157;

/// Whether a call is the question.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "asked by the supervisor only"))]
pub(super) fn is_question(call: &str, first: i32, second: i32) -> bool {
    call == "listen" && (first, second) == (-1, QUESTION)
}

/// Asks to be confined, now.
///
/// # Errors
/// EBADF: there is no supervisor, or it judges already.
// The standard library has no call that takes a descriptor which is none.
#[allow(unsafe_code)]
pub fn confine() -> io::Result<()> {
    // SAFETY: takes two numbers.
    if unsafe { libc::listen(-1, QUESTION) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
