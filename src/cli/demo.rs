//! `demo`: the whole story in a temporary directory, against the mock server over HTTP.
//!
//! Every step is a command as a person would type it, made by this program, with what it
//! prints. On a terminal each waits for Enter. The directory is removed at the end, unless
//! it is to be kept.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use tempfile::TempDir;

use crate::platform;
use crate::sandbox::{Options, Running, Sandbox};

use super::args::DemoArgs;
use super::{print_text, say_on_stderr as on_stderr, system_now};

const TOKEN: &str = "demo-token";

const PEOPLE: &str = "\
First Name,Last Name,Email,Phone,Company,Title,Notes
Ada,King,ada@engines.example,(415) 555-2671,Engines,Countess,\"a \"\"poet\"\"\"
Bo,Wang,bo@lanterns.example,,Lanterns,Engineer,met in Oslo
Kai,Novák,kai@harbour.example,+44 20 7946 0018,Harbour & Sons,Pilot,
Léa,Rossi,lea@atelier.example,,Atelier,Designer,prefers e-mail
Noor,Haddad,noor@harbour.example,,Harbour & Sons,Captain,
";

/// What the environment of whoever tries it out must not decide.
const PREFIXES: [&str; 4] = ["LINQ", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "NOTIFY_SOCKET"];

/// Tells the story. Returns the exit code.
pub(super) async fn demo(args: &DemoArgs) -> anyhow::Result<u8> {
    let dir = tempfile::Builder::new().prefix("linqsync-demo-").tempdir()?;
    let demo = Demo::set_up(dir).await?;
    demo.first_sync().await?;
    demo.edits_on_both_sides().await?;
    demo.a_conflict().await?;
    demo.a_deletion_and_its_undo().await?;
    demo.nothing_to_do().await?;
    demo.finish_demo(args.keep)?;
    Ok(0)
}

struct Demo {
    dir: TempDir,
    csv: PathBuf,
    linq: Running,
}

impl Demo {
    async fn set_up(dir: TempDir) -> anyhow::Result<Demo> {
        let sandbox = Sandbox::new(Options {
            token: TOKEN.to_owned(),
            now: Arc::new(system_now),
            ..Options::default()
        });
        for person in [
            [
                ("first_name", "Léa"),
                ("last_name", "Rossi"),
                ("email", "LEA@atelier.example"),
                ("location", "Turin"),
            ],
            [
                ("first_name", "Sam"),
                ("last_name", "Okafor"),
                ("email", "sam@orbit.example"),
                ("title", "Founder"),
            ],
        ] {
            sandbox.insert(person)?;
        }
        let linq = sandbox.start().await.context("cannot start the mock server")?;
        let csv = dir.path().join("contacts.csv");
        let file = dir.path().join("sync.toml");
        write_file(&csv, PEOPLE)?;
        let url = &linq.url;
        write_file(
            &file,
            &format!(
                "[linq]\nbase_url = \"{url}\"\ntoken = \"{TOKEN}\"\nrequests_per_second = 500\n\
                 settle = \"2s\"\n\n\
                 [source]\npath = \"contacts.csv\"\nquiet = \"0s\"\n\n[state]\ndir = \"state\"\n"
            ),
        )?;
        set_private(&file)?;
        Ok(Demo { dir, csv, linq })
    }

    async fn first_sync(&self) -> anyhow::Result<()> {
        print_line(&format!(
            "linqsync keeps contacts the same in two places. Here they are:\n\
             - a spreadsheet with five contacts:  {}\n\
             - a mock Linq server on this machine with two contacts: Léa, who is in\n\
             \x20 the spreadsheet too, and Sam, who is not.\n\n\
             1. The first run. It links what is the same contact, fills blanks, creates\n\
             what is missing on either side, and deletes nothing. Look first:\n",
            self.csv.display()
        ))?;
        self.run_and_show(&["plan"]).await?;
        self.run_and_show(&["run"]).await?;
        print_line(&format!("The spreadsheet now:\n\n{}", indent_lines(&read_file(&self.csv)?)))
    }

    async fn edits_on_both_sides(&self) -> anyhow::Result<()> {
        begin_step(
            "2. Edits on both sides. You change Ada's company in the spreadsheet; a colleague\n\
             changes her title in Linq. Both edits are kept, on both sides:\n",
        )?;
        self.edit_csv("Engines", "Engines Ltd")?;
        self.edit_linq("Ada", "title", "Lady")?;
        self.run_and_show(&["plan"]).await?;
        self.run_and_show(&["run"]).await
    }

    async fn a_conflict(&self) -> anyhow::Result<()> {
        begin_step(
            "3. A conflict. Both sides change Bo's title, to different things. Neither value\n\
             is overwritten: both stay where they are until you decide, and everything else\n\
             goes on, such as Kai's new title:\n",
        )?;
        self.edit_csv("Engineer", "Chief Engineer")?;
        self.edit_linq("Bo", "title", "CTO")?;
        self.edit_linq("Kai", "title", "Chief Pilot")?;
        self.run_and_show(&["run"]).await?;
        print_line("You decide, and the next run carries it out:\n")?;
        self.run_and_show(&["resolve", "bo@lanterns.example", "--take", "source"]).await?;
        self.run_and_show(&["run"]).await
    }

    async fn a_deletion_and_its_undo(&self) -> anyhow::Result<()> {
        begin_step(
            "4. A deletion, and a change of mind. You remove Noor's row. She was synced before\n\
             and the whole file was read, so she is deleted in Linq, too:\n",
        )?;
        let text = read_file(&self.csv)?;
        let kept: String =
            text.split_inclusive('\n').filter(|line| !line.starts_with("Noor,")).collect();
        write_file(&self.csv, &kept)?;
        self.run_and_show(&["run"]).await?;
        print_line("That was a mistake. What a run did can be put back, on both sides:\n")?;
        self.run_and_show(&["undo", "5"]).await
    }

    async fn nothing_to_do(&self) -> anyhow::Result<()> {
        begin_step("5. One more run, without any edit. Nothing is written, anywhere:\n")?;
        let before = read_file(&self.csv)?;
        self.linq.sandbox.forget_requests();
        self.run_and_show(&["run"]).await?;
        let requests = self.linq.sandbox.requests();
        let writes = requests.iter().filter(|request| request.method != "GET").count();
        let same = if read_file(&self.csv)? == before { "the same to the byte" } else { "CHANGED" };
        print_line(&format!("Writes sent to Linq: {writes}. The spreadsheet is {same}.\n"))
    }

    fn finish_demo(self, keep: bool) -> anyhow::Result<()> {
        let files = if keep {
            format!("The files are in {}\n", self.dir.keep().display())
        } else {
            self.dir.close().context("cannot remove the directory")?;
            "Its directory is removed again (--keep leaves it).\n".to_owned()
        };
        print_line(&format!(
            "That was all. {files}\n\
             Try your own file: `linqsync init FILE` looks at it and sets it up, `linqsync\n\
             plan` shows what a run would do, and `linqsync run` does it. Without an\n\
             account, `linqsync sandbox` is a mock Linq server.\n"
        ))
    }

    /// Makes a command and shows it with what it prints. An exit code of 3 is part of the story.
    async fn run_and_show(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let color = if is_colored() { "always" } else { "never" };
        let mut command =
            tokio::process::Command::new(platform::own_program(&platform::program_path()));
        command.args(arguments).args(["-q", "--color", color]).current_dir(self.dir.path());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        let ended = command.output().await.context("cannot start linqsync")?;
        print_text(&format!("    $ linqsync {}\n", arguments.join(" ")))?;
        print_text(&format!("{}\n", indent_lines(&String::from_utf8_lossy(&ended.stdout))))?;
        match ended.status.code() {
            Some(0 | 3) => Ok(()),
            code => {
                on_stderr(&String::from_utf8_lossy(&ended.stderr));
                anyhow::bail!("the demo's `linqsync {}` ended with {code:?}", arguments.join(" "))
            }
        }
    }

    fn edit_csv(&self, from: &str, to: &str) -> anyhow::Result<()> {
        write_file(&self.csv, &read_file(&self.csv)?.replacen(from, to, 1))
    }

    fn edit_linq(&self, first_name: &str, field: &str, text: &str) -> anyhow::Result<()> {
        let contacts = self.linq.sandbox.contacts();
        let contact =
            contacts.iter().find(|contact| contact.first_name.as_deref() == Some(first_name));
        let contact = contact.with_context(|| format!("{first_name} is not in the sandbox"))?;
        Ok(self.linq.sandbox.set(contact.id, field, text)?)
    }
}

/// Whether what a command prints is to be coloured: as this process prints it.
fn is_colored() -> bool {
    let choice = anstream::AutoStream::choice(&std::io::stdout());
    choice != anstream::ColorChoice::Never
}

/// Begins a step, on a terminal once the one before has been read.
fn begin_step(text: &str) -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        print_text("(Enter goes on) ")?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        print_text("\n")?;
    }
    print_line(text)
}

fn print_line(text: &str) -> anyhow::Result<()> {
    print_text(&format!("{text}\n"))
}

fn indent_lines(text: &str) -> String {
    text.lines().fold(String::new(), |text, line| match line {
        "" => text + "\n",
        line => text + "    " + line + "\n",
    })
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the demo edits files as a person would")]
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn set_private(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}
