//! Takes tokens out of a hypothesis, with everything that is kept a token.

use std::ops::Range;

use crate::Hypothesis;

/// Removes `tokens`, their certainty and their attention. What is not there is passed over.
pub(crate) fn remove(hypothesis: &mut Hypothesis, tokens: Range<usize>) {
    let within = |length: usize| tokens.start.min(length)..tokens.end.min(length);
    let range = within(hypothesis.tokens.len());
    hypothesis.tokens.drain(range);
    let range = within(hypothesis.logprobs.len());
    hypothesis.logprobs.drain(range);
    if let Some(attention) = &mut hypothesis.cross_attention {
        let row = attention.heads * attention.frames;
        let range = within(attention.tokens);
        attention.tokens -= range.len();
        let weights = attention.weights.len();
        let range = (range.start * row).min(weights)..(range.end * row).min(weights);
        attention.weights.drain(range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CrossAttention;

    #[test]
    fn what_is_kept_a_token_goes_with_it() {
        let mut hypothesis = Hypothesis {
            tokens: vec![10, 11, 12, 13],
            logprobs: vec![-0.0, -0.1, -0.2, -0.3, -0.4],
            ended: true,
            cross_attention: Some(CrossAttention {
                heads: 2,
                tokens: 5,
                frames: 3,
                weights: (0..30).map(|weight| weight as f32).collect(),
            }),
        };
        remove(&mut hypothesis, 1..3);
        assert_eq!(hypothesis.tokens, [10, 13]);
        assert_eq!(hypothesis.logprobs, [-0.0, -0.3, -0.4]);
        let attention = hypothesis.cross_attention.expect("was there");
        assert_eq!(attention.tokens, 3);
        assert_eq!(attention.weights.len(), 18);
        assert_eq!(attention.weights[6], 18.0);
    }
}
