//! What the inbox and the channel of notifications need, where they are configured.

use crate::config::Config;
use crate::web::passwords::{InboxRole, Passwords};

use super::CheckFinding;

pub(super) fn look(config: &Config) -> Vec<CheckFinding> {
    let mut findings = Vec::new();
    if let Some(web) = &config.web {
        let hint = "`linqsync web-password` makes the file and sets a password";
        findings.push(match Passwords::read(&web.password_file) {
            Ok(passwords) if passwords.has_role(InboxRole::Decide) => {
                CheckFinding::ok("inbox", format!("served at {}", web.listen))
            }
            Ok(_) => {
                CheckFinding::warning("inbox", "there is no password for those who decide", hint)
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                let message = format!("nobody can log in: {error}{}", cause.unwrap_or_default());
                CheckFinding::warning("inbox", message, hint)
            }
        });
    }
    if let Some(channel) = &config.notify {
        findings.push(match channel.url.read() {
            Ok(_) => CheckFinding::ok("notify", "`linqsync notify --test` sends a test message"),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                let message = format!("nothing can be told: {error}{}", cause.unwrap_or_default());
                let hint = "correct notify.url_file, notify.url or the credential";
                CheckFinding::warning("notify", message, hint)
            }
        });
    }
    findings
}
