//! Every state and every edge of the tables in `state`'s documentation.

use earnest_guard::Guard;
use earnest_wire::host::Event as Heard;
use earnest_wire::{Reason, Switch, Why};

use crate::kit::{Bench, Kept};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Muted,
    Settling,
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    NoKey,
    Unmet,
    Silent,
    Present,
    Live,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Mute,
    Open,
    Settle,
    Pair,
    Handshake,
    Heartbeat,
    Announce,
    Withdraw,
    Quiet,
    Reset,
}

const HANDS: [Hand; 3] = [Hand::Muted, Hand::Settling, Hand::Open];

const EDGES: [Edge; 10] = [
    Edge::Mute,
    Edge::Open,
    Edge::Settle,
    Edge::Pair,
    Edge::Handshake,
    Edge::Heartbeat,
    Edge::Announce,
    Edge::Withdraw,
    Edge::Quiet,
    Edge::Reset,
];

/// The switch's table: muted, opened, and time enough to settle passes.
fn hand_after(hand: Hand, edge: Edge) -> Hand {
    let [muted, opened, passed] = match hand {
        Hand::Muted => [Hand::Muted, Hand::Settling, Hand::Muted],
        Hand::Settling => [Hand::Muted, Hand::Settling, Hand::Open],
        Hand::Open => [Hand::Muted, Hand::Open, Hand::Open],
    };
    match edge {
        Edge::Mute | Edge::Reset => muted,
        Edge::Open => opened,
        Edge::Settle | Edge::Quiet => passed,
        _ => hand,
    }
}

/// The host's table, in the documentation's order: pair, handshake, heartbeat, announce, withdraw,
/// 1 s passes, muted, reset.
fn host_after(hand: Hand, host: Host, edge: Edge) -> Host {
    use Host::{Live, NoKey, Present, Silent, Unmet};
    let row = match host {
        NoKey => [Unmet, NoKey, NoKey, NoKey, NoKey, NoKey, NoKey, NoKey],
        Unmet => [Unmet, Silent, Unmet, Unmet, Unmet, Unmet, Unmet, Unmet],
        Silent => [
            Silent, Silent, Present, Silent, Silent, Silent, Silent, Unmet,
        ],
        Present => [
            Present, Silent, Present, Live, Present, Silent, Present, Unmet,
        ],
        Live => [Live, Silent, Live, Live, Present, Silent, Present, Unmet],
    };
    match edge {
        Edge::Pair if hand != Hand::Muted => host,
        Edge::Announce if hand != Hand::Open => host,
        Edge::Pair => row[0],
        Edge::Handshake => row[1],
        Edge::Heartbeat => row[2],
        Edge::Announce => row[3],
        Edge::Withdraw => row[4],
        Edge::Quiet => row[5],
        Edge::Mute => row[6],
        Edge::Reset => row[7],
        Edge::Open | Edge::Settle => host,
    }
}

/// Why something is not done on this edge.
fn refusal(hand: Hand, host: Host, edge: Edge) -> Option<Reason> {
    let in_session = matches!(host, Host::Silent | Host::Present | Host::Live);
    match edge {
        Edge::Pair if host != Host::NoKey => Some(Reason::HasKey),
        Edge::Pair if hand != Hand::Muted => Some(Reason::NotMuted),
        Edge::Handshake if host == Host::NoKey => Some(Reason::NoKey),
        Edge::Heartbeat | Edge::Announce | Edge::Withdraw if !in_session => Some(Reason::NoSession),
        Edge::Announce if hand != Hand::Open => Some(Reason::Muted),
        Edge::Announce if host == Host::Silent => Some(Reason::NoHeartbeat),
        _ => None,
    }
}

fn why(hand: Hand, host: Host) -> Why {
    match (hand, host) {
        (Hand::Muted, _) => Why::Muted,
        (Hand::Settling, _) => Why::Settling,
        (Hand::Open, Host::NoKey) => Why::NoKey,
        (Hand::Open, Host::Unmet) => Why::NoSession,
        (Hand::Open, Host::Silent) => Why::NoHeartbeat,
        (Hand::Open, Host::Present) => Why::NotAnnounced,
        (Hand::Open, Host::Live) => Why::Live,
    }
}

/// A bench in that state.
fn bench_in(hand: Hand, host: Host) -> Bench {
    let mut bench = Bench::new();
    if host != Host::NoKey {
        bench.pair();
    }
    if !matches!(host, Host::NoKey | Host::Unmet) {
        bench.shake_hands();
    }
    if hand != Hand::Muted {
        bench.open();
    }
    if hand == Hand::Open {
        bench.pass(50);
    }
    if matches!(host, Host::Present | Host::Live) {
        bench.heartbeat();
    }
    if host == Host::Live {
        bench.announce(true);
    }
    bench.heard.clear();
    bench
}

fn take(bench: &mut Bench, edge: Edge) {
    match edge {
        Edge::Mute => bench.mute(),
        Edge::Open => bench.open(),
        Edge::Settle => bench.pass(50),
        Edge::Pair => bench.pair(),
        Edge::Handshake => bench.shake_hands(),
        Edge::Heartbeat => bench.heartbeat(),
        Edge::Announce => bench.announce(true),
        Edge::Withdraw => bench.announce(false),
        Edge::Quiet => bench.pass(1_000),
        Edge::Reset => bench.reset(),
    }
}

/// The host's part, as the guard shows it.
fn host_of(guard: &Guard<Kept>) -> Host {
    if !guard.is_paired() {
        Host::NoKey
    } else if !guard.has_session() {
        Host::Unmet
    } else if !guard.is_heard() {
        Host::Silent
    } else if !guard.state().announced {
        Host::Present
    } else {
        Host::Live
    }
}

#[test]
fn every_edge_of_every_state_leads_where_the_tables_say() {
    use Host::{Live, NoKey, Present, Silent, Unmet};
    let mut edges = 0;
    for hand in HANDS {
        for host in [NoKey, Unmet, Silent, Present, Live] {
            if host == Live && hand != Hand::Open {
                continue;
            }
            for edge in EDGES {
                let at = format!("{hand:?}, {host:?}, {edge:?}");
                let mut bench = bench_in(hand, host);
                assert_eq!(host_of(&bench.guard), host, "before {at}");
                assert_eq!(bench.guard.why(), why(hand, host), "before {at}");
                take(&mut bench, edge);

                let hand_then = hand_after(hand, edge);
                let host_then = host_after(hand, host, edge);
                assert_eq!(host_of(&bench.guard), host_then, "{at}");
                assert_eq!(bench.guard.why(), why(hand_then, host_then), "{at}");
                assert_eq!(bench.guard.power(), host_then == Live, "{at}");
                let open = bench.state().switch == Switch::Open;
                assert_eq!(open, hand_then == Hand::Open, "{at}");
                tells(&mut bench, hand, host, edge, &at);
                edges += 1;
            }
        }
    }
    // Thirteen states, since Live needs an open switch.
    assert_eq!(edges, 13 * 10);
}

/// The host is told of each change, of each refusal and of each trip.
fn tells(bench: &mut Bench, hand: Hand, host: Host, edge: Edge, at: &str) {
    let heard = bench.heard.clone();
    let trips = heard
        .iter()
        .filter(|event| matches!(event, Heard::Trip(_)))
        .count();
    let tripped = host == Host::Live && edge == Edge::Quiet;
    assert_eq!(trips, usize::from(tripped), "{at}");
    assert_eq!(
        bench.guard.faults().watchdog_trips,
        u32::from(tripped),
        "{at}"
    );
    let refused = heard.iter().find_map(|event| match event {
        Heard::Refused { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(refused, refusal(hand, host, edge), "{at}");
    let told = bench.told();
    let changed = (hand_after(hand, edge), host_after(hand, host, edge)) != (hand, host);
    // Within Settling, why hides the host's part; a heartbeat is answered always.
    let shows = why(hand, host) != why(hand_after(hand, edge), host_after(hand, host, edge));
    let answered = edge == Edge::Heartbeat || (changed && shows);
    if bench.guard.has_session() && answered {
        assert_eq!(told, Some(bench.state()), "{at}");
    }
}
