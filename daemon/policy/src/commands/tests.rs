//! Lists and phrases, by example and at random.

use proptest::prelude::*;

use super::*;

/// What a house is told, and near misses of it.
const HOUSE: &[(&str, &str)] = &[
    ("light-on", "Turn on the kitchen light"),
    ("light-off", "Turn off the kitchen light"),
    ("bedroom-on", "Turn on the bedroom light"),
    ("timer-5", "Set a timer for five minutes"),
    ("timer-15", "Set a timer for fifteen minutes"),
    ("door", "Open the front door"),
    ("quiet", "Do not ring the bell today"),
    ("stop", "Stop"),
];

fn house() -> CommandList {
    CommandList::new("house", HOUSE.iter().copied()).unwrap()
}

fn check(list: &CommandList, text: &str, expected: Option<&str>) {
    let found = list.matches(text).map(PlainName::as_str);
    assert_eq!(found, expected, "{text:?}");
}

fn why(phrases: &[(&str, &str)]) -> CommandError {
    CommandList::new("list", phrases.iter().copied()).unwrap_err()
}

fn name(name: &str) -> PlainName {
    name.parse().unwrap()
}

#[test]
fn a_phrase_is_itself_however_it_is_written() {
    let list = house();
    for (id, phrase) in HOUSE {
        check(&list, phrase, Some(id));
        check(&list, &phrase.to_uppercase(), Some(id));
        check(
            &list,
            &format!("  {}!\n", phrase.replace(' ', ", ")),
            Some(id),
        );
    }
    check(&list, "Set a timer for 5 minutes.", Some("timer-5"));
    check(&list, "Set a timer for 15 minutes.", Some("timer-15"));
    check(&list, "Set a timer for one five minutes.", Some("timer-15"));
}

#[test]
fn one_small_edit_is_admitted() {
    let list = house();
    check(&list, "turn on the kitchen lights", Some("light-on"));
    check(&list, "please turn on the kitchen light", Some("light-on"));
    check(&list, "turn on kitchen light", Some("light-on"));
    check(&list, "turn on the the kitchen light", Some("light-on"));
    check(&list, "open the frond door", Some("door"));
    check(&list, "do not ring the bells today", Some("quiet"));
    // And no two.
    check(&list, "please turn on the kitchen lights", None);
    check(&list, "turn on kitchen lights", None);
    check(&list, "open door", None);
}

#[test]
fn what_turns_a_phrase_into_another_is_no_small_edit() {
    let list = house();
    // Another word, or a short one.
    check(&list, "turn on the bathroom light", None);
    check(&list, "turn of the kitchen light", None);
    // Another number, one too many, none.
    check(&list, "set a timer for 6 minutes", None);
    check(&list, "set a timer for 55 minutes", None);
    check(&list, "set a timer for minutes", None);
    // A word that says no.
    check(&list, "do ring the bell today", None);
    check(&list, "do not open the front door", None);
    check(&list, "don't open the front door", None);
    check(&list, "never open the front door", None);
    // Short phrases admit nothing.
    check(&list, "stop it", None);
    check(&list, "stoop", None);
}

#[test]
fn two_phrases_within_reach_are_no_answer() {
    let list = CommandList::new(
        "list",
        [("red", "show the red list"), ("new", "show the new list")],
    );
    let list = list.unwrap();
    check(&list, "show the list", None);
    check(&list, "show the red list now", Some("red"));
    check(&list, "show the red new list", None);
}

#[test]
fn other_talk_is_no_command() {
    let list = house();
    let long = "turn on the kitchen light ".repeat(10_000);
    for text in [
        "",
        " \n",
        "...",
        "hello",
        "the",
        "5",
        &long,
        "\u{0}\u{202e}",
    ] {
        check(&list, text, None);
    }
    check(&list, &"9".repeat(1_000_000), None);
}

#[test]
fn phrases_that_are_too_near_each_other_are_refused() {
    let near = |one, other| {
        let error = why(&[("one", one), ("other", other)]);
        let expected = CommandError::TooNear {
            id: name("other"),
            other: name("one"),
        };
        assert_eq!(error, expected, "{one:?} {other:?}");
    };
    near("Open the door", "open, the door!");
    near("Dial twenty three", "Dial 2 3");
    near("open the door", "open the doors");
    near("open the door", "open the front door");
    near("open the front door", "open the door");
    // A short phrase is near a longer one that admits it.
    near("open door", "open the door");
    near("open the door", "open door");
    let far = [("one", "open the door"), ("other", "close the door")];
    assert!(CommandList::new("list", far).is_ok());
}

#[test]
fn a_list_has_its_bounds() {
    let bad_name = CommandList::new("Kitchen", [("a", "b")]).unwrap_err();
    assert!(matches!(bad_name, CommandError::Name(_)));
    assert!(matches!(why(&[("a b", "c")]), CommandError::Id(_)));
    assert_eq!(why(&[]), CommandError::Empty);
    let twice = why(&[("a", "one thing"), ("a", "another thing")]);
    assert_eq!(twice, CommandError::TwiceTheId { id: name("a") });
    for unsayable in [
        "",
        " ",
        "?!",
        "'",
        "one trillion trillion trillion trillion",
    ] {
        let error = why(&[("a", unsayable)]);
        assert_eq!(
            error,
            CommandError::Unsayable { id: name("a") },
            "{unsayable:?}"
        );
    }
    let error = why(&[("a", "b\u{1b}[2Jc")]);
    assert_eq!(error, CommandError::ControlCharacter { id: name("a") });
    let words = |count: usize| vec!["word"; count].join(" ");
    assert!(CommandList::new("list", [("a", words(12).as_str())]).is_ok());
    let error = why(&[("a", &words(13))]);
    let expected = CommandError::PhraseWords {
        id: name("a"),
        expected: 12,
        found: 13,
    };
    assert_eq!(error, expected);
    let error = why(&[("a", &"a".repeat(201))]);
    let expected = CommandError::PhraseBytes {
        id: name("a"),
        expected: 200,
        found: 201,
    };
    assert_eq!(error, expected);
    let phrases: Vec<(String, String)> = (0..65)
        .map(|number| (format!("id-{number}"), format!("dial {number}")))
        .collect();
    let list = |count: usize| {
        let phrases = phrases.iter().take(count);
        CommandList::new(
            "list",
            phrases.map(|(id, phrase)| (id.as_str(), phrase.as_str())),
        )
    };
    assert_eq!(list(64).unwrap().phrases().len(), 64);
    assert_eq!(list(65), Err(CommandError::TooManyPhrases { expected: 64 }));
}

#[test]
fn names_are_short_and_plain() {
    for good in ["a", "kitchen-1", "a.b_c", &"a".repeat(64)] {
        assert_eq!(name(good).to_string(), *good);
    }
    for bad in ["", "A", "a b", "a/b", "a\n", "\u{e9}", &"a".repeat(65)] {
        assert!(bad.parse::<PlainName>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_list_is_read_strictly_and_written_as_it_was() {
    let golden =
        "{\"name\":\"house\",\"phrases\":[{\"id\":\"door\",\"phrase\":\"Open the door!\"}]}";
    let read = |text: &str| serde_json::from_str::<CommandList>(text);
    let list = read(golden).unwrap();
    check(&list, "open the door", Some("door"));
    assert_eq!(serde_json::to_string(&list).unwrap(), golden);
    let phrases: Vec<_> = list.phrases().collect();
    assert_eq!(phrases, [(&name("door"), "Open the door!")]);
    assert_eq!(list.name(), &name("house"));
    for (from, to) in [
        ("house", "House"),
        ("door\"", "\""),
        ("Open the door!", "?"),
        ("\"name\":\"house\",", ""),
        ("{\"id\"", "{\"score\":1,\"id\""),
        ("{\"name\"", "{\"more\":1,\"name\""),
    ] {
        assert!(read(&golden.replace(from, to)).is_err(), "{from} -> {to}");
    }
}

/// Phrases from few words, so that many are near each other.
fn phrase() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "turn", "on", "off", "the", "light", "lights", "night", "not", "two", "2", "twenty", "one",
        "oh", "door", "open",
    ]);
    prop::collection::vec(word, 1..7).prop_map(|words| words.join(" "))
}

fn list_of(phrases: &[String]) -> Option<CommandList> {
    let mut kept: Vec<(String, &str)> = Vec::new();
    for phrase in phrases {
        let mut tried = kept.clone();
        tried.push((format!("id-{}", kept.len()), phrase));
        let tried_list = tried.iter().map(|(id, phrase)| (id.as_str(), *phrase));
        if CommandList::new("list", tried_list).is_ok() {
            kept = tried;
        }
    }
    let kept = kept.iter().map(|(id, phrase)| (id.as_str(), *phrase));
    CommandList::new("list", kept).ok()
}

proptest! {
    #[test]
    fn each_enrolled_phrase_is_itself_and_no_other(
        phrases in prop::collection::vec(phrase(), 1..12),
    ) {
        let Some(list) = list_of(&phrases) else {
            return Ok(());
        };
        for (id, phrase) in list.phrases() {
            prop_assert_eq!(list.matches(phrase), Some(id));
            prop_assert_eq!(list.matches(&format!("({}).", phrase.to_uppercase())), Some(id));
        }
        let text = serde_json::to_string(&list).unwrap();
        prop_assert_eq!(serde_json::from_str::<CommandList>(&text).unwrap(), list);
    }

    #[test]
    fn the_order_of_phrases_changes_no_answer(
        phrases in prop::collection::vec(phrase(), 1..8), said in phrase(),
    ) {
        let Some(list) = list_of(&phrases) else {
            return Ok(());
        };
        let mut turned: Vec<(&str, &str)> =
            list.phrases().map(|(id, phrase)| (id.as_str(), phrase)).collect();
        turned.reverse();
        let turned = CommandList::new("list", turned).unwrap();
        prop_assert_eq!(list.matches(&said), turned.matches(&said));
    }

    #[test]
    fn digits_and_words_that_say_no_are_never_edited(
        phrases in prop::collection::vec(phrase(), 1..8), said in phrase(),
    ) {
        let Some(list) = list_of(&phrases) else {
            return Ok(());
        };
        // What of a text counts in full: its digits, and how often it says no.
        let core = |text: &str| {
            let runs = crate::numbers::runs(text);
            let digits: Vec<char> = runs.iter().flat_map(|run| run.digits.chars()).collect();
            let noes = text.split(' ').filter(|word| *word == "not").count();
            (digits, noes)
        };
        if let Some(id) = list.matches(&said) {
            let matched = list.phrases().find(|(other, _)| *other == id);
            let (_, phrase) = matched.unwrap();
            prop_assert_eq!(core(phrase), core(&said));
        }
    }

    #[test]
    fn any_text_is_taken(text in ".*", long in "(turn |on |5 ){0,200}") {
        let list = house();
        let _ = list.matches(&text);
        let _ = list.matches(&long);
        let _ = CommandList::new(&text, [(text.as_str(), text.as_str())]);
        if let Ok(list) = CommandList::new("list", [("a", text.as_str())]) {
            prop_assert!(list.matches(&text).is_some());
        }
    }

    #[test]
    fn any_bytes_are_a_list_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = serde_json::from_slice::<CommandList>(&bytes);
    }
}
