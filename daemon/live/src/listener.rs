//! A listener's end.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::ears::Ears;
use crate::mailbox::Mailbox;
use crate::{Ending, Hearing};

/// Most that waits for a listener, besides the last partial and the last level: minutes of
/// speech. Who is further behind is not reading.
pub const MOST_WAITING: usize = 256;

/// Gives what is heard. Dropping it ends listening.
pub struct Listener {
    pub(crate) mailbox: Arc<Mailbox>,
    /// By whose leave it listens.
    pub(crate) ears: Arc<dyn Ears>,
    /// Tells the microphone that somebody left.
    pub(crate) left: Arc<Notify>,
}

impl Listener {
    /// What is heard next; none after [`Hearing::Ended`]. May be cancelled and called again.
    ///
    /// Once the gate has closed, what was heard before is not given out any more.
    pub async fn next(&mut self) -> Option<Hearing> {
        let hearing = self.mailbox.take().await?;
        if self.ears.holds() {
            return Some(hearing);
        }
        self.mailbox.abandon();
        Some(Hearing::Ended(Ending::GateClosed))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.mailbox.abandon();
        self.left.notify_one();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Listener")
            .field("over", &self.mailbox.is_over())
            .finish_non_exhaustive()
    }
}
