//! Answers are held to the document that describes them.

use serde_json::Value;

use crate::daemon;
use crate::http::{Answer, get, request};

const DOCUMENT: &str = include_str!("../../src/openapi.json");

/// Fails unless the document has such an answer. Every answer of every test comes by here.
pub(crate) fn hold(method: &str, path: &str, answer: &Answer) {
    let document: Value = serde_json::from_str(DOCUMENT).expect("the document is JSON");
    let path = path.split('?').next().unwrap_or(path);
    let path = template(path, &document);
    let described = &document["paths"][path];
    let operation = &described[method.to_ascii_lowercase()];
    if operation.is_null() {
        let expected = match described.is_null() {
            true => [404, 404, 403],
            // An operation may have a front door, and an address may not be there over loopback.
            false => [405, 404, 403],
        };
        assert!(
            expected.contains(&answer.status),
            "{method} {path}: {answer:?}"
        );
        return;
    }
    let mut response = &operation["responses"][answer.status.to_string()];
    assert!(
        !response.is_null(),
        "{method} {path} has no {}",
        answer.status
    );
    if let Some(reference) = response["$ref"].as_str() {
        let place = reference.trim_start_matches('#');
        response = document
            .pointer(place)
            .expect("a reference leads somewhere");
    }
    let kind = answer.headers.get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    match response.get("content") {
        Some(content) => assert!(!content[kind].is_null(), "{method} {path} as {kind}"),
        None => assert!(answer.body.is_empty(), "{method} {path}: {answer:?}"),
    }
    for (name, _) in response["headers"].as_object().into_iter().flatten() {
        assert!(
            answer.headers.contains_key(name),
            "{method} {path} without {name}"
        );
    }
}

/// The address in the document that this one is.
fn template<'a>(path: &'a str, document: &'a Value) -> &'a str {
    let is_of = |template: &str| {
        let (parts, found) = (template.split('/'), path.split('/'));
        template.split('/').count() == path.split('/').count()
            && parts
                .zip(found)
                .all(|(part, found)| part == found || (part.starts_with('{') && !found.is_empty()))
    };
    let mut templates = document["paths"].as_object().into_iter().flatten();
    let found = templates.find(|(template, _)| is_of(template));
    found.map_or(path, |(template, _)| template)
}

#[tokio::test]
async fn the_document_is_served_to_who_may_ask() {
    let daemon = daemon().await;
    let answer = daemon.ask(get("/openapi.json")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["openapi"], "3.1.0");
}

#[tokio::test]
async fn the_document_has_every_method_and_no_other() {
    let daemon = daemon().await;
    let document: Value = serde_json::from_str(DOCUMENT).expect("the document is JSON");
    for (path, operations) in document["paths"].as_object().expect("addresses") {
        let answer = daemon.ask(request("TRACE", path, &[], "")).await;
        assert_eq!(answer.status, 405, "{path}");
        let mut allowed: Vec<_> = answer.header("allow").split(',').collect();
        // Who takes GET takes HEAD, which no document has to say (RFC 9110, section 9.3.2).
        allowed.retain(|method| *method != "HEAD");
        allowed.sort_unstable();
        let operations = operations.as_object().expect("operations");
        let mut described: Vec<_> = operations
            .keys()
            .map(|method| method.to_ascii_uppercase())
            .collect();
        described.sort_unstable();
        assert_eq!(allowed, described, "{path}");
    }
}

#[tokio::test]
async fn the_status_is_what_the_document_says() {
    fn check(value: &Value, schema: &Value, document: &Value) {
        let mut schema = schema;
        if let Some(reference) = schema["$ref"].as_str() {
            let place = reference.trim_start_matches('#');
            schema = document
                .pointer(place)
                .expect("a reference leads somewhere");
        }
        let Some(described) = schema["properties"].as_object() else {
            return;
        };
        let members = value.as_object().expect("an object");
        let mut names: Vec<_> = members.keys().collect();
        names.sort_unstable();
        let mut expected: Vec<_> = described.keys().collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
        for (name, value) in members {
            check(value, &described[name], document);
        }
    }
    let daemon = daemon().await;
    let document: Value = serde_json::from_str(DOCUMENT).expect("the document is JSON");
    let status = daemon.ask(get("/v1/status")).await.json();
    check(
        &status,
        &document["components"]["schemas"]["Status"],
        &document,
    );
}
