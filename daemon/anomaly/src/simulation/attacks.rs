//! What attackers do.

use std::fmt;

use earnest_telemetry::{AlertKind, App, Refusal};

use super::chance::Chance;
use crate::{Observation, Request, Subject};

/// An attack and its pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Short sounds, each new, 100 a minute.
    ExtractionOfNew,
    /// Short sounds, each a small variation of a few, 100 a minute.
    ExtractionOnGrid,
    /// New short sounds, one a minute, day and night.
    PatientExtractionOfNew,
    /// Variations of a few, one a minute, day and night.
    PatientExtractionOnGrid,
    /// Scopes and routes that are refused, one a second.
    Probing,
    /// The same four times an hour.
    PatientProbing,
    /// Wrong tokens, five a second.
    Guessing,
    /// Six an hour.
    PatientGuessing,
    /// One payload, 100 times a minute.
    Replay,
    /// One payload, once a minute.
    PatientReplay,
    /// Noise and silence, 30 a minute.
    NonSpeech,
    /// Noise and silence, 20 an hour.
    PatientNonSpeech,
    /// Two connections that dribble their bytes, one after the other.
    Dribble,
    /// Six dribbling requests an hour.
    PatientDribble,
    /// A request of 24 s each minute: nearly the day's budget.
    BudgetDrain,
    /// 24 minutes of sound each hour: nearly the day's budget.
    PatientBudgetDrain,
    /// Just below the limit of 120 requests a minute, without end.
    RateDrain,
}

impl Attack {
    /// Every one.
    pub const ALL: [Attack; 17] = [
        Attack::ExtractionOfNew,
        Attack::ExtractionOnGrid,
        Attack::PatientExtractionOfNew,
        Attack::PatientExtractionOnGrid,
        Attack::Probing,
        Attack::PatientProbing,
        Attack::Guessing,
        Attack::PatientGuessing,
        Attack::Replay,
        Attack::PatientReplay,
        Attack::NonSpeech,
        Attack::PatientNonSpeech,
        Attack::Dribble,
        Attack::PatientDribble,
        Attack::BudgetDrain,
        Attack::PatientBudgetDrain,
        Attack::RateDrain,
    ];

    /// The kinds of alert that may tell of it first.
    pub fn kinds(self) -> &'static [AlertKind] {
        match self {
            Attack::ExtractionOfNew
            | Attack::ExtractionOnGrid
            | Attack::PatientExtractionOfNew
            | Attack::PatientExtractionOnGrid => {
                &[AlertKind::Extraction, AlertKind::Rate, AlertKind::Burst]
            }
            Attack::Probing | Attack::PatientProbing => &[AlertKind::Probing],
            Attack::Guessing | Attack::PatientGuessing => &[AlertKind::Guessing],
            Attack::Replay | Attack::PatientReplay => &[AlertKind::Repeats, AlertKind::Burst],
            Attack::NonSpeech | Attack::PatientNonSpeech => &[AlertKind::Silence],
            Attack::Dribble | Attack::PatientDribble => &[AlertKind::SlowDrain],
            Attack::BudgetDrain | Attack::PatientBudgetDrain | Attack::RateDrain => &[
                AlertKind::SlowDrain,
                AlertKind::Extraction,
                AlertKind::Rate,
                AlertKind::Burst,
            ],
        }
    }

    /// Who does it: who fails a proof is known by its uid alone.
    pub(crate) fn subject(self) -> Subject {
        match self {
            Attack::Guessing | Attack::PatientGuessing => Subject::Uid(1_066),
            _ => Subject::App(App::new("attacker")),
        }
    }

    /// Whether what it does is let in, until it is throttled.
    pub(crate) fn brings_requests(self) -> bool {
        !matches!(
            self,
            Attack::Probing | Attack::PatientProbing | Attack::Guessing | Attack::PatientGuessing
        )
    }

    /// Seconds until the next request.
    pub(crate) fn pause(self, chance: &mut Chance) -> f64 {
        let mean = match self {
            Attack::ExtractionOfNew | Attack::ExtractionOnGrid | Attack::Replay => 0.6,
            Attack::PatientExtractionOfNew
            | Attack::PatientExtractionOnGrid
            | Attack::PatientReplay => return chance.wait(60.0),
            Attack::Probing => 1.0,
            Attack::PatientProbing => return chance.wait(900.0),
            Attack::Guessing => 0.2,
            Attack::PatientGuessing => return chance.wait(600.0),
            Attack::NonSpeech => 2.0,
            Attack::PatientNonSpeech => return chance.wait(180.0),
            Attack::Dribble => 30.0,
            Attack::PatientDribble => 600.0,
            Attack::BudgetDrain => 60.0,
            Attack::PatientBudgetDrain => 3600.0,
            Attack::RateDrain => 60.0 / 110.0,
        };
        mean * chance.between(0.9, 1.1)
    }

    /// What the daemon sees of it.
    pub(crate) fn observation(self, chance: &mut Chance) -> Observation {
        match self {
            Attack::Probing | Attack::PatientProbing => Observation::Refused {
                reason: chance.one(&[
                    Refusal::InsufficientScope,
                    Refusal::NotFound,
                    Refusal::WrongDoor,
                ]),
            },
            Attack::Guessing | Attack::PatientGuessing => Observation::Refused {
                reason: chance.one(&[Refusal::BadToken, Refusal::Revoked, Refusal::OtherOwner]),
            },
            _ => Observation::Request(self.request(chance)),
        }
    }

    fn request(self, chance: &mut Chance) -> Request {
        let mut request = Request {
            milliseconds: 300,
            sound_milliseconds: 2_000,
            speech_milliseconds: 1_500,
            certainty_low: chance.happens(0.2),
            status: 200,
            payload: Some(chance.bits()),
            shape: Some(chance.bits()),
            bytes_per_second: None,
        };
        match self {
            Attack::ExtractionOfNew | Attack::PatientExtractionOfNew => {
                request.sound_milliseconds = chance.between(800.0, 6_000.0) as u64;
                request.speech_milliseconds = request.sound_milliseconds * 3 / 4;
            }
            Attack::ExtractionOnGrid | Attack::PatientExtractionOnGrid => {
                let base = chance.one(&[0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210]);
                request.shape = Some(chance.turned(base, 3));
            }
            Attack::Replay | Attack::PatientReplay => {
                request.payload = Some(7);
                request.shape = Some(7);
            }
            Attack::NonSpeech | Attack::PatientNonSpeech => {
                request.sound_milliseconds = chance.between(1_000.0, 9_000.0) as u64;
                request.speech_milliseconds = 0;
                request.shape = None;
            }
            Attack::Dribble | Attack::PatientDribble => {
                request.milliseconds = 55_000;
                request.bytes_per_second = Some(100);
            }
            Attack::BudgetDrain => {
                request.sound_milliseconds = 24_000;
                request.speech_milliseconds = 18_000;
            }
            Attack::PatientBudgetDrain => {
                request.milliseconds = 60_000;
                request.sound_milliseconds = 24 * 60_000;
                request.speech_milliseconds = 18 * 60_000;
            }
            Attack::RateDrain => {
                request.sound_milliseconds = chance.between(200.0, 400.0) as u64;
                request.speech_milliseconds = 150;
            }
            Attack::Probing
            | Attack::PatientProbing
            | Attack::Guessing
            | Attack::PatientGuessing => {}
        }
        request
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Attack::ExtractionOfNew => "extraction, new sounds, 100 a minute",
            Attack::ExtractionOnGrid => "extraction, variations, 100 a minute",
            Attack::PatientExtractionOfNew => "extraction, new sounds, 1 a minute",
            Attack::PatientExtractionOnGrid => "extraction, variations, 1 a minute",
            Attack::Probing => "scope probing, 1 a second",
            Attack::PatientProbing => "scope probing, 4 an hour",
            Attack::Guessing => "token guessing, 5 a second",
            Attack::PatientGuessing => "token guessing, 6 an hour",
            Attack::Replay => "replay, 100 a minute",
            Attack::PatientReplay => "replay, 1 a minute",
            Attack::NonSpeech => "non-speech, 30 a minute",
            Attack::PatientNonSpeech => "non-speech, 20 an hour",
            Attack::Dribble => "dribbled bytes, 2 a minute",
            Attack::PatientDribble => "dribbled bytes, 6 an hour",
            Attack::BudgetDrain => "budget drain, 24 s a minute",
            Attack::PatientBudgetDrain => "budget drain, 24 min an hour",
            Attack::RateDrain => "rate drain, 110 a minute",
        })
    }
}
