//! World files: what paths mean.

use std::path::Path;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use crate::decide::World;
use crate::diag::SourceMap;

/// The world of the file at `path`; without one, what every macOS 14 has.
///
/// # Errors
/// Exit 66 when it cannot be read, 65 when it is no world.
pub(super) fn read(context: &Context, path: Option<&Path>) -> Result<World, Box<Failure>> {
    let Some(path) = path else { return Ok(World::macos_14()) };
    let source = files::read(context, path)?;
    World::parse(source.text()).map_err(|error| {
        let mut diagnostic = error.diagnostic();
        diagnostic.message = format!("{}: {}", path.display(), diagnostic.message);
        Failure::from_diagnostics(Exit::BadInput, vec![diagnostic], SourceMap::new())
    })
}
