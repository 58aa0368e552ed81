//! The client that `earnest` itself uses: HTTP over the daemon's Unix socket.
//!
//! Each call is a connection of its own, which is cheap on a Unix socket and leaves nothing
//! behind. What the daemon says is bounded here, too: an answer is read up to a limit, a line up
//! to another.
//!
//! ```no_run
//! use earnest_endpoint::client::{Client, Kind, StreamOptions};
//! use earnest_endpoint::StreamLine;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("/run/earnest/earnest.sock");
//! println!("{:?}", client.status().await?.gate);
//! let options = StreamOptions { kind: Kind::File, words: false };
//! let mut lines = client.stream(options, tokio::io::stdin()).await?;
//! while let Some(line) = lines.next().await? {
//!     if let StreamLine::Segment(segment) = line {
//!         println!("{}", segment.text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod apps;
mod error;
mod lines;
mod listening;
mod operating;
mod seeing;
mod upload;
mod watching;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;
use tokio::net::UnixStream;
use tokio::time::timeout;

pub use error::ClientError;
pub use lines::Lines;
pub use listening::{ListenEvents, ListenFor};
pub use upload::{Kind, StreamOptions};
pub use watching::AuditLines;

use crate::answer::encode;
use crate::refusal::ErrorObject;
use crate::router::{Health, UpOrDown};
use crate::shapes::{RenewAnswer, TokenAnswer, TokenRequest};

/// Most bytes of an answer that is read at once. A status with all its events has less than a
/// tenth of it, a transcript of a day about a megabyte.
const ANSWER_BYTES: usize = 8 << 20;

/// How long the daemon may take for what needs no model.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The certificate of the device's authority, which the daemon writes beside its socket.
pub const AUTHORITY_FILE: &str = "authority.pem";

/// The code of an authenticator, for what operators and auditors do.
pub(crate) const SECOND_FACTOR: HeaderName = HeaderName::from_static("earnest-second-factor");

/// Asks the daemon behind one Unix socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    token: Option<HeaderValue>,
    second_factor: Option<HeaderValue>,
}

/// A fault of a body that is sent: reading its source failed.
type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    /// A client of the daemon at this socket. Nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Client {
        Client {
            socket: socket.into(),
            token: None,
            second_factor: None,
        }
    }

    /// The same client, showing a token: its requests are of that token's application.
    ///
    /// # Errors
    ///
    /// When the token is none that a header can carry.
    pub fn with_token(self, token: &str) -> Result<Client, ClientError> {
        Ok(Client {
            token: Some(authorization(token)?),
            ..self
        })
    }

    /// The same client, showing the code of an authenticator. A code is good for one request.
    ///
    /// # Errors
    ///
    /// When the code is none that a header can carry.
    pub fn with_second_factor(self, code: &str) -> Result<Client, ClientError> {
        let code = HeaderValue::from_str(code);
        let mut code = code.map_err(|_| ClientError::Malformed { what: "code" })?;
        code.set_sensitive(true);
        Ok(Client {
            second_factor: Some(code),
            ..self
        })
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the daemon serves. It may run and not serve.
    ///
    /// # Errors
    ///
    /// When no daemon answers.
    pub async fn is_up(&self) -> Result<bool, ClientError> {
        let request = self.request(Method::GET, "/health", Full::default())?;
        let (_, bytes) = self
            .ask(request, &[StatusCode::SERVICE_UNAVAILABLE])
            .await?;
        Ok(parse::<Health>(&bytes)?.status == UpOrDown::Up)
    }

    /// The names of the model that is served, its own first.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses: who may not transcribe is not told.
    pub async fn models(&self) -> Result<Vec<String>, ClientError> {
        let list: ModelNames = self.get("/v1/models").await?;
        Ok(list.data.into_iter().map(|model| model.id).collect())
    }

    /// Asks for a token for the application `app`.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn issue_token(&self, app: &str) -> Result<TokenAnswer, ClientError> {
        self.issue_token_for(&TokenRequest::of(app)).await
    }

    /// Asks for a token, for some of what the application may do, or for another audience.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn issue_token_for(
        &self,
        request: &TokenRequest,
    ) -> Result<TokenAnswer, ClientError> {
        self.send_json(Method::POST, "/v1/token", request).await
    }

    /// Lets a token last longer, from now for the policy's lifetime, which it returns.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses: a token that has expired is refused with the code
    /// `token_not_found`, and another one must be asked for.
    pub async fn renew_token(&self, token: &str) -> Result<Duration, ClientError> {
        let mut request = self.request(Method::POST, "/v1/token/renew", Full::default())?;
        request
            .headers_mut()
            .insert(AUTHORIZATION, authorization(token)?);
        let answer: RenewAnswer = parse(&self.ask(request, &[]).await?.1)?;
        Ok(Duration::from_secs(answer.expires_in))
    }

    /// Gives a token back.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn revoke_token(&self, token: &str) -> Result<(), ClientError> {
        let mut request = self.request(Method::DELETE, "/v1/token", Full::default())?;
        request
            .headers_mut()
            .insert(AUTHORIZATION, authorization(token)?);
        self.ask(request, &[]).await.map(drop)
    }

    /// Sends sound as it is read, and gives lines as segments end: for `earnest transcribe`.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses. What goes wrong later is told by the lines.
    pub async fn stream(
        &self,
        options: StreamOptions,
        sound: impl AsyncRead + Send + 'static,
    ) -> Result<Lines, ClientError> {
        let mut request = self.request(Method::POST, &options.path(), upload::body(sound))?;
        let kind = HeaderValue::from_static(options.content_type());
        request.headers_mut().insert(CONTENT_TYPE, kind);
        let response = self.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(refused(response).await);
        }
        Ok(Lines::new(response.into_body()))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.request(Method::GET, path, Full::default())?;
        parse(&self.ask(request, &[]).await?.1)
    }

    /// Without a body, for an answer.
    async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.request(Method::POST, path, Full::default())?;
        parse(&self.ask(request, &[]).await?.1)
    }

    async fn send_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        object: &impl Serialize,
    ) -> Result<T, ClientError> {
        parse(&self.tell(method, path, object).await?)
    }

    /// As [`Client::send_json`], for what has no answer but that it is done.
    async fn tell(
        &self,
        method: Method,
        path: &str,
        object: &impl Serialize,
    ) -> Result<Bytes, ClientError> {
        let body = Full::new(Bytes::from(encode(object)));
        let mut request = self.request(method, path, body)?;
        let kind = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        Ok(self.ask(request, &[]).await?.1)
    }

    async fn delete(&self, path: &str) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, path, Full::default())?;
        self.ask(request, &[]).await.map(drop)
    }

    fn request<B>(&self, method: Method, path: &str, body: B) -> Result<Request<B>, ClientError> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| ClientError::Malformed {
            what: "path of a request",
        })?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        if let Some(code) = &self.second_factor {
            headers.insert(SECOND_FACTOR, code.clone());
        }
        Ok(request)
    }

    /// A whole answer, if its status is a success or `also`.
    async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        also: &[StatusCode],
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let asking = async {
            let response = self.send(request).await?;
            let status = response.status();
            match status.is_success() || also.contains(&status) {
                true => Ok((status, collect(response.into_body()).await?)),
                false => Err(refused(response).await),
            }
        };
        let answered = timeout(ANSWER_TIME, asking).await;
        answered.unwrap_or(Err(ClientError::Late { limit: ANSWER_TIME }))
    }

    async fn send<B>(&self, request: Request<B>) -> Result<http::Response<Incoming>, ClientError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|source| ClientError::Connect {
            path: self.socket.clone(),
            source,
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(ClientError::broken)?;
        // It ends with the answer: nobody sends a second request.
        tokio::spawn(async move {
            // A broken connection is told by the answer.
            let _ = connection.await;
        });
        sender
            .send_request(request.map(|body| body.map_err(Into::into).boxed_unsync()))
            .await
            .map_err(ClientError::broken)
    }
}

/// OpenAI's list of models, of which names matter here.
#[derive(Deserialize)]
struct ModelNames {
    data: Vec<ModelName>,
}

#[derive(Deserialize)]
struct ModelName {
    id: String,
}

/// A name as a part of a path, if it may stand there: the names of applications and lists may.
fn segment<'a>(name: &'a str, what: &'static str) -> Result<&'a str, ClientError> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    let is_dots = matches!(name, "." | "..");
    match !name.is_empty() && !is_dots && name.bytes().all(plain) {
        true => Ok(name),
        false => Err(ClientError::Malformed { what }),
    }
}

fn authorization(token: &str) -> Result<HeaderValue, ClientError> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.map_err(|_| ClientError::Malformed { what: "token" })?;
    value.set_sensitive(true);
    Ok(value)
}

async fn collect(body: Incoming) -> Result<Bytes, ClientError> {
    let collected = Limited::new(body, ANSWER_BYTES).collect().await;
    let collected = collected.map_err(|source| ClientError::Broken { source })?;
    Ok(collected.to_bytes())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|_| ClientError::Malformed { what: "answer" })
}

async fn refused(response: http::Response<Incoming>) -> ClientError {
    let status = response.status().as_u16();
    let (head, body) = response.into_parts();
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after = text("retry-after").and_then(|seconds| seconds.parse().ok());
    let request_id = text("x-request-id").map(str::to_owned);
    let object = match collect(body).await {
        Ok(bytes) => parse::<ErrorObject>(&bytes),
        Err(error) => return error,
    };
    match object {
        Ok(object) => ClientError::Refused {
            status,
            error: Box::new(object.error),
            request_id,
            retry_after: retry_after.map(Duration::from_secs),
        },
        Err(error) => error,
    }
}
