//! Holds routes and refusals to `openapi.json`, and it to them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::refusal::Refusal;
use crate::router::{DOCUMENT, routes};

fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("the document is JSON")
}

fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document = document();
    let described: BTreeSet<&str> = members(&document["paths"])
        .map(|(path, _)| path.as_str())
        .collect();
    let routed: BTreeSet<&str> = routes().iter().map(|(path, _)| *path).collect();
    assert_eq!(described, routed);
}

/// Every refusal that an address can give; what is no address gives the rest.
fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::Unauthenticated,
        Refusal::InsufficientScope,
        Refusal::SecondFactorRequired,
        Refusal::SecondFactorRefused,
        Refusal::ForeignHost,
        Refusal::ForeignOrigin,
        Refusal::NotFound,
        Refusal::TokenNotFound,
        Refusal::ModelNotFound,
        Refusal::AppNotFound,
        Refusal::CommandListNotFound,
        Refusal::AlertNotFound,
        Refusal::TranslationNotOffered,
        Refusal::Missing { param: "file" },
        Refusal::Invalid {
            param: "stream",
            expected: "",
        },
        Refusal::Conflict {
            param: "name",
            state: "",
        },
        Refusal::UnsupportedLanguage { param: "language" },
        Refusal::MalformedForm,
        Refusal::MalformedBody,
        Refusal::MalformedJson,
        Refusal::UnsupportedMediaType,
        Refusal::TooLarge,
        Refusal::TooSlow,
        Refusal::InvalidAudio,
        Refusal::Busy { retry_after: 1 },
        Refusal::RateLimited { retry_after: 1 },
        Refusal::BudgetSpent { retry_after: 1 },
        Refusal::Quarantined,
        Refusal::TooManyConnections,
        Refusal::DeviceNotProven,
        Refusal::AuditUnavailable,
        Refusal::StateUnavailable,
        Refusal::KeysUnavailable,
        Refusal::MicrophoneDisabled,
        Refusal::MicrophoneUnguarded,
        Refusal::FellBehind,
        Refusal::WorkerFailed,
    ]
}

#[test]
fn the_document_has_every_refusal_under_its_status() {
    let document = document();
    // The status of each shared answer, by the addresses that refer to it.
    let mut statuses: BTreeSet<(String, String)> = BTreeSet::new();
    for (_, methods) in members(&document["paths"]) {
        for (_, operation) in members(methods) {
            for (status, answer) in members(&operation["responses"]) {
                if let Some(reference) = answer["$ref"].as_str() {
                    let name = reference.rsplit('/').next().unwrap_or_default();
                    statuses.insert((name.to_owned(), status.clone()));
                }
            }
        }
    }
    for refusal in refusals() {
        let code = format!("`{}`", refusal.code());
        let (name, _) = members(&document["components"]["responses"])
            .find(|(_, answer)| {
                let description = answer["description"].as_str();
                description.is_some_and(|text| text.contains(&code))
            })
            .unwrap_or_else(|| panic!("{code} is not described"));
        let status = refusal.status().as_u16().to_string();
        assert!(statuses.contains(&(name.clone(), status)), "{refusal:?}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    match (name.as_str(), value.as_str()) {
                        ("$ref", Some(reference)) => found.push(reference),
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let place = reference
            .strip_prefix('#')
            .expect("a place in the document");
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}

#[test]
fn every_route_has_a_name_in_spans() {
    for (path, _) in routes() {
        let route = earnest_traces::Route::of(path);
        assert!(route.is_some(), "{path}");
    }
}
