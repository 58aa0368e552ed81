//! The status page in a real browser, as an operator comes to it: by a one-time link.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::earnestd::Earnestd;
use crate::person::Person;
use crate::trial::Trial;

/// The picture that is kept for people to look at, in the folder of tests' files.
const PICTURE: &str = "status-page.png";

/// A browser that shows one page and ends, with what it wrote.
fn browse(home: &Path, url: &str, arguments: &[String]) -> Output {
    Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--no-first-run"])
        .args(["--no-default-browser-check", "--no-proxy-server"])
        .args(["--disable-background-networking", "--disable-sync"])
        .args(["--disable-component-update", "--disable-extensions"])
        // The device's authority is no browser's; curl checks it elsewhere.
        .arg("--ignore-certificate-errors")
        .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        .arg(format!(
            "--user-data-dir={}",
            home.join("profile").display()
        ))
        .args(arguments)
        .arg(url)
        .env("HOME", home)
        .stdin(Stdio::null())
        .output()
        .expect("chromium is installed: `cargo xtask test` does that")
}

/// A link that works once.
fn link(daemon: &Earnestd, person: &mut Person) -> String {
    let post = ["--request", "POST"];
    let link = person.curl(daemon).args(&post).get("/v1/browser-links");
    link.json(200)["url"]
        .as_str()
        .expect("it is a text")
        .to_owned()
}

/// Where a text stands in the page; it must.
fn place(page: &str, text: &str) -> usize {
    page.find(text)
        .unwrap_or_else(|| panic!("no {text:?} in {page}"))
}

#[test]
fn the_status_page_in_a_browser_tells_the_risk_first_and_comes_by_a_link_that_works_once() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    person.add_app(&trial.daemon, "honest", &["vad", "transcribe"]);
    // Something to be seen: somebody was turned away.
    let refused = trial.daemon.curl_tls().get("/v1/models");
    assert_eq!(refused.refusal(401), "invalid_credentials");
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PICTURE);
    let home = tempfile::tempdir().expect("there is room for a folder");

    let url = link(&trial.daemon, &mut person);
    let first = browse(home.path(), &url, &["--dump-dom".to_owned()]);
    let page = String::from_utf8_lossy(&first.stdout).into_owned();
    let headings = [
        "<h1",
        "<h2>Alerts",
        "<h2>Refused",
        "<h2>Gate",
        "<h2>Load",
        "<h2>App",
    ];
    let places = headings.map(|heading| place(&page, heading));
    assert!(places.is_sorted(), "{page}");
    for told in ["no token", "honest", "software TPM"] {
        place(&page, told);
    }
    assert!(!page.contains("<script"), "{page}");

    // The link is used up: whoever finds it in a history sees nothing.
    let stranger = tempfile::tempdir().expect("there is room for a folder");
    let again = browse(stranger.path(), &url, &["--dump-dom".to_owned()]);
    let again = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(!again.contains("honest"), "{again}");

    let url = link(&trial.daemon, &mut person);
    let home = tempfile::tempdir().expect("there is room for a folder");
    let arguments = [
        format!("--screenshot={}", picture.display()),
        "--window-size=1200,1600".to_owned(),
        "--hide-scrollbars".to_owned(),
    ];
    browse(home.path(), &url, &arguments);
    let bytes = fs::read(&picture).expect("the browser takes the picture");
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 10_000);
    trial.is_well();
}
