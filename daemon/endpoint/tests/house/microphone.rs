//! A microphone that says what a test has it say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use earnest_audio::{Next, Sounding, Source};
use tokio::sync::{Mutex, mpsc};

/// The rate of its sound.
pub(crate) const RATE: u32 = 16_000;

/// What the microphone says, whichever of its openings asks.
#[derive(Clone)]
pub(crate) struct Script {
    says: mpsc::UnboundedSender<Sounding>,
    said: Arc<Mutex<mpsc::UnboundedReceiver<Sounding>>>,
    open: Arc<AtomicUsize>,
}

/// One opening. It is there at once, and closed when it is dropped.
struct Opening {
    script: Script,
    is_told: bool,
}

impl Script {
    /// A microphone that says nothing yet.
    pub(crate) fn new() -> Script {
        let (says, said) = mpsc::unbounded_channel();
        Script {
            says,
            said: Arc::new(Mutex::new(said)),
            open: Arc::default(),
        }
    }

    /// Opens it.
    pub(crate) fn source(&self) -> Box<dyn Source> {
        self.open.fetch_add(1, Ordering::SeqCst);
        Box::new(Opening {
            script: self.clone(),
            is_told: false,
        })
    }

    /// How many have it open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Has it say something.
    pub(crate) fn say(&self, sounding: Sounding) {
        // The other end is in here.
        let _ = self.says.send(sounding);
    }

    /// Has it say so many words of a quarter of a second, and a second of silence: what the
    /// scripted worker takes for an utterance.
    pub(crate) fn speak(&self, words: u32) {
        self.words(words);
        self.pause();
    }

    /// Has it say so many words, and nothing behind them yet.
    pub(crate) fn words(&self, words: u32) {
        self.sound(words * 250, 8_000);
    }

    /// Has it be silent for as long as ends an utterance.
    pub(crate) fn pause(&self) {
        self.sound(1_000, 0);
    }

    /// Has it hear a sound of this loudness for so many milliseconds.
    fn sound(&self, milliseconds: u32, loudness: i16) {
        for _ in 0..milliseconds / 50 {
            let samples = [loudness; RATE as usize / 20];
            let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes());
            self.say(Sounding::Sound(bytes.collect::<Bytes>()));
        }
    }
}

impl Source for Opening {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async move {
            if !self.is_told {
                self.is_told = true;
                return Sounding::Opened {
                    device: "scripted".to_owned(),
                    rate: RATE,
                };
            }
            let next = self.script.said.lock().await.recv().await;
            next.expect("the script holds the other end itself")
        })
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.script.open.fetch_sub(1, Ordering::SeqCst);
    }
}
