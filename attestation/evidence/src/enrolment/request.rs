//! What a device asks with.

use serde::{Deserialize, Serialize};

use super::{
    Base64, EnrolmentError, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_DEVICE_NAME, Raw,
    check_size,
};
use crate::tpm::Public;

/// A device's request to be enrolled: `earnest enrolment request 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    ek_certificates: Vec<Vec<u8>>,
    ek_public: Public,
    ak_public: Public,
    name: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    format: String,
    /// DER, the EK's own first.
    ek_certificates: Vec<Base64>,
    /// `TPMT_PUBLIC`.
    ek_public: Base64,
    /// `TPMT_PUBLIC`.
    ak_public: Base64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Raw for RawRequest {
    const FORMAT: &'static str = "earnest enrolment request 1";

    fn format(&self) -> &str {
        &self.format
    }
}

impl Request {
    /// A request of these certificates (DER, the EK's own first, then those between it and
    /// an authority in any order), these keys, and the name that people know the device by.
    ///
    /// # Errors
    ///
    /// When there is no certificate, too many or too long ones, or the name is empty, too long
    /// or of other characters than letters, digits, `.`, `_` and `-`.
    pub fn new(
        ek_certificates: Vec<Vec<u8>>,
        ek_public: Public,
        ak_public: Public,
        name: Option<String>,
    ) -> Result<Request, EnrolmentError> {
        check_size(
            "the number of certificates",
            MAX_CERTIFICATES,
            ek_certificates.len(),
        )?;
        for certificate in &ek_certificates {
            check_size(
                "bytes of a certificate",
                MAX_CERTIFICATE_BYTES,
                certificate.len(),
            )?;
        }
        if let Some(name) = &name {
            check_name(name)?;
        }
        Ok(Request {
            ek_certificates,
            ek_public,
            ak_public,
            name,
        })
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When the bytes are no such file.
    pub fn from_json(bytes: &[u8]) -> Result<Request, EnrolmentError> {
        let raw = RawRequest::read(bytes)?;
        let public = |field, bytes: &Base64| {
            Public::parse(&bytes.0).map_err(|source| EnrolmentError::Public { field, source })
        };
        let ek_public = public("ek_public", &raw.ek_public)?;
        let ak_public = public("ak_public", &raw.ak_public)?;
        let certificates = raw.ek_certificates.into_iter().map(|der| der.0).collect();
        Request::new(certificates, ek_public, ak_public, raw.name)
    }

    /// The file.
    pub fn to_json(&self) -> String {
        let certificates = self.ek_certificates.iter();
        RawRequest {
            format: RawRequest::FORMAT.to_owned(),
            ek_certificates: certificates.map(|der| Base64(der.clone())).collect(),
            ek_public: Base64(self.ek_public.marshal()),
            ak_public: Base64(self.ak_public.marshal()),
            name: self.name.clone(),
        }
        .to_json()
    }

    /// The EK's certificate, in DER.
    pub fn ek_certificate(&self) -> &[u8] {
        // `new` lets in no request without one.
        self.ek_certificates.first().map_or(&[], Vec::as_slice)
    }

    /// Certificates between it and an authority, in DER and in any order.
    pub fn intermediates(&self) -> &[Vec<u8>] {
        self.ek_certificates.get(1..).unwrap_or_default()
    }

    /// The EK, as the device says that it is. The certificate's key is what counts.
    pub fn ek_public(&self) -> &Public {
        &self.ek_public
    }

    /// The AK.
    pub fn ak_public(&self) -> &Public {
        &self.ak_public
    }

    /// What people know the device by.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

fn check_name(name: &str) -> Result<(), EnrolmentError> {
    let fits = |found: &char| found.is_ascii_alphanumeric() || ['.', '_', '-'].contains(found);
    if let Some(found) = name.chars().find(|found| !fits(found)) {
        return Err(EnrolmentError::DeviceName { found });
    }
    check_size("characters of a device's name", MAX_DEVICE_NAME, name.len())
}
