//! Spotting with a script in place of the model: every letter is a token, and the script holds
//! likely what somebody is supposed to have said.

use proptest::prelude::*;

use earnest_transcript::Phrase as Wish;

use super::*;

/// Letters and marks, each a token.
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,.'";

fn tokenizer() -> Tokenizer {
    let mut vocabulary = vec!["\"\u{2581}\": 0".to_owned()];
    for (index, letter) in ALPHABET.chars().enumerate() {
        vocabulary.push(format!("\"{letter}\": {}", index + 1));
    }
    let json = format!(
        r#"{{"model": {{"type": "BPE", "vocab": {{{}}}}},
        "decoder": {{"type": "Sequence", "decoders": [
          {{"type": "Replace", "pattern": {{"String": "\u2581"}}, "content": " "}},
          {{"type": "ByteFallback"}}, {{"type": "Fuse"}},
          {{"type": "Strip", "content": " ", "start": 1, "stop": 0}}]}}}}"#,
        vocabulary.join(", ")
    );
    Tokenizer::from_json(json.as_bytes()).expect("a tokenizer")
}

/// Somebody says a text, and the scorer counts what it is asked.
struct Script {
    said: String,
    forced: usize,
    unheard: usize,
}

impl Script {
    fn of(said: &str) -> Script {
        Script {
            said: said.to_owned(),
            forced: 0,
            unheard: 0,
        }
    }
}

/// What a letter is without sound, what it is where it was said, and where it was not.
const UNHEARD: f32 = -3.0;
const HEARD: f32 = -0.2;
const WRONG: f32 = -9.0;

impl Score for Script {
    fn score(&mut self, tokens: &[u32]) -> Result<Vec<f32>, SpeechError> {
        self.forced += tokens.len() + 1;
        let text = tokenizer().decode(tokens);
        // The space that begins a text is a token, and no part of what it decodes to.
        let letters = std::iter::once(' ').chain(text.chars());
        let mut said = std::iter::once(' ').chain(self.said.chars()).map(Some);
        let mut logprobs: Vec<f32> = letters
            .map(|letter| match said.next().flatten() {
                Some(said) if said.eq_ignore_ascii_case(&letter) => HEARD,
                _ => WRONG,
            })
            .collect();
        logprobs.push(match said.next() {
            None => HEARD,
            Some(_) => WRONG,
        });
        Ok(logprobs)
    }

    fn unheard(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, SpeechError> {
        self.unheard += texts.len();
        let texts = texts.iter();
        Ok(texts
            .map(|tokens| vec![UNHEARD; tokens.len() + 1])
            .collect())
    }
}

/// A phrase; here one that wakes ends in an ellipsis.
fn wish(phrase: &str) -> Wish {
    match phrase.strip_suffix('\u{2026}') {
        Some(words) => Wish::waking(words),
        None => Wish::command(phrase),
    }
}

fn spotter(phrases: &[&str]) -> Spotter {
    let phrases: Vec<Wish> = phrases.iter().map(|phrase| wish(phrase)).collect();
    let mut spotter = Spotter::new(&tokenizer(), &phrases);
    spotter.begin(false);
    spotter
}

/// No phrase.
const NONE: [usize; 0] = [];

const PHRASES: [&str; 4] = [
    "hey earnest\u{2026}",
    "turn on the light",
    "turn off the light",
    "stop",
];

/// What is spotted when `said` is all of a segment, and is written as it is said.
fn check(said: &str, expected: &[usize]) {
    let found = spotter(&PHRASES).judge(&mut Script::of(said), said, Extent::Whole);
    assert_eq!(found.expect("scripted"), expected, "{said:?}");
}

#[test]
fn a_command_is_all_of_a_segment_or_all_that_follows_what_wakes() {
    check("turn on the light.", &[1]);
    check("turn off the light.", &[2]);
    check("hey earnest, turn on the light.", &[0, 1]);
    check("turn on the light and wait.", &[]);
    check("please turn on the light.", &[]);
    check("turn on.", &[]);
    check("hey earnest.", &[0]);
    check("hey earnest, who is there?", &[0]);
    check("hey marvin, turn on the light.", &[]);
    check("and then hey earnest", &[]);
    check("", &[]);
}

#[test]
fn what_wakes_is_spotted_before_the_end_and_told_once() {
    let mut spotter = spotter(&PHRASES);
    let mut script = Script::of("hey earnest, turn on the light.");
    let mut look = |text: &str, extent| spotter.judge(&mut script, text, extent).expect("scripted");
    assert_eq!(look("hey ear", Extent::SoFar), NONE);
    assert_eq!(look("hey earnest", Extent::SoFar), NONE);
    assert_eq!(look("hey earnest, turn", Extent::SoFar), [0]);
    assert_eq!(look("hey earnest, turn on", Extent::SoFar), NONE);
    assert_eq!(look("hey earnest, turn on the light.", Extent::Whole), [1]);
    spotter.begin(false);
    let again = spotter.judge(&mut Script::of("hey earnest."), "", Extent::Whole);
    assert_eq!(again.expect("scripted"), [0]);
}

#[test]
fn no_command_is_spotted_before_the_end_nor_where_a_segment_was_cut() {
    for extent in [Extent::SoFar, Extent::Cut] {
        let said = "turn on the light.";
        let found = spotter(&PHRASES).judge(&mut Script::of(said), said, extent);
        assert_eq!(found.expect("scripted"), NONE, "{extent:?}");
    }
    let said = "hey earnest, turn on";
    let found = spotter(&PHRASES).judge(&mut Script::of(said), said, Extent::Cut);
    assert_eq!(found.expect("scripted"), [0]);
}

#[test]
fn nothing_begins_in_a_segment_that_goes_on() {
    let mut spotter = spotter(&PHRASES);
    spotter.begin(true);
    let mut script = Script::of("turn on the light.");
    let found = spotter.judge(&mut script, "turn on the light.", Extent::Whole);
    assert_eq!(found.expect("scripted"), NONE);
    assert_eq!(script.forced, 0);
}

#[test]
fn the_sound_decides_and_not_what_was_written() {
    let mut spotter = spotter(&PHRASES);
    let mut script = Script::of("hey earnest, who is there?");
    let found = spotter.judge(&mut script, "They noticed who is there", Extent::SoFar);
    assert_eq!(found.expect("scripted"), [0]);
    spotter.begin(false);
    let mut other = Script::of("they noticed.");
    let found = spotter.judge(&mut other, "Hey Earnest, who is there", Extent::Whole);
    assert_eq!(found.expect("scripted"), NONE);
}

#[test]
fn what_was_written_speaks_against_another_number() {
    let list = ["a timer for five minutes"];
    let mut script = Script::of("a timer for five minutes.");
    let mut judge = |text: &str| {
        let found = spotter(&list).judge(&mut script, text, Extent::Whole);
        found.expect("scripted")
    };
    assert_eq!(judge("A timer for five minutes."), [0]);
    assert_eq!(judge("A time or five minutes."), [0]);
    assert_eq!(judge("A timer for nine minutes."), NONE);
}

#[test]
fn of_two_commands_that_fit_alike_none_is_spotted() {
    let list = ["stop that music", "Stop that, music"];
    let mut script = Script::of("stop that music.");
    // The comma costs the second one more than the least lead, so that the first stands alone.
    let found = spotter(&list).judge(&mut script, "stop that music", Extent::Whole);
    assert_eq!(found.expect("scripted"), [0]);
    let list = ["stop that music", "stop that  music!"];
    let found = spotter(&list).judge(&mut script, "stop that music", Extent::Whole);
    assert_eq!(found.expect("scripted"), NONE);
}

#[test]
fn a_phrase_is_asked_once_how_likely_it_is_without_sound() {
    let mut spotter = spotter(&["hey earnest\u{2026}"]);
    let mut script = Script::of("nothing of the kind.");
    for _ in 0..3 {
        spotter.begin(false);
        let found = spotter.judge(&mut script, "nothing of the kind", Extent::Whole);
        assert_eq!(found.expect("scripted"), NONE);
    }
    assert_eq!(script.unheard, 3, "one for each spelling");
}

#[test]
fn phrases_that_nobody_can_say_are_never_asked_about() {
    let none = spotter(&[
        "\u{2026}",
        "",
        "  ?!",
        "\u{4f60}\u{597d}",
        "...",
        " \u{2026} !",
    ]);
    assert!(none.is_empty());
    let long = "a ".repeat(100);
    assert!(spotter(&[&long]).is_empty());
    assert!(!spotter(&PHRASES).is_empty());
}

#[test]
fn its_debug_shows_no_phrase() {
    assert_eq!(format!("{:?}", spotter(&PHRASES)), "Spotter(4 phrases)");
}

proptest! {
    #[test]
    fn work_is_bounded_and_nothing_is_told_twice(
        phrases in prop::collection::vec("[a-z]{1,8}( [a-z]{1,8}){0,4}\u{2026}?", 0..40),
        said in "[a-z]{1,8}( [a-z]{1,8}){0,8}",
        looks in prop::collection::vec(0_usize..3, 1..12),
    ) {
        let phrases: Vec<Wish> = phrases.iter().map(|phrase| wish(phrase)).collect();
        let mut spotter = Spotter::new(&tokenizer(), &phrases);
        spotter.begin(false);
        let mut told = Vec::new();
        for extent in looks {
            let extent = [Extent::SoFar, Extent::Cut, Extent::Whole][extent];
            let mut script = Script::of(&said);
            let found = spotter.judge(&mut script, &said, extent).expect("scripted");
            prop_assert!(script.forced <= MOST_TOKENS);
            for phrase in found {
                prop_assert!(phrase < phrases.len());
                prop_assert!(!told.contains(&phrase));
                told.push(phrase);
            }
        }
    }

    #[test]
    fn what_is_said_plainly_is_spotted(phrase in "[a-z]{4,9} [a-z]{4,9}( [a-z]{4,9})?") {
        let list = [Wish::command(phrase.as_str())];
        let mut spotter = Spotter::new(&tokenizer(), &list);
        spotter.begin(false);
        let said = format!("{phrase}.");
        let found = spotter.judge(&mut Script::of(&said), &said, Extent::Whole).expect("scripted");
        prop_assert_eq!(found, [0]);
    }
}
