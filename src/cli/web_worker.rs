//! What the inbox has done by this program in a process of its own, so that the daemon stays
//! small: an undo is foreseen by `undo --dry-run`, and a password is looked at by
//! `password-check`, since hashing it takes much memory on purpose.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::web::passwords::{Passwords, Role};
use crate::web::{Helpers, Known, Undo};

/// The longest plan that a page shows.
const MOST_BYTES: u64 = 256 * 1024;

/// The longest password file name and password together.
const MOST_ASKED: u64 = 64 * 1024;

/// What the inbox has done by `program`.
pub(super) fn helpers(program: &Path) -> Helpers {
    let (of_undo, of_password) = (program.to_owned(), program.to_owned());
    Helpers {
        foresee: Arc::new(move |config, undo| foresee(&of_undo, config, undo)),
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
struct Asked {
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
    let asked = Asked { file: file.to_owned(), password: password.to_owned() };
    if let Some(mut stdin) = child.stdin.take() {
        let asked = SecretString::from(serde_json::to_string(&asked).unwrap_or_default());
        stdin.write_all(asked.expose_secret().as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    let told: Told = serde_json::from_slice(&output.stdout)
        .map_err(|_| "the password cannot be looked at".to_owned())?;
    let Some((role, key)) = told? else { return Ok(None) };
    let key = blake3::Hash::from_hex(key).map(|key| *key.as_bytes());
    Ok(Role::from_name(&role).zip(key.ok()))
}

/// `password-check`: answers [`role_of`]. Returns the exit code.
pub(super) fn password_check() -> anyhow::Result<u8> {
    let mut text = String::new();
    io::stdin().take(MOST_ASKED).read_to_string(&mut text)?;
    let Asked { file, password } = serde_json::from_str(&text)?;
    let told: Told = match Passwords::read(&file) {
        Ok(passwords) => Ok(passwords.role_of(&password).map(|(role, key)| {
            (role.name().to_owned(), blake3::Hash::from_bytes(key).to_hex().to_string())
        })),
        Err(error) => Err(error.to_string()),
    };
    super::print_json(&told)?;
    Ok(0)
}

/// The plan of `undo` in words.
///
/// # Errors
/// Why there is none, for people.
fn foresee(program: &Path, config: &Config, undo: Undo) -> Result<String, String> {
    let mut command = this(program);
    command.args(["--no-progress", "--color", "never", "-q", "-c"]).arg(&config.file);
    command.args(["undo", &undo.run.to_string(), "--dry-run"]);
    if let Some(id) = undo.contact {
        command.args(["--contact", &id.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |error| format!("the plan cannot be made: {error}");
    let mut child = command.spawn().map_err(failed)?;
    let complaint = child.stderr.take();
    let complaints = std::thread::spawn(move || said(complaint));
    let mut plan = String::new();
    let mut output = child.stdout.take();
    if let Some(output) = &mut output {
        output.take(MOST_BYTES + 1).read_to_string(&mut plan).map_err(failed)?;
    }
    drop(output);
    let status = child.wait().map_err(failed)?;
    let complaint = complaints.join().unwrap_or_default();
    if plan.len() as u64 > MOST_BYTES {
        return Err(
            "the plan is too long for a page: use `linqsync undo` on the machine".to_owned()
        );
    }
    if status.success() { Ok(plan) } else { Err(complaint.trim().to_owned()) }
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
