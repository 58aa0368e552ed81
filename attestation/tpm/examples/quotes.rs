//! Makes many quotes in a row on a software TPM and shows what stays loaded: nothing.
//!
//! `cargo run -p earnest-tpm --example quotes -- 70000` takes some minutes.

use std::error::Error;
use std::time::Instant;

use earnest_evidence::sealing::{KeyGrant, LeastVersion, PolicyKey, SignedVersion};
use earnest_evidence::tpm::PcrSet;
use earnest_tpm::{
    AkAlgorithm, PreparedTpm, ProvisionOptions, SoftwareTpm, Tpm, TrustModule as _, provision,
    quiet_library,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

fn main() -> Result<(), Box<dyn Error>> {
    quiet_library();
    let count: usize = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => 1000,
    };
    let directory = tempfile::tempdir()?;
    let prepared = PreparedTpm::make(directory.path())?;
    let software = SoftwareTpm::start(prepared.state())?;
    let provisioned = provision(&software.address(), &options()?)?;
    let tpm = Tpm::open(software.address(), provisioned.state)?;
    let pcrs = PcrSet::of(&[4, 7, 11])?;
    println!("before: {}", tpm.handles()?);
    let start = Instant::now();
    for number in 0..count {
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        tpm.quote(&nonce, pcrs)?;
    }
    let taken = start.elapsed();
    println!("after {count} quotes: {}", tpm.handles()?);
    println!(
        "{:.2} ms a quote",
        taken.as_secs_f64() * 1e3 / count.max(1) as f64
    );
    tpm.close()?;
    Ok(())
}

/// A fleet whose keys are thrown away: nothing is sealed here.
fn options() -> Result<ProvisionOptions, Box<dyn Error>> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 =
        EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| "no random numbers")?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
        .map_err(|_| "no key was made")?;
    let root = PolicyKey::from_point(pair.public_key().as_ref())?;
    let sign = |message: &[u8]| -> Result<[u8; 64], Box<dyn Error>> {
        let signature = pair
            .sign(&random, message)
            .map_err(|_| "no random numbers")?;
        Ok(signature.as_ref().try_into()?)
    };
    let grant = KeyGrant::sign(&root, root, 1, sign)?;
    let least = LeastVersion {
        version: 1,
        generation: 1,
    };
    Ok(ProvisionOptions {
        root,
        first_version: SignedVersion::sign(&root, grant, true, least, sign)?,
        ak: AkAlgorithm::EccP256,
        replace_index: false,
    })
}
