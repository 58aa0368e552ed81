//! The simulator on real lines, in real time.

use std::time::Duration;

use crate::kit::{PATIENCE, Wire};
use earnest_sim::{Options, Place, Simulator};
use earnest_wire::{Switch, Why};

#[test]
fn a_host_on_a_terminal_pairs_goes_live_is_muted_and_is_cut_when_it_goes_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("guard");
    let place = Place::Pty {
        link: Some(link.clone()),
    };
    let simulator = Simulator::start(Options::at(place)).unwrap();
    assert_eq!(simulator.path(), link);
    let mut host = Wire::terminal(&link);
    host.pair();
    host.meet();
    simulator.slide(Switch::Open);
    host.until_state(|state| state.switch == Switch::Open);
    host.go_live();
    simulator.slide(Switch::Muted);
    assert!(
        !simulator.rail().light(),
        "at once, whatever the guard does"
    );
    let state = host.until_state(|state| !state.power);
    assert_eq!((state.switch, state.why), (Switch::Muted, Why::Muted));
    simulator.slide(Switch::Open);
    host.until_state(|state| state.switch == Switch::Open);
    host.go_live();
    // And now not a word more.
    // The picture may be of a moment ago.
    let cut = simulator.wait(PATIENCE, |picture| {
        !picture.power && picture.why == Why::NoHeartbeat
    });
    assert!(cut.is_some(), "{:?}", simulator.picture());
    host.go_live();
    drop((host, simulator));
    assert!(!link.exists() && link.symlink_metadata().is_err());
}

#[test]
fn one_host_after_the_other_finds_the_guard_and_a_reset_keeps_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, state) = (folder.path().join("line"), folder.path().join("state"));
    let options = Options {
        state: Some(state.clone()),
        ..Options::at(Place::Socket(socket.clone()))
    };
    let simulator = Simulator::start(options.clone()).unwrap();
    let mut first = Wire::socket(&socket);
    first.pair();
    first.meet();
    drop(first);
    let mut second = Wire::socket(&socket);
    second.meet();
    simulator.reset();
    let reset = simulator.wait(PATIENCE, |picture| picture.boots == 2);
    assert!(reset.is_some_and(|picture| picture.paired && !picture.session));
    second.meet();
    drop(simulator);
    let simulator = Simulator::start(options).unwrap();
    assert!(simulator.picture().paired);
    assert_eq!(simulator.picture().boots, 3);
    simulator.hang_up();
    Wire::socket(&socket).meet();
}

#[test]
fn noise_on_the_line_costs_nothing_but_itself() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("line");
    let simulator = Simulator::start(Options::at(Place::Socket(socket.clone()))).unwrap();
    let mut host = Wire::socket(&socket);
    host.pair();
    host.meet();
    simulator.inject(&[1, 2, 3, 0, 255]);
    simulator.slide(Switch::Open);
    host.until_state(|state| state.switch == Switch::Open);
    host.send(&[4, 5, 6]);
    assert!(
        simulator
            .wait(Duration::from_millis(1), |_| false)
            .is_none()
    );
    // The zero that begins a frame ends the noise.
    host.go_live();
}

#[test]
fn somebodys_file_is_not_taken_for_a_socket_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "words").unwrap();
    for place in [
        Place::Socket(path.clone()),
        Place::Pty {
            link: Some(path.clone()),
        },
    ] {
        assert!(Simulator::start(Options::at(place)).is_err());
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "words");
}
