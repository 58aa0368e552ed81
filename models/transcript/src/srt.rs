//! SubRip: numbered cues with times, as players know it (there is no standard).

use std::fmt::Write;

use super::cues::{Cue, cues};
use super::{Ending, Format, Segment};

/// Writes cues as their segments end. The numbers start again with each file.
#[derive(Debug, Default)]
pub(super) struct Srt {
    number: usize,
}

impl Format for Srt {
    fn begin(&mut self, _file: &str, _out: &mut String) {
        self.number = 0;
    }

    fn segment(&mut self, segment: Segment, out: &mut String) {
        for cue in cues(&segment) {
            self.number += 1;
            push_cue(self.number, &cue, out);
        }
    }

    fn end(&mut self, _ending: Ending, _out: &mut String) {}
}

fn push_cue(number: usize, cue: &Cue, out: &mut String) {
    let (start, end) = (cue.start.clock(','), cue.end.clock(','));
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{number}\n{start} --> {end}");
    for line in &cue.lines {
        // The arrow is what a reader finds cues by, and there is no way to escape it.
        out.push_str(&line.replace("-->", "-- >"));
        out.push('\n');
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, segment, write};

    #[test]
    fn cues_are_numbered_and_timed() {
        let files = [file(
            "a.wav",
            vec![
                segment(1_230, 2_050, "Hello, world."),
                segment(3_600_000, 3_601_500, "An hour later."),
            ],
        )];
        assert_eq!(
            write(&mut Srt::default(), &files),
            "1\n00:00:01,230 --> 00:00:02,050\nHello, world.\n\n\
             2\n01:00:00,000 --> 01:00:01,500\nAn hour later.\n\n"
        );
    }

    #[test]
    fn numbers_start_again_with_each_file() {
        let one = || file("a.wav", vec![segment(0, 1000, "One.")]);
        let written = write(&mut Srt::default(), &[one(), one()]);
        assert_eq!(written.matches("1\n00:00:00,000 -->").count(), 2);
    }

    #[test]
    fn an_arrow_in_the_text_is_none_to_a_reader() {
        let files = [file("a.wav", vec![segment(0, 1000, "a --> b ---> c")])];
        let written = write(&mut Srt::default(), &files);
        assert_eq!(written.matches("-->").count(), 1, "{written}");
        assert!(written.contains("a -- > b --- > c"), "{written}");
    }

    #[test]
    fn silence_gives_nothing() {
        assert_eq!(write(&mut Srt::default(), &[file("a.wav", vec![])]), "");
    }
}
