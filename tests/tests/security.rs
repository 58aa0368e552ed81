//! Holds SECURITY.md to the repository: every path, test and route that it names exists, and each
//! guideline has its row. A page that says who keeps a promise must not name somebody who left.
//!
//! A name in code marks is a test's if it has four words or more, a path if it begins with a folder
//! of the repository, and a route if it begins with `/v1/`. Blocks of commands are not looked at.

#[path = "support/repository.rs"]
mod repository;

use std::collections::BTreeSet;
use std::fs;

use repository::root;

/// The folders that paths begin with.
const FOLDERS: &[&str] = &[
    ".ci",
    "attestation",
    "benches",
    "daemon",
    "fuzz",
    "models",
    "tests",
    "xtask",
];

/// The guidelines, each of which has one row.
const GUIDELINES: u32 = 33;

/// What a page names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    paths: BTreeSet<String>,
    tests: BTreeSet<String>,
    routes: BTreeSet<String>,
}

fn page() -> String {
    fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md is text")
}

/// The page without its blocks of commands and pictures.
fn prose(page: &str) -> String {
    let mut inside = false;
    let lines = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What the page names, in code marks and as the targets of links.
fn named(page: &str) -> Named {
    let prose = prose(page);
    let mut named = Named::default();
    for span in prose.split('`').skip(1).step_by(2) {
        let folder = span.split('/').next().unwrap_or_default();
        if span.contains('/') && FOLDERS.contains(&folder) {
            named.paths.insert(span.to_owned());
        } else if let Some(route) = span.split_whitespace().find(|it| it.starts_with("/v1/")) {
            let route = route.split('?').next().unwrap_or_default();
            named.routes.insert(route.to_owned());
        } else if is_name_of_a_test(span) {
            named.tests.insert(span.to_owned());
        }
    }
    for rest in prose.split("](").skip(1) {
        let target = rest.split(')').next().unwrap_or_default();
        let here = !target.contains("://") && !target.starts_with(['#', '<']);
        if here && !target.starts_with("mailto:") {
            let path = target.split('#').next().unwrap_or_default();
            named.paths.insert(path.to_owned());
        }
    }
    named
}

fn is_name_of_a_test(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    span.chars().all(plain) && span.matches('_').count() >= 3
}

/// The tests of a file: functions that are marked as such, and those that a harness is told of.
fn tests_of(source: &str) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let mut marked = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(name) = function(line) {
            if marked {
                tests.insert(name.to_owned());
            }
            marked = false;
        }
    }
    if source.contains("libtest_mimic") {
        let not_of_a_name = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let words = source.split(not_of_a_name).map(str::to_owned);
        tests.extend(words.filter(|word| is_name_of_a_test(word)));
    }
    tests
}

/// The name of the function that begins here.
fn function(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let begins = before
        .split_whitespace()
        .all(|word| word == "async" || word.starts_with("pub"));
    begins.then(|| rest.split(['(', '<']).next()).flatten()
}

/// Every test of the repository.
fn all_tests() -> BTreeSet<String> {
    let files = repository::rust_files();
    files.iter().flat_map(|(_, text)| tests_of(text)).collect()
}

/// The routes of the endpoint's document.
fn routes() -> BTreeSet<String> {
    let document = root().join("daemon/endpoint/src/openapi.json");
    let document = fs::read(document).expect("the document is readable");
    let document: serde_json::Value =
        serde_json::from_slice(&document).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("it has paths");
    paths.keys().cloned().collect()
}

/// The numbers of the guidelines that have a row, in the order of the page.
fn rows(page: &str) -> Vec<u32> {
    let number = |line: &str| {
        let cell = line.strip_prefix("| G")?.split(" |").next()?;
        cell.parse().ok()
    };
    page.lines().filter_map(number).collect()
}

/// Those of `named` that are not among `existing`.
fn missing<'a>(named: &'a BTreeSet<String>, existing: &BTreeSet<String>) -> Vec<&'a String> {
    named.iter().filter(|it| !existing.contains(*it)).collect()
}

#[test]
fn every_path_that_the_page_names_exists() {
    let paths = named(&page()).paths;
    assert!(paths.len() > 40, "the page names paths: {paths:?}");
    let exists = |path: &&String| root().join(path.as_str()).exists();
    let missing: Vec<&String> = paths.iter().filter(|path| !exists(path)).collect();
    assert!(missing.is_empty(), "SECURITY.md names {missing:#?}");
}

#[test]
fn every_test_that_the_page_names_is_in_the_sources() {
    let tests = named(&page()).tests;
    assert!(tests.len() > 80, "the page names tests: {tests:?}");
    let all = all_tests();
    let missing = missing(&tests, &all);
    assert!(missing.is_empty(), "SECURITY.md names {missing:#?}");
}

#[test]
fn every_route_that_the_page_names_is_in_the_contract() {
    let routes_named = named(&page()).routes;
    assert!(!routes_named.is_empty(), "the page names routes");
    let all = routes();
    let missing = missing(&routes_named, &all);
    assert!(missing.is_empty(), "SECURITY.md names {missing:#?}");
}

#[test]
fn each_guideline_has_one_row() {
    assert_eq!(rows(&page()), (1..=GUIDELINES).collect::<Vec<_>>());
}

#[test]
fn names_are_told_apart_and_commands_are_passed_over() {
    let page = "See `daemon/x.rs` and [it](tests/y#part), `a_b_c_d`, not `a_b_c` or `deny.toml`.\n\
                `GET /v1/audit?after=1` [out](https://example.org)\n```sh\n`none_of_all_this`\n```\n";
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let expected = Named {
        paths: set(&["daemon/x.rs", "tests/y"]),
        tests: set(&["a_b_c_d"]),
        routes: set(&["/v1/audit"]),
    };
    assert_eq!(named(page), expected);
}

#[test]
fn tests_are_told_from_other_functions() {
    let source = "#[test]\n#[ignore]\nfn one_of_the_tests() {}\nfn none_of_the_tests() {}\n\
                  #[tokio::test(start_paused = true)]\nasync fn one_that_waits_too() {}\n";
    let found: Vec<String> = tests_of(source).into_iter().collect();
    assert_eq!(found, ["one_of_the_tests", "one_that_waits_too"]);
    let harness =
        "use libtest_mimic::Trial;\ntrial(\"one_by_its_name\", f); life::one_by_its_path,";
    let found: Vec<String> = tests_of(harness).into_iter().collect();
    assert_eq!(found, ["one_by_its_name", "one_by_its_path"]);
}

#[test]
fn a_row_is_known_by_its_number() {
    assert_eq!(rows("| G1 | a |\n| G12 | b |\n| Gx | c |\nG3 | d"), [1, 12]);
}
