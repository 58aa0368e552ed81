//! Reads one 16 kHz mono 16-bit WAV and prints tokens and times.
use earnest_speech::*;
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let card = earnest_package::Card::named(&format!("moonshine-{}-en-int8", args[1])).unwrap();
    let dir = std::path::PathBuf::from(std::env::var("HOME").unwrap())
        .join(".local/share/earnest/models")
        .join(card.name());
    let t = Instant::now();
    let model = earnest_package::Model::open_directory(card, &dir).unwrap();
    eprintln!("open {:?}", t.elapsed());
    let threads = args.get(3).map_or(1, |x| x.parse().unwrap());
    let mut r = Recognizer::load(&model, &EngineOptions { threads }).unwrap();
    drop(model);
    eprintln!("load {:?} {}", t.elapsed(), r.kernels());
    let wav = std::fs::read(&args[2]).unwrap();
    let pcm: Vec<f32> = wav[44..]
        .chunks_exact(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]) as f32 / 32768.0)
        .collect();
    for _ in 0..30 {
        let t = Instant::now();
        let e = r.encode(&pcm).unwrap();
        let te = t.elapsed();
        let mut d = r.start(&e, &DecodeOptions::default());
        let t1 = Instant::now();
        let mut n = 0;
        while d.step().unwrap().is_some() {
            n += 1;
        }
        let ts = t1.elapsed();
        let h = d.finish();
        eprintln!(
            "encode {:.1?} step {:.2?} n {n} total {:.1?} avg {:.3}",
            te,
            ts / n,
            t.elapsed(),
            h.average_logprob()
        );
        eprintln!("{:?} {:?}", h.tokens, r.tokenizer().decode(&h.tokens));
    }
}
