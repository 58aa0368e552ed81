//! What honest applications do in a month.

use earnest_telemetry::{App, Refusal};

use super::chance::Chance;
use super::{DAY, Happening};
use crate::{Observation, Request, Subject};

/// The applications of a household and an office in one, by name.
pub const APPS: [&str; 15] = [
    "dictation",
    "assistant",
    "meetings",
    "archive",
    "captions",
    "doorbell",
    "developer",
    "returner",
    "traveller",
    "lights",
    "subtitles",
    "game",
    "grower",
    "voicemail",
    "uid 1000",
];

/// Hours of a day at which a person speaks to things: how often each.
const EVENINGS: [u32; 24] = [
    1, 0, 0, 0, 0, 1, 3, 8, 6, 3, 2, 2, 4, 3, 2, 2, 4, 8, 12, 14, 14, 12, 8, 3,
];

/// Everybody who uses the device.
pub(crate) struct Household {
    chance: Chance,
    phrases: Vec<u64>,
    files: Vec<u64>,
}

impl Household {
    pub(crate) fn new(seed: u64) -> Household {
        let mut chance = Chance::new(seed);
        Household {
            phrases: (0..12).map(|_| chance.bits()).collect(),
            files: (0..3).map(|_| chance.bits()).collect(),
            chance,
        }
    }

    /// All that happens in a day, in order. Day 0 is a Monday.
    pub(crate) fn day(&mut self, day: u32) -> Vec<Happening> {
        let weekday = day % 7;
        let work = weekday < 5;
        let mut diary = Diary::default();
        diary.of("dictation");
        if work && !self.chance.happens(0.05) {
            self.dictation(&mut diary, 9.0, 1.0);
        }
        diary.of("assistant");
        self.assistant(&mut diary, 0.0);
        diary.of("meetings");
        if work {
            self.meetings(&mut diary);
        }
        diary.of("archive");
        if self.chance.happens(0.8) {
            self.archive(&mut diary);
        }
        diary.of("captions");
        self.captions(&mut diary);
        diary.of("doorbell");
        self.doorbell(&mut diary);
        diary.of("developer");
        if work && self.chance.happens(0.4) {
            self.developer(&mut diary);
        }
        diary.of("returner");
        match day {
            8..=17 => {}
            18 | 19 => self.dictation(&mut diary, 9.0, 2.5),
            _ if work => self.dictation(&mut diary, 9.0, 1.0),
            _ => {}
        }
        // Twelve days eight zones further, with the device's clock at home.
        diary.of("traveller");
        let away = (12..24).contains(&day);
        if work {
            self.dictation(&mut diary, if away { 1.0 } else { 9.0 }, 1.0);
        }
        self.assistant(&mut diary, if away { -8.0 } else { 0.0 });
        diary.of("lights");
        self.lights(&mut diary);
        diary.of("subtitles");
        if !work {
            self.subtitles(&mut diary);
        }
        diary.of("game");
        if self.chance.happens(0.3) {
            self.game(&mut diary);
        }
        diary.of("grower");
        self.dictation(&mut diary, 10.0, 0.15 + f64::from(day) * 0.06);
        diary.of("voicemail");
        self.voicemail(&mut diary);
        diary.subject = Subject::Uid(1000);
        self.refusals(&mut diary, day);
        diary.sorted()
    }

    /// Bouts of clips in working hours.
    fn dictation(&mut self, diary: &mut Diary, from: f64, amount: f64) {
        dictate(&mut self.chance, diary, from, amount);
    }

    /// Short commands in the evening, much alike, and many wakes by nobody.
    fn assistant(&mut self, diary: &mut Diary, shift: f64) {
        let chance = &mut self.chance;
        // A film has it wake more often.
        let film = chance.happens(0.1);
        let commands = chance.count(15, 70) + if film { 40 } else { 0 };
        for _ in 0..commands {
            let second = (hour_of(chance, &EVENINGS) + shift).rem_euclid(24.0) * 3600.0;
            let seconds = chance.about(2.2, 0.35);
            let nobody = chance.happens(if film { 0.65 } else { 0.4 });
            let speech = if nobody { 0.0 } else { 0.7 };
            let mut request = spoken(chance, seconds, speech, 0.15);
            let phrase = chance.one(&self.phrases);
            request.shape = Some(chance.turned(phrase, 5));
            diary.write(second, request);
        }
    }

    /// Files of up to three hours.
    fn meetings(&mut self, diary: &mut Diary) {
        let chance = &mut self.chance;
        for _ in 0..chance.count(0, 5) {
            let second = chance.between(10.0, 18.5) * 3600.0;
            let minutes = chance.between(15.0, 180.0);
            let request = spoken(chance, minutes * 60.0, 0.7, 0.03);
            if chance.happens(0.1) {
                diary.write(second + 600.0, request.clone());
            }
            diary.write(second, request);
        }
    }

    /// Files by the hundred at night, two at a time; now and then from the beginning again.
    fn archive(&mut self, diary: &mut Diary) {
        let chance = &mut self.chance;
        let mut second = chance.between(0.9, 1.5) * 3600.0;
        let files: Vec<Request> = (0..chance.count(60, 300))
            .map(|_| {
                let seconds = chance.about(70.0, 0.9);
                spoken(chance, seconds, 0.75, 0.08)
            })
            .collect();
        let mut list = files.clone();
        if chance.happens(0.05) {
            let done = files.len() / 2;
            list = files[..done].iter().chain(&files).cloned().collect();
        }
        for request in list {
            second += chance.wait(4.0 + request.sound_milliseconds as f64 / 40e3);
            diary.write(second, request);
        }
    }

    /// Live sound for most of the day.
    fn captions(&mut self, diary: &mut Diary) {
        let chance = &mut self.chance;
        let mut second = chance.between(6.8, 8.0) * 3600.0;
        let end = chance.between(21.0, 22.8) * 3600.0;
        while second < end {
            let seconds = chance.about(300.0, 1.0).min(3600.0);
            second += seconds;
            let nobody = chance.happens(0.15);
            let speech = if nobody {
                0.0
            } else {
                chance.between(0.2, 0.8)
            };
            let mut request = spoken(chance, seconds, speech, 0.15);
            request.milliseconds = request.sound_milliseconds;
            request.payload = None;
            request.bytes_per_second = Some(4_000);
            diary.write(second, request);
            second += chance.wait(240.0);
        }
    }

    /// A few rings and a lot of wind.
    fn doorbell(&mut self, diary: &mut Diary) {
        let chance = &mut self.chance;
        let storm = chance.happens(0.03);
        let rings = if storm {
            chance.count(15, 35)
        } else {
            chance.count(0, 10)
        };
        for _ in 0..rings {
            let second = if storm {
                chance.between(0.0, DAY)
            } else {
                chance.between(8.0, 21.0) * 3600.0
            };
            let speech = if chance.happens(0.7) { 0.0 } else { 0.4 };
            let seconds = chance.between(8.0, 20.0);
            diary.write(second, spoken(chance, seconds, speech, 0.4));
        }
    }

    /// The same files all afternoon, mistakes included.
    fn developer(&mut self, diary: &mut Diary) {
        let chance = &mut self.chance;
        let mut second = chance.between(12.5, 14.5) * 3600.0;
        let mut left = chance.count(30, 220);
        while left > 0 && second < 19.0 * 3600.0 {
            // A run of tests, or one try.
            let run = if chance.happens(0.1) {
                chance.count(8, 20).min(left)
            } else {
                1
            };
            left -= run;
            for _ in 0..run {
                let file = chance.one(&self.files);
                let mut request = spoken(chance, 4.0 + (file % 20) as f64, 0.8, 0.05);
                request.payload = Some(file);
                request.shape = Some(file);
                diary.write(second, request);
                second += chance.wait(3.0);
            }
            if chance.happens(0.05) {
                let reason = chance.one(&[
                    Refusal::Malformed,
                    Refusal::Malformed,
                    Refusal::Unsupported,
                    Refusal::TooLarge,
                    Refusal::NotFound,
                    Refusal::InsufficientScope,
                    Refusal::RateLimited,
                ]);
                diary.refuse(second, reason);
            }
            second += chance.wait(80.0);
        }
    }

    /// Commands all day, of a few words and much alike.
    fn lights(&mut self, diary: &mut Diary) {
        let chance = &mut self.chance;
        for _ in 0..chance.count(20, 130) {
            let second = hour_of(chance, &EVENINGS) * 3600.0;
            let seconds = chance.about(1.4, 0.25);
            let mut request = spoken(chance, seconds, 0.7, 0.2);
            if chance.happens(0.85) {
                let phrase = chance.one(&self.phrases[..4]);
                request.shape = Some(chance.turned(phrase, 4));
            }
            diary.write(second, request);
        }
    }

    /// Films at the weekend, in parts of ten minutes.
    fn subtitles(&mut self, diary: &mut Diary) {
        let chance = &mut self.chance;
        for _ in 0..chance.count(0, 3) {
            let mut second = chance.between(11.0, 21.0) * 3600.0;
            for _ in 0..chance.count(8, 14) {
                let seconds = chance.between(560.0, 600.0);
                diary.write(second, spoken(chance, seconds, 0.45, 0.2));
                second += chance.wait(25.0);
            }
        }
    }

    /// Children who shout at it for half an hour.
    fn game(&mut self, diary: &mut Diary) {
        let chance = &mut self.chance;
        let mut second = chance.between(14.0, 19.5) * 3600.0;
        for _ in 0..chance.count(30, 120) {
            let seconds = chance.about(2.5, 0.6);
            let speech = if chance.happens(0.2) { 0.0 } else { 0.6 };
            diary.write(second, spoken(chance, seconds, speech, 0.5));
            second += chance.wait(14.0);
        }
    }

    /// A message now and then, at any hour.
    fn voicemail(&mut self, diary: &mut Diary) {
        let chance = &mut self.chance;
        for _ in 0..chance.count(0, 14) {
            let second = chance.between(6.0, 23.5) * 3600.0;
            let seconds = chance.about(25.0, 0.8);
            let speech = if chance.happens(0.15) { 0.0 } else { 0.7 };
            diary.write(second, spoken(chance, seconds, speech, 0.3));
        }
    }

    /// Tokens that ended while the machine slept, and a program that was forgotten.
    fn refusals(&mut self, diary: &mut Diary, day: u32) {
        let chance = &mut self.chance;
        for _ in 0..chance.count(0, 3) {
            let mut second = chance.between(7.0, 22.0) * 3600.0;
            for _ in 0..chance.count(1, 3) {
                diary.refuse(second, Refusal::BadToken);
                second += chance.between(1.0, 40.0);
            }
        }
        if day % 13 == 5 {
            let mut second = chance.between(8.0, 20.0) * 3600.0;
            // Each wait is twice as long.
            for doubling in 0..9 {
                diary.refuse(second, Refusal::NoToken);
                second += f64::from(1 << doubling) * 2.0;
            }
        }
    }
}

/// A day of dictation in another's name.
pub(crate) fn dictation_as(subject: &Subject, chance: &mut Chance, day: u32) -> Vec<Happening> {
    let mut diary = Diary {
        subject: subject.clone(),
        ..Diary::default()
    };
    if day % 7 < 5 {
        dictate(chance, &mut diary, 9.0, 1.0);
    }
    diary.sorted()
}

fn dictate(chance: &mut Chance, diary: &mut Diary, from: f64, amount: f64) {
    let bouts = (f64::from(chance.count(3, 9)) * amount).round() as u32;
    for _ in 0..bouts {
        let mut second = chance.between(from, from + 8.5) * 3600.0;
        for _ in 0..chance.count(2, 12) {
            let seconds = chance.about(11.0, 0.7).min(300.0);
            let speech = chance.between(0.6, 0.95);
            diary.write(second, spoken(chance, seconds, speech, 0.06));
            second += seconds + chance.wait(30.0);
        }
    }
}

/// An hour of the day, by how often each.
fn hour_of(chance: &mut Chance, weights: &[u32; 24]) -> f64 {
    let sum = weights.iter().sum::<u32>();
    let mut left = chance.count(1, sum);
    for (hour, weight) in (0..).zip(weights) {
        if left <= *weight {
            return f64::from(hour) + chance.share();
        }
        left -= weight;
    }
    23.0
}

/// Sound of which a share is speech, unlike any other.
fn spoken(chance: &mut Chance, seconds: f64, speech: f64, low: f64) -> Request {
    let milliseconds = (seconds * 1e3) as u64;
    Request {
        milliseconds: 100 + milliseconds / 20,
        sound_milliseconds: milliseconds,
        speech_milliseconds: (milliseconds as f64 * speech) as u64,
        certainty_low: chance.happens(low),
        status: 200,
        payload: Some(chance.bits()),
        shape: Some(chance.bits()),
        bytes_per_second: None,
    }
}

/// A day as it is written.
struct Diary {
    subject: Subject,
    happenings: Vec<Happening>,
}

impl Default for Diary {
    fn default() -> Diary {
        Diary {
            subject: Subject::Unknown,
            happenings: Vec::new(),
        }
    }
}

impl Diary {
    fn of(&mut self, app: &str) {
        self.subject = Subject::App(App::new(app));
    }

    fn write(&mut self, second: f64, request: Request) {
        self.happen(second, Observation::Request(request));
    }

    fn refuse(&mut self, second: f64, reason: Refusal) {
        self.happen(second, Observation::Refused { reason });
    }

    fn happen(&mut self, second: f64, observation: Observation) {
        self.happenings.push(Happening {
            second: second.clamp(0.0, DAY - 1.0),
            subject: self.subject.clone(),
            observation,
        });
    }

    fn sorted(mut self) -> Vec<Happening> {
        self.happenings
            .sort_by(|one, other| one.second.total_cmp(&other.second));
        self.happenings
    }
}
