//! What holds for every stream, and what single streams show.

use proptest::prelude::*;

use super::*;

/// A frame whose every sample is its number, so that sound shows where it comes from.
fn frame(index: usize) -> [f32; FRAME_SAMPLES] {
    [index as f32 + 1.0; FRAME_SAMPLES]
}

struct Run {
    segments: Vec<Segment>,
    started: Vec<u64>,
    most_kept: usize,
}

fn run(options: SegmenterOptions, probabilities: &[f32]) -> Run {
    let config = options.check().expect("sound options");
    let mut segmenter = Segmenter::new(config);
    let mut events = Vec::new();
    let mut most_kept = 0;
    for (index, probability) in probabilities.iter().enumerate() {
        segmenter.push(&frame(index), *probability, &mut events);
        most_kept = most_kept.max(segmenter.notes.len());
        assert_eq!(segmenter.pcm.len(), segmenter.notes.len() * FRAME_SAMPLES);
    }
    assert!(most_kept <= Segmenter::most_frames(&config), "{most_kept}");
    events.extend(segmenter.finish().map(SegmenterEvent::Ended));
    let mut run = Run {
        segments: Vec::new(),
        started: Vec::new(),
        most_kept,
    };
    for event in events {
        match event {
            SegmenterEvent::Started { at } => run.started.push(at),
            SegmenterEvent::Ended(segment) => run.segments.push(segment),
        }
    }
    run
}

fn frames(segment: &Segment) -> (usize, usize) {
    let size = FRAME_SAMPLES as u64;
    (
        (segment.start / size) as usize,
        (segment.end / size) as usize,
    )
}

/// Speech in `spoken` frames, in a stream of `length`.
fn speech(length: usize, spoken: &[(usize, usize)]) -> Vec<f32> {
    let mut probabilities = vec![0.02; length];
    for &(start, end) in spoken {
        probabilities[start..end].fill(0.98);
    }
    probabilities
}

#[test]
fn silence_has_no_segments() {
    let run = run(SegmenterOptions::default(), &[0.1; 2000]);
    assert!(run.segments.is_empty() && run.started.is_empty());
    assert!(run.most_kept < 100, "{}", run.most_kept);
}

#[test]
fn a_segment_reaches_beyond_its_speech_on_both_sides() {
    let run = run(SegmenterOptions::default(), &speech(200, &[(50, 80)]));
    assert_eq!(run.segments.len(), 1);
    assert_eq!(frames(&run.segments[0]), (50 - 16, 80 + 16));
    assert_eq!(run.segments[0].boundary, Boundary::Pause);
    assert_eq!(run.started, [run.segments[0].start]);
}

#[test]
fn a_short_pause_joins_and_a_long_one_parts() {
    let joined = run(
        SegmenterOptions::default(),
        &speech(300, &[(50, 80), (105, 130)]),
    );
    assert_eq!(joined.segments.len(), 1);
    let parted = run(
        SegmenterOptions::default(),
        &speech(300, &[(50, 80), (140, 160)]),
    );
    assert_eq!(parted.segments.len(), 2);
}

#[test]
fn rolls_of_neighbours_do_not_overlap() {
    let short = SegmenterOptions {
        endpoint_silence: 20 * FRAME_SAMPLES,
        ..SegmenterOptions::default()
    };
    let run = run(short, &speech(300, &[(50, 80), (102, 130)]));
    assert_eq!(frames(&run.segments[0]), (34, 96));
    assert_eq!(frames(&run.segments[1]), (96, 146));
}

#[test]
fn weak_syllables_hold_a_segment_open_but_do_not_begin_one() {
    let mut weak = speech(300, &[(50, 60)]);
    weak[60..140].fill(0.25);
    let run = run(SegmenterOptions::default(), &weak);
    assert_eq!(frames(&run.segments[0]), (34, 156));
    assert!(
        self::run(SegmenterOptions::default(), &[0.25; 300])
            .segments
            .is_empty()
    );
}

#[test]
fn speech_without_end_is_cut_where_it_is_quietest() {
    let mut endless = vec![0.98; 1000];
    endless[300..310].fill(0.3);
    let run = run(SegmenterOptions::default(), &endless);
    let (start, end) = frames(&run.segments[0]);
    assert_eq!(start, 0);
    assert!((303..=307).contains(&end), "{end}");
    assert_eq!(run.segments[0].boundary, Boundary::Limit);
    assert_eq!(frames(&run.segments[1]).0, end);
    let last = run.segments.last().expect("several");
    assert_eq!((frames(last).1, last.boundary), (1000, Boundary::End));
}

#[test]
fn sound_that_breaks_off_is_completed_with_silence() {
    let run = run(SegmenterOptions::default(), &speech(60, &[(40, 58)]));
    let segment = &run.segments[0];
    assert_eq!(frames(segment), (24, 60));
    assert_eq!(segment.sound().len(), 36 * FRAME_SAMPLES);
    assert_eq!(segment.pcm.len(), (36 + 14) * FRAME_SAMPLES);
    assert!(
        segment.pcm[36 * FRAME_SAMPLES..]
            .iter()
            .all(|sample| *sample == 0.0)
    );
}

#[test]
fn the_open_segment_can_be_read_while_it_grows() {
    let mut segmenter = Segmenter::new(SegmenterConfig::default());
    let mut events = Vec::new();
    for (index, probability) in speech(70, &[(50, 70)]).into_iter().enumerate() {
        assert_eq!(segmenter.open().is_some(), index > 50, "{index}");
        segmenter.push(&frame(index), probability, &mut events);
    }
    let open = segmenter.open().expect("speech goes on");
    assert_eq!(open.start, 34 * FRAME_SAMPLES as u64);
    assert_eq!(open.pcm.len(), 36 * FRAME_SAMPLES);
    assert_eq!(open.pcm[0], 35.0);
    assert_eq!(open.probabilities.iter().filter(|p| *p > 0.5).count(), 20);
}

/// Streams that speak and pause, with noise on the probabilities.
fn streams() -> impl Strategy<Value = Vec<f32>> {
    let stretch = prop_oneof![
        (0.3f32..1.0, 1usize..120),
        (0.0f32..0.3, 1usize..60),
        (0.8f32..1.0, 200usize..700),
    ];
    proptest::collection::vec((stretch, any::<u64>()), 1..8).prop_map(|stretches| {
        let mut probabilities = Vec::new();
        for ((mean, length), mut seed) in stretches {
            for _ in 0..length {
                // A linear congruential generator (Knuth's MMIX constants).
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let noise = (seed >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
                probabilities.push((mean + 0.3 * noise).clamp(0.0, 1.0));
            }
        }
        probabilities
    })
}

fn options() -> impl Strategy<Value = SegmenterOptions> {
    let frame = FRAME_SAMPLES;
    (
        0.05f32..1.0,
        0.05f32..1.0,
        0..40 * frame,
        0..40 * frame,
        1..60 * frame,
        45 * frame..200 * frame,
        210 * frame..=MAX_SEGMENT_SAMPLES,
    )
        .prop_map(
            |(onset, ratio, pre_roll, post_roll, endpoint, before, most)| SegmenterOptions {
                onset,
                offset: onset * ratio,
                pre_roll,
                post_roll,
                endpoint_silence: endpoint,
                max_segment: most,
                min_before_cut: before,
            },
        )
}

proptest! {
    #[test]
    fn segments_are_ordered_bounded_and_made_of_the_streams_sound(
        options in options(),
        probabilities in streams(),
    ) {
        let run = run(options, &probabilities);
        let starts: Vec<u64> = run.segments.iter().map(|segment| segment.start).collect();
        prop_assert_eq!(&run.started, &starts);
        let mut floor = 0;
        for segment in &run.segments {
            let (start, end) = frames(segment);
            prop_assert!(floor <= start && start < end && end <= probabilities.len());
            floor = end;
            prop_assert!((end - start) * FRAME_SAMPLES <= options.max_segment);
            prop_assert!(segment.pcm.len() <= MAX_SEGMENT_SAMPLES);
            prop_assert_eq!(&segment.probabilities, &probabilities[start..end]);
            let sound: Vec<f32> = (start..end).flat_map(frame).collect();
            prop_assert_eq!(segment.sound(), &sound[..]);
        }
    }

    #[test]
    fn no_frame_of_speech_is_lost(options in options(), probabilities in streams()) {
        let run = run(options, &probabilities);
        for (index, probability) in probabilities.iter().enumerate() {
            if *probability >= options.onset {
                let held = run.segments.iter().any(|segment| {
                    let (start, end) = frames(segment);
                    (start..end).contains(&index)
                });
                prop_assert!(held, "frame {} of probability {}", index, probability);
            }
        }
    }
}
