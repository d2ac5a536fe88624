//! Where a new configuration's token comes from.

use std::io::{IsTerminal, Read};

use secrecy::SecretString;

use crate::cli::args::{InitArgs, Output};
use crate::config::token_of;
use crate::report::ReportedError;

/// The token from standard input, from `LINQ_TOKEN`, or from whoever sits at the
/// terminal; `None` if nobody gives one. It is never an argument, which everybody on
/// the machine could read.
pub(super) fn ask(args: &InitArgs, output: Output) -> Result<Option<SecretString>, ReportedError> {
    let text = if args.token_stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| unreadable(&error))?;
        text
    } else if let Some(text) = std::env::var("LINQ_TOKEN").ok().filter(|text| !text.is_empty()) {
        text
    } else if !output.json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        let prompt = "Linq token (not shown; Enter to go on without one): ";
        let text = rpassword::prompt_password(prompt).map_err(|error| unreadable(&error))?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        text
    } else {
        return Ok(None);
    };
    let token = token_of(&text).map_err(|problem| ReportedError {
        code: 2,
        message: format!("the token {problem}"),
        hint: "copy it from Linq's settings, whole and alone".to_owned(),
    })?;
    Ok(Some(token))
}

fn unreadable(error: &std::io::Error) -> ReportedError {
    ReportedError::of(error, 2, "give the token on standard input, with --token-stdin")
}
