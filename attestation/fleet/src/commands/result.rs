//! `earnest-fleet result`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use earnest_evidence::tpm::{MAX_PEM_BYTES, PublicKey};
use earnest_files as files;
use earnest_verifier::ear::{Ear, MAX_TOKEN_BYTES, ResultVerifier, Tier, TokenError};

use super::context::{Context, keys_path, open_keys, text};
use super::verify;
use crate::exit::{Exit, Failure};
use crate::show;

/// What is done with results.
#[derive(Debug, Subcommand)]
pub(super) enum ResultCommand {
    /// Show a result, if one of the fleet's keys signed it.
    ///
    /// Exits with 0 if it holds now and says that the device passed.
    Show(Show),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The result: an EAR, as `verify --ear` writes it; - is standard input.
    ear: PathBuf,

    /// A public key in PEM that may have signed it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keys", "state"])]
    key: Option<PathBuf>,

    /// The folder of keys, all accepted ones of which may have signed it [default: the folder
    /// keys in the state].
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,

    /// The state's folder.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["key", "keys"])]
    state: Option<PathBuf>,

    /// Show it though its time is over.
    #[arg(long)]
    any_time: bool,

    /// Write JSON: the claims.
    #[arg(long)]
    json: bool,
}

impl ResultCommand {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let ResultCommand::Show(show) = self;
        show.run(context)
    }
}

impl Show {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let name = self.ear.display().to_string();
        let token = text(&name, files::read_input(&self.ear, MAX_TOKEN_BYTES)?)?;
        let ear = self.check(&token, context.now)?;
        match self.json {
            true => context.json(&ear)?,
            false => context.data(&verify::table(&ear))?,
        }
        if ear.status == Tier::Warning {
            context.say("The result warns: the device passed with a stated weakness.");
        }
        match ear.status {
            Tier::Affirming | Tier::Warning => Ok(Exit::Success),
            Tier::None | Tier::Contraindicated => Err(Failure::new(
                Exit::Refused,
                format!("the result is genuine, and says: {}", ear.status),
            )),
        }
    }

    /// The claims of a token that one of the keys signed.
    fn check(&self, token: &str, now: i64) -> Result<Ear, Failure> {
        let keys = match &self.key {
            Some(path) => vec![read_key(path)?],
            None => {
                let path = keys_path(self.keys.as_deref(), self.state.as_deref());
                open_keys(&path)?.result_verifiers()?
            }
        };
        let mut refusal = None;
        for key in &keys {
            let checked = match self.any_time {
                true => Ear::verify_at_any_time(token, key),
                false => Ear::verify(token, key, now),
            };
            match checked {
                Ok(ear) => return Ok(ear),
                // Another of the keys may have signed it; the first key's word stays, if none has.
                Err(error @ TokenError::Key { .. }) => refusal = refusal.or(Some(error)),
                Err(error) => return Err(refused(&error)),
            }
        }
        Err(match refusal {
            Some(error) => refused(&error),
            None => Failure::new(Exit::NotFound, "there is no key to check the result with"),
        })
    }
}

fn refused(error: &TokenError) -> Failure {
    let exit = match error {
        TokenError::TooLong { .. } | TokenError::Parts { .. } | TokenError::Base64 { .. } => {
            Exit::BadInput
        }
        _ => Exit::Refused,
    };
    let failure = Failure::of(exit, error);
    match error {
        TokenError::Expired { now, expires_at } => failure.advise(format!(
            "It ended at {}, and it is {}: the device must be verified anew. --any-time shows it all the same.",
            show::time(*expires_at),
            show::time(*now)
        )),
        TokenError::Key { .. } => {
            failure.advise("It was signed by another fleet, or by a key that is accepted no more.")
        }
        _ => failure,
    }
}

fn read_key(path: &Path) -> Result<ResultVerifier, Failure> {
    let name = path.display().to_string();
    let pem = text(&name, files::read_input(path, MAX_PEM_BYTES)?)?;
    let key = PublicKey::from_pem(&pem).map_err(|error| Failure::bad_input(&name, &error))?;
    ResultVerifier::new(&key).map_err(|error| Failure::bad_input(&name, &error))
}
