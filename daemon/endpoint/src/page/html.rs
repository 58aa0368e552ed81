//! A document that grows, and what keeps strangers' words from becoming a part of it.

use std::fmt::{self, Write as _};

use earnest_printable::is_printable;

/// A document. Markup is what stands in this program's source; everything else goes in as text,
/// escaped, because there is no other way in.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Adds markup of our own.
    pub(crate) fn markup(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Adds text, in an element or in a quoted attribute. Characters that show nothing or turn a
    /// line around are replaced.
    pub(crate) fn text(&mut self, text: impl fmt::Display) -> &mut Html {
        // Writing to a string does not fail, and a value that cannot say what it is says nothing.
        let _ = write!(Escape(&mut self.0), "{text}");
        self
    }

    /// Adds an element with text in it: `open` is its tag as it begins.
    pub(crate) fn element(
        &mut self,
        open: &'static str,
        text: impl fmt::Display,
        close: &'static str,
    ) -> &mut Html {
        self.markup(open).text(text).markup(close)
    }

    /// The document.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Writes what it is given escaped.
struct Escape<'a>(&'a mut String);

impl fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other if is_printable(other) => self.0.push(other),
                _ => self.0.push(char::REPLACEMENT_CHARACTER),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut html = Html::default();
        html.text(text);
        html.finish()
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escaped("</p><script>alert('a & \"b\"')</script>\u{1b}[2J\u{202e}"),
            "&lt;/p&gt;&lt;script&gt;alert(&#39;a &amp; &quot;b&quot;&#39;)&lt;/script&gt;\
             \u{fffd}[2J\u{fffd}"
        );
        assert_eq!(escaped("Grüße, 東京"), "Grüße, 東京");
    }

    proptest! {
        #[test]
        fn no_text_opens_or_ends_anything(text in any::<String>()) {
            let escaped = escaped(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            // Each `&` that is left begins one of the five.
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            for (place, _) in escaped.match_indices('&') {
                let rest = &escaped[place + 1..];
                prop_assert!(known.iter().any(|name| rest.starts_with(name)), "{}", rest);
            }
        }
    }
}
