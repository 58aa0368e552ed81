//! Spots phrases: which of a list was said, and not a word more.
//!
//! A [`Spotter`] is asked about the segment under way whenever somebody has read a hypothesis of
//! it, and once more when the segment has ended. A phrase that wakes
//! ([`earnest_transcript::Phrase::wakes`]) may be followed by more speech, and is looked for at
//! the beginning of the segment, before its end too. Every other phrase is a command: the whole
//! segment, or all that follows a phrase that wakes.
//!
//! What the decoder writes of its own accord is a poor witness: of "hey earnest" it makes "They
//! noticed", because a name is unlikely to it whatever the sound. So the phrase is forced on it
//! (`phrase` has the spellings, `encode` their tokens), and the question is how much likelier
//! the sound makes the phrase than it is without (`evidence`). That gain needs no tuning to a
//! phrase. What the decoder writes by itself serves to choose which of many phrases are worth
//! the work, and to speak against a command (`said`): another number, a "not".
//!
//! A phrase of one short word has not much to gain, and is spotted seldom: two words and four
//! syllables are a good phrase to wake by.
//!
//! `earnest-benches wake` measures misses and false accepts over every threshold. With tiny, every
//! phrase spoken by 13 voices of machines, a third each without noise, 20 dB above it and 10 dB
//! above it, and 3.59 h in which none is said, 2.50 h of it recorded:
//!
//! | phrase | gain | missed | false accepts |
//! |---|---|---|---|
//! | "hey earnest" | 7 | 24 of 294 (8.2 %), 21 of them at 10 dB | none (95 %: below 0.84 an hour) |
//! | "okay computer" | 7 | 1 of 291 (0.3 %) | none (95 %: below 0.84 an hour) |
//! | three commands | 14 | 15 of 468 (3.2 %) | 1 (0.28 an hour) |
//!
//! Of the phrases that wake, 2.1 % are missed from a gain of 5, where two false accepts are left,
//! and 11.6 % from one of 10; 7 is nearly as high as misses of at most 10 % of the worse one
//! allow. It was chosen on the first quarter of these sounds. Over 95 recorded prompts in five
//! languages the third greatest gain of each of twenty
//! phrases is 2.6 in the mean, with a standard deviation of 1.7; the worst, "dear machine", has
//! 7.8: a phrase is tried before it is relied on. What sounds like a phrase is often taken for it:
//! "hey artist" wakes as "hey earnest" does.

mod babble;
mod encode;
mod evidence;
mod phrase;
mod said;
#[cfg(test)]
mod tests;

use crate::{SpeechError, Tokenizer};

use encode::Encoder;
use evidence::Evidence;
use phrase::Phrase;
use said::Said;

/// Tokens that one look may force on the decoder, which bounds its work: a tenth of a second
/// of one core with tiny. Three phrases that wake take about thirty, a command eight.
const MOST_TOKENS: usize = 96;

/// Commands that one look weighs: the nearest by what the decoder wrote.
const MOST_COMMANDS: usize = 6;

/// Looks at one segment before its end; what begins a segment has been looked at well by then.
const MOST_LOOKS: usize = 6;

/// Letters that the decoder writes behind a phrase before it is spotted in a segment that is
/// open. A word that is still being said may become another one.
const LETTERS_BEHIND: usize = 4;

/// Scores a text against the segment at hand, which was encoded once.
/// [`crate::Recognizer::scorer`] makes one with the model; tests put a script in its place.
pub trait Score {
    /// The natural logarithm of the probability of each of `tokens`, given those before it, and
    /// last that the text ends behind them: one more than `tokens`. Negative infinity from where
    /// the sound is too short for so long a text.
    ///
    /// # Errors
    /// When the decoder fails, which is a fault of this program or of the machine.
    fn score(&mut self, tokens: &[u32]) -> Result<Vec<f32>, SpeechError>;

    /// The same for each of `texts` over [`nothing_said`] in place of the segment: how likely
    /// the decoder holds them whatever it hears. Asked once a text.
    ///
    /// # Errors
    /// As [`Self::score`].
    fn unheard(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, SpeechError>;
}

/// Six seconds of a voice that says no word: long enough for the longest phrase, and always the
/// same.
pub fn nothing_said() -> Vec<f32> {
    babble::babble(6 * crate::SAMPLE_RATE as usize)
}

/// How much of the segment was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It is open: more speech may come.
    SoFar,
    /// It is over.
    Whole,
    /// It was cut because it was full: what was being said goes on in the next segment.
    Cut,
}

/// What speaks for a phrase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight {
    /// Its place in the list.
    pub phrase: usize,
    /// What the sound adds to the natural logarithm of its probability: zero where anything
    /// speaks against it, or another phrase fits as well.
    pub gain: f32,
    /// The gain from which on it is spotted.
    pub threshold: f32,
}

impl Weight {
    /// [`Self::threshold`] of a phrase that wakes.
    pub const WAKES: f32 = evidence::WAKES;

    /// [`Self::threshold`] of a command.
    pub const COMMANDS: f32 = evidence::COMMANDS;
}

/// Looks for a list of phrases in one segment after the other.
pub struct Spotter {
    phrases: Vec<Phrase>,
    segment: Segment,
}

/// What is known of the segment at hand.
#[derive(Default)]
struct Segment {
    /// It goes on where another was cut.
    goes_on: bool,
    looks: usize,
    /// Phrases told already, by their places.
    told: Vec<usize>,
    /// The phrase that woke, and which of its spellings fits best.
    woken: Option<(usize, usize)>,
}

impl std::fmt::Debug for Spotter {
    /// Phrases are somebody's words.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Spotter({} phrases)", self.phrases.len())
    }
}

impl Spotter {
    /// A spotter of `phrases`, whose places in the list are what it answers. A phrase without a
    /// letter or digit, or one that the vocabulary cannot write, is never found. A caller bounds
    /// the list and its phrases.
    pub fn new(tokenizer: &Tokenizer, phrases: &[earnest_transcript::Phrase]) -> Spotter {
        let phrases = match phrases {
            [] => Vec::new(),
            phrases => {
                let encoder = Encoder::new(tokenizer);
                let phrases = phrases.iter().enumerate();
                let phrases =
                    phrases.filter_map(|(place, phrase)| Phrase::new(place, phrase, &encoder));
                phrases.collect()
            }
        };
        Spotter {
            phrases,
            segment: Segment::default(),
        }
    }

    /// Whether there is nothing to look for, so that nobody needs to ask.
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// A segment begins. `goes_on` where the one before was cut because it was full: no phrase
    /// begins here then.
    pub fn begin(&mut self, goes_on: bool) {
        self.segment = Segment {
            goes_on,
            ..Segment::default()
        };
    }

    /// The phrases that the segment turned out to hold since the last time this was asked, each
    /// told once a segment. `text` is what the recogniser read in as much of the segment as was
    /// heard, which may be nothing, and `scorer` scores that same sound.
    ///
    /// # Errors
    /// As [`Score::score`].
    pub fn judge(
        &mut self,
        scorer: &mut dyn Score,
        text: &str,
        extent: Extent,
    ) -> Result<Vec<usize>, SpeechError> {
        let weights = self.weigh(scorer, text, extent)?;
        let spotted = weights
            .into_iter()
            .filter(|weight| weight.gain >= weight.threshold)
            .map(|weight| weight.phrase)
            .filter(|phrase| !self.segment.told.contains(phrase))
            .collect::<Vec<_>>();
        self.segment.told.extend(&spotted);
        Ok(spotted)
    }

    /// What [`Self::judge`] judges by, for who measures it: the weight of every phrase that was
    /// worth the work, those that wake first.
    ///
    /// # Errors
    /// As [`Score::score`].
    pub fn weigh(
        &mut self,
        scorer: &mut dyn Score,
        text: &str,
        extent: Extent,
    ) -> Result<Vec<Weight>, SpeechError> {
        if self.segment.goes_on {
            return Ok(Vec::new());
        }
        if extent == Extent::SoFar {
            self.segment.looks += 1;
            if self.segment.looks > MOST_LOOKS {
                return Ok(Vec::new());
            }
        }
        let said = Said::of(text);
        let mut tokens = MOST_TOKENS;
        let mut weights = self.wakes(scorer, &said, extent, &mut tokens)?;
        if extent == Extent::Whole {
            weights.extend(self.commands(scorer, &said, &mut tokens)?);
        }
        Ok(weights)
    }

    /// Weighs the phrases that wake.
    fn wakes(
        &mut self,
        scorer: &mut dyn Score,
        said: &Said,
        extent: Extent,
        tokens: &mut usize,
    ) -> Result<Vec<Weight>, SpeechError> {
        let open = extent == Extent::SoFar;
        let ready = |phrase: &Phrase| {
            phrase.wakes
                && !self.segment.told.contains(&phrase.place)
                && (!open || said.letters() >= phrase.letters.len() + LETTERS_BEHIND)
        };
        let mut near = nearest(&self.phrases, ready, |phrase| {
            said.begins_like(&phrase.letters)
        });
        within(tokens, &mut near, |index| self.phrases[index].tokens());
        let mut weights = Vec::new();
        let mut best = evidence::WAKES;
        for index in near {
            let phrase = &mut self.phrases[index];
            phrase.ask_unheard(scorer)?;
            let found = phrase.heard(scorer, Phrase::SPOKEN)?;
            let gain = found.map_or(0.0, |(_, evidence)| {
                evidence.gain_if(0.0, evidence::LEAST_LOSS)
            });
            if let (Some((spelling, _)), true) = (found, gain >= best) {
                best = gain;
                self.segment.woken = Some((index, spelling));
            }
            weights.push(Weight {
                phrase: phrase.place,
                gain,
                threshold: evidence::WAKES,
            });
        }
        Ok(weights)
    }

    /// Weighs the commands against all of the segment, or what follows the phrase that woke.
    fn commands(
        &mut self,
        scorer: &mut dyn Score,
        said: &Said,
        tokens: &mut usize,
    ) -> Result<Vec<Weight>, SpeechError> {
        let woken = self.segment.woken;
        let opening = woken.map(|(index, spelling)| {
            let phrase = &self.phrases[index];
            (
                phrase.place,
                phrase.letters.len(),
                phrase.spellings[spelling].opening(),
            )
        });
        let before = opening.as_ref().map_or(0, |(_, letters, _)| *letters);
        let ready = |phrase: &Phrase| !phrase.wakes && said.may_be(&phrase.letters, before);
        let mut near = nearest(&self.phrases, ready, |phrase| {
            said.ends_like(&phrase.letters, before)
        });
        near.truncate(MOST_COMMANDS);
        within(tokens, &mut near, |index| {
            let opening = opening.as_ref().map_or(0, |(_, _, tokens)| tokens.len());
            self.phrases[index].tokens() + opening
        });
        let mut found: Vec<(usize, Evidence)> = Vec::new();
        for index in near {
            let phrase = &mut self.phrases[index];
            let evidence = match &opening {
                None => {
                    phrase.ask_unheard(scorer)?;
                    phrase
                        .heard(scorer, Phrase::ENDED)?
                        .map(|(_, evidence)| evidence)
                }
                Some((place, _, tokens)) => phrase.heard_after(scorer, *place, tokens)?,
            };
            found.extend(evidence.map(|evidence| (index, evidence)));
        }
        Ok(self.only_one(found, said))
    }

    /// The weights of commands: of two that fit about as well none is spotted, and of others the
    /// one that fits best.
    fn only_one(&self, mut found: Vec<(usize, Evidence)>, said: &Said) -> Vec<Weight> {
        found.sort_by(|(_, one), (_, other)| other.heard.total_cmp(&one.heard));
        let second = found
            .get(1)
            .map_or(f32::NEG_INFINITY, |(_, evidence)| evidence.heard);
        let weigh = |(rank, (index, evidence)): (usize, &(usize, Evidence))| {
            let phrase = &self.phrases[*index];
            let alone = rank == 0 && evidence.heard - second >= evidence::LEAST_LEAD;
            let stands = alone && !said.contradicts(&phrase.signs);
            Weight {
                phrase: phrase.place,
                gain: match stands {
                    true => evidence
                        .gain_if(evidence::LEAST_COMMAND_SHARE, evidence::LEAST_COMMAND_LOSS),
                    false => 0.0,
                },
                threshold: evidence::COMMANDS,
            }
        };
        found.iter().enumerate().map(weigh).collect()
    }
}

/// The places of the phrases that are `ready`, the nearest first.
fn nearest(
    phrases: &[Phrase],
    ready: impl Fn(&Phrase) -> bool,
    likeness: impl Fn(&Phrase) -> f32,
) -> Vec<usize> {
    let mut near: Vec<(usize, f32)> = phrases
        .iter()
        .enumerate()
        .filter(|(_, phrase)| ready(phrase))
        .map(|(index, phrase)| (index, likeness(phrase)))
        .collect();
    near.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    near.into_iter().map(|(index, _)| index).collect()
}

/// Keeps of `near` what `tokens` are left for, and takes them.
fn within(tokens: &mut usize, near: &mut Vec<usize>, takes: impl Fn(usize) -> usize) {
    near.retain(|index| match tokens.checked_sub(takes(*index)) {
        Some(left) => {
            *tokens = left;
            true
        }
        None => false,
    });
}
