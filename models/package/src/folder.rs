//! Where the plain models of a development machine are.

use std::ffi::OsString;
use std::path::PathBuf;

/// The environment variable that names the folder of the models, before anything else does.
pub const MODELS_VARIABLE: &str = "EARNEST_MODELS";

/// The folder of the models, in which each has a folder of its card's name: by this
/// process's environment, see [`models_folder_from`].
pub fn models_folder() -> Option<PathBuf> {
    models_folder_from(|name| std::env::var_os(name))
}

/// The folder of the models by any environment: `$EARNEST_MODELS`, else
/// `$XDG_DATA_HOME/earnest/models`, else `$HOME/.local/share/earnest/models`, and none where
/// none of the three is set. An empty variable counts as none, as the XDG base directory
/// specification says.
///
/// ```
/// use earnest_package::models_folder_from;
/// let folder = models_folder_from(|name| (name == "HOME").then(|| "/home/ada".into()));
/// assert_eq!(folder, Some("/home/ada/.local/share/earnest/models".into()));
/// ```
pub fn models_folder_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name: &str| {
        let value = variable(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    path(MODELS_VARIABLE).or_else(|| {
        let data = path("XDG_DATA_HOME").or_else(|| Some(path("HOME")?.join(".local/share")));
        Some(data?.join("earnest/models"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expected: Option<&str>) {
        let found = models_folder_from(|name| {
            let value = variables.iter().find(|variable| variable.0 == name)?.1;
            Some(OsString::from(value))
        });
        assert_eq!(found, expected.map(PathBuf::from), "{variables:?}");
    }

    #[test]
    fn the_folder_is_the_most_explicit_one_that_is_set() {
        let (models, data, home) = (
            ("EARNEST_MODELS", "/m"),
            ("XDG_DATA_HOME", "/x"),
            ("HOME", "/h"),
        );
        check(&[models, data, home], Some("/m"));
        check(&[models], Some("/m"));
        check(&[data, home], Some("/x/earnest/models"));
        check(&[home], Some("/h/.local/share/earnest/models"));
        check(&[], None);
    }

    #[test]
    fn an_empty_variable_counts_as_none() {
        let home = ("HOME", "/h");
        let (models, data) = (("EARNEST_MODELS", ""), ("XDG_DATA_HOME", ""));
        check(
            &[models, data, home],
            Some("/h/.local/share/earnest/models"),
        );
        check(&[models, data, ("HOME", "")], None);
    }
}
