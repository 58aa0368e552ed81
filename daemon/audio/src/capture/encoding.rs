//! Samples as devices give them, and the one channel of 16 bits that is made of them.

use cpal::SampleFormat;

/// How a device writes a sample, in the machine's own order of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, the lower 24 of 32 bits.
    I24,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, the lower 24 of 32 bits.
    U24,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// From -1 to 1, 32 bits.
    F32,
    /// From -1 to 1, 64 bits.
    F64,
}

impl Encoding {
    /// All, the most welcome first: what is exact and small, then what must be made smaller,
    /// then what has lost something already.
    pub const ALL: [Encoding; 12] = [
        Encoding::I16,
        Encoding::F32,
        Encoding::I32,
        Encoding::I24,
        Encoding::F64,
        Encoding::I64,
        Encoding::U16,
        Encoding::U32,
        Encoding::U24,
        Encoding::U64,
        Encoding::I8,
        Encoding::U8,
    ];

    /// Ours for cpal's; none for streams of single bits.
    pub(crate) fn of(format: SampleFormat) -> Option<Encoding> {
        Encoding::ALL
            .into_iter()
            .find(|encoding| encoding.format() == format)
    }

    pub(crate) fn format(self) -> SampleFormat {
        match self {
            Encoding::I8 => SampleFormat::I8,
            Encoding::I16 => SampleFormat::I16,
            Encoding::I24 => SampleFormat::I24,
            Encoding::I32 => SampleFormat::I32,
            Encoding::I64 => SampleFormat::I64,
            Encoding::U8 => SampleFormat::U8,
            Encoding::U16 => SampleFormat::U16,
            Encoding::U24 => SampleFormat::U24,
            Encoding::U32 => SampleFormat::U32,
            Encoding::U64 => SampleFormat::U64,
            Encoding::F32 => SampleFormat::F32,
            Encoding::F64 => SampleFormat::F64,
        }
    }
}

/// Frames of `N` bytes a sample, mixed to one channel: the mean of all, rounded to 16 bits.
/// Samples of 16 bits in one channel come out as they went in.
pub(super) fn mono<const N: usize>(
    bytes: &[u8],
    channels: u16,
    read: impl Fn([u8; N]) -> i32,
) -> impl ExactSizeIterator<Item = i16> {
    let channels = usize::from(channels.max(1));
    let (samples, _) = bytes.as_chunks::<N>();
    samples.chunks_exact(channels).map(move |frame| {
        let sum: i64 = frame.iter().map(|sample| i64::from(read(*sample))).sum();
        // At most 2^16 channels of 32 bits: far from an overflow.
        let mean = sum / channels as i64;
        ((mean + 0x8000) >> 16).min(i64::from(i16::MAX)) as i16
    })
}

// Each reads one sample at the full scale of 32 bits.

pub(super) fn i8(bytes: [u8; 1]) -> i32 {
    i32::from(i8::from_ne_bytes(bytes)) << 24
}

pub(super) fn i16(bytes: [u8; 2]) -> i32 {
    i32::from(i16::from_ne_bytes(bytes)) << 16
}

pub(super) fn i24(bytes: [u8; 4]) -> i32 {
    // What stands in the upper eight bits is nobody's promise.
    i32::from_ne_bytes(bytes) << 8
}

pub(super) fn i32(bytes: [u8; 4]) -> i32 {
    i32::from_ne_bytes(bytes)
}

pub(super) fn i64(bytes: [u8; 8]) -> i32 {
    (i64::from_ne_bytes(bytes) >> 32) as i32
}

pub(super) fn u8(bytes: [u8; 1]) -> i32 {
    u32_centred(u32::from(u8::from_ne_bytes(bytes)) << 24)
}

pub(super) fn u16(bytes: [u8; 2]) -> i32 {
    u32_centred(u32::from(u16::from_ne_bytes(bytes)) << 16)
}

pub(super) fn u24(bytes: [u8; 4]) -> i32 {
    u32_centred(u32::from_ne_bytes(bytes) << 8)
}

pub(super) fn u32(bytes: [u8; 4]) -> i32 {
    u32_centred(u32::from_ne_bytes(bytes))
}

pub(super) fn u64(bytes: [u8; 8]) -> i32 {
    u32_centred((u64::from_ne_bytes(bytes) >> 32) as u32)
}

pub(super) fn f32(bytes: [u8; 4]) -> i32 {
    f64_scaled(f64::from(f32::from_ne_bytes(bytes)))
}

pub(super) fn f64(bytes: [u8; 8]) -> i32 {
    f64_scaled(f64::from_ne_bytes(bytes))
}

/// Moves the middle of the unsigned range to zero.
fn u32_centred(sample: u32) -> i32 {
    (sample ^ 0x8000_0000) as i32
}

/// What is louder than full scale stays at it, and what is no number is silence.
fn f64_scaled(sample: f64) -> i32 {
    (sample * 2_147_483_648.0) as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_encoding_has_its_own_of_cpals() {
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::of(encoding.format()), Some(encoding));
        }
        assert_eq!(Encoding::of(SampleFormat::DsdU8), None);
    }

    #[test]
    fn the_ends_and_the_middle_of_each_range_are_where_they_belong() {
        let one = |scaled: i32| {
            let bytes = scaled.to_ne_bytes();
            mono(&bytes, 1, i32).next().unwrap()
        };
        for (lowest, middle, highest) in [
            (i8([0x80]), i8([0]), i8([0x7f])),
            (u8([0]), u8([0x80]), u8([0xff])),
            (
                i16(i16::MIN.to_ne_bytes()),
                i16([0; 2]),
                i16(i16::MAX.to_ne_bytes()),
            ),
            (u16([0; 2]), u16(0x8000u16.to_ne_bytes()), u16([0xff; 2])),
            (
                i24(0x0080_0000i32.to_ne_bytes()),
                i24([0; 4]),
                i24(0x007f_ffffi32.to_ne_bytes()),
            ),
            (
                u24([0; 4]),
                u24(0x0080_0000u32.to_ne_bytes()),
                u24(0x00ff_ffffu32.to_ne_bytes()),
            ),
            (
                i32(i32::MIN.to_ne_bytes()),
                i32([0; 4]),
                i32(i32::MAX.to_ne_bytes()),
            ),
            (
                u32([0; 4]),
                u32(0x8000_0000u32.to_ne_bytes()),
                u32([0xff; 4]),
            ),
            (
                i64(i64::MIN.to_ne_bytes()),
                i64([0; 8]),
                i64(i64::MAX.to_ne_bytes()),
            ),
            (u64([0; 8]), u64((1u64 << 63).to_ne_bytes()), u64([0xff; 8])),
            (
                f32((-1.0f32).to_ne_bytes()),
                f32([0; 4]),
                f32(1.0f32.to_ne_bytes()),
            ),
            (
                f64((-1.0f64).to_ne_bytes()),
                f64([0; 8]),
                f64(1.0f64.to_ne_bytes()),
            ),
        ] {
            assert_eq!((one(lowest), one(middle)), (i16::MIN, 0));
            assert!(one(highest) >= 0x7f00, "{highest:#x}");
        }
    }

    #[test]
    fn floats_that_are_too_loud_or_no_numbers_do_no_harm() {
        assert_eq!(f32(7.0f32.to_ne_bytes()), i32::MAX);
        assert_eq!(f32(f32::NEG_INFINITY.to_ne_bytes()), i32::MIN);
        assert_eq!(f64(f64::NAN.to_ne_bytes()), 0);
    }

    #[test]
    fn channels_are_mixed_to_their_mean_and_a_broken_frame_is_left_out() {
        let bytes: Vec<u8> = [100i16, 300, -5, -5, 7]
            .into_iter()
            .flat_map(i16::to_ne_bytes)
            .collect();
        let mixed: Vec<i16> = mono(&bytes, 2, i16).collect();
        assert_eq!(mixed, [200, -5]);
    }

    proptest! {
        #[test]
        fn sixteen_bits_in_one_channel_come_out_as_they_went_in(samples: Vec<i16>) {
            let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
            let mixed: Vec<i16> = mono(&bytes, 1, i16).collect();
            prop_assert_eq!(mixed, samples);
        }

        #[test]
        fn no_bytes_break_the_mix(bytes: Vec<u8>, channels: u16) {
            let frames = bytes.len() / 8 / usize::from(channels.max(1));
            prop_assert_eq!(mono(&bytes, channels, f64).count(), frames);
        }
    }
}
