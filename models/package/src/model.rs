//! A model whose every byte was checked against its card.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{Card, CardFile, Digest, PackageSummary, Role};

/// A model's files, overwritten when dropped.
pub(crate) type Files = Vec<(Role, Zeroizing<Vec<u8>>)>;

/// A model in memory. That it exists is the proof that each of its files has the size and
/// the SHA-256 that its card names, and that no required file is missing.
///
/// Its bytes are overwritten when it is dropped, since they may have come out of a sealed
/// package.
///
/// ```no_run
/// use earnest_package::{Card, Model, Role};
/// let card = Card::named("silero-vad-6.2").expect("is compiled in");
/// let model = Model::open_directory(card, "models/silero-vad-6.2".as_ref())?;
/// assert!(model.file(Role::Vad).is_some());
/// # Ok::<(), earnest_package::PackageError>(())
/// ```
pub struct Model {
    card: Card,
    files: Files,
    package: Option<PackageSummary>,
}

impl Model {
    /// Reads the files that `card` requires from `directory`, each under its plain name. The
    /// bytes that are checked are the bytes that are kept: nothing is read twice. A sample
    /// is left where it is; [`CardFile::read`] reads one.
    pub fn open_directory(card: &Card, directory: &Path) -> Result<Model, PackageError> {
        Model::open_files(card, directory, Role::is_required)
    }

    /// As [`Model::open_directory`], and the sample, too, of a card that has one: whoever gets
    /// the model can then ask it for words that are known.
    pub fn open_directory_with_sample(
        card: &Card,
        directory: &Path,
    ) -> Result<Model, PackageError> {
        Model::open_files(card, directory, |_| true)
    }

    fn open_files(
        card: &Card,
        directory: &Path,
        wanted: fn(Role) -> bool,
    ) -> Result<Model, PackageError> {
        let wanted = card.files().iter().filter(|file| wanted(file.role()));
        let files = wanted
            .map(|file| Ok((file.role(), file.read(directory)?.into())))
            .collect::<Result<_, _>>()?;
        Ok(Model {
            card: card.clone(),
            files,
            package: None,
        })
    }

    /// Takes files that are in memory already, checked against `card`. A sample may be among
    /// them.
    pub fn from_files<B: Into<Zeroizing<Vec<u8>>>>(
        card: &Card,
        files: impl IntoIterator<Item = (Role, B)>,
    ) -> Result<Model, PackageError> {
        let mut checked: Files = Vec::with_capacity(card.files().len());
        for (role, bytes) in files {
            let bytes = bytes.into();
            let file = card.file(role).ok_or_else(|| PackageError::Stray {
                card: card.name().to_owned(),
                role,
            })?;
            if checked.iter().any(|(other, _)| *other == role) {
                return Err(PackageError::Twice { role });
            }
            file.check(&bytes)?;
            checked.push((role, bytes));
        }
        for file in card.files().iter().filter(|file| file.role().is_required()) {
            if checked.iter().all(|(role, _)| *role != file.role()) {
                return Err(PackageError::Missing {
                    file: PathBuf::from(file.name()),
                });
            }
        }
        Ok(Model {
            card: card.clone(),
            files: checked,
            package: None,
        })
    }

    /// This model, remembering the package that it came out of.
    pub(crate) fn out_of(self, package: PackageSummary) -> Model {
        Model {
            package: Some(package),
            ..self
        }
    }

    /// The card that the files were checked against.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The package that the model came out of, if it came out of one: what was measured is
    /// then what was opened, because both are told by one reading.
    pub fn package(&self) -> Option<&PackageSummary> {
        self.package.as_ref()
    }

    /// The bytes of the file of this role, unless they were taken.
    pub fn file(&self, role: Role) -> Option<&[u8]> {
        self.files
            .iter()
            .find(|(other, _)| *other == role)
            .map(|(_, bytes)| bytes.as_slice())
    }

    /// Moves the file of this role out, so that who turns it into something else need not
    /// hold both. They are overwritten when dropped, still.
    pub fn take(&mut self, role: Role) -> Option<Zeroizing<Vec<u8>>> {
        let place = self.files.iter().position(|(other, _)| *other == role)?;
        Some(self.files.swap_remove(place).1)
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes = self.files.iter().map(|(role, bytes)| (role, bytes.len()));
        formatter
            .debug_struct("Model")
            .field("card", &self.card.name())
            .field("files", &sizes.collect::<Vec<_>>())
            .finish()
    }
}

impl CardFile {
    /// Reads this file from `directory` and gives its bytes only if size and digest are the
    /// card's.
    pub fn read(&self, directory: &Path) -> Result<Vec<u8>, PackageError> {
        let path = directory.join(self.name());
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => PackageError::Missing { file: path.clone() },
            _ => PackageError::Unreadable {
                file: path.clone(),
                error,
            },
        };
        // Asked before opening, because opening a named pipe would wait for its other end.
        let metadata = std::fs::metadata(&path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(PackageError::NotAFile { file: path });
        }
        if metadata.len() != self.size() {
            return Err(PackageError::WrongSize {
                file: path,
                expected: self.size(),
                found: metadata.len(),
            });
        }
        // The size is the card's, so it is bounded; one byte more tells a file that grew.
        let mut bytes = Vec::with_capacity(self.size() as usize + 1);
        let file = File::open(&path).map_err(unreadable)?;
        file.take(self.size() + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        self.check_as(&bytes, &path)?;
        Ok(bytes)
    }

    /// Whether `bytes` are this file's: first the size, then the digest.
    pub fn check(&self, bytes: &[u8]) -> Result<(), PackageError> {
        self.check_as(bytes, Path::new(self.name()))
    }

    fn check_as(&self, bytes: &[u8], name: &Path) -> Result<(), PackageError> {
        if bytes.len() as u64 != self.size() {
            return Err(PackageError::WrongSize {
                file: name.to_owned(),
                expected: self.size(),
                found: bytes.len() as u64,
            });
        }
        let found = Digest::of(bytes);
        if found != self.sha256() {
            return Err(PackageError::WrongDigest {
                file: name.to_owned(),
                expected: self.sha256(),
                found,
            });
        }
        Ok(())
    }
}

/// Why files do not make the model of a card.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A required file is not there.
    #[error("{} is missing", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// A file is there, but cannot be read.
    #[error("{} cannot be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// A folder, a pipe or a device stands where the file should.
    #[error("{} is not a plain file", file.display())]
    NotAFile {
        /// The file.
        file: PathBuf,
    },
    /// The file is shorter or longer than the card says.
    #[error("{} has {found} bytes, but its card says {expected}", file.display())]
    WrongSize {
        /// The file.
        file: PathBuf,
        /// Bytes by the card.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The file's bytes are not the card's.
    #[error("{} has the SHA-256 {found}, but its card says {expected}", file.display())]
    WrongDigest {
        /// The file.
        file: PathBuf,
        /// The digest by the card.
        expected: Digest,
        /// The digest found.
        found: Digest,
    },
    /// A file of a role that the card does not have.
    #[error("the card {card} has no file of role {role}")]
    Stray {
        /// The card.
        card: String,
        /// The role.
        role: Role,
    },
    /// Two files of the same role.
    #[error("two files of role {role} were given")]
    Twice {
        /// The role.
        role: Role,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, SMALL_FILES};

    fn installed() -> (Card, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        for (_, name, bytes) in SMALL_FILES {
            std::fs::write(directory.path().join(name), bytes).unwrap();
        }
        (testing::small_card(), directory)
    }

    #[test]
    fn a_directory_with_the_cards_bytes_opens_and_hands_out_those_bytes() {
        let (card, directory) = installed();
        let mut model = Model::open_directory(&card, directory.path()).unwrap();
        assert_eq!(model.card(), &card);
        for (role, _, bytes) in SMALL_FILES {
            let expected = role.is_required().then_some(bytes);
            assert_eq!(model.file(role), expected, "{role}");
            assert_eq!(
                model.take(role).as_deref().map(Vec::as_slice),
                expected,
                "{role}"
            );
            assert_eq!(model.file(role), None, "{role} was taken");
        }
    }

    #[test]
    fn the_sample_is_not_needed_to_open_and_reads_on_its_own() {
        let (card, directory) = installed();
        let sample = card.file(Role::Sample).unwrap();
        assert_eq!(sample.read(directory.path()).unwrap(), SMALL_FILES[3].2);
        let with_sample = || Model::open_directory_with_sample(&card, directory.path());
        let model = with_sample().unwrap();
        assert_eq!(model.file(Role::Sample), Some(SMALL_FILES[3].2));
        std::fs::remove_file(directory.path().join(sample.name())).unwrap();
        assert!(Model::open_directory(&card, directory.path()).is_ok());
        assert!(matches!(with_sample(), Err(PackageError::Missing { .. })));
        assert!(matches!(
            sample.read(directory.path()),
            Err(PackageError::Missing { .. })
        ));
    }

    #[test]
    fn each_flipped_bit_of_each_required_file_is_refused() {
        let (card, directory) = installed();
        for (_, name, bytes) in SMALL_FILES.iter().filter(|file| file.0.is_required()) {
            let path = directory.path().join(name);
            for bit in (0..bytes.len() * 8).step_by(5) {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                std::fs::write(&path, &flipped).unwrap();
                match Model::open_directory(&card, directory.path()) {
                    Err(PackageError::WrongDigest {
                        file,
                        expected,
                        found,
                    }) => {
                        assert_eq!(file, path);
                        assert_eq!((expected, found), (Digest::of(bytes), Digest::of(&flipped)));
                    }
                    other => panic!("bit {bit} of {name}: {other:?}"),
                }
            }
            std::fs::write(&path, bytes).unwrap();
        }
        assert!(Model::open_directory(&card, directory.path()).is_ok());
    }

    #[test]
    fn what_is_missing_cut_grown_or_no_file_is_named() {
        let (card, directory) = installed();
        let (_, name, bytes) = SMALL_FILES[1];
        let path = directory.path().join(name);
        let open = || Model::open_directory(&card, directory.path()).unwrap_err();

        std::fs::write(&path, &bytes[1..]).unwrap();
        let message = format!(
            "{} has {} bytes, but its card says {}",
            path.display(),
            bytes.len() - 1,
            bytes.len()
        );
        assert_eq!(open().to_string(), message);

        std::fs::write(&path, [bytes, b"x"].concat()).unwrap();
        assert!(
            matches!(open(), PackageError::WrongSize { found, .. } if found == bytes.len() as u64 + 1)
        );

        std::fs::remove_file(&path).unwrap();
        assert!(matches!(open(), PackageError::Missing { file } if file == path));

        std::fs::create_dir(&path).unwrap();
        assert!(matches!(open(), PackageError::NotAFile { file } if file == path));
    }

    #[test]
    fn files_in_memory_are_held_to_the_same_card() {
        let card = testing::small_card();
        let all = || SMALL_FILES.map(|(role, _, bytes)| (role, bytes.to_vec()));
        assert!(Model::from_files(&card, all()).is_ok());
        assert!(Model::from_files(&card, all().into_iter().take(3)).is_ok());
        assert!(matches!(
            Model::from_files(&card, all().into_iter().skip(1)),
            Err(PackageError::Missing { .. })
        ));
        assert!(matches!(
            Model::from_files(&card, all().into_iter().chain(all())),
            Err(PackageError::Twice { .. })
        ));
        assert!(matches!(
            Model::from_files(&card, [(Role::Vad, Vec::new())]),
            Err(PackageError::Stray { .. })
        ));
        assert!(matches!(
            Model::from_files(&card, [(Role::Encoder, Vec::new())]),
            Err(PackageError::WrongSize { .. })
        ));
    }
}
