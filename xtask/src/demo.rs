//! `cargo xtask demo`: from a fresh machine to a recording turned into text by a model that
//! opens only while the device proves its state, and to clients that are served as long.
//!
//! The demo is a list of small steps. Each looks whether its work is done and does only what
//! is missing, so a second run starts at once; with `--print` each says what it would do.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use earnest_package::{Card, CardFile, Role};
use serde_json::Value;

use crate::clients;
use crate::listening;
use crate::models::{self, Which};
use crate::operator::{self, Operator};
use crate::service::Service;
use crate::setup::{self, Mode};
use crate::shell::Program;
use crate::trust::{Tpm, Trust};
use crate::words;

/// The word error rate that the sample may have. The models read it without an error; the
/// room is for a model that hears one word of its twelve otherwise.
const MOST_ERRORS: f64 = 0.15;

/// From a fresh machine to a recording turned into text by a model that was sealed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only print the commands that would run.
    #[arg(long)]
    print: bool,
    /// The model that reads the recording.
    #[arg(long, value_enum, default_value_t = Size::Tiny)]
    model: Size,
    /// Use this machine's own TPM, and take ownership of it; the secrets to undo that go to
    /// target/demo/real/recovery. Without it, nothing touches a TPM of yours.
    #[arg(long, requires = "ek_anchor")]
    tpm_real: bool,
    /// With --tpm-real: a certificate, in PEM, of the authority that certified the TPM.
    #[arg(long, value_name = "FILE")]
    ek_anchor: Vec<PathBuf>,
}

/// The sizes of speech model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Size {
    /// The small and fast one.
    Tiny,
    /// The larger and more accurate one.
    Base,
}

impl Size {
    /// As `earnest --model` takes it.
    fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Base => "base",
        }
    }

    /// The name of its card, which its sealed package has, too.
    fn card(self) -> &'static str {
        match self {
            Self::Tiny => "moonshine-tiny-en-int8",
            Self::Base => "moonshine-base-en-int8",
        }
    }
}

/// What the steps share.
struct Demo {
    mode: Mode,
    size: Size,
    models: PathBuf,
    trust: Trust,
    service: Service,
    operator: Operator,
}

type Step = (&'static str, fn(&Demo) -> Result<()>);

const STEPS: &[Step] = &[
    ("What the machine needs", machine),
    ("Models", fetch),
    ("Build", build),
    ("Provision a device", |demo| demo.trust.provision()),
    ("Enrol it with a fleet", |demo| demo.trust.enrol()),
    ("Seal the model", |demo| {
        demo.trust.seal(demo.size.name(), &demo.models)
    }),
    ("Unseal and transcribe", transcribe),
    ("Attest and verify", |demo| demo.trust.verify()),
    ("Serve the programs of this machine", |demo| {
        let size = demo.size;
        let (path, _) = sample(demo)?;
        demo.service
            .start(&demo.trust, size.name(), size.card(), &path)
    }),
    ("Enrol who operates and audits it", |demo| {
        demo.operator.enrol(&demo.trust, &demo.service)
    }),
    ("Ask with clients as people have them", ask),
    ("Refuse an app what it was not given", refuse),
    ("Listen to a microphone", listen),
    ("Change what was booted", change_the_boot),
    ("What this proves", |demo| {
        demo.trust.conclude(demo.size.name())
    }),
];

/// Runs the steps in order.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mode = match options.print {
        true => Mode::Print,
        false => Mode::Act,
    };
    let tpm = match options.tpm_real {
        true => Tpm::Real(options.ek_anchor.clone()),
        false => Tpm::Software,
    };
    let demo = Demo {
        mode,
        size: options.model,
        models: models::directory()?,
        trust: Trust::new(mode, tpm),
        service: Service::new(mode),
        operator: Operator::new(mode),
    };
    for (index, (title, step)) in STEPS.iter().enumerate() {
        eprintln!("{}/{} {title}", index + 1, STEPS.len());
        step(&demo).with_context(|| format!("step {} failed: {title}", index + 1))?;
    }
    Ok(())
}

fn machine(demo: &Demo) -> Result<()> {
    let clients = &[setup::CURL, setup::TPM_TOOLS, setup::AUTHENTICATOR];
    let needs = [setup::BUILD, setup::SOFTWARE_TPM, clients].concat();
    setup::install(&needs, demo.mode)?;
    clients::install(demo.mode)
}

fn fetch(demo: &Demo) -> Result<()> {
    // The sample comes with tiny, which is small enough to fetch beside base.
    models::fetch(Which::Tiny, &demo.models, demo.mode)?;
    match demo.size {
        Size::Tiny => Ok(()),
        Size::Base => models::fetch(Which::Base, &demo.models, demo.mode),
    }
}

fn build(demo: &Demo) -> Result<()> {
    demo.mode
        // The features of the whole workspace, as the tests build it, so that neither builds
        // what the other has built already.
        .run(&Program::cargo().args([
            "build",
            "--workspace",
            "--bin",
            "earnest",
            "--bin",
            "earnestd",
            "--bin",
            "earnest-fleet",
        ]))
}

fn transcribe(demo: &Demo) -> Result<()> {
    let (path, sample) = sample(demo)?;
    let [sealed, release_key] = demo.trust.sealed();
    let command = demo
        .trust
        .earnest()
        .args(["transcribe", "--model", demo.size.name()])
        .args(["--sealed", &sealed, "--release-key", &release_key])
        .args(["--format", "verbose-json"])
        .arg(path.to_string_lossy());
    if demo.mode == Mode::Print {
        return demo.mode.run(&command);
    }
    eprintln!("+ {command}");
    let started = Instant::now();
    let answer = command.output()?;
    let took = started.elapsed();
    report(&Answer::read(&answer)?, sample.transcript(), took)
}

/// The same recording for the daemon, by clients that know nothing of it.
fn ask(demo: &Demo) -> Result<()> {
    let (path, sample) = sample(demo)?;
    let said = sample.transcript();
    for (name, heard) in demo.service.ask(&demo.trust, &path)? {
        let rate = judge(said, &heard)?;
        eprintln!("  {name}: {heard} (word error rate {rate:.2})");
    }
    Ok(())
}

/// An app that may find speech, and what is written down when it asks for text.
fn refuse(demo: &Demo) -> Result<()> {
    let (path, _) = sample(demo)?;
    demo.operator
        .show_a_refusal(&demo.trust, &demo.service, &path)
}

/// A microphone: what each may know of what it hears, who listens, and mute.
fn listen(demo: &Demo) -> Result<()> {
    let (_, sample) = sample(demo)?;
    let read = listening::show(&demo.trust, &demo.service, &demo.operator, operator::APP)?;
    if let Some(text) = read {
        let rate = judge(sample.transcript(), &text)?;
        eprintln!("  word error rate of what was read {rate:.2}");
    }
    Ok(())
}

/// A boot that nobody approved, in the middle of it.
fn change_the_boot(demo: &Demo) -> Result<()> {
    if demo.trust.is_software() {
        let (path, _) = sample(demo)?;
        demo.service.change_the_boot(&demo.trust, &path)?;
    } else {
        eprintln!(
            "  left out: a PCR of your own TPM would stay changed, and what you sealed to it \
             shut, until you boot again"
        );
    }
    demo.service.stop()
}

/// The recording that a card brings along to try its model on: where it is, and what it is.
fn sample(demo: &Demo) -> Result<(PathBuf, &'static CardFile)> {
    let (card, sample) = sample_of_a_card()?;
    Ok((demo.models.join(card.name()).join(sample.name()), sample))
}

fn sample_of_a_card() -> Result<(&'static Card, &'static CardFile)> {
    Card::builtin()
        .iter()
        .find_map(|card| Some((card, card.file(Role::Sample)?)))
        .context("no card has a sample")
}

/// What is read of the command's answer.
#[derive(Debug, PartialEq)]
struct Answer {
    text: String,
    /// Seconds of sound.
    duration: f64,
}

impl Answer {
    fn read(json: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(json).context("the answer is no JSON")?;
        let text = value["text"].as_str().context("the answer has no `text`")?;
        let duration = value["duration"].as_f64();
        Ok(Self {
            text: text.trim().to_owned(),
            duration: duration.context("the answer has no `duration`")?,
        })
    }
}

/// Prints text and time, and holds the words to what was said.
fn report(answer: &Answer, said: Option<&str>, took: Duration) -> Result<()> {
    let Answer { text, duration } = answer;
    let took = took.as_secs_f64();
    println!("{text}");
    eprintln!(
        "{duration:.1} s of sound in {took:.2} s, loading the model included: {:.0} times as \
         fast as it was spoken",
        duration / took
    );
    let rate = judge(said, text)?;
    eprintln!("word error rate {rate:.2}, at most {MOST_ERRORS} allowed");
    Ok(())
}

/// The word error rate of a text, which must be what was said.
fn judge(said: Option<&str>, text: &str) -> Result<f64> {
    let said = said.context("the card does not say what is said in its sample")?;
    let rate = words::error_rate(said, text);
    ensure!(
        rate <= MOST_ERRORS,
        "the text {text:?} is not what was said: {said:?}"
    );
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_from_verbose_json() {
        let answer = Answer::read(r#"{"text": " Ever tried. ", "duration": 9.98}"#).unwrap();
        assert_eq!(
            answer,
            Answer {
                text: "Ever tried.".to_owned(),
                duration: 9.98
            }
        );
        assert!(Answer::read("Ever tried.").is_err());
        assert!(Answer::read(r#"{"text": "Ever tried."}"#).is_err());
    }

    #[test]
    fn the_right_words_pass_and_others_do_not() {
        let took = Duration::from_secs(1);
        let answer = |text: &str| Answer {
            text: text.to_owned(),
            duration: 10.0,
        };
        let said = Some("Ever tried. Ever failed. No matter.");
        report(&answer("ever tried, ever failed, no matter"), said, took).unwrap();
        assert!(report(&answer("You"), said, took).is_err());
        assert!(report(&answer(""), said, took).is_err());
        assert!(report(&answer("Ever tried."), None, took).is_err());
    }

    #[test]
    fn the_sample_says_what_is_said_in_it() {
        let (_, sample) = sample_of_a_card().unwrap();
        assert!(sample.transcript().is_some_and(|said| !said.is_empty()));
    }
}
