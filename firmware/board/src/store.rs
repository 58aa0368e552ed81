//! What the guard keeps over a reset, in memory that a reset leaves alone.
//!
//! This machine has no flash that a program could write: the two records lie in RAM that the
//! start-up code does not clear, and are lost with the power. A board of a product keeps them in two
//! pages of its flash.

use core::convert::Infallible;
use core::mem::MaybeUninit;

use earnest_guard::{RECORD_BYTES, Slot, Store};

type Places = [[u8; RECORD_BYTES]; 2];

#[unsafe(link_section = ".uninit.places")]
static mut PLACES: MaybeUninit<Places> = MaybeUninit::uninit();

/// The two places.
pub(crate) struct Kept(());

impl Kept {
    /// The places of this chip.
    ///
    /// # Safety
    /// Called once.
    pub(crate) unsafe fn take() -> Self {
        Self(())
    }

    fn place(slot: Slot) -> *mut [u8; RECORD_BYTES] {
        let places: *mut Places = (&raw mut PLACES).cast();
        // SAFETY: a slot is 0 or 1, and there are two places.
        unsafe { places.cast::<[u8; RECORD_BYTES]>().add(slot as usize) }
    }
}

impl Store for Kept {
    type Error = Infallible;

    fn load(&mut self, slot: Slot, record: &mut [u8; RECORD_BYTES]) -> Result<(), Infallible> {
        // SAFETY: the place is aligned memory of bytes that this value alone reads and writes.
        // After power-on it holds whatever it holds, which the read takes as it is, being volatile;
        // the record's checksum judges it.
        *record = unsafe { Self::place(slot).read_volatile() };
        Ok(())
    }

    fn save(&mut self, slot: Slot, record: &[u8; RECORD_BYTES]) -> Result<(), Infallible> {
        // SAFETY: as above. Volatile, as nothing but the next start reads it.
        unsafe { Self::place(slot).write_volatile(*record) };
        Ok(())
    }
}
