//! A listener's end.

use std::fmt;

use crate::Hearing;

/// Most that waits for a listener, besides the last partial and the last level: minutes of
/// speech. Who is further behind is not reading.
pub const MOST_WAITING: usize = 256;

/// Gives what is heard. Dropping it ends listening.
pub struct Listener {
    over: bool,
}

impl Listener {
    /// What is heard next; none after [`Hearing::Ended`]. May be cancelled and called again.
    pub async fn next(&mut self) -> Option<Hearing> {
        let _ = self.over;
        None
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Listener").finish_non_exhaustive()
    }
}
