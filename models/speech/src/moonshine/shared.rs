//! One prepared copy of the models for any number of processes.
//!
//! A process that has the models prepares them once ([`share`]): it takes the graphs apart,
//! packs the weights for this CPU, and writes both into one sealed anonymous file. Whoever is
//! given that file maps it ([`SharedModels::open`]) and wires plans of its own around the same
//! bytes: it neither parses ONNX nor packs anything, and ten of them cost one copy.
//!
//! The file is: eight bytes that name the format, the length of the index in eight bytes
//! (little endian), the index in postcard, and what it points at, each on a cache line. It is
//! written and read by one build of one program on one machine, so it has no versions: the
//! name carries the crate's version, and another one is refused.

use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use earnest_kernels::{Isa, Region, RegionError, WEIGHT_ALIGNMENT, WeightStore, WeightsError};
use earnest_package::{Model, Role, SpeechShape};
use serde::{Deserialize, Serialize};

use super::builder::Builder;
use super::engine::{EngineOptions, Recognizer, file, speech_shape, tokenizer};
use super::parts::{Decoder, Encoder};
use crate::tokenizer::Tokenizer;
use crate::{LoadError, Vad};

/// The first bytes of the file.
const MAGIC: &[u8; 8] = b"EARNWTS1";

/// Magic and length.
const HEAD_BYTES: usize = 16;

/// Why models cannot be shared, or shared ones not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The model does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no such memory, or it is not sealed.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// The file is none that [`share`] wrote.
    #[error("shared models: expected {expected}, found {found}")]
    Format {
        /// What should be there.
        expected: &'static str,
        /// What is.
        found: String,
    },
    /// The weights are packed for another processor.
    #[error("the shared weights are packed for {expected}, and this processor has {found}")]
    Processor {
        /// The one they are packed for.
        expected: String,
        /// This one.
        found: &'static str,
    },
    /// The weights do not lie where the index says.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// What stands before the weights; the graphs' parts in postcard, so that neither reader nor
/// writer needs both at a time.
#[derive(Serialize, Deserialize)]
struct Index {
    version: String,
    isa: String,
    shape: SpeechShape,
    tokenizer: Tokenizer,
    encoder: Vec<u8>,
    decoder: Vec<u8>,
    /// The voice detector's ONNX file, counted as the weights are.
    voice: Range<usize>,
    /// Of each weight in turn, from the first cache line behind the index on.
    weights: Vec<Range<usize>>,
}

/// Prepares a speech model and a voice detector for this CPU, in one sealed file.
///
/// # Errors
/// When a file is missing or not built as the models that this runtime knows, or there is no
/// memory for the result.
pub fn share(speech: &Model, voice: &Model) -> Result<OwnedFd, ShareError> {
    let shape = speech_shape(speech)?;
    let options = EngineOptions::default();
    let mut builder = Builder::new(shape, &options, WeightStore::record())?;
    let (mut encoder, mut decoder) = (Vec::new(), Vec::new());
    builder.read_encoder(speech, |parts| written(parts).map(|bytes| encoder = bytes))?;
    builder.read_decoder(speech, |parts| written(parts).map(|bytes| decoder = bytes))?;
    let tokenizer = tokenizer(speech)?;
    let voice = file(voice, Role::Vad, "VAD")?;

    let packed = builder.recorded();
    let mut blocks = vec![voice];
    blocks.extend(packed.iter().map(earnest_kernels::Packed::bytes));
    let mut end: usize = 0;
    let mut places = Vec::new();
    for block in &blocks {
        let start = end.next_multiple_of(WEIGHT_ALIGNMENT);
        end = start + block.len();
        places.push(start..end);
    }
    let index = written(&Index {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        isa: Isa::detect().name().to_owned(),
        shape,
        tokenizer,
        encoder,
        decoder,
        voice: places.remove(0),
        weights: places,
    })?;
    let length = (index.len() as u64).to_le_bytes();
    let before = padding(HEAD_BYTES + index.len());
    let mut parts: Vec<&[u8]> = vec![MAGIC, &length, &index, before];
    for block in blocks {
        parts.extend([block, padding(block.len())]);
    }
    Ok(Region::seal(&parts)?)
}

/// Zeros up to the next cache line.
fn padding(length: usize) -> &'static [u8] {
    &[0; WEIGHT_ALIGNMENT][..length.next_multiple_of(WEIGHT_ALIGNMENT) - length]
}

fn written(value: &impl Serialize) -> Result<Vec<u8>, LoadError> {
    postcard::to_allocvec(value).map_err(|error| LoadError::Prepare {
        what: "shared models",
        reason: error.to_string(),
    })
}

fn read<'a, T: Deserialize<'a>>(expected: &'static str, bytes: &'a [u8]) -> Result<T, ShareError> {
    postcard::from_bytes(bytes).map_err(|error| ShareError::Format {
        expected,
        found: error.to_string(),
    })
}

/// Models that another process prepared.
pub struct SharedModels {
    region: Arc<Region>,
    index: Index,
    /// The first byte behind the index that weights are counted from.
    base: usize,
}

impl std::fmt::Debug for SharedModels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bytes, isa) = (self.region.bytes().len(), &self.index.isa);
        write!(formatter, "SharedModels({bytes} bytes, {isa})")
    }
}

impl SharedModels {
    /// Maps what [`share`] wrote.
    ///
    /// # Errors
    /// When the file is another one, may still change, or is for another processor.
    pub fn open(sealed: &impl AsFd) -> Result<SharedModels, ShareError> {
        let region = Region::map(sealed)?;
        let bytes = region.bytes();
        let format = |expected, found: &dyn ToString| ShareError::Format {
            expected,
            found: found.to_string(),
        };
        let head = bytes.split_first_chunk::<8>();
        let (magic, rest) = head.ok_or_else(|| format("a head", &bytes.len()))?;
        if magic != MAGIC {
            return Err(format("prepared models", &String::from_utf8_lossy(magic)));
        }
        let head = rest.split_first_chunk::<8>();
        let (length, rest) = head.ok_or_else(|| format("a head", &bytes.len()))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let index = rest.get(..length);
        let index: Index = read(
            "an index",
            index.ok_or_else(|| format("an index", &length))?,
        )?;
        let (expected, found) = (env!("CARGO_PKG_VERSION"), &index.version);
        if found != expected {
            return Err(format(expected, found));
        }
        let found = Isa::detect().name();
        if index.isa != found {
            let expected = index.isa;
            return Err(ShareError::Processor { expected, found });
        }
        Ok(SharedModels {
            base: (HEAD_BYTES + length).next_multiple_of(WEIGHT_ALIGNMENT),
            region: Arc::new(region),
            index,
        })
    }

    /// A recogniser around the shared weights.
    ///
    /// # Errors
    /// When the threads cannot be had, or the file is not whole.
    pub fn recognizer(&self, options: &EngineOptions) -> Result<Recognizer, ShareError> {
        let places = self.index.weights.iter().map(|place| self.place(place));
        let weights = WeightStore::shared(Arc::clone(&self.region), places.collect())?;
        let mut builder = Builder::new(self.index.shape, options, weights)?;
        builder.encoder(&read::<Encoder<'_>>("an encoder", &self.index.encoder)?)?;
        builder.decoder(&read::<Decoder<'_>>("a decoder", &self.index.decoder)?)?;
        Ok(builder.finish(self.index.tokenizer.clone())?)
    }

    /// The voice detector, which is small and each process's own.
    ///
    /// # Errors
    /// When the file is not whole.
    pub fn vad(&self) -> Result<Vad, ShareError> {
        let place = self.place(&self.index.voice);
        let bytes = self.region.bytes();
        let onnx = bytes.get(place).ok_or_else(|| ShareError::Format {
            expected: "a voice detector",
            found: format!("{} bytes", bytes.len()),
        })?;
        Ok(Vad::from_onnx(onnx)?)
    }

    /// Where a place of the index is in the file.
    fn place(&self, place: &Range<usize>) -> Range<usize> {
        place.start.saturating_add(self.base)..place.end.saturating_add(self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_preparation_wrote_is_refused_with_what_it_is() {
        let length = |length: u64| length.to_le_bytes();
        let (short, long) = (length(3), length(u64::MAX));
        let cases: [(&[&[u8]], &str); 5] = [
            (&[b"short"], "expected a head, found 5"),
            (
                &[b"EARNPKG1", &short],
                "expected prepared models, found EARNPKG1",
            ),
            (&[MAGIC, b"1"], "expected a head, found 9"),
            (&[MAGIC, &long, b"index"], "expected an index"),
            (&[MAGIC, &short, b"\x01\x39\x00"], "expected an index"),
        ];
        for (parts, reason) in cases {
            let error = SharedModels::open(&Region::seal(parts).unwrap()).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
