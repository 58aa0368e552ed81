//! A voice that says no word.
//!
//! What the decoder holds a phrase for without having heard it depends on whether it hears
//! anybody: over silence it expects no text at all, so that any speech whatever would speak for
//! any phrase, and for one more than for another ("okay" begins what it cannot make out). So it is
//! asked over speech without words: the sum of a source, pulses in turn with noise, sent through
//! three resonators in cascade whose frequencies are drawn anew every tenth of a second (Klatt,
//! "Software for a cascade/parallel formant synthesizer", 1980). Nothing in it is drawn from
//! anybody's voice, and it is the same each time.

use crate::SAMPLE_RATE;

/// Samples of one sound of the voice, the length of a short vowel.
const SOUND: usize = SAMPLE_RATE as usize / 10;

/// Samples between two moves of the voice: 5 ms.
const MOVE: usize = SAMPLE_RATE as usize / 200;

/// Hertz of the three resonances, of vowels and of what lies between them (Peterson and Barney,
/// "Control Methods Used in a Study of the Vowels", 1952), and their widths.
const RESONANCES: [(f32, f32); 3] = [(250.0, 850.0), (850.0, 2_300.0), (2_300.0, 3_200.0)];
const WIDTHS: [f32; 3] = [70.0, 100.0, 150.0];

/// Hertz of the pitch.
const PITCHES: (f32, f32) = (90.0, 220.0);

/// The least and the greatest level of a sound of noise beside one of pulses.
const NOISES: (f32, f32) = (0.05, 0.3);

/// A pulse, noise where no pulses are, and noise everywhere, before the resonators.
const PULSE: f32 = 8.0;
const HISS: f32 = 0.3;
const BREATH: f32 = 0.01;

/// The root of the mean square of it all: -22 dB, as loud as recordings are.
const LEVEL: f32 = 0.08;

/// So many samples of the voice.
pub(super) fn babble(samples: usize) -> Vec<f32> {
    let mut chance = Chance(1);
    let mut voice = Voice::default();
    let mut pcm = Vec::with_capacity(samples.next_multiple_of(SOUND));
    let mut from = Shape::drawn(&mut chance, true);
    for sound in 1..=samples.div_ceil(SOUND) {
        let to = Shape::drawn(&mut chance, sound.is_multiple_of(2));
        for start in (0..SOUND).step_by(MOVE) {
            // It stays for half of the sound, and goes on to the next in the other.
            let way = (2.0 * start as f32 / SOUND as f32 - 1.0).max(0.0);
            voice.speak(&from.toward(&to, way), &mut chance, &mut pcm);
        }
        from = to;
    }
    pcm.truncate(samples);
    let square: f32 = pcm.iter().map(|sample| sample * sample).sum();
    let loudness = (square / samples.max(1) as f32)
        .sqrt()
        .max(f32::MIN_POSITIVE);
    for sample in &mut pcm {
        *sample = (*sample * LEVEL / loudness).clamp(-1.0, 1.0);
    }
    pcm
}

/// How the mouth stands.
struct Shape {
    resonances: [f32; 3],
    pitch: f32,
    level: f32,
    /// One where there are pulses, none where there is noise.
    voiced: f32,
}

impl Shape {
    fn drawn(chance: &mut Chance, voiced: bool) -> Shape {
        Shape {
            resonances: RESONANCES.map(|range| chance.within(range)),
            pitch: chance.within(PITCHES),
            level: match voiced {
                true => 1.0,
                false => chance.within(NOISES),
            },
            voiced: f32::from(u8::from(voiced)),
        }
    }

    /// The shape on the `way`, in 0..=1, to `other`.
    fn toward(&self, other: &Shape, way: f32) -> Shape {
        let between = |one: f32, two: f32| one + way * (two - one);
        let resonances = [0, 1, 2].map(|at| between(self.resonances[at], other.resonances[at]));
        Shape {
            resonances,
            pitch: between(self.pitch, other.pitch),
            level: between(self.level, other.level),
            voiced: between(self.voiced, other.voiced),
        }
    }
}

/// What sounds.
#[derive(Default)]
struct Voice {
    /// Where between two pulses, in 0..1.
    phase: f32,
    /// What each resonator gave last, and before that.
    last: [(f32, f32); 3],
}

impl Voice {
    /// Appends one [`MOVE`].
    fn speak(&mut self, shape: &Shape, chance: &mut Chance, pcm: &mut Vec<f32>) {
        let rate = SAMPLE_RATE as f32;
        let pi = std::f32::consts::PI;
        let tuned = [0, 1, 2].map(|at| {
            let radius = (-pi * WIDTHS[at] / rate).exp();
            let turn = 2.0 * radius * (2.0 * pi * shape.resonances[at] / rate).cos();
            (turn, radius * radius)
        });
        for _ in 0..MOVE {
            self.phase += shape.pitch / rate;
            let mut source = chance.noise() * ((1.0 - shape.voiced) * HISS + BREATH);
            if self.phase >= 1.0 {
                self.phase -= 1.0;
                source += shape.voiced * PULSE;
            }
            for ((last, before), (turn, square)) in self.last.iter_mut().zip(tuned) {
                source = (1.0 - turn + square) * source + turn * *last - square * *before;
                (*last, *before) = (source, *last);
            }
            pcm.push(source * shape.level);
        }
    }
}

/// The generator of Numerical Recipes (Press et al.); a decoder hears no pattern in it.
struct Chance(u32);

impl Chance {
    /// A number in 0..=1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 as f32 / u32::MAX as f32
    }

    fn within(&mut self, (least, most): (f32, f32)) -> f32 {
        least + self.next() * (most - least)
    }

    /// The sum of three numbers is nearly normal; its variance is one.
    fn noise(&mut self) -> f32 {
        2.0 * (self.next() + self.next() + self.next() - 1.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_long_as_asked_for_as_loud_as_speech_and_the_same_each_time() {
        for samples in [0, 1, 16_000, 96_001] {
            let pcm = babble(samples);
            assert_eq!(pcm.len(), samples);
            assert_eq!(pcm, babble(samples));
            assert!(pcm.iter().all(|sample| sample.abs() <= 1.0));
        }
        let pcm = babble(96_000);
        let square: f32 = pcm.iter().map(|sample| sample * sample).sum();
        let level = (square / pcm.len() as f32).sqrt();
        assert!((0.07..0.09).contains(&level), "{level}");
    }

    #[test]
    fn it_is_no_steady_sound() {
        let pcm = babble(96_000);
        let levels = pcm.chunks(SOUND).map(|sound| {
            let square: f32 = sound.iter().map(|sample| sample * sample).sum();
            (square / sound.len() as f32).sqrt()
        });
        let levels: Vec<f32> = levels.collect();
        let loud = levels.iter().filter(|level| **level > 0.06).count();
        let quiet = levels.iter().filter(|level| **level < 0.04).count();
        assert!(loud >= 15 && quiet >= 5, "{levels:?}");
    }
}
