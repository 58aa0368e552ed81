//! A look at the PCRs of a software TPM, for who looks again and again and lets go in between.
//!
//! A software TPM serves one client at a time, so whoever looks at it every half second must
//! come and go; and libtss2 takes some ten milliseconds of the processor to come, to start a
//! session and to read, nearly all of them for setting up its cryptographic library anew for each
//! digest. This here says the same to the TPM without it: the storage root key must have the
//! name that is pinned, the session is salted to it, and it authenticates the reading. Commands
//! and answers are of TPM 2.0 Part 3, sessions of Part 1, "Session-based authorizations".
//!
//! Answers are strangers' bytes until the session vouches for them: no more than
//! [`MAX_ANSWER_BYTES`] are taken, and none of them makes this panic.

mod session;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use earnest_evidence::HashAlgorithm;
use earnest_evidence::tpm::{PcrSelection, PcrSet, Public};

use crate::connection::SRK_HANDLE;
use crate::esys::check;
use crate::module::PcrValues;
use crate::operations::{DIGESTS_A_READ, MOST_READINGS};
use crate::{DeviceAddress, Name, ResponseCode, State, TpmError};
use session::Session;

/// Most bytes of an answer: what TPMs have for one.
const MAX_ANSWER_BYTES: usize = 4096;

/// Bytes before a command's handles and an answer's: tag, size and code.
const HEADER_BYTES: usize = 10;

/// How long an answer may take: the TPM may have another client first, and the longest thing that
/// one does is to make a key.
const ANSWER: Duration = Duration::from_secs(10);

/// How long connecting may take, on this machine.
const CONNECT: Duration = Duration::from_secs(2);

/// `TSS2_TCTI_RC_IO_ERROR`: what libtss2 says of a transport that fails.
const TRANSPORT_FAILED: ResponseCode = ResponseCode(0x000a_000a);

/// `TPM_ST_NO_SESSIONS` and `TPM_ST_SESSIONS`.
const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;

const READ_PUBLIC: Command = Command("ReadPublic", 0x173);
const FLUSH_CONTEXT: Command = Command("FlushContext", 0x165);
const SHUTDOWN: Command = Command("Shutdown", 0x145);
const PCR_READ: Command = Command("PCR_Read", 0x17e);

/// Reads PCRs of the SHA-256 bank by a connection of its own, and leaves the TPM in order, as
/// [`Tpm::open`](crate::Tpm::open), [`pcr_read`](crate::TrustModule::pcr_read) and
/// [`close`](crate::Tpm::close) do.
///
/// # Errors
///
/// When the TPM is out of reach, has another storage root key, or an answer is not its own; and
/// when the TPM is no software TPM: one behind the kernel's resource manager is better kept.
pub fn look(address: &DeviceAddress, state: &State, pcrs: PcrSet) -> Result<PcrValues, TpmError> {
    let DeviceAddress::Software { port } = address else {
        return Err(TpmError::NoTpm {
            what: "a look at a software TPM",
        });
    };
    let stream = connect(*port).map_err(|error| broken("the connection", &error))?;
    Line(stream).look(&state.srk_name, pcrs)
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, CONNECT)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A command's name and `TPM_CC`.
#[derive(Debug, Clone, Copy)]
struct Command(&'static str, u32);

/// Commands to a TPM, and its answers.
struct Line<S>(S);

impl<S: Read + Write> Line<S> {
    fn look(mut self, srk_name: &[u8], pcrs: PcrSet) -> Result<PcrValues, TpmError> {
        let root = self.storage_root_key(srk_name)?;
        let mut session = Session::start(&mut self, &root)?;
        let read = self.read(&mut session, pcrs);
        // Whatever came of it: a TPM has three slots.
        let handle = session.handle().to_be_bytes();
        let flushed = self.ask(FLUSH_CONTEXT, NO_SESSIONS, &handle);
        let values = read?;
        flushed?;
        // TPM_SU_CLEAR: the next start counts no power cut.
        self.ask(SHUTDOWN, NO_SESSIONS, &[0, 0])?;
        Ok(values)
    }

    /// The storage root key's public area, if it has this name.
    fn storage_root_key(&mut self, expected: &[u8]) -> Result<Public, TpmError> {
        let answer = self.ask(READ_PUBLIC, NO_SESSIONS, &SRK_HANDLE.to_be_bytes())?;
        let area = Answer(&answer).sized(READ_PUBLIC)?;
        let public = Public::parse(area).map_err(|error| unreadable(READ_PUBLIC, &error))?;
        // Computed here: what the TPM says of a name proves nothing.
        let found = public.name();
        if found.as_bytes() != expected || public.marshal() != area {
            return Err(TpmError::OtherName {
                object: "storage root key",
                expected: Name(expected.to_vec()),
                found: Name(found.as_bytes().to_vec()),
            });
        }
        Ok(public)
    }

    fn read(&mut self, session: &mut Session, pcrs: PcrSet) -> Result<PcrValues, TpmError> {
        for _ in 0..MOST_READINGS {
            if let Some(values) = self.read_once(session, pcrs)? {
                return Ok(PcrValues { pcrs, values });
            }
        }
        Err(TpmError::Unsteady {
            attempts: MOST_READINGS,
        })
    }

    /// Reads the PCRs some at a time; nothing when one of them changed in between.
    fn read_once(
        &mut self,
        session: &mut Session,
        pcrs: PcrSet,
    ) -> Result<Option<Vec<[u8; 32]>>, TpmError> {
        let indices: Vec<u8> = pcrs.iter().collect();
        let mut values = Vec::with_capacity(indices.len());
        let mut moment = None;
        for part in indices.chunks(DIGESTS_A_READ) {
            let selection = PcrSelection::of(HashAlgorithm::Sha256, part)
                .map_err(|error| unreadable(PCR_READ, &error))?
                .marshal();
            let parameters = session.ask(self, PCR_READ, &selection)?;
            let mut answer = Answer(&parameters);
            let counter = answer.u32(PCR_READ)?;
            if *moment.get_or_insert(counter) != counter {
                return Ok(None);
            }
            // What was read must be what was asked for, and no less.
            if answer.take(PCR_READ, selection.len())? != selection {
                return Err(TpmError::Library {
                    command: PCR_READ.0,
                    reason: "the TPM keeps no SHA-256 bank of all these PCRs".to_owned(),
                });
            }
            let count = answer.u32(PCR_READ)?;
            if count as usize != part.len() {
                return Err(length(PCR_READ, "values", part.len(), count as usize));
            }
            for _ in part {
                let digest = answer.sized(PCR_READ)?;
                values.push(
                    <[u8; 32]>::try_from(digest)
                        .map_err(|_| length(PCR_READ, "a PCR", 32, digest.len()))?,
                );
            }
        }
        Ok(Some(values))
    }

    /// One command: what the TPM answers behind the header, if it did as it was told.
    fn ask(&mut self, command: Command, tag: u16, rest: &[u8]) -> Result<Vec<u8>, TpmError> {
        let failed = |error: io::Error| broken(command.0, &error);
        let mut sent = tag.to_be_bytes().to_vec();
        // A command here has some hundred bytes.
        sent.extend(((HEADER_BYTES + rest.len()) as u32).to_be_bytes());
        sent.extend(command.1.to_be_bytes());
        sent.extend(rest);
        self.0.write_all(&sent).map_err(failed)?;
        let mut header = [0; HEADER_BYTES];
        self.0.read_exact(&mut header).map_err(failed)?;
        let mut fields = Answer(&header);
        let found_tag = fields.u16(command)?;
        let size = fields.u32(command)? as usize;
        let code = fields.u32(command)?;
        if !(HEADER_BYTES..=MAX_ANSWER_BYTES).contains(&size) {
            return Err(length(command, "an answer", HEADER_BYTES, size));
        }
        let mut body = vec![0; size - HEADER_BYTES];
        self.0.read_exact(&mut body).map_err(failed)?;
        check(command.0, code)?;
        if found_tag != tag {
            return Err(TpmError::Library {
                command: command.0,
                reason: format!("the answer has the tag {found_tag:#06x}"),
            });
        }
        Ok(body)
    }
}

/// What is left of an answer.
struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    fn take(&mut self, command: Command, count: usize) -> Result<&'a [u8], TpmError> {
        let found = self.0.len();
        let (taken, rest) = (self.0)
            .split_at_checked(count)
            .ok_or_else(|| length(command, "a field", count, found))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self, command: Command) -> Result<u8, TpmError> {
        self.take(command, 1).map(|bytes| bytes[0])
    }

    fn u16(&mut self, command: Command) -> Result<u16, TpmError> {
        let bytes = self.take(command, 2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self, command: Command) -> Result<u32, TpmError> {
        let bytes = self.take(command, 4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A field behind its length of two bytes.
    fn sized(&mut self, command: Command) -> Result<&'a [u8], TpmError> {
        let count = self.u16(command)?;
        self.take(command, usize::from(count))
    }
}

/// A field of two bytes of length and these, which are far fewer than such a length can say.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn broken(command: &'static str, error: &io::Error) -> TpmError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => TpmError::TimedOut { after: ANSWER },
        _ => TpmError::Lost {
            command,
            code: TRANSPORT_FAILED,
        },
    }
}

fn unreadable(command: Command, error: &dyn std::error::Error) -> TpmError {
    TpmError::Library {
        command: command.0,
        reason: error.to_string(),
    }
}

fn length(command: Command, what: &'static str, expected: usize, found: usize) -> TpmError {
    TpmError::Length {
        command: command.0,
        what,
        expected,
        found,
    }
}

#[cfg(test)]
mod tests;
