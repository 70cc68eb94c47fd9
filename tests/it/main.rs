//! Integration tests: one module a topic.

// Panics are how tests fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod blob;
mod compile_limits;
mod contract;
mod coverage;
mod decide;
mod decompile;
#[cfg(target_os = "linux")]
mod exec;
mod fmt;
mod golden;
#[cfg(target_os = "linux")]
mod interrupt;
mod libsandbox;
mod lifecycle;
mod lint;
mod linux_operations;
mod policy_text;
mod readme;
mod report;
mod run;
mod schemas;
mod seatbelt;
mod shim;
#[cfg(target_os = "linux")]
mod supervised;
mod syntax;
mod templates;
#[cfg(target_os = "linux")]
mod terminal;
mod vocab;
