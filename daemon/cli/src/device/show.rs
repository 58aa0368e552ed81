//! What the device's commands say.

use std::fmt::Write as _;

use earnest_attester::result::LiveResult;
use earnest_attester::{Device, TpmChoice, content};
use earnest_evidence::hex;
use earnest_evidence::sealing::{LeastVersion, SignedPolicy};
use earnest_evidence::tpm::Public;

use super::Failure;

/// What the device is and holds.
pub(super) fn status(device: &Device) -> Result<String, Failure> {
    let module = device.module();
    let mut said = String::new();
    let kind = match &device.configuration().tpm {
        TpmChoice::Software => "in software: for development, no proof to anybody".to_owned(),
        TpmChoice::At(address) if address.is_software() => {
            format!("{address}, in software: no proof to anybody")
        }
        TpmChoice::At(address) => address.to_string(),
    };
    let identity = module.identity();
    let ak = Public::parse(&identity.ak_public)?;
    let certificate = match &identity.ek_certificate {
        Some(certificate) => format!("{} bytes", certificate.len()),
        None => "none: no fleet can enrol this TPM".to_owned(),
    };
    let clock = module.clock()?;
    let lines = [
        ("device", device.folder().path().display().to_string()),
        ("TPM", kind),
        ("attestation key", ak.name().to_string()),
        ("EK certificate", certificate),
        ("root of policies", hex::encode(&device.root().name()[2..])),
        ("boot", format!("{} of this TPM", clock.reset_count)),
        (
            "starts since boot",
            device.starts()?.log.starts().count().to_string(),
        ),
    ];
    for (name, value) in lines {
        let _ = writeln!(said, "{name:<18} {value}");
    }
    said.push_str(&least_version(&module.least_version()?));
    match content::policy(device.folder()) {
        Ok(kept) => said.push_str(&policy(&kept)),
        Err(content::ContentError::NoPolicy) => {
            said.push_str("policy             none yet: import the one that the fleet signed\n");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(said)
}

/// What is still allowed.
pub(super) fn least_version(least: &LeastVersion) -> String {
    format!(
        "least version      {}, policy keys from generation {} on\n",
        least.version, least.generation
    )
}

/// What a policy opens.
pub(super) fn policy(policy: &SignedPolicy) -> String {
    let pcrs: Vec<String> = policy.pcrs().iter().map(|pcr| pcr.to_string()).collect();
    format!(
        "policy             version {}, {} states of PCRs {} open the model\n",
        policy.version(),
        policy.approvals().len(),
        pcrs.join(", ")
    )
}

/// What the fleet's verifier said.
pub(super) fn result(live: &LiveResult) -> String {
    format!(
        "the result is {}, and holds for {} s more in this boot\n",
        live.ear.status,
        live.remaining.as_secs()
    )
}
