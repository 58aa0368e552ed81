//! `earnest model seal` and `earnest model unseal-check`.

use earnest_attester::content;
use earnest_package::{Model, PackageSummary, VOICE_CARD, memory, models_folder};

use super::arguments::{Seal, UnsealCheck};
use super::sealed::{self, Sealed};
use super::{Failure, device_folder, files, with};
use crate::console::Console;

/// Seals the speech model and the voice detector.
pub(super) fn seal(seal: &Seal, console: &Console) -> Result<String, Failure> {
    guard_memory(console);
    let release_key = files::release_signing_key(&seal.release_key)?;
    let plain = match &seal.models {
        Some(folder) => folder.clone(),
        None => models_folder().ok_or(Failure::NoFolder)?,
    };
    std::fs::create_dir_all(&seal.out).map_err(|error| earnest_files::FileError::Write {
        path: seal.out.clone(),
        error,
    })?;
    with(&seal.place, |device| {
        let mut said = String::new();
        for card in [seal.model.card(), VOICE_CARD] {
            // The daemon asks the model for the sample's words before it serves anybody.
            let model = Model::open_directory_with_sample(sealed::card(card), &plain.join(card))?;
            let path = sealed::path(&seal.out, card);
            let summary = content::seal(
                device.module(),
                device.folder(),
                &model,
                &release_key,
                seal.version,
                &path,
            )?;
            said.push_str(&format!("sealed {} as {}\n", card, path.display()));
            said.push_str(&about(&summary));
        }
        Ok(said)
    })
}

/// Opens sealed models and says what they are.
pub(super) fn unseal_check(check: &UnsealCheck, console: &Console) -> Result<String, Failure> {
    guard_memory(console);
    let device = device_folder(check.place.folder.as_deref())?;
    let sealed = Sealed::new(&device, &check.sealed, &check.release_key)?;
    let mut said = String::new();
    for card in [check.model.card(), VOICE_CARD] {
        let model = sealed.open(card)?;
        said.push_str(&format!("opened {card}: every byte is as its card says\n"));
        if let Some(summary) = model.package() {
            said.push_str(&about(summary));
        }
    }
    sealed.close()?;
    Ok(said)
}

fn about(summary: &PackageSummary) -> String {
    match summary.seal() {
        Some(seal) => format!(
            "  package {}, version {}, digest {}\n",
            seal.id,
            seal.version,
            summary.digest()
        ),
        None => String::new(),
    }
}

/// Keeps plaintext out of swap and core dumps, and says where that was not to be had.
pub(crate) fn guard_memory(console: &Console) {
    if let Err(exposed) = memory::guard_memory() {
        console.say(&format!("earnest: warning: {exposed}"));
    }
}
