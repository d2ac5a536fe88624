//! The section `[web]`: the inbox in a browser.

use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

use super::parse;
use super::settings::{ConfigLayers, Noted};

/// Where the inbox is served, and who gets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebConfig {
    /// Where it is served.
    pub listen: SocketAddr,
    /// The file with the passwords; absolute.
    pub password_file: PathBuf,
    /// Where people find it: the address of the proxy in front.
    pub public_url: Option<Url>,
}

impl WebConfig {
    /// Whether browsers reach it by https.
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    pub(super) fn read(settings: &mut ConfigLayers<'_>) -> Result<Option<WebConfig>, Noted> {
        let listen = settings.optional("web.listen", parse::parse_listen);
        let file = settings.optional("web.password_file", parse::parse_text);
        let public_url = settings.optional("web.public_url", parse::base_url);
        let file = file?.map(|path| settings.absolute(path));
        let (listen, public_url) = (listen?, public_url?);
        let Some(listen) = listen else {
            let key = if file.is_some() { "web.password_file" } else { "web.public_url" };
            if file.is_none() && public_url.is_none() {
                return Ok(None);
            }
            let hint = Some("listen = \"127.0.0.1:9464\" serves the inbox there".to_owned());
            return Err(settings.note_problem(
                key,
                format!("`{key}` is set, and `web.listen` is not"),
                hint,
            ));
        };
        let Some(password_file) = file else {
            let hint = "`linqsync web-password` makes the file, here called web.password";
            let title = "`web.password_file` is missing".to_owned();
            return Err(settings.note_problem("web.listen", title, Some(hint.to_owned())));
        };
        if let Some(url) = &public_url
            && url.path() != "/"
        {
            let title = "`web.public_url` must be an address without a path".to_owned();
            let hint = "give the inbox a host name of its own".to_owned();
            return Err(settings.note_problem("web.public_url", title, Some(hint)));
        }
        let web = WebConfig { listen, password_file, public_url };
        if !web.listen.ip().is_loopback() && !web.is_https() {
            let title = "`web.listen` can be reached from other machines without TLS".to_owned();
            let hint = "listen on 127.0.0.1; or put a proxy with TLS in front, and set \
                        web.public_url to its https address"
                .to_owned();
            return Err(settings.note_problem("web.listen", title, Some(hint)));
        }
        Ok(Some(web))
    }
}
