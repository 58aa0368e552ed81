//! What somebody with the device in hand tries on the least version and the seal, past every
//! check of ours, so that the TPM alone stands in the way.

use earnest_evidence::sealing::{
    LEAST_VERSION_INDEX, LeastVersion, SIGNED_VERSION_BYTES, SignedPolicy, SignedVersion,
};
use tss_esapi::Context;
use tss_esapi::handles::{AuthHandle, NvIndexHandle, NvIndexTpmHandle, TpmHandle};
use tss_esapi::interface_types::resource_handles::{NvAuth, Provision};
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Auth, MaxNvBuffer};

use crate::connection::{Connection, failed};
use crate::module::{SECRET_BYTES, Secret};
use crate::provision::define_index;
use crate::seal::{least_version, seal, unseal_by_tpm, write_least_version};
use crate::support::{Fleet, Machine, boot};
use crate::{AkAlgorithm, Provisioned, State, TpmError, TrustModule as _};

/// `TPM_RC_POLICY`: a comparison fails.
const POLICY: u32 = 0x126;
/// `TPM_RC_VALUE`.
const VALUE: u32 = 0x084;
/// `TPM_RC_SIGNATURE`.
const SIGNATURE: u32 = 0x09b;
/// `TPM_RC_NV_AUTHORIZATION`.
const NV_AUTHORIZATION: u32 = 0x149;
/// `TPM_RC_BAD_AUTH`.
const BAD_AUTH: u32 = 0x0a2;

/// A device in an adversary's hands.
struct Stolen {
    connection: Connection,
    state: State,
    fleet: Fleet,
    provisioned: Provisioned,
    machine: Machine,
}

impl Stolen {
    fn new() -> Stolen {
        let (machine, fleet) = (Machine::new(), Fleet::new());
        let provisioned = machine.provision(&fleet);
        let state = provisioned.state.clone();
        let connection = Connection::open(&machine.software.address(), &state.srk_name).unwrap();
        Stolen {
            connection,
            state,
            fleet,
            provisioned,
            machine,
        }
    }

    fn write(&mut self, permission: &SignedVersion) -> Result<(), TpmError> {
        write_least_version(&mut self.connection, &self.state.root, permission)
    }

    fn version(&mut self) -> u64 {
        least_version(&mut self.connection, &self.state.root)
            .unwrap()
            .version
    }

    /// Something with the index, by a context of one's own, authorized by a password.
    fn with_index<T>(
        &self,
        owner: &[u8],
        run: impl FnOnce(&mut Context, NvIndexHandle) -> Result<T, tss_esapi::Error>,
    ) -> Result<T, TpmError> {
        let address = self.machine.software.address().to_string();
        let mut context = Context::new(address.parse().unwrap()).unwrap();
        let owner = Auth::try_from(owner).unwrap();
        context
            .tr_set_auth(AuthHandle::Owner.into(), owner)
            .unwrap();
        let handle = NvIndexTpmHandle::new(LEAST_VERSION_INDEX).unwrap();
        let index = context
            .tr_from_tpm_public(TpmHandle::NvIndex(handle))
            .unwrap();
        context
            .execute_with_session(Some(AuthSession::Password), |context| {
                run(context, NvIndexHandle::from(index))
            })
            .map_err(failed("an attack"))
    }
}

fn check_refused<T>(result: Result<T, TpmError>, expected: u32) {
    match result {
        Ok(_) => panic!("the attack works"),
        Err(error) => assert_eq!(error.refusal(), Some(expected), "{error}"),
    }
}

fn zero() -> MaxNvBuffer {
    MaxNvBuffer::try_from(&[0; 16][..]).unwrap()
}

#[test]
fn an_old_permission_does_not_bring_the_old_value_back() {
    let mut stolen = Stolen::new();
    let three = stolen.fleet.permit(3, 1);
    stolen.write(&three).unwrap();
    let five = stolen.fleet.permit(5, 1);
    stolen.write(&five).unwrap();
    check_refused(stolen.write(&three), POLICY);
    assert_eq!(stolen.version(), 5);
}

#[test]
fn a_lower_value_is_refused_though_the_policy_key_permits_it() {
    let mut stolen = Stolen::new();
    let five = stolen.fleet.permit(5, 2);
    stolen.fleet.rotate();
    let six = stolen.fleet.permit(6, 2);
    stolen.write(&five).unwrap();
    stolen.write(&six).unwrap();
    let lower = [(4, 2), (6, 1), (9, 1), (0, 9)];
    for (version, generation) in lower {
        let permission = stolen.fleet.permit(version, generation);
        check_refused(stolen.write(&permission), POLICY);
    }
    assert_eq!(stolen.version(), 6);
}

#[test]
fn another_value_under_a_permission_is_refused() {
    let mut stolen = Stolen::new();
    let mut bytes = stolen.fleet.permit(3, 1).encode();
    // The version stands before the generation and the signature.
    let version = SIGNED_VERSION_BYTES - 64 - 16;
    bytes[version + 7] = 200;
    let forged = SignedVersion::parse(&bytes).unwrap();
    assert_eq!(forged.least().version, 200);
    check_refused(stolen.write(&forged), SIGNATURE);
    // And a permission of another fleet, whose root is not this device's.
    let strangers = Fleet::new().permit(200, 1);
    check_refused(stolen.write(&strangers), SIGNATURE);
    assert_eq!(stolen.version(), 1);
}

#[test]
fn a_policy_key_of_an_ended_generation_moves_and_opens_nothing() {
    let mut stolen = Stolen::new();
    let sealed = seal(&mut stolen.connection, &stolen.state.root, &secret()).unwrap();
    let tpm = stolen.machine.open();
    let (old_policy, old_permission) = (stolen.fleet.approve(&tpm, 9), stolen.fleet.permit(9, 9));
    stolen.fleet.rotate();
    let ended = stolen.fleet.permit(1, 2);
    stolen.write(&ended).unwrap();
    check_refused(stolen.write(&old_permission), POLICY);
    let state = tpm.pcr_read(boot()).unwrap().digest();
    let opened = opened(&mut stolen, &sealed, &old_policy, &state);
    check_refused(opened, POLICY);
}

#[test]
fn owner_and_index_authorization_write_nothing() {
    let mut stolen = Stolen::new();
    let owner = stolen.provisioned.secrets.owner.clone();
    let by_owner = stolen.with_index(&owner[..], |context, index| {
        context.nv_write(NvAuth::Owner, index, zero(), 0)
    });
    check_refused(by_owner, NV_AUTHORIZATION);
    // The authorization value of the index is empty, and good for reading alone.
    let by_index = stolen.with_index(&[], |context, index| {
        context.nv_write(NvAuth::NvIndex(index), index, zero(), 0)
    });
    // TPM_RC_AUTH_UNAVAILABLE: by its attributes, the index is not written by its value.
    check_refused(by_index, 0x12f);
    assert_eq!(stolen.version(), 1);
}

#[test]
fn the_index_is_not_removed_without_the_owner_authorization() {
    let mut stolen = Stolen::new();
    for guess in [&[][..], &[0; 32], b"owner"] {
        let removed = stolen.with_index(guess, |context, index| {
            context.nv_undefine_space(Provision::Owner, index)
        });
        check_refused(removed, BAD_AUTH);
    }
    assert_eq!(stolen.version(), 1);
}

/// What the owner authorization is worth, and why it is left nowhere on the device: with it,
/// and with a permission for a first write kept from provisioning, an old value comes back.
/// Should this test fail one day, the documentation of `OwnerSecrets` says too little of us.
#[test]
fn whoever_has_the_owner_authorization_can_define_the_index_again() {
    let mut stolen = Stolen::new();
    let five = stolen.fleet.permit(5, 1);
    stolen.write(&five).unwrap();
    let owner = stolen.provisioned.secrets.owner.clone();
    stolen
        .with_index(&owner[..], |context, index| {
            context.nv_undefine_space(Provision::Owner, index)
        })
        .unwrap();
    let options = stolen.fleet.options(AkAlgorithm::EccP256);
    stolen.connection.set_owner(&owner[..]).unwrap();
    define_index(&mut stolen.connection, &options).unwrap();
    // Even now, any value is not to be had: only a first one that was permitted.
    let later = stolen.fleet.permit(1, 1);
    let error = stolen.write(&later).unwrap_err();
    assert!(matches!(error, TpmError::OtherName { .. }), "{error}");
    let first = stolen.fleet.permit_first();
    stolen.write(&first).unwrap();
    assert_eq!(stolen.version(), 1);
}

#[test]
fn an_index_that_is_there_is_replaced_only_when_asked_for() {
    let (machine, fleet) = (Machine::new(), Fleet::new());
    // A provisioning that was cut short: everything but the owner.
    let mut options = fleet.options(AkAlgorithm::EccP256);
    let name = crate::provision::storage_root_key(&machine.software.address()).unwrap();
    let mut connection = Connection::open(&machine.software.address(), &name).unwrap();
    define_index(&mut connection, &options).unwrap();
    drop(connection);
    let address = machine.software.address();
    let error = crate::provision(&address, &options).unwrap_err();
    assert!(
        matches!(error, crate::ProvisionError::IndexTaken { .. }),
        "{error}"
    );
    options.replace_index = true;
    let provisioned = crate::provision(&address, &options).unwrap();
    let mut connection = Connection::open(&address, &name).unwrap();
    let least = least_version(&mut connection, &provisioned.state.root).unwrap();
    let first = LeastVersion {
        version: 1,
        generation: 1,
    };
    assert_eq!(least, first);
}

#[test]
fn an_old_policy_opens_nothing_though_nobody_checks_it_before() {
    let mut stolen = Stolen::new();
    let sealed = seal(&mut stolen.connection, &stolen.state.root, &secret()).unwrap();
    let tpm = stolen.machine.open();
    let state = tpm.pcr_read(boot()).unwrap().digest();
    let old = stolen.fleet.approve(&tpm, 1);
    assert_eq!(
        opened(&mut stolen, &sealed, &old, &state).unwrap()[..],
        secret()[..]
    );
    let two = stolen.fleet.permit(2, 1);
    stolen.write(&two).unwrap();
    check_refused(opened(&mut stolen, &sealed, &old, &state), POLICY);
}

#[test]
fn a_state_that_is_only_claimed_opens_nothing() {
    let mut stolen = Stolen::new();
    let sealed = seal(&mut stolen.connection, &stolen.state.root, &secret()).unwrap();
    let tpm = stolen.machine.open();
    let state = tpm.pcr_read(boot()).unwrap().digest();
    let policy = stolen.fleet.approve(&tpm, 1);
    tpm.pcr_extend(4, &[1; 32]).unwrap();
    check_refused(opened(&mut stolen, &sealed, &policy, &state), VALUE);
}

fn secret() -> Secret {
    Secret::new([0x5e; SECRET_BYTES])
}

/// Unseals with no check before the TPM's own.
fn opened(
    stolen: &mut Stolen,
    sealed: &crate::SealedKey,
    policy: &SignedPolicy,
    state: &[u8; 32],
) -> Result<zeroize::Zeroizing<Vec<u8>>, TpmError> {
    let approval = policy.approval(state).unwrap();
    let root = stolen.state.root;
    unseal_by_tpm(&mut stolen.connection, &root, sealed, policy, approval)
}
