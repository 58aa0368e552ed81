//! Pages of other origins in a real browser: none gets anything from the daemon, whatever it
//! tries, and the daemon knows of each try.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::sample;
use crate::curl::Curl;
use crate::earnestd::{Earnestd, Wish};
use crate::site::{Site, local};
use crate::wait::wait_within;

/// What the page tries. `DAEMON` stands for the daemon's address and `TOKEN` for a live token,
/// as if the page had got hold of one. The names of tries say what each is; each tells what it
/// got, and `refused` where it got nothing.
const TRIES: &str = r#"
const found = {};
const sound = fetch('/sample.wav').then(answer => answer.blob());
async function attempt(name, act) {
  try { found[name] = String(await act()); } catch (error) { found[name] = 'refused: ' + error; }
}
async function form() {
  const data = new FormData();
  data.append('model', 'whisper-1');
  data.append('file', await sound, 'sample.wav');
  return data;
}
const seen = async answer => answer.type + ' ' + answer.status + ' ' + await answer.text();
const at = path => DAEMON + path;
function loaded(tag, set) {
  return new Promise((resolve, reject) => {
    const element = document.createElement(tag);
    element.onload = () => resolve('loaded');
    element.onerror = () => reject(new Error('not loaded'));
    set(element);
    document.body.append(element);
  });
}
async function tries() {
  await attempt('own site', async () => seen(await fetch('/hello')));
  await attempt('cors get', async () => seen(await fetch(at('/v1/models'))));
  await attempt('cors health', async () => seen(await fetch(at('/health'))));
  await attempt('cors get with a token', async () =>
    seen(await fetch(at('/v1/models'), { headers: { Authorization: 'Bearer ' + TOKEN } })));
  await attempt('cors post', async () =>
    seen(await fetch(at('/v1/audio/transcriptions'), { method: 'POST', body: await form() })));
  await attempt('cors post with a token', async () =>
    seen(await fetch(at('/v1/audio/transcriptions'), {
      method: 'POST', body: await form(), headers: { Authorization: 'Bearer ' + TOKEN } })));
  await attempt('no-cors get', async () =>
    seen(await fetch(at('/v1/models'), { mode: 'no-cors' })));
  await attempt('no-cors post', async () =>
    seen(await fetch(at('/v1/audio/transcriptions'), {
      method: 'POST', body: await form(), mode: 'no-cors' })));
  await attempt('no-cors stream', async () =>
    seen(await fetch(at('/v1/audio/stream'), {
      method: 'POST', body: await sound, mode: 'no-cors' })));
  await attempt('script', () => loaded('script', one => { one.src = at('/v1/models'); }));
  await attempt('image', () => loaded('img', one => { one.src = at('/health'); }));
  await attempt('web socket', () => new Promise((resolve, reject) => {
    const socket = new WebSocket(at('/v1/audio/stream').replace('http', 'ws'));
    socket.onopen = () => resolve('open');
    socket.onerror = () => reject(new Error('closed'));
  }));
  await attempt('events', () => new Promise((resolve, reject) => {
    const source = new EventSource(at('/v1/audio/stream'));
    source.onmessage = event => resolve(event.data);
    source.onerror = () => { source.close(); reject(new Error('closed')); };
  }));
  await attempt('form', async () => {
    const frame = document.createElement('iframe');
    frame.name = 'answer';
    document.body.append(frame);
    const asked = document.createElement('form');
    asked.method = 'POST';
    asked.enctype = 'multipart/form-data';
    asked.action = at('/v1/audio/transcriptions');
    asked.target = 'answer';
    asked.innerHTML = '<input name=model value=whisper-1><input type=file name=file>';
    const files = new DataTransfer();
    files.items.add(new File([await sound], 'sample.wav'));
    asked.querySelector('[type=file]').files = files.files;
    document.body.append(asked);
    const answered = new Promise(resolve => { frame.onload = resolve; });
    asked.submit();
    await answered;
    return 'got ' + frame.contentDocument.body.innerText;
  });
  await fetch('/report', { method: 'POST', body: JSON.stringify(found) });
}
tries();
"#;

/// What the page tries whose name leads to the daemon, once it was loaded. To the browser both
/// are one origin.
const REBOUND_TRIES: &str = r#"
const found = {};
async function attempt(name, act) {
  try { found[name] = String(await act()); } catch (error) { found[name] = 'refused: ' + error; }
}
const seen = async answer => answer.type + ' ' + answer.status + ' ' + await answer.text();
async function tries() {
  const data = new FormData();
  data.append('model', 'whisper-1');
  data.append('file', await (await fetch('/sample.wav')).blob(), 'sample.wav');
  await attempt('before', async () => seen(await fetch('/hello')));
  await fetch('/rebind');
  const headers = { Authorization: 'Bearer ' + TOKEN };
  await attempt('get', async () => seen(await fetch('/v1/models', { headers })));
  await attempt('health', async () => seen(await fetch('/health')));
  await attempt('post', async () =>
    seen(await fetch('/v1/audio/transcriptions', { method: 'POST', body: data, headers })));
  await fetch(REPORT, { method: 'POST', mode: 'no-cors', body: JSON.stringify(found) });
}
tries();
"#;

/// A browser that shows one page. It ends with this value.
struct Browser {
    process: Child,
    _home: TempDir,
}

impl Browser {
    /// Opens a page. `hosts` says where names lead; all others lead nowhere, so that the browser
    /// speaks to nobody but this machine.
    fn open(url: &str, hosts: &[(&str, Ipv4Addr)]) -> Browser {
        let home = tempfile::tempdir().expect("there is room for a folder");
        let log = fs::File::create(home.path().join("log")).expect("there is room");
        let rules: Vec<String> = hosts
            .iter()
            .map(|(name, address)| format!("MAP {name} {address}"))
            .chain(["MAP * ~NOTFOUND".to_owned()])
            .chain(["127.0.0.1", "127.0.0.2", "localhost"].map(|own| format!("EXCLUDE {own}")))
            .collect();
        let process = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--no-default-browser-check",
                "--no-proxy-server",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args([
                "--disable-sync",
                "--disable-default-apps",
                "--disable-extensions",
            ])
            // Whether the certificate is trusted is not what is tried here.
            .arg("--ignore-certificate-errors")
            .arg(format!("--host-resolver-rules={}", rules.join(", ")))
            .arg(format!(
                "--user-data-dir={}",
                home.path().join("profile").display()
            ))
            .arg(url)
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("chromium is installed: `cargo xtask test` does that");
        Browser {
            process,
            _home: home,
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Told, so that it takes its own processes along.
        let _ = kill(Pid::from_raw(self.process.id() as i32), Signal::SIGTERM);
        if !std::thread::panicking() {
            wait_within(crate::wait::PATIENCE, "the browser ends", || {
                matches!(self.process.try_wait(), Ok(Some(_))).then_some(())
            });
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn page(script: &str, values: &[(&str, &str)]) -> Vec<u8> {
    let filled = values
        .iter()
        .fold(script.to_owned(), |text, (name, value)| {
            text.replace(name, &Value::from(*value).to_string())
        });
    format!("<!doctype html><meta charset=utf-8><title>page</title><body><script>{filled}</script>")
        .into_bytes()
}

fn files(page: Vec<u8>) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let sound = fs::read(sample()).expect("the sample is there");
    vec![
        ("/", "text/html; charset=utf-8", page),
        ("/hello", "text/plain", b"hello".to_vec()),
        ("/sample.wav", "audio/wav", sound),
    ]
}

/// What the daemon counted: requests that began, that were refused, and milliseconds of sound.
fn counts(daemon: &Earnestd) -> [u64; 3] {
    let status = daemon.status();
    ["requests_begun", "refused", "sound_milliseconds"].map(|name| {
        let count = status["counters"][name].as_u64();
        count.unwrap_or_else(|| panic!("no {name} in {status:#}"))
    })
}

/// Has a page of `host` try all on the daemon at `address`.
fn check(daemon: &Earnestd, host: &str, address: &str) {
    let token = daemon.token("notes");
    let before = counts(daemon);
    let tries = page(TRIES, &[("DAEMON", address), ("TOKEN", &token)]);
    let site = Site::at((Ipv4Addr::LOCALHOST, 0), &files(tries), None);
    let url = format!("http://{host}:{}/", site.port());
    let browser = Browser::open(&url, &[("elsewhere.example", Ipv4Addr::LOCALHOST)]);
    let found = site.report();
    drop(browser);

    assert_eq!(found["own site"], "basic 200 hello", "{found:#}");
    let tried = found.as_object().expect("an object");
    for (name, got) in tried.iter().filter(|(name, _)| *name != "own site") {
        let got = got.as_str().expect("a text");
        // An opaque answer has no status and no body: the page sees that something came.
        let nothing = got.starts_with("refused: ") || got == "opaque 0 ";
        assert!(nothing, "{name}: {got}");
    }
    assert_eq!(tried.len(), 14, "{found:#}");

    let after = counts(daemon);
    let [begun, refused, sound] = [0, 1, 2].map(|one| after[one] - before[one]);
    // Nobody was let in but whoever asks for these counts.
    assert_eq!(begun, 1, "of {address}");
    // A browser keeps some tries to itself, but not half of them.
    assert!(refused >= 8, "of {address}: {refused}");
    assert_eq!(sound, 0);
    let events = daemon.status()["events"].to_string();
    assert!(events.contains("origin"), "{events}");
}

#[test]
fn a_page_of_another_site_gets_nothing_over_tls() {
    let daemon = Earnestd::usual();
    check(
        &daemon,
        "elsewhere.example",
        &format!("https://localhost:{}", daemon.port()),
    );
}

#[test]
fn a_page_of_another_port_of_this_machine_gets_nothing_in_clear_text() {
    let daemon = Earnestd::start(Wish {
        clear_text: true,
        ..Wish::default()
    });
    check(
        &daemon,
        "127.0.0.1",
        &format!("http://127.0.0.1:{}", daemon.clear_port()),
    );
}

#[test]
fn a_page_whose_name_comes_to_lead_to_the_daemon_gets_nothing() {
    let daemon = Earnestd::start(Wish {
        clear_text: true,
        ..Wish::default()
    });
    let token = daemon.token("notes");
    let port = daemon.clear_port();
    let reports = Site::at((Ipv4Addr::LOCALHOST, 0), &[], None);
    let report = format!("http://127.0.0.1:{}/report", reports.port());
    let tries = page(REBOUND_TRIES, &[("TOKEN", &token), ("REPORT", &report)]);
    // The same port at another address, as a name that changes its address keeps its port.
    let other = Ipv4Addr::new(127, 0, 0, 2);
    let daemon_at = local(Ipv4Addr::LOCALHOST, port);
    let _site = Site::at((other, port), &files(tries), Some(daemon_at));
    let before = counts(&daemon);
    let url = format!("http://rebound.example:{port}/");
    let browser = Browser::open(&url, &[("rebound.example", other)]);
    let found = reports.report();
    drop(browser);

    assert_eq!(found["before"], "basic 200 hello", "{found:#}");
    for name in ["get", "health", "post"] {
        let got = found[name].as_str().expect("a text");
        // To the browser the page may read the answer: it is the daemon that does not give one.
        assert!(got.starts_with("basic 403 "), "{name}: {got}");
        assert!(got.contains("host_not_allowed"), "{name}: {got}");
    }
    let after = counts(&daemon);
    assert_eq!(after[1] - before[1], 3);
    assert_eq!(after[2], 0);
    // The same token with the daemon's own name is taken: nothing but the name was wrong.
    let curl = Curl::to(Command::new("curl"), &format!("http://127.0.0.1:{port}"));
    let known = curl
        .header(&format!("Authorization: Bearer {token}"))
        .get("/v1/models");
    assert_eq!(known.json(200)["object"], "list");
}
