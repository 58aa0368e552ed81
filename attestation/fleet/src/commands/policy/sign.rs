//! `earnest-fleet policy sign` and `allow-version`.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use earnest_evidence::sealing::{LeastVersion, MAX_APPROVALS};
use earnest_evidence::tpm::{PcrSet, PcrValues};
use earnest_evidence::{Evidence, HashAlgorithm};
use earnest_verifier::quote;

use super::super::context::{Context, KeysPlace, open_state, read_evidence, write_file};
use super::super::reference;
use crate::exit::{Exit, Failure};
use crate::keys::Role;

/// Which states are approved.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("states").required(true).multiple(true))]
pub(in crate::commands) struct Sign {
    #[command(flatten)]
    place: KeysPlace,

    /// The policy's version. Devices open by it while their least version is at most this.
    #[arg(long, value_name = "NUMBER")]
    version: u64,

    /// Evidence of an enrolled device in a state to approve; may be given several times.
    #[arg(long, value_name = "FILE", group = "states")]
    evidence: Vec<PathBuf>,

    /// Reference values, all states of which are approved; may be given several times.
    #[arg(long, value_name = "FILE", group = "states")]
    reference: Vec<PathBuf>,

    /// The PCRs of the SHA-256 bank that the seal is bound to.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [4, 7, 11])]
    pcrs: Vec<u8>,

    /// Take evidence of devices that are not enrolled, too.
    #[arg(long)]
    any_device: bool,

    /// Where the signed policy goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which least version is permitted.
#[derive(Debug, Args)]
pub(in crate::commands) struct AllowVersion {
    #[command(flatten)]
    place: KeysPlace,

    /// The least version of policies that still open the model.
    #[arg(long, value_name = "NUMBER")]
    version: u64,

    /// For devices that are provisioned, whose least version was never written.
    #[arg(long)]
    first: bool,

    /// Let only the policy key in use count from now on.
    #[arg(long)]
    end_older_keys: bool,

    /// Where the signed version goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Sign {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let pcrs = PcrSet::of(&self.pcrs).map_err(|error| Failure::of(Exit::Usage, &error))?;
        let mut digests = Vec::new();
        for path in &self.evidence {
            let evidence = self.checked(path)?;
            digests.push(state_digest(&evidence.pcrs, pcrs, path)?);
        }
        for path in &self.reference {
            digests.extend(reference_digests(pcrs, path)?);
        }
        let signed = self
            .place
            .open()?
            .sign_policy(pcrs, self.version, &digests)?;
        write_file(&self.out, &signed.encode())?;
        context.say(&format!(
            "Version {} of the policy opens in {} states of PCRs {pcrs}, by policy key {} of generation {}.",
            signed.version(),
            signed.approvals().len(),
            signed.grant().key,
            signed.grant().generation
        ));
        Ok(Exit::Success)
    }

    /// Evidence whose quote holds, of a device that is enrolled. Its nonce is not looked at: a
    /// state is approved for what it is, not for when it was seen.
    fn checked(&self, path: &Path) -> Result<Evidence, Failure> {
        let name = path.display().to_string();
        let evidence = read_evidence(path)?;
        let refused = |error: &dyn std::error::Error| {
            let failure = Failure::bad_input(&name, error);
            Failure::new(Exit::Refused, failure.message())
                .advise("Approve nothing that the device's TPM did not sign.")
        };
        let key = evidence.ak_public.key().map_err(|error| refused(&error))?;
        let (attest, signature) = (evidence.attest.marshal(), evidence.signature.marshal());
        quote::verify(&key, &attest, &signature, evidence.nonce.as_bytes())
            .map_err(|error| refused(&error))?
            .check_values(&evidence.pcrs)
            .map_err(|error| refused(&error))?;
        if self.any_device {
            return Ok(evidence);
        }
        let Some(state) = self.place.state() else {
            return Err(Failure::new(
                Exit::Usage,
                "evidence is taken of enrolled devices: name their --state, or give --any-device",
            ));
        };
        let ak_name = evidence.ak_public.name();
        match open_state(state)?.device(&ak_name)? {
            Some(_) => Ok(evidence),
            None => Err(Failure::new(
                Exit::Refused,
                format!("{name}: no device with AK {ak_name} is enrolled"),
            )
            .advise("Anybody can make a key and sign PCR values: enrol the device, or give --any-device.")),
        }
    }
}

/// The digest over the PCRs of a state, as `TPM2_PolicyPCR` has it.
fn state_digest(values: &PcrValues, pcrs: PcrSet, path: &Path) -> Result<[u8; 32], Failure> {
    let mut chosen = PcrValues::new();
    for pcr in pcrs.iter() {
        let value = values
            .value(HashAlgorithm::Sha256, pcr)
            .ok_or_else(|| {
                Failure::new(
                    Exit::BadInput,
                    format!(
                        "{}: there is no value of PCR {pcr} of the bank sha256, and the seal is bound to PCRs {pcrs}",
                        path.display()
                    ),
                )
                .advise("Take evidence or reference values that have it, or name other --pcrs.")
            })?;
        chosen
            .insert(pcr, *value)
            .map_err(|error| Failure::of(Exit::Internal, &error))?;
    }
    digest_of(&chosen)
}

fn digest_of(values: &PcrValues) -> Result<[u8; 32], Failure> {
    let digest = values.digest(HashAlgorithm::Sha256);
    digest
        .as_bytes()
        .try_into()
        .map_err(|error| Failure::of(Exit::Internal, &error))
}

/// The states of reference values: each combination of the values that the PCRs may have.
fn reference_digests(pcrs: PcrSet, path: &Path) -> Result<Vec<[u8; 32]>, Failure> {
    let reference = reference::read(path)?;
    let name = path.display();
    let mut states = vec![PcrValues::new()];
    for pcr in pcrs.iter() {
        let values = reference
            .pcr(pcr)
            .map_or(&[][..], |allowed| &allowed.values);
        if values.is_empty() || reference.bank() != HashAlgorithm::Sha256 {
            return Err(Failure::new(
                Exit::BadInput,
                format!("{name}: there are no values of PCR {pcr} of the bank sha256, and the seal is bound to PCRs {pcrs}"),
            )
            .advise("A seal needs values; a list of events that may occur is not enough."));
        }
        // Checked before they are made, as they multiply.
        let found = states.len().saturating_mul(values.len());
        if found > MAX_APPROVALS {
            return Err(Failure::new(
                Exit::BadInput,
                format!("{name}: its PCRs have {found} and more combinations of values; a signed policy approves {MAX_APPROVALS} states at most"),
            )
            .advise("Sign states that occur, from --evidence of devices, or split the reference values."));
        }
        let mut next = Vec::with_capacity(found);
        for state in &states {
            for allowed in values {
                let mut state = state.clone();
                state
                    .insert(pcr, allowed.value)
                    .map_err(|error| Failure::of(Exit::Internal, &error))?;
                next.push(state);
            }
        }
        states = next;
    }
    states.iter().map(digest_of).collect()
}

impl AllowVersion {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let mut keys = self.place.open()?;
        let manifest = keys.manifest();
        let generation = match self.end_older_keys {
            true => manifest.current(Role::Policy),
            false => manifest.least().generation,
        };
        let least = LeastVersion {
            version: self.version,
            generation,
        };
        let approved = keys.allow_version(least, self.first)?;
        write_file(&self.out, &approved.signed.encode())?;
        let first = if self.first {
            ", on an index that was never written"
        } else {
            ""
        };
        context.say(&format!(
            "Devices may raise the least version from {} to {} and the least generation of policy keys from {} to {generation}{first}.",
            approved.before.version, self.version, approved.before.generation
        ));
        Ok(Exit::Success)
    }
}
