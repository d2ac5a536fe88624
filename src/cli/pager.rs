//! Long output on a terminal goes through a pager, as with git.
//!
//! Owns which pager that is: what PAGER says, else `less -FRX`; none where PAGER is empty or
//! `cat`, where the pager cannot be started, and never into a pipe or a file. Leaves what is
//! printed to the commands.

use std::io::{self, IsTerminal, Write};
use std::process::{Child, Command, Stdio};

use anstream::{AutoStream, ColorChoice};
use tokio::signal::unix::{SignalKind, signal};

/// Where a command prints what may be long.
pub(super) enum Pages {
    /// Stdout itself.
    Straight(AutoStream<io::Stdout>),
    /// A pager that has the terminal.
    Paged {
        /// Its input; `None` once everything is printed.
        to: Option<AutoStream<Box<dyn Write>>>,
        /// The pager.
        pager: Child,
    },
}

impl Pages {
    /// Stdout, through a pager if it is a terminal. Must be called within the runtime.
    pub(super) fn open() -> Pages {
        start_pager().unwrap_or_else(|| Pages::Straight(anstream::stdout()))
    }
}

impl Write for Pages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Pages::Straight(out) => out.write(bytes),
            Pages::Paged { to: Some(to), .. } => to.write(bytes),
            Pages::Paged { to: None, .. } => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Pages::Straight(out) => out.flush(),
            Pages::Paged { to: Some(to), .. } => to.flush(),
            Pages::Paged { to: None, .. } => Ok(()),
        }
    }
}

impl Drop for Pages {
    /// Waits until the reader has read enough.
    fn drop(&mut self) {
        if let Pages::Paged { to, pager } = self {
            drop(to.take());
            let _ = pager.wait();
        }
    }
}

fn start_pager() -> Option<Pages> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let mut command = pager_command(std::env::var("PAGER").ok().as_deref())?;
    // As git sets them, where the reader has not said otherwise.
    for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    let choice = match AutoStream::choice(&io::stdout()) {
        // What is written there is a pipe, which would take no colours by itself.
        ColorChoice::Never => ColorChoice::Never,
        ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => ColorChoice::Always,
    };
    let mut pager = command.stdin(Stdio::piped()).spawn().ok()?;
    // What is typed there is for the pager: it goes on after Ctrl-C, and so does who feeds it.
    // The handler stays; there is nothing else to be done.
    let _ = signal(SignalKind::interrupt());
    let to = pager.stdin.take()?;
    let to = Some(AutoStream::new(Box::new(to) as Box<dyn Write>, choice));
    Some(Pages::Paged { to, pager })
}

/// The pager that `PAGER` names; `None` for no pager.
fn pager_command(pager: Option<&str>) -> Option<Command> {
    let Some(pager) = pager else {
        let mut less = Command::new("less");
        less.arg("-FRX");
        return Some(less);
    };
    let mut words = pager.split_whitespace();
    let program = words.next().filter(|program| *program != "cat")?;
    let mut command = if pager.contains(['|', ';', '"', '\'', '$', '&', '<', '>', '\\']) {
        let mut shell = Command::new("sh");
        shell.args(["-c", pager]);
        return Some(shell);
    } else {
        Command::new(program)
    };
    command.args(words);
    Some(command)
}

/// How many columns stdout has, if it is a terminal.
pub(super) fn terminal_columns() -> Option<usize> {
    let (_, columns) = dialoguer::console::Term::stdout().size_checked()?;
    Some(usize::from(columns)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pager: Option<&str>) -> Option<Vec<String>> {
        let command = pager_command(pager)?;
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        Some(words.map(|word| word.to_string_lossy().into_owned()).collect())
    }

    #[test]
    fn the_pager_is_what_the_variable_says_and_none_if_it_says_so() {
        assert_eq!(typed(None), Some(vec!["less".to_owned(), "-FRX".to_owned()]));
        assert_eq!(typed(Some("more -s")), Some(vec!["more".to_owned(), "-s".to_owned()]));
        assert_eq!(typed(Some("a | b")).map(|words| words.len()), Some(3));
        for none in ["", "  ", "cat"] {
            assert_eq!(typed(Some(none)), None);
        }
    }
}
