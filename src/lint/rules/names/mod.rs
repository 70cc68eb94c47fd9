//! Rules on names and where they apply.

pub(super) mod filter_does_not_apply;
pub(super) mod modifier_does_not_apply;
pub(super) mod old_spelling;
pub(super) mod retired_operation;
pub(super) mod sysctl_write_reads;
pub(super) mod unknown_name;
