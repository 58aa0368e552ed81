//! Numbers for tests, without a pattern and the same on every CPU, and what they are measured
//! against.

/// `length` numbers in -1..1.
pub(crate) fn floats(seed: u64, length: usize) -> Vec<f32> {
    words(seed)
        .take(length)
        .map(|word| (word >> 8) as f32 / 8_388_608.0 - 1.0)
        .collect()
}

/// `length` bytes.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    words(seed)
        .take(length)
        .map(|word| (word >> 24) as u8)
        .collect()
}

/// The upper half of Knuth's MMIX generator.
fn words(seed: u64) -> impl Iterator<Item = u32> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    })
}

/// The FNV-1a digest of the bits of `values`.
pub(crate) fn digest(values: &[f32]) -> u64 {
    values
        .iter()
        .flat_map(|x| x.to_bits().to_le_bytes())
        .fold(0xCBF2_9CE4_8422_2325, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        })
}

/// The error function by the series of positive terms (DLMF 7.6.2).
pub(crate) fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
        if term.abs() <= sum.abs() * 1e-17 {
            break;
        }
    }
    (2.0 / std::f64::consts::PI.sqrt()) * (-x * x).exp() * sum
}
