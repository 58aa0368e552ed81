//! Attention against its definition in f64.

use super::*;
use crate::sample;

/// The shapes of the models, and one whose heads fill no vector.
const HEADS: [Heads; 4] = [
    Heads { count: 8, size: 36 },
    Heads { count: 8, size: 52 },
    Heads { count: 3, size: 64 },
    Heads { count: 2, size: 10 },
];

fn rotary(heads: Heads) -> Rotary {
    // About 0.9 of a head is turned, in whole pairs, as in the models.
    let pairs = heads.size * 9 / 20;
    Rotary {
        frequencies: (0..pairs)
            .map(|pair| 10_000_f32.powf(-(pair as f32) / pairs as f32))
            .collect(),
    }
}

/// One head of `row` from `column` on, turned to `position`.
fn turned(row: &[f32], column: usize, size: usize, rotary: &Rotary, position: usize) -> Vec<f64> {
    let mut head: Vec<f64> = row[column..column + size]
        .iter()
        .map(|&x| f64::from(x))
        .collect();
    for (pair, &frequency) in rotary.frequencies.iter().enumerate() {
        let (sine, cosine) = (f64::from(frequency) * position as f64).sin_cos();
        let (x, y) = (head[2 * pair], head[2 * pair + 1]);
        head[2 * pair] = x * cosine - y * sine;
        head[2 * pair + 1] = y * cosine + x * sine;
    }
    head
}

/// Softmax of the scaled scores, and the mean of `values` by these weights.
fn attend_reference(query: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let scale = 1.0 / (query.len() as f64).sqrt();
    let scores: Vec<f64> = keys
        .iter()
        .map(|key| scale * query.iter().zip(key).map(|(a, b)| a * b).sum::<f64>())
        .collect();
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|x| (x - greatest).exp()).collect();
    let total: f64 = powers.iter().sum();
    let weights: Vec<f64> = powers.iter().map(|x| x / total).collect();
    let output = (0..query.len())
        .map(|i| {
            weights
                .iter()
                .zip(values)
                .map(|(w, value)| w * value[i])
                .sum()
        })
        .collect();
    (weights, output)
}

fn assert_close(actual: &[f32], expected: &[f64], context: &str) {
    // Values within 2, whose weights add up to one: scores are rounded, angles too.
    const BOUND: f64 = 2e-5;
    for (index, (&actual, expected)) in actual.iter().zip(expected).enumerate() {
        let error = (f64::from(actual) - expected).abs();
        assert!(
            error < BOUND,
            "{context}, {index}: {actual} is not {expected}"
        );
    }
}

/// `[frames, width]` numbers in -2..2.
fn numbers(seed: u64, length: usize) -> Vec<f32> {
    sample::floats(seed, length)
        .into_iter()
        .map(|x| 2.0 * x)
        .collect()
}

#[test]
fn whole_segments_attend_as_the_definition() {
    for heads in HEADS {
        let (rotary, width) = (rotary(heads), heads.width());
        for frames in [1, 2, 31, 32, 33, 61] {
            let rows = numbers(frames as u64, frames * 3 * width);
            let row = |frame: usize| &rows[frame * 3 * width..][..3 * width];
            let mut expected = vec![0.0; frames * width];
            for head in 0..heads.count {
                let column = head * heads.size;
                let of = |part: usize, frame: usize| {
                    turned(
                        row(frame),
                        part * width + column,
                        heads.size,
                        &rotary,
                        frame,
                    )
                };
                let still = Rotary {
                    frequencies: Vec::new(),
                };
                let keys: Vec<_> = (0..frames).map(|frame| of(1, frame)).collect();
                let values: Vec<_> = (0..frames)
                    .map(|frame| turned(row(frame), 2 * width + column, heads.size, &still, 0))
                    .collect();
                for frame in 0..frames {
                    let (_, output) = attend_reference(&of(0, frame), &keys, &values);
                    expected[frame * width + column..][..heads.size].copy_from_slice(&output);
                }
            }
            let mut first = Vec::new();
            for isa in Isa::available() {
                for threads in 1..=4 {
                    let pool = Pool::new(threads).unwrap();
                    let mut output = vec![f32::NAN; frames * width];
                    attend_whole(isa, &pool, &rows, heads, &rotary, &mut output);
                    assert_close(&output, &expected, &format!("{}, {heads:?}", isa.name()));
                    if first.is_empty() {
                        first.clone_from(&output);
                    }
                    assert_eq!(output, first, "{}, {threads} threads", isa.name());
                }
            }
        }
    }
}

#[test]
fn a_growing_cache_attends_as_the_definition_over_the_borders_of_panels() {
    let tokens = 2 * PANEL + 3;
    for heads in HEADS {
        let (rotary, width) = (rotary(heads), heads.width());
        let rows = numbers(7, tokens * 3 * width);
        let mut first: Vec<Vec<f32>> = Vec::new();
        for isa in Isa::available() {
            let mut cache = CausalCache::new(heads);
            // A second turn: what was cleared leaves no trace.
            for turn in 0..2 {
                cache.clear();
                for (position, row) in rows.chunks(3 * width).enumerate() {
                    assert_eq!(cache.length(), position);
                    let mut output = vec![f32::NAN; width];
                    attend_next(isa, row, &rotary, &mut cache, &mut output);
                    if first.len() == position {
                        first.push(output.clone());
                    }
                    assert_eq!(output, first[position], "{}", isa.name());
                    // All tokens once, the borders of panels in the second turn.
                    if turn == 1 && (2..PANEL - 1).contains(&(position % PANEL)) {
                        continue;
                    }
                    let expected = next_reference(&rows, heads, &rotary, position);
                    let context = format!("{}, {heads:?}, token {position}", isa.name());
                    assert_close(&output, &expected, &context);
                }
            }
        }
    }
}

/// What token `position` of `rows` is given.
fn next_reference(rows: &[f32], heads: Heads, rotary: &Rotary, position: usize) -> Vec<f64> {
    let width = heads.width();
    let still = Rotary {
        frequencies: Vec::new(),
    };
    (0..heads.count)
        .flat_map(|head| {
            let of = |part: usize, frame: usize, rotary: &Rotary| {
                let row = &rows[frame * 3 * width..][..3 * width];
                turned(
                    row,
                    part * width + head * heads.size,
                    heads.size,
                    rotary,
                    frame,
                )
            };
            let keys: Vec<_> = (0..=position).map(|frame| of(1, frame, rotary)).collect();
            let values: Vec<_> = (0..=position).map(|frame| of(2, frame, &still)).collect();
            attend_reference(&of(0, position, rotary), &keys, &values).1
        })
        .collect()
}

#[test]
fn a_token_attends_to_a_segment_as_the_definition() {
    for heads in HEADS {
        let (width, size) = (heads.width(), heads.size);
        for frames in [1, 31, 32, 33, 100] {
            let query = numbers(1, width);
            let (keys, values) = (numbers(2, frames * width), numbers(3, frames * width));
            let mut panels = vec![f32::NAN; heads.keys_length(frames)];
            let mut padded = vec![f32::NAN; heads.values_length(frames)];
            CrossMemory::lay_out_keys(keys.chunks(width), heads, &mut panels);
            CrossMemory::lay_out_values(values.chunks(width), heads, &mut padded);
            let still = Rotary {
                frequencies: Vec::new(),
            };
            let (mut expected_weights, mut expected) = (Vec::new(), Vec::new());
            for head in 0..heads.count {
                let of = |rows: &[f32]| -> Vec<Vec<f64>> {
                    rows.chunks(width)
                        .map(|row| turned(row, head * size, size, &still, 0))
                        .collect()
                };
                let query = turned(&query, head * size, size, &still, 0);
                let (weights, output) = attend_reference(&query, &of(&keys), &of(&values));
                expected_weights.extend(weights);
                expected.extend(output);
            }
            let mut first = (Vec::new(), Vec::new());
            for isa in Isa::available() {
                for threads in 1..=4 {
                    let pool = Pool::new(threads).unwrap();
                    let mut weights = vec![f32::NAN; heads.count * frames];
                    let mut output = vec![f32::NAN; width];
                    attend_cross(
                        isa,
                        &pool,
                        &query,
                        &panels,
                        &padded,
                        heads,
                        &mut weights,
                        &mut output,
                    );
                    let context = format!("{}, {heads:?}, {frames} frames", isa.name());
                    assert_close(&weights, &expected_weights, &context);
                    assert_close(&output, &expected, &context);
                    let both = (weights, output);
                    if first.0.is_empty() {
                        first.clone_from(&both);
                    }
                    assert_eq!(both, first, "{}, {threads} threads", isa.name());
                }
            }
        }
    }
}

/// The products of one query by their definition: four at a time, then two, then one, each
/// product and each sum rounded.
fn sum_by_fours(row: &[f32], value: impl Fn(usize) -> f32) -> f32 {
    let (mut total, mut start) = (0.0, 0);
    for size in [4, 2, 1] {
        while row.len() - start >= size {
            let sum = (start + 1..start + size)
                .fold(row[start] * value(start), |sum, k| sum + row[k] * value(k));
            total += sum;
            start += size;
        }
    }
    total
}

#[test]
fn one_row_times_a_panel_equals_the_definition_to_the_bit() {
    for width in [16, 32, 48, 64] {
        for depth in [0, 1, 2, 3, 4, 7, 36, 415] {
            let row = numbers(depth as u64, depth);
            let panel = numbers(width as u64, depth * width);
            let columns = width - 3;
            let expected: Vec<f32> = (0..columns)
                .map(|column| sum_by_fours(&row, |k| panel[k * width + column]))
                .collect();
            for isa in Isa::available() {
                let mut output = vec![f32::NAN; columns];
                row_times_panel(isa, &row, &panel, width, &mut output);
                assert_eq!(output, expected, "{}, {depth} x {width}", isa.name());
            }
        }
    }
}
