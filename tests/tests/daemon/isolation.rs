//! A network of the test's own, in which every packet that leaves is counted.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::getuid;

use crate::client::{SAID, answer, python, sample};
use crate::earnestd::{Earnestd, Wish};
use crate::sides::run;
use crate::wait::wait_until;

/// For how many seconds the daemon is used; `cargo xtask soak isolation` sets it.
const SECONDS: &str = "EARNEST_SOAK_SECONDS";

/// Where nothing is set.
const FEW_SECONDS: u64 = 8;

/// A network with loopback, and an interface beside it that leads out.
struct Network {
    holder: Child,
    through: Vec<String>,
}

/// The other interface has an address and is the way to everywhere. It gives itself no IPv6
/// address, so that the kernel has nothing to tell its neighbours.
const INTERFACES: &str = "
set -e
ip link set lo up
ip link add out type veth peer name far
ip link set out addrgenmode none
ip link set far addrgenmode none
ip address add 10.203.0.1/24 dev out
ip link set far up
ip link set out up
ip route add default via 10.203.0.2
";

impl Network {
    fn new() -> Network {
        let root = getuid().is_root();
        // Whoever is not root is, in a name space of users; programs in it find themselves root.
        let user: &[&str] = if root {
            &[]
        } else {
            &["--user", "--map-root-user"]
        };
        let holder = Command::new("unshare")
            .args(user)
            .args(["--net", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare is installed");
        let user: &[&str] = if root {
            &[]
        } else {
            &["--user", "--preserve-credentials"]
        };
        let target = holder.id().to_string();
        let words = [&["nsenter", "--target", &target, "--net"], user].concat();
        let mut through: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        through.push("--".to_owned());
        let network = Network { holder, through };
        let at = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        wait_until("the network is there", || {
            let there = at(&network.holder.id().to_string());
            let ready = std::fs::read_to_string(format!("/proc/{target}/comm"));
            there.is_some() && there != at("self") && ready.is_ok_and(|name| name.trim() == "cat")
        });
        run(network.command("sh").args(["-c", INTERFACES])).success();
        network
    }

    /// A program in this network.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(&self.through[0]);
        command.args(&self.through[1..]).arg(program);
        command
    }

    /// Packets that went out or came in by the interface that leads out.
    fn packets(&self) -> u64 {
        let table = run(self.command("cat").arg("/proc/net/dev")).success();
        let line = table
            .lines()
            .find_map(|line| line.trim().strip_prefix("out:"));
        let fields: Vec<u64> = line
            .expect("the interface is there")
            .split_whitespace()
            .map(|field| field.parse().expect("a count"))
            .collect();
        // Received: bytes, packets and six more; sent: bytes, packets.
        fields[1] + fields[9]
    }

    /// The local addresses of the sockets of a kind, in hexadecimal, of those in these states.
    fn sockets(&self, table: &str, states: &[&str]) -> Vec<String> {
        let table = run(self.command("cat").arg(format!("/proc/net/{table}"))).success();
        let sockets = table.lines().skip(1).map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (fields[1].to_owned(), fields[3].to_owned())
        });
        sockets
            .filter(|(_, state)| states.is_empty() || states.contains(&state.as_str()))
            .map(|(local, _)| local)
            .collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Its standard input ends with this, and so does it.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Whether an address of `/proc/net/{tcp,tcp6}` is loopback: 127/8 with its first byte last, or
/// ::1 in four words of which each has its first byte last.
fn is_loopback(local: &str) -> bool {
    let address = local.split(':').next().unwrap_or_default();
    match address.len() {
        8 => address.ends_with("7F"),
        _ => address == "00000000000000000000000001000000",
    }
}

#[test]
fn loopback_is_told_from_other_addresses() {
    for (local, expected) in [
        ("0100007F:2119", true),
        ("0200007F:2119", true),
        ("00000000:2119", false),
        ("0100000A:2119", false),
        ("00000000000000000000000001000000:2119", true),
        ("00000000000000000000000000000000:2119", false),
        ("B80D0120000000000000000001000000:2119", false),
    ] {
        assert_eq!(is_loopback(local), expected, "{local}");
    }
}

/// Listening, in `/proc/net/tcp` (`TCP_LISTEN` of the kernel).
const LISTENING: &str = "0A";

#[test]
fn the_daemon_at_work_listens_on_loopback_alone_and_sends_nothing_out() {
    let seconds = match std::env::var(SECONDS) {
        Ok(told) => told.parse().expect("a number of seconds"),
        Err(_) => FEW_SECONDS,
    };
    let network = Network::new();
    let before = network.packets();
    let daemon = Earnestd::start(Wish {
        through: network.through.clone(),
        gate: "mode = \"local\"\nself_test_seconds = 60".to_owned(),
        ..Wish::default()
    });
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut rounds = 0;
    while rounds == 0 || Instant::now() < deadline {
        use_it(&daemon);
        rounds += 1;
    }
    let listeners: Vec<String> = ["tcp", "tcp6"]
        .iter()
        .flat_map(|table| network.sockets(table, &[LISTENING]))
        .collect();
    // Those of the daemon, and the two of the TPM in software.
    assert_eq!(listeners.len(), 4, "{listeners:?}");
    for listener in &listeners {
        assert!(is_loopback(listener), "{listeners:?}");
    }
    for table in ["udp", "udp6", "raw", "raw6"] {
        assert_eq!(network.sockets(table, &[]), [""; 0], "{table}");
    }
    drop(daemon);
    assert_eq!(network.packets(), before, "after {rounds} rounds");
    assert_eq!(before, 0);
    // And what does go out is counted.
    let _ = network
        .command("curl")
        .args(["--silent", "--max-time", "1", "http://10.203.0.2/"])
        .output();
    assert_ne!(network.packets(), 0);
}

/// What apps, operators and strangers do all day.
fn use_it(daemon: &Earnestd) {
    const SCRIPT: &str = "
import json, sys, openai
client = openai.OpenAI()
def ask(**more):
    with open(sys.argv[1], 'rb') as sound:
        return client.audio.transcriptions.create(file=sound, model='whisper-1', **more)
texts = [ask().text, ask(response_format='verbose_json').text]
texts.append(''.join(e.delta for e in ask(stream=True) if e.type == 'transcript.text.delta'))
client.models.list()
print(json.dumps(texts))";
    let output = python(daemon, "notes", SCRIPT, &[&sample()]).output();
    let texts = answer(&output.expect("the command is built"));
    assert_eq!(texts, serde_json::json!([SAID, SAID, SAID]));
    let over_unix = daemon.curl().transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(over_unix.json(200)["text"], SAID);
    assert_eq!(daemon.curl_tls().get("/health").status, 200);
    assert_eq!(daemon.curl_tls().get("/v1/models").status, 401);
    assert_eq!(daemon.status()["gate"]["open"], true);
}
