//! Names for applications in what leaves the device.

use std::fmt;

use earnest_telemetry::App;
use ring::hmac::{HMAC_SHA256, Key, sign};

/// Bytes of a pseudonym: enough that two of a device's few hundred applications hardly ever share
/// one, and too few to tell a long list of guessed names apart for certain.
const BYTES: usize = 6;

/// Makes pseudonyms: the same name has the same one as long as the key is the same, and nobody
/// without the key can tell the name by trying out others.
///
/// ```
/// use earnest_audit::Pseudonyms;
/// use earnest_telemetry::App;
///
/// let today = Pseudonyms::new(&[1; 32]);
/// let notes = App::new("notes");
/// assert_eq!(today.of(&notes), today.of(&notes));
/// assert_ne!(today.of(&notes), Pseudonyms::new(&[2; 32]).of(&notes));
/// assert_eq!(today.of(&notes).len(), "app-".len() + 12);
/// ```
pub struct Pseudonyms(Key);

impl Pseudonyms {
    /// Under this key, which is replaced now and then.
    pub fn new(key: &[u8; 32]) -> Pseudonyms {
        Pseudonyms(Key::new(HMAC_SHA256, key))
    }

    /// The application's: `app-` and twelve hexadecimal digits.
    pub fn of(&self, app: &App) -> String {
        self.name("app", app.as_str().as_bytes())
    }

    /// The user's: `user-` and twelve hexadecimal digits.
    pub fn of_user(&self, uid: u32) -> String {
        self.name("user", &uid.to_be_bytes())
    }

    fn name(&self, kind: &str, of: &[u8]) -> String {
        // The kind is told apart from the name by the byte between, which no name has.
        let tag = sign(&self.0, &[kind.as_bytes(), &[0], of].concat());
        let digits = tag.as_ref()[..BYTES].iter();
        let digits: String = digits.map(|byte| format!("{byte:02x}")).collect();
        format!("{kind}-{digits}")
    }
}

/// Without the key.
impl fmt::Debug for Pseudonyms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pseudonyms")
    }
}
