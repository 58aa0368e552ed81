//! What operators and auditors may see.

use super::{Client, ClientError};
use crate::shapes::{AlertEntry, AlertsAnswer, ReportAnswer, ReviewAnswer};
use crate::status::StatusReport;

impl Client {
    /// How the daemon fares.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn status(&self) -> Result<StatusReport, ClientError> {
        self.get("/v1/status").await
    }

    /// Alerts that stand, the gravest first.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn alerts(&self) -> Result<Vec<AlertEntry>, ClientError> {
        Ok(self.get::<AlertsAnswer>("/v1/alerts").await?.alerts)
    }

    /// Who may do what, when it was last used, and what to revoke.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn access_review(&self) -> Result<ReviewAnswer, ClientError> {
        self.get("/v1/access-review").await
    }

    /// What the device did, in counts.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn report(&self) -> Result<ReportAnswer, ClientError> {
        self.get("/v1/report").await
    }
}
