//! Keeping a token alive: renewed at half its life, tried again while it lives.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

/// The pause after a renewal that failed: a daemon that starts anew is back by then.
const AGAIN: Duration = Duration::from_secs(2);

/// The shortest pause before a renewal, so that a daemon that says nonsense is not flooded.
const LEAST: Duration = Duration::from_secs(1);

/// How a token died.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate<E> {
    /// The daemon knows it no more.
    Gone,
    /// The daemon did not renew it in time; with the last reason.
    Expired(E),
}

/// Has `renew` renew a token that lives for `lifetime`, for as long as it lives, and gives its
/// fate. `renew` gives the new lifetime, or whether the token is gone and the reason.
pub(super) async fn keep<E, F>(lifetime: Duration, mut renew: impl FnMut() -> F) -> Fate<E>
where
    F: Future<Output = Result<Duration, (bool, E)>>,
{
    let mut lifetime = lifetime;
    loop {
        let ends = Instant::now() + lifetime;
        sleep((lifetime / 2).max(LEAST)).await;
        lifetime = loop {
            let (gone, error) = match renew().await {
                Ok(lifetime) => break lifetime,
                Err(refused) => refused,
            };
            if gone {
                return Fate::Gone;
            }
            if Instant::now() >= ends {
                return Fate::Expired(error);
            }
            sleep_until(ends.min(Instant::now() + AGAIN)).await;
        };
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const MINUTES: Duration = Duration::from_secs(300);

    /// Plays these answers to renewals, and gives the fate and the second of each renewal.
    async fn play(
        answers: Vec<Result<Duration, (bool, &'static str)>>,
    ) -> (Fate<&'static str>, Vec<u64>) {
        let start = Instant::now();
        let (answers, at) = (RefCell::new(answers.into_iter()), RefCell::new(Vec::new()));
        let fate = keep(MINUTES, || async {
            at.borrow_mut().push(start.elapsed().as_secs());
            let next = answers.borrow_mut().next();
            next.unwrap_or(Err((false, "nobody answers")))
        });
        let fate = fate.await;
        (fate, at.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_at_half_its_life() {
        let (fate, at) = play(vec![Ok(MINUTES), Ok(MINUTES), Err((true, "gone"))]).await;
        assert_eq!((fate, at), (Fate::Gone, vec![150, 300, 450]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_is_away_is_asked_again_while_the_token_lives() {
        let (fate, at) = play(vec![Err((false, "away")), Ok(MINUTES), Err((true, ""))]).await;
        assert_eq!((fate, at), (Fate::Gone, vec![150, 152, 302]));
        let (fate, at) = play(Vec::new()).await;
        assert_eq!(fate, Fate::Expired("nobody answers"));
        assert_eq!(at.last(), Some(&300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_of_no_time_floods_nobody() {
        let (_, at) = play(vec![
            Ok(Duration::ZERO),
            Ok(Duration::ZERO),
            Err((true, "")),
        ])
        .await;
        assert_eq!(at, [150, 151, 152]);
    }
}
