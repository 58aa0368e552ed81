//! Credentials, as a TPM opens them and as it refuses to.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use earnest_evidence::tpm::Public;
use earnest_verifier::credential;
use ring::rand::SystemRandom;

/// How long a TPM may take to be there. It takes 10 ms.
const START: Duration = Duration::from_secs(20);

/// A software TPM with a state of its own, ended with this value.
struct Tpm {
    process: Child,
    transmission: String,
}

impl Drop for Tpm {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Tpm {
    /// Starts one, on the first pair of ports that nobody else takes meanwhile.
    fn start(folder: &Path) -> Option<Tpm> {
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").ok()?;
            let port = free.local_addr().ok()?.port();
            let Some(control) = port.checked_add(1) else {
                continue;
            };
            drop(free);
            let address = |port: u16| format!("type=tcp,bindaddr=127.0.0.1,port={port}");
            let process = Command::new("swtpm")
                .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
                .args(["--tpmstate", &format!("dir={}", folder.display())])
                .args(["--server", &address(port), "--ctrl", &address(control)])
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            let mut tpm = Tpm {
                process,
                transmission: format!("swtpm:host=127.0.0.1,port={port}"),
            };
            let start = Instant::now();
            while start.elapsed() < START {
                if tpm.process.try_wait().ok()?.is_some() {
                    break;
                }
                if tpm.runs("tpm2_getcap", &["properties-fixed"], folder) {
                    return Some(tpm);
                }
                std::thread::yield_now();
            }
        }
        None
    }

    fn runs(&self, tool: &str, arguments: &[&str], folder: &Path) -> bool {
        let mut command = Command::new(tool);
        command
            .args(arguments)
            .current_dir(folder)
            .env("TPM2TOOLS_TCTI", &self.transmission)
            .env("TSS2_LOG", "all+NONE");
        command.output().is_ok_and(|output| output.status.success())
    }
}

#[test]
fn a_tpm_opens_what_was_made_for_it_and_nothing_else() {
    let has = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    if !has("swtpm") || !has("tpm2_activatecredential") {
        println!("skipped: swtpm or tpm2-tools are missing");
        return;
    }
    let folder = tempfile::tempdir().expect("there is room");
    let folder = folder.path();
    let tpm = Tpm::start(folder).expect("swtpm starts");
    for kind in ["rsa", "ecc"] {
        let run = |tool: &str, arguments: &str| {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            tpm.runs(tool, &arguments, folder)
        };
        // The tools leave handles behind, of which a TPM has three.
        let flush = || assert!(run("tpm2_flushcontext", "-t"));
        assert!(run(
            "tpm2_createek",
            &format!("-c ek.ctx -G {kind} -u ek.pub")
        ));
        flush();
        assert!(run(
            "tpm2_createak",
            "-C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pub -f tss"
        ));
        flush();
        let public = |name: &str| {
            let bytes = fs::read(folder.join(name)).expect("the tool wrote it");
            Public::parse_sized(&bytes).expect("it is a public area")
        };
        let endorsement = public("ek.pub").key().expect("it is a key");
        let name = public("ak.pub").name();
        let opens = |name: &[u8], secret: &[u8]| {
            let made = credential::make(&endorsement, name, secret, &SystemRandom::new());
            let file = made.expect("the key is of a template").to_tools_file();
            fs::write(folder.join("credential"), file).expect("the folder takes files");
            let _ = fs::remove_file(folder.join("secret"));
            let opened = run("tpm2_startauthsession", "--policy-session -S session.ctx")
                && run("tpm2_policysecret", "-S session.ctx -c e")
                && run(
                    "tpm2_activatecredential",
                    "-c ak.ctx -C ek.ctx -i credential -o secret -P session:session.ctx",
                );
            assert!(run("tpm2_flushcontext", "session.ctx"));
            flush();
            match opened {
                true => fs::read(folder.join("secret")).ok(),
                false => None,
            }
        };
        let secret = [0x17; credential::MAX_SECRET_BYTES];
        assert_eq!(
            opens(name.as_bytes(), &secret),
            Some(secret.to_vec()),
            "{kind}"
        );
        assert_eq!(opens(name.as_bytes(), b"short"), Some(b"short".to_vec()));
        let mut other = name.as_bytes().to_vec();
        other[10] ^= 1;
        assert_eq!(opens(&other, &secret), None, "made for another name");
    }
}
