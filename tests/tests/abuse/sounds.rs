//! Sound that lies, unpacks to too much, or is something else besides.

use std::fs;

use crate::client::{SAID, pcm, sample};
use crate::curl::Reply;
use crate::earnestd::{Earnestd, Wish};
use crate::flac;
use crate::trial::{NOBODY_WATCHES, Trial, memory};

const MODEL: &str = "model=whisper-1";

fn transcribe(daemon: &Earnestd, name: &str, bytes: &[u8]) -> Reply {
    let path = daemon.sides.path(name);
    fs::write(&path, bytes).expect("there is room");
    daemon.curl().transcribe(&path, &[MODEL])
}

#[test]
fn a_small_file_that_decodes_to_hours_is_cut_by_the_days_budget() {
    let mut trial = Trial::of(Wish {
        apps: "burst = 1000\nat_once = 16\ndaily_minutes = 5".to_owned(),
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    });
    let bomb = flac::silence(40);
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    let before = memory(trial.daemon.pid());
    trial.check("budget_spent", (429, "budget_spent"), |daemon| {
        transcribe(daemon, "bomb.flac", &bomb)
    });
    let heard = trial.daemon.count("sound_milliseconds");
    // It was cut soon after the five minutes that it was granted.
    assert!(heard < 40 * 3_600_000 / 4, "{heard} ms");
    let more = memory(trial.daemon.pid()).saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes more");
    trial.is_well();
}

/// A ZIP without a file: an end of central directory alone (APPNOTE, section 4.3.16), which
/// readers look for from the end.
const ZIP: [u8; 22] = [
    b'P', b'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

const PAGE: &[u8] = b"<!doctype html><script>document.title='polyglot'</script>";

#[test]
fn a_file_that_is_also_a_page_and_an_archive_is_sound_and_nothing_else() {
    let mut trial = Trial::usual();
    let wave = fs::read(sample()).expect("the sample is there");
    let (head, data) = wave.split_at(12);
    let mut polyglot = head.to_vec();
    polyglot.extend(b"LIST");
    polyglot.extend((PAGE.len() as u32 + 1).to_le_bytes());
    polyglot.extend(PAGE);
    polyglot.push(b'\n');
    polyglot.extend(data);
    polyglot.extend(ZIP);
    let path = trial.daemon.sides.path("polyglot.html");
    fs::write(&path, &polyglot).expect("there is room");
    for format in ["json", "text", "srt", "vtt", "verbose_json"] {
        let format = format!("response_format={format}");
        let curl = trial.daemon.curl().args(&["--include"]);
        let reply = curl.transcribe(&path, &[MODEL, &format]);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.body.contains("Ever tried"), "{reply:?}");
        for part in ["polyglot", "<script", "PK\u{5}\u{6}"] {
            assert!(!reply.body.contains(part), "{format}: {reply:?}");
        }
        let head = reply.body.to_ascii_lowercase();
        // Whoever shows it in a browser is shown text.
        assert!(!head.contains("text/html"), "{reply:?}");
        assert!(
            head.contains("x-content-type-options: nosniff"),
            "{reply:?}"
        );
    }
    trial.is_well();
}

/// A WAV whose header says what it likes of the sample.
struct Lie {
    what: &'static str,
    format: u16,
    channels: u16,
    rate: u32,
    block: u16,
    bits: u16,
    format_bytes: u32,
    whole_bytes: u32,
    data_bytes: u32,
}

impl Lie {
    /// The truth.
    fn none(what: &'static str) -> Lie {
        let bytes = u32::try_from(pcm().len()).expect("it is short");
        Lie {
            what,
            format: 1,
            channels: 1,
            rate: 16_000,
            block: 2,
            bits: 16,
            format_bytes: 16,
            whole_bytes: bytes + 36,
            data_bytes: bytes,
        }
    }

    fn file(&self) -> Vec<u8> {
        let rate = self.rate.wrapping_mul(u32::from(self.block));
        let parts: [&[u8]; 13] = [
            b"RIFF",
            &self.whole_bytes.to_le_bytes(),
            b"WAVEfmt ",
            &self.format_bytes.to_le_bytes(),
            &self.format.to_le_bytes(),
            &self.channels.to_le_bytes(),
            &self.rate.to_le_bytes(),
            &rate.to_le_bytes(),
            &self.block.to_le_bytes(),
            &self.bits.to_le_bytes(),
            b"data",
            &self.data_bytes.to_le_bytes(),
            &pcm(),
        ];
        parts.concat()
    }
}

/// Headers that cannot be.
fn impossible() -> Vec<Lie> {
    let lie = Lie::none;
    vec![
        Lie {
            rate: 0,
            ..lie("no rate")
        },
        Lie {
            rate: u32::MAX,
            ..lie("an absurd rate")
        },
        Lie {
            rate: 1,
            ..lie("a rate below any")
        },
        Lie {
            channels: 0,
            ..lie("no channels")
        },
        Lie {
            channels: u16::MAX,
            ..lie("channels without number")
        },
        Lie {
            channels: u16::MAX,
            block: u16::MAX,
            ..lie("blocks as large as they get")
        },
        Lie {
            bits: 0,
            ..lie("no bits")
        },
        Lie {
            bits: u16::MAX,
            ..lie("bits without number")
        },
        Lie {
            format: 0x55,
            ..lie("a codec that it is not")
        },
        Lie {
            format_bytes: u32::MAX,
            ..lie("a format without end")
        },
        Lie {
            format_bytes: 2,
            ..lie("a format cut short")
        },
    ]
}

/// Headers that are wrong of the length alone: what there is of the sound is heard.
fn mended() -> Vec<Lie> {
    let lie = Lie::none;
    vec![
        Lie {
            data_bytes: u32::MAX,
            ..lie("data without end")
        },
        Lie {
            data_bytes: 0x7fff_fffe,
            whole_bytes: u32::MAX,
            ..lie("two gigabytes")
        },
        Lie {
            whole_bytes: 0,
            ..lie("a file of nothing")
        },
        Lie {
            whole_bytes: 1,
            ..lie("a file of one byte")
        },
    ]
}

#[test]
fn a_wav_that_lies_is_refused_or_heard_for_what_it_is() {
    let mut trial = Trial::of(Wish {
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    });
    let before = memory(trial.daemon.pid());
    for lie in impossible() {
        let before = trial.refusals("malformed");
        let reply = transcribe(&trial.daemon, "lie.wav", &lie.file());
        // What its other fields make up for is heard as it is; anything else is refused.
        match reply.status {
            200 => assert_eq!(reply.json(200)["text"], SAID, "{}", lie.what),
            _ => {
                assert_eq!(reply.refusal(400), "invalid_audio", "{}", lie.what);
                trial.see_refused("malformed", before + 1);
            }
        }
    }
    for lie in mended() {
        let reply = transcribe(&trial.daemon, "lie.wav", &lie.file());
        assert_eq!(reply.json(200)["text"], SAID, "{}", lie.what);
    }
    let more = memory(trial.daemon.pid()).saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes more");
    trial.is_well();
}

#[test]
fn random_bytes_behind_every_magic_cost_a_worker_nothing() {
    let mut trial = Trial::of(Wish {
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    });
    // A generator's bytes (xorshift): the same in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise: Vec<u8> = (0..100_000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect();
    let magics: [(&str, &[u8]); 6] = [
        ("riff", b"RIFF\xff\xff\xff\xffWAVE"),
        ("flac", b"fLaC"),
        ("ogg", b"OggS\0\x02"),
        ("mp4", b"\0\0\0\x18ftypM4A "),
        ("mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f"),
        ("aac", b"\xff\xf1\x50\x80"),
    ];
    for (name, magic) in magics {
        trial.check("malformed", (400, "invalid_audio"), |daemon| {
            transcribe(daemon, name, &[magic, &noise].concat())
        });
    }
    trial.is_well();
}
