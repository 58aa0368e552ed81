//! Time: the processor's SysTick, a thousand times a second, as embassy-time's driver.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use cortex_m::interrupt::{self, Mutex};
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use embassy_time_driver::{Driver, TICK_HZ, time_driver_impl};
use embassy_time_queue_utils::Queue;

use crate::registers::CLOCK_HZ;

/// Milliseconds since the start, and who waits for which.
struct Clock {
    now: Mutex<Cell<u64>>,
    next: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

time_driver_impl!(static CLOCK: Clock = Clock {
    now: Mutex::new(Cell::new(0)),
    next: Mutex::new(Cell::new(u64::MAX)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        interrupt::free(|section| self.now.borrow(section).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        interrupt::free(|section| {
            let mut queue = self.queue.borrow(section).borrow_mut();
            if queue.schedule_wake(at, waker) {
                let now = self.now.borrow(section).get();
                self.next.borrow(section).set(queue.next_expiration(now));
            }
        });
    }
}

impl Clock {
    fn advance(&self) {
        interrupt::free(|section| {
            let now = self.now.borrow(section).get() + 1;
            self.now.borrow(section).set(now);
            if now >= self.next.borrow(section).get() {
                let mut queue = self.queue.borrow(section).borrow_mut();
                self.next.borrow(section).set(queue.next_expiration(now));
            }
        });
    }
}

/// Starts the clock.
pub(crate) fn start(mut timer: SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CLOCK_HZ / TICK_HZ as u32 - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

#[exception]
fn SysTick() {
    CLOCK.advance();
}
