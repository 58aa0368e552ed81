//! The page of live captions in a real browser, as a person comes to it: by `earnest open`.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{pcm, tools};
use crate::device::{BOOT_PCR, extend};
use crate::earnestd::Wish;
use crate::house::listening;
use crate::server::Server;
use crate::sides::run;
use crate::wait::{wait_for, wait_until};
use crate::words::is_nearly_the_sample;

/// Says to the browser's page what stands on a line, and prints what it answers. What is a
/// picture goes into a file.
const DRIVE: &str = "
import base64, json, sys, urllib.request
from websockets.sync.client import connect
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
pages = json.load(opener.open(f'http://127.0.0.1:{sys.argv[1]}/json'))
page = next(page for page in pages if page['type'] == 'page')
with connect(page['webSocketDebuggerUrl'], proxy=None, max_size=None) as socket:
    for number, line in enumerate(sys.stdin):
        asked = json.loads(line)
        said = {'id': number, 'method': asked['method'], 'params': asked['params']}
        socket.send(json.dumps(said))
        told = {}
        while told.get('id') != number:
            told = json.loads(socket.recv())
        result = told.get('result', told)
        if 'file' in asked:
            with open(asked['file'], 'wb') as file:
                file.write(base64.b64decode(result.pop('data')))
        print(json.dumps(result), flush=True)
";

/// A browser that shows one page. It ends with this value.
struct Browser {
    process: Child,
    driver: Child,
    says: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _home: TempDir,
}

impl Browser {
    fn open(url: &str) -> Browser {
        let home = tempfile::tempdir().expect("there is room for a folder");
        let profile = home.path().join("profile");
        let process = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--no-first-run"])
            .args(["--no-default-browser-check", "--no-proxy-server"])
            .args(["--disable-background-networking", "--disable-sync"])
            .args(["--disable-component-update", "--disable-extensions"])
            // The device's authority is no browser's; curl checks it elsewhere.
            .arg("--ignore-certificate-errors")
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .args(["--hide-scrollbars", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url)
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium is installed: `cargo xtask test` does that");
        let port = wait_for("the browser says its port", || {
            let told = fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
            told.lines().next().map(str::to_owned)
        });
        let mut driver = Command::new(tools().join("python"))
            .args(["-c", DRIVE, &port])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the clients are installed");
        let says = driver.stdin.take().expect("it is piped");
        let answers = driver.stdout.take().expect("it is piped");
        Browser {
            process,
            driver,
            says,
            answers: BufReader::new(answers).lines(),
            _home: home,
        }
    }

    fn ask(&mut self, asked: &Value) -> Value {
        writeln!(self.says, "{asked}").expect("the driver runs");
        let answer = self
            .answers
            .next()
            .expect("it answers")
            .expect("it answers");
        serde_json::from_str(&answer).expect("it is JSON")
    }

    /// What an expression is on the page.
    fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true});
        let told = self.ask(&json!({"method": "Runtime.evaluate", "params": params}));
        told["result"]["value"].clone()
    }

    /// The text of an element, which may not be there yet.
    fn text(&mut self, selector: &str) -> String {
        let expression = format!("document.querySelector('{selector}')?.innerText ?? ''");
        let text = self.value(&expression);
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the state's words have this in them.
    fn see(&mut self, expected: &str) {
        let mut seen = String::new();
        let waited = std::time::Instant::now();
        while !seen.contains(expected) {
            assert!(waited.elapsed() < crate::wait::PATIENCE, "{seen}");
            seen = self.text("#words");
            thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Takes a picture of the page, of this width, for people to look at.
    fn picture(&mut self, name: &str, width: u32) {
        let size = json!({"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": false});
        self.ask(&json!({"method": "Emulation.setDeviceMetricsOverride", "params": size}));
        let wide = "document.documentElement.scrollWidth <= window.innerWidth";
        assert_eq!(self.value(wide), true, "{name} is wider than its window");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let taken = json!({"method": "Page.captureScreenshot", "params": {}, "file": &path});
        self.ask(&taken);
        let bytes = fs::read(&path).expect("the browser takes the picture");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 5_000);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // Told, so that it takes its own processes along.
        let _ = kill(Pid::from_raw(self.process.id() as i32), Signal::SIGTERM);
        if !thread::panicking() {
            wait_until("the browser ends", || {
                matches!(self.process.try_wait(), Ok(Some(_)))
            });
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn captions_in_a_browser_grow_as_it_is_spoken_and_say_when_nothing_is_heard() {
    let server = Server::start(48_000, 2);
    // Each sentence becomes a line, as usual.
    let (daemon, _person) = listening(Wish {
        tables: String::new(),
        ..server.wish()
    });
    let link = run(daemon.earnest().args(["open", "--captions"])).success();
    let mut browser = Browser::open(link.trim());
    browser.see("Listening");
    assert_eq!(
        daemon.status()["microphone"]["listeners"][0]["app"],
        "notes"
    );

    thread::scope(|scope| {
        scope.spawn(|| server.play(&pcm()));
        wait_until("an utterance is on the page, and another begins", || {
            !browser.text("#lines").is_empty() && browser.text("#live").len() > 3
        });
        browser.picture("captions.png", 1200);
        browser.picture("captions-narrow.png", 400);
        wait_until("all is on the page", || {
            browser.text("#lines").to_lowercase().contains("better")
        });
    });
    is_nearly_the_sample("the page", &browser.text("#lines"));

    let muted = run(daemon.earnest().args(["microphone", "mute"]));
    muted.success();
    browser.see("muted");
    browser.picture("captions-muted.png", 1200);
    extend(&daemon.sides, BOOT_PCR);
    browser.see("proven");
    browser.picture("captions-shut.png", 1200);
    browser.picture("captions-shut-narrow.png", 400);
}
