//! A microphone, from the daemon's side.

use std::time::Instant;

use tokio::time;

use crate::arguments::Request;
use crate::backoff::Pauses;
use crate::child::{Child, Heard};
use crate::{BackOff, CaptureProgram, Loss, MicrophoneOptions, Sounding};

/// An open microphone, or one that will be open again. Dropping it kills the process that
/// captures, which closes the microphone at once.
///
/// It does nothing while nobody asks for what is [`next`](Microphone::next): the child then fills
/// the pipe between the two and drops what comes after that, or waits where it is lossless.
#[derive(Debug)]
pub struct Microphone {
    program: CaptureProgram,
    request: Request,
    pauses: Pauses,
    state: State,
}

#[derive(Debug)]
enum State {
    /// To be tried at an instant; the process of the last attempt is reaped until then.
    Waiting {
        until: Instant,
        ended: Option<Child>,
    },
    /// A process is at work.
    Running(Child),
}

impl Microphone {
    /// A microphone, whose process is started when it is first asked for sound.
    pub fn open(program: CaptureProgram, options: MicrophoneOptions) -> Microphone {
        Microphone::open_with(program, options, BackOff::default())
    }

    /// The same with pauses of its own.
    pub fn open_with(
        program: CaptureProgram,
        options: MicrophoneOptions,
        back_off: BackOff,
    ) -> Microphone {
        Microphone {
            program,
            request: Request::Capture(options),
            pauses: Pauses::new(back_off),
            state: State::Waiting {
                until: Instant::now(),
                ended: None,
            },
        }
    }

    /// What it says next. It never ends: what is lost is tried again. Nothing is lost where this
    /// is dropped before it is done.
    ///
    /// # Panics
    /// Outside of a runtime of tokio's with its I/O and its time.
    pub async fn next(&mut self) -> Sounding {
        loop {
            match &mut self.state {
                State::Waiting { until, ended } => {
                    wait(*until, ended).await;
                    match Child::start(&self.program, &self.request) {
                        Ok(child) => self.state = State::Running(child),
                        Err(_) => return self.lost(Loss::Unstartable),
                    }
                }
                State::Running(child) => match child.next().await {
                    Heard::Opened { device, rate } => return Sounding::Opened { device, rate },
                    Heard::Sound(pcm) => {
                        self.pauses.reset();
                        return Sounding::Sound(pcm);
                    }
                    Heard::Overrun { frames } => return Sounding::Overrun { frames },
                    Heard::Lost(why) => return self.lost(why),
                    // The child's rules let none through.
                    Heard::Devices(_) => return self.lost(Loss::Broken),
                },
            }
        }
    }

    /// Kills what there is, and waits before the next.
    fn lost(&mut self, why: Loss) -> Sounding {
        let again_in = self.pauses.next(fastrand::f64());
        let waiting = State::Waiting {
            until: Instant::now() + again_in,
            ended: None,
        };
        if let State::Running(mut child) = std::mem::replace(&mut self.state, waiting) {
            child.kill();
            if let State::Waiting { ended, .. } = &mut self.state {
                *ended = Some(child);
            }
        }
        Sounding::Lost { why, again_in }
    }
}

/// Waits, and reaps what is dead by then.
async fn wait(until: Instant, ended: &mut Option<Child>) {
    if let Some(child) = ended {
        let gone = time::timeout_at(until.into(), child.gone()).await;
        if gone.is_ok() {
            *ended = None;
        }
    }
    time::sleep_until(until.into()).await;
}
