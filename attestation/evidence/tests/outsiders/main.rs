//! Logs and quotes that nobody here made, and an outsider's reading of them.
//!
//! The vectors are not part of the repository: they are looked for beside it, or where
//! `EARNEST_VECTORS` points. Where they or the outside tool are absent, the tests say so and
//! prove nothing.

mod checkquote;
mod event_logs;
#[path = "../../src/testing/mutations.rs"]
mod mutations;
mod quotes;

use std::path::{Path, PathBuf};

use mutations::mutations;

/// The files of a folder of vectors with their names, in order, or nothing where there are none.
fn vectors(folder: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let root = std::env::var_os("EARNEST_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
        println!("skipped: there are no vectors of {folder}");
        return None;
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    paths.sort();
    let named = |path: PathBuf| {
        let name = path.file_name().expect("a file has a name");
        let bytes = std::fs::read(&path).expect("a vector can be read");
        (name.to_string_lossy().into_owned(), bytes)
    };
    let found: Vec<_> = paths.into_iter().map(named).collect();
    assert!(!found.is_empty(), "the folder of {folder} is empty");
    Some(found)
}
