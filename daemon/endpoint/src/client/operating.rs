//! What operators do beside applications: their own second factor, keys, alerts, the browser.

use http::Method;

use super::{Client, ClientError};
use crate::shapes::{
    ConfirmRequest, EnrolAnswer, KeyKind, LinkAnswer, RotateAnswer, RotateRequest,
};

impl Client {
    /// Asks for a secret for an authenticator, which counts once it is confirmed. Who has one
    /// already shows its code.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn enrol(&self) -> Result<EnrolAnswer, ClientError> {
        self.post("/v1/operators/enrol").await
    }

    /// Confirms the secret by a code of it.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn confirm(&self, code: &str) -> Result<(), ClientError> {
        let request = ConfirmRequest {
            code: code.to_owned(),
        };
        let told = self.tell(Method::POST, "/v1/operators/confirm", &request);
        told.await.map(drop)
    }

    /// Rotates keys, and says which. `now` ends at once what the earlier ones vouched for. With
    /// a second factor.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn rotate_keys(
        &self,
        which: KeyKind,
        now: bool,
    ) -> Result<RotateAnswer, ClientError> {
        let request = RotateRequest { which, now };
        self.send_json(Method::POST, "/v1/keys/rotate", &request)
            .await
    }

    /// Lets whom an alert is about work again. With a second factor.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn release(&self, alert: u64) -> Result<(), ClientError> {
        let path = format!("/v1/alerts/{alert}/release");
        let request = self.request(Method::POST, &path, Default::default())?;
        self.ask(request, &[]).await.map(drop)
    }

    /// Asks for a way in with a browser, once. With a second factor.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn browser_link(&self) -> Result<LinkAnswer, ClientError> {
        self.post("/v1/browser-links").await
    }
}
