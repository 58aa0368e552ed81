//! Convolutions against their definition in f64, and against the order of their sums.

use super::*;
use crate::sample;

/// `x * Phi(x)` of the f64 sum.
fn gelu_of(x: f64) -> f64 {
    0.5 * x * (1.0 + sample::erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

/// What [`Filters`] or [`Convolution`] makes with 1 to 4 threads, which is the same.
fn with_threads(length: usize, run: impl Fn(&Pool, &mut [f32])) -> Vec<f32> {
    let outputs = [1, 2, 3, 4].map(|threads| {
        let mut output = vec![f32::NAN; length];
        run(&Pool::new(threads).unwrap(), &mut output);
        output
    });
    for output in &outputs {
        assert_eq!(output, &outputs[0]);
    }
    let [output, ..] = outputs;
    output
}

#[test]
fn filters_equal_the_definition_to_the_bit_with_any_number_of_threads() {
    // One frame, frames and filters that fill no panel and no tile, more than a task has.
    for (filters, kernel, step, frames) in [(1, 1, 1, 1), (33, 127, 64, 7), (70, 20, 3, 101)] {
        let sound = sample::floats(1, (frames - 1) * step + kernel + (step - 1));
        let weights = sample::floats(2, filters * kernel);
        let expected: Vec<f32> = (0..filters * frames)
            .map(|index| {
                let (filter, frame) = (index / frames, index % frames);
                let window = &sound[frame * step..][..kernel];
                let weights = &weights[filter * kernel..][..kernel];
                let pairs = window.iter().zip(weights);
                pairs.fold(0.0, |sum, (x, w)| w.mul_add(*x, sum))
            })
            .collect();
        for isa in Isa::available() {
            let of = Filters::new(isa, &WeightStore::fresh(), [filters, kernel], step, || {
                weights.clone()
            });
            let of = of.unwrap();
            assert_eq!(of.filters(), filters);
            let output = with_threads(expected.len(), |pool, output| {
                of.run(pool, &sound, output);
            });
            assert_eq!(output, expected, "{}", isa.name());
        }
    }
}

/// The sum of each output before its bias, by its definition: in blocks, channel by channel.
fn sums(
    value: impl Fn(usize, usize) -> f32,
    weights: &[f32],
    depth: usize,
    frames: usize,
) -> Vec<f32> {
    let outputs = weights.len() / depth;
    let block = depth_of_block(frames, depth);
    (0..frames * outputs)
        .map(|index| {
            let (frame, output) = (index / outputs, index % outputs);
            let weights = &weights[output * depth..][..depth];
            let mut total = 0.0;
            for start in (0..depth).step_by(block) {
                let block = weights[start..].iter().take(block).enumerate();
                total += block.fold(0.0_f32, |sum, (k, weight)| {
                    value(frame, start + k).mul_add(*weight, sum)
                });
            }
            total
        })
        .collect()
}

#[test]
fn convolutions_equal_the_definition_to_the_bit_in_both_layouts() {
    for (inputs, kernel, step, outputs, frames) in [
        (1, 1, 1, 1, 1),
        (40, 7, 3, 70, 9),
        (30, 3, 2, 64, FRAMES_OF_TASK + 5),
        // More frames than a block of sums takes at its longest.
        (50, 7, 1, 33, 140),
    ] {
        let depth = inputs * kernel;
        let of_input = (frames - 1) * step + kernel + (step - 1);
        let by_frame = sample::floats(3, of_input * inputs);
        let mut by_channel = vec![0.0; by_frame.len()];
        for (index, x) in by_frame.iter().enumerate() {
            by_channel[index % inputs * of_input + index / inputs] = *x;
        }
        let weights = sample::floats(4, outputs * depth);
        let bias = sample::floats(5, outputs);
        let value =
            |frame: usize, k: usize| by_frame[(frame * step + k % kernel) * inputs + k / kernel];
        let expected = sums(value, &weights, depth, frames);
        for isa in Isa::available() {
            let of = Convolution::pack(
                isa,
                &WeightStore::fresh(),
                [inputs, kernel],
                step,
                &bias,
                || weights.clone(),
            );
            let of = of.unwrap();
            assert_eq!(of.outputs(), outputs);
            let mut finished = expected.clone();
            finish(isa, &mut finished, &bias);
            for (layout, input) in [
                (Layout::ByFrame, &by_frame),
                (Layout::ByChannel, &by_channel),
            ] {
                let output = with_threads(expected.len(), |pool, output| {
                    of.run(pool, input, layout, output);
                });
                assert_eq!(output, finished, "{}, {layout:?}", isa.name());
            }
        }
        let isa = Isa::portable();
        let mut finished = expected.clone();
        finish(isa, &mut finished, &bias);
        for (index, actual) in finished.iter().enumerate() {
            let (frame, output) = (index / outputs, index % outputs);
            let sum: f64 = (0..depth)
                .map(|k| f64::from(value(frame, k)) * f64::from(weights[output * depth + k]))
                .sum();
            let exact = gelu_of(sum + f64::from(bias[output]));
            let bound = f64::from(f32::EPSILON) * (depth + 8) as f64;
            assert!(
                (f64::from(*actual) - exact).abs() <= bound,
                "{actual}, {exact}"
            );
        }
    }
}
