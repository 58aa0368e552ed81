//! `earnest-fleet keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::context::{Context, KeysPlace};
use crate::exit::{Exit, Failure};
use crate::keys::{Fingerprint, KeyFolder, Role};
use crate::show;

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make root, policy, release and result keys (ECDSA P-256).
    ///
    /// Private keys are PKCS #8 PEM files that their owner alone may read. The root's belongs on
    /// a medium that lies in a drawer: name a place there with --root-key.
    Init(Init),
    /// Make another key of a kind and take it into use.
    ///
    /// A policy key takes the root's private key, which grants it its power; nothing is sealed
    /// again. Of release and result keys, earlier ones stay accepted unless --alone is given.
    Rotate(Rotate),
    /// Show which keys are in use, by their fingerprints.
    Show(Show),
}

#[derive(Debug, Args)]
pub(super) struct Init {
    #[command(flatten)]
    place: KeysPlace,

    /// Where the root's private key goes [default: root.key.pem in the folder of keys].
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Which key.
    #[arg(value_enum)]
    role: RoleName,

    #[command(flatten)]
    place: KeysPlace,

    /// Where the root's private key is, for a policy key [default: root.key.pem in the folder
    /// of keys].
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,

    /// Accept no earlier release or result key any more.
    #[arg(long)]
    alone: bool,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    place: KeysPlace,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    Policy,
    Release,
    Result,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Policy => Role::Policy,
            RoleName::Release => Role::Release,
            RoleName::Result => Role::Result,
        }
    }
}

impl Keys {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Keys::Init(init) => init.run(context),
            Keys::Rotate(rotate) => rotate.run(context),
            Keys::Show(show) => {
                let folder = show.place.open()?;
                print(&folder, show.json, context)
            }
        }
    }
}

impl Init {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let path = self.place.path();
        let folder = KeyFolder::create(&path, self.root_key.as_deref(), &context.random)?;
        let exit = print(&folder, false, context)?;
        if self.root_key.is_none() {
            context.say(&format!(
                "Move {} to a medium that lies in a drawer: it is needed when the policy key is rotated, and whoever has it can open every model.",
                folder.root_key_path().display()
            ));
        }
        Ok(exit)
    }
}

impl Rotate {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let role = Role::from(self.role);
        if role == Role::Policy && self.alone {
            return Err(Failure::new(
                Exit::Usage,
                "--alone is for release and result keys",
            )
            .advise("What ends older policy keys is `policy allow-version --end-older-keys`, on each device."));
        }
        let mut folder = self.place.open()?;
        let number = folder.rotate(role, self.root_key.as_deref(), self.alone, &context.random)?;
        let exit = print(&folder, false, context)?;
        context.say(&match role {
            Role::Policy => format!(
                "Policy key {number} is in use. Devices take what it signs as it is; older keys end where `policy allow-version --end-older-keys` is imported."
            ),
            Role::Release | Role::Result => format!(
                "The {role} key {number} is in use. Give {role}.keys.pem to whoever checks what it signs."
            ),
        });
        Ok(exit)
    }
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    role: &'a str,
    state: &'a str,
    file: &'a str,
    sha256: &'a str,
    private: bool,
}

/// Prints the keys that are in use or accepted.
fn print(folder: &KeyFolder, json: bool, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let root = folder.root_fingerprint()?;
    let mut keys: Vec<(&str, &str, Fingerprint)> = vec![("root", "in use", root)];
    for role in [Role::Policy, Role::Release, Role::Result] {
        for (place, key) in folder.fingerprints(role)?.into_iter().enumerate() {
            let state = if place == 0 { "in use" } else { "accepted" };
            keys.push((role.name(), state, key));
        }
    }
    if json {
        let rows: Vec<Row<'_>> = keys
            .iter()
            .map(|(role, state, key)| Row {
                role,
                state,
                file: &key.file,
                sha256: &key.sha256,
                private: key.private,
            })
            .collect();
        context.json(&rows)?;
        return Ok(Exit::Success);
    }
    let row = |cells: [&str; 5]| cells.map(str::to_owned).to_vec();
    let head = row([
        "key",
        "state",
        "private half",
        "file",
        "SHA-256 of the public key",
    ]);
    let rows = keys.iter().map(|(role, state, key)| {
        let private = if key.private { "here" } else { "elsewhere" };
        row([role, state, private, &key.file, &key.sha256])
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    context.data(&show::table(&rows))?;
    Ok(Exit::Success)
}
