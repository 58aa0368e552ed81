//! The real image on an emulated board: everything that can be seen from outside of it.

use std::path::PathBuf;

use crate::kit::{PATIENCE, Wire};
use earnest_sim::qemu::{self, Board};
use earnest_wire::host::Event;
use earnest_wire::{Faults, Switch, Why};

/// Said by `cargo xtask test` where no core library for the board can be had.
const NONE: &str = "EARNEST_NO_FIRMWARE";

/// A board with its folder, or nothing where no image can be built.
fn board() -> Option<(tempfile::TempDir, PathBuf, Board)> {
    if std::env::var_os(NONE).is_some() {
        eprintln!("left out: {NONE} is set, as there is no core library for the board");
        return None;
    }
    let image = qemu::build().expect("the firmware builds");
    let folder = tempfile::tempdir().expect("a folder for sockets");
    let line = folder.path().join("line");
    let board = Board::start(&image, &line).expect("the emulator starts");
    Some((folder, line, board))
}

/// A host that is live with the board.
fn live(board: &Board, line: &std::path::Path) -> Wire {
    let mut host = Wire::socket(line);
    board.ask(PATIENCE).expect("the board has started");
    host.pair();
    host.meet();
    board.slide(Switch::Open);
    host.until_state(|state| state.switch == Switch::Open);
    host.go_live();
    assert!(board.rail().light());
    host
}

fn faults(host: &mut Wire) -> Faults {
    let frame = host.link.ask().expect("there is a session");
    host.send(frame.as_bytes());
    host.until(|event| match event {
        Event::Faults(faults) => Some(*faults),
        _ => None,
    })
}

#[test]
fn the_board_goes_live_is_muted_and_cuts_when_its_host_goes_quiet() {
    let Some((_folder, line, board)) = board() else {
        return;
    };
    let mut host = live(&board, &line);
    board.slide(Switch::Muted);
    assert!(!board.rail().light(), "at once, whatever the board does");
    let state = host.until_state(|state| !state.power);
    assert_eq!((state.switch, state.why), (Switch::Muted, Why::Muted));
    assert!(board.wait(PATIENCE, |picture| !picture.gate).is_some());
    board.slide(Switch::Open);
    host.until_state(|state| state.switch == Switch::Open);
    assert!(!board.rail().light(), "unmuting alone brings nothing");
    host.go_live();
    let cut = board.wait(PATIENCE, |picture| !picture.power);
    assert!(cut.is_some_and(|picture| picture.switch == Switch::Open));
    let trip = host.until(|event| match event {
        Event::Trip(trip) => Some(*trip),
        _ => None,
    });
    assert!((1_000..2_000).contains(&trip.silent), "{trip:?}");
    host.go_live();
}

#[test]
fn whatever_fails_in_the_image_cuts_the_microphone_and_starts_anew() {
    let Some((_folder, line, board)) = board() else {
        return;
    };
    let mut host = live(&board, &line);
    let before = faults(&mut host);
    let failures: [fn(&Board); 3] = [Board::panic, Board::hang, Board::overflow];
    for (done, fail) in failures.into_iter().enumerate() {
        assert!(board.rail().light());
        fail(&board);
        assert!(board.wait(PATIENCE, |picture| !picture.gate).is_some());
        assert!(!board.rail().light());
        board.ask(PATIENCE).expect("the board has started again");
        host.meet();
        let after = faults(&mut host);
        assert_eq!(
            after.resets,
            before.resets + 1 + done as u32,
            "kept over the reset"
        );
        host.until_state(|state| state.switch == Switch::Open || state.why == Why::Settling);
        host.heartbeat();
        host.until_state(|state| state.switch == Switch::Open);
        host.go_live();
    }
}

#[test]
fn the_stacks_have_room_left_after_all_that_a_host_can_ask() {
    let Some((_folder, line, board)) = board() else {
        return;
    };
    let mut host = live(&board, &line);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..64 {
        let noise: Vec<u8> = (0..256).map(|_| random.u8(..)).collect();
        host.send(&noise);
        host.send(&[0]);
        board.ask(PATIENCE).expect("the board is there");
    }
    host.meet();
    faults(&mut host);
    let picture = board.ask(PATIENCE).expect("the board is there");
    let (thread, handlers) = (picture.thread_stack, picture.handler_stack);
    eprintln!("stacks: {thread:?} of 8160 and {handlers:?} of 992 bytes used");
    // Half of each stays free: what was not met here will fit.
    assert!(thread.is_some_and(|used| used > 0 && used <= 8_160 / 2));
    assert!(handlers.is_some_and(|used| used > 0 && used <= 992 / 2));
}
