//! Listening, with all that comes between: pauses, signals, a reader that goes away.

use std::os::fd::AsFd as _;
use std::time::Duration;

use earnest_endpoint::client::{Client, ClientError, ListenEvents, ListenFor};
use earnest_policy::AppId;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::ListenError;
use super::patience::{Patience, passes};
use super::teller::{Said, Teller};
use crate::console::Console;
use crate::daemon::{DaemonError, as_app, explain};
use crate::output::{Output, WriteError};
use crate::run::{FAREWELL, Signals};

/// How often it is looked at whether anybody still reads: a microphone is not kept open for
/// nobody.
const LOOK: Duration = Duration::from_secs(1);

/// What is listened for, and by whom.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    pub(super) what: ListenFor,
    pub(super) app: Option<&'a AppId>,
    pub(super) once: bool,
    pub(super) console: &'a Console,
}

/// Where it goes, and what may interrupt.
struct Surroundings<'a> {
    teller: Teller,
    output: Output,
    console: &'a Console,
    signals: Signals,
    window: unix::Signal,
}

/// How a wait ended.
enum Waited<T> {
    /// With what was waited for.
    For(T),
    /// A person has enough.
    Enough,
}

impl Session<'_> {
    /// Listens until a person has enough.
    pub(super) async fn run(self, teller: Teller) -> Result<(), ListenError> {
        let mut around = Surroundings {
            teller,
            output: Output::open(None)?,
            console: self.console,
            signals: Signals::new().map_err(ListenError::Signals)?,
            window: signal(SignalKind::window_change()).map_err(ListenError::Signals)?,
        };
        let ended = self.attend(&mut around).await;
        let cleared = around.teller.clear();
        // What went wrong matters more than a line that stays.
        let _ = around.output.write(&cleared);
        ended
    }

    async fn attend(&self, around: &mut Surroundings<'_>) -> Result<(), ListenError> {
        let mut has_heard = false;
        let mut patience = Patience::new();
        loop {
            let error = match self.listen(around, &mut has_heard, &mut patience).await {
                Err(ListenError::Daemon(error)) => error,
                ended => return ended,
            };
            let why = passes(&error, has_heard).filter(|_| !self.once);
            let Some(why) = why else {
                return Err(error.into());
            };
            let said = around.teller.disconnected(why);
            around.say(said)?;
            if let Waited::Enough = around.wait(sleep(patience.pause(&error))).await? {
                return Ok(());
            }
        }
    }

    /// Listens once, until a person has enough or the daemon ends it.
    async fn listen(
        &self,
        around: &mut Surroundings<'_>,
        has_heard: &mut bool,
        patience: &mut Patience,
    ) -> Result<(), ListenError> {
        let (client, token) = match around.wait(self.identified()).await? {
            Waited::For(identified) => identified.map_err(|error| self.explain(error))?,
            Waited::Enough => return Ok(()),
        };
        let ended = match around.wait(client.listen(&self.what)).await? {
            Waited::For(Ok(events)) => {
                *has_heard = true;
                let said = around.teller.connected();
                around.say(said)?;
                self.hear(events, around, patience).await
            }
            Waited::For(Err(error)) => Err(self.explain(error).into()),
            Waited::Enough => Ok(()),
        };
        if let Some(token) = token {
            // One that is not taken back dies by itself.
            let _ = timeout(FAREWELL, self.client.revoke_token(&token)).await;
        }
        ended
    }

    async fn hear(
        &self,
        mut events: ListenEvents,
        around: &mut Surroundings<'_>,
        patience: &mut Patience,
    ) -> Result<(), ListenError> {
        loop {
            let event = match around.wait(events.next()).await? {
                Waited::For(event) => event.map_err(|error| self.explain(error))?,
                Waited::Enough => return Ok(()),
            };
            // The daemon is well: what fails from here on fails for the first time.
            *patience = Patience::new();
            let said = around.teller.event(&event);
            around.say(said)?;
        }
    }

    /// The client of the app that listens, and its token, if it needs one.
    async fn identified(&self) -> Result<(Client, Option<String>), ClientError> {
        let Some(app) = self.app else {
            return Ok((self.client.clone(), None));
        };
        let (client, token) = as_app(self.client, app, self.scope()).await?;
        Ok((client, Some(token)))
    }

    fn scope(&self) -> &'static str {
        match self.what {
            ListenFor::Commands => "command",
            ListenFor::Text | ListenFor::TextAfter(_) => "listen",
        }
    }

    fn explain(&self, error: ClientError) -> DaemonError {
        explain(error, self.client.socket()).of_listener(self.scope())
    }
}

impl Surroundings<'_> {
    /// Waits, and looks after the terminal and the reader meanwhile.
    async fn wait<T>(&mut self, what: impl Future<Output = T>) -> Result<Waited<T>, ListenError> {
        let mut what = std::pin::pin!(what);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = self.signals.next() => return Ok(Waited::Enough),
                done = &mut what => return Ok(Waited::For(done)),
                _ = self.window.recv() => {
                    let said = self.teller.redraw();
                    self.say(said)?;
                }
                _ = looks.tick() => {
                    if is_closed() {
                        return Err(WriteError::Closed.into());
                    }
                }
            }
        }
    }

    fn say(&mut self, said: Said) -> Result<(), ListenError> {
        let Said { words, note } = said;
        let Some(note) = note else {
            return Ok(self.output.write(&words)?);
        };
        self.output.write(&words)?;
        // Both may be the same terminal.
        self.output.write(&self.teller.clear())?;
        self.console.say(&format!("earnest: {note}"));
        let again = self.teller.redraw();
        Ok(self.output.write(&again.words)?)
    }
}

/// Whether nobody reads standard output any more.
fn is_closed() -> bool {
    let output = std::io::stdout();
    let mut looked_at = [PollFd::new(output.as_fd(), PollFlags::empty())];
    // What cannot be looked at is told by the next line.
    let found = poll(&mut looked_at, PollTimeout::ZERO).unwrap_or(0);
    let gone = PollFlags::POLLERR | PollFlags::POLLNVAL;
    found > 0
        && looked_at[0]
            .revents()
            .is_some_and(|events| events.intersects(gone))
}
