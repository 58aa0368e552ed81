//! Errors of the libraries as failures of a command: with an exit code, and a word on what to do.

use crate::exit::{Exit, Failure};
use crate::keys::KeysError;
use crate::state::StateError;
use earnest_verifier::enrolment::EnrolmentError;

impl From<StateError> for Failure {
    fn from(error: StateError) -> Failure {
        match error {
            StateError::File(error) => error.into(),
            StateError::Enrolment(error) => error.into(),
            StateError::Freshness(error) => Failure::of(Exit::Refused, &error),
            error => {
                let (exit, advice) = advice_on_state(&error);
                let failure = Failure::of(exit, &error);
                match advice {
                    Some(advice) => failure.advise(advice),
                    None => failure,
                }
            }
        }
    }
}

fn advice_on_state(error: &StateError) -> (Exit, Option<&'static str>) {
    match error {
        StateError::NoState { .. } => (
            Exit::NotFound,
            Some(
                "Name the folder that devices were enrolled in; `earnest-fleet enroll challenge` makes one.",
            ),
        ),
        StateError::Format { .. } | StateError::Damaged { .. } => (
            Exit::BadInput,
            Some("Nobody but earnest-fleet writes there: look at the disk, and restore the file."),
        ),
        StateError::NameTaken { .. } => (
            Exit::Exists,
            Some("Give the device another --name, or enrol it anew with --replace."),
        ),
        StateError::TpmTaken { .. } => (
            Exit::Exists,
            Some("If it is the same device under a new name, enrol it anew with --replace."),
        ),
        StateError::NoDevice { .. } => (
            Exit::NotFound,
            Some("A device is named by the name that it was enrolled under, or by its AK's name."),
        ),
        StateError::NotPending { .. } => (
            Exit::NotFound,
            Some(
                "It was answered already, or is over, or is another state's: ask anew with `earnest-fleet enroll challenge`.",
            ),
        ),
        StateError::Random => (Exit::Internal, None),
        // Those that stand for other errors are told apart before.
        StateError::File(_) | StateError::Enrolment(_) | StateError::Freshness(_) => {
            (Exit::Internal, None)
        }
    }
}

impl From<EnrolmentError> for Failure {
    fn from(error: EnrolmentError) -> Failure {
        let failure = Failure::of(
            match &error {
                EnrolmentError::Device { .. } | EnrolmentError::Malformed { .. } => Exit::BadInput,
                _ => Exit::Refused,
            },
            &error,
        );
        match &error {
            EnrolmentError::Chain(_) => failure.advise(
                "Trusted are the authorities of the policy's endorsement_anchors; a device sends the certificates between.",
            ),
            EnrolmentError::Key(_) => {
                failure.advise("The device must make its attestation key with `earnest tpm provision`.")
            }
            EnrolmentError::OtherEndorsementKey { .. } => failure
                .advise("The device must send the certificate of the endorsement key that it uses."),
            EnrolmentError::SoftwareTpm { .. } => failure.advise(
                "A software TPM is for development: enrol it under a policy with \"software_tpm\": \"allow\".",
            ),
            EnrolmentError::NotBound { .. } => failure.advise(
                "The secret is not the one that was encrypted to the device's TPM: do not enrol it; ask anew if a file was mixed up.",
            ),
            EnrolmentError::TooLate { .. } => {
                failure.advise("Ask anew with `earnest-fleet enroll challenge`.")
            }
            _ => failure,
        }
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Failure {
        match error {
            KeysError::File(error) => {
                let private = matches!(error, crate::FileError::NotPrivate { .. });
                let failure = Failure::from(error);
                match private {
                    true => failure.advise("Take the rights from others: chmod 600 FILE."),
                    false => failure,
                }
            }
            error => {
                let (exit, advice) = advice_on_keys(&error);
                let failure = Failure::of(exit, &error);
                match advice {
                    Some(advice) => failure.advise(advice),
                    None => failure,
                }
            }
        }
    }
}

fn advice_on_keys(error: &KeysError) -> (Exit, Option<&'static str>) {
    match error {
        KeysError::NoKeys { .. } => (
            Exit::NotFound,
            Some("Make keys with `earnest-fleet keys init`, or name their folder with --keys."),
        ),
        KeysError::Exists { .. } => (
            Exit::Exists,
            Some("Keys are never overwritten: rotate them with `earnest-fleet keys rotate`."),
        ),
        KeysError::Lower { .. } => (
            Exit::Refused,
            Some("No device would take it: the least version only rises."),
        ),
        KeysError::Generation { .. } => (
            Exit::Refused,
            Some("It would end the policy key in use: rotate that first."),
        ),
        KeysError::OtherKey { .. } => (
            Exit::BadInput,
            Some("The private key belongs to another folder of keys."),
        ),
        KeysError::Grant(_) | KeysError::SignedPolicy(_) | KeysError::SignedVersion(_) => (
            Exit::BadInput,
            Some("The folder's keys do not belong together: restore it, or rotate the policy key."),
        ),
        KeysError::Random => (Exit::Internal, None),
        _ => (Exit::BadInput, None),
    }
}
