//! The shims that come with the crate, as files of `shims/`.

use std::sync::OnceLock;

use super::file::{Shim, parse};

const FILES: &[&[u8]] = &[
    include_bytes!("../../shims/runtime-base.shim"),
    include_bytes!("../../shims/process-exec.shim"),
    include_bytes!("../../shims/system-reads.shim"),
    include_bytes!("../../shims/tmp-alias.shim"),
    include_bytes!("../../shims/tmp-rewrite.shim"),
    include_bytes!("../../shims/bucket5-allow-default.shim"),
    include_bytes!("../../shims/bucket5-narrow.shim"),
    include_bytes!("../../shims/metafilter-any.shim"),
];

/// All of them, in the order in which they are listed.
pub fn built_ins() -> &'static [Shim] {
    static SHIMS: OnceLock<Vec<Shim>> = OnceLock::new();
    // A test reads every file, so nothing is left out here.
    SHIMS.get_or_init(|| FILES.iter().filter_map(|text| parse(text).ok()).flatten().collect())
}

/// The one called `name`.
pub fn built_in(name: &str) -> Option<&'static Shim> {
    built_ins().iter().find(|shim| shim.name == name)
}
