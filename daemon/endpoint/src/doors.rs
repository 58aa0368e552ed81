//! Requests as they come in over TLS, without the TLS: what a certificate or a browser's cookie
//! is good for, and where.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use earnest_anomaly::{Options, Watch};
use earnest_audit::{Log, SecretKey};
use earnest_gate::{Gate, Mode, Schedule, Status, UnsealedModel};
use earnest_policy::{
    AllowList, AnswerRules, AppId, AppLimits, Book, Fingerprint, NewApp, Origin, PinnedCertificate,
    Policy, ScopeName, ScopeSet,
};
use earnest_telemetry::{Clock, KeyKind, Telemetry, WallClock};
use earnest_traces::Traces;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::caller::Caller;
use crate::house::{
    AnchorError, AnchoredHead, AuditKeys, AuditKeysError, Certified, CertifyError, Doing, House,
    RotateError, SaveError, Serving,
};
use crate::limits::Limits;
use crate::models::ServedModel;
use crate::origin::Door;
use crate::router::router;
use crate::shared::{Parts, Shared};

#[path = "../tests/house/authenticator.rs"]
mod authenticator;

use authenticator::Authenticator;

const USER: u32 = 1000;
const CERTIFICATE: [u8; 32] = [7; 32];
const TLS: Door = Door::Port {
    number: 8473,
    tls: true,
};

/// A house with nothing in it.
struct Empty(Gate<Nothing>);

struct Nothing;

impl UnsealedModel for Nothing {
    fn package(&self) -> [u8; 32] {
        [7; 32]
    }
}

impl House for Empty {
    fn serving(&self) -> Option<Serving> {
        None
    }

    fn gate(&self) -> Status {
        self.0.status(Duration::ZERO)
    }

    fn sandbox(&self) -> Option<String> {
        None
    }

    fn save_state(&self) -> Doing<'_, Result<(), SaveError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn certify(&self, _: String, _: AppId) -> Doing<'_, Result<Certified, CertifyError>> {
        let error = CertifyError::Unavailable("an empty house".into());
        Box::pin(std::future::ready(Err(error)))
    }

    fn audit_keys(&self) -> Doing<'_, Result<AuditKeys, AuditKeysError>> {
        let error = AuditKeysError::Unavailable("an empty house".into());
        Box::pin(std::future::ready(Err(error)))
    }

    fn rotate(&self, _: Vec<KeyKind>, _: bool) -> Doing<'_, Result<Vec<KeyKind>, RotateError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn anchored(&self) -> Doing<'_, Result<Option<AnchoredHead>, AnchorError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

struct Daemon {
    router: Router,
    shared: Arc<Shared>,
    _folder: tempfile::TempDir,
}

impl Daemon {
    /// One whose application `notes` of [`USER`] has a certificate, and whose operator that is.
    fn new() -> Daemon {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::simulated(Duration::from_secs(100));
        let telemetry = Telemetry::new(clock.clone());
        let wall = WallClock::simulated(Duration::from_secs(1_800_000_000));
        let key = SecretKey::from_bytes(&[7; 32]).public();
        let audit_folder = folder.path().join("audit");
        let options = earnest_audit::Options::default();
        let opened = Log::open(&audit_folder, options, key, &telemetry, wall.clone());
        let policy = Policy::new(AllowList {
            apps: Vec::new(),
            operators: vec![USER],
            auditors: Vec::new(),
        });
        policy.load(book());
        let gate = Gate::new(Mode::Local, Schedule::default(), Duration::ZERO);
        let parts = Parts {
            policy: Arc::new(policy),
            telemetry,
            traces: Traces::new(clock, wall.clone()),
            wall,
            audit: opened.expect("a log").0,
            audit_folder,
            watch: Watch::new(Options::default()),
            house: Arc::new(Empty(gate)),
            live: None,
            model: ServedModel {
                id: "moonshine-tiny-en".to_owned(),
                owner: "useful-sensors".to_owned(),
                created: 0,
            },
            limits: Limits::default(),
            answers: AnswerRules::default(),
            origins: Vec::new(),
            version: "0.1.0".to_owned(),
        };
        let places = vec!["https://127.0.0.1:8473".to_owned()];
        let shared = Arc::new(Shared::new(parts, places));
        Daemon {
            router: router(&shared),
            shared,
            _folder: folder,
        }
    }

    /// Asks as `uid` through `door`, with these headers.
    async fn ask(
        &self,
        caller: (Door, u32, Option<[u8; 32]>),
        request: (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let (door, uid, certificate) = caller;
        let origin = match door {
            Door::Unix => Origin::Unix {
                uid,
                gid: uid,
                pid: None,
            },
            Door::Port { .. } | Door::Wyoming => Origin::Loopback { uid: Some(uid) },
        };
        let (method, path) = request;
        let mut asked = Request::builder().method(method).uri(path);
        asked = asked.header("host", "127.0.0.1:8473");
        for (name, value) in headers {
            asked = asked.header(*name, *value);
        }
        let mut asked = asked.body(Body::from(body.to_owned())).expect("a request");
        asked.extensions_mut().insert(Arc::new(Caller {
            origin,
            door,
            certificate,
        }));
        let answered = self.router.clone().oneshot(asked).await;
        answered.expect("the router always answers")
    }
}

fn book() -> Book {
    let mut book = Book::default();
    let name: AppId = "notes".parse().expect("a name");
    let app = NewApp {
        name: name.clone(),
        uids: vec![USER],
        scopes: [ScopeName::Vad, ScopeName::Transcribe, ScopeName::Listen]
            .into_iter()
            .collect::<ScopeSet>(),
        limits: AppLimits::default(),
        commands: None,
        audience: None,
    };
    book.register(app, 1_700_000_000).expect("there is room");
    let pinned = PinnedCertificate {
        fingerprint: Fingerprint(CERTIFICATE),
        not_after: 1_900_000_000,
    };
    book.certify(&name, pinned, 1_700_000_000)
        .expect("there is room");
    book
}

async fn text(response: Response) -> String {
    let body = response.into_body().collect().await.expect("a whole body");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

#[tokio::test]
async fn a_token_of_a_certificate_is_worth_nothing_without_it() {
    let daemon = Daemon::new();
    let json = [("content-type", "application/json")];
    let issue = ("POST", "/v1/token");
    let asked = r#"{"app":"notes"}"#;
    // Over TLS without a certificate there is nobody to give a token to.
    let answer = daemon.ask((TLS, USER, None), issue, &json, asked).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let certified = (TLS, USER, Some(CERTIFICATE));
    let answer = daemon.ask(certified, issue, &json, asked).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let token: serde_json::Value = serde_json::from_str(&text(answer).await).expect("JSON");
    assert_eq!(token["base_url"], "https://127.0.0.1:8473/v1");
    let bearer = format!("Bearer {}", token["token"].as_str().expect("a token"));
    let shown = [("authorization", bearer.as_str())];
    let models = ("GET", "/v1/models");
    for (caller, expected) in [
        ((TLS, USER, Some(CERTIFICATE)), StatusCode::OK),
        ((TLS, USER, None), StatusCode::UNAUTHORIZED),
        ((TLS, USER, Some([8; 32])), StatusCode::UNAUTHORIZED),
        ((TLS, USER + 1, Some(CERTIFICATE)), StatusCode::UNAUTHORIZED),
    ] {
        let answer = daemon.ask(caller, models, &shown, "").await;
        assert_eq!(answer.status(), expected, "{caller:?}");
    }
    // The certificate by itself suffices, for a user of the application.
    assert_eq!(
        daemon.ask(certified, models, &[], "").await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_link_opens_once_for_its_user_and_its_cookie_lets_see_and_no_more() {
    let daemon = Daemon::new();
    let path = format!("/open?code={}", link(&daemon.shared));
    let of_user = (TLS, USER, None);
    let answer = daemon.ask(of_user, ("GET", &path), &[], "").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["location"], "/");
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    assert!(cookie.starts_with("__Host-earnest=") && cookie.contains("; SameSite=Strict"));
    assert!(cookie.contains("; Secure; HttpOnly") && cookie.contains("; Path=/"));
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    // Once.
    let again = daemon.ask(of_user, ("GET", &path), &[], "").await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    let shown = [("cookie", cookie.as_str())];
    let page = daemon.ask(of_user, ("GET", "/"), &shown, "").await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str();
    assert!(policy.expect("text").starts_with("default-src 'none'"));
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert!(text(page).await.contains("notes"));
    let style = daemon
        .ask(of_user, ("GET", "/status.css"), &shown, "")
        .await;
    assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
    // In other hands, and for anything but seeing, it is nothing.
    let other = (TLS, USER + 1, None);
    let stolen = daemon.ask(other, ("GET", "/"), &shown, "").await;
    assert_eq!(stolen.status(), StatusCode::UNAUTHORIZED);
    for (method, path) in [("POST", "/v1/apps"), ("GET", "/v1/audit")] {
        let answer = daemon.ask(of_user, (method, path), &shown, "").await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let models = daemon.ask(of_user, ("GET", "/v1/models"), &shown, "").await;
    assert_eq!(models.status(), StatusCode::UNAUTHORIZED);
    let bare = daemon.ask(of_user, ("GET", "/"), &[], "").await;
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_link_for_captions_lets_listen_as_its_application_and_do_nothing_else() {
    let daemon = Daemon::new();
    let json = ("content-type", "application/json");
    let links = ("POST", "/v1/browser-links");
    let asked = r#"{"purpose":"captions"}"#;
    let unix = (Door::Unix, USER, None);
    let answer = daemon.ask(unix, links, &[json], asked).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let link: serde_json::Value = serde_json::from_str(&text(answer).await).expect("JSON");
    let url = link["url"].as_str().expect("a link");
    let path = url.strip_prefix("https://127.0.0.1:8473").expect("ours");
    let of_user = (TLS, USER, None);
    let answer = daemon.ask(of_user, ("GET", path), &[], "").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["location"], "/captions");
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let shown = [("cookie", cookie.as_str())];
    for (path, expected) in [
        ("/captions", StatusCode::OK),
        ("/captions.css", StatusCode::OK),
        ("/captions.js", StatusCode::OK),
        ("/v1/microphone", StatusCode::OK),
        // It got as far as the gate, which is closed.
        ("/v1/listen", StatusCode::SERVICE_UNAVAILABLE),
        ("/v1/listen/commands", StatusCode::UNAUTHORIZED),
        ("/v1/models", StatusCode::UNAUTHORIZED),
        ("/", StatusCode::UNAUTHORIZED),
        ("/status.css", StatusCode::UNAUTHORIZED),
        ("/v1/status", StatusCode::UNAUTHORIZED),
    ] {
        let answer = daemon.ask(of_user, ("GET", path), &shown, "").await;
        assert_eq!(answer.status(), expected, "{path}");
    }
    // While the book is sealed the page is still there, to say why nothing is heard.
    assert!(daemon.shared.policy.forget());
    let page = daemon.ask(of_user, ("GET", "/captions"), &shown, "").await;
    assert_eq!(page.status(), StatusCode::OK);
    let listening = daemon.ask(of_user, ("GET", "/v1/listen"), &shown, "").await;
    assert_eq!(listening.status(), StatusCode::SERVICE_UNAVAILABLE);
    // In other hands it is nothing, and without it there is nothing.
    let other = (TLS, USER + 1, None);
    for (caller, headers) in [(of_user, &[][..]), (other, &shown)] {
        let answer = daemon.ask(caller, ("GET", "/captions"), headers, "").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{caller:?}");
    }
    daemon.shared.policy.load(book());
    // The page may mute, and what it sends has its origin; it may not unmute.
    let put = ("PUT", "/v1/microphone");
    let own = ("origin", "https://127.0.0.1:8473");
    let headers = [shown[0], json, own];
    let muted = daemon
        .ask(of_user, put, &headers, r#"{"muted":true}"#)
        .await;
    // There is no microphone, which is found out after leave was given.
    assert_eq!(muted.status(), StatusCode::CONFLICT);
    let unmuted = daemon
        .ask(of_user, put, &headers, r#"{"muted":false}"#)
        .await;
    assert_eq!(unmuted.status(), StatusCode::UNAUTHORIZED);
    let foreign = [shown[0], json, ("origin", "https://127.0.0.1:8474")];
    let muted = daemon
        .ask(of_user, put, &foreign, r#"{"muted":true}"#)
        .await;
    assert_eq!(muted.status(), StatusCode::FORBIDDEN);
    // And no page gets another link.
    let again = daemon.ask(of_user, links, &headers, asked).await;
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
}

/// The code of a link for [`USER`], as its second factor gets one.
fn link(shared: &Shared) -> String {
    let origin = Origin::Unix {
        uid: USER,
        gid: USER,
        pid: None,
    };
    let (now, wall) = (shared.now(), shared.wall.now());
    let applicant = earnest_policy::Applicant::new(origin, now, wall);
    let see = shared.policy.permit::<earnest_policy::See>(&applicant);
    let see = see.expect("an operator");
    let shown = shared.policy.enrol(&see, &applicant).expect("a secret");
    let authenticator = Authenticator::new(shown.secret());
    let code = authenticator.code(wall.as_secs());
    let _changed = shared
        .policy
        .confirm(&see, &code, now, wall)
        .expect("right");
    let later = wall + Duration::from_secs(30);
    shared.wall.set(later);
    let code = authenticator.code(later.as_secs());
    let applicant = earnest_policy::Applicant {
        second_factor: Some(&code),
        ..earnest_policy::Applicant::new(origin, now, later)
    };
    let browse = shared.policy.permit(&applicant).expect("a code");
    let link = shared.policy.link(&browse, now).expect("a link");
    link.code.expose().to_owned()
}

#[tokio::test]
async fn a_span_tells_the_route_and_no_name() {
    let daemon = Daemon::new();
    let certified = (TLS, USER, Some(CERTIFICATE));
    let answer = daemon
        .ask(certified, ("GET", "/v1/models/secret-name"), &[], "")
        .await;
    text(answer).await;
    let batch = daemon.shared.traces.batch().expect("a span");
    let bytes = String::from_utf8_lossy(&batch.body).into_owned();
    assert!(bytes.contains("/v1/models/{model}"), "{bytes}");
    assert!(!bytes.contains("secret-name") && !bytes.contains("notes"));
}
