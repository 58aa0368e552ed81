//! An authenticator as people have one: codes by RFC 6238, worked out on its own, so that the
//! daemon's are held to another's.

/// What a person has on a telephone.
pub(crate) struct Authenticator {
    secret: Vec<u8>,
}

impl Authenticator {
    /// With this secret in base32 (RFC 4648, section 6).
    pub(crate) fn new(secret: &str) -> Authenticator {
        let (mut bits, mut held) = (0_u32, 0);
        let mut bytes = Vec::new();
        for character in secret.bytes() {
            let value = match character {
                b'A'..=b'Z' => character - b'A',
                b'2'..=b'7' => character - b'2' + 26,
                _ => panic!("{secret} is not base32"),
            };
            bits = bits << 5 | u32::from(value);
            held += 5;
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held) as u8);
            }
        }
        Authenticator { secret: bytes }
    }

    /// What it shows at this second since 1970.
    pub(crate) fn code(&self, second: u64) -> String {
        let digest = hmac(&self.secret, &(second / 30).to_be_bytes());
        let place = usize::from(digest[19] & 15);
        let mut number = [0; 4];
        number.copy_from_slice(&digest[place..place + 4]);
        let number = u32::from_be_bytes(number) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}

/// HMAC-SHA-1 (RFC 2104) under a key that is no longer than a block.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 20] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = sha1(&[&pad(0x36)[..], message].concat());
    sha1(&[&pad(0x5c)[..], &inner].concat())
}

/// SHA-1 (FIPS 180-4, section 6.1).
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    let mut state = [
        0x6745_2301_u32,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    for block in padded.chunks_exact(64) {
        let mut words = [0_u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes
                .iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        for place in 16..80 {
            let mixed = words[place - 3] ^ words[place - 8] ^ words[place - 14] ^ words[place - 16];
            words[place] = mixed.rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (round, word) in words.iter().enumerate() {
            let (mixed, constant) = match round {
                0..20 => (b & c | !b & d, 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => (b & c | b & d | c & d, 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e);
            let next = next.wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, word) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(word);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[test]
fn the_codes_are_those_of_rfc_6238() {
    let authenticator = Authenticator {
        secret: b"12345678901234567890".to_vec(),
    };
    assert_eq!(authenticator.code(59), "287082");
    assert_eq!(authenticator.code(1_111_111_109), "081804");
}
