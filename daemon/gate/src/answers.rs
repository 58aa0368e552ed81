//! Clips whose words are known, and what the model heard in them.

/// Most clips of one self-test; a minute of a device's time is the most that it is worth.
pub const MAX_CLIPS: usize = 64;

/// One known clip.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// What the clip says; nothing, where the model is to hear nothing.
    pub expected: &'a str,
    /// What the model heard.
    pub heard: &'a str,
}

/// A passed self-test: the model heard in every clip exactly the words that it says. Only
/// [`KnownAnswers::check`] makes one, and the gate takes it by value, so that a test counts once.
#[derive(Debug)]
pub struct KnownAnswers {
    clips: u32,
}

impl KnownAnswers {
    /// Compares what was heard with what was expected, word by word. Case, punctuation, spaces
    /// and apostrophes make no difference; anything else does.
    ///
    /// # Errors
    ///
    /// When a clip was heard otherwise, when there are no clips or too many, or when none of them
    /// says a word, because then a model that hears nothing would pass.
    pub fn check(answers: &[Answer<'_>]) -> Result<KnownAnswers, WrongAnswer> {
        if answers.is_empty() {
            return Err(WrongAnswer::NoClips);
        }
        if answers.len() > MAX_CLIPS {
            return Err(WrongAnswer::TooManyClips {
                expected: MAX_CLIPS,
                found: answers.len(),
            });
        }
        for (clip, answer) in answers.iter().enumerate() {
            compare(clip, answer)?;
        }
        if answers
            .iter()
            .all(|answer| words(answer.expected).next().is_none())
        {
            return Err(WrongAnswer::NothingExpected);
        }
        Ok(KnownAnswers {
            clips: clip_count(answers.len()),
        })
    }

    /// Clips that were compared.
    pub fn clips(&self) -> u32 {
        self.clips
    }
}

fn compare(clip: usize, answer: &Answer<'_>) -> Result<(), WrongAnswer> {
    let (mut expected, mut heard) = (words(answer.expected), words(answer.heard));
    let mut place = 0;
    loop {
        let same = match (expected.next(), heard.next()) {
            (None, None) => return Ok(()),
            (Some(expected), Some(heard)) => letters(expected).eq(letters(heard)),
            _ => false,
        };
        if !same {
            return Err(WrongAnswer::Different {
                clip,
                place,
                expected_words: words(answer.expected).count(),
                heard_words: words(answer.heard).count(),
            });
        }
        place += 1;
    }
}

/// The words of a text: what stands between anything but letters, digits and apostrophes.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let within = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}');
    text.split(move |c| !within(c))
        .filter(|word| word.contains(char::is_alphanumeric))
}

/// The letters and digits of a word, in lower case.
fn letters(word: &str) -> impl Iterator<Item = char> {
    word.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
}

fn clip_count(clips: usize) -> u32 {
    u32::try_from(clips).unwrap_or(u32::MAX)
}

/// Why a self-test is not passed. It counts words and names none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongAnswer {
    /// Nothing was asked.
    #[error("a self-test needs at least one clip")]
    NoClips,
    /// More was asked than is reasonable.
    #[error("a self-test has at most {expected} clips, not {found}")]
    TooManyClips {
        /// Most clips.
        expected: usize,
        /// Clips that there are.
        found: usize,
    },
    /// No clip says a word.
    #[error("no clip of the self-test says a word, so a deaf model would pass")]
    NothingExpected,
    /// Other words.
    #[error(
        "clip {clip} of the self-test differs at word {place}: {expected_words} words expected, \
         {heard_words} heard"
    )]
    Different {
        /// Which clip, from zero.
        clip: usize,
        /// The first word that differs, from zero.
        place: usize,
        /// Words that the clip says.
        expected_words: usize,
        /// Words that the model heard.
        heard_words: usize,
    },
}

impl WrongAnswer {
    /// Clips up to the one that went wrong.
    pub(crate) fn clips(&self) -> u32 {
        match self {
            WrongAnswer::NoClips => 0,
            WrongAnswer::TooManyClips { found, .. } => clip_count(*found),
            WrongAnswer::NothingExpected => 1,
            WrongAnswer::Different { clip, .. } => clip_count(clip + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(expected: &str, heard: &str) -> Result<u32, WrongAnswer> {
        KnownAnswers::check(&[Answer { expected, heard }]).map(|answers| answers.clips())
    }

    #[test]
    fn writing_makes_no_difference() {
        for (expected, heard) in [
            ("Hello, world.", "hello   WORLD"),
            ("It's a well-known fact!", " its a well known fact"),
            ("\u{201c}Don\u{2019}t\u{201d}", "don't"),
            ("Chapter 12", "chapter\n12 '"),
            ("\u{c9}cole", "\u{e9}cole"),
        ] {
            assert_eq!(one(expected, heard), Ok(1), "{expected:?} {heard:?}");
        }
    }

    #[test]
    fn words_make_one_and_the_error_counts_them() {
        for (expected, heard, place, heard_words) in [
            ("one two three", "one two", 2, 2),
            ("one two three", "one two three four", 3, 4),
            ("one two three", "one too three", 1, 3),
            ("one two three", "", 0, 0),
            ("one two three", "onetwo three", 0, 2),
            ("one two three", "three two one", 0, 3),
        ] {
            let different = WrongAnswer::Different {
                clip: 0,
                place,
                expected_words: 3,
                heard_words,
            };
            assert_eq!(one(expected, heard), Err(different), "{heard:?}");
        }
    }

    #[test]
    fn silence_is_an_answer_but_not_the_only_one() {
        let silence = |heard| Answer {
            expected: "",
            heard,
        };
        let word = Answer {
            expected: "yes",
            heard: "Yes.",
        };
        assert!(KnownAnswers::check(&[silence(""), word]).is_ok());
        let error = KnownAnswers::check(&[silence("")]).unwrap_err();
        assert_eq!(error, WrongAnswer::NothingExpected);
        let error = KnownAnswers::check(&[word, silence("You")]).unwrap_err();
        assert_eq!(error.clips(), 2);
    }

    #[test]
    fn a_test_has_clips_and_not_too_many() {
        let word = Answer {
            expected: "yes",
            heard: "yes",
        };
        assert_eq!(KnownAnswers::check(&[]).unwrap_err(), WrongAnswer::NoClips);
        assert!(KnownAnswers::check(&[word; MAX_CLIPS]).is_ok());
        let error = KnownAnswers::check(&[word; MAX_CLIPS + 1]).unwrap_err();
        let expected = WrongAnswer::TooManyClips {
            expected: MAX_CLIPS,
            found: MAX_CLIPS + 1,
        };
        assert_eq!(error, expected);
    }

    proptest! {
        #[test]
        fn whatever_is_heard_passes_only_with_the_same_words(
            expected in "[a-d ]{0,12}",
            heard in "[a-dA-D ,.]{0,12}",
        ) {
            let plain = |text: &str| -> Vec<String> {
                let text = text.to_lowercase().replace([',', '.'], " ");
                text.split_whitespace().map(str::to_owned).collect()
            };
            let (left, right) = (plain(&expected), plain(&heard));
            prop_assert_eq!(one(&expected, &heard).is_ok(), left == right && !left.is_empty());
        }

        #[test]
        fn no_text_makes_it_panic(expected in "\\PC*", heard in "\\PC*") {
            let _ = one(&expected, &heard);
        }
    }
}
