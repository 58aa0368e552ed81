//! Which event data may leave the device.

use std::collections::BTreeSet;

use super::{Event, EventKind};

/// The texts of `EV_EFI_ACTION` (PFP, "EV_EFI_ACTION Event Types"). Others may hold anything.
const ACTIONS: [&[u8]; 7] = [
    b"Calling EFI Application from Boot Option",
    b"Returning from EFI Application from Boot Option",
    b"Exit Boot Services Invocation",
    b"Exit Boot Services Returned with Success",
    b"Exit Boot Services Returned with Failure",
    b"UEFI Debug Mode",
    b"DMA Protection Disabled",
];

/// What stands in front of the value in the `UEFI_VARIABLE_DATA` of `SecureBoot`: the GUID of
/// UEFI's global variables, ten characters, one byte of value, and the name in UTF-16.
const SECURE_BOOT: &[u8] = b"\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c\
      \x0a\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\
      S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0";

/// Bytes of a separator's data.
const SEPARATOR_BYTES: usize = 4;

/// Which event data may leave the device. Digests always may: they are the evidence. They tell
/// whoever can guess the data that it was guessed right, which is what evidence is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowList {
    kinds: BTreeSet<EventKind>,
}

impl AllowList {
    /// What tells one machine from another stays home: boot entries, disk identifiers, device
    /// paths, command lines, serial numbers, owners' keys. Let out is what has one of a few
    /// values that the profile gives: separators, its texts of actions, whether Secure Boot is
    /// on, and the locality that a replay needs.
    pub const fn standard() -> AllowList {
        AllowList {
            kinds: BTreeSet::new(),
        }
    }

    /// Lets out, besides, all data of events of this type.
    #[must_use]
    pub fn with_kind(mut self, kind: EventKind) -> AllowList {
        self.kinds.insert(kind);
        self
    }

    /// Whether the event's data may leave.
    pub fn allows(&self, event: &Event<'_>) -> bool {
        let data = event.data();
        self.kinds.contains(&event.kind())
            || match event.kind() {
                EventKind::NO_ACTION => event.startup_locality().is_some(),
                EventKind::SEPARATOR => {
                    data.len() == SEPARATOR_BYTES
                        && [0, 1, u32::MAX]
                            .iter()
                            .any(|value| data == value.to_le_bytes())
                }
                EventKind::EFI_ACTION => ACTIONS.contains(&data),
                EventKind::EFI_VARIABLE_DRIVER_CONFIG => {
                    matches!(data.strip_prefix(SECURE_BOOT), Some([0 | 1]))
                }
                _ => false,
            }
    }
}
