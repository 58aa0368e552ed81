//! The executor: embassy's, with a sleep that ends at the next interrupt.
//!
//! Embassy's own loop for Cortex-M waits for events (`wfe`), which QEMU does not put to sleep for;
//! waiting for interrupts (`wfi`) sleeps on both.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
static WOKEN: AtomicBool = AtomicBool::new(true);

/// What embassy calls when a task can go on.
#[unsafe(export_name = "__pender")]
fn pend(_context: *mut ()) {
    WOKEN.store(true, Ordering::Release);
}

/// Runs what `begin` spawns, for ever. `first` comes before each round.
pub(crate) fn run(begin: impl FnOnce(Spawner)) -> ! {
    let executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    begin(executor.spawner());
    loop {
        if WOKEN.swap(false, Ordering::Acquire) {
            // SAFETY: the executor is initialised, and polled from this one place.
            unsafe { executor.poll() };
        }
        // With interrupts held back nobody can wake a task between the question and the sleep;
        // a held interrupt ends the sleep all the same.
        cortex_m::interrupt::disable();
        if !WOKEN.load(Ordering::Acquire) {
            cortex_m::asm::wfi();
        }
        // SAFETY: this loop is in no critical section.
        unsafe { cortex_m::interrupt::enable() };
    }
}
