//! The two stacks: painted at the start, kept from what lies below them, and measured.
//!
//! `memory.x` has the map. Below each stack lies a strip of 32 bytes that the memory protection
//! unit gives to nobody, so a stack that outgrows its place faults at once.

use core::arch::asm;

use cortex_m::peripheral::MPU;

/// What a stack is painted with before it is used; cortex-m-rt paints the handlers' with the same.
const PAINT: u32 = cortex_m_rt::STACK_PAINT_VALUE;

/// `MPU_RASR`: on, 32 bytes, no access for anybody, never executed.
const STRIP: u32 = 1 | 4 << 1 | 1 << 28;
/// `MPU_RBAR`: the number in the low bits is the region's.
const REGION_VALID: u32 = 1 << 4;
/// `MPU_CTRL`: on, with the usual map for whatever no region names. Left off in the handlers of
/// hard faults, which may have to look.
const ON_WITH_BACKGROUND: u32 = 0b101;

unsafe extern "C" {
    static mut _handler_strip: u32;
    static mut _stack_end: u32;
    static mut _stack_start: u32;
    static mut _thread_strip: u32;
    static mut _thread_stack_end: u32;
    static mut _thread_stack_start: u32;
}

/// Bytes of the two stacks that were ever written.
#[cfg(feature = "bench")]
#[derive(Clone, Copy)]
pub(crate) struct HighWater {
    /// Of the executor's stack.
    pub(crate) thread: u32,
    /// Of the handlers' stack.
    pub(crate) handlers: u32,
}

/// Paints the executor's stack, lays the strips, and goes on with `next` on that stack.
///
/// # Safety
/// Called once, on the main stack, before any interrupt is enabled, and never returned from.
pub(crate) unsafe fn enter(unit: &MPU, next: extern "C" fn() -> !) -> ! {
    let mut word = &raw mut _thread_stack_end;
    let top = &raw mut _thread_stack_start;
    while word < top {
        // SAFETY: memory.x keeps this range for the stack, which is not in use yet.
        unsafe {
            word.write_volatile(PAINT);
            word = word.add(1);
        }
    }
    for (number, strip) in [&raw mut _handler_strip, &raw mut _thread_strip]
        .into_iter()
        .enumerate()
    {
        // SAFETY: the strips hold nothing, so taking them away takes nothing from anybody.
        unsafe {
            unit.rbar.write(strip as u32 | REGION_VALID | number as u32);
            unit.rasr.write(STRIP);
        }
    }
    // SAFETY: the background map leaves all other memory as it was. Then the stack is changed, and
    // what was on the old one is never returned to.
    unsafe {
        unit.ctrl.write(ON_WITH_BACKGROUND);
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
        asm!(
            "msr psp, {top}",
            "msr control, {select}",
            "isb",
            "bx {next}",
            top = in(reg) top,
            select = in(reg) 2u32,
            next = in(reg) next,
            options(noreturn),
        )
    }
}

/// Looks how far the paint is gone.
#[cfg(feature = "bench")]
pub(crate) fn high_water() -> HighWater {
    HighWater {
        thread: used(&raw const _thread_stack_end, &raw const _thread_stack_start),
        handlers: used(&raw const _stack_end, &raw const _stack_start),
    }
}

/// Bytes between the lowest word without its paint and the top.
#[cfg(feature = "bench")]
fn used(end: *const u32, top: *const u32) -> u32 {
    let mut word = end;
    // SAFETY: reads words of a stack, between the ends that memory.x gives; what is found may be
    // in use, which a volatile read of a word does not mind.
    unsafe {
        while word < top && word.read_volatile() == PAINT {
            word = word.add(1);
        }
    }
    (top as u32).saturating_sub(word as u32)
}
