//! The repository as a tree of files, for tests that hold it to its own pages.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no source of ours.
const SKIPPED: &[&str] = &["target", "corpus", "artifacts", "coverage"];

/// Deeper than any folder of the repository; a link in a circle would never end.
const DEEPEST: usize = 12;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("this package is a folder of the workspace")
}

/// Every Rust file of the repository with its text, whether a crate reaches it or not.
pub(crate) fn rust_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    walk(root(), DEEPEST, &mut files);
    assert!(!files.is_empty(), "no Rust file below {}", root().display());
    let read = |path: &PathBuf| fs::read_to_string(path).expect("a Rust file is UTF-8");
    files
        .into_iter()
        .map(|path| (path.clone(), read(&path)))
        .collect()
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    assert!(depth > 0, "{} is too deep", folder.display());
    for entry in fs::read_dir(folder).expect("a folder of the repository is readable") {
        let entry = entry.expect("a folder of the repository is readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("a file has a type");
        if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), depth - 1, files);
        } else if kind.is_file() && name.ends_with(".rs") {
            files.push(entry.path());
        }
    }
}
