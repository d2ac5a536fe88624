//! `completions` and `man`: what the command line says of itself, for shells and
//! manuals.

use clap::CommandFactory;

use crate::report::ReportedError;

use super::args::{Cli, CompletionsArgs, ManArgs, Output};
use super::{print_bytes, refuse};

/// Prints a completion script. Returns the exit code.
pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "linqsync", &mut script);
    print_bytes(&script)?;
    Ok(0)
}

/// Prints a manual page, in roff. Returns the exit code.
pub(super) fn man(output: Output, args: &ManArgs) -> anyhow::Result<u8> {
    let mut program = Cli::command();
    program.build();
    let described = match &args.command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return refuse(output, unknown(&program, name)),
        },
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(described).render(&mut page)?;
    print_bytes(&page)?;
    Ok(0)
}

fn unknown(program: &clap::Command, name: &str) -> ReportedError {
    let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    let message = format!("there is no command `{name}`");
    ReportedError { code: 2, message, hint: format!("the commands are {}", names.join(", ")) }
}
