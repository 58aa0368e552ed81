use super::{PAGE, PAGE_POLICY, SCRIPT, STYLE};
use crate::shapes::ListenEvent;

#[test]
fn the_page_loads_its_own_script_and_style_and_nothing_else() {
    for (attribute, expected) in [
        ("src=\"", &["/captions.js"][..]),
        ("href=\"", &["/captions.css"]),
    ] {
        let found: Vec<_> = PAGE
            .split(attribute)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(found, expected);
    }
    for forbidden in ["://", "@import", "url("] {
        for (name, text) in [("page", PAGE), ("script", SCRIPT), ("style", STYLE)] {
            assert!(!text.contains(forbidden), "{forbidden} in the {name}");
        }
    }
    // What the policy would not let through, and what would make markup of text.
    for forbidden in ["style=", "onclick", "onload", "<script>", "<style"] {
        assert!(!PAGE.contains(forbidden), "{forbidden}");
    }
    for forbidden in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ] {
        assert!(!SCRIPT.contains(forbidden), "{forbidden}");
    }
    assert!(!PAGE_POLICY.contains("unsafe"));
}

#[test]
fn every_part_that_the_script_asks_for_is_there() {
    let parts = SCRIPT.split("] = [").nth(1).expect("the parts");
    let parts = parts.split("].map(part)").next().expect("their end");
    let names: Vec<_> = parts.split('"').skip(1).step_by(2).collect();
    assert!(names.len() > 5);
    for name in names {
        assert_eq!(PAGE.matches(&format!("id=\"{name}\"")).count(), 1, "{name}");
    }
}

#[test]
fn every_event_is_handled_or_none_of_the_pages() {
    let handlers = SCRIPT.split("const HANDLERS = {").nth(1).expect("handlers");
    let handlers = handlers.split("\n  };").next().expect("their end");
    // What takes a wake phrase or a command list, and what ends listening.
    let others = ["woken", "command", "error"];
    for name in ListenEvent::NAMES {
        let handled = handlers.contains(&format!("    {name}: ("));
        assert_eq!(handled, !others.contains(&name), "{name}");
    }
}

#[test]
fn every_state_has_words_and_a_place_in_the_style_where_it_is_a_bad_one() {
    let states = SCRIPT.split("const STATES = {").nth(1).expect("states");
    let states = states.split("\n  };").next().expect("their end");
    for state in [
        "waiting", "on", "muted", "lost", "shut", "away", "over", "off", "held", "withheld",
    ] {
        assert!(states.contains(&format!("    {state}: [")), "{state}");
    }
    for state in ["muted", "lost", "withheld", "shut", "over"] {
        assert!(
            STYLE.contains(&format!("[data-state=\"{state}\"]")),
            "{state}"
        );
    }
    assert!(states.contains("The microphone is muted"));
    assert!(states.contains("The device is not proven, so nothing is heard"));
}

#[test]
fn every_text_can_be_read_on_its_ground_by_day_and_by_night() {
    let grounds = [
        ("text", "ground"),
        ("quiet", "ground"),
        ("warn", "ground"),
        ("text", "card"),
        ("quiet", "card"),
        ("good", "card"),
        ("text", "bad-ground"),
        ("bad", "bad-ground"),
        ("text", "warn-ground"),
        ("warn", "warn-ground"),
    ];
    crate::contrast::check(STYLE, 11, &grounds);
}
