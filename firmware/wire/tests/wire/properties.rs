//! What holds for any bytes, any cut and any change.

use earnest_wire::guard::Event as ToGuard;
use earnest_wire::host::Event as ToHost;
use earnest_wire::{
    Decoder, Faults, Frame, MAX_FRAME, MAX_RAW, Reason, Received, State, Switch, Trip, Why,
};
use earnest_wire::{guard, host};
use proptest::prelude::*;

use crate::kit::{acquainted, to_guard, to_host};

fn host_says() -> impl Strategy<Value = ToGuard> {
    prop_oneof![
        Just(ToGuard::Heartbeat),
        any::<bool>().prop_map(|live| ToGuard::Announce { live }),
        Just(ToGuard::Ask),
    ]
}

fn said_by_host(host: &mut host::Link, event: &ToGuard) -> Frame {
    match event {
        ToGuard::Announce { live } => host.announce(*live),
        ToGuard::Ask => host.ask(),
        _ => host.heartbeat(),
    }
    .expect("a session")
}

fn states() -> impl Strategy<Value = State> {
    let whys = prop::sample::select(vec![
        Why::Muted,
        Why::Settling,
        Why::Memory,
        Why::NoKey,
        Why::NoSession,
        Why::NoHeartbeat,
        Why::NotAnnounced,
        Why::Live,
    ]);
    let switch = prop::sample::select(vec![Switch::Open, Switch::Muted]);
    let flags = any::<(bool, bool, bool, bool)>();
    (switch, whys, flags).prop_map(|(switch, why, (power, light, announced, contradiction))| {
        State {
            switch,
            power,
            light,
            announced,
            why,
            contradiction,
        }
    })
}

fn guard_says() -> impl Strategy<Value = ToHost> {
    let reasons = prop::sample::select(vec![Reason::Rate, Reason::Muted, Reason::Memory]);
    prop_oneof![
        states().prop_map(ToHost::State),
        any::<(u32, u32)>().prop_map(|(silent, count)| ToHost::Trip(Trip { silent, count })),
        any::<[u32; Faults::COUNTERS]>().prop_map(|counters| ToHost::Faults(counters.into())),
        reasons.prop_map(|reason| ToHost::Refused {
            reason,
            proved: true
        }),
    ]
}

fn said_by_guard(guard: &mut guard::Link, event: &ToHost) -> Frame {
    match event {
        ToHost::State(state) => guard.state(*state),
        ToHost::Trip(trip) => guard.trip(*trip),
        ToHost::Faults(faults) => guard.faults(*faults),
        ToHost::Refused { reason, .. } => guard.refused(*reason),
        ToHost::Welcome { .. } | ToHost::Paired { .. } => panic!("not in a session"),
    }
    .expect("a session")
}

proptest! {
    #[test]
    fn what_is_said_is_heard_whatever_noise_stands_before_it(
        said in prop::collection::vec((host_says(), prop::collection::vec(any::<u8>(), 0..40)), 1..8),
        answers in prop::collection::vec((guard_says(), prop::collection::vec(any::<u8>(), 0..40)), 1..8),
    ) {
        let (mut host, mut guard, _) = acquainted();
        for (event, noise) in said {
            let frame = said_by_host(&mut host, &event);
            prop_assert!(frame.as_bytes().len() <= MAX_FRAME);
            prop_assert!(to_guard(&mut guard, &noise).iter().all(Result::is_err));
            let heard = to_guard(&mut guard, frame.as_bytes());
            prop_assert_eq!(heard.last(), Some(&Ok(Received { event, lost: 0 })));
        }
        for (event, noise) in answers {
            let frame = said_by_guard(&mut guard, &event);
            prop_assert!(frame.as_bytes().len() <= MAX_FRAME);
            // An open refusal is the one thing that noise may be taken for, by its checksum.
            to_host(&mut host, &noise);
            let heard = to_host(&mut host, frame.as_bytes());
            prop_assert_eq!(heard.last(), Some(&Ok(Received { event, lost: 0 })));
        }
    }

    #[test]
    fn any_bytes_give_the_same_however_they_are_cut_and_never_too_much(
        bytes in prop::collection::vec(prop_oneof![Just(0), any::<u8>(), Just(1), Just(2)], 0..600),
    ) {
        let mut decoder = Decoder::<MAX_RAW>::new();
        let found: Vec<_> = bytes.iter().filter_map(|byte| decoder.push(*byte)).collect();
        // A fault or a frame needs a zero, or more bytes than a frame has.
        let ends = bytes.iter().filter(|byte| **byte == 0).count();
        prop_assert!(found.len() <= ends + bytes.len() / MAX_RAW);
        // Behind any bytes, a zero is a fresh start.
        let (mut fresh, mut after) = (Decoder::<MAX_RAW>::new(), decoder);
        after.push(0);
        for byte in &bytes {
            prop_assert_eq!(fresh.push(*byte), after.push(*byte));
        }
    }

    #[test]
    fn a_frame_that_was_changed_in_any_way_is_no_message(
        event in host_says(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        insert in prop::option::of(any::<u8>()),
    ) {
        let (mut host, mut guard, _) = acquainted();
        let frame = said_by_host(&mut host, &event);
        let mut changed = frame.as_bytes().to_vec();
        for (index, byte) in edits {
            let index = index.index(changed.len());
            changed[index] = byte;
        }
        if let Some(byte) = insert {
            changed.insert(cut.index(changed.len()), byte);
        }
        let heard = to_guard(&mut guard, &changed);
        let core = |bytes: &[u8]| {
            let mut runs: Vec<Vec<u8>> = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
            runs.retain(|run| !run.is_empty());
            runs
        };
        // Zeros more or less around it are no change, and what has no end is no frame yet.
        let whole = core(frame.as_bytes());
        let same = core(&changed).contains(&whole[0]);
        prop_assert!(same || heard.iter().all(Result::is_err), "{:?}", heard);
    }

    #[test]
    fn numbers_only_grow_whatever_order_frames_arrive_in(
        order in prop::collection::vec(0_usize..12, 0..60),
    ) {
        let (mut host, mut guard, _) = acquainted();
        let frames: Vec<Frame> = (0..12).map(|_| host.heartbeat().expect("a session")).collect();
        let (mut greatest, mut taken, mut lost) = (None, 0, 0);
        for index in order {
            let heard = to_guard(&mut guard, frames[index].as_bytes());
            let newer = greatest.is_none_or(|greatest| index > greatest);
            prop_assert_eq!(heard.len(), 1);
            prop_assert_eq!(heard[0].is_ok(), newer);
            if let Ok(received) = &heard[0] {
                greatest = Some(index);
                taken += 1;
                lost += received.lost;
            }
        }
        // Each number up to the greatest was taken or counted as lost.
        prop_assert_eq!(taken + lost, greatest.map_or(0, |greatest| greatest as u32 + 1));
    }
}
