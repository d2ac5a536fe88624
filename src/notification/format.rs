//! A message in the form that a channel understands.

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

use super::Message;
use crate::config::{NotifyEvent, NotifyFormat};

/// What the link to the inbox is called.
const LINK: &str = "Open the inbox";

/// The request that tells the channel at `url`.
pub(super) fn request(
    client: &Client,
    url: Url,
    format: NotifyFormat,
    message: &Message,
) -> RequestBuilder {
    let request = client.post(url);
    match format {
        NotifyFormat::Slack => request.json(&slack(message)),
        NotifyFormat::Teams => request.json(&teams(message)),
        NotifyFormat::Json => request.json(&document(message)),
        NotifyFormat::Ntfy => {
            let is_urgent = message.events.contains(&NotifyEvent::Unhealthy);
            let request = request
                .header("title", "linqsync")
                .header("priority", if is_urgent { "high" } else { "default" })
                .header("content-type", "text/plain; charset=utf-8")
                .body(message.text());
            match &message.inbox {
                Some(inbox) => request.header("click", inbox.as_str()),
                None => request,
            }
        }
    }
}

fn slack(message: &Message) -> Value {
    let link = message.inbox.as_ref().map(|url| format!(" <{url}|{LINK}>")).unwrap_or_default();
    json!({ "text": message.text() + &link })
}

/// An adaptive card, which a workflow posts.
fn teams(message: &Message) -> Value {
    let action =
        |url: &Url| json!({ "type": "Action.OpenUrl", "title": LINK, "url": url.as_str() });
    let actions: Vec<Value> = message.inbox.iter().map(action).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [{ "type": "TextBlock", "text": message.text(), "wrap": true }],
                "actions": actions,
            },
        }],
    })
}

fn document(message: &Message) -> Value {
    let events: Vec<&str> = message.events.iter().map(|event| event.name()).collect();
    json!({
        "schema": "linqsync.notify/1",
        "events": events,
        "test": message.events.is_empty(),
        "counts": message.counts,
        "inbox": message.inbox.as_ref().map(Url::as_str),
        "text": message.text(),
    })
}
