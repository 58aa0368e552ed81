//! By what a sound that is played again is known.
//!
//! A replay is seldom the same bytes: it is a little louder, a little noisier, cut a few
//! milliseconds otherwise, written in another format. What stays is the course of its loudness.
//! The shape is 64 signs of that course: as many random directions, and on which side of each
//! it lies (M. Charikar, "Similarity Estimation Techniques from Rounding Algorithms", STOC 2002,
//! section 3). Two courses with an angle θ between them differ in about 64 θ / π bits: a
//! repeat in few, a stranger in about 32.
//!
//! The course is a curve of [`BANDS`] points over the time from the first loud moment to the
//! last, so silence before and after is no part of it, and neither are level and rate. Nobody
//! can have words or a voice from 64 signs of it.
//!
//! Of 192 recorded sentences of one speaker, 2 s and longer, 99 % differ in no bit from
//! themselves 12 dB quieter or with half a second of silence at either end, in 4 at most with
//! 50 ms cut off, in 6 at most with noise 20 dB below them or clipped at twice their level, in 5
//! at most played 2 % faster. Of 18,336 pairs of different ones, 1 in 20,000 differs in 6 bits or
//! fewer, 1 % in 15 or fewer. What is further off is not found: of copies in noise 10 dB below
//! half differ in more than 5 bits, of those that lack 200 ms at either end half in more than 7.
//!
//! Nothing is kept but the energy of at most [`MOST_CELLS`] stretches of equal length, which
//! double where the sound goes on.

/// Samples of the shortest stretch: 10 ms.
const CELL: u64 = 160;

/// Stretches that are kept at most: 8 KiB. 20 s of sound have them at their shortest.
const MOST_CELLS: usize = 2_048;

/// Points of the curve. Their number is that of the bits only because a word has as many.
const BANDS: usize = 64;

/// Stretches over which loudness is taken at one time: a click is no loud moment.
const MOMENT: usize = 5;

/// Least energy of the loudest moment: -70 dB of full scale, below any microphone's noise.
const LEAST_PEAK: f64 = 1e-7;

/// Which part of the loudest moment's energy a loud one has at least: -15 dB, above the noise
/// of a recording that can be understood.
const LOUD: f64 = 3e-2;

/// How far below the loudest moment the curve ends: -20 dB. What noise does is below that.
const FLOOR: f64 = 1e-2;

/// How far a point of the curve looks to either side, in points: what is cut off shifts the
/// others, and they overlap so that a shift moves little.
const REACH: f64 = 2.5;

/// Least standard deviation of the curve, in decades: noise, tones and hum have no course to
/// be known by, and chance would decide about each sign.
const LEAST_SPREAD: f64 = 0.1;

/// Takes a sound's shape as it streams by.
#[derive(Debug)]
pub(crate) struct Shaper {
    /// Mean energy of each stretch that is over.
    cells: Vec<f32>,
    /// Samples of a stretch.
    length: u64,
    /// Samples of the stretch at hand, and the sum of their squares.
    filled: u64,
    energy: f64,
}

impl Shaper {
    pub(crate) fn new() -> Shaper {
        Shaper {
            cells: Vec::with_capacity(MOST_CELLS),
            length: CELL,
            filled: 0,
            energy: 0.0,
        }
    }

    /// Takes the next samples, 16 kHz mono.
    pub(crate) fn push(&mut self, pcm: &[f32]) {
        for sample in pcm {
            self.energy += f64::from(sample * sample);
            self.filled += 1;
            if self.filled == self.length {
                self.cells.push((self.energy / self.length as f64) as f32);
                (self.filled, self.energy) = (0, 0.0);
                if self.cells.len() == MOST_CELLS {
                    self.double();
                }
            }
        }
    }

    /// Stretches of twice the length, half as many.
    fn double(&mut self) {
        for pair in 0..MOST_CELLS / 2 {
            self.cells[pair] = (self.cells[2 * pair] + self.cells[2 * pair + 1]) / 2.0;
        }
        self.cells.truncate(MOST_CELLS / 2);
        self.length *= 2;
    }

    /// The shape of all that was heard. None where it is too short, too quiet or too even.
    pub(crate) fn finish(&self) -> Option<u64> {
        let curve = self.curve()?;
        let mean = curve.iter().sum::<f64>() / BANDS as f64;
        let curve = curve.map(|point| point - mean);
        let spread = (curve.iter().map(|point| point * point).sum::<f64>() / BANDS as f64).sqrt();
        // Written so that what is no number has no shape.
        (spread >= LEAST_SPREAD).then(|| signs(&curve))
    }

    /// The course of loudness, in decades below its peak.
    fn curve(&self) -> Option<[f64; BANDS]> {
        let sums = self.sums();
        let moment = |at: usize| {
            let from = at.saturating_sub(MOMENT / 2);
            let to = (at + MOMENT / 2 + 1).min(self.cells.len());
            (sums[to] - sums[from]) / (to - from) as f64
        };
        let moments: Vec<f64> = (0..self.cells.len()).map(moment).collect();
        let peak = moments.iter().copied().fold(0.0, f64::max);
        if peak < LEAST_PEAK {
            return None;
        }
        let loud = |moment: &f64| *moment >= peak * LOUD;
        let first = moments.iter().position(loud)?;
        let end = moments.iter().rposition(loud)? + 1;
        if end - first < BANDS {
            return None;
        }
        let step = (end - first) as f64 / BANDS as f64;
        let mut curve = [0.0; BANDS];
        for (band, point) in curve.iter_mut().enumerate() {
            let middle = first as f64 + (band as f64 + 0.5) * step;
            let from = (middle - REACH * step).max(first as f64);
            let to = (middle + REACH * step).min(end as f64);
            let mean = (sum_to(&sums, to) - sum_to(&sums, from)) / (to - from);
            *point = (mean / peak).max(FLOOR).log10();
        }
        Some(curve)
    }

    /// The sums of all stretches before each, and of all.
    fn sums(&self) -> Vec<f64> {
        let mut sums = Vec::with_capacity(self.cells.len() + 1);
        let mut sum = 0.0;
        sums.push(sum);
        for cell in &self.cells {
            sum += f64::from(*cell);
            sums.push(sum);
        }
        sums
    }
}
/// The sum of all stretches before a time that is counted in them, the last in part.
fn sum_to(sums: &[f64], time: f64) -> f64 {
    let whole = (time as usize).min(sums.len() - 1);
    let next = sums.get(whole + 1).copied().unwrap_or(sums[whole]);
    sums[whole] + (next - sums[whole]) * (time - whole as f64)
}

/// On which side of each direction the curve lies.
fn signs(curve: &[f64; BANDS]) -> u64 {
    let mut state = 0;
    let mut signs = 0;
    for bit in 0..u64::BITS {
        let direction = next_word(&mut state);
        let along = curve
            .iter()
            .enumerate()
            .map(|(band, point)| match direction >> band & 1 {
                1 => *point,
                _ => -point,
            });
        signs |= u64::from(along.sum::<f64>() > 0.0) << bit;
    }
    signs
}

/// The next word of a sequence that is always the same (G. Steele, D. Lea, C. Flood, "Fast
/// Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 17): its bits are a
/// direction's signs.
fn next_word(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let word = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = 16_000;

    /// A sequence of numbers in 0..1.
    fn numbers(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || (next_word(&mut state) >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// Syllables of this voice: of a tenth to a third of a second, at any level, and pauses of
    /// up to two seconds between some of them, for a little longer than this.
    fn speech(voice: u64, seconds: usize) -> Vec<f32> {
        let mut number = numbers(voice);
        let mut pcm = Vec::new();
        while pcm.len() < seconds * SECOND {
            let pause = match number() {
                chance if chance < 0.15 => 2.0 * number(),
                _ => 0.02,
            };
            pcm.resize(pcm.len() + (pause * SECOND as f32) as usize, 0.0);
            let length = ((0.1 + 0.25 * number()) * SECOND as f32) as usize;
            let level = 0.4 * 10_f32.powf(-number());
            pcm.extend((0..length).map(|index| {
                let middle = (index as f32 / length as f32 * std::f32::consts::PI).sin();
                level * middle * (index as f32 * 0.17).sin()
            }));
        }
        pcm
    }

    fn shape(pcm: &[f32]) -> Option<u64> {
        let mut shaper = Shaper::new();
        shaper.push(pcm);
        shaper.finish()
    }

    /// How many bits two sounds differ in.
    fn distance(one: &[f32], other: &[f32]) -> u32 {
        let shapes = shape(one).zip(shape(other));
        let (one, other) = shapes.expect("both have a shape");
        (one ^ other).count_ones()
    }

    /// Holds a change to what it may cost, for sounds of several voices and lengths.
    fn check(what: &str, most: u32, change: impl Fn(&[f32]) -> Vec<f32>) {
        for voice in 0..8 {
            for seconds in [3, 10, 45] {
                let pcm = speech(voice, seconds);
                let found = distance(&pcm, &change(&pcm));
                assert!(
                    found <= most,
                    "{what}: {found} bits, voice {voice}, {seconds} s"
                );
            }
        }
    }

    #[test]
    fn what_is_played_again_a_little_otherwise_keeps_its_shape() {
        check("quieter", 1, |pcm| pcm.iter().map(|it| it * 0.1).collect());
        check("louder", 1, |pcm| pcm.iter().map(|it| it * 2.0).collect());
        check("in silence", 3, |pcm| {
            let silence = vec![0.0; SECOND];
            [&silence, pcm, &silence].concat()
        });
        check("in noise", 6, |pcm| {
            let mut number = numbers(99);
            pcm.iter().map(|it| it + 0.02 * (number() - 0.5)).collect()
        });
        check("cut", 8, |pcm| pcm[640..pcm.len() - 640].to_vec());
    }

    #[test]
    fn strangers_differ_in_about_half_of_the_bits() {
        let sounds: Vec<_> = (0..24).map(|voice| speech(voice, 6)).collect();
        let mut distances = Vec::new();
        for (index, one) in sounds.iter().enumerate() {
            for other in &sounds[..index] {
                distances.push(distance(one, other));
            }
        }
        let mean = distances.iter().sum::<u32>() as f32 / distances.len() as f32;
        assert!((28.0..36.0).contains(&mean), "{mean}");
        assert!(distances.iter().all(|found| *found > 8), "{distances:?}");
    }

    #[test]
    fn what_has_no_course_has_no_shape() {
        let mut number = numbers(7);
        let noise: Vec<f32> = (0..5 * SECOND).map(|_| number() - 0.5).collect();
        let hum: Vec<f32> = (0..5 * SECOND).map(|at| (at as f32 * 0.02).sin()).collect();
        let brief = &speech(1, 3)[..SECOND / 2];
        let faint: Vec<f32> = speech(1, 3).iter().map(|it| it * 1e-4).collect();
        for (what, pcm) in [
            ("nothing", &[][..]),
            ("silence", &[0.0; 5 * SECOND]),
            ("noise", &noise),
            ("hum", &hum),
            ("too short", brief),
            ("too quiet", &faint),
        ] {
            assert_eq!(shape(pcm), None, "{what}");
        }
    }

    #[test]
    fn blocks_make_no_difference() {
        let pcm = speech(3, 30);
        for size in [1, 159, 4_096] {
            let mut shaper = Shaper::new();
            pcm.chunks(size).for_each(|block| shaper.push(block));
            assert_eq!(shaper.finish(), shape(&pcm), "blocks of {size}");
        }
    }

    #[test]
    fn memory_is_bounded_however_long_it_goes_on() {
        let pcm = speech(4, 60);
        let mut shaper = Shaper::new();
        for _ in 0..20 {
            shaper.push(&pcm);
            assert!(shaper.cells.len() < MOST_CELLS);
            assert_eq!(shaper.cells.capacity(), MOST_CELLS);
        }
        assert_eq!(shaper.length, CELL << 6);
    }

    #[test]
    fn no_sample_makes_it_panic() {
        for odd in [f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE] {
            let mut pcm = speech(5, 3);
            pcm[SECOND] = odd;
            let _ = shape(&pcm);
            let _ = shape(&vec![odd; SECOND]);
        }
    }
}
