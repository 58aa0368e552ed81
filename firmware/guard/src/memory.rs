//! What a guard keeps over a reset: its key, how often it has started, and its faults.
//!
//! One record of [`RECORD_BYTES`] bytes lies in two slots, written in turn, so that a write cut
//! short leaves the one before. At a start both are written: no start is counted twice, whichever
//! of them breaks later.
//!
//! ```text
//! format (1) | generation (4) | boots (4) | paired (1) | key (32) | faults (11 * 4) | 0 (6) | CRC-32 (4)
//! ```
//!
//! A key is erased with the memory itself, by a debug probe, and in no other way. Nothing but the
//! key is secret.

use earnest_wire::frame::checksum;
use earnest_wire::{Faults, KEY_BYTES, PairingKey};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a record. Numbers are little endian.
pub const RECORD_BYTES: usize = 96;

/// The format of records.
const FORMAT: u8 = 1;

/// Where the checksum stands.
const CHECKSUM: usize = RECORD_BYTES - 4;

/// Which of the two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The first.
    First,
    /// The second.
    Second,
}

/// Two places that keep a record each over a reset: pages of a flash, or memory that a reset leaves
/// alone.
pub trait Store {
    /// Why a place cannot be read or written.
    type Error;

    /// Reads a place as it is, whatever is in it.
    ///
    /// # Errors
    /// Where it cannot be read. It then counts as empty.
    fn load(&mut self, slot: Slot, record: &mut [u8; RECORD_BYTES]) -> Result<(), Self::Error>;

    /// Writes a place. The other one is left alone.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn save(&mut self, slot: Slot, record: &[u8; RECORD_BYTES]) -> Result<(), Self::Error>;
}

impl<S: Store + ?Sized> Store for &mut S {
    type Error = S::Error;

    fn load(&mut self, slot: Slot, record: &mut [u8; RECORD_BYTES]) -> Result<(), Self::Error> {
        (**self).load(slot, record)
    }

    fn save(&mut self, slot: Slot, record: &[u8; RECORD_BYTES]) -> Result<(), Self::Error> {
        (**self).save(slot, record)
    }
}

/// A store in plain memory, erased when made: for tests, and for the simulator without a file.
#[derive(Debug, Clone, Zeroize, ZeroizeOnDrop)]
pub struct Erased {
    places: [[u8; RECORD_BYTES]; 2],
}

impl Default for Erased {
    fn default() -> Self {
        // As an erased flash reads.
        let places = [[0xff; RECORD_BYTES]; 2];
        Self { places }
    }
}

impl Store for Erased {
    type Error = core::convert::Infallible;

    fn load(&mut self, slot: Slot, record: &mut [u8; RECORD_BYTES]) -> Result<(), Self::Error> {
        record.copy_from_slice(&self.places[slot as usize]);
        Ok(())
    }

    fn save(&mut self, slot: Slot, record: &[u8; RECORD_BYTES]) -> Result<(), Self::Error> {
        self.places[slot as usize].copy_from_slice(record);
        Ok(())
    }
}

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    generation: u32,
    pub(crate) boots: u32,
    pub(crate) key: Option<PairingKey>,
    pub(crate) faults: Faults,
}

impl Record {
    fn encode(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[0] = FORMAT;
        bytes[1..5].copy_from_slice(&self.generation.to_le_bytes());
        bytes[5..9].copy_from_slice(&self.boots.to_le_bytes());
        if let Some(key) = &self.key {
            bytes[9] = 1;
            bytes[10..42].copy_from_slice(key.expose());
        }
        let places = bytes[42..86].chunks_exact_mut(4);
        for (place, number) in places.zip(<[u32; Faults::COUNTERS]>::from(self.faults)) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let checksum = checksum(&bytes[..CHECKSUM]);
        bytes[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The record in the bytes, if they are one.
    fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let number = |at: usize| {
            let mut number = [0; 4];
            number.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(number)
        };
        if bytes[0] != FORMAT || number(CHECKSUM) != checksum(&bytes[..CHECKSUM]) {
            return None;
        }
        let key = match bytes[9] {
            0 => None,
            1 => {
                let mut key = [0; KEY_BYTES];
                key.copy_from_slice(&bytes[10..42]);
                Some(PairingKey::new(key))
            }
            _ => return None,
        };
        Some(Self {
            generation: number(1),
            boots: number(5),
            key,
            faults: Faults::from(core::array::from_fn(|index| number(42 + 4 * index))),
        })
    }
}

/// A record in its store.
#[derive(Debug)]
pub(crate) struct Memory<S> {
    store: S,
    record: Record,
    /// The last write was read back as it was meant.
    keeps: bool,
    next: Slot,
}

impl<S: Store> Memory<S> {
    /// Reads what was kept, counts the start, and keeps that, before anything else happens.
    pub(crate) fn start(mut store: S) -> Self {
        let first = read(&mut store, Slot::First);
        let second = read(&mut store, Slot::Second);
        let generation = |record: &Option<Record>| record.as_ref().map(|record| record.generation);
        // The older one is written first, or the one that is none.
        let (newest, next) = if generation(&first) > generation(&second) {
            (first, Slot::Second)
        } else {
            (second, Slot::First)
        };
        let mut memory = Self {
            store,
            record: newest.unwrap_or_default(),
            keeps: true,
            next,
        };
        if memory.record.boots > 0 {
            let resets = &mut memory.record.faults.resets;
            *resets = resets.saturating_add(1);
        }
        match memory.record.boots.checked_add(1) {
            Some(boots) => {
                memory.record.boots = boots;
                memory.keeps = memory.save() && memory.save();
            }
            // Four thousand million starts: no nonce is left.
            None => memory.keeps = false,
        }
        memory
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn faults(&mut self) -> &mut Faults {
        &mut self.record.faults
    }

    /// Whether what is written is kept. Once it was not, this stays false until the next start.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Keeps a key. Says whether that was done.
    pub(crate) fn pair(&mut self, key: &PairingKey) -> bool {
        self.record.key = Some(key.clone());
        if self.save() && self.save() {
            return true;
        }
        self.record.key = None;
        self.keeps = false;
        false
    }

    /// Writes the record and reads it back.
    pub(crate) fn save(&mut self) -> bool {
        let Some(generation) = self.record.generation.checked_add(1) else {
            return false;
        };
        self.record.generation = generation;
        let slot = self.next;
        self.next = match slot {
            Slot::First => Slot::Second,
            Slot::Second => Slot::First,
        };
        let mut bytes = self.record.encode();
        let saved = self.store.save(slot, &bytes).is_ok();
        bytes.zeroize();
        saved && read(&mut self.store, slot).as_ref() == Some(&self.record)
    }
}

fn read<S: Store>(store: &mut S, slot: Slot) -> Option<Record> {
    let mut bytes = [0; RECORD_BYTES];
    let loaded = store.load(slot, &mut bytes);
    let record = loaded.ok().and_then(|()| Record::decode(&bytes));
    bytes.zeroize();
    record
}
