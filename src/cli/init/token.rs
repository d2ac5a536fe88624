//! A new configuration's token: where it comes from, whether Linq takes it, and its file.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::cli::args::{InitArgs, OutputArgs};
use crate::cli::say_on_stderr;
use crate::config::{TokenOrigin, WHERE_FROM, token_of};
use crate::report::ReportedError;

use super::Proposal;
use super::template;

/// How often whoever sits at the terminal is asked.
const TRIES: usize = 3;

/// What is done about the token.
pub(super) struct TokenChoice {
    /// The file that the configuration names.
    pub(super) file: PathBuf,
    /// What is to be written into it; `None` where it is there, or is left to be made.
    pub(super) new: Option<SecretString>,
    /// Whether the file will have a token.
    pub(super) is_there: bool,
    /// What is to be known about it, for people.
    pub(super) note: Option<String>,
}

/// Whether Linq takes a token.
enum TokenCheck {
    Taken,
    Refused(ReportedError),
    /// Linq could not be asked.
    Unknown(ReportedError),
}

/// Finds the token: given on standard input or in `LINQ_TOKEN`, in a file that is there
/// already, or asked for. It is never an argument, which everybody on the machine could read.
pub(super) async fn settle_token(
    args: &InitArgs,
    output: OutputArgs,
    target: &Path,
    proposal: &mut Proposal,
) -> Result<TokenChoice, ReportedError> {
    let own = template::token_file(target);
    let there = [own.clone(), target.with_file_name("linq.token")];
    let there = there.into_iter().find(|file| file.exists());
    let given = given_token(args)?;
    match (given, there) {
        (Some(token), Some(file)) => {
            let known = TokenOrigin::File(file.clone()).read().ok();
            if known.is_some_and(|known| known.expose_secret() == token.expose_secret()) {
                return check_given(proposal, TokenChoice::in_file(file), token).await;
            }
            if own.exists() {
                return Err(super::in_the_way(&own, "a token", "move the file away"));
            }
            check_given(proposal, TokenChoice::new(own, &token), token).await
        }
        (Some(token), None) => check_given(proposal, TokenChoice::new(own, &token), token).await,
        (None, Some(file)) => match TokenOrigin::File(file.clone()).read() {
            Ok(token) => check_given(proposal, TokenChoice::in_file(file), token).await,
            Err(error) => Err(ReportedError::from_error(&error, 2, "correct it, or move it away")),
        },
        (None, None) => ask_for_token(output, own, proposal).await,
    }
}

impl TokenChoice {
    fn new(file: PathBuf, token: &SecretString) -> TokenChoice {
        TokenChoice { file, new: Some(token.clone()), is_there: true, note: None }
    }

    fn in_file(file: PathBuf) -> TokenChoice {
        let note = Some(format!("The token is the one in {}.", file.display()));
        TokenChoice { file, new: None, is_there: true, note }
    }

    fn without_token(file: PathBuf) -> TokenChoice {
        TokenChoice { file, new: None, is_there: false, note: None }
    }
}

/// Asks Linq about a token that nobody can be asked for again.
async fn check_given(
    proposal: &mut Proposal,
    mut token: TokenChoice,
    secret: SecretString,
) -> Result<TokenChoice, ReportedError> {
    match ask_linq(proposal, &secret).await {
        TokenCheck::Taken => Ok(token),
        TokenCheck::Refused(error) => {
            let from = match token.new {
                Some(_) => "it was not written down".to_owned(),
                None => format!("it comes from {}", token.file.display()),
            };
            Err(ReportedError { hint: format!("{from}; {WHERE_FROM}"), ..error })
        }
        TokenCheck::Unknown(error) => {
            token.note = Some(unverified_note(&error));
            Ok(token)
        }
    }
}

/// Asks whoever sits at the terminal, again where Linq refuses the token.
async fn ask_for_token(
    output: OutputArgs,
    file: PathBuf,
    proposal: &mut Proposal,
) -> Result<TokenChoice, ReportedError> {
    if output.json || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Ok(TokenChoice::without_token(file));
    }
    say_on_stderr(&format!("Linq's token: {WHERE_FROM}"));
    for _ in 0..TRIES {
        let prompt = "Linq token (not shown; Enter to go on without one): ";
        let text = rpassword::prompt_password(prompt).map_err(|error| unreadable_token(&error))?;
        if text.trim().is_empty() {
            return Ok(TokenChoice::without_token(file));
        }
        let secret = match token_of(&text) {
            Ok(secret) => secret,
            Err(problem) => {
                say_on_stderr(&format!("the token {problem}; copy it whole and alone"));
                continue;
            }
        };
        match ask_linq(proposal, &secret).await {
            TokenCheck::Taken => return Ok(TokenChoice::new(file, &secret)),
            TokenCheck::Refused(error) => say_on_stderr(&error.message),
            TokenCheck::Unknown(error) => {
                let note = Some(unverified_note(&error));
                return Ok(TokenChoice { note, ..TokenChoice::new(file, &secret) });
            }
        }
    }
    let note = Some(format!("Linq has refused {TRIES} tokens; none was written down."));
    Ok(TokenChoice { note, ..TokenChoice::without_token(file) })
}

fn unverified_note(error: &ReportedError) -> String {
    format!(
        "Whether Linq takes the token is not known: {}. See with `linqsync check` later.",
        error.message
    )
}

async fn ask_linq(proposal: &mut Proposal, token: &SecretString) -> TokenCheck {
    match proposal.ask_linq(token).await {
        Ok(()) => TokenCheck::Taken,
        Err(error) if error.code == 5 => TokenCheck::Refused(error),
        Err(error) => TokenCheck::Unknown(error),
    }
}

/// The token that was given, if one was.
fn given_token(args: &InitArgs) -> Result<Option<SecretString>, ReportedError> {
    let text = if args.token_stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| unreadable_token(&error))?;
        text
    } else if let Some(text) = std::env::var("LINQ_TOKEN").ok().filter(|text| !text.is_empty()) {
        text
    } else {
        return Ok(None);
    };
    let token = token_of(&text).map_err(|problem| ReportedError {
        code: 2,
        message: format!("the token {problem}"),
        hint: format!("copy it whole and alone; {WHERE_FROM}"),
    })?;
    Ok(Some(token))
}

fn unreadable_token(error: &std::io::Error) -> ReportedError {
    ReportedError::from_error(error, 2, "give the token on standard input, with --token-stdin")
}
