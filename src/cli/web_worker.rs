//! What the inbox has done by this program in a process of its own, so that the daemon stays
//! small: an undo is foreseen by `undo --dry-run`, and a password is looked at by
//! `password-check`, since hashing it takes much memory on purpose.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::web::passwords::{InboxRole, Passwords};
use crate::web::{Helpers, Known, UndoRequest};

/// The longest plan that a page shows.
const MOST_BYTES: u64 = 256 * 1024;

/// How long a plan may take: less than a browser is let wait for it.
const PLAN_LIMIT: Duration = Duration::from_secs(100);
/// How often it is looked whether a plan is still wanted.
const GLANCE: Duration = Duration::from_millis(100);

/// The longest password file name and password together.
const MOST_ASKED: u64 = 64 * 1024;

/// What the inbox has done by `program`.
pub(super) fn helpers(program: &Path) -> Helpers {
    let (of_undo, of_password) = (program.to_owned(), program.to_owned());
    Helpers {
        foresee: Arc::new(move |config, undo, is_wanted| {
            foresee(&of_undo, config, undo, is_wanted)
        }),
        role_of: Arc::new(move |file, password| role_of(&of_password, file, password)),
    }
}

/// This program, also after it was replaced by another version.
fn this(program: &Path) -> Command {
    let exe = Path::new("/proc/self/exe");
    Command::new(if exe.exists() { exe } else { program })
}

/// What is asked about a password.
#[derive(Serialize, Deserialize)]
struct PasswordQuestion {
    file: PathBuf,
    password: String,
}

/// What is answered: whose it is, and what stands for its line.
type Told = Result<Option<(String, String)>, String>;

/// Whose a password is.
///
/// # Errors
/// Why that cannot be said, for people.
fn role_of(program: &Path, file: &Path, password: &str) -> Result<Option<Known>, String> {
    let failed = |error: io::Error| format!("the password cannot be looked at: {error}");
    let mut command = this(program);
    command.arg("password-check").stderr(Stdio::null());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let asked = PasswordQuestion { file: file.to_owned(), password: password.to_owned() };
    if let Some(mut stdin) = child.stdin.take() {
        let asked = SecretString::from(serde_json::to_string(&asked).unwrap_or_default());
        stdin.write_all(asked.expose_secret().as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    let told: Told = serde_json::from_slice(&output.stdout)
        .map_err(|_| "the password cannot be looked at".to_owned())?;
    let Some((role, key)) = told? else { return Ok(None) };
    let key = blake3::Hash::from_hex(key).map(|key| *key.as_bytes());
    Ok(InboxRole::from_name(&role).zip(key.ok()))
}

/// `password-check`: answers [`role_of`]. Returns the exit code.
pub(super) fn password_check() -> anyhow::Result<u8> {
    let mut text = String::new();
    io::stdin().take(MOST_ASKED).read_to_string(&mut text)?;
    let PasswordQuestion { file, password } = serde_json::from_str(&text)?;
    let told: Told = match Passwords::read(&file) {
        Ok(passwords) => Ok(passwords.role_of(&password).map(|(role, key)| {
            (role.name().to_owned(), blake3::Hash::from_bytes(key).to_hex().to_string())
        })),
        Err(error) => Err(error.to_string()),
    };
    super::print_json(&told)?;
    Ok(0)
}

/// The plan of `undo` in words, as long as it `is_wanted`.
///
/// # Errors
/// Why there is none, for people.
fn foresee(
    program: &Path,
    config: &Config,
    undo: UndoRequest,
    is_wanted: &dyn Fn() -> bool,
) -> Result<String, String> {
    let mut command = this(program);
    command.args(["--no-progress", "--color", "never", "-q", "-c"]).arg(&config.file);
    command.args(["undo", &undo.run.to_string(), "--dry-run"]);
    if let Some(id) = undo.contact {
        command.args(["--contact", &id.to_string()]);
    }
    planned(command, PLAN_LIMIT, is_wanted)
}

/// What `command` prints within `limit`; it is killed after that, or if it is not wanted any
/// more.
#[expect(clippy::disallowed_methods, reason = "the deadline of a process")]
fn planned(
    mut command: Command,
    limit: Duration,
    is_wanted: &dyn Fn() -> bool,
) -> Result<String, String> {
    let failed = |error: io::Error| format!("the plan cannot be made: {error}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let (output, complaint) = (child.stdout.take(), child.stderr.take());
    let complaints = std::thread::spawn(move || said(complaint));
    let (done, plans) = mpsc::channel();
    std::thread::spawn(move || done.send(read_plan(output)));
    let until = Instant::now() + limit;
    let plan = loop {
        match plans.recv_timeout(GLANCE) {
            Ok(plan) => break plan.map_err(failed),
            Err(_) if !is_wanted() => break Err("nobody waits for the plan any more".to_owned()),
            Err(RecvTimeoutError::Timeout) if Instant::now() < until => {}
            Err(_) => break Err("the plan took too long; use the command line".to_owned()),
        }
    };
    let is_too_long = plan.as_ref().is_ok_and(|plan| plan.len() as u64 > MOST_BYTES);
    if plan.is_err() || is_too_long {
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed)?;
    let plan = plan?;
    if is_too_long {
        return Err(
            "the plan is too long for a page: use `linqsync undo` on the machine".to_owned()
        );
    }
    let complaint = complaints.join().unwrap_or_default();
    if status.success() { Ok(plan) } else { Err(complaint.trim().to_owned()) }
}

/// The plan that a process prints, and a byte more than a page shows.
fn read_plan(from: Option<impl Read>) -> io::Result<String> {
    let mut plan = String::new();
    if let Some(from) = from {
        from.take(MOST_BYTES + 1).read_to_string(&mut plan)?;
    }
    Ok(plan)
}

/// What a process says, as far as a page shows it.
fn said(from: Option<impl Read>) -> String {
    let mut text = Vec::new();
    if let Some(mut from) = from {
        let _ = (&mut from).take(8 * 1024).read_to_end(&mut text);
        let _ = std::io::copy(&mut from, &mut std::io::sink());
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_plan_that_takes_too_long_or_is_not_wanted_any_more_is_ended() {
        let long = Duration::from_mins(10);
        let short = Duration::from_millis(10);
        let late = planned(shell("echo begun; exec sleep 600"), short, &|| true).unwrap_err();
        assert!(late.contains("took too long; use the command line"), "{late}");
        let unwanted = planned(shell("exec sleep 600"), long, &|| false).unwrap_err();
        assert!(unwanted.contains("nobody waits"), "{unwanted}");
        assert_eq!(planned(shell("echo plan"), long, &|| true).unwrap(), "plan\n");
        let failed = planned(shell("echo why >&2; exit 3"), long, &|| true).unwrap_err();
        assert_eq!(failed, "why");
        let endless = planned(shell("yes"), long, &|| true).unwrap_err();
        assert!(endless.contains("too long for a page"), "{endless}");
    }
}
