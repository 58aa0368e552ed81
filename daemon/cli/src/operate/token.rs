//! `earnest token`: a token for a script.

use earnest_endpoint::shapes::{TokenAnswer, TokenRequest};
use earnest_printable::printable;

use super::arguments::{Token, WorkScope};
use super::failure::OperateError;
use super::{daemon, say};
use crate::console::Console;
use crate::exit::Exit;

pub(super) fn token(token: &Token, console: &Console) -> Result<Exit, OperateError> {
    let daemon = daemon(&token.seeing.place)?;
    let request = request(token);
    let answer = daemon.ask(daemon.client().issue_token_for(&request))?;
    say(&answer, token.seeing.format, text, console)
}

fn request(token: &Token) -> TokenRequest {
    let scopes = |scopes: &[WorkScope]| {
        let names = scopes.iter().map(|scope| scope.name().to_owned());
        names.collect()
    };
    TokenRequest {
        app: token.app.to_string(),
        scopes: (!token.scopes.is_empty()).then(|| scopes(&token.scopes)),
        audience: token.audience.clone(),
    }
}

/// The token alone, for `$(earnest token --app NAME)`.
fn text(answer: &TokenAnswer) -> String {
    format!("{}\n", printable(&answer.token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_gets_the_token_alone() {
        let answer = TokenAnswer {
            token: "a.b.c\n".to_owned(),
            app: "notes".to_owned(),
            expires_in: 300,
            scopes: Vec::new(),
            base_url: None,
        };
        assert_eq!(text(&answer), "a.b.c\u{fffd}\n");
    }
}
