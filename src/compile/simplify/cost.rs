//! What a test costs (`spec/codegen-rules.md` §5.3).
//!
//! [likely] cost = (60 + c) × n with c the signed cost column of the filter table and n the number of end-points of a pattern
//! (literal 1, subpath 2, union: sum), 1 for everything else. Any base from 1 to 60 gives all golden cases; above 60 `matrix_v2`
//! fails. "× n" is needed by `deny_except_tmp`, `f2_right_and_preference_names`, `bsd_tag26_matrix`; the text's length instead is
//! refuted by `path_edges`.
//! [guess] `local-name` is a little dearer than `global-name`, and `iokit-property` than `iokit-registry-entry-class`
//! (`matrix_v1`, `matrix_v1_domain30`), although the table lists them as equal.

use crate::compile::graph::{Argument, TestKey};
use crate::vocab::{FilterId, Target};

const BASE: i64 = 60;
/// One unit of the cost column; the guessed differences are smaller than it.
const UNIT: i64 = 1 << 20;
/// `local-name` and `iokit-property`.
const LITTLE_DEARER: &[FilterId] = &[FilterId(7), FilterId(18)];

/// The cost of `test`; only comparisons mean something.
pub(super) fn cost(target: &Target, test: &TestKey) -> i64 {
    let column = target.filter(test.filter).map_or(0, |info| i64::from(info.cost));
    let ends = match &test.argument {
        Argument::Pattern(pattern) => i64::try_from(pattern.tree.end_points()).unwrap_or(i64::MAX / (1 << 32)),
        _ => 1,
    };
    let little = i64::from(LITTLE_DEARER.contains(&test.filter));
    ((BASE + column) * UNIT + little).saturating_mul(ends)
}
