//! Live text with a detector and a recogniser that follow a script.

use proptest::prelude::*;

use super::pace::WAGE;
use super::*;
use crate::{DecodeOptions, FRAME_SAMPLES, Hypothesis};

/// Says that a frame is speech when it is loud.
struct Loud;

impl DetectSpeech for Loud {
    fn probability(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Result<f32, SpeechError> {
        let loudest = frame
            .iter()
            .fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        Ok(if loudest > 0.2 { 0.99 } else { 0.01 })
    }

    fn reset(&mut self) {}
}

/// Hears a word of the script in every 0.4 s, and something else at the end of the sound.
struct Talk {
    /// What stands at the end of each reading, in turn: tokens behind the words.
    tails: Vec<Vec<u32>>,
    /// Samples of each sound that was read.
    read: Vec<usize>,
    /// How many texts were scored.
    scored: usize,
    certainty: f32,
}

const WORD_SAMPLES: usize = 6_400;

/// What ends an utterance: two that are read together have as much between them.
const PAUSE_SAMPLES: usize = 11_000;

/// The words of each utterance in turn, which begins where it is loud.
fn words(pcm: &[f32]) -> Vec<u32> {
    let loud = |(at, sample): (usize, &f32)| (sample.abs() > 0.2).then_some(at);
    let loud: Vec<usize> = pcm.iter().enumerate().filter_map(loud).collect();
    let utterances = loud.chunk_by(|one, next| next - one < PAUSE_SAMPLES);
    let words = utterances.flat_map(|utterance| {
        let samples = utterance[utterance.len() - 1] - utterance[0];
        (0..(samples / WORD_SAMPLES) as u32).map(|word| 10 + word % 30)
    });
    words.collect()
}

impl Talk {
    fn new(tails: &[&[u32]]) -> Talk {
        Talk {
            tails: tails.iter().map(|tail| tail.to_vec()).collect(),
            read: Vec::new(),
            scored: 0,
            certainty: -0.1,
        }
    }
}

impl Reread for Talk {
    type Encoded = Vec<f32>;

    fn encode(&mut self, pcm: &[f32]) -> Result<Vec<f32>, SpeechError> {
        self.read.push(pcm.len());
        Ok(pcm.to_vec())
    }

    fn read(
        &mut self,
        encoded: &Vec<f32>,
        prefix: &[u32],
        _: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError> {
        let words = words(encoded);
        let mut tokens = prefix.to_vec();
        tokens.extend(words.iter().skip(prefix.len()));
        if !self.tails.is_empty() {
            let turn = self.read.len() % self.tails.len();
            tokens.extend(&self.tails[turn]);
        }
        Ok(Hypothesis {
            logprobs: vec![self.certainty; tokens.len() + 1],
            tokens,
            ended: true,
            cross_attention: None,
        })
    }

    fn score(&mut self, _: &Vec<f32>, tokens: &[u32]) -> Result<Vec<f32>, SpeechError> {
        self.scored += 1;
        Ok(vec![-9.0; tokens.len() + 1])
    }
}

/// Words w10 to w39, and what makes text awkward: bytes of a character, marks that stick to the
/// word before, spaces alone, notes, and a token that is no text.
fn tokenizer() -> Arc<Tokenizer> {
    let mut vocabulary = serde_json::json!({
        "<s>": 0, ",": 1, "\u{2581}": 2, "\u{2581}\u{2581}": 3, "\u{2581}\u{266a}": 4,
        "s": 5, "<0xC3>": 6, "<0xA9>": 7, ".": 8, "\u{2581}I": 9,
    });
    for word in 10..40 {
        vocabulary[format!("\u{2581}w{word}")] = word.into();
    }
    // Phrases are spelt with these.
    for (id, letter) in ('a'..='z').chain('A'..='Z').chain('0'..='9').enumerate() {
        vocabulary
            .as_object_mut()
            .unwrap()
            .entry(letter)
            .or_insert((40 + id).into());
    }
    let json = serde_json::json!({
        "model": {"type": "BPE", "vocab": vocabulary},
        "added_tokens": [{"id": 0, "content": "<s>", "special": true}],
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    });
    Arc::new(Tokenizer::from_json(json.to_string().as_bytes()).expect("a tokenizer"))
}

/// Sound of so many seconds, with speech in these stretches: its level swings as a voice's does.
fn sound(seconds: f32, spoken: &[(f32, f32)]) -> Vec<f32> {
    let sample = |second: f32| (second * SAMPLE_RATE as f32) as usize;
    let mut pcm = vec![0.0005; sample(seconds)];
    for (from, to) in spoken {
        for (n, sample) in pcm[sample(*from)..sample(*to)].iter_mut().enumerate() {
            let swell = match (n / 1_500).is_multiple_of(2) {
                true => 0.9,
                false => 0.3,
            };
            *sample = swell * (n as f32 * 0.1).sin();
        }
    }
    pcm
}

fn listen(talk: &mut Talk, pcm: &[f32], block: usize, options: LiveOptions) -> Vec<LiveEvent> {
    let mut live = Live::new(talk, Loud, tokenizer(), options);
    let mut events = Vec::new();
    for block in pcm.chunks(block) {
        events.extend(live.push(block, false).unwrap());
    }
    assert_eq!(live.heard(), pcm.len() as u64);
    events.extend(live.finish().unwrap());
    events
}

/// Holds events to what they promise.
fn check(events: &[LiveEvent]) {
    check_withdrawn(events, false);
}

/// The same. Where text was `withdrawn`, stable text may go without a final.
fn check_withdrawn(events: &[LiveEvent], withdrawn: bool) {
    let (mut open, mut told, mut closed): (Option<Milliseconds>, String, bool) = Default::default();
    let mut last = Milliseconds(0);
    for event in events {
        match event {
            LiveEvent::SpeechStarted(at) => {
                assert!(open.is_none() && *at >= last, "{events:?}");
                (open, told, closed, last) = (Some(*at), String::new(), false, *at);
            }
            LiveEvent::Partial {
                start,
                at,
                stable,
                tentative,
            } => {
                assert!(open == Some(*start) && at >= start && !closed, "{events:?}");
                assert!(stable.starts_with(&told), "{told:?} became {stable:?}");
                assert!(!stable.is_empty() || !tentative.is_empty());
                told.clone_from(stable);
            }
            LiveEvent::Segment(found) => {
                assert!(open == Some(found.start) && !closed, "{events:?}");
                let text = &found.text;
                assert!(text.starts_with(&told), "{told:?} became {text:?}");
                assert!(text.chars().any(char::is_alphanumeric), "{text:?}");
                (closed, told) = (true, String::new());
            }
            LiveEvent::SpeechStopped(at) => {
                assert!(open.is_some() && *at >= last, "{events:?}");
                assert!(withdrawn || told.is_empty(), "{told:?} has no final");
                (open, last) = (None, *at);
            }
            LiveEvent::Spotted { .. } => {}
        }
    }
    assert!(open.is_none(), "{events:?}");
}

fn partials(events: &[LiveEvent]) -> Vec<(&str, &str)> {
    let partials = events.iter().filter_map(|event| match event {
        LiveEvent::Partial {
            stable, tentative, ..
        } => Some((stable.as_str(), tentative.as_str())),
        _ => None,
    });
    partials.collect()
}

fn finals(events: &[LiveEvent]) -> Vec<&str> {
    let finals = events.iter().filter_map(|event| match event {
        LiveEvent::Segment(found) => Some(found.text.as_str()),
        _ => None,
    });
    finals.collect()
}

#[test]
fn words_become_stable_while_they_are_said_and_the_final_goes_on_from_them() {
    let mut talk = Talk::new(&[&[1], &[9], &[5, 8]]);
    let pcm = sound(6.0, &[(1.0, 4.3)]);
    let events = listen(&mut talk, &pcm, 640, LiveOptions::default());
    check(&events);
    assert!(matches!(events[0], LiveEvent::SpeechStarted(_)));
    let partials = partials(&events);
    assert!(partials.len() >= 5, "{partials:?}");
    assert_eq!(partials[0].0, "");
    assert!(partials.last().unwrap().0.starts_with("w10 w11 w12 w13"));
    let [text] = finals(&events)[..] else {
        panic!("{events:?}")
    };
    assert!(
        text.starts_with("w10 w11 w12 w13 w14 w15 w16 w17"),
        "{text}"
    );
    assert!(matches!(events.last(), Some(LiveEvent::SpeechStopped(_))));
}

#[test]
fn the_final_is_read_while_the_rest_of_the_silence_is_waited_for() {
    let mut talk = Talk::new(&[]);
    let pcm = sound(5.0, &[(1.0, 2.5)]);
    let options = LiveOptions {
        partials: false,
        ..LiveOptions::default()
    };
    let mut live = Live::new(&mut talk, Loud, tokenizer(), options);
    let mut told = Vec::new();
    for block in pcm.chunks(512) {
        let events = live.push(block, false).unwrap();
        let ended = !finals(&events).is_empty();
        told.extend(events);
        if ended {
            break;
        }
    }
    drop(live);
    assert_eq!(finals(&told), ["w10 w11 w12"]);
    // Once, of the speech, three eighths of a second before and a half behind it, to the frame.
    let [samples] = talk.read[..] else {
        panic!("{:?}", talk.read)
    };
    let (from, to) = (samples as f32 / 16_000.0 - 0.1, samples as f32 / 16_000.0);
    assert!(from < 2.375 && 2.375 <= to, "{samples}");
}

#[test]
fn a_pause_that_was_none_is_no_end() {
    let mut talk = Talk::new(&[]);
    let pcm = sound(6.0, &[(1.0, 2.0), (2.6, 4.0)]);
    let events = listen(&mut talk, &pcm, 512, LiveOptions::default());
    check(&events);
    assert_eq!(finals(&events), ["w10 w11 w12 w13 w14 w15 w16"]);
}

#[test]
fn who_is_behind_reads_nothing_but_finals() {
    let mut talk = Talk::new(&[]);
    let pcm = sound(5.0, &[(1.0, 2.8)]);
    let mut live = Live::new(&mut talk, Loud, tokenizer(), LiveOptions::default());
    let mut events = live.push(&pcm, true).unwrap();
    events.extend(live.finish().unwrap());
    check(&events);
    assert_eq!(partials(&events), []);
    assert_eq!(finals(&events), ["w10 w11 w12 w13"]);
    assert_eq!(talk.read.len(), 1);
}

#[test]
fn what_nobody_wants_is_not_done() {
    let mut talk = Talk::new(&[]);
    let pcm = sound(30.0, &[(1.0, 9.0), (11.0, 29.0)]);
    let options = LiveOptions {
        text: false,
        ..LiveOptions::default()
    };
    assert_eq!(listen(&mut talk, &pcm, 640, options), []);
    assert!(talk.read.is_empty());
}

#[test]
fn without_text_phrases_are_looked_for_and_not_a_word_is_told() {
    let mut talk = Talk::new(&[]);
    let options = LiveOptions {
        text: false,
        ..LiveOptions::default()
    };
    let mut live = Live::new(&mut talk, Loud, tokenizer(), options);
    live.tune(false, &[Phrase::waking("w10 w11"), Phrase::command("w12")]);
    let mut events = Vec::new();
    for block in sound(5.0, &[(1.0, 3.0)]).chunks(640) {
        events.extend(live.push(block, false).unwrap());
    }
    events.extend(live.finish().unwrap());
    let spotted = |event: &LiveEvent| matches!(event, LiveEvent::Spotted { .. });
    assert!(events.iter().all(spotted), "{events:?}");
    assert!(!talk.read.is_empty());
}

#[test]
fn text_that_is_wanted_in_the_middle_is_told_from_the_start_and_ends_where_it_is_not() {
    let mut talk = Talk::new(&[]);
    let options = LiveOptions {
        text: false,
        ..LiveOptions::default()
    };
    let mut live = Live::new(&mut talk, Loud, tokenizer(), options);
    let pcm = sound(9.0, &[(1.0, 8.0)]);
    let (quiet, rest) = pcm.split_at(32_000);
    assert_eq!(live.push(quiet, false).unwrap(), []);
    live.tune(true, &[]);
    let (heard, rest) = rest.split_at(48_000);
    let mut events = Vec::new();
    for block in heard.chunks(640) {
        events.extend(live.push(block, false).unwrap());
    }
    let Some(LiveEvent::SpeechStarted(at)) = events.first() else {
        panic!("{events:?}")
    };
    assert!(at.0 < 1_000);
    assert!(partials(&events).len() > 3);
    live.tune(false, &[]);
    let (one, rest) = rest.split_at(640);
    let stop = live.push(one, false).unwrap();
    assert!(
        matches!(stop[..], [LiveEvent::SpeechStopped(_)]),
        "{stop:?}"
    );
    live.tune(true, &[]);
    let mut last = live.push(rest, false).unwrap();
    last.extend(live.finish().unwrap());
    assert_eq!(last, []);
}

#[test]
fn steady_sound_and_doubtful_text_are_not_told() {
    let hum: Vec<f32> = (0..64_000).map(|n| 0.5 * (n as f32 * 0.02).sin()).collect();
    let mut talk = Talk::new(&[]);
    let events = listen(&mut talk, &hum, 640, LiveOptions::default());
    check(&events);
    assert_eq!((partials(&events).len(), finals(&events).len()), (0, 0));
    let mut talk = Talk::new(&[]);
    talk.certainty = -1.5;
    let pcm = sound(5.0, &[(1.0, 3.0)]);
    let events = listen(&mut talk, &pcm, 640, LiveOptions::default());
    check(&events);
    assert_eq!((partials(&events).len(), finals(&events).len()), (0, 0));
}

#[test]
fn speech_without_a_pause_is_cut_behind_what_is_stable() {
    let mut talk = Talk::new(&[&[8], &[]]);
    let pcm = sound(62.0, &[(1.0, 60.0)]);
    let events = listen(&mut talk, &pcm, 640, LiveOptions::default());
    check(&events);
    assert!(finals(&events).len() >= 4);
    let bounds = events.iter().filter_map(|event| match event {
        LiveEvent::SpeechStarted(at) | LiveEvent::SpeechStopped(at) => Some(at.0),
        _ => None,
    });
    let bounds: Vec<u64> = bounds.collect();
    for parts in bounds[1..bounds.len() - 1].chunks(2) {
        assert_eq!(parts[0], parts[1], "a gap in {bounds:?}");
    }
    let late = events.iter().filter(|event| match event {
        LiveEvent::Partial { start, at, .. } => at.0 - start.0 > 12_000,
        _ => false,
    });
    assert!(late.count() > 0);
}

#[test]
fn a_short_silence_ends_an_utterance_and_odd_ones_are_bounded() {
    for (silence, utterances) in [(0, 2), (3_200, 2), (16_000, 1), (usize::MAX, 1)] {
        let mut talk = Talk::new(&[]);
        let options = LiveOptions {
            silence,
            ..LiveOptions::default()
        };
        let pcm = sound(12.0, &[(1.0, 2.0), (2.5, 3.5)]);
        let events = listen(&mut talk, &pcm, 640, options);
        check(&events);
        assert_eq!(finals(&events).len(), utterances, "{silence}");
    }
}

/// The sound that was read last for the text of each utterance, in tenths of a second.
fn lengths(pcm: &[f32], text: bool, phrases: &[Phrase]) -> (Vec<usize>, Vec<String>) {
    let mut talk = Talk::new(&[]);
    let options = LiveOptions {
        partials: false,
        ..LiveOptions::default()
    };
    let mut live = Live::new(&mut talk, Loud, tokenizer(), options);
    live.tune(text, phrases);
    let mut events = Vec::new();
    for block in pcm.chunks(640) {
        events.extend(live.push(block, false).unwrap());
    }
    events.extend(live.finish().unwrap());
    check(&events);
    let texts = finals(&events).into_iter().map(str::to_owned).collect();
    let lengths = talk.read.iter().map(|samples| samples / 1_600);
    (lengths.collect(), texts)
}

#[test]
fn an_utterance_that_follows_soon_is_read_behind_the_one_before() {
    let near = sound(6.0, &[(1.0, 2.0), (3.0, 4.0)]);
    let (read, texts) = lengths(&near, true, &[]);
    assert_eq!(read, [19, 38]);
    // What the first said is not said again.
    assert_eq!(texts, ["w10 w11", "w10 w11"]);
    let far = sound(9.0, &[(1.0, 2.0), (5.0, 6.0)]);
    let (read, texts) = lengths(&far, true, &[]);
    assert_eq!(read, [19, 19]);
    assert_eq!(texts, ["w10 w11", "w10 w11"]);
}

#[test]
fn what_may_become_stable_is_read_behind_the_utterance_before() {
    let pcm = sound(9.0, &[(1.0, 2.0), (3.0, 6.5)]);
    let mut talk = Talk::new(&[]);
    let events = listen(&mut talk, &pcm, 640, LiveOptions::default());
    check(&events);
    assert_eq!(
        finals(&events),
        ["w10 w11", "w10 w11 w12 w13 w14 w15 w16 w17"]
    );
    let tenths: Vec<usize> = talk.read.iter().map(|samples| samples / 1_600).collect();
    let first = tenths.iter().position(|length| *length == 19);
    let (_, second) = tenths.split_at(first.expect("the first was read whole") + 1);
    // The first is 1.9 s, and what is read of the second before it is 2 s long stays tentative.
    let (behind, alone): (Vec<usize>, Vec<usize>) =
        second.iter().partition(|length| **length >= 39);
    assert!(alone.iter().all(|length| *length < 20), "{second:?}");
    assert!(alone.len() > 2 && behind.len() > 2, "{second:?}");
    assert!(second.is_sorted(), "{second:?}");
}

#[test]
fn phrases_are_looked_for_in_an_utterance_alone() {
    let pcm = sound(6.0, &[(1.0, 2.0), (3.0, 4.0)]);
    let phrases = [Phrase::command("w12")];
    let (read, texts) = lengths(&pcm, true, &phrases);
    // Six seconds are the sound of nobody, by which phrases are measured.
    let read: Vec<usize> = read.into_iter().filter(|tenths| *tenths != 60).collect();
    assert_eq!(read, [19, 38, 19]);
    assert_eq!(texts, lengths(&pcm, true, &[]).1);
    let (read, texts) = lengths(&pcm, false, &phrases);
    let read: Vec<usize> = read.into_iter().filter(|tenths| *tenths != 60).collect();
    assert_eq!((read, texts), (vec![19, 19], vec![]));
}

#[test]
fn debugging_shows_no_words() {
    let live = Live::new(Talk::new(&[]), Loud, tokenizer(), LiveOptions::default());
    assert_eq!(format!("{live:?}"), "Live");
}

/// Stretches of speech, each with the quiet before it, in hundredths of a second.
fn stretches() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((5..200usize, 5..900usize), 1..5)
}

fn place(stretches: &[(usize, usize)]) -> Vec<f32> {
    let (mut spoken, mut at) = (Vec::new(), 0);
    for (quiet, length) in stretches {
        let from = at + quiet;
        at = from + length;
        spoken.push((from as f32 / 100.0, at as f32 / 100.0));
    }
    sound(at as f32 / 100.0 + 1.0, &spoken)
}

/// Reads whatever it likes behind what it is made to.
struct Babble {
    readings: Vec<(Vec<u32>, f32)>,
    next: usize,
    read: usize,
}

impl Reread for Babble {
    type Encoded = ();

    fn encode(&mut self, pcm: &[f32]) -> Result<(), SpeechError> {
        self.read += pcm.len();
        Ok(())
    }

    fn read(
        &mut self,
        (): &(),
        prefix: &[u32],
        _: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError> {
        let (tokens, certainty) = &self.readings[self.next % self.readings.len()];
        self.next += 1;
        let mut text = prefix.to_vec();
        text.extend(tokens.iter().skip(prefix.len()));
        Ok(Hypothesis {
            logprobs: vec![*certainty; text.len() + 1],
            tokens: text,
            ended: true,
            cross_attention: None,
        })
    }

    fn score(&mut self, (): &(), tokens: &[u32]) -> Result<Vec<f32>, SpeechError> {
        Ok(vec![-0.1; tokens.len() + 1])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever is read, and whoever wants it: text keeps its word.
    #[test]
    fn stable_text_is_never_taken_back(
        readings in prop::collection::vec(
            (prop::collection::vec(0..14u32, 0..9), -1.6..-0.01f32), 1..12),
        again in 1..4usize,
        stretches in stretches(),
        blocks in prop::collection::vec((1..9_000usize, any::<bool>()), 1..6),
        tunings in prop::collection::vec((0..400usize, any::<bool>()), 0..4),
    ) {
        // The same reading several times in a row becomes stable.
        let readings = readings.into_iter().flat_map(|reading| vec![reading; again]).collect();
        let mut babble = Babble { readings, next: 0, read: 0 };
        let pcm = place(&stretches);
        let mut live = Live::new(&mut babble, Loud, tokenizer(), LiveOptions::default());
        let (mut events, mut rest, mut text) = (Vec::new(), &pcm[..], true);
        for turn in 0.. {
            if rest.is_empty() {
                break;
            }
            if let Some((_, wanted)) = tunings.iter().find(|(when, _)| *when == turn) {
                text = *wanted;
                live.tune(text, &[]);
            }
            let (length, behind) = blocks[turn % blocks.len()];
            let (now, later) = rest.split_at(length.min(rest.len()));
            let told = live.push(now, behind).unwrap();
            let stop = |event: &LiveEvent| matches!(event, LiveEvent::SpeechStopped(_));
            prop_assert!(text || told.iter().all(stop), "{told:?}");
            events.extend(told);
            rest = later;
        }
        events.extend(live.finish().unwrap());
        check_withdrawn(&events, !tunings.is_empty());
    }

    /// What is read of open segments is paid for by what is heard.
    #[test]
    fn work_is_bounded_by_the_sound(stretches in stretches(), block in 300..2_000usize) {
        let mut talk = Talk::new(&[&[8], &[9, 5], &[]]);
        let pcm = place(&stretches);
        let events = listen(&mut talk, &pcm, block, LiveOptions::default());
        check(&events);
        let read: usize = talk.read.iter().sum();
        let bound = (WAGE as usize + 2) * pcm.len() + 2 * MAX_SEGMENT_SAMPLES;
        prop_assert!(read <= bound, "{read} of {}", pcm.len());
    }

    /// Blocks decide when something is read, and not what is said in the end.
    #[test]
    fn honest_words_come_through_whole(stretches in stretches(), block in 100..6_000usize) {
        let pcm = place(&stretches);
        let words = |block: usize| {
            let mut talk = Talk::new(&[]);
            let events = listen(&mut talk, &pcm, block, LiveOptions::default());
            check(&events);
            finals(&events).join("|")
        };
        prop_assert_eq!(words(block), words(640));
    }
}
