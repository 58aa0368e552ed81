//! Devices, and what a person with a connection of their own asks of their TPMs.

use earnest_tpm::{PreparedTpm, Tpm, TrustModule as _};
use tempfile::TempDir;
use tss_esapi::Context;
use tss_esapi::constants::PropertyTag;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::structures::Public;
use tss_esapi::traits::UnMarshall as _;

use crate::support::{Fleet, Machine};

/// A machine whose TPM has keys of its own.
pub(crate) fn another() -> Machine {
    let directory = TempDir::new().expect("a directory");
    Machine::of(&PreparedTpm::make(directory.path()).expect("swtpm_setup works"))
}

/// A machine that belongs to a fleet.
pub(crate) fn device() -> (Machine, Fleet) {
    let (machine, fleet) = (Machine::new(), Fleet::new());
    machine.provision(&fleet);
    (machine, fleet)
}

/// A credential for this device's EK and AK, made by the TPM itself (`TPM2_MakeCredential`
/// needs no key of it), and its two parts' contents.
pub(crate) fn credential(machine: &Machine, tpm: &Tpm, secret: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let made = || -> Result<(Vec<u8>, Vec<u8>), tss_esapi::Error> {
        let mut context = Context::new(machine.software.address().to_string().parse()?)?;
        let identity = tpm.identity();
        let ek = Public::unmarshall(&identity.ek_public)?;
        let ek = context.load_external_public(ek, Hierarchy::Null)?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &identity.ak_public);
        let name = [&[0x00, 0x0b], digest.as_ref()].concat();
        let (blob, encrypted) =
            context.make_credential(ek, secret.to_vec().try_into()?, name.try_into()?)?;
        Ok((blob.value().to_vec(), encrypted.value().to_vec()))
    };
    made().expect("anybody can make a credential")
}

/// A property of the TPM, read by a connection of its own.
pub(crate) fn property(machine: &Machine, tag: PropertyTag) -> u32 {
    let address = machine.software.address().to_string();
    let mut context = Context::new(address.parse().expect("an address")).expect("it is there");
    let value = context.get_tpm_property(tag).expect("it answers");
    value.expect("the property exists")
}
