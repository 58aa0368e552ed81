//! The digits of a run.

use super::tokens::{Kind, Token};

/// The digits of the numbers of a run, in order.
pub(super) fn digits(numbers: &[&Token<'_>]) -> String {
    let reader = Reader(numbers);
    let mut digits = String::new();
    let mut at = 0;
    while let Some(kind) = reader.kind(at) {
        at = match kind {
            Kind::Times(times) => {
                let digit = reader.kind(at + 1).and_then(|next| next.single_digit());
                digits.extend((0..times).filter_map(|_| digit));
                at + 2
            }
            // What is left of a number that the others did not take.
            Kind::Hundred => zeros(2, &mut digits, at),
            Kind::Scale(power) => zeros(power, &mut digits, at),
            Kind::Oh => zeros(1, &mut digits, at),
            _ => reader.number(at, &mut digits),
        };
    }
    digits
}

fn zeros(count: u8, digits: &mut String, at: usize) -> usize {
    digits.extend((0..count).map(|_| '0'));
    at + 1
}

struct Reader<'a, 'b>(&'a [&'b Token<'b>]);

impl Reader<'_, '_> {
    fn kind(&self, at: usize) -> Option<Kind<'_>> {
        self.0.get(at).map(|token| token.kind)
    }

    /// Reads the number at `at`, and says where the next one begins.
    fn number(&self, at: usize, digits: &mut String) -> usize {
        let small = self.small(at);
        if let Some((value, next)) = small
            && let Some(Kind::Hundred | Kind::Scale(_)) = self.kind(next)
        {
            let (value, next) = self.cardinal(value, next);
            digits.push_str(&value.to_string());
            return next;
        }
        match (self.kind(at), small) {
            // As they stand, with their leading zeros.
            (Some(Kind::Figures(figures)), _) => {
                digits.push_str(figures);
                at + 1
            }
            (_, Some((value, next))) => {
                digits.push_str(&value.to_string());
                next
            }
            _ => at + 1,
        }
    }

    /// A number below a thousand without the word "hundred": "seven", "seventeen", "twenty
    /// seven", "27".
    fn small(&self, at: usize) -> Option<(u64, usize)> {
        match self.kind(at)? {
            Kind::Unit(value) | Kind::Teen(value) => Some((u64::from(value), at + 1)),
            Kind::Tens(tens) => match self.kind(at + 1) {
                Some(Kind::Unit(unit)) if unit > 0 => Some((u64::from(tens + unit), at + 2)),
                _ => Some((u64::from(tens), at + 1)),
            },
            Kind::Figures(figures) if figures.len() <= 3 => {
                figures.parse().ok().map(|value| (value, at + 1))
            }
            _ => None,
        }
    }

    /// The value of a number whose first group is `group`, and which goes on at `at` with
    /// "hundred" or a power of a thousand. Powers fall from left to right; where one does not,
    /// another number begins.
    fn cardinal(&self, group: u64, at: usize) -> (u64, usize) {
        let (mut total, mut group, mut at) = (0_u64, group, at);
        let mut below = u8::MAX;
        let mut hundreds = false;
        loop {
            match self.kind(at) {
                Some(Kind::Hundred) if !hundreds => {
                    group = group.saturating_mul(100);
                    hundreds = true;
                    at += 1;
                    if let Some((rest, next)) = self.following(at, 100, below) {
                        group = group.saturating_add(rest);
                        at = next;
                    }
                }
                Some(Kind::Scale(power)) if power < below => {
                    let value = group.saturating_mul(10_u64.saturating_pow(u32::from(power)));
                    total = total.saturating_add(value);
                    (hundreds, below) = (false, power);
                    at += 1;
                    match self.following(at, 1000, below) {
                        Some((rest, next)) => (group, at) = (rest, next),
                        None => return (total, at),
                    }
                }
                _ => return (total.saturating_add(group), at),
            }
        }
    }

    /// The smaller number that follows "hundred" or a power, perhaps after "and": below `most`,
    /// and not the beginning of a number of its own.
    fn following(&self, at: usize, most: u64, below: u8) -> Option<(u64, usize)> {
        let at = at + usize::from(self.kind(at) == Some(Kind::And));
        let (value, next) = self.small(at).filter(|(value, _)| *value < most)?;
        match self.kind(next) {
            Some(Kind::Hundred) => (most > 100).then_some((value, next)),
            Some(Kind::Scale(power)) => (power < below).then_some((value, next)),
            _ => Some((value, next)),
        }
    }
}
