//! How far a transcript is from what was said, in words.

/// The words of a text: lower case, letters, digits and inner apostrophes only.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.replace('\u{2019}', "'")
        .to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .map(|word| word.trim_matches('\'').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Word error rate: substitutions, insertions and deletions of the shortest way from
/// `reference` to `hypothesis`, over the words of `reference`. Both empty is 0; a reference
/// without words against some is infinite.
pub(crate) fn error_rate(reference: &str, hypothesis: &str) -> f64 {
    let (reference, hypothesis) = (words(reference), words(hypothesis));
    let errors = distance(&reference, &hypothesis);
    if errors == 0 {
        return 0.0;
    }
    errors as f64 / reference.len() as f64
}

/// Levenshtein distance over words, one row at a time.
fn distance(reference: &[String], hypothesis: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=hypothesis.len()).collect();
    for (index, expected) in reference.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, found) in hypothesis.iter().enumerate() {
            let substituted = diagonal + usize::from(expected != found);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[hypothesis.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reference: &str, hypothesis: &str, expected: f64) {
        let found = error_rate(reference, hypothesis);
        assert!(
            (found - expected).abs() < 1e-12 || found == expected,
            "{reference:?} -> {hypothesis:?}: {found}, expected {expected}"
        );
    }

    #[test]
    fn case_and_punctuation_are_no_errors() {
        check("Ever tried. Ever failed?", "ever tried ever failed", 0.0);
        check("don\u{2019}t", "Don't!", 0.0);
    }

    #[test]
    fn each_kind_of_error_counts_one() {
        check("a b c d", "a x c d", 0.25);
        check("a b c d", "a c d", 0.25);
        check("a b c d", "a b b c d", 0.25);
        check("a b", "c d e", 1.5);
    }

    #[test]
    fn empty_texts_have_a_rate() {
        check("", "", 0.0);
        check("a b", "", 1.0);
        check("", "a", f64::INFINITY);
    }
}
