//! A line that a person types and nobody sees, or that a script gives.
//!
//! A terminal's echo is off while the line is typed. So is the terminal's own handling of
//! signals and of lines: a Ctrl-C that killed this process there would leave the terminal mute.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Stdin, Write as _};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// Most bytes of a line. A code has six digits.
const MOST_BYTES: usize = 64;

/// Ctrl-C.
const INTERRUPT: u8 = 3;
/// Ctrl-D.
const END: u8 = 4;
/// What the two kinds of backspace send.
const ERASE: [u8; 2] = [8, 127];
/// Ctrl-U.
const ERASE_ALL: u8 = 21;

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// Standard input is no terminal.
    #[error("standard input is no terminal")]
    NoTerminal,
    /// The person has thought better of it.
    #[error("interrupted")]
    Interrupted,
    /// Standard input ended.
    #[error("standard input has ended")]
    Ended,
    /// It is too long.
    #[error("the line has more than {limit} bytes")]
    TooLong {
        /// Most bytes.
        limit: usize,
    },
    /// It is no text.
    #[error("the line is no text")]
    NotText,
    /// The system refused.
    #[error("standard input cannot be read")]
    System(#[from] io::Error),
}

/// Asks the person at the terminal, without showing what is typed.
pub(super) fn ask(prompt: &str) -> Result<String, LineError> {
    let input = io::stdin();
    if !input.is_terminal() {
        return Err(LineError::NoTerminal);
    }
    let mute = Mute::of(&input)?;
    let mut asked = io::stderr();
    // A standard error that is closed is no reason to ask nothing.
    let _ = write!(asked, "{prompt}: ").and_then(|()| asked.flush());
    let typed = typed(input.lock().bytes());
    drop(mute);
    let _ = writeln!(asked);
    typed
}

/// The next line of standard input.
pub(super) fn next_line() -> Result<String, LineError> {
    line(io::stdin().lock())
}

fn line(from: impl io::BufRead) -> Result<String, LineError> {
    let mut line = Vec::new();
    // Room for the line's end.
    let most = MOST_BYTES as u64 + 2;
    if from.take(most).read_until(b'\n', &mut line)? == 0 {
        return Err(LineError::Ended);
    }
    let line = String::from_utf8(line).map_err(|_| LineError::NotText)?;
    let line = line.trim_end_matches(['\r', '\n']);
    match line.len() > MOST_BYTES {
        true => Err(LineError::TooLong { limit: MOST_BYTES }),
        false => Ok(line.to_owned()),
    }
}

/// What the keys of a line come to.
fn typed(keys: impl Iterator<Item = io::Result<u8>>) -> Result<String, LineError> {
    let mut line = String::new();
    for key in keys {
        match key? {
            b'\r' | b'\n' => return Ok(line),
            INTERRUPT => return Err(LineError::Interrupted),
            END => return Err(LineError::Ended),
            ERASE_ALL => line.clear(),
            key if ERASE.contains(&key) => drop(line.pop()),
            key @ b' '..=b'~' if line.len() < MOST_BYTES => line.push(char::from(key)),
            // Keys that mean nothing here.
            _ => {}
        }
    }
    Err(LineError::Ended)
}

/// A terminal that shows nothing until this is dropped.
struct Mute<'a> {
    terminal: &'a Stdin,
    before: Termios,
}

impl Mute<'_> {
    fn of(terminal: &Stdin) -> Result<Mute<'_>, LineError> {
        let before = tcgetattr(terminal).map_err(io::Error::from)?;
        let mut mute = before.clone();
        mute.local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        // What was typed before the question is no answer to it.
        tcsetattr(terminal, SetArg::TCSAFLUSH, &mute).map_err(io::Error::from)?;
        Ok(Mute { terminal, before })
    }
}

impl Drop for Mute<'_> {
    fn drop(&mut self) {
        // A terminal that has gone away has nothing to show.
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[u8]) -> Result<String, LineError> {
        typed(keys.iter().map(|&key| Ok(key)))
    }

    #[test]
    fn keys_make_a_line() {
        assert_eq!(keys(b"123456\r").unwrap(), "123456");
        assert_eq!(keys(b"12\x7f3\x084\n").unwrap(), "14");
        assert_eq!(keys(b"99\x1512\n").unwrap(), "12");
        assert_eq!(keys(b"1\x1b\t\xff2\n").unwrap(), "12");
        assert_eq!(keys(b"\x7f\n").unwrap(), "");
        assert_eq!(keys(&[&[b'1'; 100][..], b"\n"].concat()).unwrap().len(), 64);
    }

    #[test]
    fn a_person_may_think_better_of_it() {
        assert!(matches!(keys(b"12\x03"), Err(LineError::Interrupted)));
        assert!(matches!(keys(b"12\x04"), Err(LineError::Ended)));
        assert!(matches!(keys(b"12"), Err(LineError::Ended)));
    }

    #[test]
    fn lines_of_a_script_are_read_one_by_one_and_bounded() {
        let mut from = io::Cursor::new(b"123456\n654321\r\n7".to_vec());
        assert_eq!(line(&mut from).unwrap(), "123456");
        assert_eq!(line(&mut from).unwrap(), "654321");
        assert_eq!(line(&mut from).unwrap(), "7");
        assert!(matches!(line(&mut from), Err(LineError::Ended)));
        let long = line(&[b'1'; 1000][..]);
        assert!(matches!(long, Err(LineError::TooLong { limit: 64 })));
        assert!(matches!(line(&b"\xff\n"[..]), Err(LineError::NotText)));
    }
}
