//! Sound made by rule: what holds no speech, and what makes speech harder to hear.
//!
//! Everything is seeded, so a figure can be had again. Levels are root mean square against
//! full scale (a constant of 1.0 is 0 dBFS).

use std::f64::consts::TAU;
use std::path::Path;

use anyhow::Result;

/// Samples a second of everything here.
pub(crate) const RATE: usize = 16_000;

/// Sound without speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noise {
    Silence,
    White,
    Pink,
    /// 50 Hz with the odd harmonics that mains hum has.
    Hum,
    /// A tone that takes a minute from 50 Hz to 7 kHz and starts over.
    Sweep,
}

impl Noise {
    pub(crate) const ALL: [Noise; 5] = [
        Noise::Silence,
        Noise::White,
        Noise::Pink,
        Noise::Hum,
        Noise::Sweep,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Noise::Silence => "digital silence",
            Noise::White => "white noise",
            Noise::Pink => "pink noise",
            Noise::Hum => "50 Hz hum",
            Noise::Sweep => "tone sweep",
        }
    }

    /// `samples` of it at `level` dBFS. Silence has no level.
    pub(crate) fn make(self, samples: usize, level: f64) -> Vec<f32> {
        let mut pcm = match self {
            Noise::Silence => return vec![0.0; samples],
            Noise::White => white(samples, 1),
            Noise::Pink => pink(samples, 2),
            Noise::Hum => hum(samples),
            Noise::Sweep => sweep(samples),
        };
        let gain = amplitude(level) / root_mean_square(&pcm);
        for sample in &mut pcm {
            *sample = (f64::from(*sample) * gain).clamp(-1.0, 1.0) as f32;
        }
        pcm
    }
}

/// Gaussian noise of unit power, by Box and Muller.
fn white(samples: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..samples)
        .map(|_| {
            let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
            (radius * (TAU * random.f64()).cos()) as f32
        })
        .collect()
}

/// Noise that falls by 3 dB an octave, by Voss and McCartney: sixteen sources, each renewed
/// half as often as the one before, and one renewed at every sample.
fn pink(samples: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut draw = move || random.f64() - 0.5;
    let mut sources = [0.0; 16];
    (1..=samples)
        .map(|index| {
            let which = index.trailing_zeros() as usize;
            if let Some(source) = sources.get_mut(which) {
                *source = draw();
            }
            (sources.iter().sum::<f64>() + draw()) as f32
        })
        .collect()
}

fn hum(samples: usize) -> Vec<f32> {
    const HARMONICS: [(f64, f64); 4] = [(50.0, 1.0), (150.0, 0.3), (250.0, 0.15), (350.0, 0.05)];
    (0..samples)
        .map(|index| {
            let time = index as f64 / RATE as f64;
            HARMONICS
                .iter()
                .map(|(frequency, weight)| weight * (TAU * frequency * time).sin())
                .sum::<f64>() as f32
        })
        .collect()
}

fn sweep(samples: usize) -> Vec<f32> {
    const SECONDS: f64 = 60.0;
    const LOW: f64 = 50.0;
    const HIGH: f64 = 7_000.0;
    let mut phase = 0.0_f64;
    (0..samples)
        .map(|index| {
            let time = index as f64 / RATE as f64 % SECONDS;
            phase = (phase + LOW * (HIGH / LOW).powf(time / SECONDS) / RATE as f64).fract();
            (TAU * phase).sin() as f32
        })
        .collect()
}

/// `pcm` with its peak at `level` dBFS, in steps of 16 bits, as a quiet recording has it.
pub(crate) fn at_peak(pcm: &[f32], level: f64) -> Vec<f32> {
    let peak = pcm
        .iter()
        .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    if peak == 0.0 {
        return pcm.to_vec();
    }
    let gain = amplitude(level) / f64::from(peak);
    pcm.iter()
        .map(|sample| ((f64::from(*sample) * gain * 32_767.0).round() / 32_768.0) as f32)
        .collect()
}

/// `pcm` in white noise, `ratio` dB below its mean power over the whole clip.
pub(crate) fn in_noise(pcm: &[f32], ratio: f64, seed: u64) -> Vec<f32> {
    let gain = root_mean_square(pcm) * amplitude(-ratio);
    pcm.iter()
        .zip(white(pcm.len(), seed))
        .map(|(sample, noise)| {
            (f64::from(*sample) + f64::from(noise) * gain).clamp(-1.0, 1.0) as f32
        })
        .collect()
}

/// Writes `pcm` as a WAV file of 16 bits.
pub(crate) fn write(path: &Path, pcm: &[f32]) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in pcm {
        writer.write_sample((sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16)?;
    }
    writer.finalize()?;
    Ok(())
}

fn amplitude(decibels: f64) -> f64 {
    10.0_f64.powf(decibels / 20.0)
}

fn root_mean_square(pcm: &[f32]) -> f64 {
    let power: f64 = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (power / pcm.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decibels(amplitude: f64) -> f64 {
        20.0 * amplitude.log10()
    }

    #[test]
    fn every_noise_has_the_level_asked_for() {
        for noise in Noise::ALL {
            let pcm = noise.make(4 * RATE, -30.0);
            assert_eq!(pcm.len(), 4 * RATE);
            match noise {
                Noise::Silence => assert!(pcm.iter().all(|sample| *sample == 0.0)),
                _ => assert!(
                    (decibels(root_mean_square(&pcm)) + 30.0).abs() < 0.01,
                    "{noise:?}"
                ),
            }
        }
    }

    #[test]
    fn pink_noise_is_stronger_below_than_white() {
        // A moving mean of 64 samples keeps what lies below about 110 Hz.
        let low = |pcm: &[f32]| {
            let means: Vec<f32> = pcm
                .chunks(64)
                .map(|block| block.iter().sum::<f32>() / 64.0)
                .collect();
            root_mean_square(&means) / root_mean_square(pcm)
        };
        let (pink, white) = (
            Noise::Pink.make(RATE, -20.0),
            Noise::White.make(RATE, -20.0),
        );
        assert!(low(&pink) > 3.0 * low(&white));
    }

    #[test]
    fn noise_lies_below_speech_by_the_ratio() {
        let speech = Noise::Hum.make(RATE, -20.0);
        let noisy = in_noise(&speech, 10.0, 7);
        let noise: Vec<f32> = noisy
            .iter()
            .zip(&speech)
            .map(|(one, other)| one - other)
            .collect();
        assert!((decibels(root_mean_square(&noise)) + 30.0).abs() < 0.2);
        assert_eq!(noisy, in_noise(&speech, 10.0, 7));
    }

    #[test]
    fn a_peak_lands_where_it_should() {
        let quiet = at_peak(&Noise::Hum.make(RATE, -10.0), -30.0);
        let peak = quiet
            .iter()
            .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!((decibels(f64::from(peak)) + 30.0).abs() < 0.02);
        assert_eq!(at_peak(&[0.0; 3], -30.0), [0.0; 3]);
    }

    #[test]
    fn what_is_written_can_be_read() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("clip.wav");
        write(&path, &[0.0, 0.5, -1.0, 1.0])?;
        let samples: Vec<i16> = hound::WavReader::open(&path)?
            .samples()
            .collect::<Result<_, _>>()?;
        assert_eq!(samples, [0, 16_384, -32_768, 32_767]);
        Ok(())
    }
}
