//! How fast the kernels run on this CPU: multiplications and additions a second and a clock
//! cycle, on one thread, for each set of instructions and each shape that the models have.
//!
//! ```sh
//! cargo run --release -p earnest-kernels --example throughput -- [set [shape]]
//! ```
//!
//! Each figure is the best of many short runs, so that a busy machine disturbs it little. The
//! share of the peak assumes one 512-bit or two 256-bit (on ARM, 128-bit) dot-product or fused
//! instructions a cycle, as Zen 4 and Cortex-A76 have; a CPU with more shows more than 100 %.

use std::hint::black_box;
use std::time::{Duration, Instant};

use earnest_kernels::{
    Activations, Column, Convolution, Epilogue, Filters, Heads, Isa, Layout, Pool, QuantizedMatrix,
    Rotary, WeightStore, attend_whole,
};

/// Runs of a measurement: enough to meet a moment in which nothing else runs.
const MOST_RUNS: usize = 2_000;

/// Time given to one measurement.
const BUDGET: Duration = Duration::from_millis(250);

fn main() -> std::io::Result<()> {
    let pool = Pool::new(1)?;
    let mut wanted = std::env::args().skip(1);
    let (wanted_isa, wanted_shape) = (
        wanted.next().unwrap_or_default(),
        wanted.next().unwrap_or_default(),
    );
    let clock = clock_rate();
    println!("clock {:.2} GHz", clock / 1e9);
    println!(
        "{:<14} {:<34} {:>10} {:>9} {:>10} {:>7}",
        "kernels", "shape", "time/us", "GMAC/s", "MAC/cycle", "peak"
    );
    for isa in Isa::available() {
        for shape in shapes() {
            if !isa.name().contains(&wanted_isa) || !shape.name().contains(&wanted_shape) {
                continue;
            }
            let seconds = shape.measure(isa, &pool);
            let rate = shape.products() as f64 / seconds;
            println!(
                "{:<14} {:<34} {:>10.1} {:>9.1} {:>10.1} {:>6.0}%",
                isa.name(),
                shape.name(),
                seconds * 1e6,
                rate / 1e9,
                rate / clock,
                100.0 * rate / clock / shape.peak(isa)
            );
        }
    }
    Ok(())
}

/// What is measured.
enum Shape {
    /// Activations of a byte: rows, depth, columns.
    Bytes(usize, usize, usize),
    /// Wide activations: rows, depth, columns.
    Pairs(usize, usize, usize),
    /// A convolution over 288 channels: rows, frames of a window, columns.
    Windows(usize, usize, usize),
    /// The encoder's attention over 416 frames: dimensions of each of 8 heads.
    Attention(usize),
    /// The first convolution, over the sound: rows, depth, columns.
    Sound(usize, usize, usize),
}

/// Those of the models: the encoder's layers over ten seconds, a decoder's step, the
/// vocabulary, the convolutions.
fn shapes() -> [Shape; 10] {
    [
        Shape::Bytes(416, 288, 864),
        Shape::Bytes(416, 288, 288),
        Shape::Bytes(416, 1152, 288),
        Shape::Bytes(1, 288, 2304),
        Shape::Bytes(1, 1152, 288),
        Shape::Pairs(1, 288, 32_768),
        Shape::Windows(833, 7, 576),
        Shape::Attention(36),
        Shape::Attention(52),
        Shape::Sound(2500, 127, 288),
    ]
}

impl Shape {
    fn name(&self) -> String {
        match self {
            Shape::Bytes(rows, depth, columns) => format!("bytes {rows} x {depth} x {columns}"),
            Shape::Pairs(rows, depth, columns) => format!("pairs {rows} x {depth} x {columns}"),
            Shape::Windows(rows, kernel, columns) => {
                format!("windows {rows} x {} x {columns}", kernel * CHANNELS)
            }
            Shape::Attention(size) => format!("attention {FRAMES} frames, {HEADS} heads x {size}"),
            Shape::Sound(rows, depth, columns) => format!("f32 {rows} x {depth} x {columns}"),
        }
    }

    /// Multiplications of one run; those of padding are not counted.
    fn products(&self) -> usize {
        match self {
            Shape::Bytes(rows, depth, columns) | Shape::Sound(rows, depth, columns) => {
                rows * depth * columns
            }
            Shape::Pairs(rows, depth, columns) => 2 * rows * depth * columns,
            Shape::Windows(rows, kernel, columns) => rows * kernel * CHANNELS * columns,
            Shape::Attention(size) => 2 * FRAMES * FRAMES * HEADS * size,
        }
    }

    fn peak(&self, isa: Isa) -> f64 {
        let (integers, floats) = peaks(isa);
        match self {
            Shape::Attention(_) | Shape::Sound(..) | Shape::Windows(..) => floats,
            _ => integers,
        }
    }

    fn measure(&self, isa: Isa, pool: &Pool) -> f64 {
        let mut activations = Activations::default();
        match *self {
            Shape::Bytes(rows, depth, columns) => {
                activations.quantize(isa, &noise(rows * depth), depth);
                product(pool, &matrix(isa, depth, columns), &activations)
            }
            Shape::Pairs(rows, depth, columns) => {
                activations.quantize_wide(isa, &noise(rows * depth), depth);
                product(pool, &matrix(isa, depth, columns), &activations)
            }
            Shape::Windows(rows, kernel, columns) => windows(isa, pool, rows, kernel, columns),
            Shape::Attention(size) => attention(isa, pool, size),
            Shape::Sound(rows, depth, columns) => sound(isa, pool, rows, depth, columns),
        }
    }
}

/// Frames of an encoder's segment of ten seconds.
const FRAMES: usize = 416;
const HEADS: usize = 8;
const CHANNELS: usize = 288;

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
        };
        columns
    ];
    let value = |k, n| (k * 31 + n * 17) as u8;
    QuantizedMatrix::pack(isa, &WeightStore::fresh(), depth, &columns, value)
        .expect("a fresh store packs everything")
}

fn product(pool: &Pool, matrix: &QuantizedMatrix, activations: &Activations) -> f64 {
    // On a cache line, as the runtime's tensors are: vectors that straddle two store slowly.
    let length = activations.rows() * matrix.columns();
    let mut room = vec![0.0; length + 16];
    let first = room.as_ptr().align_offset(64).min(16);
    let output = &mut room[first..first + length];
    best(|| {
        matrix.multiply(pool, activations, &Epilogue::default(), output);
        black_box(&mut *output);
    })
}

fn attention(isa: Isa, pool: &Pool, size: usize) -> f64 {
    let heads = Heads { count: HEADS, size };
    let rotary = Rotary {
        frequencies: vec![0.1; 16],
    };
    let rows = noise(FRAMES * 3 * heads.width());
    let mut output = vec![0.0; FRAMES * heads.width()];
    best(|| {
        attend_whole(isa, pool, &rows, heads, &rotary, &mut output);
        black_box(&mut output);
    })
}

fn windows(isa: Isa, pool: &Pool, rows: usize, kernel: usize, columns: usize) -> f64 {
    const STEP: usize = 3;
    let weights = noise(CHANNELS * kernel * columns);
    let bias = noise(columns);
    let convolution = Convolution::pack(
        isa,
        &WeightStore::fresh(),
        [CHANNELS, kernel],
        STEP,
        &bias,
        || weights,
    )
    .expect("a fresh store packs everything");
    let input = noise(((rows - 1) * STEP + kernel) * CHANNELS);
    let mut output = vec![0.0; rows * columns];
    best(|| {
        convolution.run(pool, &input, Layout::ByChannel, &mut output);
        black_box(&mut output);
    })
}

fn sound(isa: Isa, pool: &Pool, rows: usize, depth: usize, columns: usize) -> f64 {
    const STEP: usize = 64;
    let filters = Filters::new(isa, &WeightStore::fresh(), [columns, depth], STEP, || {
        noise(depth * columns)
    })
    .expect("a fresh store packs everything");
    let input = noise((rows - 1) * STEP + depth);
    let mut output = vec![0.0; rows * columns];
    best(|| {
        filters.run(pool, &input, &mut output);
        black_box(&mut output);
    })
}
