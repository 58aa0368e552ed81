//! The bench: what stands for the pins in QEMU, which drives none from outside.
//!
//! The second serial port carries one letter for each edge. The other end is the hardware: it
//! models the switch, the rail and the light (`earnest-sim`'s `Rail`).
//!
//! | letter | from | says |
//! |---|---|---|
//! | `G` / `g` | board | the power switch's gate is driven / let go |
//! | `B` | board | has just started, and lets go of the gate |
//! | `S` / `s` | bench | the mute switch is open / at mute |
//! | `R` / `r` | bench | the rail carries power / does not |
//! | `?` | bench | asks for `G` or `g`, and for the stacks' high-water marks |
//! | `!` | bench | panic |
//! | `@` | bench | stand still with interrupts off, as firmware that hangs |
//! | `#` | bench | outgrow the stack |
//! | `T` + 8 hex + `H` + 8 hex | board | bytes ever used of the executor's and handlers' stack |

use core::sync::atomic::{AtomicU32, Ordering};

use crate::registers::{self, Register};
use crate::stacks;

static LEVELS: AtomicU32 = AtomicU32::new(0);

/// What the bench said last, as the buttons' register would. Nothing said is mute and no power.
pub(crate) fn levels() -> u32 {
    LEVELS.load(Ordering::Relaxed)
}

/// Tells the bench that the board has started. A processor in reset drives no pin, but it cannot say
/// so on a serial line either, so it is said as soon as there is a line.
pub(crate) fn begin() {
    put(b'B');
}

/// Tells the bench what the gate does.
pub(crate) fn gate(driven: bool) {
    put(if driven { b'G' } else { b'g' });
}

/// Does what a letter says.
pub(crate) fn obey(letter: u8, driven: bool) {
    match letter {
        b'S' => sense(1 << 0, true),
        b's' => sense(1 << 0, false),
        b'R' => sense(1 << 1, true),
        b'r' => sense(1 << 1, false),
        b'?' => {
            gate(driven);
            let used = stacks::high_water();
            number(b'T', used.thread);
            number(b'H', used.handlers);
        }
        b'!' => panic!(),
        b'@' => cortex_m::interrupt::free(|_| {
            loop {
                cortex_m::asm::nop();
            }
        }),
        b'#' => {
            core::hint::black_box(outgrow(core::hint::black_box(0)));
        }
        _ => {}
    }
}

fn sense(bit: u32, high: bool) {
    if high {
        LEVELS.fetch_or(bit, Ordering::Relaxed);
    } else {
        LEVELS.fetch_and(!bit, Ordering::Relaxed);
    }
}

/// Calls itself until the stack ends.
#[expect(unconditional_recursion, reason = "the stack is to be outgrown")]
fn outgrow(depth: u32) -> u32 {
    let frame = core::hint::black_box([depth; 16]);
    outgrow(frame[15] + 1) + core::hint::black_box(frame)[3]
}

/// Writes a letter and eight hexadecimal digits, without the formatting machinery.
fn number(name: u8, value: u32) {
    put(name);
    for shift in (0..8).rev() {
        let digit = (value >> (4 * shift) & 0xf) as u8;
        put(if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        });
    }
}

/// Writes a letter, waiting a bounded while for room: this also runs when everything else failed.
fn put(letter: u8) {
    // SAFETY: the second port is there, with its registers at these offsets.
    let (data, state, control) = unsafe {
        (
            Register::at(registers::BENCH_PORT),
            Register::at(registers::BENCH_PORT + 0x4),
            Register::at(registers::BENCH_PORT + 0x8),
        )
    };
    // Before the port is started a byte would be stuck in it.
    if control.read() & 1 == 0 {
        return;
    }
    // At 25 MHz more than the 87 us that a byte takes on the line.
    for _ in 0..10_000 {
        if state.read() & 1 == 0 {
            data.write(u32::from(letter));
            return;
        }
    }
}
