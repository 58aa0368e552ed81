//! A guard beside the daemon's microphone, whichever it is, and the daemon that is paired with it.

use std::path::{Path, PathBuf};

use earnest_sim::qemu::{self, Board};
use earnest_sim::{Options, Place, Rail, Simulator};
use earnest_wire::Switch;
use serde_json::Value;
use tempfile::TempDir;

use crate::earnestd::{Earnestd, Wish};
use crate::house::APP;
use crate::person::Person;
use crate::server::Server;
use crate::sides::run;
use crate::wait::{wait_for, wait_to_see};

/// A guard with a switch that a hand is on, and a rail that an eye is on.
pub(crate) trait Post {
    /// Starts it, with its line's socket here and its switch at mute.
    fn start(line: &Path) -> Self;

    /// Moves the switch.
    fn slide(&self, switch: Switch);

    /// The hardware around it.
    fn rail(&self) -> &Rail;

    /// Waits until the microphone has power, and the light is on with it; or until neither is.
    fn see_power(&self, power: bool) {
        let rail = self.rail();
        wait_to_see((power, power), || (rail.power(), rail.light()));
    }

    /// Whether the microphone has power now.
    fn has_power(&self) -> bool {
        self.rail().power()
    }
}

impl Post for Simulator {
    fn start(line: &Path) -> Simulator {
        Simulator::start(Options::at(Place::Socket(line.to_owned()))).expect("the path is free")
    }

    fn slide(&self, switch: Switch) {
        Simulator::slide(self, switch);
    }

    fn rail(&self) -> &Rail {
        Simulator::rail(self)
    }
}

impl Post for Board {
    fn start(line: &Path) -> Board {
        let image = qemu::build().expect("the image is built");
        Board::start(&image, line).expect("the emulator is installed: `cargo xtask test` does that")
    }

    fn slide(&self, switch: Switch) {
        Board::slide(self, switch);
    }

    fn rail(&self) -> &Rail {
        Board::rail(self)
    }
}

/// A daemon, its guard, and somebody who may act. The folder of the line goes last.
pub(crate) struct Guarded<G> {
    pub(crate) daemon: Earnestd,
    pub(crate) person: Person,
    pub(crate) guard: G,
    line: PathBuf,
    _folder: TempDir,
}

impl<G: Post> Guarded<G> {
    /// Paired, with the switch open, and an application that may listen.
    pub(crate) fn beside(server: &Server) -> Guarded<G> {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let line = folder.path().join("guard.sock");
        let guard = G::start(&line);
        let daemon = Earnestd::start(wish(server, &line));
        let mut person = Person::enrol(&daemon);
        person.add_app(&daemon, APP, &["transcribe", "listen"]);
        let mut guarded = Guarded {
            daemon,
            person,
            guard,
            line,
            _folder: folder,
        };
        guarded.pair();
        guarded.guard.slide(Switch::Open);
        guarded.see("idle");
        assert!(!guarded.guard.has_power());
        guarded
    }

    /// Pairs the two, while the daemon is down.
    fn pair(&mut self) {
        self.see("unpaired");
        // Nobody listens by a guard that does not know this device.
        let refused = self.daemon.curl().get("/v1/listen").refusal(503);
        assert_eq!(refused, "microphone_unguarded");
        self.daemon.kill();
        let place = format!("unix:{}", self.line.display());
        let pair = ["guard", "pair", "--line", &place];
        let told = run(self.daemon.earnest().args(pair)).success();
        assert!(told.contains("know each other now"), "{told}");
        let told = run(self.daemon.earnest().args(pair)).success();
        assert!(!told.contains("each other now"), "{told}");
        self.daemon.run_again();
    }

    /// Waits until the daemon knows its guard to be in this state.
    pub(crate) fn see(&self, state: &str) -> Value {
        wait_for(&format!("the guard is {state}"), || {
            let guard = self.report()["guard"].clone();
            (guard["state"] == state).then_some(guard)
        })
    }

    /// What the daemon says of its microphone.
    pub(crate) fn report(&self) -> Value {
        self.daemon.status()["microphone"].clone()
    }
}

/// A daemon that hears this server, and looks for its guard at this socket.
pub(crate) fn wish(server: &Server, line: &Path) -> Wish {
    let wish = server.wish();
    let place = toml::Value::from(format!("unix:{}", line.display()));
    Wish {
        tables: format!("{}\n[guard]\ndevice = {place}", wish.tables),
        ..wish
    }
}
