//! How fast the kernels run on this CPU: multiplications and additions a second and a clock
//! cycle, on one thread, for each set of instructions and each shape that the models have.
//!
//! ```sh
//! cargo run --release -p earnest-kernels --example throughput
//! ```
//!
//! Each figure is the best of many short runs, so that a busy machine disturbs it little. The
//! share of the peak assumes one 512-bit or two 256-bit (on ARM, 128-bit) dot-product or fused
//! instructions a cycle, as Zen 4 and Cortex-A76 have; a CPU with more shows more than 100 %.

use std::hint::black_box;
use std::time::{Duration, Instant};

use earnest_kernels::{
    Activations, Column, Epilogue, Heads, Isa, Matrix, Pool, QuantizedMatrix, Rotary, attend_whole,
};

/// Runs of a measurement: enough to meet a moment in which nothing else runs.
const MOST_RUNS: usize = 2_000;

/// Time given to one measurement.
const BUDGET: Duration = Duration::from_millis(250);

fn main() -> std::io::Result<()> {
    let pool = Pool::new(1)?;
    let clock = clock_rate();
    println!("clock {:.2} GHz", clock / 1e9);
    println!(
        "{:<14} {:<34} {:>10} {:>9} {:>10} {:>7}",
        "kernels", "shape", "time/us", "GMAC/s", "MAC/cycle", "peak"
    );
    for isa in Isa::available() {
        let report = |shape: &str, macs: usize, peak: f64, seconds: f64| {
            let rate = macs as f64 / seconds;
            println!(
                "{:<14} {:<34} {:>10.1} {:>9.1} {:>10.1} {:>6.0}%",
                isa.name(),
                shape,
                seconds * 1e6,
                rate / 1e9,
                rate / clock,
                100.0 * rate / clock / peak
            );
        };
        let (integer_peak, float_peak) = peaks(isa);
        for (rows, depth, columns) in [
            (416, 288, 864),
            (416, 288, 288),
            (416, 1152, 288),
            (1, 288, 2304),
            (1, 1152, 288),
        ] {
            let time = bytes(isa, &pool, rows, depth, columns);
            let shape = format!("bytes {rows} x {depth} x {columns}");
            report(&shape, rows * depth * columns, integer_peak, time);
        }
        let time = pairs(isa, &pool);
        report(
            "pairs 1 x 288 x 32768",
            2 * 288 * 32_768,
            integer_peak,
            time,
        );
        let time = windows(isa, &pool);
        report(
            "windows 833 x 2016 x 576",
            2 * 833 * 2016 * 576,
            integer_peak,
            time,
        );
        for size in [36, 52] {
            let time = attention(isa, &pool, size);
            let shape = format!("attention 416 frames, 8 heads x {size}");
            report(&shape, 2 * 416 * 416 * 8 * size, float_peak, time);
        }
        let time = sound(isa, &pool);
        report("f32 2500 x 127 x 288", 2500 * 127 * 288, float_peak, time);
    }
    Ok(())
}

/// Products a cycle of the widest instructions of `isa`: of bytes, and of f32.
fn peaks(isa: Isa) -> (f64, f64) {
    match isa.name() {
        "avx512-vnni" => (64.0, 16.0),
        "avx-vnni" => (64.0, 16.0),
        "avx2" => (32.0, 16.0),
        "neon-dotprod" => (32.0, 8.0),
        "neon" => (16.0, 8.0),
        _ => (16.0, 8.0),
    }
}

/// Cycles a second, by a chain of additions and exclusive ors, each a cycle on every CPU in
/// use.
fn clock_rate() -> f64 {
    const TURNS: u64 = 200_000;
    let step = black_box(0x9E37_79B9_7F4A_7C15_u64);
    let seconds = best(|| {
        let mut x = 0_u64;
        for _ in 0..TURNS {
            x = (x ^ step).wrapping_add(step);
        }
        black_box(x);
    });
    2.0 * TURNS as f64 / seconds
}

/// The shortest of many runs, in seconds.
fn best(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut shortest = Duration::MAX;
    for _ in 0..MOST_RUNS {
        let begun = Instant::now();
        run();
        shortest = shortest.min(begun.elapsed());
        if start.elapsed() > BUDGET {
            break;
        }
    }
    shortest.as_secs_f64()
}

/// Numbers without a pattern, in -1..1.
fn noise(length: usize) -> Vec<f32> {
    let mut state = 1_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

fn matrix(isa: Isa, depth: usize, columns: usize) -> QuantizedMatrix {
    let columns = vec![
        Column {
            scale: 0.01,
            zero_point: 128,
            offset: 0.0,
        };
        columns
    ];
    QuantizedMatrix::pack(isa, depth, &columns, |k, n| (k * 31 + n * 17) as u8)
}

fn product(pool: &Pool, matrix: &QuantizedMatrix, activations: &Activations) -> f64 {
    let mut output = vec![0.0; activations.rows() * matrix.columns()];
    best(|| {
        matrix.multiply(pool, activations, &Epilogue::default(), &mut output);
        black_box(&mut output);
    })
}

fn bytes(isa: Isa, pool: &Pool, rows: usize, depth: usize, columns: usize) -> f64 {
    let mut activations = Activations::default();
    activations.quantize(isa, &noise(rows * depth), depth);
    product(pool, &matrix(isa, depth, columns), &activations)
}

fn pairs(isa: Isa, pool: &Pool) -> f64 {
    let mut activations = Activations::default();
    activations.quantize_wide(isa, &noise(288), 288);
    product(pool, &matrix(isa, 288, 32_768), &activations)
}

fn windows(isa: Isa, pool: &Pool) -> f64 {
    let mut activations = Activations::default();
    activations.quantize_windows(isa, &noise((832 * 3 + 7) * 288), 288, 7, 3);
    assert_eq!(activations.rows(), 833);
    product(pool, &matrix(isa, 2016, 576), &activations)
}

fn attention(isa: Isa, pool: &Pool, size: usize) -> f64 {
    let heads = Heads { count: 8, size };
    let rotary = Rotary {
        frequencies: vec![0.1; 16],
    };
    let rows = noise(416 * 3 * heads.width());
    let mut output = vec![0.0; 416 * heads.width()];
    best(|| {
        attend_whole(isa, pool, &rows, heads, &rotary, &mut output);
        black_box(&mut output);
    })
}

fn sound(isa: Isa, pool: &Pool) -> f64 {
    let weights = noise(127 * 288);
    let matrix = Matrix::pack(isa, 127, 288, |k, n| weights[k * 288 + n]);
    let input = noise(2499 * 64 + 127);
    let mut output = vec![0.0; 2500 * 288];
    best(|| {
        matrix.multiply_windows(pool, &input, 64, &mut output);
        black_box(&mut output);
    })
}
