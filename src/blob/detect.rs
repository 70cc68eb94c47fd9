//! Telling the generation from the bytes.

use super::node::Node;
use super::{Blob, BlobError, Generation};

/// What SBPL is called.
pub(crate) const SBPL: &str = "SBPL text";
/// What hexadecimal text is called.
pub(crate) const HEXADECIMAL: &str = "hexadecimal text";

/// The generation of a blob.
///
/// Byte 4 is the operation count in every generation, and each released generation has its own; a blob of another count is
/// given the one layout in which its nodes make sense.
///
/// # Errors
/// [`BlobError::Text`] for text, [`BlobError::Exhausted`] for less than the shortest header,
/// [`BlobError::UnknownGeneration`] and [`BlobError::AmbiguousGeneration`].
pub fn detect(bytes: &[u8]) -> Result<Generation, BlobError> {
    if let Some(what) = text(bytes) {
        return Err(BlobError::Text { what });
    }
    let &[_, _, _, _, op_count, ..] = bytes else {
        return Err(BlobError::Exhausted { what: "the header", need: 12, have: bytes.len() });
    };
    if let Some(&generation) = Generation::ALL.iter().find(|generation| generation.op_count() == op_count) {
        return Ok(generation);
    }
    let candidates = Generation::ALL.into_iter().filter(|&generation| fits(bytes, generation)).collect::<Vec<_>>();
    match candidates.as_slice() {
        [] => Err(BlobError::UnknownGeneration { op_count }),
        [generation] => Ok(*generation),
        _ => Err(BlobError::AmbiguousGeneration { op_count, candidates }),
    }
}

/// True when every node of this layout is a test that leads on or a terminal, and every operation has a node.
fn fits(bytes: &[u8], generation: Generation) -> bool {
    let Ok(blob) = Blob::with_generation(bytes, generation) else { return false };
    let count = blob.header().node_count;
    count > 0
        && blob.header().op_count > 0
        && (0_u16..).zip(blob.nodes()).all(|(index, node)| match node {
            Node::Test { filter, matched, unmatched, .. } => {
                filter != 0 && [matched, unmatched].iter().all(|&next| next > index && next < count)
            }
            Node::Terminal { .. } => true,
            Node::Invalid(_) => false,
        })
        && (0..blob.profile_count()).all(|profile| blob.op_table(profile).all(|root| root < count))
}

/// What the bytes look like when they are text: no compiled profile starts with a letter, bracket or comment, because word 0
/// holds type bits of which few are used, and byte 2 onwards are binary.
fn text(bytes: &[u8]) -> Option<&'static str> {
    let head = bytes.get(..bytes.len().min(256))?;
    let is_text = !head.is_empty()
        && head.iter().all(|&byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e) || byte >= 0x80)
        && std::str::from_utf8(head).is_ok();
    if !is_text {
        return None;
    }
    let trimmed = head.trim_ascii_start();
    if trimmed.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace()) {
        Some(HEXADECIMAL)
    } else if matches!(trimmed.first(), Some(b'(' | b';' | b'#')) {
        Some(SBPL)
    } else {
        Some("text")
    }
}
