//! Where packed weights live: each matrix in memory of its own, or all of them in one read-only
//! region that processes share.
//!
//! Packing is the same walk over a model's parts each time, so the weights of a model are a
//! sequence. A process that prepares a model walks once and records them ([`WeightStore::record`]);
//! what it recorded goes into one [`Region`]; and each process that runs the model takes them
//! from there in the same order ([`WeightStore::shared`]) instead of packing. What differs in
//! length or number is refused: it was recorded from another model.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::aligned::AlignedBytes;
use crate::region::Region;

/// Bytes that every weight of a region starts at a multiple of: a cache line.
pub const WEIGHT_ALIGNMENT: usize = 64;

/// Why weights of a region are not those of a model.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WeightsError {
    /// The region holds fewer weights than the model has.
    #[error("the shared weights end after {found}, and the model has more")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// One is of another length.
    #[error("shared weight {index} has {found} bytes and not {expected}")]
    Length {
        /// Which, from 0 on.
        index: usize,
        /// The model's.
        expected: usize,
        /// The region's.
        found: usize,
    },
    /// One would lie outside of the region, or across cache lines.
    #[error("shared weight {index} would lie at {start}..{end} of {length} bytes")]
    Place {
        /// Which, from 0 on.
        index: usize,
        /// Its first byte.
        start: usize,
        /// Past its last byte.
        end: usize,
        /// The region's bytes.
        length: usize,
    },
}

/// Where the weights of a model come from as it is built.
#[derive(Debug)]
pub struct WeightStore(Mutex<Kind>);

#[derive(Debug)]
enum Kind {
    Fresh,
    Recording(Vec<Packed>),
    Shared {
        region: Arc<Region>,
        places: Vec<Range<usize>>,
        next: usize,
    },
}

impl WeightStore {
    /// Each weight is packed, into memory of its own.
    pub fn fresh() -> WeightStore {
        WeightStore(Mutex::new(Kind::Fresh))
    }

    /// As [`WeightStore::fresh`], and each is remembered.
    pub fn record() -> WeightStore {
        WeightStore(Mutex::new(Kind::Recording(Vec::new())))
    }

    /// Weights are taken from `places` of `region`, in this order.
    ///
    /// # Errors
    /// When a place is not inside of the region, or starts between two cache lines.
    pub fn shared(
        region: Arc<Region>,
        places: Vec<Range<usize>>,
    ) -> Result<WeightStore, WeightsError> {
        let length = region.bytes().len();
        let inside = |place: &Range<usize>| {
            place.start <= place.end
                && place.end <= length
                && place.start.is_multiple_of(WEIGHT_ALIGNMENT)
        };
        if let Some(index) = places.iter().position(|place| !inside(place)) {
            let Range { start, end } = places[index];
            return Err(WeightsError::Place {
                index,
                start,
                end,
                length,
            });
        }
        let next = 0;
        Ok(WeightStore(Mutex::new(Kind::Shared {
            region,
            places,
            next,
        })))
    }

    /// What was recorded, in order; empty where nothing was.
    pub fn recorded(&self) -> Vec<Packed> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Kind::Recording(weights) => weights.clone(),
            Kind::Fresh | Kind::Shared { .. } => Vec::new(),
        }
    }

    /// The next weight, of `length` bytes: packed by `pack` into zeroed memory, or the next of
    /// the region.
    pub(crate) fn next(
        &self,
        length: usize,
        pack: impl FnOnce(&mut [u8]),
    ) -> Result<Packed, WeightsError> {
        // Nothing under the lock is left half done by a panic.
        let mut kind = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Kind::Shared {
            region,
            places,
            next,
        } = &mut *kind
        {
            let found = places.len();
            let place = places.get(*next).ok_or(WeightsError::TooFew { found })?;
            if place.len() != length {
                return Err(WeightsError::Length {
                    index: *next,
                    expected: length,
                    found: place.len(),
                });
            }
            *next += 1;
            return Ok(Packed(Memory::Shared {
                region: Arc::clone(region),
                place: place.clone(),
            }));
        }
        let mut bytes = AlignedBytes::zeroed(length);
        pack(bytes.as_mut_slice());
        let packed = Packed(Memory::Own(Arc::new(bytes)));
        if let Kind::Recording(weights) = &mut *kind {
            weights.push(packed.clone());
        }
        Ok(packed)
    }
}

/// Packed weights, never to change again. A copy is a handle on the same bytes.
#[derive(Clone)]
pub struct Packed(Memory);

#[derive(Clone)]
enum Memory {
    Own(Arc<AlignedBytes>),
    /// A place inside of the region, on a cache line.
    Shared {
        region: Arc<Region>,
        place: Range<usize>,
    },
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = match &self.0 {
            Memory::Own(_) => "own",
            Memory::Shared { .. } => "shared",
        };
        write!(formatter, "Packed({} bytes, {place})", self.bytes().len())
    }
}

impl Packed {
    /// The bytes, from a cache line on.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Memory::Own(bytes) => bytes.as_slice(),
            Memory::Shared { region, place } => &region.bytes()[place.clone()],
        }
    }

    /// The bytes from `start` on as values of a plain type.
    pub(crate) fn values<T: Plain>(&self, start: usize) -> &[T] {
        plain(&self.bytes()[start..])
    }
}

/// Types of which every pattern of bits is a value, without padding.
///
/// # Safety
/// That is so for each type that implements it.
pub(crate) unsafe trait Plain {}

// SAFETY: every pattern of 32 bits is a float.
unsafe impl Plain for f32 {}

/// Bytes as values; what is left over after the last whole one is left out.
///
/// # Panics
/// When the bytes do not start where a value may.
pub(crate) fn plain<T: Plain>(bytes: &[u8]) -> &[T] {
    // SAFETY: every pattern of bits is a value (`Plain`).
    let (before, values, _) = unsafe { bytes.align_to::<T>() };
    assert!(before.is_empty());
    values
}

/// As [`plain`], to be written.
pub(crate) fn plain_mut<T: Plain>(bytes: &mut [u8]) -> &mut [T] {
    // SAFETY: every pattern of bits is a value, and every value one of bytes (`Plain`).
    let (before, values, _) = unsafe { bytes.align_to_mut::<T>() };
    assert!(before.is_empty());
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region_of(weights: &[Packed]) -> (Arc<Region>, Vec<Range<usize>>) {
        let mut places = Vec::new();
        let mut bytes = Vec::new();
        for weight in weights {
            bytes.resize(bytes.len().next_multiple_of(WEIGHT_ALIGNMENT), 0);
            places.push(bytes.len()..bytes.len() + weight.bytes().len());
            bytes.extend_from_slice(weight.bytes());
        }
        let sealed = Region::seal(&[&bytes]).unwrap();
        (Arc::new(Region::map(&sealed).unwrap()), places)
    }

    #[test]
    fn what_was_recorded_is_taken_again_in_its_order_without_packing() {
        let store = WeightStore::record();
        for (length, value) in [(3, 7), (64, 8), (65, 9)] {
            store.next(length, |bytes| bytes.fill(value)).unwrap();
        }
        let recorded = store.recorded();
        assert_eq!(recorded.len(), 3);
        let (region, places) = region_of(&recorded);
        let shared = WeightStore::shared(region, places).unwrap();
        for weight in &recorded {
            let length = weight.bytes().len();
            let taken = shared.next(length, |_| panic!("it is packed")).unwrap();
            assert_eq!(taken.bytes(), weight.bytes());
            assert!((taken.bytes().as_ptr() as usize).is_multiple_of(WEIGHT_ALIGNMENT));
        }
        let more = shared.next(1, |_| ()).unwrap_err();
        assert_eq!(more, WeightsError::TooFew { found: 3 });
    }

    #[test]
    fn another_length_is_refused() {
        let store = WeightStore::record();
        store.next(5, |_| ()).unwrap();
        let (region, places) = region_of(&store.recorded());
        let shared = WeightStore::shared(region, places).unwrap();
        let error = shared.next(6, |_| ()).unwrap_err();
        let expected = WeightsError::Length {
            index: 0,
            expected: 6,
            found: 5,
        };
        assert_eq!(error, expected);
    }

    #[test]
    fn places_outside_of_the_region_or_across_lines_are_refused() {
        let sealed = Region::seal(&[&[0; 200]]).unwrap();
        let region = Arc::new(Region::map(&sealed).unwrap());
        for place in [0..201, 1..2, 256..256, usize::MAX - 63..usize::MAX] {
            let error = WeightStore::shared(Arc::clone(&region), vec![0..1, place.clone()]);
            assert!(
                matches!(error, Err(WeightsError::Place { index: 1, .. })),
                "{place:?}"
            );
        }
    }
}
