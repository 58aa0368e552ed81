//! Requests as any client would send them.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::contract::hold;
use crate::house::Daemon;

/// Longer than anything takes even on a machine that builds at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Status and code of a refusal, of which everything is checked that all have.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let error = &self.json()["error"];
        assert!(error["message"].is_string(), "{self:?}");
        assert!(error["type"].is_string(), "{self:?}");
        assert!(error.get("param").is_some(), "{self:?}");
        assert_eq!(self.headers["content-type"], "application/json");
        assert!(self.headers.contains_key("x-request-id"), "{self:?}");
        let code = error["code"].as_str().expect("a code");
        (self.status, code.to_owned())
    }

    /// The body of a refusal without the number of its request, which is in both places.
    pub(crate) fn face(&self) -> String {
        let id = self.json()["error"]["request_id"].clone();
        let id = id.as_str().expect("a number");
        assert_eq!(id, self.header("x-request-id"));
        self.body.replace(id, "")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.expect("the header").expect("text")
    }
}

/// Sends a request over a stream, and gives the answer's head.
pub(crate) async fn send<B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<B>,
) -> http::Response<Incoming>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("a connection");
    tokio::spawn(connection);
    let answered = timeout(PATIENCE, sender.send_request(request)).await;
    answered.expect("in time").expect("an answer")
}

/// Reads an answer to its end.
pub(crate) async fn whole(response: http::Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect()).await.expect("in time");
    let body = body.expect("a whole body").to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}

/// Asks, and holds the answer to the document.
async fn held(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Answer {
    let (method, path) = (request.method().to_string(), request.uri().to_string());
    let answer = whole(send(stream, request).await).await;
    hold(&method, &path, &answer);
    answer
}

impl Daemon {
    /// A connection to the Unix socket.
    pub(crate) async fn unix(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).await;
        stream.expect("the daemon listens")
    }

    /// A connection to the port of clear text.
    pub(crate) async fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await;
        stream.expect("the daemon listens")
    }

    /// Asks over the Unix socket.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Answer {
        held(self.unix().await, request).await
    }

    /// Asks over the port of clear text.
    pub(crate) async fn ask_port(&self, request: Request<Full<Bytes>>) -> Answer {
        held(self.tcp().await, request).await
    }

    /// Uploads a form over the Unix socket.
    pub(crate) async fn upload(&self, parts: &[(&str, &str)]) -> Answer {
        self.ask(upload(parts)).await
    }

    /// Waits until something was recorded, and fails when it never is.
    pub(crate) async fn recorded(&self, text: &str) {
        let waiting = async {
            while !self.events().iter().any(|event| event.contains(text)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let recorded = timeout(PATIENCE, waiting).await;
        assert!(recorded.is_ok(), "no {text} in {:#?}", self.events());
    }

    /// Waits until no job is at work any more.
    pub(crate) async fn at_rest(&self) {
        let pool = self.house.pool().expect("a pool");
        let waiting = async {
            while pool.status().working > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let rested = timeout(PATIENCE, waiting).await;
        assert!(rested.is_ok(), "still at work: {:?}", pool.status());
    }
}

/// A request with a body.
pub(crate) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).expect("a request")
}

/// A request without a body.
pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    request("GET", path, &[], "")
}

/// The content type of [`form`].
pub(crate) const FORM: &str = "multipart/form-data; boundary=XX";

/// A multipart form of these parts, in this order.
pub(crate) fn form(parts: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (name, value) in parts {
        let file = match *name {
            "file" => "; filename=\"speech.wav\"\r\nContent-Type: audio/wav",
            _ => "",
        };
        form.push_str(&format!(
            "--XX\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
        ));
    }
    form.push_str("--XX--\r\n");
    form
}

/// A request for a transcript.
pub(crate) fn upload(parts: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let headers = [("content-type", FORM)];
    request("POST", "/v1/audio/transcriptions", &headers, form(parts))
}

/// Writes bytes as they are, and reads until the other side closes.
pub(crate) async fn raw(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.expect("the daemon reads");
    let mut answer = Vec::new();
    let reading = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A connection that is cut may end with an error, and what came before counts.
    let _ = reading.expect("the daemon closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The statuses that mean that the daemon is at fault.
pub(crate) fn is_server_error(status: u16) -> bool {
    StatusCode::from_u16(status).is_ok_and(|status| status.is_server_error())
}
