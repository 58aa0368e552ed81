//! The words alone: the segments of a file on one line, which ends when the file does.
//!
//! A file without speech gives nothing at all, not even the end of a line.

use super::{Ending, Format, Segment};

/// Writes each segment as soon as it is known.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// Whether the present line has words.
    begun: bool,
}

impl Format for Text {
    fn begin(&mut self, _file: &str, _out: &mut String) {
        self.begun = false;
    }

    fn segment(&mut self, segment: Segment, out: &mut String) {
        if segment.text.is_empty() {
            return;
        }
        if std::mem::replace(&mut self.begun, true) {
            out.push(' ');
        }
        out.push_str(&segment.text);
    }

    fn end(&mut self, _ending: Ending, out: &mut String) {
        if std::mem::take(&mut self.begun) {
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{failed, file, segment, write};

    #[test]
    fn segments_share_a_line_and_files_do_not() {
        let files = [
            file(
                "a.wav",
                vec![segment(0, 900, "One."), segment(900, 1800, "Two.")],
            ),
            file("quiet.wav", vec![]),
            file("b.wav", vec![segment(0, 900, "Three.")]),
        ];
        assert_eq!(write(&mut Text::default(), &files), "One. Two.\nThree.\n");
    }

    #[test]
    fn what_was_read_of_a_broken_file_ends_its_line() {
        let files = [failed("a.wav", vec![segment(0, 900, "One.")])];
        assert_eq!(write(&mut Text::default(), &files), "One.\n");
    }
}
