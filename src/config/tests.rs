//! Loading whole configurations.

use std::fs::Permissions;

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::keys::KEYS;
use super::*;
use crate::model::{DeletePolicy, Deletes, Direction, Field, Scope};

use super::reference::EXAMPLE;
const MINIMAL: &str = "[source]\npath = \"contacts.csv\"\n";

#[test]
fn every_label_of_the_standard_is_an_encoding_and_nothing_else_is() {
    let with = |label: &str| {
        let text = format!("{MINIMAL}encoding = {label}\n");
        Config::of_text(std::path::Path::new("/tmp/sync.toml"), &text)
    };
    for label in
        ["\"auto\"", "\"UTF-8\"", "\"KOI8-R\"", "\"cp1254\"", "\"Shift_JIS\"", "\"latin2\""]
    {
        assert!(with(label).is_ok(), "{label}");
    }
    for label in ["\"windows-125O\"", "\"ebcdic\"", "\"replacement\"", "7", "\"\""] {
        let error = with(label).unwrap_err().to_string();
        assert!(error.contains("source.encoding"), "{label}: {error}");
    }
}

/// A file's text and the environment that it is loaded in.
struct ConfigCase<'a> {
    text: &'a str,
    variables: &'a [(&'a str, &'a str)],
    overrides: Overrides,
}

impl<'a> ConfigCase<'a> {
    fn of(text: &'a str) -> ConfigCase<'a> {
        ConfigCase { text, variables: &[], overrides: Overrides::default() }
    }

    fn with(variables: &'a [(&'a str, &'a str)]) -> ConfigCase<'a> {
        ConfigCase { variables, ..ConfigCase::of(MINIMAL) }
    }

    fn load(&self) -> Result<Config, ConfigError> {
        let home = [("HOME", "/home/sam")];
        let variables = home.iter().chain(self.variables).copied();
        let environment = Environment::new(Path::new("/here"), variables);
        from_text(Path::new("/srv/sync.toml"), self.text, 0o600, &environment, &self.overrides)
    }

    fn error(&self) -> String {
        self.load().unwrap_err().to_string()
    }

    fn lines(&self) -> Vec<String> {
        self.load().unwrap_err().lines()
    }
}

fn load(text: &str) -> Config {
    ConfigCase::of(text).load().unwrap()
}

fn uncommented() -> String {
    let is_key = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && *line != "#";
    let lines = EXAMPLE.lines().map(|line| if is_key(&line) { &line[1..] } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

fn at<'a, S>(document: &'a toml_edit::ImDocument<S>, name: &str) -> Option<&'a toml_edit::Item> {
    name.split('.').try_fold(document.as_item(), |item, name| item.get(name))
}

#[test]
fn the_example_loads_as_it_is_and_with_every_key_uncommented() {
    let config = load(EXAMPLE);
    assert_eq!(config.source.path, Path::new("/srv/contacts.csv"));
    assert!(matches!(&config.linq.token, TokenOrigin::File(path) if path == "/srv/linq.token"));

    // A column with whole names stands instead of two others.
    let all = uncommented().replace("full_name =", "#full_name =");
    let all = load(&all);
    assert_eq!(all.sync.fields.len(), 8);
    assert_eq!(all.linq.owner.unwrap().as_str(), "sam@acme.example");
}

#[test]
fn the_example_names_exactly_the_keys_there_are() {
    let (_, unknown) = ConfigFile::parse(&uncommented()).unwrap();
    assert!(unknown.is_empty(), "{unknown:?}");
    let document = toml_edit::ImDocument::parse(uncommented()).unwrap();
    for key in KEYS {
        let item = at(&document, key.name);
        assert!(item.is_some(), "{} is not in the example", key.name);
    }
}

#[test]
fn the_example_shows_the_defaults() {
    let document = toml_edit::ImDocument::parse(EXAMPLE).unwrap();
    for key in KEYS {
        let item = at(&document, key.name);
        match (key.default, item) {
            (Some(default), Some(item)) => {
                let shown = item.as_str().map_or_else(|| item.to_string(), String::from);
                assert_eq!(shown.trim(), default, "{}", key.name);
            }
            (Some(_), None) => panic!("{} is commented in the example", key.name),
            (None, Some(_)) => {
                assert!(["source.path", "linq.token_file"].contains(&key.name), "{}", key.name);
            }
            (None, None) => {}
        }
    }
}

/// A value that no key takes must be refused for each key in the table: so each
/// is read by its section, and none is read as something else.
#[test]
fn every_key_in_the_table_is_read_and_checked() {
    for key in KEYS {
        let path = if key.name == "source.path" { "" } else { MINIMAL };
        let text = format!("{} = [[0]]\n{path}", key.name);
        let text = if key.section().starts_with("source") {
            // A dotted key and a header must not define the same table.
            format!("{}{} = [[0]]", path.replace("[source]\n", "source."), key.name)
        } else {
            text
        };
        let lines = ConfigCase::of(&text).lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(&format!("`{}` must be", key.name)), "{lines:?}");
    }
}

#[test]
fn a_file_that_names_the_source_gets_the_defaults() {
    let config = load(MINIMAL);
    assert_eq!(config.file, Path::new("/srv/sync.toml"));
    assert_eq!(config.linq.base_url.as_str(), "https://api.linqapp.com/");
    assert_eq!(config.linq.concurrency.get(), 4);
    assert_eq!(config.linq.timeout.as_secs(), 30);
    let states = Path::new("/home/sam/.local/state/linqsync");
    assert_eq!(config.state.dir.parent(), Some(states));
    assert_eq!(config.state.all.as_deref(), Some(states));
    assert!(config.state.is_default);
    assert_eq!(config.sync.schedule.to_string(), "0 */5 * * * *");
    assert!(matches!(config.linq.token, TokenOrigin::Unset));
    assert!(config.warnings.is_empty());
    assert_eq!(format!("{:?}", config.policy()), format!("{:?}", Policy::default()));
}

#[test]
fn later_layers_win() {
    let text = "[source]\npath = \"a.csv\"\n[sync]\ndirection = \"push\"\nmax_deletes = 7";
    let variables = [("LINQSYNC_SYNC__DIRECTION", "pull"), ("LINQSYNC_SYNC__MAX_DELETES", "8")];
    let of_file = load(text);
    assert_eq!(of_file.sync.direction, Direction::Push);
    assert_eq!(of_file.sync.max_deletes, Limit::Count(7));

    let of_environment = ConfigCase { variables: &variables, ..ConfigCase::of(text) };
    let config = of_environment.load().unwrap();
    assert_eq!(config.sync.direction, Direction::Pull);
    assert_eq!(config.sync.max_deletes, Limit::Count(8));

    let overrides = Overrides { max_deletes: Some("2.5%".parse().unwrap()) };
    let of_flags = ConfigCase { overrides, ..of_environment };
    let config = of_flags.load().unwrap();
    assert_eq!(config.sync.max_deletes, Limit::Percent { hundredths: 250 });
    assert_eq!(config.sync.direction, Direction::Pull);
}

#[test]
fn a_variable_is_read_as_its_key_wants_it() {
    let config = ConfigCase::with(&[
        ("LINQSYNC_STATE__DIR", "123"),
        ("LINQSYNC_LINQ__TOKEN", "12345"),
        ("LINQSYNC_LINQ__CONCURRENCY", "8"),
        ("LINQSYNC_LINQ__REQUESTS_PER_SECOND", "2.5"),
        ("LINQSYNC_SOURCE__KEY", "true"),
        ("LINQSYNC_SOURCE__FORMULA_GUARD", "false"),
        ("LINQSYNC_SOURCE__COLUMNS__EMAIL", "E-Mail"),
        ("LINQSYNC_SYNC__MAX_DELETES", "5%"),
        ("LINQSYNC_SYNC__DELETES", "{ linq = \"keep\" }"),
        ("LINQSYNC_SYNC__REGION", ""),
        ("LINQSYNC_HOOKS__ON_CHANGE", "[\"notify\", \"-q\"]"),
    ])
    .load()
    .unwrap();
    assert_eq!(
        (config.state.dir.as_path(), config.state.is_default),
        (Path::new("/srv/123"), false)
    );
    assert_eq!(config.linq.token.read().unwrap().expose_secret(), "12345");
    assert_eq!(config.linq.concurrency.get(), 8);
    assert!((config.linq.requests_per_second - 2.5).abs() < f64::EPSILON);
    let keep_linq = Deletes { linq: DeletePolicy::Keep, source: DeletePolicy::Propagate };
    assert_eq!(config.sync.deletes, keep_linq);
    assert_eq!(config.hooks.on_change.unwrap().arguments, ["-q"]);
    let SourceKind::Csv(csv) = config.source.kind else { panic!("not a CSV file") };
    assert_eq!(csv.key.as_deref(), Some("true"));
    assert_eq!(csv.columns[&Field::Email], ["E-Mail"]);
    assert!(!csv.formula_guard);
}

#[test]
fn deletions_are_decided_for_both_sides_or_each() {
    let deletes = |value: &str| load(&format!("{MINIMAL}[sync]\ndeletes = {value}")).sync.deletes;
    let (keep, propagate) = (DeletePolicy::Keep, DeletePolicy::Propagate);
    assert_eq!(deletes("\"keep\""), Deletes { linq: keep, source: keep });
    assert_eq!(deletes("{ source = \"keep\" }"), Deletes { linq: propagate, source: keep });
}

#[test]
fn a_directory_is_a_directory_of_cards_unless_kind_says_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let at = |rest: &str| format!("[source]\npath = {:?}\n{rest}", directory.path());
    assert!(matches!(load(&at("")).source.kind, SourceKind::Vcard(_)));
    assert!(matches!(load(&at("kind = \"csv\"")).source.kind, SourceKind::Csv(_)));
    assert!(matches!(load(MINIMAL).source.kind, SourceKind::Csv(_)));
}

#[test]
fn the_scope_of_an_owner_needs_the_owner() {
    let text = format!("{MINIMAL}[linq]\nscope = \"owner\"");
    insta::assert_snapshot!(ConfigCase::of(&text).error(), @r#"
        `linq.scope` is `owner`, and `linq.owner` is not set
         --> /srv/sync.toml:4:9
          |
        4 | scope = "owner"
          |         ^^^^^^^ set `owner` to the e-mail address whose contacts take part
        "#);
    let config = load(&format!("{text}\nowner = \"sam@acme.example\""));
    assert_eq!(config.policy().scope, Scope::Owners(vec!["sam@acme.example".to_owned()]));
    assert!(!format!("{config:?}").contains("sam@acme"));
}

#[test]
fn a_scope_of_several_owners_gives_new_contacts_to_the_first_or_to_the_owner_among_them() {
    let scope = "scope = [\"sam@acme.example\", \"ida@acme.example\"]";
    let text = format!("{MINIMAL}[linq]\n{scope}");
    let policy = load(&text).policy();
    let both = ["sam@acme.example", "ida@acme.example"].map(str::to_owned);
    assert_eq!(policy.scope, Scope::Owners(both.to_vec()));
    assert_eq!(policy.default_owner.as_deref(), Some("sam@acme.example"));
    let policy = load(&format!("{text}\nowner = \"ida@acme.example\"")).policy();
    assert_eq!(policy.default_owner.as_deref(), Some("ida@acme.example"));
    let outside = ConfigCase::of(&format!("{text}\nowner = \"bo@acme.example\"")).error();
    assert!(outside.contains("`linq.owner` is not among the addresses of `linq.scope`"));
    let name = ConfigCase::of(&format!("{MINIMAL}[linq]\nscope = [\"sam\"]")).error();
    assert!(name.contains("must be `all`, `owner` or an array of e-mail addresses"), "{name}");
}

#[test]
fn an_unknown_key_is_shown_with_the_one_that_was_meant() {
    let text = format!("{MINIMAL}\n[sync]\ndirecshun = \"push\"");
    insta::assert_snapshot!(ConfigCase::of(&text).error(), @r#"
        unknown key `direcshun`
         --> /srv/sync.toml:5:1
          |
        5 | direcshun = "push"
          | ^^^^^^^^^ did you mean `direction`?
        "#);
    insta::assert_snapshot!(ConfigCase::of(&text).lines().join("\n"), @"/srv/sync.toml:5:1: unknown key `direcshun`; did you mean `direction`?");
}

/// Nearly everything that can be wrong, once.
const WRONG: &str = r#"
path = "contacts.csv"
status = 4

[lnq]
timeout = "30s"

[linq]
base_url = "http://api.linqapp.com"
timeout = 30
concurrency = 40
colour = "red"
direction = "push"

[source]
id_column = "Email"
[source.columns]
email = "Email"
fax = "Fax"

[sync]
direction = "psh"
schedule = "*/5 * * * *"
deletes = { linq = "kep" }
watch = "yes"
"#;

fn wrong() -> ConfigCase<'static> {
    let variables =
        &[("LINQSYNC_SYNC__ON_CONFLICT", "newst"), ("LINQSYNC_SYNC__MAX_DELETES", "-1")];
    ConfigCase { variables, ..ConfigCase::of(WRONG) }
}

#[test]
fn everything_that_is_wrong_is_shown_at_once() {
    insta::assert_snapshot!(wrong().error(), @r#"
        unknown key `path`
         --> /srv/sync.toml:2:1
          |
        2 | path = **************
          | ^^^^ it belongs in `[source]`

        error: `status` is a section: write `[status]`
         --> /srv/sync.toml:3:1
          |
        3 | status = *
          | ^^^^^^

        error: unknown section `lnq`
         --> /srv/sync.toml:5:2
          |
        5 | [lnq]
          |  ^^^ did you mean `linq`?

        error: `linq.base_url` must be an https address, not `http://api.linqapp.com`
         --> /srv/sync.toml:9:12
          |
        9 | base_url = "http://api.linqapp.com"
          |            ^^^^^^^^^^^^^^^^^^^^^^^^ plain http is for this machine only, as http://127.0.0.1:8080

        error: `linq.timeout` must be a duration such as "30s", "5m" or "400d", not 30
          --> /srv/sync.toml:10:11
           |
        10 | timeout = 30
           |           ^^ did you mean "30s"?

        error: `linq.concurrency` must be a whole number from 1 to 32, not 40
          --> /srv/sync.toml:11:15
           |
        11 | concurrency = 40
           |               ^^

        error: unknown key `colour`
          --> /srv/sync.toml:12:1
           |
        12 | colour = *****
           | ^^^^^^ known here: base_url, token_file, token_command, token, owner, scope, concurrency, requests_per_second, timeout, max_attempts, settle

        error: unknown key `direction`
          --> /srv/sync.toml:13:1
           |
        13 | direction = ******
           | ^^^^^^^^^ it belongs in `[sync]`

        error: `source.path` is missing
          --> /srv/sync.toml:15:2
           |
        15 | [source]
           |  ^^^^^^

        error: `source.id_column` is the column of `source.columns.email` as well
          --> /srv/sync.toml:16:13
           |
        16 | id_column = "Email"
           |             ^^^^^^^ it will be filled with Linq's ids: name a column of its own

        error: unknown key `fax`
          --> /srv/sync.toml:19:1
           |
        19 | fax = *****
           | ^^^ known here: first_name, last_name, email, phone_number, company, title, location, full_name, owner

        error: `sync.direction` must be `both`, `push` or `pull`, not `psh`
          --> /srv/sync.toml:22:13
           |
        22 | direction = "psh"
           |             ^^^^^ did you mean `push`?

        error: `sync.schedule` must be "every 5m" or a cron pattern of six fields, the first of them seconds, not `*/5 * * * *`
          --> /srv/sync.toml:23:12
           |
        23 | schedule = "*/5 * * * *"
           |            ^^^^^^^^^^^^^ did you mean "0 */5 * * * *"?

        error: `sync.deletes` must be `propagate`, `keep`, or a table such as { linq = "keep" }, not this table
          --> /srv/sync.toml:24:11
           |
        24 | deletes = { linq = "kep" }
           |           ^^^^^^^^^^^^^^^^ did you mean `keep`?

        error: `sync.watch` must be `true` or `false`, not `yes`
          --> /srv/sync.toml:25:9
           |
        25 | watch = "yes"
           |         ^^^^^

        error: `sync.on_conflict` must be `hold`, `source`, `linq` or `newest`, not `newst`
        --> environment variable LINQSYNC_SYNC__ON_CONFLICT
         = help: did you mean `newest`?

        error: `sync.max_deletes` must be a number such as 20, or a percentage such as "5%", not -1
        --> environment variable LINQSYNC_SYNC__MAX_DELETES
        "#);
}

#[test]
fn each_problem_has_a_line_for_logs() {
    insta::assert_snapshot!(wrong().lines().join("\n"), @r#"
        /srv/sync.toml:2:1: unknown key `path`; it belongs in `[source]`
        /srv/sync.toml:3:1: `status` is a section: write `[status]`
        /srv/sync.toml:5:2: unknown section `lnq`; did you mean `linq`?
        /srv/sync.toml:9:12: `linq.base_url` must be an https address, not `http://api.linqapp.com`; plain http is for this machine only, as http://127.0.0.1:8080
        /srv/sync.toml:10:11: `linq.timeout` must be a duration such as "30s", "5m" or "400d", not 30; did you mean "30s"?
        /srv/sync.toml:11:15: `linq.concurrency` must be a whole number from 1 to 32, not 40
        /srv/sync.toml:12:1: unknown key `colour`; known here: base_url, token_file, token_command, token, owner, scope, concurrency, requests_per_second, timeout, max_attempts, settle
        /srv/sync.toml:13:1: unknown key `direction`; it belongs in `[sync]`
        /srv/sync.toml:15:2: `source.path` is missing
        /srv/sync.toml:16:13: `source.id_column` is the column of `source.columns.email` as well; it will be filled with Linq's ids: name a column of its own
        /srv/sync.toml:19:1: unknown key `fax`; known here: first_name, last_name, email, phone_number, company, title, location, full_name, owner
        /srv/sync.toml:22:13: `sync.direction` must be `both`, `push` or `pull`, not `psh`; did you mean `push`?
        /srv/sync.toml:23:12: `sync.schedule` must be "every 5m" or a cron pattern of six fields, the first of them seconds, not `*/5 * * * *`; did you mean "0 */5 * * * *"?
        /srv/sync.toml:24:11: `sync.deletes` must be `propagate`, `keep`, or a table such as { linq = "keep" }, not this table; did you mean `keep`?
        /srv/sync.toml:25:9: `sync.watch` must be `true` or `false`, not `yes`
        environment variable LINQSYNC_SYNC__ON_CONFLICT: `sync.on_conflict` must be `hold`, `source`, `linq` or `newest`, not `newst`; did you mean `newest`?
        environment variable LINQSYNC_SYNC__MAX_DELETES: `sync.max_deletes` must be a number such as 20, or a percentage such as "5%", not -1
        "#);
}

#[test]
fn what_is_not_toml_is_shown_where_it_breaks() {
    insta::assert_snapshot!(ConfigCase::of("[sync]\ndirection = both\n").error(), @r#"
        not valid TOML: invalid string
         --> /srv/sync.toml:2:13
          |
        2 | direction = both
          |             ^ expected `"`, `'`
        "#);
    insta::assert_snapshot!(ConfigCase::of("[sync]\nwatch = true\nwatch = false\n").error(), @"
        not valid TOML: duplicate key `watch` in table `sync`
         --> /srv/sync.toml:3:1
          |
        3 | watch = false
          | ^
        ");
}

#[test]
fn a_broken_file_never_stops_the_message_about_it() {
    for end in (0..EXAMPLE.len()).step_by(31) {
        if let Err(error) = ConfigCase::of(&EXAMPLE[..end]).load() {
            assert!(!error.to_string().is_empty() && !error.lines().is_empty());
            assert!(error.render().contains("error"));
        }
    }
}

#[test]
fn a_quoted_name_with_a_dot_in_it_is_no_key() {
    let line = |text: &str| ConfigCase::of(&format!("{text}\n{MINIMAL}")).lines().join("\n");
    assert!(line("\"sync.watch\" = true").contains("unknown key `sync.watch`"));
    assert!(line("\"sync.fields\" = 1").contains("write `[sync.fields]`"));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let error = |text: &str| ConfigCase::of(&format!("{MINIMAL}{text}")).lines().join("\n");
    insta::assert_snapshot!(error("[sync]\ndirection = \"push\"\n[sync.fields]\nowner = \"pull\""), @"/srv/sync.toml:6:9: `sync.fields.owner` is `pull`, and `sync.direction` is `push`; a field can narrow `both` and nothing else");
    insta::assert_snapshot!(error("[source.columns]\nemail = \"Mail\"\nowner = \"Mail\""), @"/srv/sync.toml:5:9: `source.columns.owner` is the column of `source.columns.email` as well");
    insta::assert_snapshot!(error("key = \"ID\"\nid_column = \"ID\""), @"/srv/sync.toml:4:13: `source.id_column` is the column of `source.key` as well; it will be filled with Linq's ids: name a column of its own");
}

#[test]
fn unknown_variables_are_warnings_and_reserved_names_are_not() {
    let config = ConfigCase::with(&[
        ("LINQSYNC_SYNC__DIRECTON", "push"),
        ("LINQSYNC_WHATEVER", "s3cr3t"),
        ("LINQSYNC_CONFIG", "/etc/sync.toml"),
        ("LINQSYNC_LOG", "debug"),
    ])
    .load()
    .unwrap();
    let warnings: Vec<String> = config.warnings.iter().map(Warning::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"), @"
        the environment variable LINQSYNC_SYNC__DIRECTON sets nothing; did you mean LINQSYNC_SYNC__DIRECTION?
        the environment variable LINQSYNC_WHATEVER sets nothing
        ");
}

/// Wherever a token is misplaced, it is in no message.
#[test]
fn no_message_and_no_debug_output_contains_a_token() {
    let wrong = [
        "[linq]\ntoken = \"s3cr3t",
        "[linq]\ntoken = [\"s3cr3t\"]",
        "[linq]\ntokn = \"s3cr3t\"",
        "[linq]\ntimeout = 3\ntoken = \"s3cr3t\"",
        "[linq]\nbase_url = \"https://sam:s3cr3t@example.org\"",
        "[linq]\nbase_url = \"https://example.org?token=s3cr3t\"",
        "[linq]\ntoken_command = \"pass s3cr3t\"\n[linq.token]\nvalue = \"s3cr3t\"",
        "linq = { token = \"s3cr3t\", timeout = 3 }",
        "[hooks]\nping_url = \"hc.example/s3cr3t\"",
    ];
    for text in wrong.map(|text| format!("{MINIMAL}{text}")) {
        let error = ConfigCase::of(&text).load().unwrap_err();
        let all = format!("{error}\n{error:?}\n{}\n{:?}", error.render(), error.lines());
        assert!(!all.contains("s3cr3t"), "{all}");
    }
    let variables = [("LINQ_TOKEN", "s3cr3t"), ("LINQSYNC_HOOKS__PING_URL", "s3cr3t")];
    let error = ConfigCase::with(&variables).load().unwrap_err();
    assert!(!format!("{error}{error:?}{}", error.render()).contains("s3cr3t"));

    let config = load(&format!("{MINIMAL}[linq]\ntoken = \"s3cr3t\""));
    assert!(!format!("{config:?}").contains("s3cr3t"));
    assert_eq!(config.linq.token.read().unwrap().expose_secret(), "s3cr3t");
}

#[test]
fn a_token_that_is_a_number_is_refused_without_being_shown() {
    let text = format!("{MINIMAL}[linq]\ntoken = 12345");
    let error = ConfigCase::of(&text).error();
    assert!(!error.contains("12345"));
    insta::assert_snapshot!(error, @"
        `linq.token` must be a text, not a number
         --> /srv/sync.toml:4:9
          |
        4 | token = *****
          |         ^^^^^
        ");
}

#[test]
fn the_first_place_with_a_token_wins() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("linq-token"), "of-systemd").unwrap();
    let credentials = directory.path().to_str().unwrap();
    let mut text = format!("{MINIMAL}[linq]\ntoken = \"inline\"\n");
    let source = |text: &str, variables: &[(&str, &str)]| {
        let config = ConfigCase { variables, ..ConfigCase::of(text) }.load().unwrap();
        config.linq.token.to_string()
    };
    assert_eq!(source(&text, &[]), "`linq.token`");
    text += "token_command = [\"bin/token\", \"x\"]\n";
    assert_eq!(source(&text, &[]), "the command /srv/bin/token");
    text += "token_file = \"linq.token\"\n";
    assert_eq!(source(&text, &[]), "the file /srv/linq.token");
    let variable = ("LINQ_TOKEN", "of-environment");
    assert_eq!(source(&text, &[variable]), "the environment variable LINQ_TOKEN");
    let both = [variable, ("CREDENTIALS_DIRECTORY", credentials)];
    assert_eq!(source(&text, &both), "the systemd credential `linq-token`");
    assert_eq!(source(&text, &[("LINQ_TOKEN", "")]), "the environment variable LINQ_TOKEN");
    let without = [variable, ("CREDENTIALS_DIRECTORY", "/nowhere")];
    assert_eq!(source(&text, &without), "the environment variable LINQ_TOKEN");
}

/// A directory with a `sync.toml` of this mode.
fn directory(text: &[u8], mode: u32) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sync.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    directory
}

fn environment(directory: &TempDir) -> Environment {
    Environment::new(directory.path(), [("XDG_CONFIG_HOME", "/nowhere"), ("HOME", "/nowhere")])
}

#[test]
fn the_file_is_found_in_the_working_directory_or_where_it_is_said_to_be() {
    let here = directory(MINIMAL.as_bytes(), 0o644);
    let none = Overrides::default();
    let found = Config::load_in(&environment(&here), None, &none).unwrap();
    assert_eq!(found.file, here.path().join("sync.toml"));
    assert_eq!(found.source.path, here.path().join("contacts.csv"));

    let elsewhere = tempfile::tempdir().unwrap();
    let named = Config::load_in(&environment(&elsewhere), Some(&found.file), &none).unwrap();
    assert_eq!(named.source.path, found.source.path);

    let relative = Path::new("other.toml");
    let error = Config::load_in(&environment(&here), Some(relative), &none).unwrap_err();
    let expected = here.path().join("other.toml");
    assert!(matches!(error, ConfigError::Io { path, .. } if path == expected));
}

#[test]
fn a_readable_file_with_the_token_in_it_is_a_warning() {
    let text = format!("{MINIMAL}[linq]\ntoken = \"s3cr3t\"");
    for (mode, warned) in [(0o600, false), (0o640, true), (0o604, true)] {
        let directory = directory(text.as_bytes(), mode);
        let config =
            Config::load_in(&environment(&directory), None, &Overrides::default()).unwrap();
        assert_eq!(!config.warnings.is_empty(), warned, "{mode:o}");
        for warning in config.warnings {
            let text = warning.to_string();
            assert!(text.contains("run: chmod 600 ") && !text.contains("s3cr3t"), "{text}");
        }
    }
}

#[test]
fn a_file_in_another_encoding_is_named_with_its_line() {
    let directory = directory(b"[source]\npath = \"\xe9.csv\"", 0o600);
    let error = Config::load_in(&environment(&directory), None, &Overrides::default());
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("not UTF-8 text: see line 2"), "{text}");
}

#[test]
fn a_file_with_a_byte_order_mark_loads() {
    load(&format!("\u{feff}{MINIMAL}"));
}

#[test]
fn what_is_no_configuration_is_refused_at_once() {
    // A table of many lines in the place of sync.toml, below what is read at most and above.
    for lines in [20_000, 100_000] {
        let table = "Ann,Bell,ann@people.example,+447700900123,Acme\n".repeat(lines);
        let directory = directory(table.as_bytes(), 0o600);
        let began = std::time::Instant::now();
        let error = Config::load_in(&environment(&directory), None, &Overrides::default());
        let text = error.unwrap_err().render();
        assert!(!text.contains("people.example"), "{text}");
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{lines}");
    }
}
