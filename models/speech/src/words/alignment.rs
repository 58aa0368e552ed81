//! Which frames each token was read from: the best path through the attention.

use std::borrow::Cow;

use crate::CrossAttention;

/// The heads that follow the sound, layer-major, chosen for each model by adding one head at
/// a time while the errors fell against the forced alignments that `words` tells of. Chosen
/// on one half of the clips and measured on the other, the mean error was 59 ms (that of a
/// start plus half that of an end) where the clips fitted had 55 (tiny) and 57 (base). The
/// single best head had 80 and 85; all heads together are worse by a third to two fifths.
///
/// (layer, head): (5,6) (3,7) (3,0) (5,2) (4,6) (3,6) (4,2) (4,3).
const MOONSHINE_TINY: [usize; 8] = [46, 31, 24, 42, 38, 30, 34, 35];
/// (layer, head): (4,2) (5,6) (5,0) (4,4) (5,5) (6,5) (7,3) (6,6).
const MOONSHINE_BASE: [usize; 8] = [34, 46, 40, 36, 45, 53, 59, 54];

/// 6 layers of 8 heads.
const MOONSHINE_TINY_HEADS: usize = 48;
/// 8 layers of 8 heads.
const MOONSHINE_BASE_HEADS: usize = 64;

/// The heads to read of a decoder that has `heads` in all.
fn alignment_heads(heads: usize) -> Cow<'static, [usize]> {
    match heads {
        MOONSHINE_TINY_HEADS => Cow::Borrowed(&MOONSHINE_TINY),
        MOONSHINE_BASE_HEADS => Cow::Borrowed(&MOONSHINE_BASE),
        // Nothing is known of another model's heads; the upper half sees more of the sound.
        other => Cow::Owned((other / 2..other).collect()),
    }
}

/// The first frame of each token, and last the number of frames: `tokens + 1` entries that
/// do not fall. `attention.weights` has been checked to be of the shape it tells.
pub(super) fn token_starts(attention: &CrossAttention) -> Vec<usize> {
    let (tokens, frames) = (attention.tokens, attention.frames);
    if tokens == 0 || frames < tokens {
        // No path gives each token a frame. Decoding caps tokens far below that.
        return (0..=tokens)
            .map(|token| token * frames / tokens.max(1))
            .collect();
    }
    best_path(&scores(attention), tokens, frames)
}

/// The sum over the chosen heads, `[token][frame]`.
fn scores(attention: &CrossAttention) -> Vec<f32> {
    let heads = alignment_heads(attention.heads);
    let frames = attention.frames;
    let mut scores = vec![0.0; attention.tokens * frames];
    for (token, row) in scores.chunks_exact_mut(frames).enumerate() {
        for head in heads.iter() {
            let start = (token * attention.heads + head) * frames;
            let weights = &attention.weights[start..start + frames];
            for (score, weight) in row.iter_mut().zip(weights) {
                *score += weight;
            }
        }
    }
    scores
}

/// Cuts `frames` into one stretch a token, in order and none of them empty, so that the sum
/// of each token's scores over its own stretch is greatest. Of equal cuts the one whose
/// tokens begin later wins. Needs `1 <= tokens <= frames`.
fn best_path(scores: &[f32], tokens: usize, frames: usize) -> Vec<usize> {
    // best[token]: the best sum of a path that ends in `token` at the current frame.
    let mut best = vec![f32::NEG_INFINITY; tokens];
    best[0] = scores[0];
    // Whether the best path to (frame, token) came from the token before.
    let mut advanced = vec![false; frames * tokens];
    for frame in 1..frames {
        for token in (0..tokens.min(frame + 1)).rev() {
            let stay = best[token];
            let advance = match token {
                0 => f32::NEG_INFINITY,
                _ => best[token - 1],
            };
            let steps = frame == token || advance > stay;
            advanced[frame * tokens + token] = steps;
            best[token] = if steps { advance } else { stay } + scores[token * frames + frame];
        }
    }

    let mut starts = vec![0; tokens + 1];
    starts[tokens] = frames;
    let mut token = tokens - 1;
    for frame in (1..frames).rev() {
        if advanced[frame * tokens + token] {
            starts[token] = frame;
            token -= 1;
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_path_follows_the_scores() {
        let scores = [
            [0.9, 0.8, 0.1, 0.0, 0.0],
            [0.1, 0.2, 0.9, 0.1, 0.0],
            [0.0, 0.0, 0.0, 0.9, 0.9],
        ]
        .concat();
        assert_eq!(best_path(&scores, 3, 5), [0, 2, 3, 5]);
    }

    #[test]
    fn as_many_tokens_as_frames_leave_one_path() {
        assert_eq!(best_path(&[0.0; 9], 3, 3), [0, 1, 2, 3]);
    }

    #[test]
    fn heads_of_the_known_models_exist() {
        for (heads, chosen) in [(48, MOONSHINE_TINY), (64, MOONSHINE_BASE)] {
            assert!(chosen.iter().all(|head| *head < heads));
        }
    }

    #[test]
    fn only_the_chosen_heads_count() {
        let (heads, frames) = (MOONSHINE_TINY_HEADS, 4);
        let mut weights = vec![0.0; 2 * heads * frames];
        for token in 0..2 {
            for head in 0..heads {
                let chosen = MOONSHINE_TINY.contains(&head);
                // The chosen heads cut after one frame, the others would after three.
                let cut = if chosen { 1 } else { 3 };
                for frame in 0..frames {
                    let own = (frame >= cut) == (token == 1);
                    weights[(token * heads + head) * frames + frame] = f32::from(u8::from(own));
                }
            }
        }
        let attention = CrossAttention {
            heads,
            tokens: 2,
            frames,
            weights,
        };
        assert_eq!(token_starts(&attention), [0, 1, 4]);
    }

    /// The best sum by trying every cut.
    fn exhaustive(scores: &[f32], tokens: usize, frames: usize) -> f32 {
        fn from(scores: &[f32], tokens: usize, frames: usize, token: usize, start: usize) -> f32 {
            if token == tokens {
                return if start == frames {
                    0.0
                } else {
                    f32::NEG_INFINITY
                };
            }
            (start + 1..=frames)
                .map(|end| {
                    let own: f32 = (start..end).map(|f| scores[token * frames + f]).sum();
                    own + from(scores, tokens, frames, token + 1, end)
                })
                .fold(f32::NEG_INFINITY, f32::max)
        }
        from(scores, tokens, frames, 0, 0)
    }

    proptest! {
        #[test]
        fn no_cut_scores_higher(
            tokens in 1..5_usize,
            extra in 0..5_usize,
            scores in prop::collection::vec(0.0..1.0_f32, 4 * 8),
        ) {
            let frames = tokens + extra;
            let scores = &scores[..tokens * frames];
            let starts = best_path(scores, tokens, frames);
            prop_assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
            let sum: f32 = (0..tokens)
                .flat_map(|t| (starts[t]..starts[t + 1]).map(move |f| (t, f)))
                .map(|(t, f)| scores[t * frames + f])
                .sum();
            prop_assert!((sum - exhaustive(scores, tokens, frames)).abs() < 1e-4);
        }

        #[test]
        fn starts_do_not_fall_whatever_the_shape(
            tokens in 0..6_usize,
            frames in 0..6_usize,
            value in prop::num::f32::ANY,
        ) {
            let weights = vec![value; tokens * 3 * frames];
            let starts = token_starts(&CrossAttention { heads: 3, tokens, frames, weights });
            prop_assert_eq!(starts.len(), tokens + 1);
            prop_assert!(starts.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(starts.iter().all(|start| *start <= frames));
        }
    }
}
