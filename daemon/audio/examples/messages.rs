//! Writes the seeds of the fuzz target `capture` into a folder:
//! `cargo run -p earnest-audio --example messages -- fuzz/corpus`.

use std::error::Error;
use std::fs;
use std::path::Path;

use earnest_audio::protocol::{FromCapture, MAX_RATE, VERSION, encode};
use earnest_audio::{Device, Loss};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("expected a folder")?;
    let folder = Path::new(&folder).join("capture");
    fs::create_dir_all(&folder)?;
    let mut stream = Vec::new();
    for (place, message) in messages().iter().enumerate() {
        let frame = encode(message)?;
        stream.extend_from_slice(&frame);
        fs::write(folder.join(format!("message-{place}")), &frame)?;
        // One that ends too early, and one that claims to be longer than anything.
        fs::write(
            folder.join(format!("short-{place}")),
            &frame[..frame.len() - 1],
        )?;
        let long = [&[0xff; 4], &frame[4..]].concat();
        fs::write(folder.join(format!("long-{place}")), long)?;
    }
    fs::write(folder.join("stream"), stream)?;
    Ok(())
}

fn messages() -> Vec<FromCapture> {
    let device = Device {
        name: "plughw:CARD=0,DEV=0".to_owned(),
        description: "Desk Mic, USB Audio".to_owned(),
        is_default: false,
        rates: vec![16_000, 44_100, 48_000],
        channels: vec![1, 2],
    };
    let default = Device {
        name: "default".to_owned(),
        description: String::new(),
        is_default: true,
        ..device.clone()
    };
    vec![
        FromCapture::Hello { version: VERSION },
        FromCapture::Opened {
            device: "default".to_owned(),
            rate: 16_000,
        },
        FromCapture::Opened {
            device: "Größe".to_owned(),
            rate: MAX_RATE,
        },
        FromCapture::Sound([0x00, 0x80, 0xff, 0x7f].repeat(80)),
        FromCapture::Overrun { frames: 640 },
        FromCapture::Alive,
        FromCapture::Lost(Loss::Vanished),
        FromCapture::Lost(Loss::Unstartable),
        FromCapture::Devices(Vec::new()),
        FromCapture::Devices(vec![default, device]),
    ]
}
