//! What others see of the gate: its openings, its deadlines and its status.

use super::Input::*;
use super::*;
use crate::{GateReason, GateState, ModeName, Open, Status};

/// A gate that was opened at second 3, and the leave that it gave.
fn opened(mode: Mode) -> (Gate<Model>, Shelf, Open) {
    let (mut gate, shelf) = (gate(mode), Shelf::default());
    for (second, input) in [(1, Unseal), (2, Pass), (3, Vouch(30))] {
        let _ = input.give(&mut gate, &shelf, at(second));
    }
    let open = gate.open(at(3)).expect("all proof is there");
    (gate, shelf, open)
}

#[test]
fn leave_dies_with_its_opening_and_stays_dead() {
    for closing in [Changed, Fail, Refuse, Lose, Unseal, Stop] {
        let (mut gate, shelf, open) = opened(FLEET);
        let other = open.clone();
        let _ = closing.give(&mut gate, &shelf, at(4));
        for input in [Unseal, Pass, Vouch(30)] {
            let _ = input.give(&mut gate, &shelf, at(5));
        }
        for dead in [&open, &other] {
            assert!(!dead.is_live() && !dead.is_live_at(at(4)), "{closing:?}");
            assert_eq!(dead.until(), None);
        }
        let next = gate.open(at(5)).map(|open| open.opening());
        assert_eq!(next, (!matches!(closing, Stop)).then_some(2), "{closing:?}");
    }
}

#[test]
fn leave_dies_with_the_gate() {
    let (gate, shelf, open) = opened(Mode::Local);
    assert!(open.is_live());
    drop(gate);
    assert!(!open.is_live());
    assert_eq!(shelf.held(), 0);
}

#[test]
fn leave_dies_by_itself_where_nobody_drives_the_gate() {
    let (mut gate, shelf, open) = opened(FLEET);
    let _ = Same.give(&mut gate, &shelf, at(30));
    // The result until 33, and 20 seconds of grace.
    assert_eq!(open.until(), Some(at(53)));
    assert!(open.is_live_at(at(52)));
    assert!(!open.is_live_at(at(53)));
    assert!(gate.open(at(52)).is_some());
    assert!(gate.open(at(53)).is_none());
}

#[test]
fn new_proof_carries_leave_that_was_given_before() {
    let (mut gate, shelf, open) = opened(FLEET);
    assert_eq!(open.until(), Some(at(51)));
    let _ = Same.give(&mut gate, &shelf, at(30));
    let _ = Vouch(100).give(&mut gate, &shelf, at(31));
    assert_eq!(open.until(), Some(at(80)));
    let _ = Same.give(&mut gate, &shelf, at(79));
    assert_eq!(open.until(), Some(at(112)));
    assert_eq!(open.opening(), 1);
    assert_eq!(open.package(), &[0xab; 32]);
}

#[test]
fn the_driver_is_told_when_to_come_back() {
    let (mut gate, shelf) = (gate(FLEET), Shelf::default());
    let mut told = Vec::new();
    for (second, input) in [
        (1, Unseal),
        (2, Pass),
        (3, Vouch(30)),
        (33, Same),
        (53, Tick),
    ] {
        let _ = input.give(&mut gate, &shelf, at(second));
        told.push(gate.next_deadline().map(|at| at.as_secs()));
    }
    assert_eq!(told, [Some(51), Some(51), Some(33), Some(53), None]);
}

#[test]
fn a_trial_lasts_as_long_as_the_model_is_held() {
    let (mut gate, shelf) = (gate(FLEET), Shelf::default());
    assert!(gate.trial().is_none());
    let _ = Unseal.give(&mut gate, &shelf, at(1));
    let first = gate.trial().expect("a model is held");
    assert!(first.is_live() && gate.open(at(1)).is_none());
    let _ = Unseal.give(&mut gate, &shelf, at(2));
    let second = gate.trial().expect("a model is held");
    assert!(!first.is_live() && second.is_live());
    let _ = Fail.give(&mut gate, &shelf, at(3));
    assert!(!second.is_live() && gate.trial().is_none());
}

#[test]
fn answers_are_due_at_once_and_then_on_schedule() {
    let (mut gate, shelf) = (gate(Mode::Local), Shelf::default());
    assert!(!gate.answers_due(at(1)));
    let _ = Unseal.give(&mut gate, &shelf, at(1));
    assert!(gate.answers_due(at(1)));
    let _ = Pass.give(&mut gate, &shelf, at(2));
    assert!(!gate.answers_due(at(101)));
    assert!(gate.answers_due(at(102)));
    assert_eq!(gate.next_answers(), Some(at(102)));
    let _ = Lose.give(&mut gate, &shelf, at(3));
    assert!(!gate.answers_due(at(200)));
}

#[test]
fn a_self_test_is_an_event() {
    let (mut gate, shelf, _open) = opened(Mode::Local);
    let lines = |changes: &Changes| -> Vec<String> {
        changes.events.iter().map(ToString::to_string).collect()
    };
    let changes = Pass.give(&mut gate, &shelf, at(4));
    assert_eq!(lines(&changes), ["self-test passed: 1 clips"]);
    let changes = Fail.give(&mut gate, &shelf, at(5));
    assert_eq!(
        lines(&changes),
        [
            "self-test failed: 1 clips",
            "gate: attested -> closed, wrong_answers"
        ]
    );
}

fn check(status: &Status, json: &str, line: &str) {
    let expected: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_value(status).unwrap(), expected);
    assert_eq!(&serde_json::from_str::<Status>(json).unwrap(), status);
    assert_eq!(status.to_string(), line);
}

#[test]
fn the_status_says_where_the_gate_stands_and_why() {
    check(
        &gate(Mode::Local).status(at(7)),
        r#"{"state":"sealed","open":false,"reason":"started","for_seconds":7,
            "seconds_left":null,"standing":null,"mode":"local","grace_seconds":0,
            "package":null,"answered":false}"#,
        "sealed for 7 s, because started (local: the TPM's own unsealing is the proof)",
    );
    let (mut gate, _shelf, _open) = opened(FLEET);
    let _ = gate.measured(at(35), BOOT);
    let json = r#"{"state":"grace","open":true,"reason":"result_expired","for_seconds":7,
        "seconds_left":13,"standing":"warning","mode":"fleet","grace_seconds":20,
        "package":"ABAB","answered":true}"#;
    check(
        &gate.status(at(40)),
        &json.replace("ABAB", &"ab".repeat(32)),
        "grace for 7 s, because result_expired, 13 s left \
         (fleet: a verifier vouches for this device)",
    );
    let _ = gate.tpm_lost(at(41));
    let status = gate.status(at(42));
    assert_eq!(status.state, GateState::Closed);
    assert_eq!(status.reason, GateReason::TpmLost);
    assert_eq!(status.mode, ModeName::Fleet);
    assert_eq!((status.package, status.answered), (None, false));
}
