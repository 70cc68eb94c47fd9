//! What is different between two profiles: one module for each kind of answer.
//!
//! - [`semantic`]: which operations allow more or less, with requests that show it.
//!
//! The room knows no probe and prints nothing.

pub mod semantic;
