//! From the gains of what was heard to misses and false accepts at a threshold.

/// One chance to be right or wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trial {
    /// A phrase was said, and got this gain.
    Spoken(f32),
    /// It was not, and got this gain.
    Without(f32),
}

/// All chances.
#[derive(Debug)]
pub(super) struct Curve {
    spoken: Vec<f32>,
    without: Vec<f32>,
}

impl Curve {
    /// The curve of `trials`.
    pub(super) fn of(trials: impl Iterator<Item = Trial>) -> Curve {
        let mut curve = Curve {
            spoken: Vec::new(),
            without: Vec::new(),
        };
        for trial in trials {
            match trial {
                Trial::Spoken(gain) => curve.spoken.push(gain),
                Trial::Without(gain) => curve.without.push(gain),
            }
        }
        curve
    }

    /// How many phrases were said.
    pub(super) fn positives(&self) -> usize {
        self.spoken.len()
    }

    /// The thresholds that bear so few accepts and so small a share of misses: above the first and
    /// up to the second. None bears them where the first is no less than the second.
    pub(super) fn bearable(&self, accepts: usize, misses: f64) -> (f32, f32) {
        let mut without = self.without.clone();
        without.sort_by(|one, other| other.total_cmp(one));
        let mut spoken = self.spoken.clone();
        spoken.sort_by(f32::total_cmp);
        let missed = (misses * spoken.len() as f64) as usize;
        (
            without.get(accepts).copied().unwrap_or(0.0),
            spoken.get(missed).copied().unwrap_or(0.0),
        )
    }

    /// Misses and false accepts at `threshold`, which itself is accepted.
    pub(super) fn at(&self, threshold: f32) -> (usize, usize) {
        let missed = self.spoken.iter().filter(|gain| **gain < threshold);
        let accepted = self.without.iter().filter(|gain| **gain >= threshold);
        (missed.count(), accepted.count())
    }
}

/// The number of events that a Poisson process with so many seen exceeds in the mean in one case
/// of twenty: where none was seen, 3.0.
pub(super) fn upper_bound(seen: usize) -> f64 {
    // The mean at which so few events have a probability of 5 %, by halving.
    let few = |mean: f64| -> f64 {
        let mut term = (-mean).exp();
        let mut sum = term;
        for count in 1..=seen {
            term *= mean / count as f64;
            sum += term;
        }
        sum
    };
    let (mut low, mut high) = (0.0, 2.0 * seen as f64 + 10.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match few(middle) > 0.05 {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_counts_both_kinds_of_error() {
        let trials = [
            Trial::Spoken(0.9),
            Trial::Spoken(0.3),
            Trial::Without(0.5),
            Trial::Without(0.1),
        ];
        let curve = Curve::of(trials.into_iter());
        assert_eq!(curve.positives(), 2);
        assert_eq!(curve.at(0.2), (0, 1));
        assert_eq!(curve.at(0.5), (1, 1));
        assert_eq!(curve.at(0.6), (1, 0));
    }

    #[test]
    fn bearable_thresholds_bear_what_they_say() {
        let spoken = [0.2, 0.6, 0.8, 0.9].map(Trial::Spoken);
        let without = [0.5, 0.3, 0.1].map(Trial::Without);
        let curve = Curve::of(spoken.into_iter().chain(without));
        assert_eq!(curve.bearable(0, 0.25), (0.5, 0.6));
        assert_eq!(curve.at(0.6), (1, 0));
        assert_eq!(curve.bearable(1, 0.0), (0.3, 0.2));
        assert_eq!(curve.bearable(9, 1.0), (0.0, 0.0));
    }

    #[test]
    fn bounds_are_those_of_the_tables() {
        // Exact limits of a Poisson mean, one-sided, 95 %.
        for (seen, expected) in [(0, 2.996), (1, 4.744), (3, 7.754), (10, 16.962)] {
            assert!((upper_bound(seen) - expected).abs() < 0.001, "{seen}");
        }
    }
}
