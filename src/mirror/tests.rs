//! The state as a whole: opening it, sharing it, losing room for it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use super::testing::{ada, at, commit, contact, deletion, insert};
use super::*;
use crate::model::{Field, FieldChange, LinqId, Side};

/// A state directory that does not exist yet, and what cleans it up.
fn place() -> (PathBuf, tempfile::TempDir) {
    let outer = tempfile::tempdir().unwrap();
    (outer.path().join("state"), outer)
}

fn record(id: u64) -> StateChange {
    StateChange {
        link: insert(id),
        contact: ContactChange::Store { contact: contact(id, ada()).into(), raw: "{}".to_owned() },
        history: vec![deletion(Side::Linq, id)],
        ..StateChange::default()
    }
}

#[test]
fn everything_is_there_again_after_reopening() {
    let (dir, _outer) = place();
    let state = State::open(&dir, at(0)).unwrap();
    let run = state.begin_run(at(0)).unwrap();
    let kind = IntentKind::AddToSource { linq_id: LinqId(7), values: ada() };
    let intents = state.plan_intents(run, at(1), &[NewIntent { link: None, kind }]).unwrap();
    state.mark_sent(intents[0], at(2)).unwrap();
    state.commit_changes(run, at(3), &[record(7)]).unwrap();
    let before = (
        state.links().unwrap(),
        state.contacts().unwrap(),
        state.open_intents().unwrap(),
        state.history_of_run(run).unwrap(),
        state.last_runs(9).unwrap(),
    );
    drop(state);

    let state = State::open(&dir, at(0)).unwrap();
    let after = (
        state.links().unwrap(),
        state.contacts().unwrap(),
        state.open_intents().unwrap(),
        state.history_of_run(run).unwrap(),
        state.last_runs(9).unwrap(),
    );
    assert_eq!(before, after);
    assert_eq!(before.2[0].sent_at, Some(at(2)));
}

#[test]
fn a_second_opening_names_the_process_that_holds_the_state() {
    let (dir, _outer) = place();
    let first = State::open(&dir, at(0)).unwrap();
    let Err(StateError::Held { dir: held, holder: Some(holder) }) = State::open(&dir, at(0)) else {
        panic!("the state was opened twice");
    };
    assert_eq!((held, holder.pid), (dir.clone(), std::process::id()));
    drop(first);
    State::open(&dir, at(0)).unwrap();
}

#[test]
fn another_process_that_holds_the_state_is_named() {
    let (dir, _outer) = place();
    drop(State::open(&dir, at(0)).unwrap());
    let mut other = Command::new("flock")
        .arg(dir.join("lock"))
        .args(["sh", "-c", "echo held; cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let outcome = State::open(&dir, at(0));
    drop(other.stdin.take());
    other.wait().unwrap();
    let Err(StateError::Held { holder: Some(holder), .. }) = outcome else {
        panic!("the state was opened beside its holder");
    };
    assert_eq!(holder.pid, other.id());
}

/// Every file of a directory but SQLite's companions: content and time of change.
fn contents(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| !path.to_string_lossy().ends_with("-wal"))
        .filter(|path| !path.to_string_lossy().ends_with("-shm"))
        .map(|path| {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            (path.clone(), (fs::read(&path).unwrap(), modified))
        })
        .collect()
}

#[test]
fn a_scratch_copy_changes_nothing_on_disk_and_can_be_written() {
    let (dir, _outer) = place();
    let state = State::open(&dir, at(0)).unwrap();
    commit(&state, [record(7)]).unwrap();
    let links = state.links().unwrap();
    drop(state);
    let before = contents(&dir);

    let scratch = State::open_copy(&dir).unwrap();
    assert_eq!(scratch.links().unwrap(), links);
    commit(&scratch, [record(8)]).unwrap();
    assert_eq!(scratch.links().unwrap().len(), 2);
    assert_eq!(scratch.backups_dir().unwrap(), dir.join("backups"));
    drop(scratch);

    assert_eq!(contents(&dir), before);
    assert_eq!(State::open(&dir, at(0)).unwrap().links().unwrap(), links);
}

#[test]
fn a_scratch_copy_beside_the_daemon_sees_what_it_last_committed() {
    let (dir, _outer) = place();
    let daemon = State::open(&dir, at(0)).unwrap();
    commit(&daemon, [record(7)]).unwrap();
    let before = contents(&dir);
    let scratch = State::open_copy(&dir).unwrap();
    assert_eq!(contents(&dir), before);

    commit(&daemon, [record(8)]).unwrap();
    assert_eq!(scratch.links().unwrap().len(), 1, "a copy stands still");
    assert_eq!(State::open_copy(&dir).unwrap().links().unwrap().len(), 2);
}

#[test]
fn a_state_that_is_read_stands_still_keeps_nobody_waiting_and_cannot_be_written() {
    let (dir, _outer) = place();
    let daemon = State::open(&dir, at(0)).unwrap();
    commit(&daemon, [record(7)]).unwrap();
    let before = contents(&dir);
    let reading = State::open_reading(&dir).unwrap();
    daemon.conn.busy_timeout(std::time::Duration::ZERO).unwrap();
    commit(&daemon, [record(8)]).unwrap();
    assert_eq!(reading.links().unwrap().len(), 1, "all of it is of one moment");
    assert_eq!(reading.contacts().unwrap().len(), 1);
    assert_eq!(State::open_reading(&dir).unwrap().links().unwrap().len(), 2);
    assert!(reading.begin_run(at(1)).is_err());
    drop(reading);
    assert_eq!(contents(&dir), before, "what was committed is still in the log");
}

#[test]
fn reading_a_state_that_nobody_holds_changes_nothing_on_disk() {
    let (dir, outer) = place();
    assert_eq!(State::open_reading(&dir).unwrap().links().unwrap(), []);
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 0);
    drop(State::open(&dir, at(0)).unwrap());
    let before = contents(&dir);
    let pair = SyncPair { base_url: "http://a".to_owned(), source: "/b".to_owned() };
    let reading = State::open_reading(&dir).unwrap();
    reading.expect_pair(&pair).unwrap();
    assert_eq!(reading.stored_pair().unwrap(), None);
    drop(reading);
    assert_eq!(contents(&dir), before);
}

/// Damages a page of the history, which is read by nobody who opens the state.
fn damage(dir: &Path) {
    let path = dir.join("state.db");
    let root: u32 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'history'", [], |r| r.get(0))
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[(root as usize - 1) * 4096] = 0x77;
    fs::write(&path, bytes).unwrap();
}

/// Makes the state pass for one that was checked at `at(0)` and left in order.
fn pass_as_checked(dir: &Path) {
    drop(checked::OrderlyEnd { path: dir.join("state.db"), checked_at: at(0) });
}

#[test]
fn all_of_the_state_is_checked_once_a_day_and_whenever_the_clock_is_wrong() {
    let (dir, _outer) = place();
    drop(State::open(&dir, at(0)).unwrap());
    damage(&dir);
    pass_as_checked(&dir);
    let state = State::open(&dir, at(86_399)).unwrap();
    let met = state.whole_history().unwrap_err();
    assert!(matches!(met, StateError::Corrupt { .. }), "{met}");
    drop(state);
    for now in [at(86_400), at(-1)] {
        assert!(matches!(State::open(&dir, now), Err(StateError::Corrupt { .. })), "{now}");
    }
}

#[test]
fn a_check_counts_from_one_opening_to_the_next_and_is_made_anew_in_time() {
    let (dir, _outer) = place();
    for hour in 0..60 {
        let state = State::open(&dir, at(hour * 3_600)).unwrap();
        commit(&state, [record(u64::try_from(hour).unwrap())]).unwrap();
        drop(state);
        let checked = checked::last_check(&dir.join("state.db"));
        assert_eq!(checked, Some(at(hour / 24 * 86_400)), "hour {hour}");
    }
}

#[test]
fn whoever_opens_a_state_that_another_program_has_changed_checks_it_and_leaves_it() {
    let (dir, _outer) = place();
    drop(State::open(&dir, at(0)).unwrap());
    damage(&dir);
    let before = contents(&dir);
    for opened in [
        State::open(&dir, at(1)).map(drop),
        State::open_beside(&dir).map(drop),
        State::open_copy(&dir).map(drop),
        State::open_reading(&dir).map(drop),
    ] {
        assert!(matches!(opened, Err(StateError::Corrupt { .. })));
    }
    assert_eq!(contents(&dir), before);
}

#[test]
fn a_state_whose_process_was_killed_is_checked() {
    let (dir, outer) = place();
    drop(State::open(&dir, at(0)).unwrap());
    let state = State::open(&dir, at(1)).unwrap();
    commit(&state, [record(7)]).unwrap();
    // What a kill leaves behind, in another place.
    let killed = outer.path().join("killed");
    let status = Command::new("cp").args(["-a", "--"]).args([&dir, &killed]).status().unwrap();
    assert!(status.success());
    assert_eq!(checked::last_check(&killed.join("state.db")), None);
    assert_eq!(checked::last_check(&dir.join("state.db")), None);
    drop(state);
    assert_eq!(checked::last_check(&dir.join("state.db")), Some(at(0)));
}

#[test]
fn decisions_beside_nobody_leave_the_state_as_checked_as_they_found_it() {
    let (dir, _outer) = place();
    drop(State::open(&dir, at(0)).unwrap());
    let state = State::open_beside(&dir).unwrap().unwrap();
    state.begin_run(at(5)).unwrap();
    drop(state);
    assert_eq!(checked::last_check(&dir.join("state.db")), Some(at(0)));
}

#[test]
fn a_scratch_copy_of_nothing_is_empty_and_makes_nothing() {
    let (dir, outer) = place();
    let scratch = State::open_copy(&dir).unwrap();
    assert_eq!(scratch.links().unwrap(), []);
    commit(&scratch, [record(7)]).unwrap();
    scratch.backups_dir().unwrap();
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 0);
}

#[test]
fn a_full_disk_is_said_to_be_full_and_what_was_committed_stays() {
    let (dir, _outer) = place();
    let state = State::open(&dir, at(0)).unwrap();
    commit(&state, [record(7)]).unwrap();
    let pages: i64 = state.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    state.conn.pragma_update(None, "max_page_count", pages + 1).unwrap();
    let run = state.begin_run(at(0)).unwrap();
    let many: Vec<StateChange> = (100..1_100).map(record).collect();
    assert!(matches!(state.commit_changes(run, at(1), &many), Err(StateError::Full { .. })));
    assert_eq!(state.links().unwrap().len(), 1);
    assert_eq!(state.contacts().unwrap().len(), 1);
    assert_eq!(state.history_of_run(run).unwrap(), []);

    state.conn.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    state.commit_changes(run, at(2), &many).unwrap();
    assert_eq!(state.links().unwrap().len(), 1_001);
}

#[test]
fn another_program_that_writes_makes_the_state_busy() {
    let (dir, _outer) = place();
    let state = State::open(&dir, at(0)).unwrap();
    state.conn.busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = Connection::open(dir.join("state.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(state.begin_run(at(0)), Err(StateError::Busy { .. })));
    assert_eq!(state.links().unwrap(), [], "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    state.begin_run(at(0)).unwrap();
}

#[test]
fn a_row_that_another_program_spoiled_is_damage_and_not_a_guess() {
    let (dir, _outer) = place();
    let state = State::open(&dir, at(0)).unwrap();
    commit(&state, [record(7)]).unwrap();
    state.conn.execute("UPDATE links SET base = '{\"email\": \"ada@x.org\"}'", []).unwrap();
    let error = state.links().unwrap_err();
    assert!(matches!(error, StateError::Corrupt { .. }));
    assert!(!format!("{error} {error:?}").contains("ada@"));
}

/// The rows of a view or table as text.
fn rows(state: &State, sql: &'static str) -> Vec<Vec<String>> {
    let mut statement = state.conn.prepare(sql).unwrap();
    let columns = statement.column_count();
    let cell = |row: &rusqlite::Row<'_>, n| {
        row.get::<_, rusqlite::types::Value>(n).map(|value| match value {
            rusqlite::types::Value::Null => "-".to_owned(),
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            real @ rusqlite::types::Value::Real(_) => format!("{real:?}"),
            blob @ rusqlite::types::Value::Blob(_) => format!("{blob:?}"),
        })
    };
    statement
        .query_map([], |row| (0..columns).map(|n| cell(row, n)).collect())
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap()
}

#[test]
fn the_views_answer_people_in_their_own_words() {
    let (dir, _outer) = place();
    let state = State::open(&dir, at(0)).unwrap();
    let run = state.begin_run(at(0)).unwrap();
    let shown = contact(8, ada());
    state.store_contacts(run, at(0), [ShownContact { contact: &shown, raw: "{}" }]).unwrap();
    let mut updated = record(7);
    let change =
        |field, from: &str, to: &str| FieldChange { field, from: from.into(), to: to.into() };
    updated.history[0].changes =
        vec![change(Field::Title, "", "Countess"), change(Field::Company, "Engine", "")];
    updated.history.push(deletion(Side::Source, 9));
    state.commit_changes(run, at(1), &[updated]).unwrap();

    let contacts = rows(
        &state,
        "SELECT linq_id, first_name, email, owner, linked, source_key, updated_at
         FROM contacts ORDER BY linq_id",
    );
    let expected = |id, linked| {
        [id, "Ada", "ada@example.org", "", linked, "-", "2027-01-15T07:59:52.000Z"]
            .map(String::from)
            .to_vec()
    };
    assert_eq!(contacts, [expected("7", "1"), expected("8", "0")]);

    let changes =
        rows(&state, "SELECT at, side, action, linq_id, field, old, new, run_outcome FROM changes");
    let expected = |cells: [&str; 7]| {
        let mut row = vec!["2027-01-15T08:00:01.000Z".to_owned()];
        row.extend(cells.map(String::from));
        row
    };
    assert_eq!(
        changes,
        [
            expected(["linq", "delete", "7", "title", "", "Countess", "-"]),
            expected(["linq", "delete", "7", "company", "Engine", "", "-"]),
            expected(["source", "delete", "9", "-", "-", "-", "-"]),
        ]
    );
}
