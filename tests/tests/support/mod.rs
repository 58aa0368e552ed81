//! Where the models of this machine are.

use std::ffi::OsString;
use std::path::PathBuf;

/// What a test says that has no models. It fails: a test that is passed over proves nothing.
#[allow(dead_code)]
pub(crate) const FETCH: &str =
    "the models are missing or not the cards': run `cargo xtask models fetch`";

/// The folder with one folder a card.
#[allow(dead_code)]
pub(crate) fn models() -> PathBuf {
    let path = |name: &str| {
        let value: Option<OsString> = std::env::var_os(name);
        value.filter(|value| !value.is_empty()).map(PathBuf::from)
    };
    path("EARNEST_MODELS").unwrap_or_else(|| {
        let data = path("XDG_DATA_HOME").or_else(|| Some(path("HOME")?.join(".local/share")));
        data.expect(FETCH).join("earnest/models")
    })
}
