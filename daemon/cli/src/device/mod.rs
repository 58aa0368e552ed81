//! The commands about the device's own trust. Each opens the device, does one thing, and
//! leaves the TPM in order.

mod arguments;
mod failure;
mod files;
mod guard;
mod models;
mod provision;
mod sealed;
mod show;

use earnest_attester::{Device, enrol, keys, result, write_parts};
use earnest_evidence::Nonce;
use earnest_evidence::enrolment::Challenge;
use earnest_evidence::sealing::SignedVersion;

use crate::console::Console;
use crate::exit::Exit;
use crate::operate::guard_status;
use crate::output;
use arguments::{Activate, Attest, Enroll, Guard, Model, Place, Tpm, Verdict};
use earnest_printable::describe;

pub(crate) use arguments::Command;
pub(crate) use failure::Failure;
pub(crate) use files::device_folder;
pub(crate) use models::guard_memory;
pub(crate) use sealed::Sealed;

/// Does what a command says; says on `console` what went wrong.
pub(crate) fn run(command: &Command, console: &Console) -> Exit {
    let done = match command {
        Command::Tpm(command) => tpm(command),
        Command::Attest(attest) => evidence(attest),
        Command::Result(command) => verdict(command),
        Command::Guard(Guard::Status(seeing)) => return guard_status(seeing, console),
        Command::Guard(Guard::Pair { place, line, anew }) => guard::pair_guard(place, line, *anew),
        Command::Model(Model::Seal(seal)) => models::seal(seal, console),
        Command::Model(Model::UnsealCheck(check)) => models::unseal_check(check, console),
    };
    match done {
        Ok(said) => output::say(&said, console),
        Err(failure) => {
            console.say(&format!("earnest: {}", describe(&failure)));
            failure.exit()
        }
    }
}

fn tpm(command: &Tpm) -> Result<String, Failure> {
    match command {
        Tpm::Provision(provision) => provision::provision(provision),
        Tpm::Enroll(Enroll { place, name, out }) => with(place, |device| {
            let request = enrol::request(device.module(), name.clone())?;
            files::write(out, request.to_json().as_bytes())?;
            Ok(format!("wrote {}\n", out.display()))
        }),
        Tpm::Activate(Activate {
            place,
            challenge,
            out,
        }) => with(place, |device| {
            let challenge = Challenge::from_json(&files::read(challenge)?)?;
            let answer = enrol::answer(device.module(), &challenge)?;
            files::write(out, answer.to_json().as_bytes())?;
            Ok(format!("wrote {}\n", out.display()))
        }),
        Tpm::Policy { place, file } => with(place, |device| {
            let bytes = files::read(file)?;
            let policy =
                earnest_attester::content::keep_policy(device.folder(), device.root(), &bytes)?;
            Ok(show::policy(&policy))
        }),
        Tpm::Raise { place, file } => with(place, |device| {
            let permission = SignedVersion::parse(&files::read(file)?)?;
            device.module().move_least_version(&permission)?;
            Ok(show::least_version(&device.module().least_version()?))
        }),
        Tpm::Status { place } => with(place, show::status),
        Tpm::Stop { place } => {
            let folder = files::open_device_folder(&device_folder(place.folder.as_deref())?)?;
            Ok(match earnest_attester::software::stop(&folder)? {
                true => "the software TPM has ended\n".to_owned(),
                false => "no software TPM runs here\n".to_owned(),
            })
        }
    }
}

fn evidence(attest: &Attest) -> Result<String, Failure> {
    let nonce: Nonce = attest.nonce.parse()?;
    with(&attest.place, |device| {
        let evidence = device.evidence(nonce, env!("CARGO_PKG_VERSION"))?;
        write_parts(&evidence, &attest.out)?;
        Ok(format!(
            "wrote the evidence to {}\n",
            attest.out.join("evidence.cbor").display()
        ))
    })
}

fn verdict(command: &Verdict) -> Result<String, Failure> {
    match command {
        Verdict::Import { place, file, key } => {
            let key = keys::results(key)?;
            let token = files::read(file)?;
            let token = str::from_utf8(&token).map_err(|error| Failure::File {
                path: file.clone(),
                reason: error.to_string(),
            })?;
            with(place, |device| {
                let live = result::import(device.module(), device.folder(), &key, token)?;
                Ok(show::result(&live))
            })
        }
        Verdict::Show { place, key } => {
            let key = keys::results(key)?;
            with(place, |device| {
                let live = result::current(device.module(), device.folder(), &key)?;
                Ok(live.map_or_else(
                    || "no result was imported\n".to_owned(),
                    |live| show::result(&live),
                ))
            })
        }
    }
}

/// Opens the device, does `work`, and leaves its TPM in order whatever came of it.
fn with<T>(place: &Place, work: impl FnOnce(&Device) -> Result<T, Failure>) -> Result<T, Failure> {
    let folder = files::open_device_folder(&device_folder(place.folder.as_deref())?)?;
    let device = Device::open(folder)?;
    let done = work(&device);
    let closed = device.close();
    let done = done?;
    closed?;
    Ok(done)
}
