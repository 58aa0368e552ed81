//! What is said, and where each utterance of it stands.

use crate::corpus::Clip;
use crate::sound::{Noise, RATE};

/// The level of the room under everything that is said, in dBFS.
const ROOM: f64 = -65.0;

/// Sound is speech down to so much below the loudest sample of its clip: 40 dB.
const FAINT: f32 = 0.01;

/// One clip's speech, in samples of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which of the clips.
    pub(super) clip: usize,
    /// Its first sample of speech.
    pub(super) onset: usize,
    /// Behind its last one.
    pub(super) end: usize,
}

/// Clips one after another.
pub(super) struct Script {
    /// 16 kHz.
    pub(super) pcm: Vec<i16>,
    pub(super) places: Vec<Place>,
}

impl Script {
    /// `before` samples of a room's quiet, and `gap` behind each clip.
    pub(super) fn of(clips: &[Clip], before: usize, gap: usize) -> Script {
        let length: usize = clips.iter().map(|clip| clip.pcm.len() + gap).sum();
        let mut sound = Noise::White.make(before + length, ROOM);
        let (mut at, mut places) = (before, Vec::new());
        for (index, clip) in clips.iter().enumerate() {
            for (sample, spoken) in sound[at..].iter_mut().zip(&clip.pcm) {
                *sample += spoken;
            }
            let (onset, end) = speech(&clip.pcm);
            places.push(Place {
                clip: index,
                onset: at + onset,
                end: at + end,
            });
            at += clip.pcm.len() + gap;
        }
        Script {
            pcm: samples(&sound),
            places,
        }
    }
}

/// Samples of 16 bits.
pub(super) fn samples(sound: &[f32]) -> Vec<i16> {
    sound
        .iter()
        .map(|sample| (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16)
        .collect()
}

/// As bytes.
pub(super) fn bytes(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// From the first sample of a clip that is not faint to behind the last one.
fn speech(pcm: &[f32]) -> (usize, usize) {
    let peak = pcm
        .iter()
        .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let speaks = |sample: &f32| sample.abs() > peak * FAINT;
    let first = pcm.iter().position(speaks).unwrap_or(0);
    let last = pcm.iter().rposition(speaks).unwrap_or(0);
    (first, last + 1)
}

/// The place that a moment belongs to, in seconds of what is said: from a second before its onset
/// to a second before the next one's. A pre-roll reaches half a second back.
pub(super) fn place_at(places: &[Place], seconds: f64) -> Option<usize> {
    let before = places.partition_point(|place| place.onset as f64 / RATE as f64 - 1.0 <= seconds);
    before.checked_sub(1)
}

/// Ten seconds of a television that nobody speaks on, and no two of which are alike: chords that
/// change, with a melody above them, a beat of noise, and swells.
pub(super) fn television(samples: usize, level: f64) -> Vec<f32> {
    const NOTES: [f64; 7] = [220.0, 246.9, 261.6, 293.7, 329.6, 392.0, 440.0];
    const BEAT: usize = RATE / 2;
    let mut random = fastrand::Rng::with_seed(7);
    let noise = Noise::Pink.make(samples, -12.0);
    let (mut sound, mut phases) = (Vec::with_capacity(samples), [0.0_f64; 4]);
    let mut chord = [0.0; 4];
    for (index, hiss) in noise.iter().enumerate() {
        let (beat, within) = (index / BEAT, index % BEAT);
        if within == 0 {
            chord[3] = 2.0 * NOTES[random.usize(..NOTES.len())];
            if beat % 4 == 0 {
                let root = random.usize(..NOTES.len());
                [0, 2, 4].iter().zip(&mut chord).for_each(|(step, tone)| {
                    *tone = NOTES[(root + step) % NOTES.len()] / 2.0;
                });
            }
        }
        let time = index as f64 / RATE as f64;
        let vibrato = 1.0 + 0.006 * (std::f64::consts::TAU * 5.5 * time).sin();
        let mut sum = 0.0;
        for (phase, tone) in phases.iter_mut().zip(chord) {
            *phase = (*phase + tone * vibrato / RATE as f64).fract();
            let turn = std::f64::consts::TAU * *phase;
            sum += turn.sin() + 0.4 * (2.0 * turn).sin() + 0.2 * (3.0 * turn).sin();
        }
        let fades = (-4.0 * within as f64 / BEAT as f64).exp();
        let swells = 0.6 + 0.4 * (std::f64::consts::TAU * time / 13.0).sin();
        sound.push((swells * sum * (0.3 + 0.7 * fades) + fades * 3.0 * f64::from(*hiss)) as f32);
    }
    let power: f64 = sound.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let gain = 10.0_f64.powf(level / 20.0) / (power / samples.max(1) as f64).sqrt().max(1e-9);
    sound
        .iter()
        .map(|sample| (f64::from(*sample) * gain).clamp(-1.0, 1.0) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_belong_to_the_clip_that_is_said() {
        let place = |onset| Place {
            clip: 0,
            onset: onset * RATE,
            end: (onset + 1) * RATE,
        };
        let places = [place(10), place(20)];
        assert_eq!(place_at(&places, 8.9), None);
        assert_eq!(place_at(&places, 9.1), Some(0));
        assert_eq!(place_at(&places, 18.9), Some(0));
        assert_eq!(place_at(&places, 19.1), Some(1));
        assert_eq!(place_at(&places, 1e6), Some(1));
    }

    #[test]
    fn speech_reaches_down_to_forty_decibels_below_the_loudest() {
        let pcm = [0.0, 0.004, 0.006, 0.5, -0.1, 0.0051, 0.0049, 0.0];
        assert_eq!(speech(&pcm), (2, 6));
        assert_eq!(speech(&[0.0; 4]), (0, 1));
    }

    #[test]
    fn a_television_is_as_loud_as_wished() {
        let sound = television(2 * RATE, -26.0);
        let power: f64 = sound.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let level = 10.0 * (power / sound.len() as f64).log10();
        assert!((level + 26.0).abs() < 0.1, "{level}");
    }
}
