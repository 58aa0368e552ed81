//! `keys.json`: which keys are in use.

use earnest_evidence::sealing::LeastVersion;
use serde::{Deserialize, Serialize};

use super::Role;

/// What the file says it is.
const FORMAT: &str = "earnest-fleet-keys/1";

/// Most bytes of the file.
pub(super) const MAX_MANIFEST_BYTES: usize = 16 * 1024;

/// Most keys of a role that are accepted at once: rotations overlap, they do not pile up.
pub const MAX_ACCEPTED: usize = 8;

/// Which keys are in use, and what was signed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: String,
    /// The policy key's generation.
    policy: u64,
    /// Numbers of the release keys that are accepted, the one in use first.
    release: Vec<u64>,
    /// Numbers of the result keys that are accepted, the one in use first.
    result: Vec<u64>,
    /// The least version that was signed last.
    least_version: u64,
    /// The least generation that was signed last.
    least_generation: u64,
}

impl Manifest {
    /// The first keys, and nothing signed yet.
    pub(super) fn first() -> Manifest {
        Manifest {
            format: FORMAT.to_owned(),
            policy: 1,
            release: vec![1],
            result: vec![1],
            least_version: 0,
            least_generation: 0,
        }
    }

    /// Reads the file, or says what is wrong with it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.format != FORMAT {
            return Err(format!(
                "expected format {FORMAT:?}, found {:?}",
                manifest.format
            ));
        }
        for (role, numbers) in [
            (Role::Release, &manifest.release),
            (Role::Result, &manifest.result),
        ] {
            if !(1..=MAX_ACCEPTED).contains(&numbers.len()) {
                return Err(format!(
                    "expected 1 to {MAX_ACCEPTED} {role} keys, found {}",
                    numbers.len()
                ));
            }
        }
        Ok(manifest)
    }

    pub(super) fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("strings, numbers and lists of numbers are always JSON");
        text.push('\n');
        text
    }

    /// The number of the key in use: for the policy key, its generation.
    pub fn current(&self, role: Role) -> u64 {
        match role {
            Role::Policy => self.policy,
            // Reading refused a list without any.
            Role::Release => self.release.first().copied().unwrap_or_default(),
            Role::Result => self.result.first().copied().unwrap_or_default(),
        }
    }

    /// The numbers of the keys that are accepted, the one in use first. Of policy keys this
    /// is the one in use: how far back others count is what each device's TPM says.
    pub fn accepted(&self, role: Role) -> &[u64] {
        match role {
            Role::Policy => std::slice::from_ref(&self.policy),
            Role::Release => &self.release,
            Role::Result => &self.result,
        }
    }

    /// The highest numbers that were signed as the least ones allowed.
    pub fn least(&self) -> LeastVersion {
        LeastVersion {
            version: self.least_version,
            generation: self.least_generation,
        }
    }

    /// With `number` as the key in use. Earlier ones stay accepted, the latest
    /// [`MAX_ACCEPTED`] of them, unless `alone`.
    pub(super) fn rotated(&self, role: Role, number: u64, alone: bool) -> Manifest {
        let mut next = self.clone();
        let list = match role {
            Role::Policy => {
                next.policy = number;
                return next;
            }
            Role::Release => &mut next.release,
            Role::Result => &mut next.result,
        };
        if alone {
            list.clear();
        }
        list.insert(0, number);
        list.truncate(MAX_ACCEPTED);
        next
    }

    pub(super) fn with_least(&self, least: LeastVersion) -> Manifest {
        Manifest {
            least_version: least.version,
            least_generation: least.generation,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_keeps_the_latest_and_no_more() {
        let mut manifest = Manifest::first();
        for number in 2..=20 {
            manifest = manifest.rotated(Role::Result, number, false);
        }
        assert_eq!(
            manifest.accepted(Role::Result),
            [20, 19, 18, 17, 16, 15, 14, 13]
        );
        assert_eq!(manifest.accepted(Role::Release), [1]);
        let alone = manifest.rotated(Role::Result, 21, true);
        assert_eq!(alone.accepted(Role::Result), [21]);
        assert_eq!(Manifest::parse(manifest.to_json().as_bytes()), Ok(manifest));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let text = Manifest::first().to_json();
        assert!(Manifest::parse(text.replace("keys/1", "keys/2").as_bytes()).is_err());
        let more = text.replace('{', "{\"more\": 1,");
        assert!(Manifest::parse(more.as_bytes()).is_err());
        let none = text.replace("\"result\": [\n    1\n  ]", "\"result\": []");
        assert!(Manifest::parse(none.as_bytes()).is_err());
    }
}
