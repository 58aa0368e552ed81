//! Operators and auditors, with what they have on a telephone.

use std::sync::atomic::Ordering;
use std::time::Duration;

use earnest_endpoint::client::Client;

use crate::authenticator::Authenticator;
use crate::house::Daemon;

impl Daemon {
    /// Whoever runs this test gets a second factor.
    pub(crate) async fn enrolled(&self) -> Authenticator {
        let client = self.client();
        let shown = client.enrol().await.expect("a secret");
        let authenticator = Authenticator::new(&shown.secret);
        let code = authenticator.code(self.house.wall.now().as_secs());
        client.confirm(&code).await.expect("the right code");
        authenticator
    }

    /// A client that shows the next code. Time passes for it.
    pub(crate) fn with_code(&self, authenticator: &Authenticator) -> Client {
        let later = self.house.wall.now() + Duration::from_secs(30);
        self.house.wall.set(later);
        let code = authenticator.code(later.as_secs());
        self.client().with_second_factor(&code).expect("a code")
    }

    /// The disk is full after so many more saves.
    pub(crate) fn fail_after(&self, saves: usize) {
        self.house.saves.store(saves, Ordering::SeqCst);
    }
}
