//! WebVTT (W3C, "WebVTT: The Web Video Text Tracks Format").

use std::fmt::Write;

use super::cues::{Cue, cues};
use super::{Ending, Format, Segment};

/// Writes cues as their segments end. Each file begins with a header of its own.
#[derive(Debug, Default)]
pub(super) struct Vtt;

impl Format for Vtt {
    fn begin(&mut self, _file: &str, out: &mut String) {
        out.push_str("WEBVTT\n\n");
    }

    fn segment(&mut self, segment: Segment, out: &mut String) {
        for cue in cues(&segment) {
            push_cue(&cue, out);
        }
    }

    fn end(&mut self, _ending: Ending, _out: &mut String) {}
}

fn push_cue(cue: &Cue, out: &mut String) {
    let (start, end) = (cue.start.clock('.'), cue.end.clock('.'));
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{start} --> {end}");
    for line in &cue.lines {
        for character in line.chars() {
            match character {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                other => out.push(other),
            }
        }
        out.push('\n');
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file, segment, write};

    #[test]
    fn a_header_and_timed_cues() {
        let files = [file("a.wav", vec![segment(1_230, 2_050, "Hello, world.")])];
        assert_eq!(
            write(&mut Vtt, &files),
            "WEBVTT\n\n00:00:01.230 --> 00:00:02.050\nHello, world.\n\n"
        );
    }

    #[test]
    fn marks_with_a_meaning_are_escaped() {
        let files = [file("a.wav", vec![segment(0, 1000, "a --> b <i>&amp;")])];
        let written = write(&mut Vtt, &files);
        assert!(
            written.ends_with("\na --&gt; b &lt;i&gt;&amp;amp;\n\n"),
            "{written}"
        );
    }

    #[test]
    fn a_second_file_has_a_header_of_its_own() {
        let files = [
            file("a.wav", vec![segment(0, 9, "One.")]),
            file("b.wav", vec![]),
        ];
        assert_eq!(
            write(&mut Vtt, &files),
            "WEBVTT\n\n00:00:00.000 --> 00:00:00.009\nOne.\n\nWEBVTT\n\n"
        );
    }
}
