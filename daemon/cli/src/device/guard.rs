//! `earnest guard pair`: one key for the device and the guard beside its microphone.

use earnest_attester::guard;
use earnest_guardian::{GuardPlace, Pairing, PairingKey, pair};

use super::arguments::Place;
use super::{Failure, with};

/// Gives the guard the device's key, and notes which guard it is.
pub(super) fn pair_guard(device: &Place, line: &GuardPlace, anew: bool) -> Result<String, Failure> {
    let key = with(device, |device| {
        Ok(guard::to_pair(device.module(), device.folder(), anew)?)
    })?;
    // The TPM is not held meanwhile.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let paired = runtime.block_on(pair(line, PairingKey::new(*key)))?;
    let identity = paired.identity();
    with(device, |device| {
        Ok(guard::pin(device.folder(), identity.0)?)
    })?;
    Ok(match paired {
        Pairing::Done(_) => format!("the guard {identity} and this device know each other now\n"),
        Pairing::Before(_) => format!("the guard {identity} and this device know each other\n"),
    })
}
