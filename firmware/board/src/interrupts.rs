//! The vector table's second half, and the ports that interrupts speak for.

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

use crate::port::Port;
use crate::registers;

/// The line to the host.
// SAFETY: the machine's first port is there, and this is the only value made of it.
pub(crate) static HOST: Port = unsafe { Port::at(registers::HOST_PORT) };

/// The bench.
#[cfg(feature = "bench")]
// SAFETY: the machine's second port is there. The bench writes to it past this value, letter by
// letter, which disturbs no queue: nothing is ever queued to go there.
pub(crate) static BENCH: Port = unsafe { Port::at(registers::BENCH_PORT) };

/// An entry of the vector table.
#[repr(C)]
pub(crate) union Vector {
    handler: unsafe extern "C" fn(),
    reserved: usize,
}

unsafe extern "C" {
    fn DefaultHandler();
}

/// Interrupts 0 to 31 of the machine; those that are never enabled fail like any fault.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub(crate) static __INTERRUPTS: [Vector; 32] = {
    const UNUSED: Vector = Vector {
        handler: DefaultHandler,
    };
    let mut vectors = [UNUSED; 32];
    vectors[0] = Vector {
        handler: host_received,
    };
    vectors[1] = Vector { handler: host_sent };
    #[cfg(feature = "bench")]
    {
        vectors[2] = Vector {
            handler: bench_received,
        };
    }
    vectors
};

extern "C" fn host_received() {
    HOST.received();
}

extern "C" fn host_sent() {
    HOST.sent();
}

#[cfg(feature = "bench")]
extern "C" fn bench_received() {
    BENCH.received();
}

#[derive(Clone, Copy)]
struct Number(u16);

// SAFETY: the numbers are those of the machine's table above.
unsafe impl InterruptNumber for Number {
    fn number(self) -> u16 {
        self.0
    }
}

/// Lets the ports interrupt.
pub(crate) fn enable() {
    let enable = |number| {
        // SAFETY: the handlers are in place, and no critical section relies on a mask.
        unsafe { NVIC::unmask(Number(number)) };
    };
    enable(0);
    enable(1);
    #[cfg(feature = "bench")]
    enable(2);
}
