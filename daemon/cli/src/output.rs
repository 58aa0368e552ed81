//! Where transcripts go: standard output, or a file that appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use earnest_printable::{describe, is_printable};
use serde::Serialize;
use tempfile::{Builder, NamedTempFile};

use crate::console::Console;
use crate::exit::Exit;

/// Why a transcript could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Who read the output has closed it, and wants no more.
    #[error("the output was closed")]
    Closed,
    /// The system refused.
    #[error("cannot write {target}")]
    Failed {
        /// The file, or "standard output".
        target: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

/// Where transcripts go.
pub(crate) struct Output {
    target: String,
    sink: Sink,
}

enum Sink {
    Standard,
    /// A device or a pipe, which cannot be replaced by a file.
    Direct(File),
    /// A file beside the one that it will become.
    Beside {
        file: NamedTempFile,
        path: PathBuf,
    },
}

impl Output {
    /// Opens standard output, or `path` for writing.
    pub(crate) fn open(path: Option<&Path>) -> Result<Output, WriteError> {
        let Some(path) = path else {
            return Ok(Output {
                target: "standard output".to_owned(),
                sink: Sink::Standard,
            });
        };
        let target = path.display().to_string();
        match open_sink(path) {
            Ok(sink) => Ok(Output { target, sink }),
            Err(error) => Err(WriteError::Failed { target, error }),
        }
    }

    /// Writes `text` through to whoever reads.
    pub(crate) fn write(&mut self, text: &str) -> Result<(), WriteError> {
        if text.is_empty() {
            return Ok(());
        }
        let result = match &mut self.sink {
            Sink::Standard => {
                let mut standard = io::stdout().lock();
                standard
                    .write_all(text.as_bytes())
                    .and_then(|()| standard.flush())
            }
            Sink::Direct(file) => file.write_all(text.as_bytes()),
            Sink::Beside { file, .. } => file.write_all(text.as_bytes()),
        };
        result.map_err(|error| failure(&self.target, error))
    }

    /// Puts the file in its place.
    pub(crate) fn commit(self) -> Result<(), WriteError> {
        let Sink::Beside { file, path } = self.sink else {
            return Ok(());
        };
        file.as_file()
            .sync_all()
            .and_then(|()| file.persist(path).map_err(|refused| refused.error))
            .map(drop)
            .map_err(|error| failure(&self.target, error))
    }
}

/// Writes what a command says to standard output, and gives how the command ends for it. A reader
/// that has enough is no failure.
pub(crate) fn say(text: &str, console: &Console) -> Exit {
    let said = Output::open(None).and_then(|mut output| output.write(text));
    match said {
        Ok(()) | Err(WriteError::Closed) => Exit::Success,
        Err(error) => {
            console.say(&format!("earnest: {}", describe(&error)));
            Exit::NotWritten
        }
    }
}

/// An object in JSON, for programs and for a terminal's eyes, too.
pub(crate) fn json(object: &impl Serialize) -> String {
    let mut json = serde_json::to_string_pretty(object)
        .expect("an object of strings and numbers always has a JSON form");
    json.push('\n');
    escaped(&json)
}

/// JSON with what is not printable escaped. It can stand within strings alone, so what is said
/// stays the same.
pub(crate) fn escaped(json: &str) -> String {
    let mut said = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || is_printable(character) {
            said.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            said.push_str(&format!("\\u{unit:04x}"));
        }
    }
    said
}

fn failure(target: &str, error: io::Error) -> WriteError {
    match error.kind() {
        ErrorKind::BrokenPipe => WriteError::Closed,
        _ => WriteError::Failed {
            target: target.to_owned(),
            error,
        },
    }
}

fn open_sink(path: &Path) -> io::Result<Sink> {
    // A link stays a link to what is written.
    let path = match path.canonicalize() {
        Ok(path) => path,
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() => {
            Ok(Sink::Direct(File::options().write(true).open(path)?))
        }
        _ => beside(path),
    }
}

fn beside(path: PathBuf) -> io::Result<Sink> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut builder = Builder::new();
    builder.prefix(".earnest-");
    // The file gets the rights that any new file would, not those of a temporary one.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;
    clear_when_interrupted(file.path().to_owned());
    Ok(Sink::Beside { file, path })
}

/// Removes `unfinished` when the process is told to end. Where that cannot be arranged, an
/// interrupt leaves the file behind, which is no reason not to work.
fn clear_when_interrupted(unfinished: PathBuf) {
    let _ = ctrlc::set_handler(move || {
        let _ = fs::remove_file(&unfinished);
        std::process::exit(Exit::Interrupted.number().into());
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn json_moves_no_terminal_and_says_the_same() {
        let strange = "a\u{1b}[2J\u{9b}\u{202e}\u{e0041}\né";
        let json = super::json(&[strange]);
        let shown = |character| character == '\n' || earnest_printable::is_printable(character);
        assert!(json.chars().all(shown), "{json:?}");
        let back: [String; 1] = serde_json::from_str(&json).unwrap();
        assert_eq!(back, [strange]);
    }

    use super::*;

    #[test]
    fn a_file_appears_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        let mut output = Output::open(Some(&path)).unwrap();
        output.write("words\n").unwrap();
        assert!(!path.exists());
        output.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "words\n");
    }

    #[test]
    fn what_is_not_committed_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        fs::write(&path, "before").unwrap();
        let mut output = Output::open(Some(&path)).unwrap();
        output.write("half").unwrap();
        drop(output);
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_and_a_missing_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Output::open(Some(folder.path())).is_err());
        assert!(Output::open(Some(&folder.path().join("none/out.txt"))).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_a_device_is_not_replaced() {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (
            folder.path().join("real.txt"),
            folder.path().join("link.txt"),
        );
        fs::write(&path, "before").unwrap();
        symlink(&path, &link).unwrap();
        let mut output = Output::open(Some(&link)).unwrap();
        output.write("after").unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_ne!(mode & 0o777, 0o600, "the rights of a temporary file");

        let mut null = Output::open(Some(Path::new("/dev/null"))).unwrap();
        null.write("gone").unwrap();
        null.commit().unwrap();
        let kind = fs::metadata("/dev/null").unwrap().file_type();
        assert!(kind.is_char_device());
    }
}
