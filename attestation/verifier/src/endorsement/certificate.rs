//! The fields of a certificate that decide whether it speaks for an endorsement key.
//!
//! Source of the fields: RFC 5280; of their values in an endorsement certificate: TCG EK
//! Credential Profile for TPM Family 2.0, section 3.2.

use std::fmt;

use earnest_evidence::tpm::{Curve, PublicKey};

use super::der::{Elements, tag, unsigned};

/// `id-ce-keyUsage`, 2.5.29.15.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// `id-ce-subjectAltName`, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// `id-ce-basicConstraints`, 2.5.29.19.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// `id-ce-extKeyUsage`, 2.5.29.37.
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// `tcg-at-tpmManufacturer`, `tcg-at-tpmModel` and `tcg-at-tpmVersion`, 2.23.133.2.1 to 3.
const TPM_ATTRIBUTE: &[u8] = &[0x67, 0x81, 0x05, 0x02];
/// `rsaEncryption`, 1.2.840.113549.1.1.1.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// `id-RSAES-OAEP`, 1.2.840.113549.1.1.7, under which some makers certify their keys.
const RSA_OAEP: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07];
/// `id-ecPublicKey`, 1.2.840.10045.2.1.
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// `secp256r1`, 1.2.840.10045.3.1.7.
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `secp384r1`, 1.3.132.0.34.
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// Longest certificate that is read, in bytes. A TPM's own are of 1 to 2 kB; this is the size
/// of the largest NV index that a TPM must offer, and then some.
pub const MAX_CERTIFICATE_BYTES: usize = 8 * 1024;
/// Most extensions that a certificate may have, so that looking through them is bounded.
const MAX_EXTENSIONS: usize = 32;
/// Most purposes of an extended key usage that are listed in a refusal.
const MAX_PURPOSES: usize = 16;
/// Most attributes that are read of a directory name.
const MAX_ATTRIBUTES: usize = 32;
/// Longest text of a TPM's manufacturer, model or version, in bytes. Longer ones are cut off.
const MAX_TEXT_BYTES: usize = 64;

/// Bits of the key usage (RFC 5280, 4.2.1.3), from the first byte's highest.
pub(super) mod usage {
    pub(in super::super) const KEY_ENCIPHERMENT: u8 = 0x20;
    pub(in super::super) const KEY_AGREEMENT: u8 = 0x08;
    pub(in super::super) const CERTIFICATE_SIGN: u8 = 0x04;
}

/// What a TPM's certificate says of the TPM. Texts of a stranger until the chain is verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TpmDescription {
    /// `tcg-at-tpmManufacturer`: `id:` and the vendor's four bytes in hexadecimal.
    pub manufacturer: String,
    /// `tcg-at-tpmModel`.
    pub model: String,
    /// `tcg-at-tpmVersion`: `id:` and the firmware's version in hexadecimal.
    pub version: String,
}

impl TpmDescription {
    /// Whether this is what swtpm's own authority writes: a TPM that is a program. It names its
    /// vendor by IBM's PCI identifier, where a TPM's maker has four letters.
    pub fn is_software(&self) -> bool {
        self.model.eq_ignore_ascii_case("swtpm") || self.manufacturer == "id:00001014"
    }
}

impl fmt::Display for TpmDescription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TpmDescription {
            manufacturer,
            model,
            version,
        } = self;
        write!(
            formatter,
            "manufacturer {manufacturer:?}, model {model:?}, version {version:?}"
        )
    }
}

/// A certificate's fields. Nothing in them is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Seconds since 1970.
    pub(super) not_before: i64,
    /// Seconds since 1970.
    pub(super) not_after: i64,
    pub(super) key: Option<PublicKey>,
    /// Whether the basic constraints say that it is an authority's.
    pub(super) authority: bool,
    /// First byte of the key usage, if there is one.
    pub(super) key_usage: Option<u8>,
    /// Purposes, as content of their object identifiers.
    pub(super) purposes: Vec<Vec<u8>>,
    pub(super) tpm: TpmDescription,
    /// Whether it is of version 1, which has no extensions.
    pub(super) version_1: bool,
}

impl Certificate {
    /// Reads `bytes` as a certificate.
    ///
    /// # Errors
    ///
    /// The name of the field that is not as RFC 5280 has it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Certificate, &'static str> {
        let mut outer = Elements::new(bytes);
        let mut certificate = outer.enter(tag::SEQUENCE).ok_or("certificate")?;
        if !outer.is_empty() {
            return Err("end of the certificate");
        }
        let mut fields = certificate.enter(tag::SEQUENCE).ok_or("tbsCertificate")?;
        let version_1 = fields.enter(tag::CONTEXT_0).is_none();
        fields.expect(tag::INTEGER).ok_or("serialNumber")?;
        fields.expect(tag::SEQUENCE).ok_or("signature")?;
        fields.expect(tag::SEQUENCE).ok_or("issuer")?;
        let mut validity = fields.enter(tag::SEQUENCE).ok_or("validity")?;
        let not_before = time(&mut validity).ok_or("notBefore")?;
        let not_after = time(&mut validity).ok_or("notAfter")?;
        fields.expect(tag::SEQUENCE).ok_or("subject")?;
        let key = fields
            .enter(tag::SEQUENCE)
            .ok_or("subjectPublicKeyInfo")
            .map(public_key)?;
        // Unique identifiers of the issuer and the subject, which nobody writes any more.
        fields.skip(0x81);
        fields.skip(0x82);
        let mut read = Certificate {
            not_before,
            not_after,
            key,
            authority: false,
            key_usage: None,
            purposes: Vec::new(),
            tpm: TpmDescription::default(),
            version_1,
        };
        if let Some(mut explicit) = fields.enter(tag::CONTEXT_3) {
            let extensions = explicit.enter(tag::SEQUENCE).ok_or("extensions")?;
            read.read_extensions(extensions)?;
        }
        Ok(read)
    }

    fn read_extensions(&mut self, mut extensions: Elements<'_>) -> Result<(), &'static str> {
        for _ in 0..MAX_EXTENSIONS {
            if extensions.is_empty() {
                return Ok(());
            }
            let mut extension = extensions.enter(tag::SEQUENCE).ok_or("extension")?;
            let name = extension
                .expect(tag::OBJECT_IDENTIFIER)
                .ok_or("extension's name")?;
            extension.skip(tag::BOOLEAN);
            let value = extension
                .enter(tag::OCTET_STRING)
                .ok_or("extension's value")?;
            self.read_extension(name.content, value)?;
        }
        Err("number of extensions")
    }

    fn read_extension(&mut self, name: &[u8], mut value: Elements<'_>) -> Result<(), &'static str> {
        match name {
            KEY_USAGE => {
                let bits = value.expect(tag::BIT_STRING).ok_or("keyUsage")?;
                // The first byte counts unused bits; the second has the nine usages' first eight.
                self.key_usage = Some(bits.content.get(1).copied().unwrap_or(0));
            }
            BASIC_CONSTRAINTS => {
                let mut fields = value.enter(tag::SEQUENCE).ok_or("basicConstraints")?;
                let authority = fields.expect(tag::BOOLEAN);
                self.authority = authority.is_some_and(|flag| flag.content == [0xff]);
            }
            EXTENDED_KEY_USAGE => {
                let mut purposes = value.enter(tag::SEQUENCE).ok_or("extKeyUsage")?;
                while let Some(purpose) = purposes.expect(tag::OBJECT_IDENTIFIER) {
                    if self.purposes.len() == MAX_PURPOSES {
                        return Err("number of purposes in extKeyUsage");
                    }
                    self.purposes.push(purpose.content.to_vec());
                }
            }
            SUBJECT_ALT_NAME => {
                let mut names = value.enter(tag::SEQUENCE).ok_or("subjectAltName")?;
                if let Some(directory) = names.enter(tag::CONTEXT_4) {
                    self.tpm = describe(directory).ok_or("directory name of the TPM")?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The TPM's attributes of a directory name. Some makers put the three into one set, some into
/// one each.
fn describe(mut directory: Elements<'_>) -> Option<TpmDescription> {
    let mut description = TpmDescription::default();
    let mut sets = directory.enter(tag::SEQUENCE)?;
    let mut left = MAX_ATTRIBUTES;
    while !sets.is_empty() {
        let mut set = sets.enter(tag::SET)?;
        while !set.is_empty() {
            left = left.checked_sub(1)?;
            let mut attribute = set.enter(tag::SEQUENCE)?;
            let name = attribute.expect(tag::OBJECT_IDENTIFIER)?.content;
            let text = text(attribute.any()?.content);
            match name.strip_prefix(TPM_ATTRIBUTE) {
                Some([1]) => description.manufacturer = text,
                Some([2]) => description.model = text,
                Some([3]) => description.version = text,
                _ => {}
            }
        }
    }
    Some(description)
}

/// What can be shown of a stranger's text: its start, and only visible ASCII.
fn text(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(MAX_TEXT_BYTES)
        .map(|byte| match byte {
            0x20..=0x7e => char::from(*byte),
            _ => '?',
        })
        .collect()
}

/// The key of a SubjectPublicKeyInfo, if it is of a kind that an endorsement key can be.
fn public_key(mut info: Elements<'_>) -> Option<PublicKey> {
    let mut algorithm = info.enter(tag::SEQUENCE)?;
    let name = algorithm.expect(tag::OBJECT_IDENTIFIER)?.content;
    // A bit string's first byte counts unused bits, of which a key has none.
    let key = info.expect(tag::BIT_STRING)?.content.strip_prefix(&[0])?;
    match name {
        RSA | RSA_OAEP => {
            let mut numbers = Elements::new(key).enter(tag::SEQUENCE)?;
            let modulus = unsigned(&numbers.expect(tag::INTEGER)?)?;
            let exponent = unsigned(&numbers.expect(tag::INTEGER)?)?;
            if exponent.len() > 4 {
                return None;
            }
            let exponent = exponent
                .iter()
                .fold(0, |number, byte| number << 8 | u32::from(*byte));
            PublicKey::rsa(modulus, exponent).ok()
        }
        EC => {
            let curve = match algorithm.expect(tag::OBJECT_IDENTIFIER)?.content {
                P256 => Curve::P256,
                P384 => Curve::P384,
                _ => return None,
            };
            // An uncompressed point: 4, and both coordinates in full.
            let (x, y) = key
                .strip_prefix(&[4])
                .filter(|point| point.len() == 2 * curve.coordinate_bytes())?
                .split_at_checked(curve.coordinate_bytes())?;
            PublicKey::ecc(curve, x, y).ok()
        }
        _ => None,
    }
}

/// A Time (RFC 5280, 4.1.2.5): `YYMMDDHHMMSSZ` until 2049 or `YYYYMMDDHHMMSSZ`.
fn time(fields: &mut Elements<'_>) -> Option<i64> {
    let element = fields.any()?;
    let text = element.content.strip_suffix(b"Z")?;
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = |at: usize, count: usize| -> Option<i64> {
        let digits = text.get(at..at + count)?;
        Some(
            digits
                .iter()
                .fold(0, |number, digit| number * 10 + i64::from(digit - b'0')),
        )
    };
    let (year, rest) = match (element.tag, text.len()) {
        (tag::UTC_TIME, 12) => {
            let year = digits(0, 2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        (tag::GENERALIZED_TIME, 14) => (digits(0, 4)?, 4),
        _ => return None,
    };
    let (month, day) = (digits(rest, 2)?, digits(rest + 2, 2)?);
    let (hour, minute, second) = (
        digits(rest + 4, 2)?,
        digits(rest + 6, 2)?,
        digits(rest + 8, 2)?,
    );
    let possible = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    possible
        .then(|| days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, years counted from March so that a
/// leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let days_before_month = (153 * month + 2) / 5;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days lie between the first of March of the year 0 and 1970.
    year * 365 + leap_days + days_before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let check = |tag: u8, text: &str, expected: Option<i64>| {
            let bytes = [&[tag, text.len() as u8], text.as_bytes()].concat();
            assert_eq!(time(&mut Elements::new(&bytes)), expected, "{text}");
        };
        check(tag::UTC_TIME, "700101000000Z", Some(0));
        check(tag::UTC_TIME, "261123011340Z", Some(1_795_396_420));
        check(tag::GENERALIZED_TIME, "20000229235959Z", Some(951_868_799));
        check(
            tag::GENERALIZED_TIME,
            "99991231235959Z",
            Some(253_402_300_799),
        );
        check(tag::UTC_TIME, "20000229235959Z", None);
        check(tag::GENERALIZED_TIME, "20001329235959Z", None);
        check(tag::GENERALIZED_TIME, "20000229235959", None);
        check(tag::GENERALIZED_TIME, "2000-229235959Z", None);
    }
}
