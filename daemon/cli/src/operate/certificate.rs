//! `earnest app cert`: a key that is made here and leaves for nowhere, and its certificate.

use std::path::{Path, PathBuf};

use earnest_attester::authority::client_request;
use earnest_endpoint::client::AUTHORITY_FILE;
use earnest_endpoint::shapes::CertificateAnswer;
use earnest_files::Readers;
use earnest_policy::AppId;
use earnest_printable::printable;

use super::arguments::Acting;
use super::calendar::minute;
use super::failure::OperateError;
use crate::console::Console;
use crate::exit::Exit;
use crate::output;

const KEY: &str = "key.pem";
const CERTIFICATE: &str = "certificate.pem";

pub(super) fn certify(
    name: &AppId,
    out: &Path,
    acting: &Acting,
    console: &Console,
) -> Result<Exit, OperateError> {
    free(out)?;
    let daemon = acting.daemon()?;
    let (key, request) = client_request()?;
    earnest_files::create_folder(out)?;
    let path = out.join(KEY);
    // First of all: a certificate whose key is lost would stay pinned to the app.
    earnest_files::create(&path, key.as_bytes(), Readers::Owner)?;
    let answer = match daemon.ask(daemon.client().certify_app(name.as_str(), &request)) {
        Ok(answer) => answer,
        Err(error) => {
            // The key that was just made is good for nothing; why, matters more than that it stays.
            let _ = earnest_files::remove(&path);
            return Err(error.into());
        }
    };
    for (file, text) in [
        (CERTIFICATE, &answer.certificate),
        (AUTHORITY_FILE, &answer.authority),
    ] {
        earnest_files::create(&out.join(file), text.as_bytes(), Readers::Others)?;
    }
    Ok(output::say(&text(out, &answer), console))
}

/// That none of the files is there yet.
fn free(out: &Path) -> Result<(), OperateError> {
    let files = [KEY, CERTIFICATE, AUTHORITY_FILE].map(|file| out.join(file));
    let taken: Option<PathBuf> = files
        .into_iter()
        .find(|path| path.symlink_metadata().is_ok());
    taken.map_or(Ok(()), |path| Err(OperateError::Taken { path }))
}

fn text(out: &Path, answer: &CertificateAnswer) -> String {
    let told = format!(
        "wrote {KEY}, {CERTIFICATE} and {AUTHORITY_FILE} to {}; the certificate {} holds until {}",
        out.display(),
        answer.fingerprint,
        minute(answer.not_after)
    );
    format!("{}\n", printable(&told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free(folder.path()).is_ok());
        assert!(free(&folder.path().join("none")).is_ok());
        // A link that leads nowhere is something, too.
        std::os::unix::fs::symlink("/nonexistent", folder.path().join(AUTHORITY_FILE)).unwrap();
        let taken = free(folder.path()).unwrap_err();
        assert!(matches!(taken, OperateError::Taken { path } if path.ends_with(AUTHORITY_FILE)));
    }

    #[test]
    fn what_was_written_is_told() {
        let answer = CertificateAnswer {
            certificate: String::new(),
            authority: String::new(),
            fingerprint: "ab\u{1b}".to_owned(),
            not_after: 0,
        };
        let said = text(Path::new("/o"), &answer);
        assert!(said.contains("to /o; the certificate ab\u{fffd} holds until 1970-01-01"));
    }
}
