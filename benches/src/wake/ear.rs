//! Listens as the live path does, and keeps the gains.

use anyhow::Result;
use earnest_package::VOICE_CARD;
use earnest_speech::{
    DecodeOptions, EngineOptions, Extent, LiveOptions, Recognizer, SegmenterEvent,
    SegmenterOptions, SoundMeasures, SpeechFinder, Spotter, Vad, Verdict, Weight,
};

use crate::bench::open_files;
use crate::places::Model;

/// Sound that goes in at once, a tenth of a second.
const BLOCK: usize = 1_600;

/// Where an open segment is looked at, in samples: about where the live path reads.
const LOOKS: [usize; 4] = [12_800, 20_800, 32_000, 48_000];

/// A recogniser, a detector and a spotter.
pub(super) struct Ear {
    recognizer: Recognizer,
    vad: Vad,
    spotter: Spotter,
    phrases: usize,
}

impl Ear {
    /// An ear for `phrases`.
    pub(super) fn new(model: Model, phrases: &[String]) -> Result<Ear> {
        let files = open_files(model.card())?;
        let recognizer = Recognizer::load(&files, &EngineOptions::default())?;
        let spotter = Spotter::new(recognizer.tokenizer(), phrases);
        Ok(Ear {
            recognizer,
            vad: Vad::load(&open_files(VOICE_CARD)?)?,
            spotter,
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
            spotter: &mut self.spotter,
            greatest: vec![None; self.phrases],
            gains: Vec::new(),
            segments: 0,
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
    spotter: &'a mut Spotter,
    /// Of the segment at hand, for each phrase.
    greatest: Vec<Option<f32>>,
    gains: Vec<(usize, f32)>,
    segments: usize,
}

impl Judged<'_> {
    fn event(&mut self, event: SegmenterEvent) -> Result<()> {
        let segment = match event {
            SegmenterEvent::Started { .. } => {
                self.spotter.begin(false);
                return Ok(());
            }
            SegmenterEvent::Ended(segment) => segment,
        };
        let measures = SoundMeasures::of(segment.sound(), &segment.probabilities);
        if measures.judge() == Verdict::Keep {
            self.look(&segment.pcm, Extent::Whole)?;
        }
        self.segments += 1;
        for (phrase, gain) in self.greatest.iter_mut().enumerate() {
            self.gains.extend(gain.take().map(|gain| (phrase, gain)));
        }
        Ok(())
    }

    fn look(&mut self, pcm: &[f32], extent: Extent) -> Result<()> {
        let encoded = self.recognizer.encode(pcm)?;
        let options = DecodeOptions::default();
        let mut decoding = self.recognizer.start(&encoded, &options);
        while decoding.step()?.is_some() {}
        let tokens = decoding.finish().tokens;
        let text = self.recognizer.tokenizer().decode(&tokens);
        let mut scorer = self.recognizer.scorer(&encoded);
        for weight in self.spotter.weigh(&mut scorer, &text, extent)? {
            let greatest = &mut self.greatest[weight.phrase];
            *greatest = Some(greatest.unwrap_or(0.0).max(weight.gain));
        }
        Ok(())
    }
}
