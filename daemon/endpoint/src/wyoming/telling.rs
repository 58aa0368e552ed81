//! The transcript of an utterance, as it comes to be.

use earnest_wyoming::Reply;

use crate::growth::Growth;
use crate::work::News;

/// The language of the model, as the protocol names it.
pub(crate) const LANGUAGE: &str = "en";

/// Turns news into replies.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    text: Growth,
    has_begun: bool,
}

impl Telling {
    /// What one piece of news is told as, and whether it was the last.
    pub(crate) fn hear(&mut self, news: News) -> (Vec<Reply>, bool) {
        let mut replies = Vec::new();
        match news {
            News::Partial(partial) => self.grow(&partial.stable, &mut replies),
            News::Segment(segment) => {
                self.grow(&segment.text, &mut replies);
                self.text.part();
            }
            // An utterance that came to nothing leaves nothing to go on with.
            News::Stopped(_) => self.text.part(),
            News::Speech(_) | News::Activity(..) => {}
            News::End(_) => {
                self.begin(&mut replies);
                replies.push(Reply::Transcript {
                    text: self.text.told().to_owned(),
                    language: LANGUAGE.to_owned(),
                });
                replies.push(Reply::TranscriptStop);
                return (replies, true);
            }
        }
        (replies, false)
    }

    fn grow(&mut self, text: &str, replies: &mut Vec<Reply>) {
        if let Some(text) = self.text.grow(text) {
            self.begin(replies);
            replies.push(Reply::TranscriptChunk { text });
        }
    }

    fn begin(&mut self, replies: &mut Vec<Reply>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            replies.push(Reply::TranscriptStart {
                language: LANGUAGE.to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use earnest_channel::{Partial, Report};
    use earnest_transcript::{Milliseconds, Segment};

    use super::*;

    fn partial(stable: &str) -> News {
        News::Partial(Partial {
            start: Milliseconds(0),
            at: Milliseconds(100),
            stable: stable.to_owned(),
            tentative: " and more".to_owned(),
        })
    }

    fn segment(text: &str) -> News {
        News::Segment(Segment {
            start: Milliseconds(0),
            end: Milliseconds(200),
            text: text.to_owned(),
            tokens: Vec::new(),
            avg_logprob: -0.25,
            compression_ratio: 1.0,
            no_speech_prob: 0.0,
            words: Vec::new(),
        })
    }

    fn end() -> News {
        News::End(Report {
            samples: 3_200,
            speech: 0,
            skipped: 0,
            flaw: None,
            shape: None,
        })
    }

    /// The events' kinds and texts.
    fn run(news: Vec<News>) -> Vec<String> {
        let mut telling = Telling::default();
        let mut all = Vec::new();
        for news in news {
            let is_end = matches!(news, News::End(_));
            let (replies, is_last) = telling.hear(news);
            assert_eq!(is_last, is_end);
            all.extend(replies);
        }
        let show = |reply: &Reply| {
            let event = reply.event();
            let text = event.data.get("text").and_then(|text| text.as_str());
            match text {
                Some(text) => format!("{} {text}", event.kind),
                None => event.kind,
            }
        };
        all.iter().map(show).collect()
    }

    #[test]
    fn chunks_make_up_the_transcript_and_hold_nothing_tentative() {
        let at = Milliseconds(0);
        let told = run(vec![
            News::Speech(at),
            partial(""),
            partial("Turn"),
            partial("Turn the"),
            segment("Turn the light on."),
            News::Stopped(at),
            News::Speech(at),
            segment("Please."),
            News::Stopped(at),
            end(),
        ]);
        let expected = [
            "transcript-start",
            "transcript-chunk Turn",
            "transcript-chunk  the",
            "transcript-chunk  light on.",
            "transcript-chunk  Please.",
            "transcript Turn the light on. Please.",
            "transcript-stop",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn nothing_said_is_an_empty_transcript() {
        let expected = ["transcript-start", "transcript ", "transcript-stop"];
        assert_eq!(run(vec![end()]), expected);
    }
}
