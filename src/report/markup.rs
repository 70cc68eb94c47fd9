//! Markup that what it shows cannot break.
//!
//! **Invariants:** names of elements and attributes are literals of this program; every text and every attribute value goes
//! through [`escape`]. There is no way to write markup that is not one of the two: bundle text can never open a tag, close
//! one, or end an attribute.

use std::fmt::Write;

/// Attributes of an element: names are ours, values may be anybody's.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// A document that is being written.
#[derive(Debug)]
pub(super) struct Markup {
    text: String,
}

impl Markup {
    /// An empty HTML document.
    pub(super) fn document() -> Self {
        Self { text: "<!doctype html>\n".to_owned() }
    }

    /// An element and what `content` writes into it.
    pub(super) fn element(&mut self, name: &'static str, attributes: Attributes<'_>, content: impl FnOnce(&mut Self)) {
        self.void(name, attributes);
        content(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element that holds one text.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// An element without content or end tag.
    pub(super) fn void(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.text.push('<');
        self.text.push_str(name);
        for (attribute, value) in attributes {
            self.text.push(' ');
            self.text.push_str(attribute);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
        self.text.push('>');
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) {
        escape(text, &mut self.text);
    }

    /// Text that may be broken after the marks of paths and names, where people would break it.
    pub(super) fn breakable(&mut self, text: &str) {
        for part in text.split_inclusive(['/', ':', '_']) {
            escape(part, &mut self.text);
            if part.len() < text.len() && part.ends_with(['/', ':', '_']) {
                self.text.push_str("<wbr>");
            }
        }
    }

    /// A line end between two elements: it means nothing and makes the source readable.
    pub(super) fn line_end(&mut self) {
        self.text.push('\n');
    }

    /// A style sheet or script of ours, word for word.
    pub(super) fn asset(&mut self, name: &'static str, body: &'static str) {
        let _ = write!(self.text, "<{name}>{body}</{name}>");
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Appends `text` so that it reads as text, in content and in quoted attributes.
///
/// Characters that show nothing or change the order of what stands around them (controls, bidirectional marks) are shown by
/// their number: a profile must look like what it is.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if is_unseen(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a browser makes of escaped text: entities back to characters.
    fn unescaped(text: &str) -> String {
        let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        entities.iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c))
    }

    #[test]
    fn texts_and_values_are_escaped() {
        let mut page = Markup { text: String::new() };
        page.element("p", &[("title", "\"><script>'")], |inside| inside.text("</p>&amp;\u{202e}\0\n"));
        let expected = "<p title=\"&quot;&gt;&lt;script&gt;&#39;\">&lt;/p&gt;&amp;amp;\\u{202e}\\u{0}\n</p>";
        assert_eq!(page.finish(), expected);
    }

    proptest! {
        /// No text opens a tag, ends an attribute, or starts an entity of its own; nothing that can be seen is lost.
        #[test]
        fn no_text_is_markup(text in any::<String>()) {
            let mut out = String::new();
            escape(&text, &mut out);
            prop_assert!(!out.contains(['<', '>', '"', '\'']));
            for (at, _) in out.match_indices('&') {
                let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
                prop_assert!(known.iter().any(|entity| out[at..].starts_with(entity)));
            }
            if !text.chars().any(is_unseen) {
                prop_assert_eq!(unescaped(&out), text);
            }
        }
    }
}
