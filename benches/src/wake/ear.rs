//! Listens as the live path does, and keeps the gains.

use anyhow::Result;
use earnest_package::VOICE_CARD;
use earnest_speech::{
    Boundary, DecodeOptions, EngineOptions, Extent, LiveOptions, Recognizer, SegmenterEvent,
    SegmenterOptions, SoundMeasures, SpeechFinder, Spotter, Tokenizer, Vad, Verdict, Weight,
};
use earnest_transcript::Phrase;

use crate::bench::open_files;
use crate::places::Model;

/// Sound that goes in at once, a tenth of a second.
const BLOCK: usize = 1_600;

/// Where an open segment is looked at, in samples: about where the live path reads.
const LOOKS: [usize; 4] = [12_800, 20_800, 32_000, 48_000];

/// Letters of what is read in a segment, and tokens from one count of them to the next. So long a
/// text is none of the phrases and compared with none, so what would follow changes no gain; to
/// read it would take most of the time.
const MOST_LETTERS: usize = 100;
const BETWEEN_COUNTS: usize = 6;

/// A recogniser, a detector and a spotter.
pub(super) struct Ear {
    recognizer: Recognizer,
    vad: Vad,
    tokenizer: Tokenizer,
    spotter: Spotter,
    phrases: usize,
}

impl Ear {
    /// An ear for `phrases`.
    pub(super) fn new(model: Model, phrases: &[Phrase]) -> Result<Ear> {
        let files = open_files(model.card())?;
        let recognizer = Recognizer::load(&files, &EngineOptions::default())?;
        let tokenizer = recognizer.tokenizer().clone();
        Ok(Ear {
            spotter: Spotter::new(&tokenizer, phrases),
            recognizer,
            tokenizer,
            vad: Vad::load(&open_files(VOICE_CARD)?)?,
            phrases: phrases.len(),
        })
    }

    /// The gain from which on the product spots a phrase.
    pub(super) fn threshold(wakes: bool) -> f32 {
        match wakes {
            true => Weight::WAKES,
            false => Weight::COMMANDS,
        }
    }

    /// The segments of `pcm`, and for each of them and each phrase that was weighed the greatest
    /// gain.
    pub(super) fn hear(&mut self, pcm: &[f32]) -> Result<(usize, Vec<(usize, f32)>)> {
        let config = SegmenterOptions {
            endpoint_silence: LiveOptions::default().silence,
            ..SegmenterOptions::default()
        };
        let mut judged = Judged {
            recognizer: &mut self.recognizer,
            tokenizer: &self.tokenizer,
            spotter: &mut self.spotter,
            greatest: vec![None; self.phrases],
            gains: Vec::new(),
            segments: 0,
            cut: None,
            goes_on: false,
        };
        let mut finder = SpeechFinder::new(&mut self.vad, config.check()?);
        let mut looks = 0;
        for block in pcm.chunks(BLOCK) {
            for event in finder.push(block)? {
                looks = 0;
                judged.event(event)?;
            }
            if let Some(open) = finder.open()
                && LOOKS.get(looks).is_some_and(|look| open.pcm.len() >= *look)
            {
                looks += 1;
                judged.look(open.pcm, Extent::SoFar)?;
            }
        }
        for event in finder.finish()? {
            judged.event(event)?;
        }
        Ok((judged.segments, judged.gains))
    }
}

/// What was judged of one sound.
struct Judged<'a> {
    recognizer: &'a mut Recognizer,
    tokenizer: &'a Tokenizer,
    spotter: &'a mut Spotter,
    /// Of the segment at hand, for each phrase.
    greatest: Vec<Option<f32>>,
    gains: Vec<(usize, f32)>,
    segments: usize,
    /// Where the segment before was cut, if it was, because it was full.
    cut: Option<u64>,
    /// Whether the segment at hand goes on where that one was cut: nothing is looked for in it.
    goes_on: bool,
}

impl Judged<'_> {
    fn event(&mut self, event: SegmenterEvent) -> Result<()> {
        let segment = match event {
            SegmenterEvent::Started { at } => {
                self.goes_on = self.cut == Some(at);
                self.spotter.begin(self.goes_on);
                return Ok(());
            }
            SegmenterEvent::Ended(segment) => segment,
        };
        self.cut = (segment.boundary == Boundary::Limit).then_some(segment.end);
        let extent = match self.cut {
            Some(_) => Extent::Cut,
            None => Extent::Whole,
        };
        let measures = SoundMeasures::of(segment.sound(), &segment.probabilities);
        if measures.judge() == Verdict::Keep {
            self.look(&segment.pcm, extent)?;
        }
        self.segments += 1;
        for (phrase, gain) in self.greatest.iter_mut().enumerate() {
            self.gains.extend(gain.take().map(|gain| (phrase, gain)));
        }
        Ok(())
    }

    fn look(&mut self, pcm: &[f32], extent: Extent) -> Result<()> {
        if self.goes_on {
            return Ok(());
        }
        let encoded = self.recognizer.encode(pcm)?;
        let options = DecodeOptions::default();
        let mut decoding = self.recognizer.start(&encoded, &options);
        let mut tokens = Vec::new();
        while let Some(step) = decoding.step()?
            && !step.end
        {
            tokens.push(step.token);
            if tokens.len().is_multiple_of(BETWEEN_COUNTS)
                && letters(&self.tokenizer.decode(&tokens)) > MOST_LETTERS
            {
                break;
            }
        }
        let text = self.tokenizer.decode(&tokens);
        let mut scorer = self.recognizer.scorer(&encoded);
        for weight in self.spotter.weigh(&mut scorer, &text, extent)? {
            let greatest = &mut self.greatest[weight.phrase];
            *greatest = Some(greatest.unwrap_or(0.0).max(weight.gain));
        }
        Ok(())
    }
}

fn letters(text: &str) -> usize {
    text.chars()
        .filter(|character| character.is_alphanumeric())
        .count()
}
