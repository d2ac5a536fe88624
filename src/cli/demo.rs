//! `demo`: the whole story in a temporary directory, against the sandbox over HTTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Environment, Overrides};
use crate::open::{self, Linq};
use crate::plan::{Observation, Plan};
use crate::report::RunReport;
use crate::run::{Sides, Terms, preview, run};
use crate::sandbox::{Options, Running, Sandbox};
use crate::source::Access;

use super::{now, print, show};

const TOKEN: &str = "demo-token";

const PEOPLE: &str = "\
First Name,Last Name,Email,Phone,Company,Title,Notes
Ada,King,ada@engines.example,(415) 555-2671,Engines,Countess,\"a \"\"poet\"\"\"
Bo,Wang,bo@lanterns.example,,Lanterns,Engineer,met in Oslo
Kai,Novák,kai@harbour.example,+44 20 7946 0018,Harbour & Sons,Pilot,
Léa,Rossi,lea@atelier.example,,Atelier,Designer,prefers e-mail
Noor,Haddad,noor@harbour.example,,Harbour & Sons,Captain,
";

/// Tells the story. Returns the exit code.
pub(super) async fn demo() -> anyhow::Result<u8> {
    let dir = tempfile::Builder::new().prefix("linqsync-demo-").tempdir()?.keep();
    let demo = Demo::set_up(dir).await?;
    demo.first_sync().await?;
    demo.edits_on_both_sides().await?;
    demo.a_conflict().await?;
    demo.a_deletion().await?;
    demo.nothing_to_do().await?;
    demo.goodbye()?;
    Ok(0)
}

struct Demo {
    dir: PathBuf,
    csv: PathBuf,
    config: Config,
    linq: Running,
}

impl Demo {
    async fn set_up(dir: PathBuf) -> anyhow::Result<Demo> {
        let sandbox = Sandbox::new(Options {
            token: TOKEN.to_owned(),
            now: Arc::new(now),
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
        let linq = sandbox.start().await.context("cannot start the sandbox")?;
        let csv = dir.join("contacts.csv");
        let file = dir.join("sync.toml");
        write(&csv, PEOPLE)?;
        let url = &linq.url;
        write(
            &file,
            &format!(
                "[linq]\nbase_url = \"{url}\"\ntoken = \"{TOKEN}\"\nrequests_per_second = 500\n\n\
                 [source]\npath = \"contacts.csv\"\nquiet = \"0s\"\n\n[state]\ndir = \"state\"\n"
            ),
        )?;
        set_private(&file)?;
        let environment = Environment::new(&dir, std::iter::empty::<(String, String)>());
        let config = Config::load_in(&environment, Some(&file), &Overrides::default())?;
        Ok(Demo { dir, csv, config, linq })
    }

    async fn first_sync(&self) -> anyhow::Result<()> {
        say(&format!(
            "linqsync keeps contacts the same in two places. Here they are:\n\
             - a spreadsheet with five people:  {}\n\
             - Linq, played by a server on this machine, with two people: Léa, who is\n\
             \x20 in the spreadsheet too, and Sam, who is not.\n\n\
             1. The first run. It links who is the same, fills blanks, creates who is\n\
             missing on either side, and deletes nobody. This is its plan:\n",
            self.csv.display()
        ))?;
        self.show_and_run().await?;
        say(&format!("The spreadsheet now:\n\n{}", indented(&read(&self.csv)?)))
    }

    async fn edits_on_both_sides(&self) -> anyhow::Result<()> {
        say("2. Edits on both sides. You change Ada's company in the spreadsheet; a colleague\n\
             changes her title in Linq. Both edits are kept, on both sides:\n")?;
        self.edit_csv("Engines", "Engines Ltd")?;
        self.edit_linq("Ada", "title", "Lady")?;
        self.show_and_run().await
    }

    async fn a_conflict(&self) -> anyhow::Result<()> {
        say("3. A conflict. Both sides change Bo's title, to different things. Neither value\n\
             is overwritten: both stay where they are until somebody decides, and everything\n\
             else goes on:\n")?;
        self.edit_csv("Engineer", "Chief Engineer")?;
        self.edit_linq("Bo", "title", "CTO")?;
        self.edit_linq("Kai", "location", "Rotterdam")?;
        self.show_and_run().await?;
        say("Somebody decides, by giving both sides the same title:\n")?;
        self.edit_linq("Bo", "title", "Chief Engineer")?;
        self.show_and_run().await
    }

    async fn a_deletion(&self) -> anyhow::Result<()> {
        say("4. A deletion. You remove Noor's row. She was synced before and the whole file\n\
             was read, so she is deleted in Linq, too. What she was is kept in the history:\n")?;
        let text = read(&self.csv)?;
        let kept: String =
            text.split_inclusive('\n').filter(|line| !line.starts_with("Noor,")).collect();
        write(&self.csv, &kept)?;
        self.show_and_run().await
    }

    async fn nothing_to_do(&self) -> anyhow::Result<()> {
        say("5. One more run, without any edit. Nothing is written, anywhere:\n")?;
        let before = read(&self.csv)?;
        self.linq.sandbox.forget_requests();
        self.show_and_run().await?;
        let requests = self.linq.sandbox.requests();
        let writes = requests.iter().filter(|request| request.method != "GET").count();
        let same = if read(&self.csv)? == before { "the same to the byte" } else { "CHANGED" };
        say(&format!("Writes sent to Linq: {writes}. The spreadsheet is {same}.\n"))
    }

    fn goodbye(&self) -> anyhow::Result<()> {
        let dir = self.dir.display();
        say(&format!(
            "That was all. The files are in {dir}\n\
             \x20 contacts.csv    the spreadsheet, as the runs left it\n\
             \x20 sync.toml       the configuration\n\
             \x20 state/          the mirror of Linq, the history, the first copy of the file\n\
             Nothing else was touched; remove the directory when you like.\n\n\
             Try your own file: `linqsync init FILE` looks at it and sets it up, `linqsync\n\
             plan` shows what a run would do, and `linqsync --once` does it. Without an\n\
             account, `linqsync sandbox` plays Linq.\n"
        ))
    }

    async fn show_and_run(&self) -> anyhow::Result<()> {
        let name = "contacts.csv";
        let (plan, seen) = self.plan().await?;
        print(&indented(&show::plan_text(&plan, &seen, name)))?;
        let report = self.run().await?;
        print(&format!("\n{}\n", indented(&show::run_text(&report, name))))
    }

    async fn plan(&self) -> anyhow::Result<(Plan, Observation)> {
        let state = open::scratch(&self.config)?;
        let mut source = open::source(&self.config, Access::ReadOnly);
        let client = Linq::of(&self.config)?.client(1);
        let mut sides = Sides { linq: &client, source: &mut *source, state: &state };
        let stop = CancellationToken::new();
        let (plan, seen, _) = preview(&mut sides, &terms(&self.config.policy(), &stop)).await?;
        Ok((plan, seen))
    }

    async fn run(&self) -> anyhow::Result<RunReport> {
        let state = open::state(&self.config)?;
        let mut source = open::source(&self.config, Access::Exclusive);
        let client = Linq::of(&self.config)?.client(1);
        let mut sides = Sides { linq: &client, source: &mut *source, state: &state };
        let stop = CancellationToken::new();
        let ran = run(&mut sides, &terms(&self.config.policy(), &stop)).await;
        match &ran.report.error {
            Some(error) => anyhow::bail!("the demo's run failed: {}", error.message),
            None => Ok(ran.report),
        }
    }

    fn edit_csv(&self, from: &str, to: &str) -> anyhow::Result<()> {
        write(&self.csv, &read(&self.csv)?.replacen(from, to, 1))
    }

    fn edit_linq(&self, first_name: &str, field: &str, text: &str) -> anyhow::Result<()> {
        let contacts = self.linq.sandbox.contacts();
        let contact =
            contacts.iter().find(|contact| contact.first_name.as_deref() == Some(first_name));
        let contact = contact.with_context(|| format!("{first_name} is not in the sandbox"))?;
        Ok(self.linq.sandbox.set(contact.id, field, text)?)
    }
}

fn terms<'a>(policy: &'a crate::model::Policy, stop: &'a CancellationToken) -> Terms<'a> {
    Terms {
        policy,
        settle: Duration::from_secs(2),
        history: chrono::TimeDelta::days(400),
        clock: &now,
        stop,
        by: None,
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |text, line| match line {
        "" => text + "\n",
        line => text + "    " + line + "\n",
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the demo edits files as a person would")]
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn set_private(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}
