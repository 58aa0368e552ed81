//! Requests for certificates.

use earnest_verifier::request::{MAX_REQUEST_BYTES, requested_key};

/// Reads `data` as a request. The key that is taken stands in it, behind a name and an
/// algorithm, and nothing that is longer than requests are is taken.
pub fn request(data: &[u8]) {
    match requested_key(data) {
        // The message is shown to people, so making it must not fail either.
        Err(refused) => drop(refused.to_string()),
        Ok(key) => {
            assert!(data.len() <= MAX_REQUEST_BYTES);
            let key = key.as_bytes();
            let stands = |window: &[u8]| window == key;
            assert!(data.windows(key.len()).any(stands));
            // The signature is over all of it but itself: nothing can be added.
            let longer = [data, &[0]].concat();
            assert!(requested_key(&longer).is_err());
        }
    }
}
