//! The newest head of each device's audit log that was seen under a quote.
//!
//! A device forgets by a reboot which heads it anchored; the fleet does not. A device that shows
//! fewer entries than before, or others, had its audit log cut or rolled back in between.

use earnest_evidence::measured::Head;
use earnest_evidence::tpm::Name;
use earnest_files as files;
use serde::{Deserialize, Serialize};

use super::{Kind, State, StateError, damaged};
use crate::LOCK_PATIENCE;

/// What such a file says it is.
const FORMAT: &str = "earnest-audit-heads/1";

/// Most bytes of such a file: three digests and a few numbers take 700.
const MAX_HEADS_BYTES: usize = 4 * 1024;

/// The file of a shard that is held by whoever compares a head with the one that is kept.
const LOCK_FILE: &str = "heads.lock";

/// What is known of a device's audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditLog {
    /// The newest head that was seen.
    pub newest: Head,
    /// When, in seconds since 1970.
    pub seen_at: i64,
    /// That the log went back, the first time that it did. It is known until the device is
    /// forgotten or replaced.
    pub went_back: Option<WentBack>,
}

/// Two heads of which the later one does not follow the earlier: the log was cut or rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WentBack {
    /// The newest head that had been seen.
    pub expected: Head,
    /// The head that the device showed after it.
    pub found: Head,
    /// When, in seconds since 1970.
    pub seen_at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    newest: Head,
    seen_at: i64,
    /// The TPM's count of resets, of the quote that the newest head was under.
    boot: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    went_back: Option<WentBack>,
}

impl File {
    fn known(&self) -> AuditLog {
        AuditLog {
            newest: self.newest,
            seen_at: self.seen_at,
            went_back: self.went_back.clone(),
        }
    }

    /// Takes a head of this boot, and says whether the file is another after it. Within one boot the
    /// measured log only grows, so a lower head of the same boot is one that was shown before and
    /// is looked at late.
    fn take(&mut self, head: Head, boot: u32, now: i64) -> bool {
        if head == self.newest {
            return false;
        }
        if head.follows(&self.newest) {
            (self.newest, self.seen_at, self.boot) = (head, now, boot);
            return true;
        }
        let late = boot == self.boot && head.sequence() < self.newest.sequence();
        if late || self.went_back.is_some() {
            return false;
        }
        self.went_back = Some(WentBack {
            expected: self.newest,
            found: head,
            seen_at: now,
        });
        true
    }
}

impl State {
    /// What is known of the audit log of the device with this AK; `None` where it never showed a
    /// head.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is damaged.
    pub fn audit_log(&self, ak_name: &Name) -> Result<Option<AuditLog>, StateError> {
        Ok(self.heads(ak_name)?.map(|file| file.known()))
    }

    /// Takes a head that the device with this AK showed, in the boot of this count of resets, and
    /// says what is known after it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written, or is damaged.
    pub fn saw_head(
        &self,
        ak_name: &Name,
        head: Head,
        boot: u32,
        now: i64,
    ) -> Result<AuditLog, StateError> {
        let key = ak_name.to_string();
        let shard = self.shard(Kind::Heads, &key);
        files::create_folder(&shard)?;
        // Two that compare at once would keep the lower of two heads.
        let _one_at_a_time = files::lock(&shard.join(LOCK_FILE), LOCK_PATIENCE)?;
        let (file, changed) = match self.heads(ak_name)? {
            Some(mut file) => {
                let changed = file.take(head, boot, now);
                (file, changed)
            }
            None => {
                let first = File {
                    format: FORMAT.to_owned(),
                    newest: head,
                    seen_at: now,
                    boot,
                    went_back: None,
                };
                (first, true)
            }
        };
        if changed {
            let path = self.path(Kind::Heads, &key);
            let text = serde_json::to_string(&file).map_err(|error| damaged(&path, &error))?;
            self.write(Kind::Heads, &key, &text)?;
        }
        Ok(file.known())
    }

    fn heads(&self, ak_name: &Name) -> Result<Option<File>, StateError> {
        let key = ak_name.to_string();
        let Some(text) = self.read(Kind::Heads, &key, MAX_HEADS_BYTES)? else {
            return Ok(None);
        };
        let path = self.path(Kind::Heads, &key);
        let file: File = serde_json::from_str(&text).map_err(|error| damaged(&path, &error))?;
        match file.format == FORMAT {
            true => Ok(Some(file)),
            false => Err(StateError::Damaged {
                path,
                reason: format!("expected format {FORMAT:?}, found {:?}", file.format),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use earnest_evidence::HashAlgorithm;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn head(sequence: u64, digest: u8) -> Head {
        Head::new(sequence, [digest; 32])
    }

    fn state() -> (tempfile::TempDir, State, Name) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::create(folder.path()).unwrap();
        let name = Name::of_digest(&HashAlgorithm::Sha256.digest(b"key"));
        (folder, state, name)
    }

    #[test]
    fn the_newest_head_is_kept_and_one_that_does_not_follow_is_told() {
        let check = |heads: &[(Head, u32)], newest: Head, back: Option<(Head, Head)>| {
            let (_folder, state, name) = state();
            let mut known = None;
            for (now, (head, boot)) in (NOW..).zip(heads) {
                known = Some(state.saw_head(&name, *head, *boot, now).unwrap());
            }
            let known = known.unwrap();
            assert_eq!(state.audit_log(&name).unwrap(), Some(known.clone()));
            assert_eq!(known.newest, newest, "{heads:?}");
            let found = known.went_back.map(|back| (back.expected, back.found));
            assert_eq!(found, back, "{heads:?}");
        };
        let (one, two, three) = (head(1, 1), head(2, 2), head(3, 3));
        check(&[(one, 1)], one, None);
        check(&[(one, 1), (two, 1), (two, 1), (three, 2)], three, None);
        // Across a reboot.
        check(&[(two, 1), (one, 2)], two, Some((two, one)));
        check(&[(two, 1), (head(2, 9), 2)], two, Some((two, head(2, 9))));
        // What comes after does not make up for it, and the first time is what is known.
        let later = [(two, 1), (one, 2), (head(2, 9), 2), (three, 2)];
        check(&later, three, Some((two, one)));
        // Evidence of one boot that is looked at in another order.
        check(&[(three, 1), (two, 1)], three, None);
        // But two logs of one length are never one log.
        check(&[(two, 1), (head(2, 9), 1)], two, Some((two, head(2, 9))));
    }

    #[test]
    fn nothing_is_known_of_who_showed_no_head() {
        let (_folder, state, name) = state();
        assert_eq!(state.audit_log(&name).unwrap(), None);
    }

    #[test]
    fn a_file_that_is_damaged_is_told() {
        let (_folder, state, name) = state();
        state.saw_head(&name, head(1, 1), 1, NOW).unwrap();
        for text in ["{", "{}", r#"{"format":"earnest-audit-heads/2"}"#] {
            state.write(Kind::Heads, &name.to_string(), text).unwrap();
            let refused = state.saw_head(&name, head(2, 2), 1, NOW).unwrap_err();
            assert!(matches!(refused, StateError::Damaged { .. }), "{refused}");
        }
        let other = format!(
            r#"{{"format":"other","newest":{},"seen_at":1,"boot":1}}"#,
            serde_json::to_string(&head(1, 1)).unwrap()
        );
        state.write(Kind::Heads, &name.to_string(), &other).unwrap();
        let refused = state.audit_log(&name).unwrap_err();
        assert!(refused.to_string().contains("other"), "{refused}");
    }

    #[test]
    fn of_many_heads_at_once_the_newest_is_kept() {
        let (_folder, state, name) = state();
        std::thread::scope(|scope| {
            for sequence in 1..=8 {
                let (state, name) = (&state, &name);
                scope.spawn(move || state.saw_head(name, head(sequence, 1), 1, NOW).unwrap());
            }
        });
        let known = state.audit_log(&name).unwrap().unwrap();
        assert_eq!((known.newest, known.went_back), (head(8, 1), None));
    }
}
