//! `earnest operator enrol`: a secret for an authenticator, confirmed by a code of it.

use std::io::IsTerminal as _;

use earnest_endpoint::shapes::EnrolAnswer;
use earnest_policy::PENDING_TRIES;
use earnest_printable::{describe, printable};
use qrcode::{Color, EcLevel, QrCode};

use super::arguments::Asking;
use super::daemon;
use super::failure::OperateError;
use super::second_factor::Code;
use crate::console::Console;
use crate::daemon::{Daemon, DaemonError};
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::status::SaidAs;

/// Light squares around the dark ones (ISO/IEC 18004, section 9.1).
const QUIET: usize = 4;

/// Black ground and white marks, whatever colours the terminal has otherwise.
const COLOURS: &str = "\u{1b}[40;97m";
const PLAIN: &str = "\u{1b}[0m";

/// Widest picture that is drawn, in squares. Terminals are 80 columns or wider.
const WIDEST: usize = 80;

pub(super) fn enrol(asking: &Asking, console: &Console) -> Result<Exit, OperateError> {
    let (daemon, shown) = begin(asking)?;
    let drawn = std::io::stdout().is_terminal();
    let said = match asking.format {
        SaidAs::Text => text(&shown, drawn),
        SaidAs::Json => one_line(&shown),
    };
    Output::open(None)?.write(&said)?;
    confirm(&daemon, console)?;
    console.say("earnest: confirmed; from now on what you do takes a code of this authenticator");
    Ok(Exit::Success)
}

/// Asks for a code of the new authenticator, a person for another one where the first is not
/// taken.
fn confirm(daemon: &Daemon, console: &Console) -> Result<(), OperateError> {
    let tries = match std::io::stdin().is_terminal() {
        true => PENDING_TRIES,
        false => 1,
    };
    let mut left = tries;
    loop {
        let code = Code::asked_or_next("code that the authenticator shows now")?;
        left -= 1;
        match daemon.ask(daemon.client().confirm(code.as_str())) {
            Err(error @ DaemonError::SecondFactorRefused) if left > 0 => {
                console.say(&format!("earnest: {}", describe(&error)));
            }
            done => return Ok(done?),
        }
    }
}

/// Asks for a secret, with a code of the earlier one where there is one.
fn begin(asking: &Asking) -> Result<(Daemon, EnrolAnswer), OperateError> {
    let place = &asking.acting.place;
    let factor = &asking.acting.factor;
    let code = match factor.given()? {
        Some(code) => code,
        None => {
            let daemon = daemon(place)?;
            match daemon.ask(daemon.client().enrol()) {
                Err(DaemonError::SecondFactorRequired) => factor.code()?,
                shown => return Ok((daemon, shown?)),
            }
        }
    };
    let proven = daemon(place)?.with_second_factor(code.as_str())?;
    let shown = proven.ask(proven.client().enrol())?;
    // The code is used up, and confirming takes none.
    Ok((daemon(place)?, shown))
}

/// For a program that answers with a code on the next line.
fn one_line(shown: &EnrolAnswer) -> String {
    let json = serde_json::to_string(shown)
        .expect("an object of strings and numbers always has a JSON form");
    format!("{}\n", output::escaped(&json))
}

fn text(shown: &EnrolAnswer, drawn: bool) -> String {
    let picture = match drawn {
        true => picture(&shown.uri).unwrap_or_default(),
        false => String::new(),
    };
    format!(
        "Take this into an authenticator, and show it to nobody: it is not shown again.\n\n\
         {picture}\
         address  {}\n\
         secret   {}\n",
        printable(&shown.uri),
        printable(&shown.secret)
    )
}

/// A QR code of two squares a character. Nothing where the address is none, or too long for a
/// terminal.
fn picture(uri: &str) -> Option<String> {
    let is_plain = uri.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || !uri.starts_with("otpauth://") {
        return None;
    }
    // A screen has no damage that would have to be mended.
    let code = QrCode::with_error_correction_level(uri, EcLevel::L).ok()?;
    let width = code.width();
    let side = width + 2 * QUIET;
    if side > WIDEST {
        return None;
    }
    let squares = code.to_colors();
    let is_light = |row: usize, column: usize| {
        let within = |at: usize| at.checked_sub(QUIET).filter(|at| *at < width);
        match (within(row), within(column)) {
            (Some(row), Some(column)) => squares[row * width + column] == Color::Light,
            // Below the last row, too, where their number is odd.
            _ => true,
        }
    };
    let line = |row: usize| {
        let marks =
            (0..side).map(
                |column| match (is_light(row, column), is_light(row + 1, column)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                },
            );
        let marks: String = marks.collect();
        format!("{COLOURS}{marks}{PLAIN}\n")
    };
    let lines: String = (0..side).step_by(2).map(line).collect();
    Some(format!("{lines}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "otpauth://totp/Earnest:uid-1000?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                       &issuer=Earnest&algorithm=SHA1&digits=6&period=30";

    fn shown() -> EnrolAnswer {
        EnrolAnswer {
            secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned(),
            uri: URI.to_owned(),
        }
    }

    #[test]
    fn the_picture_has_its_quiet_zone_and_its_corners_and_fits_a_terminal() {
        let picture = picture(URI).unwrap();
        let lines: Vec<Vec<char>> = picture
            .lines()
            .filter_map(|line| line.strip_prefix(COLOURS)?.strip_suffix(PLAIN))
            .map(|line| line.chars().collect())
            .collect();
        let side = lines[0].len();
        assert!(side <= WIDEST && lines.len() == side.div_ceil(2), "{side}");
        assert!(lines.iter().all(|line| line.len() == side));
        // Four light squares are two lines and four characters on each side.
        let is_light = |line: &[char]| line.iter().all(|&mark| mark == '█');
        assert!(is_light(&lines[0]) && is_light(&lines[1]));
        assert!(
            lines
                .iter()
                .all(|line| is_light(&line[..4]) && is_light(&line[side - 4..]))
        );
        // A finder pattern: seven dark squares above one dark, five light, one dark.
        let corner: String = lines[2][4..11].iter().collect();
        assert_eq!(corner, " ▄▄▄▄▄ ");
        let corner: String = lines[2][side - 11..side - 4].iter().collect();
        assert_eq!(corner, " ▄▄▄▄▄ ");
    }

    #[test]
    fn a_strange_address_is_not_drawn() {
        for strange in [
            "",
            "https://example.org",
            "otpauth://\u{1b}[2J",
            "otpauth://a b",
        ] {
            assert_eq!(picture(strange), None, "{strange:?}");
        }
        assert_eq!(picture(&format!("otpauth://{}", "a".repeat(2000))), None);
        assert_eq!(picture(&format!("otpauth://{}", "a".repeat(9000))), None);
    }

    #[test]
    fn the_secret_is_said_to_type_too_and_pictures_are_for_terminals() {
        let said = text(&shown(), true);
        assert!(said.contains("█") && said.contains(&format!("address  {URI}\n")));
        let said = text(&shown(), false);
        assert!(!said.contains('\u{1b}'), "{said}");
        assert!(
            said.contains("secret   GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n"),
            "{said}"
        );
        let strange = EnrolAnswer {
            secret: "\u{1b}[2J".to_owned(),
            uri: "\u{9b}".to_owned(),
        };
        assert!(!text(&strange, true).contains(['\u{1b}', '\u{9b}']));
    }

    #[test]
    fn a_program_gets_one_line() {
        let line = one_line(&shown());
        assert_eq!(line.lines().count(), 1);
        let back: EnrolAnswer = serde_json::from_str(&line).unwrap();
        assert!(back == shown());
    }
}
