use std::time::Duration;

use earnest_policy::{AllowList, AppLimits, NewApp, ScopeName, ScopeSet};
use tempfile::TempDir;

use super::*;

/// A state in a folder, closed.
fn kept(folder: &TempDir) -> (Kept, Arc<Policy>) {
    let policy = Arc::new(Policy::new(AllowList::default()));
    let watch = Watch::new(earnest_anomaly::Options::default());
    let clock = Clock::simulated(Duration::from_secs(1000));
    let kept = Kept::new(folder.path(), Arc::clone(&policy), watch, clock);
    (kept.unwrap(), policy)
}

fn key(byte: u8) -> Secret {
    Secret::new([byte; 32])
}

/// Registers an app, as an operator would.
fn register(policy: &Policy, name: &str) {
    let mut book = policy.book().unwrap();
    let app = NewApp {
        name: name.parse().unwrap(),
        uids: vec![1000],
        scopes: ScopeSet::NONE.with(ScopeName::Vad),
        limits: AppLimits::default(),
        commands: None,
        audience: None,
    };
    book.register(app, 1_700_000_000).unwrap();
    policy.load(book);
}

fn apps(policy: &Policy) -> Vec<String> {
    let book = policy.book().unwrap();
    book.apps().map(|app| app.name.to_string()).collect()
}

#[tokio::test]
async fn what_was_saved_is_there_at_the_next_opening_and_not_while_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, policy) = kept(&folder);
    assert!(matches!(kept.save_book().await, Err(SaveError::Sealed)));
    kept.open(&[key(1)]).unwrap();
    register(&policy, "notes");
    kept.save_book().await.unwrap();
    kept.close().await;
    assert!(policy.book().is_none() && kept.calendar().is_none());
    kept.open(&[key(1)]).unwrap();
    assert_eq!(apps(&policy), ["notes"]);
}

#[tokio::test]
async fn nothing_of_it_stands_on_the_disk_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, policy) = kept(&folder);
    kept.open(&[key(1)]).unwrap();
    register(&policy, "a-name-to-look-for");
    kept.save_book().await.unwrap();
    kept.close().await;
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(18).any(|part| part == b"a-name-to-look-for"));
        files += 1;
    }
    assert_eq!(files, FILES.len());
}

#[tokio::test]
async fn another_key_closes_everything_anew_and_the_one_before_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, policy) = kept(&folder);
    kept.open(&[key(1)]).unwrap();
    register(&policy, "notes");
    kept.save_book().await.unwrap();
    kept.change_key(&[key(2), key(1)]).await.unwrap();
    kept.close().await;
    assert!(kept.open(&[key(1)]).is_err());
    kept.open(&[key(2)]).unwrap();
    assert_eq!(apps(&policy), ["notes"]);
}

#[tokio::test]
async fn a_rotation_that_was_broken_off_is_ended_at_the_next_opening() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, policy) = kept(&folder);
    kept.open(&[key(1)]).unwrap();
    register(&policy, "notes");
    kept.save_book().await.unwrap();
    kept.close().await;
    // The next key was made, and nothing was closed under it yet.
    kept.open(&[key(2), key(1)]).unwrap();
    kept.close().await;
    kept.open(&[key(2)]).unwrap();
    assert_eq!(apps(&policy), ["notes"]);
}

#[tokio::test]
async fn a_damaged_book_opens_nothing_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, policy) = kept(&folder);
    kept.open(&[key(1)]).unwrap();
    kept.save_book().await.unwrap();
    kept.close().await;
    let path = folder.path().join(BOOK);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(kept.open(&[key(1)]).is_err());
    assert!(!kept.is_open() && !policy.book_loaded());
}
