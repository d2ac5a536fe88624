//! `web-password`: the passwords of the inbox.

use std::io::{self, IsTerminal, Read};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;
use crate::report::ReportedError;
use crate::web::passwords::{InboxRole, PasswordError, Passwords};

use super::args::{OutputArgs, WebPasswordArgs, WebRole};
use super::{print_json, print_text, refuse_command};

/// What the file is called where no configuration names one.
const FILE: &str = "web.password";

/// Sets the password of a role. Returns the exit code.
pub(super) fn set(
    output: OutputArgs,
    config: &Config,
    args: &WebPasswordArgs,
) -> anyhow::Result<u8> {
    let role = match args.role {
        WebRole::Decide => InboxRole::Decide,
        WebRole::Look => InboxRole::Look,
    };
    let path = match &config.web {
        Some(web) => web.password_file.clone(),
        None => config.file.parent().map_or_else(|| FILE.into(), |dir| dir.join(FILE)),
    };
    let mut passwords = match Passwords::read(&path) {
        Ok(passwords) => passwords,
        Err(PasswordError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Passwords::default()
        }
        Err(error) => return refuse(output, &error),
    };
    let password = match read(role) {
        Ok(password) => password,
        Err(message) => {
            let hint = "nothing was changed".to_owned();
            return refuse_command(output, &ReportedError { code: 2, message, hint });
        }
    };
    let done = passwords.set(role, password.expose_secret()).and_then(|()| passwords.write(&path));
    if let Err(error) = done {
        return refuse(output, &error);
    }
    if output.json {
        print_json(&serde_json::json!({
            "schema": "linqsync.web_password/1",
            "role": role.name(),
            "file": path,
            "error": null,
        }))?;
        return Ok(0);
    }
    let mut text = format!("the password of the role {} is in {}\n", role.name(), path.display());
    if config.web.is_none() {
        text += &to_add(&path);
    }
    print_text(&text)?;
    Ok(0)
}

fn to_add(path: &Path) -> String {
    format!(
        "the inbox is served with these lines in sync.toml:\n\n[web]\nlisten = \
         \"127.0.0.1:9464\"\npassword_file = {:?}\n",
        path.display().to_string()
    )
}

fn refuse(output: OutputArgs, error: &PasswordError) -> anyhow::Result<u8> {
    let hint = match error {
        PasswordError::Length => "a few words in a row are long and easy to type",
        PasswordError::OfTheOther => "each role needs a password of its own",
        PasswordError::Malformed { .. } => {
            "web.password_file names another file; nothing was changed"
        }
        PasswordError::OpenToOthers { .. } | PasswordError::Read { .. } => {
            "correct it, or name another file as web.password_file"
        }
        PasswordError::Write { .. } => "let this user write the directory of the file",
        PasswordError::Hash => "please report this",
    };
    refuse_command(output, &ReportedError::from_error(error, 2, hint))
}

/// Asks twice on a terminal; else reads a line.
fn read(role: InboxRole) -> Result<SecretString, String> {
    let failed = |error: io::Error| format!("cannot read the password: {error}");
    if io::stdin().is_terminal() {
        let ask = |text: &str| {
            let text = format!("{text} for the role {}: ", role.name());
            rpassword::prompt_password(text).map(SecretString::from).map_err(failed)
        };
        let first = ask("New password")?;
        let second = ask("The same once more")?;
        if first.expose_secret() != second.expose_secret() {
            return Err("the two passwords differ".to_owned());
        }
        return Ok(first);
    }
    let mut text = String::new();
    io::stdin().take(8 * 1024).read_to_string(&mut text).map_err(failed)?;
    let mut lines = text.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    if lines.any(|line| !line.is_empty()) {
        return Err("standard input has more than one line".to_owned());
    }
    Ok(SecretString::from(line))
}
