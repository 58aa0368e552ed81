//! Writes sound files, right ones and wrong ones.

/// The `data` chunk of a 16-bit WAV.
pub(crate) fn samples_of(wave: &[u8]) -> Vec<i16> {
    let mut at = 12;
    loop {
        let length = u32::from_le_bytes(wave[at + 4..at + 8].try_into().unwrap()) as usize;
        if &wave[at..at + 4] == b"data" {
            let data = wave[at + 8..at + 8 + length].chunks_exact(2);
            return data.map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        }
        at += 8 + length + length % 2;
    }
}

/// Little-endian bytes of 16-bit samples.
pub(crate) fn bytes_of(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A WAV file, each field to be set wrong as a test likes.
#[derive(Debug, Clone)]
pub(crate) struct Wave {
    /// 1 for PCM, 3 for floating point.
    pub(crate) coding: u16,
    /// Channels in the header.
    pub(crate) channels: u16,
    /// Samples a second in the header.
    pub(crate) rate: u32,
    /// Bits of a sample.
    pub(crate) bits: u16,
    /// The samples, as they are.
    pub(crate) data: Vec<u8>,
    /// The length of the samples in the header, where it is not the true one.
    pub(crate) length: Option<u32>,
}

impl Wave {
    /// 16-bit PCM in one channel at 16 kHz.
    pub(crate) fn of(pcm: &[i16]) -> Wave {
        Wave {
            coding: 1,
            channels: 1,
            rate: 16_000,
            bits: 16,
            data: bytes_of(pcm),
            length: None,
        }
    }

    /// 32-bit floating point in one channel at 16 kHz.
    pub(crate) fn of_floats(pcm: &[f32]) -> Wave {
        Wave {
            coding: 3,
            bits: 32,
            data: pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            ..Wave::of(&[])
        }
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let true_length = self.data.len() as u32;
        let length = self.length.unwrap_or(true_length);
        let frame = self.channels * (self.bits / 8);
        let mut bytes = Vec::new();
        bytes.extend(b"RIFF");
        bytes.extend((36 + true_length).to_le_bytes());
        bytes.extend(b"WAVEfmt ");
        bytes.extend(16_u32.to_le_bytes());
        bytes.extend(self.coding.to_le_bytes());
        bytes.extend(self.channels.to_le_bytes());
        bytes.extend(self.rate.to_le_bytes());
        bytes.extend(self.rate.wrapping_mul(u32::from(frame)).to_le_bytes());
        bytes.extend(frame.to_le_bytes());
        bytes.extend(self.bits.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend(length.to_le_bytes());
        bytes.extend(&self.data);
        bytes
    }
}

/// A 16-bit AIFF in one channel at 16 kHz.
pub(crate) fn aiff(pcm: &[i16]) -> Vec<u8> {
    // 16,000 as an 80-bit float: the exponent of 2^13 and the fraction 1.953125.
    const RATE: [u8; 10] = [0x40, 0x0c, 0xfa, 0, 0, 0, 0, 0, 0, 0];
    let samples = pcm.len() as u32;
    let mut bytes = Vec::new();
    bytes.extend(b"FORM");
    bytes.extend((4 + 26 + 16 + 2 * samples).to_be_bytes());
    bytes.extend(b"AIFFCOMM");
    bytes.extend(18_u32.to_be_bytes());
    bytes.extend(1_u16.to_be_bytes());
    bytes.extend(samples.to_be_bytes());
    bytes.extend(16_u16.to_be_bytes());
    bytes.extend(RATE);
    bytes.extend(b"SSND");
    bytes.extend((8 + 2 * samples).to_be_bytes());
    bytes.extend([0; 8]);
    bytes.extend(pcm.iter().flat_map(|sample| sample.to_be_bytes()));
    bytes
}
