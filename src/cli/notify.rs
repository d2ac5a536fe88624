//! `notify --test`: tells the channel of `[notify]` that it is reached.

use crate::config::Config;
use crate::notification::{Message, deliver};
use crate::report::ReportedError;

use super::args::OutputArgs;
use super::{print_json, print_text, refuse_command};

/// Sends a test message. Returns the exit code.
pub(super) async fn test(output: OutputArgs, config: &Config) -> anyhow::Result<u8> {
    let Some(channel) = &config.notify else {
        let message = "no channel is configured".to_owned();
        let hint = "set notify.url_file or notify.url in sync.toml, or use the systemd credential \
                    `notify-url`"
            .to_owned();
        return refuse_command(output, &ReportedError { code: 2, message, hint });
    };
    if let Err(error) = deliver(channel, &Message::test(config.inbox().cloned())).await {
        let code = if matches!(error, crate::notification::DeliveryError::Url(_)) { 2 } else { 1 };
        return refuse_command(output, &ReportedError::from_error(&error, code, error.hint()));
    }
    if output.json {
        print_json(&serde_json::json!({ "schema": "linqsync.notify_test/1", "error": null }))?;
    } else {
        print_text("the channel has accepted a test message\n")?;
    }
    Ok(0)
}
