//! Bytes aligned to a cache line, so that no vector load straddles two.

/// A value that starts on a cache line.
#[derive(Clone)]
#[repr(C, align(64))]
pub(crate) struct Aligned<T>(pub(crate) T);

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A fixed run of bytes that starts on a cache line. Zeroed at first.
#[derive(Clone)]
pub(crate) struct AlignedBytes {
    lines: Vec<Line>,
    length: usize,
}

impl AlignedBytes {
    pub(crate) fn zeroed(length: usize) -> AlignedBytes {
        AlignedBytes {
            lines: vec![Line([0; 64]); length.div_ceil(64)],
            length,
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: `lines` owns at least `length` initialised bytes, one after the other, as
        // `Line` is 64 bytes without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

/// A fixed run of f32 that starts on a cache line. Zeroed at first.
#[derive(Clone)]
pub(crate) struct AlignedFloats(AlignedBytes);

impl AlignedFloats {
    pub(crate) fn zeroed(length: usize) -> AlignedFloats {
        AlignedFloats(AlignedBytes::zeroed(length * size_of::<f32>()))
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        let bytes = self.0.as_slice();
        // SAFETY: the bytes are aligned to 64 and a multiple of four long, and every pattern
        // of bits is an f32.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / 4) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        let bytes = self.0.as_mut_slice();
        // SAFETY: as above, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len() / 4) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_start_on_a_cache_line_zeroed_and_keep_what_is_written() {
        for length in [0, 1, 63, 64, 65, 1000] {
            let mut bytes = AlignedBytes::zeroed(length);
            assert_eq!(bytes.as_slice(), vec![0; length]);
            assert!((bytes.as_slice().as_ptr() as usize).is_multiple_of(64));
            for (index, byte) in bytes.as_mut_slice().iter_mut().enumerate() {
                *byte = index as u8;
            }
            let copy = bytes.clone();
            drop(bytes);
            let expected: Vec<u8> = (0..length).map(|index| index as u8).collect();
            assert_eq!(copy.as_slice(), expected);
            assert!((copy.as_slice().as_ptr() as usize).is_multiple_of(64));
        }
    }

    #[test]
    fn floats_start_on_a_cache_line_zeroed_and_keep_what_is_written() {
        for length in [0, 1, 16, 17, 333] {
            let mut floats = AlignedFloats::zeroed(length);
            assert_eq!(floats.as_slice(), vec![0.0; length]);
            assert!((floats.as_slice().as_ptr() as usize).is_multiple_of(64));
            for (index, float) in floats.as_mut_slice().iter_mut().enumerate() {
                *float = index as f32;
            }
            let expected: Vec<f32> = (0..length).map(|index| index as f32).collect();
            assert_eq!(floats.clone().as_slice(), expected);
        }
    }
}
