//! Intervals by the paired bootstrap over clips (Bisani and Ney, ICASSP 2004).
//!
//! Clips are drawn with replacement, the same for both sides, so what makes a clip hard for
//! both cancels out. The draws are seeded: the same errors give the same interval.

use crate::wer::WordErrors;

/// Times that the clips are drawn anew.
pub(crate) const RESAMPLES: usize = 10_000;
const SEED: u64 = 0x0EA2_2E57;

/// Middle 95 % of what the draws gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// How two engines that read the same clips compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Comparison {
    /// Errors of ours over errors of theirs.
    pub(crate) ratio: f64,
    pub(crate) ratio_interval: Interval,
    /// Rate of ours less rate of theirs.
    pub(crate) difference: f64,
    pub(crate) difference_interval: Interval,
}

/// Compares `ours` to `theirs`, clip by clip in the same order.
pub(crate) fn compare(ours: &[WordErrors], theirs: &[WordErrors]) -> Comparison {
    let pairs: Vec<(WordErrors, WordErrors)> =
        ours.iter().copied().zip(theirs.iter().copied()).collect();
    let (ratio, difference) = measures(pairs.iter().copied());
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut ratios = Vec::with_capacity(RESAMPLES);
    let mut differences = Vec::with_capacity(RESAMPLES);
    if !pairs.is_empty() {
        for _ in 0..RESAMPLES {
            let drawn = (0..pairs.len()).map(|_| pairs[random.usize(..pairs.len())]);
            let (ratio, difference) = measures(drawn);
            ratios.push(ratio);
            differences.push(difference);
        }
    }
    Comparison {
        ratio,
        ratio_interval: middle(ratios),
        difference,
        difference_interval: middle(differences),
    }
}

/// Ratio of errors and difference of rates. Nothing over nothing is 1.
fn measures(pairs: impl Iterator<Item = (WordErrors, WordErrors)>) -> (f64, f64) {
    let (ours, theirs) = pairs.fold(
        (WordErrors::default(), WordErrors::default()),
        |(ours, theirs), pair| (ours + pair.0, theirs + pair.1),
    );
    let ratio = match (ours.errors(), theirs.errors()) {
        (0, 0) => 1.0,
        (ours, theirs) => ours as f64 / theirs as f64,
    };
    (ratio, ours.rate() - theirs.rate())
}

fn middle(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (share * values.len() as f64) as usize;
        values
            .get(index.min(values.len().saturating_sub(1)))
            .copied()
            .unwrap_or(f64::NAN)
    };
    Interval {
        low: at(0.025),
        high: at(0.975),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(substitutions: usize, words: usize) -> WordErrors {
        WordErrors {
            substitutions,
            words,
            ..WordErrors::default()
        }
    }

    #[test]
    fn equal_sides_have_a_ratio_of_one_and_no_spread() {
        let clips: Vec<WordErrors> = (0..50).map(|index| clip(index % 3, 10)).collect();
        let found = compare(&clips, &clips);
        assert_eq!(found.ratio, 1.0);
        assert_eq!(
            found.ratio_interval,
            Interval {
                low: 1.0,
                high: 1.0
            }
        );
        assert_eq!(
            found.difference_interval,
            Interval {
                low: 0.0,
                high: 0.0
            }
        );
    }

    #[test]
    fn twice_the_errors_everywhere_are_a_ratio_of_two() {
        let theirs: Vec<WordErrors> = (0..50).map(|index| clip(1 + index % 2, 10)).collect();
        let ours: Vec<WordErrors> = theirs
            .iter()
            .map(|one| clip(one.substitutions * 2, 10))
            .collect();
        let found = compare(&ours, &theirs);
        assert_eq!(found.ratio, 2.0);
        assert_eq!(
            found.ratio_interval,
            Interval {
                low: 2.0,
                high: 2.0
            }
        );
        assert!(found.difference_interval.low > 0.0);
    }

    #[test]
    fn the_interval_holds_the_figure_and_widens_with_the_spread() {
        let theirs = vec![clip(1, 10); 100];
        let mild: Vec<WordErrors> = (0..100).map(|index| clip(index % 2 * 2, 10)).collect();
        let wild: Vec<WordErrors> = (0..100)
            .map(|index| clip(if index % 10 == 0 { 10 } else { 0 }, 10))
            .collect();
        let (mild, wild) = (compare(&mild, &theirs), compare(&wild, &theirs));
        for found in [mild, wild] {
            assert_eq!(found.ratio, 1.0);
            assert!(found.ratio_interval.low < 1.0 && 1.0 < found.ratio_interval.high);
        }
        assert!(wild.ratio_interval.high > mild.ratio_interval.high);
    }

    #[test]
    fn the_same_errors_give_the_same_interval() {
        let theirs: Vec<WordErrors> = (0..30).map(|index| clip(index % 4, 9)).collect();
        let ours: Vec<WordErrors> = (0..30).map(|index| clip(index % 3, 9)).collect();
        assert_eq!(compare(&ours, &theirs), compare(&ours, &theirs));
    }
}
