//! Writes the first inputs of the verifier's fuzz targets into `fuzz/corpus`:
//! `cargo run -p earnest-verifier --features simulation --example seeds -- fuzz/corpus`.

use std::path::Path;
use std::{env, fs, io};

use earnest_verifier::appraisal::appraise;
use earnest_verifier::freshness::NonceRecord;
use earnest_verifier::simulation::{self, DEVICE, Device, Key, NONCE, NOW, fresh, policy};

fn main() -> io::Result<()> {
    let folder = env::args()
        .nth(1)
        .unwrap_or_else(|| "fuzz/corpus".to_owned());
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)
    };
    let device = Device::new(Key::rsa(false));
    let reference = device.reference();
    let (evidence, enrolment) = (device.evidence(), device.enrolment(false));
    let passed = appraise(&evidence, &enrolment, &reference, &policy(""), &fresh());
    let mut strange = device.evidence();
    strange.firmware_log.clear();
    strange.measured_log.clear();
    let failed = appraise(&strange, &enrolment, &reference, &policy(""), &fresh());
    let header = r#"{"alg":"ES256","kid":"KEY","typ":"eat+jwt"}"#;
    for (name, appraisal) in [("passed", passed), ("failed", failed)] {
        let claims = serde_json::to_string(&appraisal.to_ear(NOW))?;
        write("ear_token", name, format!("c{claims}").as_bytes())?;
        let (token, _) = simulation::token(header, &claims);
        write("ear_token", &format!("{name}-token"), token.as_bytes())?;
    }
    write("ear_token", "header", format!("h{header}").as_bytes())?;

    let file = |kind: char, text: String| format!("{kind}{text}").into_bytes();
    write("reference", "reference", &file('r', reference.to_json()))?;
    write("reference", "enrolment", &file('e', enrolment.to_json()))?;
    let record = NonceRecord::issue(NONCE, Some(DEVICE), NOW, 60);
    write("reference", "nonce", &file('n', record.to_json()))?;
    let for_any = NonceRecord::issue(NONCE, None, NOW, 60);
    write("reference", "nonce-any", &file('n', for_any.to_json()))?;
    let policy = r#"p{"format":"earnest-policy/1","name":"n","bank":"sha256","pcrs":[4,7,11],
        "software_tpm":"allow","firmware_log":"optional","measured_log":"required",
        "authority":"required","unlogged_pcrs":[11],"nonce_lifetime_seconds":60}"#;
    write("reference", "policy", policy.as_bytes())
}
