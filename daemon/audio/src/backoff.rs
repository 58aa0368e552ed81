//! The pause before a microphone is tried again.

use std::time::Duration;

/// How long to wait before a microphone is tried again: longer each time, and not for all at the
/// same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// The first pause, and the one after a device that gave sound.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
}

impl Default for BackOff {
    /// A quarter of a second, then twice as long each time, up to five seconds: a person who
    /// plugs a microphone in again is heard at once, and a machine without one is left in peace.
    fn default() -> BackOff {
        BackOff {
            first: Duration::from_millis(250),
            most: Duration::from_secs(5),
        }
    }
}

/// Where the pauses have got to.
#[derive(Debug)]
pub(crate) struct Pauses {
    back_off: BackOff,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new(back_off: BackOff) -> Pauses {
        Pauses {
            back_off,
            next: back_off.first,
        }
    }

    /// The device gave sound: the next pause is the first again.
    pub(crate) fn reset(&mut self) {
        self.next = self.back_off.first;
    }

    /// The next pause, up to a fifth shorter or longer by `chance` from 0 to 1.
    pub(crate) fn next(&mut self, chance: f64) -> Duration {
        let pause = self.next.min(self.back_off.most);
        self.next = pause.saturating_mul(2).min(self.back_off.most);
        pause.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let mut pauses = Pauses::new(BackOff::default());
        let told: Vec<u128> = (0..7).map(|_| pauses.next(0.5).as_millis()).collect();
        assert_eq!(told, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        pauses.reset();
        assert_eq!(pauses.next(0.5).as_millis(), 250);
    }

    #[test]
    fn chance_moves_a_pause_by_a_fifth() {
        let mut pauses = Pauses::new(BackOff::default());
        assert_eq!(pauses.next(0.0).as_millis(), 200);
        assert_eq!(pauses.next(1.0).as_millis(), 600);
        assert_eq!(pauses.next(f64::INFINITY).as_millis(), 1_200);
    }
}
