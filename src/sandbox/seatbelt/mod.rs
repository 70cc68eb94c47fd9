//! The real sandbox of macOS.
//!
//! Everything that is asked of the system is a function in one table, found by name at run time, so all of this room compiles
//! and is tested on every system: with the path of a library that stands in for macOS it runs there too.

mod backend;
mod check;
mod confine;
mod crash;
mod fixtures;
pub mod launchd;
mod observer;
mod proof;
mod replace;
mod spawn;
// Functions of the system are called by their addresses.
#[allow(unsafe_code)]
mod system;
// The C interface of libraries that are chosen at run time cannot be called otherwise.
#[allow(unsafe_code)]
mod table;
mod verdict;

pub use backend::Seatbelt;
pub use check::{
    ALLOWED, CHECK_TYPES, Calibrated, Callout, CheckRow, CheckType, Question, REFUSED, ask, calibrate,
    calibration_profile, question,
};
pub use confine::{Confinement, confine};
pub use crash::CrashReport;
pub use proof::{Claim, Proof, leave_nonce};
pub use replace::{NotReplaced, Profile, replace};
pub use system::{Applied, CallError, Checked, Held, Opened, Spelling, System};
