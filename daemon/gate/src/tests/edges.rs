//! From each state, by each input, to the next.

use super::Input::*;
use super::*;
use crate::{Effect, GateState};

/// Gives the inputs at their seconds and compares the moves; `open` is the gate's answer after
/// the last. Whatever happens, a model is held exactly while the gate is not sealed or closed,
/// and each closing asks for the end of the workers.
fn check(mode: Mode, inputs: &[(u64, Input)], expected: &[&str], open: bool) {
    let (mut gate, shelf) = (gate(mode), Shelf::default());
    let mut seen = Vec::new();
    for (second, input) in inputs {
        let changes = input.give(&mut gate, &shelf, at(*second));
        let moves: Vec<String> = moves(&changes).collect();
        let closings = moves
            .iter()
            .filter(|line| line.contains("> closed"))
            .count();
        assert_eq!(changes.effects, vec![Effect::EndWorkers; closings]);
        seen.extend(moves.into_iter().map(|line| format!("{second} {line}")));
        let holds = !matches!(gate.state(), GateState::Sealed | GateState::Closed);
        assert_eq!(shelf.held(), usize::from(holds), "{inputs:?} at {second}");
        assert_eq!(gate.open(at(*second)).is_some(), gate.state().is_open());
    }
    assert_eq!(seen, expected, "{mode:?} {inputs:?}");
    assert_eq!(gate.state().is_open(), open);
}

const OPENED: &[&str] = &[
    "1 sealed > unsealed: model_unsealed",
    "2 unsealed > attested: proven_locally",
];

const OPENED_TO_FLEET: &[&str] = &[
    "1 sealed > unsealed: model_unsealed",
    "3 unsealed > attested: proven_to_fleet",
];

fn local(then: &[(u64, Input)], expected: &[&str], open: bool) {
    let inputs = [&[(1, Unseal), (2, Pass)], then].concat();
    check(Mode::Local, &inputs, &[OPENED, expected].concat(), open);
}

/// Opened by a result that holds until second 33.
fn fleet(then: &[(u64, Input)], expected: &[&str], open: bool) {
    let inputs = [&[(1, Unseal), (2, Pass), (3, Vouch(30))], then].concat();
    let expected = [OPENED_TO_FLEET, expected].concat();
    check(FLEET, &inputs, &expected, open);
}

#[test]
fn without_a_model_nothing_opens() {
    let all = [Same, Changed, Pass, Fail, Vouch(30), Refuse, Lose, Tick];
    let inputs: Vec<_> = (1..).zip(all).collect();
    check(Mode::Local, &inputs, &[], false);
    check(FLEET, &inputs, &[], false);
}

#[test]
fn a_model_alone_does_not_open() {
    let unsealed = "1 sealed > unsealed: model_unsealed";
    let inputs = [(1, Unseal), (2, Same), (3, Tick), (4, Vouch(30))];
    check(Mode::Local, &inputs, &[unsealed], false);
    check(FLEET, &inputs, &[unsealed], false);
}

#[test]
fn known_answers_open_a_device_without_a_fleet() {
    local(&[], &[], true);
    // There is nobody to vouch for it, and nobody to refuse.
    local(&[(3, Vouch(5)), (9, Refuse), (10, Tick)], &[], true);
}

#[test]
fn in_a_fleet_only_a_live_result_opens() {
    let unsealed = "1 sealed > unsealed: model_unsealed";
    check(FLEET, &[(1, Unseal), (2, Pass)], &[unsealed], false);
    check(
        FLEET,
        &[(1, Unseal), (2, Pass), (3, Vouch(0))],
        &[unsealed],
        false,
    );
    fleet(&[], &[], true);
    // In any order.
    check(
        FLEET,
        &[(0, Vouch(30)), (1, Unseal), (3, Pass)],
        OPENED_TO_FLEET,
        true,
    );
}

#[test]
fn a_result_that_expired_before_the_opening_gives_no_grace() {
    check(
        FLEET,
        &[(1, Unseal), (2, Vouch(5)), (7, Pass), (8, Tick)],
        &["1 sealed > unsealed: model_unsealed"],
        false,
    );
}

#[test]
fn an_expired_result_leads_to_grace_and_grace_to_the_end() {
    let grace = "33 attested > grace: result_expired";
    fleet(&[(32, Tick)], &[], true);
    fleet(&[(33, Tick)], &[grace], true);
    fleet(
        &[(33, Tick), (52, Same)],
        &[grace, "52 grace > closed: measurement_overdue"],
        false,
    );
    let fresh = [(33, Tick), (40, Same)];
    fleet(&[&fresh[..], &[(52, Tick)]].concat(), &[grace], true);
    fleet(
        &[&fresh[..], &[(53, Tick)]].concat(),
        &[grace, "53 grace > closed: grace_over"],
        false,
    );
}

#[test]
fn without_grace_an_expired_result_closes() {
    let mode = Mode::Fleet {
        grace: Duration::ZERO,
    };
    let inputs = [(1, Unseal), (2, Pass), (3, Vouch(30)), (33, Tick)];
    let closed = ["33 attested > closed: result_expired"];
    check(mode, &inputs, &[OPENED_TO_FLEET, &closed].concat(), false);
}

#[test]
fn a_new_result_ends_the_grace_and_prolongs_what_is_open() {
    fleet(&[(30, Vouch(30)), (40, Same), (59, Tick)], &[], true);
    let ended = [
        "33 attested > grace: result_expired",
        "34 grace > attested: proven_to_fleet",
    ];
    fleet(
        &[(33, Tick), (34, Vouch(30)), (40, Same), (63, Same)],
        &[ended[0], ended[1]],
        true,
    );
    // Its own time counts then, not what was left of the grace.
    let again = [(33, Tick), (34, Vouch(10)), (44, Tick)];
    fleet(
        &again,
        &[ended[0], ended[1], "44 attested > grace: result_expired"],
        true,
    );
}

#[test]
fn the_latest_word_counts_even_when_it_is_shorter() {
    fleet(
        &[(4, Vouch(6)), (10, Tick)],
        &["10 attested > grace: result_expired"],
        true,
    );
}

#[test]
fn a_late_driver_sees_what_it_missed_in_order() {
    fleet(
        &[(40, Same), (70, Vouch(30))],
        &[
            "40 attested > grace: result_expired",
            "70 grace > closed: grace_over",
        ],
        false,
    );
    fleet(
        &[(500, Tick)],
        &[
            "500 attested > grace: result_expired",
            "500 grace > closed: measurement_overdue",
        ],
        false,
    );
}

#[test]
fn each_loss_closes_an_open_gate() {
    for (input, reason) in [
        (Changed, "measurement_changed"),
        (Lose, "tpm_lost"),
        (Fail, "wrong_answers"),
        (Stop, "stopping"),
    ] {
        let from = |from: &str, second| format!("{second} {from} > closed: {reason}");
        local(&[(5, input)], &[&from("attested", 5)], false);
        fleet(&[(5, input)], &[&from("attested", 5)], false);
        let grace = "33 attested > grace: result_expired";
        fleet(
            &[(33, Tick), (34, input)],
            &[grace, &from("grace", 34)],
            false,
        );
        let unsealed = "1 sealed > unsealed: model_unsealed";
        check(
            FLEET,
            &[(1, Unseal), (2, input)],
            &[unsealed, &from("unsealed", 2)],
            false,
        );
    }
}

#[test]
fn a_refusal_closes_without_grace() {
    fleet(
        &[(5, Refuse)],
        &["5 attested > closed: result_refused"],
        false,
    );
    let grace = "33 attested > grace: result_expired";
    let closed = "34 grace > closed: result_refused";
    fleet(&[(33, Tick), (34, Refuse)], &[grace, closed], false);
    // What was said before the refusal no longer counts.
    check(
        FLEET,
        &[(0, Vouch(30)), (1, Refuse), (2, Unseal), (3, Pass)],
        &["2 sealed > unsealed: model_unsealed"],
        false,
    );
}

#[test]
fn a_watch_that_no_longer_looks_closes() {
    local(&[(50, Tick)], &[], true);
    local(
        &[(51, Tick)],
        &["51 attested > closed: measurement_overdue"],
        false,
    );
    local(&[(50, Same), (99, Tick)], &[], true);
    // A look that comes too late mends nothing.
    local(
        &[(51, Same)],
        &["51 attested > closed: measurement_overdue"],
        false,
    );
    check(
        Mode::Local,
        &[(1, Unseal), (51, Pass)],
        &[
            "1 sealed > unsealed: model_unsealed",
            "51 unsealed > closed: measurement_overdue",
        ],
        false,
    );
}

#[test]
fn where_two_deadlines_meet_the_one_that_closes_is_first() {
    fleet(
        &[(4, Vouch(47)), (51, Tick)],
        &["51 attested > closed: measurement_overdue"],
        false,
    );
}

#[test]
fn a_schedule_of_no_time_never_opens() {
    let schedule = Schedule {
        answers_every: Duration::ZERO,
        answers_late: Duration::ZERO,
        ..SCHEDULE
    };
    let mut gate = Gate::new(Mode::Local, schedule, at(0));
    let _ = gate.unsealed(at(1), Shelf::default().model(), BOOT);
    assert_eq!(moves(&gate.answered(at(1), passed())).count(), 0);
    assert!(gate.open(at(1)).is_none());
}

#[test]
fn answers_that_do_not_come_again_close() {
    let watched = [(50, Same), (99, Same)];
    let with = |then: &[(u64, Input)]| [&watched[..], then].concat();
    local(&with(&[(111, Tick)]), &[], true);
    local(
        &with(&[(112, Tick)]),
        &["112 attested > closed: answers_overdue"],
        false,
    );
    local(&with(&[(111, Pass), (140, Tick)]), &[], true);
}

#[test]
fn a_self_test_from_long_before_the_result_does_not_count() {
    let watched = [(1, Unseal), (2, Pass), (50, Same), (99, Same)];
    let unsealed = "1 sealed > unsealed: model_unsealed";
    let inputs = [&watched[..], &[(112, Vouch(30))]].concat();
    check(FLEET, &inputs, &[unsealed], false);
    let inputs = [&inputs[..], &[(113, Pass)]].concat();
    let opened = "113 unsealed > attested: proven_to_fleet";
    check(FLEET, &inputs, &[unsealed, opened], true);
}

#[test]
fn a_fresh_unsealing_opens_again_but_not_without_fresh_proof() {
    let closed = "5 attested > closed: measurement_changed";
    let unsealed = "8 closed > unsealed: model_unsealed";
    local(&[(5, Changed), (6, Same), (7, Pass)], &[closed], false);
    local(&[(5, Changed), (8, Unseal)], &[closed, unsealed], false);
    local(
        &[(5, Changed), (8, Unseal), (9, Pass)],
        &[closed, unsealed, "9 unsealed > attested: proven_locally"],
        true,
    );
    // Nor does the result of before count.
    fleet(
        &[(5, Changed), (8, Unseal), (9, Pass)],
        &[closed, unsealed],
        false,
    );
    fleet(
        &[(5, Changed), (8, Unseal), (9, Pass), (10, Vouch(9))],
        &[closed, unsealed, "10 unsealed > attested: proven_to_fleet"],
        true,
    );
}

#[test]
fn another_model_closes_first() {
    local(
        &[(5, Unseal)],
        &[
            "5 attested > closed: model_replaced",
            "5 closed > unsealed: model_unsealed",
        ],
        false,
    );
}

#[test]
fn after_the_stop_nothing_opens() {
    let closed = "5 attested > closed: stopping";
    let rest = [(5, Stop), (6, Unseal), (7, Pass), (8, Vouch(30)), (9, Stop)];
    local(&rest, &[closed], false);
    fleet(&rest, &[closed], false);
}

#[test]
fn time_does_not_run_backwards() {
    let mut gate = gate(FLEET);
    let shelf = Shelf::default();
    for (second, input) in [(1, Unseal), (2, Pass), (3, Vouch(30)), (33, Tick)] {
        let _ = input.give(&mut gate, &shelf, at(second));
    }
    assert_eq!(gate.state(), GateState::Grace);
    let open = gate.open(at(33)).expect("grace is open");
    // What an old time would make of a result is not longer than it is worth now.
    let _ = gate.vouched(at(3), &Vouching(at(5)));
    assert_eq!(open.until(), Some(at(33 + 5 + 20).min(at(1 + 50))));
    let _ = gate.tick(at(51));
    assert!(gate.open(at(3)).is_none());
}

#[test]
fn a_clock_at_its_end_closes() {
    let mut gate = gate(Mode::Local);
    let shelf = Shelf::default();
    let _ = Unseal.give(&mut gate, &shelf, at(1));
    let _ = Pass.give(&mut gate, &shelf, at(2));
    let _ = gate.tick(Duration::MAX);
    assert_eq!((gate.state(), shelf.held()), (GateState::Closed, 0));
    let _ = Unseal.give(&mut gate, &shelf, at(3));
    let _ = Pass.give(&mut gate, &shelf, at(4));
    assert!(gate.open(at(4)).is_none());
}
