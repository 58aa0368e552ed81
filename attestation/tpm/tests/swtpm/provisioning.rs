//! What provisioning sets, and whom it refuses.

use earnest_evidence::tpm::{Parameters, Public};
use earnest_tpm::{
    AkAlgorithm, DeviceAddress, PreparedTpm, ProvisionError, SoftwareTpm, SoftwareTpmError, Tpm,
    TpmError, TrustModule as _, provision,
};
use tss_esapi::constants::PropertyTag;

use crate::devices::{device, property};
use crate::support::{Fleet, Machine};

#[test]
fn the_ek_with_its_certificate_is_found_and_the_dictionary_attack_logic_is_set() {
    let machine = Machine::new();
    let provisioned = machine.provision(&Fleet::new());
    let identity = provisioned.state.identity();
    let certificate = identity.ek_certificate.as_ref().unwrap();
    // One SEQUENCE, to its end.
    let length = u16::from_be_bytes([certificate[2], certificate[3]]);
    assert_eq!(certificate.len(), 4 + usize::from(length));
    let ek = Public::parse(&identity.ek_public).unwrap();
    let Parameters::Rsa(rsa) = &ek.parameters else {
        panic!("{ek:?}");
    };
    // The certificate is for this key.
    assert!(
        certificate
            .windows(256)
            .any(|part| *part == rsa.modulus[..])
    );
    assert_eq!(property(&machine, PropertyTag::MaxAuthFail), 32);
    assert_eq!(property(&machine, PropertyTag::LockoutInterval), 600);
    assert_eq!(property(&machine, PropertyTag::LockoutRecovery), 86_400);
    // Owner and lockout authorization are set, that of the endorsement hierarchy is not.
    assert_eq!(property(&machine, PropertyTag::Permanent) & 0b111, 0b101);
    assert_ne!(provisioned.secrets.owner, provisioned.secrets.lockout);
    assert_eq!(format!("{:?}", provisioned.secrets), "OwnerSecrets");
}

#[test]
fn a_tpm_with_an_owner_is_not_provisioned_again() {
    let (machine, fleet) = device();
    let options = fleet.options(AkAlgorithm::EccP256);
    let error = provision(&machine.software.address(), &options).unwrap_err();
    assert!(
        matches!(
            error,
            ProvisionError::Owned {
                owner: true,
                lockout: true
            }
        ),
        "{error}"
    );
    machine
        .open()
        .quote(&[1; 32], crate::support::boot())
        .unwrap();
}

#[test]
fn a_first_version_that_is_none_is_refused_before_the_tpm_is_touched() {
    let (machine, fleet) = (Machine::new(), Fleet::new());
    let address = machine.software.address();
    let mut options = fleet.options(AkAlgorithm::EccP256);
    options.first_version = Fleet::new().permit_first();
    let error = provision(&address, &options).unwrap_err();
    assert!(matches!(error, ProvisionError::FirstVersion(_)), "{error}");
    options.first_version = fleet.permit(2, 1);
    let error = provision(&address, &options).unwrap_err();
    assert!(matches!(error, ProvisionError::NotFirst), "{error}");
    machine.provision(&fleet);
}

#[test]
fn nobody_at_the_address_is_an_error_and_no_hang() {
    let (machine, _) = device();
    let state = machine.state();
    let DeviceAddress::Software { port } = machine.software.address() else {
        panic!("a software TPM has a port");
    };
    drop(machine.software);
    let error = Tpm::open(DeviceAddress::Software { port }, state).unwrap_err();
    assert!(matches!(error, TpmError::Lost { .. }), "{error}");
}

#[test]
fn software_tpms_run_side_by_side_and_a_state_only_once() {
    let machines: Vec<Machine> = (0..4).map(|_| Machine::new()).collect();
    let mut addresses: Vec<String> = machines
        .iter()
        .map(|machine| machine.software.address().to_string())
        .collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 4);
    let state = machines[0].path().join("tpm");
    let error = SoftwareTpm::start(&state).unwrap_err();
    assert!(matches!(error, SoftwareTpmError::InUse { .. }), "{error}");
}

#[test]
fn a_directory_that_cannot_be_written_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, []).unwrap();
    let error = PreparedTpm::make(&file).unwrap_err();
    assert!(
        matches!(error, SoftwareTpmError::Directory { .. }),
        "{error}"
    );
}
