//! A software TPM of one's own: swtpm, started, stopped and cut off.
//!
//! It serves development and tests. Whoever can read its state directory has all its keys, so
//! it proves nothing to anybody else, and a production policy refuses it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::DeviceAddress;

/// Ports that are tried: below those that Linux gives to outgoing connections, so that only
/// another listener can be in the way.
const FIRST_PORT: u16 = 10_000;
const LAST_PORT: u16 = 31_998;

/// How many pairs of ports are tried. Even with a thousand software TPMs on the machine, one
/// try in ten would fail.
const MOST_ATTEMPTS: usize = 32;

/// How long one start may take. It takes 10 ms on a machine with nothing else to do.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// The pause between looks at whether it has started.
const START_PAUSE: Duration = Duration::from_millis(2);

/// The file in the state directory in which swtpm leaves its process id.
const PID_FILE: &str = "swtpm.pid";

/// The file in the state directory that is locked while its TPM runs, because swtpm itself
/// lets two processes write one state.
const LOCK_FILE: &str = "earnest.lock";

/// A state of a software TPM that was never started, with an EK and its certificate. Copies of
/// it are the same TPM: they have the same keys.
#[derive(Debug, Clone)]
pub struct PreparedTpm {
    state: PathBuf,
    authority: PathBuf,
}

impl PreparedTpm {
    /// Makes a TPM below `directory`, which takes a second: `swtpm_setup` with EK certificates
    /// by a certificate authority of its own.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written, or `swtpm_setup` fails.
    pub fn make(directory: &Path) -> Result<PreparedTpm, SoftwareTpmError> {
        let prepared = PreparedTpm {
            state: directory.join("state"),
            authority: directory.join("authority"),
        };
        let setup = prepared.write_configuration(directory).map_err(|source| {
            SoftwareTpmError::Directory {
                path: directory.to_owned(),
                source,
            }
        })?;
        let output = Command::new("swtpm_setup")
            .args(["--tpm2", "--create-ek-cert", "--lock-nvram"])
            .args(["--pcr-banks", "sha256"])
            .arg("--tpmstate")
            .arg(&prepared.state)
            .arg("--config")
            .arg(setup)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| SoftwareTpmError::Program {
                program: "swtpm_setup",
                source,
            })?;
        if output.status.success() {
            Ok(prepared)
        } else {
            let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
            said.push_str(&String::from_utf8_lossy(&output.stdout));
            Err(SoftwareTpmError::Setup { said })
        }
    }

    /// The files by which `swtpm_setup` finds its certificate authority. Returns the first.
    fn write_configuration(&self, directory: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.state)?;
        fs::create_dir_all(&self.authority)?;
        let [setup, authority, options] =
            ["setup.conf", "authority.conf", "authority.options"].map(|name| directory.join(name));
        let home = self.authority.display();
        fs::write(
            &authority,
            format!(
                "statedir = {home}\nsigningkey = {home}/signkey.pem\n\
                 issuercert = {home}/issuercert.pem\ncertserial = {home}/certserial\n"
            ),
        )?;
        fs::write(
            &options,
            "--platform-manufacturer Earnest\n--platform-version 1\n--platform-model software\n",
        )?;
        fs::write(
            &setup,
            format!(
                "create_certs_tool = swtpm_localca\ncreate_certs_tool_config = {}\n\
                 create_certs_tool_options = {}\n",
                authority.display(),
                options.display()
            ),
        )?;
        Ok(setup)
    }

    /// The state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The certificates, in PEM, up to which the EK's certificate chains: the intermediate
    /// authority's and the root's.
    pub fn authority_certificates(&self) -> [PathBuf; 2] {
        ["issuercert.pem", "swtpm-localca-rootca-cert.pem"].map(|name| self.authority.join(name))
    }

    /// Copies the state into another directory, which is made.
    ///
    /// # Errors
    ///
    /// When it cannot be copied.
    pub fn copy_to(&self, directory: &Path) -> Result<(), SoftwareTpmError> {
        let copy = || -> io::Result<()> {
            fs::create_dir_all(directory)?;
            for entry in fs::read_dir(&self.state)? {
                let entry = entry?;
                fs::copy(entry.path(), directory.join(entry.file_name()))?;
            }
            Ok(())
        };
        copy().map_err(|source| SoftwareTpmError::Directory {
            path: directory.to_owned(),
            source,
        })
    }
}

/// A software TPM that runs. It is stopped when dropped.
#[derive(Debug)]
pub struct SoftwareTpm {
    state: PathBuf,
    port: u16,
    process: Option<Child>,
    /// Locked as long as the value lives.
    _lock: File,
}

impl SoftwareTpm {
    /// Starts the TPM of a state directory on a free pair of loopback ports. The state need
    /// not be prepared, but an unprepared TPM has no EK certificate.
    ///
    /// # Errors
    ///
    /// When swtpm is not there, does not start, or finds the state in use.
    pub fn start(state: &Path) -> Result<SoftwareTpm, SoftwareTpmError> {
        let mut tpm = SoftwareTpm {
            state: state.to_owned(),
            port: free_pair()?,
            process: None,
            _lock: locked(state)?,
        };
        let mut last = None;
        for _ in 0..MOST_ATTEMPTS {
            match tpm.run() {
                Ok(()) => return Ok(tpm),
                // Somebody was faster, perhaps.
                Err(error @ SoftwareTpmError::Exited { .. }) => last = Some(error),
                Err(error) => return Err(error),
            }
            tpm.port = free_pair()?;
        }
        Err(last.unwrap_or(SoftwareTpmError::NoPort {
            attempts: MOST_ATTEMPTS,
        }))
    }

    /// Where it listens.
    pub fn address(&self) -> DeviceAddress {
        DeviceAddress::Software { port: self.port }
    }

    /// The id of its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Leaves it running when this process ends; `swtpm_ioctl -s` ends it.
    pub fn leave_running(mut self) -> DeviceAddress {
        self.process = None;
        self.address()
    }

    /// Ends it at once, as a power cut does: whatever was loaded is gone, and nothing was
    /// shut down. What is in its non-volatile memory stays.
    pub fn cut_power(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended before; either way it is waited for, so that its ports and
            // its state are free.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again where it was, after [`Self::cut_power`].
    ///
    /// # Errors
    ///
    /// When it does not start, perhaps because somebody took its ports.
    pub fn restore_power(&mut self) -> Result<(), SoftwareTpmError> {
        self.cut_power();
        self.run()
    }

    fn run(&mut self) -> Result<(), SoftwareTpmError> {
        let pid_file = self.state.join(PID_FILE);
        // A file of an earlier run would tell nothing.
        let _ = fs::remove_file(&pid_file);
        let listen = |port: u16| format!("type=tcp,port={port},bindaddr=127.0.0.1");
        let process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--server", &listen(self.port)])
            .args(["--ctrl", &listen(self.port + 1)])
            .args(["--tpmstate", &format!("dir={}", self.state.display())])
            .args(["--pid", &format!("file={}", pid_file.display())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt at the terminal is for who started it.
            .process_group(0)
            .spawn()
            .map_err(|source| SoftwareTpmError::Program {
                program: "swtpm",
                source,
            })?;
        let id = process.id().to_string();
        let process = self.process.insert(process);
        let deadline = Instant::now() + START_DEADLINE;
        // swtpm writes its id when it has its ports.
        while !fs::read_to_string(&pid_file).is_ok_and(|found| found.trim() == id) {
            let exited = process.try_wait();
            let exited = exited.map_err(|source| SoftwareTpmError::Program {
                program: "swtpm",
                source,
            })?;
            if let Some(status) = exited {
                self.process = None;
                return Err(SoftwareTpmError::Exited {
                    port: self.port,
                    status: status.to_string(),
                });
            }
            if Instant::now() > deadline {
                return Err(SoftwareTpmError::NotStarted {
                    after: START_DEADLINE,
                });
            }
            thread::sleep(START_PAUSE);
        }
        Ok(())
    }
}

impl Drop for SoftwareTpm {
    fn drop(&mut self) {
        self.cut_power();
    }
}

/// Locks a state directory.
fn locked(state: &Path) -> Result<File, SoftwareTpmError> {
    let path = state.join(LOCK_FILE);
    let unusable = |source| SoftwareTpmError::Directory {
        path: path.clone(),
        source,
    };
    let file = File::create(&path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SoftwareTpmError::InUse {
            path: state.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// A port that is free with the next one, just now.
fn free_pair() -> Result<u16, SoftwareTpmError> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    for _ in 0..MOST_ATTEMPTS {
        let mut bytes = [0; 2];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| SoftwareTpmError::NoRandomness)?;
        // Even ones, so that two pairs meet whole or not at all.
        let pairs = (LAST_PORT - FIRST_PORT) / 2;
        let port = FIRST_PORT + u16::from_be_bytes(bytes) % pairs * 2;
        if free(port) && free(port + 1) {
            return Ok(port);
        }
    }
    Err(SoftwareTpmError::NoPort {
        attempts: MOST_ATTEMPTS,
    })
}

/// Why there is no software TPM.
#[derive(Debug, thiserror::Error)]
pub enum SoftwareTpmError {
    /// A directory cannot be made, read or written.
    #[error("{path} cannot be used for a software TPM", path = path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A program is missing or cannot be run. Debian has it in `swtpm` and `swtpm-tools`.
    #[error("{program} cannot be run")]
    Program {
        /// Which.
        program: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The preparation failed.
    #[error("swtpm_setup failed:\n{said}")]
    Setup {
        /// What it wrote.
        said: String,
    },
    /// The state is that of a software TPM that runs.
    #[error("the software TPM of {path} runs already", path = path.display())]
    InUse {
        /// The state directory.
        path: PathBuf,
    },
    /// It ended at once: the ports were taken, or the state is damaged.
    #[error("swtpm on port {port} ended at once: {status}")]
    Exited {
        /// The first port of the pair.
        port: u16,
        /// How it ended.
        status: String,
    },
    /// It did not start in time.
    #[error("swtpm did not start within {after:?}")]
    NotStarted {
        /// How long it had.
        after: Duration,
    },
    /// No pair of ports is free.
    #[error("no two loopback ports side by side were free in {attempts} attempts")]
    NoPort {
        /// How many were tried.
        attempts: usize,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}
