//! `init`: looks at a source, proposes how to read it, and writes `sync.toml`.
//!
//! Owns the order: everything is looked at and checked before anything is written,
//! and nothing that is there is ever replaced. `template` makes the text, `sample`
//! shows what was recognised, `place` knows what is to be said of where it is, `token` finds the
//! token and has Linq look at it.

mod place;
mod sample;
mod template;
mod token;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::check::{Numbers, count_numbers};
use crate::config::{Config, ConfigError, SourceKind, TokenOrigin, WHERE_FROM};
use crate::open::{self, Linq};
use crate::report::ReportedError;
use crate::run::RunError;
use crate::source::csv::{SourceAccess, TableShape};
use crate::source::{SourceError, SourceReading};

use super::args::{Cli, InitArgs, OutputArgs};
use super::text::wrap_text;
use super::{print_json, print_text, report_refusal, report_unusable};
use template::Template;
use token::TokenChoice;

/// How often Linq is asked about the token: whoever sets it up waits for the answer.
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// The configuration: others may not read it, the service's group may.
const CONFIG_MODE: u32 = 0o640;
/// The token is its owner's alone.
const TOKEN_MODE: u32 = 0o600;

/// Sets up a configuration for the source that `args` names. Returns the exit code.
pub(super) async fn init(cli: &Cli, args: &InitArgs) -> anyhow::Result<u8> {
    let target = std::path::absolute(cli.config.as_deref().unwrap_or(Path::new("sync.toml")))
        .context("there is no working directory")?;
    if target.exists() {
        let another = other_config_name(&args.path, &target);
        let hint = format!(
            "to look at it: {}; for another pair beside it: linqsync -c {another} init {}",
            cli.command_line("check"),
            args.path.display()
        );
        return report_refusal(cli.output, in_the_way(&target, "the configuration", &hint));
    }
    let mut proposal = match Proposal::propose_config(args, &target) {
        Ok(proposal) => proposal,
        Err(refusal) => return refusal.report_refusal(cli.output),
    };
    let Proposal { config, reading, .. } = &proposal;
    if let Some(error) = place::refuse_directory_of_a_table(&args.path, config, reading) {
        return report_refusal(cli.output, error);
    }
    let notes = place::location_notes(&args.path, config, reading);
    if !cli.output.json {
        print_text(&proposal.sample_text(&args.path, &notes))?;
    }
    let token = match token::settle_token(args, cli.output, &target, &mut proposal).await {
        Ok(token) => token,
        Err(error) => return report_refusal(cli.output, error),
    };
    proposal.template.token_file(&token.file);
    if let Some(new) = &token.new {
        create_file(&token.file, TOKEN_MODE, &format!("{}\n", new.expose_secret()))?;
    }
    create_file(&target, CONFIG_MODE, proposal.template.as_text())?;
    report_next_steps(cli, &target, &proposal, &token)?;
    Ok(0)
}

fn in_the_way(path: &Path, what: &str, hint: &str) -> ReportedError {
    ReportedError {
        code: 2,
        message: format!("{} is there already", path.display()),
        hint: format!("{what} is never overwritten; {hint}"),
    }
}

/// A name for another configuration beside `target`, after the source.
fn other_config_name(path: &Path, target: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let names = [format!("{stem}.toml"), format!("{stem}-sync.toml")];
    let free = names.into_iter().find(|name| {
        !stem.is_empty()
            && !stem.contains(char::is_whitespace)
            && !target.with_file_name(name).exists()
    });
    free.unwrap_or_else(|| "NAME.toml".to_owned())
}

/// Why nothing is proposed.
enum InitRefusal {
    /// What was asked for is no configuration.
    Config(ConfigError),
    /// The source cannot be read.
    Source(ReportedError),
}

impl InitRefusal {
    fn report_refusal(self, output: OutputArgs) -> anyhow::Result<u8> {
        match self {
            InitRefusal::Config(error) => report_unusable(output, &error).map(|()| 2),
            InitRefusal::Source(error) => report_refusal(output, error),
        }
    }
}

/// There is no configuration yet that could name another path.
fn unread_source(error: SourceError) -> ReportedError {
    let is_missing = matches!(error, SourceError::Io { .. });
    let mut reported = RunError::from(error).to_reported_error();
    if is_missing {
        "check the path, and that this user may read it".clone_into(&mut reported.hint);
    }
    reported
}

/// A configuration that works, for a source that was read.
struct Proposal {
    template: Template,
    config: Config,
    /// What was found out about a CSV file.
    shape: Option<TableShape>,
    reading: SourceReading,
    /// Its phone numbers.
    numbers: Numbers,
    /// What speaks for the region, where that was found out.
    region_because: Option<String>,
}

/// Whether no two records have the same key.
fn tells_rows_apart(reading: &SourceReading) -> bool {
    let mut keys = BTreeSet::new();
    reading.records.iter().filter_map(|record| record.key.as_ref()).all(|key| keys.insert(key))
}

impl Proposal {
    fn propose_config(args: &InitArgs, target: &Path) -> Result<Proposal, InitRefusal> {
        let mut template = Template::new();
        template.apply_args(args, &written_path(&args.path, target));
        template.places_of_a_service(target);
        let mut proposal = Proposal::read_source(template, target)?;
        if args.region.is_none() {
            proposal = proposal.in_its_region(target)?;
        }
        let Some(shape) = proposal.shape.clone() else { return Ok(proposal) };
        proposal.template.set_columns(&shape);
        for (key, column) in key_columns(args, &shape.header) {
            let mut template = proposal.template.clone();
            template.set_key("source", key, column);
            // A column that does not identify every row is nobody's key.
            if let Ok(with_key) = Proposal::read_source(template, target)
                && tells_rows_apart(&with_key.reading)
            {
                let region_because = proposal.region_because;
                proposal = Proposal { region_because, ..with_key };
            }
        }
        Ok(proposal)
    }

    /// The same, in the country that the source itself speaks for.
    fn in_its_region(self, target: &Path) -> Result<Proposal, InitRefusal> {
        let Some(better) = self.numbers.better.clone() else { return Ok(self) };
        let mut template = self.template;
        template.set_key("sync", "region", &better.region.to_string());
        let found = Proposal::read_source(template, target)?;
        Ok(Proposal { region_because: Some(better.because), ..found })
    }

    fn read_source(template: Template, target: &Path) -> Result<Proposal, InitRefusal> {
        let config = Config::of_text(target, template.as_text()).map_err(InitRefusal::Config)?;
        let mut source = open::open_source(&config, SourceAccess::ReadOnly);
        let reading =
            source.read_records().map_err(|error| InitRefusal::Source(unread_source(error)))?;
        let numbers = count_numbers(&*source, &reading, config.sync.region);
        let shape = source.table_shape();
        Ok(Proposal { template, config, shape, reading, numbers, region_because: None })
    }

    fn sample_text(&self, path: &Path, notes: &[String]) -> String {
        let key = match &self.config.source.kind {
            SourceKind::Csv(csv) => csv.key.as_deref(),
            SourceKind::Vcard(_) => None,
        };
        let phones = sample::phone_region_text(
            &self.numbers,
            self.config.sync.region,
            self.region_because.as_deref(),
        );
        sample::sample_text(path, self.shape.as_ref(), key, &self.reading, (&phones, notes))
    }

    /// Asks Linq whether it takes the token.
    async fn ask_linq(&mut self, token: &SecretString) -> Result<(), ReportedError> {
        self.config.linq.token = TokenOrigin::Inline(token.clone());
        self.config.linq.max_attempts = ATTEMPTS;
        let linq =
            Linq::configured_linq(&self.config).map_err(|error| error.to_reported_error())?;
        linq.new_client(0)
            .check_access()
            .await
            .map_err(|error| RunError::from(error).to_reported_error())
    }
}

/// The path as the configuration at `target` writes it: beside it by name, else whole.
fn written_path(path: &Path, target: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let beside = target.parent().and_then(|dir| whole.strip_prefix(dir).ok());
    beside.map_or(whole.clone(), Path::to_owned)
}

/// Columns that look as if they identified rows, unless they are named already.
fn key_columns<'a>(args: &InitArgs, header: &'a [String]) -> Vec<(&'static str, &'a str)> {
    let plain = |name: &str| -> String {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let find = |names: &[&str]| {
        header.iter().find(|name| names.contains(&plain(name).as_str())).map(String::as_str)
    };
    let key = find(&[
        "employeeid",
        "employeenumber",
        "personnelnumber",
        "staffid",
        "memberid",
        "customerid",
        "contactid",
        "recordid",
        "externalid",
        "uid",
        "uuid",
    ]);
    let id = find(&["linqid", "linqcontactid"]);
    let key = key.filter(|_| args.key.is_none()).map(|column| ("key", column));
    let id = id.filter(|_| args.id_column.is_none()).map(|column| ("id_column", column));
    key.into_iter().chain(id).collect()
}

/// Writes a file that must not be there, durably.
fn create_file(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Says what was written and what comes next.
fn report_next_steps(
    cli: &Cli,
    target: &Path,
    proposal: &Proposal,
    token: &TokenChoice,
) -> anyhow::Result<()> {
    let next = cli.command_line("plan");
    if cli.output.json {
        let columns = proposal.shape.as_ref().map(|shape| &shape.columns);
        return print_json(&json!({
            "schema": "linqsync.init/1",
            "config": target,
            "token": token.is_there,
            "token_file": token.file,
            "note": token.note,
            "records": proposal.reading.records.len(),
            "unreadable": proposal.reading.unreadable.len(),
            "columns": columns,
            "region": proposal.config.sync.region.to_string(),
            "phone_numbers": {
                "total": proposal.numbers.total,
                "unusable": proposal.numbers.unusable,
                "example": proposal.numbers.example,
            },
            "next": next,
        }));
    }
    let file = token.file.display();
    let written = token
        .new
        .as_ref()
        .map_or(String::new(), |_| format!("Wrote {file}, which only you can read: the token.\n"));
    let note = token.note.as_ref().map_or(String::new(), |note| wrap_text(note, 0) + "\n");
    let missing = if token.is_there {
        String::new()
    } else {
        format!(
            "Put Linq's token into {file} first (chmod 600), or set LINQ_TOKEN;\n{WHERE_FROM}\n"
        )
    };
    print_text(&format!(
        "Wrote {}. Every setting is in it, with a word on what it does.\n{written}{note}{missing}\
         See what a run would do, without changing anything:\n\n  {next}\n",
        target.display()
    ))
}
