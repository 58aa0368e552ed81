//! `earnest keys rotate`.

use earnest_endpoint::shapes::{KeyKind, RotateAnswer};

use super::arguments::Acting;
use super::failure::OperateError;
use crate::console::Console;
use crate::exit::Exit;
use crate::output;

pub(super) fn rotate(
    which: KeyKind,
    now: bool,
    acting: &Acting,
    console: &Console,
) -> Result<Exit, OperateError> {
    let daemon = acting.daemon()?;
    let answer = daemon.ask(daemon.client().rotate_keys(which, now))?;
    Ok(output::say(&text(&answer, now), console))
}

fn text(answer: &RotateAnswer, now: bool) -> String {
    if answer.rotated.is_empty() {
        return "no key was replaced\n".to_owned();
    }
    let names: Vec<&str> = answer.rotated.iter().map(|kind| kind.name()).collect();
    let ended = match now && answer.rotated.contains(&KeyKind::Tokens) {
        true => "; all tokens have ended",
        false => "",
    };
    format!("replaced the keys of: {}{ended}\n", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_is_told_and_what_ended() {
        let answer = RotateAnswer {
            rotated: vec![KeyKind::Tokens, KeyKind::Audit],
        };
        assert_eq!(
            text(&answer, false),
            "replaced the keys of: tokens, audit\n"
        );
        assert!(text(&answer, true).ends_with("all tokens have ended\n"));
        let other = RotateAnswer {
            rotated: vec![KeyKind::State],
        };
        assert!(!text(&other, true).contains("ended"));
        assert_eq!(
            text(&RotateAnswer::default(), true),
            "no key was replaced\n"
        );
    }
}
