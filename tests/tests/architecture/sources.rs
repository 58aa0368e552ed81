//! What the source files and manifests say, read as text.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

use crate::repository;

/// A Rust file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Its path from the root of the repository, with `/` between folders.
    path: String,
    text: String,
}

/// Lints of the workspace and groups that hold them: none may be allowed for a whole file.
const HELD: &[&str] = &[
    "unsafe_code",
    "missing_docs",
    "unreachable_pub",
    "rust_2018_idioms",
    "warnings",
    "clippy::all",
    "clippy::unwrap_used",
    "clippy::undocumented_unsafe_blocks",
];

/// How a crate forbids unsafe code to itself, so that nothing in it may allow it again.
const FORBID: &str = "#![forbid(unsafe_code)]";

/// Reads every Rust file of the repository, whether a crate reaches it or not.
pub(crate) fn read() -> Vec<Source> {
    let files = repository::rust_files();
    let source = |(path, text): (PathBuf, String)| Source {
        text,
        path: path
            .strip_prefix(repository::root())
            .expect("it was found below the root")
            .to_string_lossy()
            .replace('\\', "/"),
    };
    files.into_iter().map(source).collect()
}

/// Reads a manifest.
pub(crate) fn manifest(path: &Path) -> Table {
    let text = fs::read_to_string(path).expect("a manifest is readable");
    text.parse().expect("cargo has read this manifest before")
}

/// Files that are too long.
pub(crate) fn check_lengths(most: usize, sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .map(|source| (source, source.text.lines().count()))
        .filter(|(_, lines)| *lines > most)
        .map(|(source, lines)| format!("{}: {lines} lines, at most {most}", source.path))
        .collect()
}

/// Unsafe code, or leave for it, outside the listed folders; and listed folders without any,
/// so that the list never says more than is true.
pub(crate) fn check_unsafe(folders: &[&str], sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut unused = folders.to_vec();
    for source in sources {
        // A crate may deny it to itself more sternly than the workspace does.
        let code = code(&source.text).replace(FORBID, "");
        if !has_word(&code, "unsafe") && !has_word(&code, "unsafe_code") {
            continue;
        }
        let home = |folder: &&str| source.path.starts_with(&format!("{folder}/"));
        if folders.iter().any(home) {
            unused.retain(|folder| !home(folder));
        } else {
            findings.push(format!("{}: unsafe code", source.path));
        }
    }
    findings.extend(
        unused
            .iter()
            .map(|folder| format!("{folder}: no unsafe code any more")),
    );
    findings
}

/// Crates that are to forbid unsafe code themselves, by folder, and do not.
pub(crate) fn check_forbidden(folders: &[&str], sources: &[Source]) -> Vec<String> {
    let forbids = |folder: &&&str| {
        let root = format!("{folder}/src/lib.rs");
        let mut roots = sources.iter().filter(|source| source.path == root);
        roots.any(|source| code(&source.text).contains(FORBID))
    };
    folders
        .iter()
        .filter(|folder| !forbids(folder))
        .map(|folder| format!("{folder}: no {FORBID}"))
        .collect()
}

/// Inner attributes that allow a held lint for a whole file. The crates that may hold unsafe
/// code allow it block by block, or module by module where [`check_unsafe`] knows them.
pub(crate) fn check_lints(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let code: String = code(&source.text).split_whitespace().collect();
        for opening in ["#![allow(", "#![expect("] {
            for attribute in code.split(opening).skip(1) {
                let lints = attribute.split(')').next().unwrap_or_default();
                for lint in lints.split(',').filter(|lint| HELD.contains(lint)) {
                    if lint != "unsafe_code" {
                        findings.push(format!("{}: {opening}{lint})]", source.path));
                    }
                }
            }
        }
    }
    findings
}

/// Manifests that do not inherit the lints of the workspace.
pub(crate) fn check_manifests(manifests: &[(String, Table)]) -> Vec<String> {
    let inherits = |manifest: &Table| {
        let lints = manifest.get("lints").and_then(|lints| lints.as_table());
        lints.is_some_and(|lints| {
            lints.len() == 1
                && lints.get("workspace").and_then(|value| value.as_bool()) == Some(true)
        })
    };
    manifests
        .iter()
        .filter(|(_, manifest)| !inherits(manifest))
        .map(|(name, _)| format!("{name}: no `[lints] workspace = true`, or more beside it"))
        .collect()
}

/// The workspace itself no longer denying unsafe code.
pub(crate) fn check_workspace_lints(manifest: &Table) -> Vec<String> {
    let level = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("lints"))
        .and_then(|lints| lints.get("rust"))
        .and_then(|rust| rust.get("unsafe_code"))
        .and_then(|level| level.as_str());
    match level {
        Some("deny" | "forbid") => Vec::new(),
        other => vec![format!(
            "unsafe_code is {other:?} in the workspace, not denied"
        )],
    }
}

/// Whether `word` stands in `code` with no letter, digit or underscore beside it.
fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|found| found == word)
}

/// The text without comments and the insides of strings, which may speak of anything.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest)
            .or_else(|| string(rest))
            .or_else(|| character(rest));
        if let Some(length) = skipped {
            code.push(' ');
            rest = &rest[length..];
            continue;
        }
        // A whole word at a time, so that the `r` of `for"` never begins a raw string.
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|length| *length > 0)
            .unwrap_or(first.len_utf8());
        code.push_str(&rest[..word]);
        rest = &rest[word..];
    }
    code
}

/// The length of the comment that `rest` begins with.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(rest.len())
}

/// The length of the string, raw or plain, that `rest` begins with.
fn string(rest: &str) -> Option<usize> {
    let body = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - body.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
        return Some(rest.len() - inside.len() + length);
    }
    let inside = body.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(rest.len() - inside.len() + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// The length of the character literal that `rest` begins with; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let mut characters = inside.char_indices();
    let (_, first) = characters.next()?;
    if first == '\\' {
        // Past the escaped character, which may itself be a quote.
        characters.next()?;
        return characters.find(|(_, c)| *c == '\'').map(|(at, _)| at + 2);
    }
    matches!(characters.next(), Some((_, '\''))).then(|| first.len_utf8() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// What `check_unsafe` finds in one file of a crate that may not, with the list empty.
    fn unsafe_in(text: &str) -> usize {
        check_unsafe(&[], &[file("a/src/lib.rs", text)]).len()
    }

    #[test]
    fn unsafe_code_outside_its_homes_is_found() {
        for text in [
            "unsafe fn f() {}",
            "fn f() { unsafe { g() } }",
            "unsafe impl Send for T {}",
            "#[unsafe(no_mangle)] fn f() {}",
            "#![allow(unsafe_code)]",
            "#[expect(unsafe_code, reason = \"speed\")] mod m;",
            "fn f<'a>(x: &'a str) -> char { '\"' } unsafe fn g() {} // \"",
            "fn f() { for\"x\"; unsafe { g() } }",
        ] {
            assert_eq!(unsafe_in(text), 1, "{text}");
        }
    }

    #[test]
    fn words_about_unsafe_code_are_none() {
        for text in [
            "// unsafe { }",
            "/// Denies unsafe code.",
            "/* unsafe /* nested */ unsafe */ fn f() {}",
            "const A: &str = \"unsafe\";",
            "const A: &str = \"\\\"unsafe\";",
            "const A: &str = r#\"\"unsafe\"#;",
            "const A: &[u8] = b\"unsafe\";",
            "fn not_unsafe() { unsafely() }",
            "#![forbid(unsafe_code)]",
            "const A: char = '\\''; // unsafe",
        ] {
            assert_eq!(unsafe_in(text), 0, "{text}");
        }
    }

    #[test]
    fn a_listed_home_may_hold_unsafe_code_and_must() {
        let home = file("a/src/lib.rs", "unsafe fn f() {}");
        assert_eq!(check_unsafe(&["a"], &[home]), Vec::<String>::new());
        let without = file("a/src/lib.rs", "fn f() {}");
        assert_eq!(
            check_unsafe(&["a"], &[without]),
            ["a: no unsafe code any more"]
        );
        let namesake = file("ab/src/lib.rs", "unsafe fn f() {}");
        assert_eq!(check_unsafe(&["a"], &[namesake]).len(), 2);
    }

    #[test]
    fn a_crate_that_does_not_forbid_unsafe_code_is_found() {
        let forbids = file(
            "a/src/lib.rs",
            "//! A.\n#![no_std]\n#![forbid(unsafe_code)]\n",
        );
        let speaks = file("b/src/lib.rs", "// #![forbid(unsafe_code)]");
        let elsewhere = file("c/src/part.rs", "#![forbid(unsafe_code)]");
        let found = check_forbidden(&["a", "b", "c"], &[forbids, speaks, elsewhere]);
        assert_eq!(
            found,
            [
                "b: no #![forbid(unsafe_code)]",
                "c: no #![forbid(unsafe_code)]"
            ]
        );
    }

    #[test]
    fn a_file_one_line_too_long_is_found() {
        let sources = [
            file("a.rs", &"x\n".repeat(3)),
            file("b.rs", &"x\n".repeat(4)),
        ];
        assert_eq!(check_lengths(3, &sources), ["b.rs: 4 lines, at most 3"]);
    }

    #[test]
    fn a_file_that_allows_a_held_lint_is_found() {
        for (text, findings) in [
            ("#![allow(missing_docs)]", 1),
            ("#![allow(dead_code, clippy::all)]", 1),
            ("#![expect( warnings , reason = \"later\")]", 1),
            ("#![allow(dead_code)]", 0),
            ("#[allow(missing_docs)] mod m;", 0),
            ("// #![allow(missing_docs)]", 0),
        ] {
            let found = check_lints(&[file("a.rs", text)]);
            assert_eq!(found.len(), findings, "{text}");
        }
    }

    #[test]
    fn a_manifest_with_lints_of_its_own_is_found() {
        for (text, findings) in [
            ("[lints]\nworkspace = true", 0),
            ("[lints]\nworkspace = false", 1),
            ("[package]\nname = \"a\"", 1),
            ("[lints.rust]\nunsafe_code = \"allow\"", 1),
        ] {
            let manifest: Table = text.parse().expect("written above");
            let found = check_manifests(&[("a".to_owned(), manifest)]);
            assert_eq!(found.len(), findings, "{text}");
        }
    }

    #[test]
    fn a_workspace_that_allows_unsafe_code_is_found() {
        for (text, findings) in [
            ("[workspace.lints.rust]\nunsafe_code = \"deny\"", 0),
            ("[workspace.lints.rust]\nunsafe_code = \"forbid\"", 0),
            ("[workspace.lints.rust]\nunsafe_code = \"warn\"", 1),
            ("[workspace]\nmembers = []", 1),
        ] {
            let manifest: Table = text.parse().expect("written above");
            assert_eq!(check_workspace_lints(&manifest).len(), findings, "{text}");
        }
    }
}
