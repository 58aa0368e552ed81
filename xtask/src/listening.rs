//! The demo's microphone, and who listens to it.
//!
//! ALSA's `file` plugin makes a device that plays a recording to whoever captures from it, so no
//! sound card is needed and nobody's microphone is opened. It has no clock: minutes pass in
//! moments.

use std::cell::Cell;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::operator::Operator;
use crate::service::{self, Place, Service};
use crate::setup::Mode;
use crate::shell::Program;
use crate::trust::Trust;

/// The app that reads what is said.
const READER: &str = "desk";

/// The list of phrases that the app of commands is held to.
const LIST: &str = "again";

/// The id that it is told.
const ID: &str = "once-more";

/// The phrases of the list, the second of which nobody says.
const PHRASES: &str = "\
[[phrases]]
id = \"once-more\"
phrase = \"no matter try again\"

[[phrases]]
id = \"light-on\"
phrase = \"turn on the light\"
";

/// What the device plays: a second of silence, the recording, silence, what is said in it from
/// 3.4 to 6.1 s, and more silence. The recording is a WAV file of 16 kHz and 16 bits whose header
/// has 44 bytes.
const ROOM: &str = "{ head -c 32000 /dev/zero; tail -c +45 \"$1\"; head -c 128000 /dev/zero; \
                    tail -c +108845 \"$1\" | head -c 86400; head -c 1024000 /dev/zero; } > \"$2\"";

/// How long it may take until something is heard, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// From a wish to a microphone that is closed.
const CLOSING: Duration = Duration::from_secs(5);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes the device in the daemon's folder. Gives ALSA's configuration, in which it is the
/// default.
pub(crate) fn make_device(mode: Mode, place: &Place, recording: &Path) -> Result<String> {
    let (room, configuration) = (place.text("room.raw"), place.text("asound.conf"));
    let play = Program::new("sh")
        .args(["-c", ROOM, "sh"])
        .arg(recording.to_string_lossy())
        .arg(room.as_str());
    let text = alsa(&room);
    match mode {
        Mode::Act => {
            play.run_quietly()?;
            fs::write(&configuration, text)?;
        }
        Mode::Print => println!("{play}\ncat > {configuration} <<'END'\n{text}END"),
    }
    Ok(configuration)
}

fn alsa(room: &str) -> String {
    format!(
        "</usr/share/alsa/alsa.conf>\n\
         pcm.!default {{\n  type file\n  slave.pcm null\n  file /dev/null\n  \
         infile \"{room}\"\n  format raw\n}}\n"
    )
}

/// The microphone in the daemon's configuration. The recording has long pauses, and reads better
/// as a whole.
pub(crate) fn configuration() -> Vec<(&'static str, String)> {
    vec![
        ("silence_milliseconds", "1500".to_owned()),
        ("lossless", "true".to_owned()),
    ]
}

/// Enrols the list of phrases, so that an app can be held to it.
pub(crate) fn enrol_phrases(operator: &Operator, trust: &Trust, service: &Service) -> Result<()> {
    let place = service.place();
    let file = place.text("phrases.toml");
    match operator.mode() {
        Mode::Act => fs::write(&file, PHRASES)?,
        Mode::Print => println!("cat > {file} <<'END'\n{PHRASES}END"),
    }
    operator
        .act(trust, &place, &["commands", "put", LIST, &file])
        .map(drop)
}

/// What an app is registered with that hears of these phrases.
pub(crate) fn scope_of_commands() -> [&'static str; 4] {
    ["--scope", "command", "--commands", LIST]
}

/// Shows what each may know of the microphone's words, who listens, and that mute is mute.
/// `told` is the app that may know commands. Gives what was read.
pub(crate) fn show(
    trust: &Trust,
    service: &Service,
    operator: &Operator,
    told: &str,
) -> Result<Option<String>> {
    let place = service.place();
    let uid = service::own_uid()?;
    let add = ["app", "add", READER, "--uid", &uid, "--scope", "listen"];
    operator.act(trust, &place, &add)?;
    let reads = ["listen", "--app", READER, "--format", "json"];
    let reads = trust.earnest().args(reads).args(place.at());
    let hears = ["listen", "--commands", "--app", told, "--format", "json"];
    let hears = trust.earnest().args(hears).args(place.at());
    let mute = ["microphone", "mute"];
    let mute = trust.earnest().args(mute).args(place.at());
    if operator.mode() == Mode::Print {
        let status = trust.earnest().arg("status").args(place.at());
        for program in [&reads, &hears] {
            println!("{program} &\n{status}");
        }
        println!("{mute}");
        return Ok(None);
    }

    let mut reader = Listener::start(&reads, place.text("read"))?;
    let text = reader.wait(|event| text_of(event, "final", "text"))?;
    eprintln!("  {READER}, which may listen, reads: {text}");
    tell_who_listens(trust, &place, READER)?;
    drop(reader);
    wait_until("closed", || Ok(state(&place)?["state"] == "off"))?;
    ensure!(captures(service)?.is_empty(), "a process still captures");
    eprintln!("  it has left: the microphone is closed, and no process captures");

    let mut listener = Listener::start(&hears, place.text("told"))?;
    let id = listener.wait(|event| text_of(event, "command", "id"))?;
    ensure!(id == ID, "another phrase was spotted: {id}");
    tell_who_listens(trust, &place, told)?;
    mute.output_quietly()?;
    listener.wait(|event| (event["type"] == "muted").then(String::new))?;
    wait_until("muted", || Ok(captures(service)?.is_empty()))?;
    let all = listener.end()?;
    for word in ["matter", "tried", "failed"] {
        ensure!(!all.to_lowercase().contains(word), "{told} was told a word");
    }
    eprintln!("  {told}, which may know commands, is told: {id}; and not one word");
    eprintln!("  muted: it is told so, and no process captures");
    Ok(Some(text))
}

/// A member of an event of this kind.
fn text_of(event: &Value, kind: &str, member: &str) -> Option<String> {
    let is_it = event["type"] == kind;
    is_it.then(|| event[member].as_str().map(str::to_owned))?
}

fn state(place: &Place) -> Result<Value> {
    Ok(service::status(place)?["microphone"].take())
}

/// Shows what `earnest status` says of the microphone, in which this app must stand.
fn tell_who_listens(trust: &Trust, place: &Place, app: &str) -> Result<()> {
    let status = trust.earnest().arg("status").args(place.at());
    let status = status.output_quietly()?;
    let said = heard(&status);
    ensure!(
        said.iter().any(|line| line.starts_with(app)),
        "the status does not say that {app} listens: {status}"
    );
    eprintln!("  in the status: {}", said.join("; "));
    Ok(())
}

/// The lines of a status that say what is heard and by whom: the one of that name, and those
/// after it that have none.
fn heard(status: &str) -> Vec<&str> {
    let lines = status.lines().skip_while(|line| !line.starts_with("hears"));
    let of_it = |(index, line): &(usize, &str)| *index == 0 || line.starts_with(' ');
    let lines = lines.enumerate().take_while(of_it);
    lines
        .map(|(_, line)| line.trim_start_matches("hears").trim())
        .collect()
}

/// The daemon's processes that capture.
fn captures(service: &Service) -> Result<Vec<u32>> {
    let mut children = service.processes()?;
    children.retain(|id| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"capture")
    });
    Ok(children)
}

fn wait_until(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + CLOSING;
    while !is_so()? {
        ensure!(
            Instant::now() < deadline,
            "the microphone is not {what} within {CLOSING:?}"
        );
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// A command that listens. It ends with this.
struct Listener {
    process: Child,
    output: PathBuf,
    /// Bytes of its output that were looked at.
    read: Cell<usize>,
}

impl Listener {
    /// Starts it; what it prints goes to a file of this path.
    fn start(command: &Program, output: String) -> Result<Listener> {
        let complaints = File::create(format!("{output}.complaints"))?;
        let process = command.start_into(File::create(&output)?, complaints)?;
        Ok(Listener {
            process,
            output: output.into(),
            read: Cell::new(0),
        })
    }

    /// The first of its events, from the last one that was looked at on, of which `wanted` makes
    /// something.
    fn wait(&mut self, wanted: impl Fn(&Value) -> Option<String>) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.process.try_wait()?;
            let all = fs::read_to_string(&self.output)?;
            for line in all[self.read.get()..].split_inclusive('\n') {
                // The last line may be half written.
                if !line.ends_with('\n') {
                    break;
                }
                self.read.set(self.read.get() + line.len());
                let event = serde_json::from_str(line).context("an event is no JSON")?;
                if let Some(found) = wanted(&event) {
                    return Ok(found);
                }
            }
            if let Some(status) = ended {
                let complaints = self.output.with_extension("complaints");
                let said = fs::read_to_string(complaints).unwrap_or_default();
                bail!("listening ended: {status}: {}", said.trim());
            }
            ensure!(
                Instant::now() < deadline,
                "nothing was heard in {PATIENCE:?}"
            );
            thread::sleep(PAUSE);
        }
    }

    /// Ends it, and gives all that it printed.
    fn end(self) -> Result<String> {
        Ok(fs::read_to_string(&self.output)?)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It may have ended; either way nothing of it is left.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Without what was said.
impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Listener(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_prints_is_read_line_by_line_and_its_end_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("told").to_string_lossy().into_owned();
        let script = r#"printf '{"type":"state"}\n{"type":"fi'; sleep 0.1
                        printf 'nal","text":"ever"}\n'; echo enough >&2; exit 3"#;
        let command = Program::new("sh").args(["-c", script]);
        let mut listener = Listener::start(&command, output).unwrap();
        let read = listener.wait(|event| text_of(event, "final", "text"));
        assert_eq!(read.unwrap(), "ever");
        let error = listener.wait(|_| None).unwrap_err().to_string();
        assert!(error.contains("enough"), "{error}");
    }

    #[test]
    fn what_is_heard_stands_in_a_status_until_something_else_begins() {
        let status = "model     tiny\nhears     the microphone is OPEN\n          desk reads\n\
                      listens   unix:/s\n          tcp\n";
        assert_eq!(heard(status), ["the microphone is OPEN", "desk reads"]);
        assert!(heard("model     tiny\n").is_empty());
    }

    #[test]
    fn the_room_is_made_of_silence_and_the_recording() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["recording", "room"].map(|name| folder.path().join(name));
        fs::write(&from, [1_u8; 318_872]).unwrap();
        let play = Program::new("sh").args(["-c", ROOM, "sh"]);
        let play = play.arg(from.to_string_lossy()).arg(to.to_string_lossy());
        play.run_quietly().unwrap();
        let room = fs::read(&to).unwrap();
        let sound = room.iter().filter(|byte| **byte == 1).count();
        assert_eq!(sound, 318_828 + 86_400);
        assert_eq!(room.len(), sound + 32_000 + 128_000 + 1_024_000);
    }
}
