//! The guard on a Cortex-M4: pins, clock, serial line, and what happens when any of it fails.
//!
//! The logic is `earnest-guard`'s; here it gets hands. One task comes round at each byte, at each
//! time that the logic asks for, and at the latest each 10 ms: it reads the pins, lets the guard
//! think, and drives the gate of the microphone's power switch. Nothing in it waits for anybody.
//!
//! What fails cuts the microphone first and starts anew ([`fault`]); what hangs is reset by the
//! processor's own watchdog ([`watchdog`]), and in reset the gate is let go.

#![no_std]
#![no_main]

#[cfg(feature = "bench")]
mod bench;
mod clock;
mod executor;
mod fault;
mod interrupts;
mod pins;
mod port;
mod registers;
mod stacks;
mod store;
mod watchdog;

use earnest_guard::pins::Hands;
use earnest_guard::{Guard, Outbox, Settings};
use earnest_wire::Identity;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer};

use interrupts::HOST;
use pins::{Power, Sense};
use registers::Register;
use store::Kept;
use watchdog::Watchdog;

/// The longest time between two looks at the pins.
const ROUND: Duration = Duration::from_millis(10);

/// Bytes taken from a port at once: few enough that a flood does not keep the pins waiting.
const AT_ONCE: usize = 64;

#[cortex_m_rt::entry]
fn start() -> ! {
    pins::cut();
    let Some(core) = cortex_m::Peripherals::take() else {
        panic!();
    };
    HOST.start();
    #[cfg(feature = "bench")]
    {
        interrupts::BENCH.start();
        bench::begin();
    }
    clock::start(core.SYST);
    // SAFETY: done once, on the main stack, with no port's interrupt enabled; the clock's handler
    // is on the main stack before and after.
    unsafe { stacks::enter(&core.MPU, run) }
}

/// Goes on, on the executor's own stack.
extern "C" fn run() -> ! {
    interrupts::enable();
    executor::run(|spawner| match guard() {
        Ok(task) => spawner.spawn(task),
        Err(_) => panic!(),
    })
}

#[embassy_executor::task]
async fn guard() {
    let mut watchdog = Watchdog::start();
    let mut hands = Hands {
        switch: Sense::SWITCH,
        rail: Sense::RAIL,
        power: Power,
    };
    // SAFETY: there is one such task.
    let kept = unsafe { Kept::take() };
    let mut guard = Guard::new(Settings::default(), identity(), kept, Instant::now());
    let mut out = Outbox::new();
    loop {
        watchdog.feed();
        let now = Instant::now();
        let Ok(()) = hands.serve(&mut guard, now, &mut out);
        let Ok(()) = out.write_to(&mut &HOST);
        let latest = now + ROUND;
        let next = guard.deadline().map_or(latest, |at| at.min(latest));
        let (mut line, mut bench) = ([0; AT_ONCE], [0; AT_ONCE]);
        match select3(
            HOST.read(&mut line),
            read_bench(&mut bench),
            Timer::at(next),
        )
        .await
        {
            Either3::First(length) => guard.receive(&line[..length], Instant::now(), &mut out),
            Either3::Second(length) => obey(&bench[..length], guard.power()),
            Either3::Third(()) => {}
        }
    }
}

/// Which guard this is. This machine has no number of its own, so it gives the board's and the
/// image's; a board of a product gives its chip's.
fn identity() -> Identity {
    // SAFETY: the board's system controller is there.
    let [board, image] = unsafe {
        [
            Register::at(registers::BOARD),
            Register::at(registers::BOARD + 4),
        ]
    };
    let mut number = [0; 8];
    number[..4].copy_from_slice(&board.read().to_le_bytes());
    number[4..].copy_from_slice(&image.read().to_le_bytes());
    Identity::of_chip(&number)
}

#[cfg(feature = "bench")]
async fn read_bench(into: &mut [u8]) -> usize {
    interrupts::BENCH.read(into).await
}

#[cfg(feature = "bench")]
fn obey(letters: &[u8], driven: bool) {
    for letter in letters {
        bench::obey(*letter, driven);
    }
}

#[cfg(not(feature = "bench"))]
async fn read_bench(_into: &mut [u8]) -> usize {
    core::future::pending().await
}

#[cfg(not(feature = "bench"))]
fn obey(_letters: &[u8], _driven: bool) {}
