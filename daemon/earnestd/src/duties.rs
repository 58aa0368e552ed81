//! What is done now and then while the daemon serves: state is saved, keys whose time is over are
//! replaced, and the audit log's head is measured.

use std::sync::Arc;
use std::time::Duration;

use earnest_anomaly::{Alert, Watch};
use earnest_audit::Log;
use earnest_evidence::measured::Head;
use earnest_policy::{Policy, Unsaved};
use earnest_telemetry::{AlertLevel, Clock, KeyKind};
use tokio::time::sleep;

use crate::device::DeviceGround;
use crate::gatehouse::Gatehouse;
use crate::ground::Keeper;
use crate::kept::Kept;
use crate::rotation::Rotation;

/// How often it is looked at what is due.
const LOOK: Duration = Duration::from_secs(15);

/// How often, and how many times, until what the start wrote is measured: a log that is cut soon
/// after a start is told, too.
const EARLY: Duration = Duration::from_secs(1);
const EARLY_LOOKS: u32 = 30;

/// How often times of use and what is usual are saved: what is lost by a crash is at most this.
const SAVE: Duration = Duration::from_secs(600);

/// How long measuring may take: slow TPMs take a second.
const MEASURING: Duration = Duration::from_secs(30);

/// What is done now and then.
pub struct Duties {
    /// How often the audit log's head is measured.
    pub anchor: Duration,
    /// How often tokens get another signing key.
    pub tokens: Duration,
    /// What is saved.
    pub kept: Arc<Kept>,
    /// Whose times of use are saved.
    pub policy: Arc<Policy>,
    /// Whose alerts end.
    pub watch: Watch,
    /// What rotates keys.
    pub rotation: Arc<Rotation>,
    /// Whose head is measured.
    pub log: Log,
    /// Where it is noted that it was measured.
    pub gatehouse: Arc<Gatehouse>,
    /// Who measures it.
    pub keeper: Keeper<DeviceGround>,
    /// By which intervals go.
    pub clock: Clock,
}

impl Duties {
    /// Does them for as long as somebody waits for it.
    pub async fn run(self) {
        let mut soon = EARLY_LOOKS;
        let start = self.clock.now();
        let (mut saved, mut signed) = (start, start);
        let mut shut_out = 0;
        let mut anchored: Option<(Duration, Head)> = None;
        // What the run before wrote is measured with what this one writes first.
        let found = self.log.head().sequence;
        loop {
            let is_early = anchored.is_none() && soon > 0;
            soon -= u32::from(is_early);
            sleep(if is_early { EARLY } else { LOOK }).await;
            let now = self.clock.now();
            let more = self.shut_out(now);
            // A restart lets nobody in again who was shut out.
            if more > shut_out {
                self.kept.save_baselines().await;
            }
            shut_out = more;
            if now.saturating_sub(saved) >= SAVE {
                self.save().await;
                saved = now;
            }
            if now.saturating_sub(signed) >= self.tokens {
                self.sign_anew().await;
                signed = now;
            }
            self.rotation.tend().await;
            let is_due = anchored.is_none_or(|(at, _)| now.saturating_sub(at) >= self.anchor);
            let is_due = is_due && self.log.head().sequence > found;
            if is_due && let Some(head) = self.measure(anchored.map(|(_, head)| head)).await {
                anchored = Some((now, head));
            }
        }
    }

    /// Has alerts end that are over, and counts who is shut out.
    fn shut_out(&self, now: Duration) -> usize {
        for alert in self.watch.tick(now) {
            tracing::info!(alert = alert.id, "an alert is over");
        }
        let alerts = self.watch.alerts();
        let is_shut_out = |alert: &&Alert| {
            alert.ended_milliseconds.is_none() && alert.level == AlertLevel::Quarantine
        };
        alerts.iter().filter(is_shut_out).count()
    }

    async fn save(&self) {
        if self.policy.unsaved() > Unsaved::Nothing
            && let Err(error) = self.kept.save_book().await
        {
            tracing::warn!(%error, "times of use cannot be saved");
        }
        self.kept.save_baselines().await;
    }

    async fn sign_anew(&self) {
        if let Err(error) = self.rotation.rotate(vec![KeyKind::Tokens], false).await {
            tracing::warn!(%error, "tokens are signed by the key of before");
        }
    }

    /// Measures the head, unless it is where it was. Gives the head that the TPM now holds the
    /// log to; nothing where it could not be measured, so that it is tried again soon.
    async fn measure(&self, before: Option<Head>) -> Option<Head> {
        let head = self.log.head();
        let head = Head::new(head.sequence, head.digest.0);
        if before == Some(head) {
            return Some(head);
        }
        let anchor = move |ground: &mut DeviceGround| ground.anchor(head);
        match self.keeper.ask(MEASURING, anchor).await {
            Ok(()) => {
                self.gatehouse.note_anchor();
                tracing::info!(entry = head.sequence(), "the audit log's head is measured");
                Some(head)
            }
            Err(error) => {
                tracing::warn!(%error, "the audit log's head could not be measured");
                None
            }
        }
    }
}
