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
//! last, so silence before and after is no part of it, and neither is the level. Nobody
//! can have words or a voice from 64 signs of it.
//!
//! Evidence: 192 recorded sentences of one speaker, 2 s and longer, and copies of them. The bits
//! in which a copy differs from its original, for 50, 95 and 99 % of them:
//!
//! | copy                         | 50 % | 95 % | 99 % |
//! |------------------------------|-----:|-----:|-----:|
//! | 12 dB quieter                |    0 |    0 |    0 |
//! | clipped at half its peak     |    0 |    3 |    3 |
//! | in noise 20 dB below it      |    0 |    3 |    4 |
//! | in noise 10 dB below it      |    4 |   12 |   20 |
//! | 503 ms of silence around it  |    1 |    5 |    8 |
//! | without 50 ms at either end  |    0 |    1 |    6 |
//! | without 100 ms at either end |    0 |    6 |   12 |
//! | without 200 ms at either end |    7 |   22 |   29 |
//! | 2 % faster                   |    1 |    5 |    7 |
//! | a click in a pause of it     |    5 |   17 |   24 |
//!
//! Of 18,336 pairs of different ones none differs in 6 bits or fewer, 7 do in 8 or fewer, 1 % in
//! 15 or fewer; half differ in 30 or more. So 6 bits is where a repeat is told from a stranger.
//!
//! Nothing is kept but the energy of at most [`MOST_CELLS`] stretches of equal length, which
//! double where the sound goes on.

/// Samples of the shortest stretch: 10 ms.
const CELL: u64 = 160;

/// Stretches that are kept at most: 8 KiB. 20 s of sound have them at their shortest.
const MOST_CELLS: usize = 2_048;

/// Points of the curve. Their number is that of the bits only because a word has as many.
const BANDS: usize = 64;

/// Stretches around a time of which the one in the middle says how loud it is then: a click is
/// shorter than half of them.
const MOMENT: usize = 5;

/// Least level, as energy: -70 dB of full scale, below any microphone's noise.
const LEAST_LEVEL: f64 = 1e-7;

/// What a loud moment has of the level at least: -10 dB, above the noise of a recording that can
/// be understood.
const LOUD: f64 = 0.1;

/// Where the curve ends below, at -13 dB, and above, at 6 dB: what noise does is below the one,
/// what a click does above the other.
const FLOOR: f64 = 0.05;
const CEILING: f64 = 4.0;

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

    /// The course of loudness, in decades from the level.
    fn curve(&self) -> Option<[f64; BANDS]> {
        let level = self.level();
        if level < LEAST_LEVEL {
            return None;
        }
        let loud = |at: &usize| self.moment(*at) >= level * LOUD;
        let first = (0..self.cells.len()).find(loud)?;
        let end = (0..self.cells.len()).rfind(loud)? + 1;
        if end - first < BANDS {
            return None;
        }
        let sums = self.sums(level * CEILING);
        let step = (end - first) as f64 / BANDS as f64;
        let mut curve = [0.0; BANDS];
        for (band, point) in curve.iter_mut().enumerate() {
            let middle = first as f64 + (band as f64 + 0.5) * step;
            let from = (middle - REACH * step).max(first as f64);
            let to = (middle + REACH * step).min(end as f64);
            let mean = (sum_to(&sums, to) - sum_to(&sums, from)) / (to - from);
            *point = (mean / level).max(FLOOR).log10();
        }
        Some(curve)
    }

    /// The energy that half of all the energy is below. Silence has none and a click has little,
    /// so neither moves it.
    fn level(&self) -> f64 {
        let mut cells = self.cells.clone();
        cells.sort_unstable_by(f32::total_cmp);
        let all: f64 = cells.iter().map(|cell| f64::from(*cell)).sum();
        let mut below = 0.0;
        let level = cells.iter().find(|cell| {
            below += f64::from(**cell);
            below >= all / 2.0
        });
        level.copied().map_or(0.0, f64::from)
    }

    /// How loud it is at a time: the median of what is around it.
    fn moment(&self, at: usize) -> f64 {
        let from = at.saturating_sub(MOMENT / 2);
        let to = (at + MOMENT / 2 + 1).min(self.cells.len());
        let mut around = [0.0; MOMENT];
        let around = &mut around[..to - from];
        around.copy_from_slice(&self.cells[from..to]);
        around.sort_unstable_by(f32::total_cmp);
        f64::from(around[around.len() / 2])
    }

    /// The sums of all stretches before each, and of all, none of which counts for more than
    /// `most`.
    fn sums(&self, most: f64) -> Vec<f64> {
        let mut sums = Vec::with_capacity(self.cells.len() + 1);
        let mut sum = 0.0;
        sums.push(sum);
        for cell in &self.cells {
            sum += f64::from(*cell).min(most);
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
        check("in silence", 6, |pcm| {
            let silence = vec![0.0; SECOND];
            [&silence, pcm, &silence].concat()
        });
        check("in noise", 6, |pcm| {
            let mut number = numbers(99);
            pcm.iter().map(|it| it + 0.02 * (number() - 0.5)).collect()
        });
        check("with a click behind", 8, |pcm| {
            let (silence, click) = (vec![0.0; SECOND / 4], vec![0.9; 100]);
            [pcm, &silence, &click].concat()
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
