//! What a caller is told when a request is refused: OpenAI's error shape and stable codes.
//!
//! The reasons behind a refusal are the operator's business and go to telemetry. What stands
//! here is all that leaves, so every text is fixed or names only what the caller sent as the
//! name of a parameter. All failures of authentication are one and the same answer, and so are
//! all failures of a second factor.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::answer::encode;

/// Seconds after which a caller may ask again while the device has not proven itself: about
/// what a daemon needs from its start to an open gate.
pub(crate) const CLOSED_RETRY_SECONDS: u64 = 2;

/// Seconds after which a caller may ask again while the audit log takes nothing: room does not
/// come back by itself any sooner.
const AUDIT_RETRY_SECONDS: u64 = 10;

/// Why a request gets no answer. The codes are part of the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody who may ask. One face for every reason.
    Unauthenticated,
    /// Somebody who may ask something, but not this.
    InsufficientScope,
    /// An operator without a second factor.
    SecondFactorRequired,
    /// A second factor that is wrong, used up or locked. One face for every reason.
    SecondFactorRefused,
    /// The name in `Host` is not this device's own.
    ForeignHost,
    /// A page of another origin sent the request.
    ForeignOrigin,
    /// No such route.
    NotFound,
    /// The route does not take this method. The router adds what it takes.
    MethodNotAllowed,
    /// No such token of this user.
    TokenNotFound,
    /// No such model.
    ModelNotFound,
    /// No such application.
    AppNotFound,
    /// No such command list.
    CommandListNotFound,
    /// No such alert.
    AlertNotFound,
    /// Translating is not offered.
    TranslationNotOffered,
    /// A parameter must be there and is not.
    Missing {
        /// Its name.
        param: &'static str,
    },
    /// A parameter has a value that is not taken.
    Invalid {
        /// Its name.
        param: &'static str,
        /// What is taken.
        expected: &'static str,
    },
    /// What is asked for does not go together with how things stand.
    Conflict {
        /// The parameter at fault.
        param: &'static str,
        /// How things stand.
        state: &'static str,
    },
    /// Another language than the model's.
    UnsupportedLanguage {
        /// The name of the parameter.
        param: &'static str,
    },
    /// The body is no form, or a broken one.
    MalformedForm,
    /// The body broke off, or its framing is broken.
    MalformedBody,
    /// The body is no JSON object of the expected shape.
    MalformedJson,
    /// The content type is none that the route takes.
    UnsupportedMediaType,
    /// The body is larger than the bound.
    TooLarge,
    /// The body came too slowly.
    TooSlow,
    /// The sound cannot be decoded.
    InvalidAudio,
    /// All workers are at work, or all places of this application are taken.
    Busy {
        /// Seconds after which to ask again.
        retry_after: u64,
    },
    /// More requests than are granted.
    RateLimited {
        /// Seconds after which to ask again.
        retry_after: u64,
    },
    /// The day's sound is used up.
    BudgetSpent {
        /// Seconds after which to ask again.
        retry_after: u64,
    },
    /// Unusual use; an operator has to look at it.
    Quarantined,
    /// Its user holds as many connections as one may.
    TooManyConnections,
    /// The gate is closed.
    DeviceNotProven,
    /// Nothing is done that cannot be written down.
    AuditUnavailable,
    /// A change could not be saved.
    StateUnavailable,
    /// The device's keys are not to be had now.
    KeysUnavailable,
    /// The configuration lets nobody listen.
    MicrophoneDisabled,
    /// The microphone's guard is not there to agree.
    MicrophoneUnguarded,
    /// What was told was not read in time.
    FellBehind,
    /// The worker of this request failed. The next request gets another one.
    WorkerFailed,
}

/// The type of errors that the caller can mend.
const CALLER: &str = "invalid_request_error";
/// The type of errors that pass by themselves.
const LIMIT: &str = "rate_limit_error";
/// The type of errors that the caller cannot mend.
const SERVER: &str = "server_error";

impl Refusal {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Refusal::Unauthenticated => "invalid_credentials",
            Refusal::InsufficientScope => "insufficient_scope",
            Refusal::SecondFactorRequired => "second_factor_required",
            Refusal::SecondFactorRefused => "second_factor_refused",
            Refusal::ForeignHost => "host_not_allowed",
            Refusal::ForeignOrigin => "origin_not_allowed",
            Refusal::NotFound => "not_found",
            Refusal::MethodNotAllowed => "method_not_allowed",
            Refusal::TokenNotFound => "token_not_found",
            Refusal::ModelNotFound => "model_not_found",
            Refusal::AppNotFound => "app_not_found",
            Refusal::CommandListNotFound => "command_list_not_found",
            Refusal::AlertNotFound => "alert_not_found",
            Refusal::TranslationNotOffered => "translation_not_offered",
            Refusal::Missing { .. } => "missing_required_parameter",
            Refusal::Invalid { .. } => "invalid_value",
            Refusal::Conflict { .. } => "conflict",
            Refusal::UnsupportedLanguage { .. } => "unsupported_language",
            Refusal::MalformedForm => "malformed_form",
            Refusal::MalformedBody => "malformed_body",
            Refusal::MalformedJson => "malformed_json",
            Refusal::UnsupportedMediaType => "unsupported_media_type",
            Refusal::TooLarge => "too_large",
            Refusal::TooSlow => "request_timeout",
            Refusal::InvalidAudio => "invalid_audio",
            Refusal::Busy { .. } => "busy",
            Refusal::RateLimited { .. } => "rate_limited",
            Refusal::BudgetSpent { .. } => "budget_spent",
            Refusal::Quarantined => "quarantined",
            Refusal::TooManyConnections => "too_many_connections",
            Refusal::DeviceNotProven => "device_not_proven",
            Refusal::AuditUnavailable => "audit_unavailable",
            Refusal::StateUnavailable => "state_unavailable",
            Refusal::KeysUnavailable => "keys_unavailable",
            Refusal::MicrophoneDisabled => "microphone_disabled",
            Refusal::MicrophoneUnguarded => "microphone_unguarded",
            Refusal::FellBehind => "too_slow",
            Refusal::WorkerFailed => "worker_failed",
        }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refusal::Unauthenticated
            | Refusal::SecondFactorRequired
            | Refusal::SecondFactorRefused => StatusCode::UNAUTHORIZED,
            Refusal::InsufficientScope | Refusal::ForeignHost | Refusal::ForeignOrigin => {
                StatusCode::FORBIDDEN
            }
            Refusal::NotFound
            | Refusal::TokenNotFound
            | Refusal::ModelNotFound
            | Refusal::AppNotFound
            | Refusal::CommandListNotFound
            | Refusal::AlertNotFound
            | Refusal::TranslationNotOffered => StatusCode::NOT_FOUND,
            Refusal::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Missing { .. }
            | Refusal::Invalid { .. }
            | Refusal::UnsupportedLanguage { .. }
            | Refusal::MalformedForm
            | Refusal::MalformedBody
            | Refusal::MalformedJson
            | Refusal::InvalidAudio => StatusCode::BAD_REQUEST,
            Refusal::Conflict { .. } | Refusal::MicrophoneDisabled => StatusCode::CONFLICT,
            Refusal::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooSlow | Refusal::FellBehind => StatusCode::REQUEST_TIMEOUT,
            Refusal::Busy { .. }
            | Refusal::RateLimited { .. }
            | Refusal::BudgetSpent { .. }
            | Refusal::Quarantined => StatusCode::TOO_MANY_REQUESTS,
            Refusal::TooManyConnections
            | Refusal::DeviceNotProven
            | Refusal::AuditUnavailable
            | Refusal::StateUnavailable
            | Refusal::KeysUnavailable
            | Refusal::MicrophoneUnguarded => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::WorkerFailed => StatusCode::BAD_GATEWAY,
        }
    }

    /// OpenAI's class of the error.
    fn kind(&self) -> &'static str {
        match self.status() {
            StatusCode::TOO_MANY_REQUESTS => LIMIT,
            status if status.is_server_error() => SERVER,
            _ => CALLER,
        }
    }

    fn message(&self) -> String {
        match self {
            Refusal::Missing { param } => format!("The parameter '{param}' is required."),
            Refusal::Invalid { param, expected } => {
                format!(
                    "The parameter '{param}' has a value that is not taken: it must be {expected}."
                )
            }
            Refusal::Conflict { param, state } => {
                format!("The parameter '{param}' does not go together with this: {state}.")
            }
            Refusal::UnsupportedLanguage { param } => format!(
                "The parameter '{param}' asks for a language that no model here understands: \
                 it must be English ('en')."
            ),
            other => other
                .door_message()
                .or(other.work_message())
                .unwrap_or_default()
                .to_owned(),
        }
    }

    /// What whoever stands before a closed or a wrong door is told.
    fn door_message(&self) -> Option<&'static str> {
        Some(match self {
            Refusal::Unauthenticated => {
                "You are not allowed to ask this. 'earnest run' starts a program with what it needs."
            }
            Refusal::InsufficientScope => {
                "This application was not given the scope that this takes. An operator gives it."
            }
            Refusal::SecondFactorRequired => {
                "This takes a second factor: the code of your authenticator."
            }
            Refusal::SecondFactorRefused => {
                "The second factor is not taken. A code works once; wait for the next one."
            }
            Refusal::ForeignHost => "The 'Host' of the request is not this device.",
            Refusal::ForeignOrigin => "Pages of other origins are not served.",
            Refusal::NotFound => "There is nothing at this address.",
            Refusal::MethodNotAllowed => "This address does not take this method.",
            Refusal::TokenNotFound => "There is no such token, or none any more.",
            Refusal::ModelNotFound => "There is no such model here; '/v1/models' has the list.",
            Refusal::AppNotFound => "No application of this name is registered.",
            Refusal::CommandListNotFound => "There is no command list of this name.",
            Refusal::AlertNotFound => "There is no such alert, or none any more.",
            Refusal::TranslationNotOffered => "Translating is not offered.",
            _ => return None,
        })
    }

    /// What whoever brought something wrong, or too much, or at a bad time, is told.
    fn work_message(&self) -> Option<&'static str> {
        Some(match self {
            Refusal::MalformedForm => "The body is not a well-formed multipart form.",
            Refusal::MalformedBody => "The body broke off.",
            Refusal::MalformedJson => "The body is not the JSON object that is expected here.",
            Refusal::UnsupportedMediaType => "The content type is not taken here.",
            Refusal::TooLarge => "The body is too large.",
            Refusal::TooSlow => "The body came too slowly.",
            Refusal::InvalidAudio => "The sound cannot be decoded.",
            Refusal::Busy { .. } => "All workers are busy. Please ask again soon.",
            Refusal::RateLimited { .. } => {
                "These are more requests than are granted. Please ask again later."
            }
            Refusal::BudgetSpent { .. } => "The sound of a day is used up. Please ask again later.",
            Refusal::Quarantined => {
                "Requests of this application are held until an operator has looked at them."
            }
            Refusal::TooManyConnections => {
                "This user holds as many connections as one may. Please close some."
            }
            Refusal::DeviceNotProven => {
                "The device has not proven itself, so nothing is served. 'earnest status' says why."
            }
            Refusal::AuditUnavailable => {
                "The audit log takes no entry, and nothing is done that is not written down."
            }
            Refusal::StateUnavailable => {
                "The change could not be saved. Look at how things stand before you make it again."
            }
            Refusal::KeysUnavailable => "The device's keys are not to be had now.",
            Refusal::MicrophoneDisabled => {
                "The microphone is turned off in the configuration: nobody listens."
            }
            Refusal::MicrophoneUnguarded => {
                "The guard beside the microphone does not answer, so nobody listens."
            }
            Refusal::FellBehind => "What was told was not read in time.",
            Refusal::WorkerFailed => "The worker of this request failed. Please ask again.",
            _ => return None,
        })
    }

    /// Whether it says that the caller is not who may ask this, of which the time that finding
    /// out took must tell nothing.
    pub(crate) fn is_of_identity(&self) -> bool {
        matches!(
            self,
            Refusal::Unauthenticated
                | Refusal::InsufficientScope
                | Refusal::SecondFactorRequired
                | Refusal::SecondFactorRefused
        )
    }

    /// The name of the parameter at fault.
    fn param(&self) -> Option<&'static str> {
        match self {
            Refusal::Missing { param }
            | Refusal::Invalid { param, .. }
            | Refusal::Conflict { param, .. }
            | Refusal::UnsupportedLanguage { param } => Some(param),
            Refusal::ModelNotFound => Some("model"),
            Refusal::InvalidAudio => Some("file"),
            _ => None,
        }
    }

    /// Seconds after which asking again makes sense.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Refusal::Busy { retry_after }
            | Refusal::RateLimited { retry_after }
            | Refusal::BudgetSpent { retry_after } => Some((*retry_after).max(1)),
            Refusal::TooManyConnections
            | Refusal::DeviceNotProven
            | Refusal::StateUnavailable
            | Refusal::KeysUnavailable => Some(CLOSED_RETRY_SECONDS),
            Refusal::AuditUnavailable => Some(AUDIT_RETRY_SECONDS),
            _ => None,
        }
    }

    /// The object that goes into a body, or into a stream that has begun, of the request with
    /// this id.
    pub(crate) fn object(&self, id: &str) -> ErrorObject {
        ErrorObject {
            error: ErrorDetail {
                message: self.message(),
                kind: self.kind().to_owned(),
                param: self.param().map(str::to_owned),
                code: Some(self.code().to_owned()),
                request_id: Some(id.to_owned()),
            },
        }
    }

    /// The object on one line of JSON.
    pub(crate) fn json(&self, id: &str) -> String {
        encode(&self.object(id))
    }

    /// The headers of an answer that is this.
    pub(crate) fn describe(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

/// OpenAI's error object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong, in OpenAI's words, and under which number it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// For people. May change.
    pub message: String,
    /// The class of the error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The parameter at fault.
    pub param: Option<String>,
    /// For programs. Stable.
    pub code: Option<String>,
    /// The request's number, as `x-request-id` carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What a handler gives: the front door makes the whole answer of it, because it alone knows the
/// request's number and when the answer is due.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(refusal: Refusal, status: u16, code: &str, param: Option<&str>) {
        let object = refusal.object("req_1").error;
        assert_eq!(refusal.status().as_u16(), status, "{refusal:?}");
        assert_eq!(object.code.as_deref(), Some(code));
        assert_eq!(object.param.as_deref(), param);
        assert!(!object.message.is_empty());
        let json = refusal.json("req_1");
        let json: serde_json::Value = serde_json::from_str(&json).expect("an object is JSON");
        let members: Vec<_> = json["error"].as_object().into_iter().flatten().collect();
        assert_eq!(members.len(), 5, "{json}");
        assert_eq!(json["error"]["request_id"], "req_1");
    }

    #[test]
    fn each_refusal_has_its_status_and_code() {
        check(Refusal::Unauthenticated, 401, "invalid_credentials", None);
        check(Refusal::InsufficientScope, 403, "insufficient_scope", None);
        check(
            Refusal::SecondFactorRefused,
            401,
            "second_factor_refused",
            None,
        );
        check(
            Refusal::ModelNotFound,
            404,
            "model_not_found",
            Some("model"),
        );
        check(
            Refusal::UnsupportedLanguage { param: "language" },
            400,
            "unsupported_language",
            Some("language"),
        );
        check(Refusal::Busy { retry_after: 0 }, 429, "busy", None);
        check(
            Refusal::BudgetSpent { retry_after: 9 },
            429,
            "budget_spent",
            None,
        );
        check(Refusal::Quarantined, 429, "quarantined", None);
        check(Refusal::AuditUnavailable, 503, "audit_unavailable", None);
        check(Refusal::DeviceNotProven, 503, "device_not_proven", None);
        check(Refusal::WorkerFailed, 502, "worker_failed", None);
    }

    #[test]
    fn who_may_ask_again_is_told_when() {
        let after = |refusal: Refusal| {
            let mut headers = HeaderMap::new();
            refusal.describe(&mut headers);
            let value = headers.get(RETRY_AFTER).cloned();
            value.and_then(|value| value.to_str().ok().map(str::to_owned))
        };
        assert_eq!(
            after(Refusal::Busy { retry_after: 7 }).as_deref(),
            Some("7")
        );
        assert_eq!(
            after(Refusal::RateLimited { retry_after: 0 }).as_deref(),
            Some("1")
        );
        assert!(after(Refusal::DeviceNotProven).is_some());
        assert!(after(Refusal::AuditUnavailable).is_some());
        assert_eq!(after(Refusal::NotFound), None);
    }
}
