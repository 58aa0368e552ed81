//! `earnest commands`: lists of phrases, from files that operators write.

use std::path::Path;

use earnest_endpoint::shapes::{CommandListEntry, CommandListRequest};
use earnest_policy::{CommandList, PlainName};
use earnest_printable::printable;

use super::arguments::Commands;
use super::failure::OperateError;
use super::{daemon, say};
use crate::console::Console;
use crate::exit::Exit;
use crate::output;

/// Most bytes of a file: the longest phrases that a list may have need less than half of it.
const MOST_FILE_BYTES: usize = 64 << 10;

pub(super) fn run(command: &Commands, console: &Console) -> Result<Exit, OperateError> {
    match command {
        Commands::Put { name, file, acting } => {
            let list = read(name, file)?;
            let daemon = acting.daemon()?;
            daemon.ask(daemon.client().put_command_list(name.as_str(), &list))?;
            let said = format!("{name} has {} phrases\n", list.phrases.len());
            Ok(output::say(&said, console))
        }
        Commands::List(seeing) => {
            let daemon = daemon(&seeing.place)?;
            let lists = daemon.ask(daemon.client().command_lists())?;
            say(&lists, seeing.format, |lists| text(lists), console)
        }
        Commands::Remove { name, acting } => {
            let daemon = acting.daemon()?;
            daemon.ask(daemon.client().remove_command_list(name.as_str()))?;
            Ok(output::say(&format!("{name} is removed\n"), console))
        }
    }
}

/// The list in a file, as the daemon will take it.
fn read(name: &PlainName, file: &Path) -> Result<CommandListRequest, OperateError> {
    let bytes = earnest_files::read_input(file, MOST_FILE_BYTES)?;
    let unread = |reason: String| OperateError::List {
        path: file.to_owned(),
        reason,
    };
    let text = str::from_utf8(&bytes).map_err(|error| unread(error.to_string()))?;
    let list: CommandListRequest =
        toml::from_str(text).map_err(|error| unread(error.message().to_owned()))?;
    // The daemon judges by the same rules. Here they come with their reasons, and before a code
    // is asked for.
    let phrases = list.phrases.iter();
    let phrases = phrases.map(|phrase| (phrase.id.as_str(), phrase.phrase.as_str()));
    CommandList::new(name.as_str(), phrases).map_err(|error| OperateError::Phrases {
        path: file.to_owned(),
        error,
    })?;
    Ok(list)
}

fn text(lists: &[CommandListEntry]) -> String {
    if lists.is_empty() {
        return "no list is enrolled; `earnest commands put` enrols one\n".to_owned();
    }
    let mut said = String::new();
    for list in lists {
        said.push_str(&format!("{}\n", printable(&list.name)));
        for phrase in &list.phrases {
            let told = format!("{:<20} {}", phrase.id, phrase.phrase);
            said.push_str(&format!("  {}\n", printable(&told)));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use earnest_endpoint::shapes::PhraseEntry;

    use super::*;

    fn read_text(text: &str) -> Result<CommandListRequest, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.toml");
        std::fs::write(&path, text).unwrap();
        let name = "kitchen".parse().unwrap();
        read(&name, &path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_has_a_table_for_each_phrase() {
        let list = read_text(
            "[[phrases]]\nid = \"light-on\"\nphrase = \"Turn on the light\"\n\
             [[phrases]]\nid = \"timer\"\nphrase = \"Set a timer for five minutes\"\n",
        );
        let list = list.unwrap();
        assert_eq!(list.phrases.len(), 2);
        assert_eq!(list.phrases[0].id, "light-on");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        let check = |text: &str, reason: &str| {
            let told = read_text(text).unwrap_err();
            assert!(told.contains(reason), "no {reason:?} in {told:?}");
        };
        check("= broken", "no list of commands");
        check("[[phrases]]\nid = \"a\"", "missing field `phrase`");
        check("phrases = []", "at least one phrase");
        check("phrases = []\nmore = 1", "unknown field `more`");
        let twice = "[[phrases]]\nid = \"a\"\nphrase = \"turn it on\"\n";
        let other = "[[phrases]]\nid = \"a\"\nphrase = \"something else at all\"\n";
        check(&format!("{twice}{other}"), "comes twice");
        check(&"#".repeat(MOST_FILE_BYTES + 1), "more than");
    }

    #[test]
    fn lists_are_told_with_their_phrases_and_move_no_terminal() {
        let list = CommandListEntry {
            name: "kitchen".to_owned(),
            phrases: vec![PhraseEntry {
                id: "light-on".to_owned(),
                phrase: "turn on\u{1b}[2J".to_owned(),
            }],
        };
        let said = text(&[list]);
        assert_eq!(said, "kitchen\n  light-on             turn on\u{fffd}[2J\n");
        assert!(text(&[]).contains("earnest commands put"));
    }
}
