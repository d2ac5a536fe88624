//! What people install: `install.sh`, and the scripts and contents of the packages.
//!
//! The artefacts themselves are made by `packaging/dist` and tried by `packaging/try`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const VERSION: &str = "9.8.7";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A server of releases on loopback, a home, and the script as it is published.
struct Release {
    dir: tempfile::TempDir,
    url: String,
}

impl Release {
    /// With a program that says `said`.
    fn of(said: &str) -> Release {
        let dir = tempfile::tempdir().unwrap();
        let release = Release { url: serve(dir.path().join("site")), dir };
        std::fs::create_dir_all(release.site()).unwrap();
        std::fs::create_dir(release.home()).unwrap();
        release.publish(said);
        let script = std::fs::read_to_string(root().join("packaging/install.sh")).unwrap();
        let script = script.replace("@VERSION@", VERSION).replace("@URL@", "http://127.0.0.1:9");
        std::fs::write(release.script(), script).unwrap();
        release
    }

    fn site(&self) -> PathBuf {
        self.dir.path().join("site")
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn script(&self) -> PathBuf {
        self.dir.path().join("install.sh")
    }

    fn archive(&self) -> PathBuf {
        self.site().join(format!("{}.tar.gz", Self::name()))
    }

    fn name() -> String {
        format!("linqsync-{VERSION}-{}-linux", std::env::consts::ARCH)
    }

    fn publish(&self, said: &str) {
        let staged = self.dir.path().join("staged").join(Self::name());
        for directory in ["man", "completions"] {
            std::fs::create_dir_all(staged.join(directory)).unwrap();
        }
        let program = format!("#!/bin/sh\necho '{said}'\n");
        std::fs::write(staged.join("linqsync"), program).unwrap();
        sh(&format!("chmod +x '{}'", staged.join("linqsync").display()));
        for name in [
            "man/linqsync.1.gz",
            "man/linqsync-plan.1.gz",
            "man/sync.toml.5.gz",
            "completions/linqsync.bash",
            "completions/_linqsync",
            "completions/linqsync.fish",
        ] {
            std::fs::write(staged.join(name), name).unwrap();
        }
        sh(&format!(
            "cd '{}' && tar -C ../staged -czf '{}.tar.gz' '{1}' && sha256sum -- *.gz >SHA256SUMS",
            self.site().display(),
            Self::name(),
        ));
    }

    fn install(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("sh");
        command.arg(self.script()).args(arguments).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.home()).env("LINQSYNC_URL", &self.url);
        // Where it installs without an argument depends on who asks; here it is a user.
        if arguments.is_empty() {
            command.args(["--prefix", self.home().join(".local").to_str().unwrap()]);
        }
        command.output().unwrap()
    }

    fn installed(&self, name: &str) -> PathBuf {
        self.home().join(".local").join(name)
    }

    /// Every file below the home.
    fn files(&self) -> Vec<String> {
        let found = sh(&format!("cd '{}' && find . -type f | sort", self.home().display()));
        found.lines().map(str::to_owned).collect()
    }
}

fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Serves the files of a directory until the test is over.
fn serve(site: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for caller in listener.incoming() {
            let mut caller = BufReader::new(caller.unwrap());
            let mut line = String::new();
            while caller.read_line(&mut line).unwrap() > 2 && !line.ends_with("\r\n\r\n") {}
            let name = line.split_whitespace().nth(1).unwrap_or_default().trim_start_matches('/');
            let (status, body) = match std::fs::read(site.join(name)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let caller = caller.get_mut();
            let _ = caller.write_all(head.as_bytes()).and_then(|()| caller.write_all(&body));
        }
    });
    url
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn the_script_installs_replaces_and_removes_the_program_without_root() {
    let release = Release::of("first");
    let output = release.install(&[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("add it to your PATH"), "{}", said(&output));
    let program = release.installed("bin/linqsync");
    assert_eq!(sh(program.to_str().unwrap()), "first\n");
    assert_eq!(release.files().len(), 7, "{:?}", release.files());
    assert!(release.installed("share/man/man5/sync.toml.5.gz").exists());
    assert!(release.installed("share/bash-completion/completions/linqsync").exists());

    release.publish("second");
    assert!(release.install(&[]).status.success());
    assert_eq!(sh(program.to_str().unwrap()), "second\n");

    let kept = release.home().join("sync.toml");
    std::fs::write(&kept, "").unwrap();
    let prefix = release.home().join(".local");
    let removed = release.install(&["--uninstall", "--prefix", prefix.to_str().unwrap()]);
    assert!(removed.status.success(), "{}", said(&removed));
    assert_eq!(release.files(), ["./sync.toml"]);
}

#[test]
fn a_download_that_is_not_what_was_published_installs_nothing() {
    type Spoil = fn(&Release);
    let cases: [(&str, Spoil); 5] = [
        ("is wrong", |release| {
            let mut archive = std::fs::read(release.archive()).unwrap();
            archive.push(0);
            std::fs::write(release.archive(), archive).unwrap();
        }),
        ("is wrong", |release| std::fs::write(release.archive(), "").unwrap()),
        ("has no sum", |release| {
            std::fs::write(release.site().join("SHA256SUMS"), "<html>Not here</html>").unwrap();
        }),
        ("cannot download", |release| {
            std::fs::remove_file(release.site().join("SHA256SUMS")).unwrap();
        }),
        ("cannot download", |release| std::fs::remove_file(release.archive()).unwrap()),
    ];
    for (expected, spoil) in cases {
        let release = Release::of("spoiled");
        spoil(&release);
        let output = release.install(&[]);
        assert!(!output.status.success(), "{expected}");
        assert!(said(&output).contains(expected), "{expected}: {}", said(&output));
        assert_eq!(release.files(), Vec::<String>::new(), "{expected}");
    }
}

#[test]
fn a_script_that_was_cut_on_its_way_does_nothing() {
    let release = Release::of("cut");
    let whole = std::fs::read_to_string(release.script()).unwrap();
    for part in 1..8 {
        let end = whole.floor_char_boundary(whole.trim_end().len() * part / 8);
        std::fs::write(release.script(), &whole[..end]).unwrap();
        release.install(&[]);
        assert_eq!(release.files(), Vec::<String>::new(), "{part} of 8");
    }
}

#[test]
fn a_wrong_argument_is_refused() {
    let release = Release::of("unused");
    for arguments in [&["--help-me"][..], &["--prefix"], &["extra"]] {
        let output = release.install(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(said(&output).contains("usage:"), "{}", said(&output));
        assert_eq!(release.files(), Vec::<String>::new());
    }
}

#[test]
fn every_script_can_be_read_by_its_shell() {
    for (shell, names) in
        [("sh", &["install.sh", "postinst", "prerm", "postrm"][..]), ("bash", &["dist", "try"])]
    {
        for name in names {
            let path = root().join("packaging").join(name);
            let output = Command::new(shell).arg("-n").arg(&path).output().unwrap();
            assert!(output.status.success(), "{name}: {}", said(&output));
        }
    }
}

#[test]
fn the_packages_carry_what_is_in_the_repository() {
    let text = std::fs::read_to_string(root().join("packaging/nfpm.yaml.in")).unwrap();
    let sources = text.lines().filter_map(|line| line.trim().strip_prefix("- {src: "));
    let mut checked = 0;
    for source in sources.map(|line| line.split(',').next().unwrap().trim_matches('"')) {
        if source.starts_with("@STAGE@") {
            continue;
        }
        checked += 1;
        let (directory, pattern) = source.rsplit_once('/').unwrap_or((".", source));
        let end = pattern.trim_start_matches('*');
        let mut names = std::fs::read_dir(root().join(directory)).unwrap();
        let fits = |name: &str| if end == pattern { name == end } else { name.ends_with(end) };
        assert!(
            names.any(|entry| fits(&entry.unwrap().file_name().to_string_lossy())),
            "{source} is not there"
        );
    }
    assert!(checked > 8, "{checked}");
}
