//! `earnest transcribe`: each file in turn, from sound to what is written.
//!
//! Where a daemon runs, it reads, and this process never looks into the sound ([`remote`]).
//! Where none does, this process reads with plain models ([`engine`]): a block of sound is
//! decoded, goes to the engine, and the segments that it completes are written before the next
//! block is read. Either way nothing holds a whole recording, and the same writers write what
//! was said, so that both write the same bytes but for what a daemon tells nobody: it rounds
//! certainties to steps of 0.25, names no tokens, and gives every word the certainty 0.
//!
//! A daemon that runs and refuses is not gone around: on a device its word counts.

mod engine;
mod reader;
mod remote;
mod sound;

use earnest_printable::describe;
use earnest_sound::{Sound, SoundError, Status};
use earnest_transcript::{Ending, Format, FormatName, Milliseconds, Options, Segment};

use crate::arguments::{Input, Transcribe};
use crate::console::Console;
use crate::daemon::DaemonError;
use crate::exit::Exit;
use crate::output::{Output, WriteError};
use engine::{Engine, EngineError, Session};
use reader::Reader;
use remote::{Reading, Remote, RemoteFlaw, Told};

/// Does the job; says on `console` what went wrong.
pub(crate) fn transcribe(job: &Transcribe, console: &Console) -> Exit {
    let reader = match Reader::choose(&job.by, job.size) {
        Ok(reader) => reader,
        Err(error) => return stopped(&error.into(), console),
    };
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
        reader,
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
    /// The daemon reads nothing.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
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
    Flawed(#[from] RemoteFlaw),
    #[error(transparent)]
    Daemon(DaemonError),
    #[error(transparent)]
    Stop(#[from] Stop),
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Failure {
        match error.ends_all() {
            true => Failure::Stop(error.into()),
            false => Failure::Daemon(error),
        }
    }
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
        Stop::Daemon(error) => error.exit(),
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
    reader: Reader,
    /// Whether a transcript was written, be it of silence.
    written: bool,
}

impl Run<'_> {
    /// Transcribes one input; says what went wrong with it and gives its exit.
    fn file(&mut self, input: &Input) -> Result<Exit, Stop> {
        let name = input.name();
        let read = match self.reader.take() {
            Reader::Daemon(remote) => {
                let read = self.ask(&remote, input, &name);
                self.reader = Reader::Daemon(remote);
                read.map(|flaw| flaw.map(Failure::from))
            }
            Reader::Here(engine) => {
                let read = self.transcribe(engine, input, &name);
                read.map(|flaw| flaw.map(Failure::from))
            }
        };
        let failure = match read {
            Ok(None) => return Ok(Exit::Success),
            Ok(Some(flaw)) => flaw,
            Err(failure) => failure,
        };
        let (exit, message) = match &failure {
            Failure::Stop(_) => (Exit::Internal, String::new()),
            Failure::Sound(error) => (Exit::from(error), describe(error)),
            Failure::Speech(error) => (Exit::Internal, describe(error)),
            Failure::Flawed(flaw) => (flaw.exit(), describe(flaw)),
            Failure::Daemon(error) => (error.exit(), describe(error)),
        };
        if let Failure::Stop(stop) = failure {
            return Err(stop);
        }
        self.console.say(&format!("earnest: {name}: {message}"));
        Ok(exit)
    }

    /// Transcribes one input to its end, and gives the flaw that did not keep it from that.
    fn transcribe(
        &mut self,
        engine: Option<Box<Engine>>,
        input: &Input,
        name: &str,
    ) -> Result<Option<SoundError>, Failure> {
        let mut sound = match sound::open(input) {
            Ok(sound) => sound,
            Err(error) => {
                self.reader = Reader::Here(engine);
                return Err(error.into());
            }
        };
        // The model is loaded once, when the first file has turned out to be sound.
        let mut engine = match engine {
            Some(engine) => engine,
            None => Box::new(Engine::load(self.job, self.console).map_err(Stop::from)?),
        };
        self.begin(name)?;
        let result = self.listen(&mut sound, engine.session());
        self.reader = Reader::Here(Some(engine));

        self.console.end();
        let flaw = match result {
            Ok(flaw) => flaw,
            Err(Failure::Stop(stop)) => return Err(stop.into()),
            Err(failure) => {
                self.finish(duration(&sound), false)?;
                return Err(failure);
            }
        };
        self.finish(duration(&sound), true)?;
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

    fn finish(&mut self, duration: Milliseconds, complete: bool) -> Result<(), WriteError> {
        self.written |= complete;
        let ending = Ending { duration, complete };
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
                self.segment(segment)?;
            }
            self.console.progress(sound.progress());
        };
        for segment in session.finish()? {
            self.segment(segment)?;
        }
        Ok(flaw)
    }

    /// Has the daemon read one input to its end, and gives the flaw that did not keep it from
    /// that.
    fn ask(
        &mut self,
        remote: &Remote,
        input: &Input,
        name: &str,
    ) -> Result<Option<RemoteFlaw>, Failure> {
        let mut reading = remote.begin(input, self.job.needs_words())?;
        // As here, a file begins once it has turned out to be sound.
        let first = reading.next(remote)?;
        self.begin(name)?;
        let result = self.hear(remote, &mut reading, first);

        self.console.end();
        match result {
            Ok((duration, flaw)) => {
                self.finish(duration, true)?;
                Ok(flaw)
            }
            Err(Failure::Stop(stop)) => Err(stop.into()),
            Err(failure) => {
                self.finish(Milliseconds(0), false)?;
                Err(failure)
            }
        }
    }

    /// Takes all that the daemon says, and gives the length of what it read.
    fn hear(
        &mut self,
        remote: &Remote,
        reading: &mut Reading,
        first: Told,
    ) -> Result<(Milliseconds, Option<RemoteFlaw>), Failure> {
        let mut told = first;
        loop {
            match told {
                Told::Segment(segment) => self.segment(segment)?,
                Told::SpeechStarted => {}
                Told::End { duration, flaw } => return Ok((duration, flaw)),
            }
            self.console.progress(reading.share());
            told = reading.next(remote)?;
        }
    }

    fn segment(&mut self, segment: Segment) -> Result<(), WriteError> {
        let mut text = String::new();
        self.format.segment(segment, &mut text);
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Result<(), WriteError> {
        self.console.aside(|| self.output.write(text))
    }
}

/// The length of what was read of it.
fn duration(sound: &Sound) -> Milliseconds {
    Milliseconds::of_sample(sound.report().samples)
}
