//! The style sheet and the script of the page, and the policy that allows these two and nothing else.

use sha2::{Digest, Sha256};

/// The style sheet.
pub(super) const STYLE: &str = include_str!("report.css");
/// The script: filter box, folded parts on paper.
pub(super) const SCRIPT: &str = include_str!("report.js");

/// The page's content security policy: should a text ever become markup, the browser still loads and runs nothing of it.
pub(super) fn policy() -> String {
    let digest = |asset: &str| base64(&Sha256::digest(asset));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * place) & 63) as usize).copied().unwrap_or(b'=');
            out.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10.
    #[test]
    fn base64_of_the_rfc() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        vectors.iter().for_each(|(plain, coded)| assert_eq!(base64(plain.as_bytes()), *coded));
    }

    #[test]
    fn assets_cannot_end_their_element_and_name_no_address() {
        for asset in [STYLE, SCRIPT] {
            assert!(!asset.contains("</") && !asset.contains("<!--"));
            assert!(!asset.contains("://") && !asset.contains("url(") && !asset.contains("@import"));
        }
    }
}
