//! Rules on what was left behind.

pub(super) mod gated_message_filter;
pub(super) mod leftover_debug;
pub(super) mod string_identity;
pub(super) mod unused_definition;
