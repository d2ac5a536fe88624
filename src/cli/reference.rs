//! `completions` and `man`: what the command line says of itself, for shells and
//! manuals.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

use clap::CommandFactory;
use roff::{Roff, bold, roman};

use crate::report::ReportedError;

use crate::config::reference;

use super::args::{Cli, CompletionsArgs, ManArgs, OutputArgs};
use super::{print_bytes, report_refusal};

/// Prints a completion script. Returns the exit code.
pub(super) fn print_completions(args: &CompletionsArgs) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "linqsync", &mut script);
    print_bytes(&script)?;
    Ok(0)
}

/// Prints a manual page, in roff. Returns the exit code.
pub(super) fn print_manual(output: OutputArgs, args: &ManArgs) -> anyhow::Result<u8> {
    if args.page.as_deref() == Some(CONFIGURATION) {
        return page_through(configuration_manual().as_bytes()).map(|()| 0);
    }
    let mut program = Cli::command();
    program.build();
    let described = match &args.page {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return report_refusal(output, unknown_page(&program, name)),
        },
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(described).render(&mut page)?;
    page_through(&page)?;
    Ok(0)
}

/// Shows a page to whoever sits at a terminal as `man` shows pages, where that is installed;
/// else prints it as it is, for other programs.
fn page_through(page: &[u8]) -> anyhow::Result<()> {
    if std::io::stdout().is_terminal() {
        let shown = Command::new("man").args(["-l", "-"]).stdin(Stdio::piped()).spawn();
        if let Ok(mut shown) = shown {
            // Whoever closes the pager has read enough.
            let _ = shown.stdin.take().map(|mut input| input.write_all(page));
            if shown.wait()?.success() {
                return Ok(());
            }
        }
    }
    print_bytes(page)
}

fn unknown_page(program: &clap::Command, name: &str) -> ReportedError {
    let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    let message = format!("there is no command `{name}`");
    ReportedError { code: 2, message, hint: format!("the commands are {}", names.join(", ")) }
}

/// What the page about the configuration is called.
const CONFIGURATION: &str = "sync.toml";

/// The manual page sync.toml(5).
fn configuration_manual() -> String {
    let mut page = Roff::new();
    page.control("TH", [CONFIGURATION, "5", "", concat!("linqsync ", env!("CARGO_PKG_VERSION"))]);
    page.control("SH", ["NAME"]).text([roman("sync.toml - the configuration of linqsync")]);
    page.control("SH", ["DESCRIPTION"]).text([roman(reference::introduction())]);
    for section in reference::sections() {
        page.control("SH", [format!("[{}]", section.name).as_str()]);
        page.text([roman(section.about)]);
        for entry in section.entries {
            let default = match &entry.default {
                Some(default) => format!(" Default: {default}."),
                None => format!(" Example: {}.", entry.example),
            };
            page.control("TP", []);
            page.text([bold(entry.key)]);
            page.text([roman(format!("{}{default} Variable: {}.", entry.about, entry.variable))]);
        }
    }
    page.control("SH", ["SEE ALSO"]).text([bold("linqsync"), roman("(1)")]);
    page.to_roff()
}
