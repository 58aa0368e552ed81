//! Answers, by example and at random.

use proptest::prelude::*;

use super::*;

fn redacting(digits: u8) -> AnswerRules {
    AnswerRules::new(None, Some(digits), None).unwrap()
}

fn check(digits: u8, text: &str, expected: &str) {
    assert_eq!(
        redacting(digits).redact(text),
        expected,
        "{digits} of {text:?}"
    );
}

#[test]
fn runs_of_enough_digits_are_taken_out() {
    check(4, "The code is 4217.", "The code is [number].");
    check(5, "The code is 4217.", "The code is 4217.");
    check(6, "call +49 (0)170 123-45.67 now", "call +[number] now");
    check(6, "(030) 123456 or (040) 12", "[number] or (040) 12");
    check(6, "see 12 34 (56) there", "see [number] there");
    check(9, "4111 1111 1111 1111, please", "[number], please");
    check(2, "a1b22c333", "a1b[number]c[number]");
    check(4, "\u{664}\u{662}\u{661}\u{667}", "[number]");
}

#[test]
fn spelled_runs_are_taken_out_like_figures() {
    check(4, "It is four two one seven.", "It is [number].");
    check(4, "It is Four, TWO, one - seven!", "It is [number]!");
    check(4, "It is four 2 one 7", "It is [number]");
    check(4, "call oh one seven oh", "call [number]");
    check(4, "it ends in double five six seven", "it ends in [number]");
    check(4, "twenty three forty five", "[number]");
    check(4, "In nineteen eighty-four.", "In [number].");
    check(4, "twenty three people", "twenty three people");
    check(4, "three hundred people", "three hundred people");
    check(4, "three thousand people", "[number] people");
}

#[test]
fn what_is_no_number_stays_byte_for_byte() {
    let texts = [
        "",
        "Someone's alone; oh, oh, oh, oh!",
        "thanks a million, and a hundred more",
        "one by one, two by two, three or four",
        "double or nothing",
        "\u{1f600} \u{202e}abc\u{0} \r\n [number] [number]",
    ];
    for text in texts {
        check(4, text, text);
    }
    let none = AnswerRules::default();
    assert_eq!(none.redact("1234567890"), "1234567890");
    assert!(!none.redacts());
}

#[test]
fn runs_that_go_from_one_text_into_the_next_are_taken_out_of_both() {
    let rules = redacting(4);
    let parts = ["My number is four two", "one seven, and", "that is it: 12"];
    let redacted = rules.redact_parts(&parts);
    let expected = ["My number is [number]", "[number], and", "that is it: 12"];
    assert_eq!(redacted, expected);
    assert_eq!(
        rules.redact_parts(&["12", "", "34"]),
        ["[number]", "", "[number]"]
    );
    assert!(rules.redact_parts(&[]).is_empty());
}

#[test]
fn words_are_taken_out_whole() {
    let rules = redacting(4);
    let words = [
        "My", "code", "is", "four", "2,", "one", "seven.", "Not", "(1234).",
    ];
    assert_eq!(rules.redact_words(&words), [3..7, 8..9]);
    let two_in_one = ["a1234b5678c", "x", " 12", " 34"];
    assert_eq!(rules.redact_words(&two_in_one), [0..1, 2..4]);
    assert_eq!(rules.redact_words(&["four", "2"]), []);
    assert_eq!(rules.redact_words(&[]), []);
    assert_eq!(AnswerRules::default().redact_words(&words), []);
}

#[test]
fn a_text_is_held_where_a_number_may_go_on() {
    let rules = redacting(4);
    let held = |text| rules.held_from(text);
    assert_eq!(held("My number is four two"), Some(13));
    assert_eq!(held("My number is 4217."), Some(13));
    assert_eq!(held("Call double"), Some(5));
    assert_eq!(held("Four people."), None);
    assert_eq!(AnswerRules::default().held_from("1234"), None);
}

#[test]
fn text_below_the_floor_is_withheld() {
    let rules = AnswerRules::new(Some(-1.0), None, None).unwrap();
    for (certainty, withheld) in [
        (0.0, false),
        (-1.0, false),
        (-1.01, true),
        (f32::NEG_INFINITY, true),
        (f32::NAN, true),
    ] {
        assert_eq!(rules.withheld(certainty), withheld, "{certainty}");
        assert!(!AnswerRules::default().withheld(certainty));
    }
}

#[test]
fn answers_are_given_at_multiples_of_the_quantum() {
    let milliseconds = Duration::from_millis;
    let rules = AnswerRules::new(None, None, Some(milliseconds(250))).unwrap();
    for (elapsed, wait) in [(0, 0), (1, 249), (249, 1), (250, 0), (251, 249), (900, 100)] {
        let found = rules.pad(milliseconds(elapsed));
        assert_eq!(found, milliseconds(wait), "{elapsed} ms");
        assert_eq!(
            AnswerRules::default().pad(milliseconds(elapsed)),
            Duration::ZERO
        );
    }
    assert!(rules.pad(Duration::MAX) < milliseconds(250));
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    for floor in [0.1, -10.1, f32::NAN, f32::NEG_INFINITY] {
        assert!(AnswerRules::new(Some(floor), None, None).is_err());
    }
    let too_few = AnswerRules::new(None, Some(1), None).unwrap_err();
    assert_eq!(too_few, AnswerRulesError::RedactDigits { found: 1 });
    assert_eq!(
        too_few.to_string(),
        "numbers are taken out from 2 to 64 digits on, not 1"
    );
    assert!(AnswerRules::new(None, Some(65), None).is_err());
    for pad in [Duration::ZERO, Duration::from_secs(61)] {
        let refused = AnswerRules::new(None, None, Some(pad)).unwrap_err();
        assert_eq!(refused, AnswerRulesError::Pad { found: pad });
    }
}

/// The longest run of figures and of spelled digits, with what may stand between them, counted
/// by nothing of what is tested.
fn longest_run(text: &str) -> usize {
    const DIGITS: [&str; 11] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh",
    ];
    let between = |c: char| c.is_whitespace() || matches!(c, '.' | '-' | '(' | ')' | ',');
    let (mut longest, mut run, mut word) = (0, 0, String::new());
    for character in text.chars().chain(['\u{0}']) {
        if character.is_alphabetic() || character == '\'' {
            word.push(character.to_ascii_lowercase());
            continue;
        }
        if !word.is_empty() {
            run = match DIGITS.contains(&word.as_str()) {
                true => run + 1,
                false => 0,
            };
            longest = longest.max(run);
            word.clear();
        }
        match character {
            figure if figure.is_numeric() => run += 1,
            other if between(other) => {}
            _ => run = 0,
        }
        longest = longest.max(run);
    }
    longest
}

/// Text of a dictation: words, figures, spelled numbers and what stands between them.
fn dictation() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "one", "two", "Three", "FOUR", "five", "oh", "zero", "nine", "twenty", "forty",
            "eleven", "nineteen", "hundred", "thousand", "million", "double", "triple", "and",
            "dash", "point", "four's", "the", "someone", "it",
        ])
        .prop_map(str::to_owned),
        1 => "[0-9]{1,5}",
        1 => "[a-z]{1,4}",
        1 => "\\PC{0,3}",
    ];
    let between = prop::sample::select(vec![" ", " ", " ", "-", ", ", ". ", "", "\n", ": ", "("]);
    prop::collection::vec((piece, between), 0..24).prop_map(|pieces| {
        let pieces = pieces.into_iter();
        pieces.map(|(piece, between)| piece + between).collect()
    })
}

proptest! {
    #[test]
    fn no_run_survives_and_nothing_changes_twice(text in dictation(), digits in 2_u8..12) {
        let rules = redacting(digits);
        let once = rules.redact(&text);
        prop_assert_eq!(rules.redact(&once), once.clone());
        let left = numbers::runs(&once);
        let least = usize::from(digits);
        prop_assert!(left.iter().all(|run| run.digits.chars().count() < least), "{}", once);
    }

    #[test]
    fn no_run_of_figures_or_digits_survives(
        pieces in prop::collection::vec(("[0-9]{1,4}|one|two|Five|nine|zero|[xyz]{1,3}|[:;]",
            " |-|, |\\. | \\(|\\) "), 0..30),
        digits in 2_u8..12,
    ) {
        let text: String = pieces.into_iter().map(|(piece, between)| piece + &between).collect();
        let redacted = redacting(digits).redact(&text);
        prop_assert!(longest_run(&redacted) < usize::from(digits), "{:?}: {:?}", text, redacted);
    }

    #[test]
    fn any_text_is_taken(text in ".*", digits in 2_u8..65) {
        let rules = redacting(digits);
        let once = rules.redact(&text);
        prop_assert_eq!(rules.redact(&once), once.clone());
        prop_assert!(longest_run(&once) < usize::from(digits));
        if let Some(held) = rules.held_from(&text) {
            prop_assert!(text.is_char_boundary(held) && held < text.len());
        }
    }

    #[test]
    fn text_without_numbers_is_untouched(text in "[a-dk-m A-DK-M.,;:'()\u{e9}\u{1f600}-]{0,80}") {
        // These letters spell no number.
        let rules = redacting(2);
        prop_assert_eq!(rules.redact(&text), text.clone());
        prop_assert_eq!(rules.held_from(&text), None);
    }

    #[test]
    fn the_rest_of_the_text_stays(text in dictation(), digits in 2_u8..12) {
        let rules = redacting(digits);
        let redacted = rules.redact(&text);
        let mut rest = text.as_str();
        for (place, kept) in redacted.split(REDACTED).enumerate() {
            let found = rest.find(kept);
            prop_assert!(found.is_some_and(|found| place > 0 || found == 0));
            rest = &rest[found.unwrap_or_default() + kept.len()..];
        }
    }

    #[test]
    fn parts_are_one_text(texts in prop::collection::vec(dictation(), 0..5), digits in 2_u8..12) {
        let rules = redacting(digits);
        let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let redacted = rules.redact_parts(&parts);
        prop_assert_eq!(redacted.len(), parts.len());
        let joined = redacted.join(" ");
        let left = numbers::runs(&joined);
        let least = usize::from(digits);
        prop_assert!(left.iter().all(|run| run.digits.chars().count() < least), "{}", joined);
        if let [text] = parts.as_slice() {
            prop_assert_eq!(&redacted[0], &rules.redact(text));
        }
    }

    #[test]
    fn words_without_the_ranges_hold_no_run(text in dictation(), digits in 2_u8..12) {
        let rules = redacting(digits);
        let words: Vec<&str> = text.split_whitespace().collect();
        let ranges = rules.redact_words(&words);
        let mut left: Vec<&str> = Vec::new();
        let mut at = 0;
        for range in &ranges {
            prop_assert!(at <= range.start && range.start < range.end);
            left.extend(&words[at..range.start]);
            left.push(REDACTED);
            at = range.end;
        }
        left.extend(&words[at..]);
        prop_assert!(rules.redact_words(&left).is_empty(), "{:?}", left);
    }

    #[test]
    fn what_is_held_is_all_that_can_go_on(
        before in dictation(), after in dictation(), digits in 2_u8..12,
    ) {
        let rules = redacting(digits);
        let given = rules.held_from(&before).unwrap_or(before.len());
        // What was given before the rest was known is what is given when it is.
        let now = rules.redact(&before[..given]);
        let whole = rules.redact(&format!("{before} {after}"));
        prop_assert!(whole.starts_with(now.trim_end_matches('(')), "{:?} {:?}", now, whole);
    }

    #[test]
    fn waits_end_at_a_multiple(elapsed in 0_u64..10_000_000, quantum in 1_u64..60_000) {
        let quantum = Duration::from_millis(quantum);
        let elapsed = Duration::from_micros(elapsed);
        let rules = AnswerRules::new(None, None, Some(quantum)).unwrap();
        let wait = rules.pad(elapsed);
        prop_assert!(wait < quantum);
        prop_assert_eq!((elapsed + wait).as_nanos() % quantum.as_nanos(), 0);
    }
}
