//! The pins, and what counts where one cannot be read.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use earnest_guard::pins::Hands;
use earnest_wire::{Switch, Why};
use embassy_time::Duration;
use embedded_hal::digital::{Error, ErrorKind, ErrorType, InputPin, OutputPin};

use crate::kit::Bench;

/// A pin that is high, low, or broken.
#[derive(Debug, Clone)]
struct In(Rc<Cell<Option<bool>>>);

#[derive(Debug)]
struct Broken;

impl Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for In {
    type Error = Broken;
}

impl InputPin for In {
    fn is_high(&mut self) -> Result<bool, Broken> {
        self.0.get().ok_or(Broken)
    }

    fn is_low(&mut self) -> Result<bool, Broken> {
        self.is_high().map(|high| !high)
    }
}

/// The power switch, which carries over to the rail while the mute switch is open.
#[derive(Debug)]
struct Out {
    switch: In,
    rail: In,
    on: Rc<Cell<bool>>,
}

impl ErrorType for Out {
    type Error = Infallible;
}

impl OutputPin for Out {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.on.set(false);
        self.rail.0.set(Some(false));
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.on.set(true);
        self.rail.0.set(Some(self.switch.0.get() == Some(false)));
        Ok(())
    }
}

fn pin(level: bool) -> In {
    In(Rc::new(Cell::new(Some(level))))
}

#[test]
fn the_power_switch_follows_the_guard_and_a_broken_pin_is_a_muted_one() {
    let mut bench = Bench::live();
    let (switch, rail, on) = (pin(false), pin(false), Rc::new(Cell::new(false)));
    let power = Out {
        switch: switch.clone(),
        rail: rail.clone(),
        on: on.clone(),
    };
    let mut hands = Hands {
        switch: switch.clone(),
        rail: rail.clone(),
        power,
    };
    let mut serve = |bench: &mut Bench| hands.serve(&mut bench.guard, bench.now, &mut bench.out);

    serve(&mut bench).expect("the pin can be driven");
    assert!(on.get() && bench.state().is_live());

    // The switch's pin breaks, or comes off.
    for level in [None, Some(true)] {
        switch.0.set(level);
        serve(&mut bench).expect("the pin can be driven");
        assert!(!on.get());
        assert_eq!(bench.guard.why(), Why::Muted);
        switch.0.set(Some(false));
        serve(&mut bench).expect("the pin can be driven");
        bench.now += Duration::from_millis(50);
        serve(&mut bench).expect("the pin can be driven");
        assert_eq!(bench.state().switch, Switch::Open);
        assert!(!on.get(), "the host has to announce anew");
        bench.hand = Switch::Open;
        let frame = bench.host.announce(true).expect("a session");
        bench
            .guard
            .receive(frame.as_bytes(), bench.now, &mut bench.out);
        serve(&mut bench).expect("the pin can be driven");
        assert!(on.get() && bench.state().is_live());
    }

    // The rail's pin breaks: what it carries is not what was commanded, until somebody has looked.
    rail.0.set(None);
    let blind = |bench: &mut Bench| {
        let broken = In(Rc::new(Cell::new(None)));
        let power = Out {
            switch: switch.clone(),
            rail: rail.clone(),
            on: on.clone(),
        };
        let mut hands = Hands {
            switch: switch.clone(),
            rail: broken,
            power,
        };
        hands.serve(&mut bench.guard, bench.now, &mut bench.out)
    };
    blind(&mut bench).expect("the pin can be driven");
    bench.now += Duration::from_millis(20);
    blind(&mut bench).expect("the pin can be driven");
    assert!(bench.state().contradiction && !bench.state().is_live());
}

#[test]
fn whoever_panics_cuts_the_microphone() {
    let on = Rc::new(Cell::new(true));
    let power = Out {
        switch: pin(false),
        rail: pin(true),
        on: on.clone(),
    };
    let mut hands = Hands {
        switch: pin(false),
        rail: pin(true),
        power,
    };
    hands.cut().expect("the pin can be driven");
    assert!(!on.get());
}
