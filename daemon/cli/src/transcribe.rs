//! `earnest transcribe`: each file in turn, block by block, from sound to what is written.
//!
//! Nothing holds a whole recording: a block of sound is decoded, goes to the engine, and the
//! segments that it completes are written before the next block is read. The model is loaded
//! once, when the first file has turned out to be sound.

use earnest_printable::describe;
use earnest_sound::{Sound, SoundError, Status};
use earnest_transcript::{Ending, Format, FormatName, Milliseconds, Options};

use crate::arguments::{Input, Transcribe};
use crate::console::Console;
use crate::engine::{Engine, EngineError, Session};
use crate::exit::Exit;
use crate::output::{Output, WriteError};
use crate::sound;

/// Does the job; says on `console` what went wrong.
pub(crate) fn transcribe(job: &Transcribe, console: &Console) -> Exit {
    let mut output = match Output::open(job.output.as_deref()) {
        Ok(output) => output,
        Err(error) => return stopped(&error.into(), console),
    };
    let mut run = Run {
        job,
        console,
        output: &mut output,
        format: job.format.writer(Options {
            names_files: job.inputs.len() > 1,
            words: job.words,
            language: LANGUAGE.to_owned(),
        }),
        engine: None,
        written: false,
    };
    let mut exit = Exit::Success;
    for input in &job.inputs {
        match run.file(input) {
            Ok(this) => exit = exit.and(this),
            Err(stop) => return stopped(&stop, console),
        }
    }
    // A file of an earlier run is worth more than one without a single transcript.
    if run.written
        && let Err(error) = output.commit()
    {
        return stopped(&error.into(), console);
    }
    exit
}

/// The language of the models, as OpenAI's API names it.
const LANGUAGE: &str = "english";

/// What ends the whole run and not one file.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// There is nothing to transcribe with.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is nowhere to write.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What ends one file before its end.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Sound(#[from] SoundError),
    #[error(transparent)]
    Speech(#[from] earnest_speech::SpeechError),
    #[error(transparent)]
    Stop(#[from] Stop),
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Failure {
        Failure::Stop(error.into())
    }
}

/// Says why the run ends. A closed pipe is how a reader says that it has enough.
fn stopped(stop: &Stop, console: &Console) -> Exit {
    let exit = match stop {
        Stop::Write(WriteError::Closed) => return Exit::Success,
        Stop::Write(WriteError::Failed { .. }) => Exit::NotWritten,
        Stop::Engine(error) => error.exit(),
    };
    console.say(&format!("earnest: {}", describe(stop)));
    exit
}

/// A run over all files.
struct Run<'a> {
    job: &'a Transcribe,
    console: &'a Console,
    output: &'a mut Output,
    format: Box<dyn Format>,
    /// Loaded for the first file that is sound.
    engine: Option<Engine>,
    /// Whether a transcript was written, be it of silence.
    written: bool,
}

impl Run<'_> {
    /// Transcribes one input; says what went wrong with it and gives its exit.
    fn file(&mut self, input: &Input) -> Result<Exit, Stop> {
        let name = input.name();
        let failure = match self.transcribe(input, &name) {
            Ok(None) => return Ok(Exit::Success),
            Ok(Some(flaw)) => Failure::Sound(flaw),
            Err(failure) => failure,
        };
        let (exit, message) = match &failure {
            Failure::Stop(_) => (Exit::Internal, String::new()),
            Failure::Sound(error) => (Exit::from(error), describe(error)),
            Failure::Speech(error) => (Exit::Internal, describe(error)),
        };
        if let Failure::Stop(stop) = failure {
            return Err(stop);
        }
        self.console.say(&format!("earnest: {name}: {message}"));
        Ok(exit)
    }

    /// Transcribes one input to its end, and gives the flaw that did not keep it from that.
    fn transcribe(&mut self, input: &Input, name: &str) -> Result<Option<SoundError>, Failure> {
        let mut sound = sound::open(input)?;
        let mut engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::load(self.job, self.console).map_err(Stop::from)?,
        };
        self.begin(name)?;
        let result = self.listen(&mut sound, engine.session());
        self.engine = Some(engine);

        self.console.end();
        let flaw = match result {
            Ok(flaw) => flaw,
            Err(Failure::Stop(stop)) => return Err(stop.into()),
            Err(failure) => {
                self.finish(&sound, false)?;
                return Err(failure);
            }
        };
        self.finish(&sound, true)?;
        let skipped = sound.report().skipped;
        if skipped > 0 {
            let message = format!("earnest: {name}: {skipped} damaged packets were passed over");
            self.console.say(&message);
        }
        Ok(flaw)
    }

    fn begin(&mut self, name: &str) -> Result<(), WriteError> {
        // JSON objects tell their file themselves.
        let format = self.job.format;
        let headed = format == FormatName::Text || format.is_subtitles();
        if headed && self.job.inputs.len() > 1 {
            self.console.say(&format!("{name}:"));
        }
        self.console.begin();
        let mut text = String::new();
        self.format.begin(name, &mut text);
        self.write(&text)
    }

    fn finish(&mut self, sound: &Sound, complete: bool) -> Result<(), WriteError> {
        self.written |= complete;
        let ending = Ending {
            duration: Milliseconds::of_sample(sound.report().samples),
            complete,
        };
        let mut text = String::new();
        self.format.end(ending, &mut text);
        self.write(&text)
    }

    /// Takes all sound through the engine. An error that leaves the sound before it good
    /// ends the file, not the transcript.
    fn listen(
        &mut self,
        sound: &mut Sound,
        mut session: Session<'_>,
    ) -> Result<Option<SoundError>, Failure> {
        let mut block = Vec::new();
        let flaw = loop {
            block.clear();
            match sound.read(&mut block) {
                Ok(Status::More) => {}
                Ok(Status::End) => break None,
                Err(error) if error.leaves_sound_usable() => break Some(error),
                Err(error) => return Err(error.into()),
            }
            for segment in session.push(&block)? {
                let mut text = String::new();
                self.format.segment(segment, &mut text);
                self.write(&text)?;
            }
            self.console.progress(sound.progress());
        };
        for segment in session.finish()? {
            let mut text = String::new();
            self.format.segment(segment, &mut text);
            self.write(&text)?;
        }
        Ok(flaw)
    }

    fn write(&mut self, text: &str) -> Result<(), WriteError> {
        self.console.aside(|| self.output.write(text))
    }
}
