//! What is different between two profiles: one module for each kind of answer.
//!
//! - [`mod@text`] compares lines,
//! - [`mod@rules`] the rules of two policies, operation by operation;
//! - [`semantic`] which operations allow more or less, with requests that show it;
//! - [`mod@blob`] compiled profiles, bytes and parts.
//!
//! The room knows no probe and prints nothing.

pub mod blob;
pub mod rules;
pub mod semantic;
pub mod text;
