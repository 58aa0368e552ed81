//! `earnest-fleet log`: any firmware event log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use earnest_evidence::firmware::{Event, EventLog, MAX_LOG_BYTES, Replay};
use earnest_evidence::tpm::PcrValues;
use earnest_evidence::{Digest, HashAlgorithm, hex};
use earnest_files as files;
use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use crate::exit::{Exit, Failure};
use crate::show;

/// Characters of an event's data that a line shows.
const SHOWN_DATA: usize = 48;

/// What is done with logs.
#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Show a log's events, and the PCRs that they lead to, by bank.
    ///
    /// Takes the SHA-1 form and the crypto-agile form, as firmware hands them over
    /// (/sys/kernel/security/tpm0/binary_bios_measurements). What an event says of itself, its
    /// type and its data, is firmware's word: a quote of the PCRs proves the digests alone.
    Show(Show),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The log; - is standard input.
    file: PathBuf,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Log {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let Log::Show(show) = self;
        show.run(context)
    }
}

impl Show {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let bytes = files::read_input(&self.file, MAX_LOG_BYTES)?;
        let log = EventLog::parse(&bytes).map_err(|error| {
            Failure::bad_input(&self.file.display().to_string(), &error)
                .advise("The log is cut short, changed, or no firmware event log.")
        })?;
        let replays: Vec<Replay> = log
            .algorithms()
            .into_iter()
            .map(|algorithm| log.replay(algorithm))
            .collect();
        match self.json {
            true => context.json(&as_json(&log, &replays))?,
            false => context.data(&as_text(&log, &replays))?,
        }
        for replay in replays.iter().filter(|replay| replay.without_digest() > 0) {
            context.say(&format!(
                "{} events have no digest of the bank {}: its PCRs are right only if the TPM has left them out as well.",
                replay.without_digest(),
                replay.algorithm()
            ));
        }
        Ok(Exit::Success)
    }
}

/// An event in JSON.
#[derive(Debug, Serialize)]
struct Shown {
    index: usize,
    offset: usize,
    pcr: u32,
    #[serde(rename = "type")]
    kind: String,
    type_id: u32,
    extended: bool,
    digests: BTreeMap<&'static str, String>,
    /// Whether the digest is that of the data, in each bank that it has.
    data_measured: bool,
    data: String,
}

impl Shown {
    fn of(event: &Event<'_>) -> Shown {
        let digests: Vec<Digest> = event.digests().collect();
        Shown {
            index: event.index(),
            offset: event.offset(),
            pcr: event.pcr(),
            kind: event.kind().to_string(),
            type_id: event.kind().0,
            extended: event.is_extended(),
            data_measured: !digests.is_empty()
                && digests
                    .iter()
                    .all(|digest| event.data_is_measured(digest.algorithm())),
            digests: digests
                .iter()
                .map(|digest| (digest.algorithm().name(), digest.to_hex()))
                .collect(),
            data: hex::encode(event.data()),
        }
    }
}

fn as_json(log: &EventLog<'_>, replays: &[Replay]) -> Value {
    let events: Vec<Shown> = log.events().iter().map(Shown::of).collect();
    let pcrs: BTreeMap<&str, BTreeMap<String, String>> = replays
        .iter()
        .map(|replay| (replay.algorithm().name(), touched(replay)))
        .collect();
    let without_digest: BTreeMap<&str, usize> = replays
        .iter()
        .map(|replay| (replay.algorithm().name(), replay.without_digest()))
        .collect();
    json!({
        "form": form(log),
        "startup_locality": log.startup_locality(),
        "events": events,
        "pcrs": pcrs,
        "events_without_digest": without_digest,
    })
}

fn form(log: &EventLog<'_>) -> &'static str {
    match log.is_crypto_agile() {
        true => "crypto-agile",
        false => "sha1",
    }
}

/// The PCRs that events were extended into, by their numbers.
fn touched(replay: &Replay) -> BTreeMap<String, String> {
    let values = replay.touched().iter();
    values
        .filter_map(|pcr| Some((pcr.to_string(), replay.value(pcr)?.to_hex())))
        .collect()
}

/// PCR values by bank and number, as the JSON of this program has them.
pub(super) fn banks_json(values: &PcrValues) -> Value {
    let banks: BTreeMap<&str, BTreeMap<String, String>> = values
        .banks()
        .map(|(algorithm, pcrs)| {
            let pcrs = pcrs
                .iter()
                .map(|(pcr, value)| (pcr.to_string(), value.to_hex()));
            (algorithm.name(), pcrs.collect())
        })
        .collect();
    json!(banks)
}

fn as_text(log: &EventLog<'_>, replays: &[Replay]) -> String {
    let shown = shown_algorithm(log);
    let row = |cells: [&str; 5]| cells.map(str::to_owned).to_vec();
    let digest_head = shown.map_or("digest", HashAlgorithm::name);
    let mut rows = vec![row(["event", "PCR", "type", digest_head, "data"])];
    rows.extend(log.events().iter().map(|event| {
        let digest = shown
            .filter(|_| event.is_extended())
            .and_then(|algorithm| event.digest(algorithm))
            .map_or_else(|| "-".to_owned(), |digest| digest.to_hex());
        row([
            &event.index().to_string(),
            &event.pcr().to_string(),
            &event.kind().to_string(),
            &digest,
            &preview(event.data()),
        ])
    }));
    let mut text = show::table(&rows);
    for replay in replays {
        text.push_str(&format!("\nPCRs of {}\n", replay.algorithm()));
        let pcrs = replay.touched().iter().filter_map(|pcr| {
            let value = replay.value(pcr)?;
            Some(vec![pcr.to_string(), value.to_hex()])
        });
        text.push_str(&show::table(&pcrs.collect::<Vec<_>>()));
    }
    text
}

/// Of the banks, the one whose digests a line shows: SHA-256, else the weakest stronger one, else
/// SHA-1.
fn shown_algorithm(log: &EventLog<'_>) -> Option<HashAlgorithm> {
    let algorithms = log.algorithms();
    let strong = algorithms
        .iter()
        .find(|algorithm| **algorithm != HashAlgorithm::Sha1);
    strong.or(algorithms.first()).copied()
}

/// The printable characters of an event's data, as far as a line shows them. Every second byte of
/// UTF-16, which firmware writes, is left out as a zero.
fn preview(data: &[u8]) -> String {
    let printable = data.iter().filter(|byte| **byte != 0).map(|byte| {
        let shown = byte.is_ascii_graphic() || *byte == b' ';
        if shown { char::from(*byte) } else { '.' }
    });
    printable.take(SHOWN_DATA).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_moves_no_cursor_and_reads_utf_16() {
        assert_eq!(preview(b"S\0e\0c\0u\0r\0e\0"), "Secure");
        assert_eq!(preview(b"\x1b[2J\xff"), ".[2J.");
        assert_eq!(preview(&[b'a'; 100]).len(), SHOWN_DATA);
    }
}
