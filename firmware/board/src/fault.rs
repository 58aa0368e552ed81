//! When the firmware fails: the microphone is cut first, and then the processor starts anew.

use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

use crate::pins;

#[panic_handler]
fn panic(_reason: &PanicInfo<'_>) -> ! {
    fail()
}

#[exception]
unsafe fn HardFault(_frame: &ExceptionFrame) -> ! {
    fail()
}

#[exception]
unsafe fn DefaultHandler(_number: i16) {
    fail()
}

fn fail() -> ! {
    pins::cut();
    SCB::sys_reset()
}
