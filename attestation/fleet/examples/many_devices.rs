//! How long `earnest-fleet verify` takes with ten enrolled devices and with a hundred thousand.
//!
//! `cargo run --release -p earnest-fleet --example many_devices [-- DEVICES [ROUNDS]]`
//!
//! Two states are filled, the smaller with ten devices; then one device of each is verified in
//! turn, so that what else the machine does falls on both alike. Printed are the medians and
//! their ratio. The folders take some 12 kB a device while this runs.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use earnest_evidence::{HashAlgorithm, Nonce};
use earnest_fleet::Exit;
use earnest_fleet::state::{Labels, State};
use earnest_verifier::enrolment::Enrolment;
use earnest_verifier::simulation::{Device, Key, NOW, quote_of};

/// Devices of the smaller state.
const FEW: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let many = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let rounds = arguments.next().map_or(Ok(500), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let mut fleets = Vec::new();
    for devices in [FEW, many] {
        let started = Instant::now();
        fleets.push(Fleet::fill(
            &folder.path().join(devices.to_string()),
            devices,
        )?);
        println!("{devices} devices enrolled in {:.1?}", started.elapsed());
    }
    // What filling left to be written is not the verification's to wait for.
    Command::new("sync").status()?;
    let mut times = vec![Vec::with_capacity(rounds); fleets.len()];
    for round in 0..rounds {
        // In turn, the one first in one round and the other in the next.
        for turn in 0..fleets.len() {
            let which = (turn + round) % fleets.len();
            times[which].push(fleets[which].verify()?);
        }
    }
    let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    for (devices, median) in [FEW, many].iter().zip(&medians) {
        println!("verify among {devices} devices: {median:.2?} (median of {rounds})");
    }
    let [few, many] = medians.as_slice() else {
        return Err("there are two fleets".into());
    };
    println!("ratio: {:.3}", many.as_secs_f64() / few.as_secs_f64());
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A state, and the one of its devices that is verified.
struct Fleet {
    folder: PathBuf,
    device: Device,
}

impl Fleet {
    fn fill(folder: &Path, devices: usize) -> Result<Fleet, Box<dyn Error>> {
        let state = State::create(&folder.join("state"))?;
        let policy = r#"{"format": "earnest-policy/1", "name": "bench", "bank": "sha256",
            "pcrs": [4, 7, 11]}"#;
        fs::write(state.policy(), policy)?;
        let device = Device::new(Key::ecc());
        let enrolment = device.enrolment(false);
        state.enrol(&enrolment, &Labels::default(), false)?;
        for number in 1..devices {
            enrol_unsynchronised(&folder.join("state"), number)?;
        }
        fs::write(folder.join("reference"), device.reference().to_json())?;
        Ok(Fleet {
            folder: folder.to_owned(),
            device,
        })
    }

    /// Verifies new evidence for a new nonce; the time of the verification alone.
    fn verify(&self) -> Result<Duration, Box<dyn Error>> {
        let (data, _) = self.run(&["challenge"])?;
        let nonce: Nonce = data.trim_end().parse()?;
        let values = self.device.values();
        let quote = quote_of(&values, nonce.as_bytes());
        let mut evidence = self.device.quote(quote, values);
        evidence.nonce = nonce;
        let (file, reference) = (self.folder.join("evidence"), self.folder.join("reference"));
        fs::write(&file, evidence.to_cbor()?)?;
        let [file, reference] = [file, reference].map(|path| path.display().to_string());
        let (_, time) = self.run(&["verify", &file, "--reference", &reference])?;
        Ok(time)
    }

    fn run(&self, arguments: &[&str]) -> Result<(String, Duration), Box<dyn Error>> {
        let state = self.folder.join("state");
        let arguments = ["earnest-fleet"].iter().chain(arguments);
        let mut all: Vec<OsString> = arguments.map(OsString::from).collect();
        all.extend(["--state".into(), state.into_os_string()]);
        let (mut data, mut talk) = (Vec::new(), Vec::new());
        let started = Instant::now();
        let exit = earnest_fleet::run(all, NOW, &mut data, &mut talk);
        let time = started.elapsed();
        match exit {
            Exit::Success => Ok((String::from_utf8(data)?, time)),
            other => Err(format!("{other:?}: {}", String::from_utf8_lossy(&talk)).into()),
        }
    }
}

/// Writes the files of one more device as the state lays them out, without waiting for the disk
/// at each of them.
fn enrol_unsynchronised(state: &Path, number: usize) -> Result<(), Box<dyn Error>> {
    let name = format!("device-{number}");
    let certificate = HashAlgorithm::Sha256.digest(name.as_bytes());
    let shared = HashAlgorithm::Sha256.digest(b"certificate");
    let json = Device::new(Key::ecc()).enrolment(false).to_json();
    let json = json
        .replace("kitchen-1", &name)
        .replace(&shared.to_string(), &certificate.to_string());
    let enrolment = Enrolment::from_json(&json)?;
    let ak_name = enrolment.ak_name().to_string();
    let files = [
        ("devices", &ak_name, ".json", &json),
        ("names", &name, "", &ak_name),
        ("tpms", &certificate.to_hex(), "", &ak_name),
    ];
    for (kind, key, ending, text) in files {
        let digest = HashAlgorithm::Sha256.digest(key.as_bytes()).to_hex();
        let shard = state.join(kind).join(digest.get(..2).unwrap_or_default());
        fs::create_dir_all(&shard)?;
        fs::write(shard.join(format!("{key}{ending}")), text)?;
    }
    Ok(())
}
