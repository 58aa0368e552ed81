//! Which of a device's offers to take.

use super::encoding::Encoding;
use crate::protocol::{MAX_CHANNELS, MAX_RATE, MAX_RATES, MIN_RATE};

/// Usual rates, the most welcome first: the model's own, then those that are made into it with
/// the least trouble, then those that have lost what the model would hear.
pub(super) const USUAL: [u32; 14] = [
    16_000, 48_000, 44_100, 32_000, 24_000, 22_050, 96_000, 88_200, 64_000, 176_400, 192_000,
    12_000, 11_025, 8_000,
];

const _: () = assert!(USUAL.len() <= MAX_RATES);

/// Most choices that are tried: as many formats at the best rate, and no device that refuses them
/// all takes another.
const MOST_TRIED: usize = 8;

/// What a device says that it can do. Some say every rate from 1 to 4,294,967,295.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) channels: u16,
    pub(super) lowest: u32,
    pub(super) highest: u32,
    pub(super) encoding: Encoding,
    /// The fewest and the most frames that it hands over at once, where it says so.
    pub(super) buffer: Option<(u32, u32)>,
}

/// What a device is opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) channels: u16,
    pub(super) rate: u32,
    pub(super) encoding: Encoding,
    pub(super) buffer: Option<(u32, u32)>,
}

/// The best of the offers, the best first: by rate, then the fewest channels, then the encoding.
/// With a rate that is wished for, only those that have it.
pub(super) fn choices(offers: impl Iterator<Item = Offer>, wished: Option<u32>) -> Vec<Choice> {
    let mut ranked: Vec<_> = offers
        .filter(|offer| (1..=MAX_CHANNELS).contains(&offer.channels))
        .filter_map(|offer| {
            let (rank, rate) = rate(&offer, wished)?;
            let encoding = Encoding::ALL.iter().position(|one| *one == offer.encoding);
            let choice = Choice {
                channels: offer.channels,
                rate,
                encoding: offer.encoding,
                buffer: offer.buffer,
            };
            Some(((rank, offer.channels, encoding), choice))
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.truncate(MOST_TRIED);
    ranked.into_iter().map(|(_, choice)| choice).collect()
}

/// The best rate of an offer, and its rank.
fn rate(offer: &Offer, wished: Option<u32>) -> Option<(usize, u32)> {
    let range = offer.lowest.max(MIN_RATE)..=offer.highest.min(MAX_RATE);
    if let Some(wished) = wished {
        return range.contains(&wished).then_some((0, wished));
    }
    let usual = USUAL.iter().position(|rate| range.contains(rate));
    match usual {
        Some(rank) => Some((rank, USUAL[rank])),
        // An unusual rate is better than no microphone.
        None if !range.is_empty() => Some((USUAL.len(), *range.end())),
        None => None,
    }
}

/// The usual rates among the offers, lowest first.
pub(super) fn rates(offers: &[Offer]) -> Vec<u32> {
    let mut rates: Vec<u32> = USUAL
        .into_iter()
        .filter(|rate| {
            let offers = offers.iter();
            let mut ranges = offers.map(|offer| offer.lowest..=offer.highest);
            ranges.any(|range| range.contains(rate))
        })
        .collect();
    rates.sort_unstable();
    rates
}

/// The numbers of channels among the offers that are of use, fewest first.
pub(super) fn channels(offers: &[Offer]) -> Vec<u16> {
    (1..=MAX_CHANNELS)
        .filter(|channels| offers.iter().any(|offer| offer.channels == *channels))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(channels: u16, lowest: u32, highest: u32, encoding: Encoding) -> Offer {
        Offer {
            channels,
            lowest,
            highest,
            encoding,
            buffer: None,
        }
    }

    fn check(offers: &[Offer], wished: Option<u32>, expected: Option<(u16, u32, Encoding)>) {
        let chosen = choices(offers.iter().copied(), wished);
        let chosen = chosen.first();
        assert_eq!(
            chosen.map(|one| (one.channels, one.rate, one.encoding)),
            expected
        );
    }

    #[test]
    fn a_device_that_offers_everything_is_asked_for_what_the_model_hears() {
        let all: Vec<Offer> = Encoding::ALL
            .into_iter()
            .rev()
            .flat_map(|encoding| (0..=64).map(move |n| offer(n, 1, u32::MAX, encoding)))
            .collect();
        check(&all, None, Some((1, 16_000, Encoding::I16)));
        check(&all, Some(44_100), Some((1, 44_100, Encoding::I16)));
        assert_eq!(choices(all.iter().copied(), None).len(), MOST_TRIED);
        assert_eq!(rates(&all).len(), USUAL.len());
        assert_eq!(channels(&all), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn rate_goes_before_channels_and_channels_before_encoding() {
        let (i16, f32) = (Encoding::I16, Encoding::F32);
        check(
            &[offer(1, 44_100, 44_100, i16), offer(2, 48_000, 48_000, f32)],
            None,
            Some((2, 48_000, f32)),
        );
        check(
            &[offer(6, 48_000, 48_000, i16), offer(2, 48_000, 48_000, f32)],
            None,
            Some((2, 48_000, f32)),
        );
        check(
            &[offer(1, 8_000, 8_000, i16), offer(8, 192_000, 192_000, f32)],
            None,
            Some((8, 192_000, f32)),
        );
    }

    #[test]
    fn an_unusual_rate_is_taken_and_a_useless_one_is_not() {
        let i16 = Encoding::I16;
        check(
            &[offer(1, 17_000, 19_000, i16)],
            None,
            Some((1, 19_000, i16)),
        );
        check(&[offer(1, 1, 7_999, i16)], None, None);
        check(&[offer(1, 192_001, u32::MAX, i16)], None, None);
        check(&[offer(1, 50_000, 40_000, i16)], None, None);
        check(&[offer(0, 16_000, 16_000, i16)], None, None);
        check(&[offer(9, 16_000, 16_000, i16)], None, None);
        check(&[offer(1, 16_000, 16_000, i16)], Some(48_000), None);
    }
}
