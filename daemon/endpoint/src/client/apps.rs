//! What operators ask of applications and command lists.

use http::Method;

use super::{Client, ClientError, segment};
use crate::shapes::{
    AppEntry, AppRequest, AppsAnswer, CertificateAnswer, CertificateRequest, CommandListEntry,
    CommandListRequest, CommandListsAnswer,
};

impl Client {
    /// All registered applications. For operators and auditors.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn apps(&self) -> Result<Vec<AppEntry>, ClientError> {
        Ok(self.get::<AppsAnswer>("/v1/apps").await?.apps)
    }

    /// Registers an application, or changes one. With a second factor.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn add_app(&self, request: &AppRequest) -> Result<AppEntry, ClientError> {
        self.send_json(Method::POST, "/v1/apps", request).await
    }

    /// Takes everything from an application that it may do. With a second factor.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn revoke_app(&self, name: &str) -> Result<(), ClientError> {
        let name = segment(name, "name of an application")?;
        self.delete(&format!("/v1/apps/{name}")).await
    }

    /// Has a certificate signed for an application, and pinned to it. `request` is a
    /// certificate signing request in PEM. With a second factor.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn certify_app(
        &self,
        name: &str,
        request: &str,
    ) -> Result<CertificateAnswer, ClientError> {
        let name = segment(name, "name of an application")?;
        let request = CertificateRequest {
            request: request.to_owned(),
        };
        let path = format!("/v1/apps/{name}/certificates");
        self.send_json(Method::POST, &path, &request).await
    }

    /// All command lists. For operators and auditors.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn command_lists(&self) -> Result<Vec<CommandListEntry>, ClientError> {
        let answer: CommandListsAnswer = self.get("/v1/command-lists").await?;
        Ok(answer.lists)
    }

    /// Enrols a command list in the place of what is there. With a second factor.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn put_command_list(
        &self,
        name: &str,
        list: &CommandListRequest,
    ) -> Result<(), ClientError> {
        let name = segment(name, "name of a command list")?;
        let path = format!("/v1/command-lists/{name}");
        self.tell(Method::PUT, &path, list).await.map(drop)
    }

    /// Removes a command list. With a second factor.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses: a list that an application is held to stays.
    pub async fn remove_command_list(&self, name: &str) -> Result<(), ClientError> {
        let name = segment(name, "name of a command list")?;
        self.delete(&format!("/v1/command-lists/{name}")).await
    }
}
