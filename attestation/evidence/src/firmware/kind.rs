//! Types of events.

use std::fmt;

/// What firmware says that an event is (PFP, "Event Types"). Nothing vouches for it: only
/// whether it is [`EventKind::NO_ACTION`] makes a difference, because such an event is not
/// extended, and there a lie gives wrong PCRs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKind(pub u32);

impl EventKind {
    /// An event for information, which no PCR was extended with.
    pub const NO_ACTION: EventKind = EventKind(0x0000_0003);
    /// The end of what is measured before the boot loader.
    pub const SEPARATOR: EventKind = EventKind(0x0000_0004);
    /// The version of the code that measures first.
    pub const S_CRTM_VERSION: EventKind = EventKind(0x0000_0008);
    /// A boot loader's own events.
    pub const IPL: EventKind = EventKind(0x0000_000d);
    /// A UEFI variable that the boot's security depends on, such as `SecureBoot`.
    pub const EFI_VARIABLE_DRIVER_CONFIG: EventKind = EventKind(0x8000_0001);
    /// A UEFI variable of the boot menu.
    pub const EFI_VARIABLE_BOOT: EventKind = EventKind(0x8000_0002);
    /// A program that firmware starts: a boot loader or a kernel image.
    pub const EFI_BOOT_SERVICES_APPLICATION: EventKind = EventKind(0x8000_0003);
    /// The partition table.
    pub const EFI_GPT_EVENT: EventKind = EventKind(0x8000_0006);
    /// An action, by one of the profile's fixed texts.
    pub const EFI_ACTION: EventKind = EventKind(0x8000_0007);

    /// The name in the profile, if it has one.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x0000_0000 => "EV_PREBOOT_CERT",
            0x0000_0001 => "EV_POST_CODE",
            0x0000_0002 => "EV_UNUSED",
            0x0000_0003 => "EV_NO_ACTION",
            0x0000_0004 => "EV_SEPARATOR",
            0x0000_0005 => "EV_ACTION",
            0x0000_0006 => "EV_EVENT_TAG",
            0x0000_0007 => "EV_S_CRTM_CONTENTS",
            0x0000_0008 => "EV_S_CRTM_VERSION",
            0x0000_0009 => "EV_CPU_MICROCODE",
            0x0000_000a => "EV_PLATFORM_CONFIG_FLAGS",
            0x0000_000b => "EV_TABLE_OF_DEVICES",
            0x0000_000c => "EV_COMPACT_HASH",
            0x0000_000d => "EV_IPL",
            0x0000_000e => "EV_IPL_PARTITION_DATA",
            0x0000_000f => "EV_NONHOST_CODE",
            0x0000_0010 => "EV_NONHOST_CONFIG",
            0x0000_0011 => "EV_NONHOST_INFO",
            0x0000_0012 => "EV_OMIT_BOOT_DEVICE_EVENTS",
            0x0000_0013 => "EV_POST_CODE2",
            0x8000_0001 => "EV_EFI_VARIABLE_DRIVER_CONFIG",
            0x8000_0002 => "EV_EFI_VARIABLE_BOOT",
            0x8000_0003 => "EV_EFI_BOOT_SERVICES_APPLICATION",
            0x8000_0004 => "EV_EFI_BOOT_SERVICES_DRIVER",
            0x8000_0005 => "EV_EFI_RUNTIME_SERVICES_DRIVER",
            0x8000_0006 => "EV_EFI_GPT_EVENT",
            0x8000_0007 => "EV_EFI_ACTION",
            0x8000_0008 => "EV_EFI_PLATFORM_FIRMWARE_BLOB",
            0x8000_0009 => "EV_EFI_HANDOFF_TABLES",
            0x8000_000a => "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
            0x8000_000b => "EV_EFI_HANDOFF_TABLES2",
            0x8000_000c => "EV_EFI_VARIABLE_BOOT2",
            0x8000_000d => "EV_EFI_GPT_EVENT2",
            0x8000_0010 => "EV_EFI_HCRTM_EVENT",
            0x8000_00e0 => "EV_EFI_VARIABLE_AUTHORITY",
            0x8000_00e1 => "EV_EFI_SPDM_FIRMWARE_BLOB",
            0x8000_00e2 => "EV_EFI_SPDM_FIRMWARE_CONFIG",
            0x8000_00e3 => "EV_EFI_SPDM_DEVICE_POLICY",
            0x8000_00e4 => "EV_EFI_SPDM_DEVICE_AUTHORITY",
            _ => return None,
        })
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => formatter.pad(name),
            None => formatter.pad(&format!("{:#010x}", self.0)),
        }
    }
}

impl fmt::Debug for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EventKind({self})")
    }
}
