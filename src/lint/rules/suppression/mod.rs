//! Findings about the comments that allow findings. They are made where comments are read (`suppress`).

pub(in crate::lint) mod bad_suppression;
pub(in crate::lint) mod unused_suppression;
