//! The machine.

use std::time::Duration;

use earnest_telemetry::{Event, SelfTest};

use crate::open::Opening;
use crate::status::hex;
use crate::{
    GateReason, GateState, KnownAnswers, LiveResult, Measurement, Mode, ModeName, Open, Schedule,
    Standing, Status, Trial, UnsealedModel, WrongAnswer,
};

/// The gate. It holds the unsealed model, because closing must forget it.
pub struct Gate<M: UnsealedModel> {
    mode: Mode,
    schedule: Schedule,
    /// The latest time that an input carried. An earlier one is taken for this.
    now: Duration,
    state: GateState,
    reason: GateReason,
    since: Duration,
    // Fields are dropped in this order: nobody may still think it open when the model goes.
    opening: Option<Opening>,
    held: Option<Held<M>>,
    vouched: Vouched,
    openings: u64,
    stopped: bool,
}

/// An unsealed model and what is known of it.
struct Held<M> {
    // Dropped before the model, as the opening is.
    holding: Opening,
    model: M,
    baseline: Measurement,
    measured_at: Duration,
    answered_at: Option<Duration>,
}

/// What the fleet's verifier says of this device.
#[derive(Clone, Copy)]
enum Vouched {
    Not,
    Until(Duration, Standing),
    /// It did until lately, and the gate was open then.
    GraceUntil(Duration, Standing),
}

/// What comes of an input.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "a gate that closes asks the caller to end the workers"]
pub struct Changes {
    /// Changes of state and self-tests, in order, to be recorded.
    pub events: Vec<Event>,
    /// What the caller must do now, in order.
    pub effects: Vec<Effect>,
}

/// What the gate cannot do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// End every worker and drop the prepared weights. The gate itself has dropped the model
    /// already, and every [`Open`] is dead.
    EndWorkers,
}

/// Something whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Close(GateReason),
    Grace(Duration, Standing),
    /// The result expires while the gate is not open.
    ForgetResult,
    /// The self-test lapses while the gate is not open.
    ForgetAnswers,
}

impl<M: UnsealedModel> Gate<M> {
    /// A gate that is sealed since `now`.
    pub fn new(mode: Mode, schedule: Schedule, now: Duration) -> Gate<M> {
        Gate {
            mode,
            schedule,
            now,
            state: GateState::Sealed,
            reason: GateReason::Started,
            since: now,
            opening: None,
            held: None,
            vouched: Vouched::Not,
            openings: 0,
            stopped: false,
        }
    }

    /// The TPM released the model. `baseline` is the boot's measurement, read **before** the
    /// unsealing: if it was read after, a change between the two would go unseen.
    ///
    /// A model that is held already is forgotten first, as on any closing. After
    /// [`Gate::stop`] the new one is forgotten at once.
    pub fn unsealed(&mut self, now: Duration, model: M, baseline: Measurement) -> Changes {
        let mut changes = self.advance(now);
        if self.stopped {
            return changes;
        }
        if self.held.is_some() {
            self.close(self.now, GateReason::ModelReplaced, &mut changes);
        }
        self.held = Some(Held {
            holding: Opening::of_model(model.package()),
            model,
            baseline,
            measured_at: self.now,
            answered_at: None,
        });
        let reason = GateReason::ModelUnsealed;
        self.enter(self.now, GateState::Unsealed, reason, &mut changes);
        changes
    }

    /// The boot's measurement was read. Another one than at unsealing closes the gate.
    pub fn measured(&mut self, now: Duration, measurement: Measurement) -> Changes {
        let mut changes = self.advance(now);
        let Some(held) = &mut self.held else {
            return changes;
        };
        if held.baseline == measurement {
            held.measured_at = self.now;
            self.settle(&mut changes);
        } else {
            self.close(self.now, GateReason::MeasurementChanged, &mut changes);
        }
        changes
    }

    /// The model was asked its known clips. A wrong answer closes the gate; without a model
    /// nothing happens.
    pub fn answered(
        &mut self,
        now: Duration,
        answers: Result<KnownAnswers, WrongAnswer>,
    ) -> Changes {
        let mut changes = self.advance(now);
        let Some(held) = &mut self.held else {
            return changes;
        };
        changes.events.push(Event::SelfTest(match &answers {
            Ok(answers) => SelfTest {
                clips: answers.clips(),
                passed: true,
            },
            Err(wrong) => SelfTest {
                clips: wrong.clips(),
                passed: false,
            },
        }));
        if answers.is_ok() {
            held.answered_at = Some(self.now);
            self.settle(&mut changes);
        } else {
            self.close(self.now, GateReason::WrongAnswers, &mut changes);
        }
        changes
    }

    /// The fleet's verifier vouches for this device, for as long as `result` says from `now` on;
    /// the latest word counts, be it shorter or longer. What has no time left is passed over,
    /// and without a fleet there is nothing to vouch for.
    pub fn vouched(&mut self, now: Duration, result: &impl LiveResult) -> Changes {
        let mut changes = self.advance(now);
        let remaining = result.remaining();
        if self.mode == Mode::Local || self.stopped || remaining.is_zero() {
            return changes;
        }
        self.vouched = Vouched::Until(self.now.saturating_add(remaining), result.standing());
        self.settle(&mut changes);
        changes
    }

    /// The fleet's verifier refuses this device, or what it said does not hold. There is no
    /// grace after that. A result that has merely expired is not refused: the gate knows.
    pub fn refused(&mut self, now: Duration) -> Changes {
        match self.mode {
            Mode::Local => self.advance(now),
            Mode::Fleet { .. } => self.lose(now, GateReason::ResultRefused),
        }
    }

    /// The TPM does not answer. A single error is enough: when it answers again, it can unseal
    /// again.
    pub fn tpm_lost(&mut self, now: Duration) -> Changes {
        self.lose(now, GateReason::TpmLost)
    }

    /// The daemon ends: the gate closes and never opens again.
    pub fn stop(&mut self, now: Duration) -> Changes {
        let mut changes = self.advance(now);
        if !self.stopped {
            self.stopped = true;
            self.close(self.now, GateReason::Stopping, &mut changes);
        }
        changes
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) -> Changes {
        self.advance(now)
    }

    /// When [`Gate::tick`] will have something to do, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.due().map(|(at, _)| at)
    }

    /// Whether the model is to be asked its known clips.
    pub fn answers_due(&self, now: Duration) -> bool {
        self.next_answers().is_some_and(|at| at <= now)
    }

    /// When the model is to be asked its known clips next; `None` without a model.
    pub fn next_answers(&self) -> Option<Duration> {
        let held = self.held.as_ref()?;
        Some(held.answered_at.map_or(held.measured_at, |at| {
            at.saturating_add(self.schedule.answers_every)
        }))
    }

    /// Leave to use the model, while the gate is open at `now`.
    pub fn open(&self, now: Duration) -> Option<Open> {
        let open = self.opening.as_ref()?.leave();
        open.is_live_at(now).then_some(open)
    }

    /// Leave to ask the model its known clips, while there is a model.
    pub fn trial(&self) -> Option<Trial> {
        self.held.as_ref().map(|held| held.holding.trial())
    }

    /// The unsealed model, for preparing it and for asking it its known clips.
    pub fn model(&self) -> Option<&M> {
        self.held.as_ref().map(|held| &held.model)
    }

    /// Where the gate stands.
    pub fn state(&self) -> GateState {
        self.state
    }

    /// Where the gate stands and why, as of `now`. Call [`Gate::tick`] before.
    pub fn status(&self, now: Duration) -> Status {
        let now = now.max(self.now);
        let (until, standing) = match self.vouched {
            Vouched::Until(until, standing) | Vouched::GraceUntil(until, standing) => {
                (Some(until), Some(standing))
            }
            Vouched::Not => (None, None),
        };
        let (mode, grace) = ModeName::split(self.mode);
        Status {
            state: self.state,
            open: self.open(now).is_some(),
            reason: self.reason,
            for_seconds: now.saturating_sub(self.since).as_secs(),
            seconds_left: until.map(|until| until.saturating_sub(now).as_secs()),
            standing,
            mode,
            grace_seconds: grace.as_secs(),
            package: self.model().map(|model| hex(&model.package())),
            answered: self
                .held
                .as_ref()
                .is_some_and(|held| held.answered_at.is_some()),
        }
    }

    /// Lets everything happen whose time has come by `now`, in its order.
    fn advance(&mut self, now: Duration) -> Changes {
        self.now = self.now.max(now);
        let mut changes = Changes::default();
        // Each of them removes its own deadline and grace alone adds one, so it ends.
        while let Some((at, due)) = self.due().filter(|(at, _)| *at <= self.now) {
            match due {
                Due::Close(reason) => self.close(at, reason, &mut changes),
                Due::Grace(until, standing) => {
                    self.vouched = Vouched::GraceUntil(until, standing);
                    let reason = GateReason::ResultExpired;
                    self.enter(at, GateState::Grace, reason, &mut changes);
                }
                Due::ForgetResult => self.vouched = Vouched::Not,
                Due::ForgetAnswers => {
                    if let Some(held) = &mut self.held {
                        held.answered_at = None;
                    }
                }
            }
        }
        changes
    }

    /// What comes next by time alone. Where two come at once, the one that closes is first.
    fn due(&self) -> Option<(Duration, Due)> {
        let open = self.state.is_open();
        let measured = self.measured_until();
        let answers = self.answers_until().map(|at| match open {
            true => (at, Due::Close(GateReason::AnswersOverdue)),
            false => (at, Due::ForgetAnswers),
        });
        let vouched = match (self.vouched, self.mode) {
            (Vouched::Until(at, _), _) if !open => Some((at, Due::ForgetResult)),
            (Vouched::Until(at, standing), Mode::Fleet { grace }) if !grace.is_zero() => {
                Some((at, Due::Grace(at.saturating_add(grace), standing)))
            }
            (Vouched::Until(at, _), _) => Some((at, Due::Close(GateReason::ResultExpired))),
            (Vouched::GraceUntil(at, _), _) => Some((at, Due::Close(GateReason::GraceOver))),
            (Vouched::Not, _) => None,
        };
        measured
            .map(|at| (at, Due::Close(GateReason::MeasurementOverdue)))
            .into_iter()
            .chain(answers)
            .chain(vouched)
            .min_by_key(|(at, due)| (*at, !matches!(due, Due::Close(_))))
    }

    /// Opens the gate, if all proof is there, and moves its deadline to where that carries.
    fn settle(&mut self, changes: &mut Changes) {
        let Some((package, until)) = self.proven() else {
            return;
        };
        match &mut self.opening {
            Some(opening) => opening.carry(until),
            None => {
                self.openings += 1;
                self.opening = Some(Opening::new(self.openings, package, until));
            }
        }
        if let (GateState::Grace, Vouched::GraceUntil(..)) | (GateState::Attested, _) =
            (self.state, self.vouched)
        {
            return;
        }
        let reason = match self.mode {
            Mode::Local => GateReason::ProvenLocally,
            Mode::Fleet { .. } => GateReason::ProvenToFleet,
        };
        self.enter(self.now, GateState::Attested, reason, changes);
    }

    /// The package that may be used and until when, if all proof is there.
    fn proven(&self) -> Option<([u8; 32], Duration)> {
        let package = self.held.as_ref()?.model.package();
        let vouched = match (self.mode, self.vouched) {
            (Mode::Local, _) => Duration::MAX,
            (Mode::Fleet { grace }, Vouched::Until(at, _)) => at.saturating_add(grace),
            (Mode::Fleet { .. }, Vouched::GraceUntil(at, _)) => at,
            (Mode::Fleet { .. }, Vouched::Not) => return None,
        };
        let until = vouched
            .min(self.measured_until()?)
            .min(self.answers_until()?);
        (self.now < until).then_some((package, until))
    }

    fn measured_until(&self) -> Option<Duration> {
        let held = self.held.as_ref()?;
        Some(
            held.measured_at
                .saturating_add(self.schedule.measured_within),
        )
    }

    fn answers_until(&self) -> Option<Duration> {
        let Schedule {
            answers_every,
            answers_late,
            ..
        } = self.schedule;
        let at = self.held.as_ref()?.answered_at?;
        Some(
            at.saturating_add(answers_every)
                .saturating_add(answers_late),
        )
    }

    /// Closes the gate where a model is held, and forgets the fleet's word in any case.
    fn lose(&mut self, now: Duration, reason: GateReason) -> Changes {
        let mut changes = self.advance(now);
        self.vouched = Vouched::Not;
        if self.held.is_some() {
            self.close(self.now, reason, &mut changes);
        }
        changes
    }

    fn close(&mut self, at: Duration, reason: GateReason, changes: &mut Changes) {
        // First nobody may go on, then the keys are forgotten.
        self.opening = None;
        self.held = None;
        self.vouched = Vouched::Not;
        self.enter(at, GateState::Closed, reason, changes);
        changes.effects.push(Effect::EndWorkers);
    }

    fn enter(&mut self, at: Duration, to: GateState, reason: GateReason, changes: &mut Changes) {
        changes.events.push(Event::Gate {
            from: self.state,
            to,
            reason,
        });
        (self.state, self.reason, self.since) = (to, reason, at);
    }
}
