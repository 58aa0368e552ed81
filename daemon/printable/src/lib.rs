//! Strangers' words, shown so that they can move no cursor and turn no line around.
//!
//! Names of files, texts of decoders, event data of firmware and transcripts are written by
//! whoever wants to. Everything that shows them to a person shows them through here.
//!
//! ```
//! assert_eq!(earnest_printable::printable("a\u{1b}[2J"), "a\u{fffd}[2J");
//! ```

/// Whether `character` shows a mark or a space and does nothing else.
pub fn is_printable(character: char) -> bool {
    let invisible = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !character.is_control() && !invisible
}

/// `text` with what is not printable replaced.
pub fn printable(text: &str) -> String {
    let shown = |character| match is_printable(character) {
        true => character,
        false => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(shown).collect()
}

/// An error and its causes, on one line of printable text.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        // Some errors already say their cause.
        if !message.contains(&reason) {
            message.push_str(": ");
            message.push_str(&reason);
        }
        cause = error.source();
    }
    printable(&message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_is_shown() {
        assert_eq!(
            printable("a\u{1b}[2J\r\n\u{9b}é\u{202e}"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}é\u{fffd}"
        );
    }

    #[test]
    fn text_of_any_script_stays_as_it_is() {
        let text = "Grüße, 東京 – “so” 3 ≤ 4 😀";
        assert_eq!(printable(text), text);
    }

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("inner"));
        assert_eq!(describe(&error), "outer: inner");
    }
}
