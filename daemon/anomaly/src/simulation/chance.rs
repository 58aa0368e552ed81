//! Chance from a seed.

/// Draws numbers; the same ones from the same seed.
pub(crate) struct Chance(fastrand::Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(fastrand::Rng::with_seed(seed))
    }

    /// From zero to one.
    pub(crate) fn share(&mut self) -> f64 {
        self.0.f64()
    }

    /// Whether it happens.
    pub(crate) fn happens(&mut self, share: f64) -> bool {
        self.0.f64() < share
    }

    /// Evenly between two numbers.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.f64()
    }

    /// A count from `low` to `high`, both included.
    pub(crate) fn count(&mut self, low: u32, high: u32) -> u32 {
        self.0.u32(low..=high)
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// `bits` with at most `most` of them turned.
    pub(crate) fn turned(&mut self, bits: u64, most: u32) -> u64 {
        (0..self.count(0, most)).fold(bits, |bits, _| bits ^ (1 << self.0.u32(0..64)))
    }

    /// Log-normal, by its median and the deviation of its logarithm (Box and Muller's way).
    pub(crate) fn about(&mut self, median: f64, deviation: f64) -> f64 {
        let radius = (-2.0 * self.0.f64().max(1e-12).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.0.f64()).cos();
        median * (deviation * normal).exp()
    }

    /// Exponential: the time to the next of events that know nothing of each other.
    pub(crate) fn wait(&mut self, mean: f64) -> f64 {
        -mean * self.0.f64().max(1e-12).ln()
    }

    /// One of a few.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.usize(0..of.len())]
    }
}
