//! Is anyone speaking? Silero's voice activity detector, run by tract.
//!
//! A recurrent network of 1.3 MB gives each frame of 32 ms the probability that it holds
//! speech. It looks at the 64 samples before the frame as well, and carries a state from
//! frame to frame: frames go in in order, none left out, and [`Vad::reset`] stands between
//! two recordings.
//!
//! ```no_run
//! use earnest_package::{Card, Model};
//! use earnest_speech::{DetectSpeech, FRAME_SAMPLES, Vad};
//! let card = Card::named("silero-vad-6.2").expect("is compiled in");
//! let model = Model::open_directory(card, "models/silero-vad-6.2".as_ref())?;
//! let mut vad = Vad::load(&model)?;
//! assert!(vad.probability(&[0.0; FRAME_SAMPLES])? < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io::Cursor;

use earnest_package::{Model, Role};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::bail;

use crate::{LoadError, SpeechError};

/// Samples that one probability stands for: 32 ms, the only frame that the network takes.
pub const FRAME_SAMPLES: usize = 512;

/// Samples before a frame that the network sees again with it.
const CONTEXT_SAMPLES: usize = 64;

/// Layers (hidden and cell), batch and width of the recurrent state.
const STATE_SHAPE: [usize; 3] = [2, 1, 128];

/// Tells speech from everything else, a frame at a time. [`Vad`] does so with the network;
/// tests put a script in its place.
pub trait DetectSpeech {
    /// The probability, in 0..=1, that `frame` holds speech. Frames come in order.
    ///
    /// # Errors
    /// [`SpeechError::Runtime`] where the network fails.
    fn probability(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Result<f32, SpeechError>;

    /// Forgets what was heard: the next frame begins a new recording.
    fn reset(&mut self);
}

impl<D: DetectSpeech + ?Sized> DetectSpeech for &mut D {
    fn probability(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Result<f32, SpeechError> {
        (**self).probability(frame)
    }

    fn reset(&mut self) {
        (**self).reset();
    }
}

/// Silero's detector, loaded, with the state of one recording.
pub struct Vad {
    network: TypedSimpleState,
    state: TValue,
    context: [f32; CONTEXT_SAMPLES],
}

impl std::fmt::Debug for Vad {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Vad")
    }
}

impl Vad {
    /// Loads the detector from its package.
    ///
    /// # Errors
    /// [`LoadError`] where the package has no such file or tract cannot run it.
    pub fn load(model: &Model) -> Result<Vad, LoadError> {
        let bytes = model
            .file(Role::Vad)
            .ok_or_else(|| LoadError::MissingFile {
                model: model.card().name().to_owned(),
                role: "VAD",
            })?;
        Vad::from_onnx(bytes)
    }

    /// Loads the detector from the bytes of its graph.
    pub(crate) fn from_onnx(bytes: &[u8]) -> Result<Vad, LoadError> {
        let network = prepare(bytes).map_err(|error| LoadError::Prepare {
            what: "VAD",
            reason: format!("{error:#}"),
        })?;
        Ok(Vad {
            network,
            state: silence(),
            context: [0.0; CONTEXT_SAMPLES],
        })
    }

    fn run(&mut self, frame: &[f32; FRAME_SAMPLES]) -> TractResult<f32> {
        let mut sound = [0.0; CONTEXT_SAMPLES + FRAME_SAMPLES];
        sound[..CONTEXT_SAMPLES].copy_from_slice(&self.context);
        sound[CONTEXT_SAMPLES..].copy_from_slice(frame);
        let sound = Tensor::from_shape(&[1, sound.len()], &sound)?;
        let outputs = self
            .network
            .run(tvec![sound.into_tvalue(), self.state.clone()])?;
        let [probability, state] = outputs.as_slice() else {
            bail!("expected two outputs, found {}", outputs.len());
        };
        let view = probability.to_plain_array_view::<f32>()?;
        let Some(&probability) = view.first() else {
            bail!("expected a probability, found an empty output");
        };
        self.state = state.clone();
        self.context
            .copy_from_slice(&frame[FRAME_SAMPLES - CONTEXT_SAMPLES..]);
        Ok(probability)
    }
}

impl DetectSpeech for Vad {
    fn probability(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Result<f32, SpeechError> {
        self.run(frame).map_err(|error| SpeechError::Runtime {
            stage: "voice detection",
            reason: format!("{error:#}"),
        })
    }

    fn reset(&mut self) {
        self.state = silence();
        self.context = [0.0; CONTEXT_SAMPLES];
    }
}

/// The state before the first frame.
fn silence() -> TValue {
    let zeros = [0.0f32; STATE_SHAPE[0] * STATE_SHAPE[1] * STATE_SHAPE[2]];
    Tensor::from_shape(&STATE_SHAPE, &zeros)
        .expect("the zeros are as many as the shape says")
        .into_tvalue()
}

/// The exporter's symbolic shapes clash with each other, so they are left aside; all shapes
/// follow from the two inputs'.
fn prepare(bytes: &[u8]) -> TractResult<TypedSimpleState> {
    tract_onnx::onnx()
        .with_ignore_output_shapes(true)
        .with_ignore_value_info(true)
        .model_for_read(&mut Cursor::new(bytes))?
        .with_input_fact(0, f32::fact([1, CONTEXT_SAMPLES + FRAME_SAMPLES]).into())?
        .with_input_fact(1, f32::fact(STATE_SHAPE).into())?
        .into_optimized()?
        .into_runnable()?
        .spawn()
}
