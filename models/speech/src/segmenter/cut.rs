//! Where to cut speech that will not pause.
//!
//! The best cut lies in a breath between two words. Two measures point at it: the detector's
//! probability, and the level of the sound between the segment's quiet and loud parts. Their
//! mean over about a third of a second is lowest in the middle of the longest quiet stretch.

use super::Note;

/// Frames over which the score is averaged: 9 frames are 288 ms, half before the cut and half
/// behind it. Gaps between words are shorter, pauses between phrases longer; on recorded
/// sentences in a row 15 frames gave more word errors than 9.
const HALF_WINDOW: usize = 4;

/// What the level, from 0 in quiet to 1 in loud, counts beside the probability.
const LEVEL_WEIGHT: f32 = 0.3;

/// The level of quiet and of loud parts are these quantiles of the segment's, at least
/// `LEAST_RANGE_DB` apart, so that a steady noise is not stretched to the full scale.
const QUIET_QUANTILE: f32 = 0.05;
const LOUD_QUANTILE: f32 = 0.95;
const LEAST_RANGE_DB: f32 = 6.0;

/// The frame before which `notes`, the frames of one segment, are best cut: at least
/// `min_before` frames stand before it and at least one behind. Of equals the later one.
///
/// `notes` has more than `min_before` frames; otherwise the cut falls before the last.
pub(super) fn quietest(notes: &[Note], min_before: usize) -> usize {
    let last = notes.len().saturating_sub(1).max(1);
    let first = min_before.clamp(1, last);
    let scores = scores(notes);
    let cost = |cut: usize| {
        let window = cut.saturating_sub(HALF_WINDOW)..(cut + HALF_WINDOW).min(scores.len());
        let frames = window.len().max(1) as f32;
        scores[window].iter().sum::<f32>() / frames
    };
    // The window is whole where it can be: at the very end its mean would stand for the few
    // frames that have come, and the next may be loud.
    let whole = last.min(notes.len().saturating_sub(HALF_WINDOW)).max(first);
    (first..=whole)
        .map(|cut| (cut, cost(cut)))
        .min_by(|(a, left), (b, right)| left.total_cmp(right).then(b.cmp(a)))
        .map_or(last, |(cut, _)| cut)
}

fn scores(notes: &[Note]) -> Vec<f32> {
    let mut levels: Vec<f32> = notes.iter().map(|note| note.level_db).collect();
    levels.sort_unstable_by(f32::total_cmp);
    let quantile = |share: f32| {
        let index = (share * levels.len().saturating_sub(1) as f32).round() as usize;
        levels.get(index).copied().unwrap_or_default()
    };
    let quiet = quantile(QUIET_QUANTILE);
    let range = (quantile(LOUD_QUANTILE) - quiet).max(LEAST_RANGE_DB);
    notes
        .iter()
        .map(|note| {
            let loudness = ((note.level_db - quiet) / range).clamp(0.0, 1.0);
            note.probability + LEVEL_WEIGHT * loudness
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(probability: f32, level_db: f32) -> Note {
        Note {
            probability,
            level_db,
        }
    }

    #[test]
    fn the_cut_falls_in_the_middle_of_the_longest_pause() {
        let mut notes = vec![note(0.9, -20.0); 100];
        notes[60..63].fill(note(0.1, -60.0));
        notes[70..80].fill(note(0.1, -60.0));
        let cut = quietest(&notes, 50);
        assert!((74..=76).contains(&cut), "{cut}");
    }

    #[test]
    fn where_the_detector_sees_no_pause_the_level_decides() {
        let mut notes = vec![note(0.99, -20.0); 100];
        notes[..10].fill(note(0.99, -50.0));
        notes[80..83].fill(note(0.99, -45.0));
        let cut = quietest(&notes, 50);
        assert!((79..=84).contains(&cut), "{cut}");
    }

    #[test]
    fn the_cut_is_within_bounds_for_any_length() {
        for length in 1..40 {
            for least in 0..45 {
                let cut = quietest(&vec![note(0.5, -30.0); length], least);
                assert!(cut >= 1, "{length} {least}: {cut}");
                assert!(cut <= length.max(1), "{length} {least}: {cut}");
                if least < length && length > 1 {
                    assert!(
                        (least.max(1)..length).contains(&cut),
                        "{length} {least}: {cut}"
                    );
                }
            }
        }
    }
}
