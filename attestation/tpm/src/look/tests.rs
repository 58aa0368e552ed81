use std::io::{Cursor, Read, Write};
use std::net::TcpStream;

use proptest::prelude::*;

use super::*;
use crate::TrustModule as _;
use crate::support::{Fleet, Machine, boot};

/// A TPM behind somebody who changes one byte of one answer.
struct Meddled {
    stream: TcpStream,
    /// Answers before it.
    answers: usize,
    /// Bytes before it.
    bytes: usize,
}

impl Read for Meddled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        if self.answers == 0 {
            if let Some(byte) = buffer[..count].get_mut(self.bytes) {
                *byte ^= 1;
            }
            self.bytes = self.bytes.wrapping_sub(count);
        }
        Ok(count)
    }
}

impl Write for Meddled {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // The first command makes it the first answer.
        self.answers = self.answers.wrapping_sub(1);
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Who answers the same whatever is asked.
struct Stranger(Cursor<Vec<u8>>);

impl Read for Stranger {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Stranger {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn port(machine: &Machine) -> u16 {
    match machine.software.address() {
        DeviceAddress::Software { port } => port,
        other => panic!("{other}"),
    }
}

#[test]
fn a_look_sees_what_the_library_reads_and_leaves_nothing_loaded() {
    let machine = Machine::new();
    let state = machine.provision(&Fleet::new()).state;
    let every = PcrSet::of(&(0..24).collect::<Vec<u8>>()).unwrap();
    for (index, pcrs) in [boot(), every, PcrSet::of(&[0]).unwrap()]
        .into_iter()
        .enumerate()
    {
        let tpm = machine.open();
        tpm.pcr_extend(7, &[index as u8; 32]).unwrap();
        let (read, before) = (tpm.pcr_read(pcrs).unwrap(), tpm.handles().unwrap());
        tpm.close().unwrap();
        // More looks than a TPM has slots.
        for _ in 0..5 {
            let seen = look(&machine.software.address(), &state, pcrs).unwrap();
            assert_eq!(seen, read);
        }
        assert_eq!(machine.open().handles().unwrap(), before);
    }
}

#[test]
fn a_tpm_with_another_storage_root_key_is_refused() {
    let machine = Machine::new();
    let mut state = machine.provision(&Fleet::new()).state;
    *state.srk_name.last_mut().unwrap() ^= 1;
    let seen = look(&machine.software.address(), &state, boot());
    assert!(matches!(seen, Err(TpmError::OtherName { .. })), "{seen:?}");
}

#[test]
fn no_byte_that_matters_can_be_changed_unnoticed() {
    let machine = Machine::new();
    let state = machine.provision(&Fleet::new()).state;
    let body = HEADER_BYTES;
    // The public area behind its length; the nonce behind the session's handle and its length;
    // and all of the reading: 4 bytes of length, 104 of 3 values with what was asked for, 34 of
    // a nonce, 1 of attributes, 34 of proof.
    let selection = PcrSelection::of_bank(HashAlgorithm::Sha256, boot()).marshal();
    let values = 4 + selection.len() + 4 + 3 * 34;
    let reading = body..body + 4 + values + 34 + 1 + 34;
    for (answer, bytes) in [
        (1, body + 2..body + 92),
        (2, body + 6..body + 38),
        (3, reading),
    ] {
        for place in bytes {
            let meddled = Meddled {
                stream: connect(port(&machine)).unwrap(),
                answers: answer,
                bytes: place,
            };
            let seen = Line(meddled).look(&state.srk_name, boot());
            assert!(seen.is_err(), "byte {place} of answer {answer}");
        }
    }
    assert!(look(&machine.software.address(), &state, boot()).is_ok());
}

#[test]
fn a_tpm_that_is_gone_is_told() {
    let machine = Machine::new();
    let state = machine.provision(&Fleet::new()).state;
    let address = machine.software.address();
    drop(machine);
    let seen = look(&address, &state, boot());
    assert!(seen.as_ref().is_err_and(TpmError::is_passing), "{seen:?}");
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(answer in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut framed = vec![0x80, 1];
        framed.extend(((answer.len() + HEADER_BYTES) as u32).to_be_bytes());
        framed.extend([0; 4]);
        framed.extend(&answer);
        for bytes in [answer, framed] {
            let seen = Line(Stranger(Cursor::new(bytes))).look(&[0; 34], boot());
            prop_assert!(seen.is_err());
        }
    }
}
