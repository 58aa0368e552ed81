//! Where the TPM is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A TPM: the device of an appliance, or a software TPM on this machine.
///
/// As text, `/dev/tpmrm0` or `swtpm:host=127.0.0.1,port=2321`. Only the kernel's resource
/// manager will do for a device, because it gives each opener handles of its own and takes
/// them back when the opener dies. A software TPM listens on loopback alone: commands to it
/// are no secret to whoever carries them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DeviceAddress {
    /// A device of the kernel's resource manager, `/dev/tpmrm` and a number.
    Device(PathBuf),
    /// A software TPM on 127.0.0.1.
    Software {
        /// The port of its commands. Its control channel has the next one.
        port: u16,
    },
}

const DEVICE_START: &str = "/dev/tpmrm";
const SOFTWARE_START: &str = "swtpm:";

impl DeviceAddress {
    /// Whether this is a software TPM, which proves nothing to anybody else.
    pub fn is_software(&self) -> bool {
        matches!(self, DeviceAddress::Software { .. })
    }

    /// The configuration as libtss2's loader of transports reads it.
    pub(crate) fn transport(&self) -> String {
        match self {
            DeviceAddress::Device(path) => format!("device:{}", path.display()),
            DeviceAddress::Software { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceAddress::Device(path) => write!(formatter, "{}", path.display()),
            DeviceAddress::Software { port } => {
                write!(formatter, "{SOFTWARE_START}host=127.0.0.1,port={port}")
            }
        }
    }
}

impl FromStr for DeviceAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<DeviceAddress, AddressError> {
        if let Some(number) = text.strip_prefix(DEVICE_START) {
            // The kernel numbers its TPMs from 0; nobody has a hundred.
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            return if digits && (1..=2).contains(&number.len()) {
                Ok(DeviceAddress::Device(Path::new(text).to_owned()))
            } else {
                Err(AddressError::Device {
                    found: text.to_owned(),
                })
            };
        }
        let Some(settings) = text.strip_prefix(SOFTWARE_START) else {
            return Err(AddressError::Kind {
                found: text.to_owned(),
            });
        };
        let (mut host, mut port) = (None, None);
        for setting in settings.split(',') {
            match setting.split_once('=') {
                Some(("host", value)) if host.is_none() => host = Some(value),
                Some(("port", value)) if port.is_none() => port = Some(value),
                _ => {
                    return Err(AddressError::Setting {
                        found: setting.to_owned(),
                    });
                }
            }
        }
        match host {
            None | Some("127.0.0.1") => {}
            Some(host) => {
                return Err(AddressError::Host {
                    found: host.to_owned(),
                });
            }
        }
        let port = port.unwrap_or_default();
        match port.parse::<u16>() {
            // The control channel takes the next port, so there must be one.
            Ok(port) if port > 0 && port < u16::MAX => Ok(DeviceAddress::Software { port }),
            _ => Err(AddressError::Port {
                found: port.to_owned(),
            }),
        }
    }
}

/// Why a text names no TPM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither form.
    #[error(
        "a TPM is named /dev/tpmrm0 or swtpm:host=127.0.0.1,port=2321, not {found:?}: \
         it has to be the resource manager's device or a software TPM"
    )]
    Kind {
        /// What stands there.
        found: String,
    },
    /// No number behind `/dev/tpmrm`.
    #[error("a TPM device is /dev/tpmrm and a number, not {found:?}")]
    Device {
        /// What stands there.
        found: String,
    },
    /// Something else than a host and a port, or one of them again.
    #[error("a software TPM has one host and one port, not {found:?}")]
    Setting {
        /// What stands there.
        found: String,
    },
    /// Another machine, or a name that may become one.
    #[error("a software TPM listens on 127.0.0.1, not on {found:?}")]
    Host {
        /// What stands there.
        found: String,
    },
    /// No port of which the next one is a port, too.
    #[error("a software TPM has a port from 1 to 65534, not {found:?}")]
    Port {
        /// What stands there.
        found: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in [
            "/dev/tpmrm0",
            "/dev/tpmrm12",
            "swtpm:host=127.0.0.1,port=2321",
        ] {
            let address: DeviceAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.is_software(), text.starts_with("swtpm"));
        }
        let port = "swtpm:port=2321".parse();
        assert_eq!(port, Ok(DeviceAddress::Software { port: 2321 }));
    }

    #[test]
    fn nothing_but_the_two_forms_is_taken() {
        for text in [
            "",
            "/dev/tpm0",
            "/dev/tpmrm",
            "/dev/tpmrm0/../sda",
            "/dev/tpmrm123",
            "device:/dev/tpmrm0",
            "tabrmd:",
            "swtpm:",
            "swtpm:port=0",
            "swtpm:port=65535",
            "swtpm:port=+1",
            "swtpm:host=10.0.0.1,port=2321",
            "swtpm:host=localhost,port=2321",
            "swtpm:port=1,port=2",
            "swtpm:path=/tmp/socket",
        ] {
            let address = text.parse::<DeviceAddress>();
            // A leading sign is the one spelling that the standard library takes and we
            // could do without; it names the same port.
            if text != "swtpm:port=+1" {
                assert!(address.is_err(), "{text}: {address:?}");
            }
        }
    }
}
