//! What a caller is told when a request is refused: OpenAI's error shape and stable codes.
//!
//! The reasons behind a refusal are the operator's business and go to telemetry. What stands
//! here is all that leaves, so every text is fixed or names only what the caller sent as the
//! name of a parameter. All failures of authentication are one and the same answer.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

/// Seconds after which a caller may ask again while the device has not proven itself: about
/// what a daemon needs from its start to an open gate.
pub(crate) const CLOSED_RETRY_SECONDS: u64 = 2;

/// Why a request gets no answer. The codes are part of the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody who may ask. One face for every reason.
    Unauthenticated,
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
    /// All workers are at work.
    Busy {
        /// Seconds after which to ask again.
        retry_after: u64,
    },
    /// The gate is closed.
    DeviceNotProven,
    /// The worker of this request failed. The next request gets another one.
    WorkerFailed,
}

/// The parts of an error object that hang on the kind of refusal.
struct Face {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
}

const fn face(status: StatusCode, kind: &'static str, code: &'static str) -> Face {
    Face { status, kind, code }
}

/// The type of errors that the caller can mend.
const CALLER: &str = "invalid_request_error";
/// The type of errors that the caller cannot.
const SERVER: &str = "server_error";

impl Refusal {
    fn face(&self) -> Face {
        match self {
            Refusal::Unauthenticated => {
                face(StatusCode::UNAUTHORIZED, CALLER, "invalid_credentials")
            }
            Refusal::ForeignHost => face(StatusCode::FORBIDDEN, CALLER, "host_not_allowed"),
            Refusal::ForeignOrigin => face(StatusCode::FORBIDDEN, CALLER, "origin_not_allowed"),
            Refusal::NotFound => face(StatusCode::NOT_FOUND, CALLER, "not_found"),
            Refusal::MethodNotAllowed => {
                face(StatusCode::METHOD_NOT_ALLOWED, CALLER, "method_not_allowed")
            }
            Refusal::TokenNotFound => face(StatusCode::NOT_FOUND, CALLER, "token_not_found"),
            Refusal::ModelNotFound => face(StatusCode::NOT_FOUND, CALLER, "model_not_found"),
            Refusal::TranslationNotOffered => {
                face(StatusCode::NOT_FOUND, CALLER, "translation_not_offered")
            }
            Refusal::Missing { .. } => face(
                StatusCode::BAD_REQUEST,
                CALLER,
                "missing_required_parameter",
            ),
            Refusal::Invalid { .. } => face(StatusCode::BAD_REQUEST, CALLER, "invalid_value"),
            Refusal::UnsupportedLanguage { .. } => {
                face(StatusCode::BAD_REQUEST, CALLER, "unsupported_language")
            }
            Refusal::MalformedForm => face(StatusCode::BAD_REQUEST, CALLER, "malformed_form"),
            Refusal::MalformedBody => face(StatusCode::BAD_REQUEST, CALLER, "malformed_body"),
            Refusal::MalformedJson => face(StatusCode::BAD_REQUEST, CALLER, "malformed_json"),
            Refusal::UnsupportedMediaType => face(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                CALLER,
                "unsupported_media_type",
            ),
            Refusal::TooLarge => face(StatusCode::PAYLOAD_TOO_LARGE, CALLER, "too_large"),
            Refusal::TooSlow => face(StatusCode::REQUEST_TIMEOUT, CALLER, "request_timeout"),
            Refusal::InvalidAudio => face(StatusCode::BAD_REQUEST, CALLER, "invalid_audio"),
            Refusal::Busy { .. } => face(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "busy"),
            Refusal::DeviceNotProven => {
                face(StatusCode::SERVICE_UNAVAILABLE, SERVER, "device_not_proven")
            }
            Refusal::WorkerFailed => face(StatusCode::BAD_GATEWAY, SERVER, "worker_failed"),
        }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.face().status
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.face().code
    }

    /// The name of the parameter at fault.
    fn param(&self) -> Option<&'static str> {
        match self {
            Refusal::Missing { param }
            | Refusal::Invalid { param, .. }
            | Refusal::UnsupportedLanguage { param } => Some(param),
            Refusal::ModelNotFound => Some("model"),
            Refusal::InvalidAudio => Some("file"),
            _ => None,
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
            Refusal::UnsupportedLanguage { param } => format!(
                "The parameter '{param}' asks for a language that no model here understands: \
                 it must be English ('en')."
            ),
            other => other.fixed_message().to_owned(),
        }
    }

    fn fixed_message(&self) -> &'static str {
        match self {
            Refusal::Unauthenticated => {
                "You are not allowed to ask this. 'earnest run' starts a program with what it \
                 needs."
            }
            Refusal::ForeignHost => "The 'Host' of the request is not this device.",
            Refusal::ForeignOrigin => "Pages of other origins are not served.",
            Refusal::NotFound => "There is nothing at this address.",
            Refusal::MethodNotAllowed => "This address does not take this method.",
            Refusal::TokenNotFound => "There is no such token, or none any more.",
            Refusal::ModelNotFound => "There is no such model here; '/v1/models' has the list.",
            Refusal::TranslationNotOffered => "Translating is not offered.",
            Refusal::MalformedForm => "The body is not a well-formed multipart form.",
            Refusal::MalformedBody => "The body broke off.",
            Refusal::MalformedJson => "The body is not the JSON object that is expected here.",
            Refusal::UnsupportedMediaType => "The content type is not taken here.",
            Refusal::TooLarge => "The body is too large.",
            Refusal::TooSlow => "The body came too slowly.",
            Refusal::InvalidAudio => "The sound cannot be decoded.",
            Refusal::Busy { .. } => "All workers are busy. Please ask again soon.",
            Refusal::DeviceNotProven => {
                "The device has not proven itself, so nothing is served. 'earnest status' says \
                 why."
            }
            Refusal::WorkerFailed => "The worker of this request failed. Please ask again.",
            Refusal::Missing { .. }
            | Refusal::Invalid { .. }
            | Refusal::UnsupportedLanguage { .. } => "A parameter is wrong.",
        }
    }

    /// Seconds after which asking again makes sense.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Refusal::Busy { retry_after } => Some((*retry_after).max(1)),
            Refusal::DeviceNotProven => Some(CLOSED_RETRY_SECONDS),
            _ => None,
        }
    }

    /// The object that goes into a body, or into a stream that has begun.
    pub(crate) fn object(&self) -> ErrorObject {
        ErrorObject {
            error: ErrorDetail {
                message: self.message(),
                kind: self.face().kind.to_owned(),
                param: self.param().map(str::to_owned),
                code: Some(self.code().to_owned()),
            },
        }
    }

    /// The object on one line of JSON.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(&self.object()).expect("an object of strings always has a JSON form")
    }
}

/// OpenAI's error object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong, in OpenAI's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.json()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self == Refusal::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The middleware that records how a request ended reads the code from here.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(refusal: Refusal, status: u16, code: &str, param: Option<&str>) {
        let object = refusal.object().error;
        assert_eq!(refusal.status().as_u16(), status, "{refusal:?}");
        assert_eq!(object.code.as_deref(), Some(code));
        assert_eq!(object.param.as_deref(), param);
        assert!(!object.message.is_empty());
        let json: serde_json::Value =
            serde_json::from_str(&refusal.json()).expect("an error object is JSON");
        let members: Vec<_> = json["error"].as_object().into_iter().flatten().collect();
        assert_eq!(members.len(), 4, "{json}");
    }

    #[test]
    fn each_refusal_has_its_status_and_code() {
        check(Refusal::Unauthenticated, 401, "invalid_credentials", None);
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
        check(Refusal::DeviceNotProven, 503, "device_not_proven", None);
        check(Refusal::WorkerFailed, 502, "worker_failed", None);
    }

    #[test]
    fn who_may_ask_again_is_told_when() {
        let after = |refusal: Refusal| {
            let response = refusal.into_response();
            let value = response.headers().get(RETRY_AFTER).cloned();
            value.and_then(|value| value.to_str().ok().map(str::to_owned))
        };
        assert_eq!(
            after(Refusal::Busy { retry_after: 7 }).as_deref(),
            Some("7")
        );
        assert_eq!(
            after(Refusal::Busy { retry_after: 0 }).as_deref(),
            Some("1")
        );
        assert!(after(Refusal::DeviceNotProven).is_some());
        assert_eq!(after(Refusal::NotFound), None);
    }
}
