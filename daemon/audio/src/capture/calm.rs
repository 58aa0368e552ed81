//! Whether anything but the room is to be heard.
//!
//! This decides how much sound is passed on at a time, and nothing else: where it is wrong, sound
//! comes some hundredths of a second later or costs a little more. What is speech the daemon's
//! worker finds out.

/// Nothing is loud below this, about -60 decibels below full scale: a device may give digital
/// silence, beside which its own noise would be loud.
const FAINT: f32 = 32.0;

/// How much louder than the room loud is: 6 dB. The loudest samples of a steady noise's pieces
/// differ by less.
const LOUD: f32 = 2.0;

/// By how much the room is taken to be louder with each second that it is not heard: 1 dB, so that
/// a fan that is switched on is the room some seconds later.
const RISE: f32 = 1.122;

/// The room, by the loudest samples of the quietest pieces.
#[derive(Debug)]
pub(super) struct Calm {
    room: f32,
    rate: u32,
    /// Samples of quiet that make calm.
    enough: u64,
    /// Samples since something was loud.
    quiet: u64,
}

impl Calm {
    /// For sound of this rate: calm comes after so many samples of quiet.
    pub(super) fn new(rate: u32, enough: u64) -> Calm {
        Calm {
            room: f32::from(i16::MAX),
            rate,
            enough,
            quiet: 0,
        }
    }

    /// So many samples were passed on, of which this was the loudest.
    pub(super) fn hear(&mut self, loudest: u16, samples: usize) {
        self.quiet = match self.is_loud(loudest) {
            true => 0,
            false => self.quiet.saturating_add(samples as u64),
        };
        let rise = RISE.powf(samples as f32 / self.rate as f32);
        self.room = (self.room * rise).min(f32::from(loudest)).max(FAINT / LOUD);
    }

    /// Whether that stands out from the room.
    pub(super) fn is_loud(&self, loudest: u16) -> bool {
        f32::from(loudest) > self.room * LOUD
    }

    /// Whether nothing was loud for long enough.
    pub(super) fn lasts(&self) -> bool {
        self.quiet >= self.enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;
    const PIECE: usize = 800;

    /// A calm that wants a second, and has heard a room of this loudness for two.
    fn after(room: u16) -> Calm {
        let mut calm = Calm::new(RATE, u64::from(RATE));
        for _ in 0..40 {
            calm.hear(room, PIECE);
        }
        calm
    }

    #[test]
    fn a_room_is_calm_after_long_enough_whatever_its_noise() {
        for room in [0, 5, 60, 900, 20_000] {
            let mut calm = Calm::new(RATE, u64::from(RATE));
            for _ in 0..19 {
                calm.hear(room, PIECE);
                assert!(!calm.lasts(), "{room}");
            }
            calm.hear(room, PIECE);
            assert!(calm.lasts(), "{room}");
        }
    }

    #[test]
    fn what_stands_out_ends_the_calm_for_as_long() {
        let mut calm = after(60);
        assert!(calm.lasts() && !calm.is_loud(110));
        assert!(calm.is_loud(300));
        calm.hear(300, PIECE);
        for _ in 0..20 {
            assert!(!calm.lasts());
            calm.hear(60, PIECE);
        }
        assert!(calm.lasts());
    }

    #[test]
    fn beside_digital_silence_faint_noise_is_not_loud() {
        let calm = after(0);
        assert!(!calm.is_loud(32));
        assert!(calm.is_loud(33));
    }

    #[test]
    fn a_noise_that_stays_becomes_the_room() {
        let mut calm = after(60);
        let pieces = (0..).take_while(|_| {
            calm.hear(600, PIECE);
            !calm.lasts()
        });
        // From 60 to half of 600 it is 14 dB, and then a second.
        let seconds = pieces.count() as f32 * PIECE as f32 / RATE as f32;
        assert!((14.5..15.5).contains(&seconds), "{seconds}");
    }
}
