//! Which instructions this CPU has. An [`Isa`] is proof: it is only made where the CPU was
//! asked, which is what makes it sound to call the kernels compiled for it.

/// A set of instructions that was found on this CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

/// The sets that kernels are written for, better ones last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Plain Rust, as the compiler's baseline for the target allows.
    Portable,
    /// AVX2 and FMA: `vpmaddwd` on widened bytes.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX2 with VNNI: `vpdpbusd` on 32 bytes.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX-512 with VNNI: `vpdpbusd` on 64 bytes.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    /// NEON, which every aarch64 has: `smull` and `sadalp` on 8 bytes.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// NEON with the dot product: `sdot` on 16 bytes.
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

impl Isa {
    /// The plain kernels, which every CPU runs.
    pub fn portable() -> Isa {
        Isa(Level::Portable)
    }

    /// The best set that this CPU has.
    pub fn detect() -> Isa {
        // `available` always holds the portable set.
        Isa::available()
            .last()
            .copied()
            .unwrap_or(Isa(Level::Portable))
    }

    /// Every set that this CPU has, better ones last.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut)]
        let mut found = vec![Isa(Level::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 {
                found.push(Isa(Level::Avx2));
            }
            if avx2 && is_x86_feature_detected!("avxvnni") {
                found.push(Isa(Level::AvxVnni));
            }
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                found.push(Isa(Level::Avx512Vnni));
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            if std::arch::is_aarch64_feature_detected!("neon") {
                found.push(Isa(Level::Neon));
                if std::arch::is_aarch64_feature_detected!("dotprod") {
                    found.push(Isa(Level::NeonDot));
                }
            }
        }
        found
    }

    /// The name that benches and logs print.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::AvxVnni => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Level::NeonDot => "neon-dotprod",
        }
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }
}

/// Asks for `values`, which will be read soon, to be brought near; a hint, without effect on
/// what is computed.
#[inline(always)]
pub(crate) fn prefetch(values: &[f32]) {
    /// Of a cache line.
    const FLOATS: usize = 16;
    for line in values.chunks(FLOATS) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the hint reads nothing; SSE is part of every x86-64.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the hint reads nothing.
        unsafe {
            std::arch::asm!(
                "prfm pldl1keep, [{}]",
                in(reg) line.as_ptr(),
                options(nostack, preserves_flags, readonly)
            );
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = line;
    }
}

/// A product and a sum with one rounding, by the instruction or without it: kernels give the
/// same bits on every CPU. The compiler may only fuse where it is told to, and
/// `f32::mul_add` without the instruction is a library call.
pub(crate) trait Rounding {
    /// `a * b + c`, rounded once.
    fn multiply_add(a: f32, b: f32, c: f32) -> f32;
}

/// By the instruction.
pub(crate) struct Fused;

impl Rounding for Fused {
    #[inline(always)]
    fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// In f64, for targets without the instruction; the same bits, several times the work.
pub(crate) struct Emulated;

impl Rounding for Emulated {
    #[inline(always)]
    fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
        // Exact: 48 bits of 53.
        let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
        let sum = product + c;
        // What the sum lost (Knuth's two-sum), if it is finite.
        let of_c = sum - product;
        let lost = (product - (sum - of_c)) + (c - of_c);
        // Rounded to odd (Boldo and Melquiond, 2008): an inexact sum is made the odd one of
        // its two neighbours, so that the rounding to f32 below is the only one that counts.
        let bits = sum.to_bits();
        let is_inexact = lost != 0.0 && sum.is_finite();
        let outwards = (lost > 0.0) == (sum > 0.0);
        let odd = if outwards {
            bits | 1
        } else {
            bits.wrapping_sub(1) | 1
        };
        let odd = if bits & 1 == 1 { bits } else { odd };
        f64::from_bits(if is_inexact { odd } else { bits }) as f32
    }
}

/// Compiles one plain body for each set of instructions, so that the compiler vectorises it
/// for each, and picks at run time.
macro_rules! vectorized {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?)
        $(-> $result:ty)? = $body:ident) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $visibility fn $name(isa: $crate::isa::Isa, $($argument: $type),*) $(-> $result)? {
            match isa.level() {
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Level::Avx512Vnni => {
                    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                    #[allow(clippy::too_many_arguments)]
                    fn wide($($argument: $type),*) $(-> $result)? {
                        $body::<$crate::isa::Fused>($($argument),*)
                    }
                    // SAFETY: an `Isa` of this level is only made where the CPU was asked
                    // for these features.
                    unsafe { wide($($argument),*) }
                }
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Level::Avx2 | $crate::isa::Level::AvxVnni => {
                    #[target_feature(enable = "avx2,fma")]
                    #[allow(clippy::too_many_arguments)]
                    fn narrow($($argument: $type),*) $(-> $result)? {
                        $body::<$crate::isa::Fused>($($argument),*)
                    }
                    // SAFETY: as above.
                    unsafe { narrow($($argument),*) }
                }
                // Fused multiply-add is part of every aarch64.
                #[cfg(target_arch = "aarch64")]
                $crate::isa::Level::Neon | $crate::isa::Level::NeonDot => {
                    $body::<$crate::isa::Fused>($($argument),*)
                }
                $crate::isa::Level::Portable => $body::<$crate::isa::Emulated>($($argument),*),
            }
        }
    };
}
pub(crate) use vectorized;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers whose products and sums are near one another, so that roundings meet ties.
    fn number() -> impl Strategy<Value = f32> {
        prop_oneof![
            any::<f32>(),
            (-4096_i32..4096, -12_i32..12).prop_map(|(x, e)| x as f32 * (e as f32).exp2()),
            -2.0_f32..2.0,
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_emulated_sum_of_a_product_is_rounded_once(
            (a, b, c) in (number(), number(), number()),
            near in -3_i32..4,
        ) {
            // Also a sum that nearly cancels the product.
            let close = f32::from_bits((-(a * b)).to_bits().wrapping_add_signed(near));
            for c in [c, close] {
                let (expected, actual) = (a.mul_add(b, c), Emulated::multiply_add(a, b, c));
                prop_assert!(
                    expected.to_bits() == actual.to_bits() || expected.is_nan() && actual.is_nan(),
                    "{a:e} * {b:e} + {c:e} is {expected:e}, not {actual:e}"
                );
            }
        }
    }
}
