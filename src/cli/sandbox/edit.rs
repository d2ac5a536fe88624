//! `sandbox add`, `edit` and `delete`: a colleague at work in a mock server that runs.
//!
//! Owns whom it is done to. Only a server on this machine is ever asked: the real Linq has no
//! place here.

use std::path::Path;

use crate::cli::args::{ChangeArgs, Cli, SandboxCommand};
use crate::cli::text::{count_noun, shown_text};
use crate::cli::{print_text, report_refusal};
use crate::config::{Config, ConfigError, Overrides};
use crate::linq::{Client, Fetched, Update};
use crate::model::{Field, LinqContact, Values, Who, is_called};
use crate::open::{self, Linq};
use crate::report::ReportedError;
use crate::run::RunError;

/// Where a mock server listens when nobody says where.
const USUAL: &str = "http://127.0.0.1:8025";
/// The token that it takes then.
const TOKEN: &str = "sandbox-token";

/// Makes the change that is asked for. Returns the exit code.
pub(super) async fn change_contact(cli: &Cli, command: &SandboxCommand) -> anyhow::Result<u8> {
    match make_change(cli, command).await {
        Ok(told) => print_text(&told).map(|()| 0),
        Err(error) => report_refusal(cli.output, error),
    }
}

async fn make_change(cli: &Cli, command: &SandboxCommand) -> Result<String, ReportedError> {
    let args = command.server_args();
    let config = server_config(cli, args)?;
    let client =
        Linq::configured_linq(&config).map_err(|error| error.to_reported_error())?.new_client(0);
    let failed = |error| open::naming_token(RunError::from(error).to_reported_error(), &config);
    match command {
        SandboxCommand::Add { values, .. } => {
            let values: Values = values.iter().cloned().collect();
            let added = client.create(&values, None).await.map_err(failed)?;
            Ok(format!("added {}\n", describe_contact(&added.contact)))
        }
        SandboxCommand::Edit { who, values, .. } => {
            let contact = find_contact(&client, &config, who)
                .await
                .map_err(|error| error.reported_or(failed))?;
            // An update must name somebody.
            let identity = Field::IDENTITY.into_iter().find(|f| !contact.values[*f].is_empty());
            let identity = identity.map(|field| (field, contact.values[field].to_string()));
            let set = identity.into_iter().chain(values.iter().cloned());
            let owner =
                Some(contact.values[Field::Owner].to_string()).filter(|owner| !owner.is_empty());
            let update = Update::new(set, owner).map_err(|error| usage_error(error.to_string()))?;
            let edited = client.patch(contact.id, &update).await.map_err(failed)?;
            Ok(format!("edited {}\n", describe_contact(&edited.contact)))
        }
        SandboxCommand::Delete { who, .. } => {
            let contact = find_contact(&client, &config, who)
                .await
                .map_err(|error| error.reported_or(failed))?;
            client.delete(contact.id).await.map_err(failed)?;
            Ok(format!("deleted {}\n", describe_contact(&contact)))
        }
    }
}

/// The server that is meant: the one that is named, that of the configuration, or the usual one.
fn server_config(cli: &Cli, args: &ChangeArgs) -> Result<Config, ReportedError> {
    let named = |url: &str, token: &str| {
        let text = format!(
            "[linq]\nbase_url = {url:?}\ntoken = {token:?}\nmax_attempts = 1\n[source]\npath = \"-\"\n"
        );
        Config::of_text(Path::new("/sync.toml"), &text)
    };
    let config = match &args.url {
        Some(url) => named(url, args.token.as_deref().unwrap_or(TOKEN)),
        None => match Config::load(cli.config.as_deref(), &Overrides::default()) {
            Err(ConfigError::NotFound { .. }) => {
                named(USUAL, args.token.as_deref().unwrap_or(TOKEN))
            }
            loaded => loaded,
        },
    };
    let config = config.map_err(|error| ReportedError {
        code: 2,
        message: error.lines().join("; "),
        hint: format!("name the mock server: --url {USUAL}"),
    })?;
    let address = open::linq_url(&config).map_err(|error| error.to_reported_error())?;
    if address.is_loopback() {
        return Ok(config);
    }
    Err(ReportedError {
        code: 2,
        message: format!("{} is no mock server on this machine", config.linq.base_url),
        hint: format!("name one: --url {USUAL}"),
    })
}

/// Why there is no contact to change.
enum EditContactMissing {
    /// Linq failed.
    Linq(crate::linq::LinqError),
    /// None, or several, are meant.
    Wrong(ReportedError),
}

impl EditContactMissing {
    fn reported_or(
        self,
        failed: impl FnOnce(crate::linq::LinqError) -> ReportedError,
    ) -> ReportedError {
        match self {
            EditContactMissing::Linq(error) => failed(error),
            EditContactMissing::Wrong(error) => error,
        }
    }
}

/// The one contact that is meant by `text`: an id, e-mail, phone or full name.
async fn find_contact(
    client: &Client,
    config: &Config,
    text: &str,
) -> Result<LinqContact, EditContactMissing> {
    let who = Who::new(text, config.policy().canon);
    let (mut found, mut number) = (Vec::new(), 1);
    loop {
        let page = client.list_page(number, 100).await.map_err(EditContactMissing::Linq)?;
        let is_last = page.contacts.is_empty();
        let meant = |contact: &LinqContact| {
            who.is_contact(Some(contact.id), &contact.values) || is_called(&contact.values, text)
        };
        let contacts = page.contacts.into_iter().map(|Fetched { contact, .. }| contact);
        found.extend(contacts.filter(meant));
        if is_last {
            break;
        }
        number += 1;
    }
    match (found.pop(), found.len()) {
        (Some(contact), 0) => Ok(contact),
        (None, _) => Err(EditContactMissing::Wrong(usage_error(format!(
            "no contact matches {:?}",
            shown_text(text, 60)
        )))),
        (Some(last), others) => {
            let listed: Vec<String> = found.iter().chain([&last]).map(describe_contact).collect();
            let several = count_noun(others + 1, "contact matches", "contacts match");
            Err(EditContactMissing::Wrong(usage_error(format!("{several}: {}", listed.join(", ")))))
        }
    }
}

fn describe_contact(contact: &LinqContact) -> String {
    format!("{} (id {})", shown_text(&contact.values.display_name(), 60), contact.id)
}

fn usage_error(message: String) -> ReportedError {
    let hint = "name one contact by its id, e-mail, phone number or full name".to_owned();
    ReportedError { code: 2, message, hint }
}
