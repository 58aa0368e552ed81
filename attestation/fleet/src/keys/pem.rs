//! Private keys as text (RFC 7468, 10): PKCS #8.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Most bytes of such a text: one of P-256 has 250.
pub(super) const MAX_PRIVATE_PEM: usize = 4096;

/// Bytes of Base64 in a line (RFC 7468, 2).
const LINE: usize = 64;

/// `document` as text.
pub(super) fn encode(document: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(document));
    // As long as it will get, so that growing it leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_PRIVATE_PEM));
    text.push_str(BEGIN);
    text.push('\n');
    for line in encoded.as_bytes().chunks(LINE) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str(END);
    text.push('\n');
    text
}

/// The document of the first private key in `text`; what stands around it is not looked at.
pub(super) fn decode(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "it is no text")?;
    let (_, behind) = text
        .split_once(BEGIN)
        .ok_or("it has no line \"-----BEGIN PRIVATE KEY-----\"")?;
    let (body, _) = behind
        .split_once(END)
        .ok_or("it has no line \"-----END PRIVATE KEY-----\"")?;
    let mut joined = Zeroizing::new(String::with_capacity(body.len()));
    joined.extend(body.split_ascii_whitespace());
    STANDARD
        .decode(joined.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| "it is no Base64 between these lines")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_goes_there_and_back() {
        let document: Vec<u8> = (0..138).collect();
        let text = encode(&document);
        assert!(text.lines().all(|line| line.len() <= 64));
        assert_eq!(decode(text.as_bytes()).unwrap().as_slice(), document);
    }

    #[test]
    fn what_is_no_private_key_is_told_apart() {
        let check = |text: &str, expected: &str| {
            let reason = decode(text.as_bytes()).unwrap_err();
            assert!(reason.contains(expected), "{text}: {reason}");
        };
        check("-----BEGIN PUBLIC KEY-----", "BEGIN PRIVATE KEY");
        check("-----BEGIN PRIVATE KEY-----\nAQID\n", "END PRIVATE KEY");
        check(&format!("{BEGIN}\nA!\n{END}"), "Base64");
        assert!(decode(&[0xff]).is_err());
    }
}
