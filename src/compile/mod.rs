//! From a policy to a blob, byte for byte as the compiler of macOS 14.4.1 does it, and back.
//!
//! ```text
//! policy --graph--> nodes --simplify--> nodes --masks--> nodes --write--> blob::Program --blob::encode--> bytes
//! ```
//!
//! Each step is a module that names its rule in `spec/codegen-rules.md`, the golden cases that need it, and how certain it is.
//! `docs/compiler.md` has them all. The room joins `policy` and `blob`; it knows no texts, files or requests.
//!
//! **Invariants:** equal policies give equal bytes; nothing depends on names, digests or single profiles; what a golden case does
//! not prove is listed in [`Compiled::unproven`]; every input is bounded by [`Limits`].

mod codes;
pub mod decompile;
mod error;
pub mod golden;
mod graph;
pub mod libsandbox;
mod masks;
mod patterns;
mod simplify;
mod unproven;
mod write;

pub use codes::CODES;
pub use error::CompileError;
pub use unproven::Unproven;

use crate::blob::{Generation, Program};
use crate::policy::Policy;
use crate::vocab::OpId;

/// The targets whose code generation is known.
pub const NATIVE_TARGETS: &[&str] = &["macos-14.4"];

/// The modifier that names a state flag.
pub(crate) const ENABLE_STATE_FLAG: u8 = 17;

/// Bounds for one compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nodes made on the way; the format has room for 65535 of them at the end.
    pub nodes: usize,
    /// Nodes looked at while simplifying.
    pub work: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 200_000, work: 400_000_000 }
    }
}

/// A compiled policy.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The blob.
    pub bytes: Vec<u8>,
    /// The same as a graph.
    pub program: Program,
    /// What the profile uses whose encoding no case proves, each once.
    pub unproven: Vec<Unproven>,
}

/// Compiles `policy` for its target.
///
/// # Errors
/// [`CompileError`]: another target than [`NATIVE_TARGETS`], a limit, a string without code, a value that does not fit.
pub fn compile(policy: &Policy, limits: &Limits) -> Result<Compiled, CompileError> {
    let target = policy.target();
    if !NATIVE_TARGETS.contains(&target.name()) {
        return Err(CompileError::Target { target: target.name() });
    }
    compile_as(policy, limits, Generation::Macos14)
}

/// Compiles `policy` for its target by the rules of 14.4.1, whatever system that is. What another system's compiler does otherwise is
/// not known; [`Compiled::unproven`] says so.
///
/// # Errors
/// [`CompileError`]: a target without a known format of compiled profiles, and what [`compile`] reports.
pub fn compile_by_known_rules(policy: &Policy, limits: &Limits) -> Result<Compiled, CompileError> {
    let target = policy.target().name();
    let generation = Generation::ALL.into_iter().find(|generation| generation.target() == target);
    let mut compiled = compile_as(policy, limits, generation.ok_or(CompileError::Target { target })?)?;
    if !NATIVE_TARGETS.contains(&target) {
        compiled.unproven.insert(0, unproven::SYSTEM);
    }
    Ok(compiled)
}

/// The operations whose programs differ between two single profiles, however each of them numbers and stores its nodes. A
/// collection is compared by its first profile on the left side and not at all on the right.
pub(crate) fn different_operations(a: &Program, b: &Program) -> Vec<OpId> {
    decompile::different(a, 0, b)
}

/// Compiles by the rules of 14.4.1 whatever the target; only for comparing programs.
fn compile_as(policy: &Policy, limits: &Limits, generation: Generation) -> Result<Compiled, CompileError> {
    let (program, unproven) = program_as(policy, limits, generation)?;
    Ok(Compiled { bytes: program.encode()?, program, unproven })
}

/// The same without the bytes, which a generation may have no room for.
fn program_as(
    policy: &Policy,
    limits: &Limits,
    generation: Generation,
) -> Result<(Program, Vec<Unproven>), CompileError> {
    let target = policy.target();
    let mut graph = graph::build(policy, limits)?;
    simplify::simplify(&mut graph, target, limits)?;
    let universe = masks::add(&mut graph, target)?;
    let program = write::program(&graph, target, generation)?;
    Ok((program, unproven::list(policy, &graph, universe)))
}

#[cfg(test)]
mod tests;
