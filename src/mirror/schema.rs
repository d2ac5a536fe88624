//! What `state.db` looks like: its migrations, its settings, its application id.
//!
//! Owns every `CREATE`. Leaves the statements that read and write rows to the
//! file that owns the rows.
//!
//! # For people who read the state with `sqlite3`
//!
//! `docs/reference/state.md` describes every column. Open the state read-only (`sqlite3 -readonly state.db`) and ask the views; they show
//! instants as text in UTC and stay the same from one version to the next as far
//! as possible.
//!
//! | view | one row for each |
//! |---|---|
//! | `contacts` | contact in Linq, as Linq last showed it: `linq_id`, the eight fields, `linked` (1 or 0), `source_key`, `updated_at` |
//! | `changes` | field that a run changed (`field`, `old`, `new`), or event without fields: `id`, `run`, `run_started_at`, `run_outcome`, `at`, `side`, `action`, `linq_id`, `source_key`, `name`, `reason`, `approved`, `decided_by`, `decided_with`, `decided_at` |
//!
//! The tables hold instants as whole milliseconds since 1970-01-01T00:00:00Z and
//! may change with any version:
//!
//! | table | one row for each |
//! |---|---|
//! | `meta` | thing remembered of the configuration: `pair`, `mapping`, `backed_up_at`, `linq_down`, `counted`, `notified`, `epoch`, `reading_at_rest`; values are JSON |
//! | `runs` | run: when, how it ended, its report as JSON; unfinished while it runs or when it was killed |
//! | `linq_contacts` | contact as Linq last showed it, with its JSON as it came in `raw` |
//! | `links` | pair of a source record and a contact; `base` is `{"email": ["text in the source", "text in Linq"], …}`, with a third `"apart"` where the two are meant to differ, and `null` for what was read under other settings; `names` holds fingerprints of how a card told its name |
//! | `intents` | open intent, that is, write that may be on its way |
//! | `history` | thing that was done or decided; rows are never changed; `bases` is what there is to know to put it back, `decided` who decided it, with which command and when |
//! | `rejections` | field or write that Linq refused, kept until what would be sent changes or it is sent again; `fields` are those that Linq named |
//! | `not_found` | linked contact that Linq said does not exist while its listing was in parts: since when, and in how many runs |
//! | `rests` | pair that need not be read again while both halves are as they were; `files_at_rest` the same of files of cards, `unlinked` the pairs whose record is still to be forgotten |
//! | `waiting` | thing that waits for a person, as the last run left it, as JSON |
//! | `ignored` | thing that waited and is ignored, as it was shown, until that is taken back: by whom and since when |
//! | `applied` | saved plan that was applied: no plan is applied twice |
//! | `decisions` | decision of a person about one of them, with what was shown, until it is carried out or void |
//!
//! `linq_id` is Linq's 64-bit number; one from 2^63 upwards would show as negative.

use rusqlite_migration::{M, Migrations};

/// The application id in the header of `state.db`: the letters `Linq`.
pub(super) const APPLICATION_ID: i32 = 0x4C69_6E71;

/// Settings of one connection. They are made before anything is read from the
/// file and leave it as it is.
pub(super) const CONNECTION: &str = "
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA mmap_size = 0;
    PRAGMA foreign_keys = ON;
    PRAGMA secure_delete = ON;
    PRAGMA synchronous = FULL;
    PRAGMA journal_size_limit = 16777216;
";

/// What is committed is durable.
pub(super) const DURABLE: &str = "PRAGMA synchronous = FULL";

/// What is committed is durable with the next commit that is.
pub(super) const SOON: &str = "PRAGMA synchronous = NORMAL";

/// Readers never wait for the writer, and with `synchronous = FULL` what was
/// committed survives a loss of power.
pub(super) const WRITE_AHEAD: &str = "PRAGMA journal_mode = WAL;";

/// Every step from an empty file to the present schema. A released step is never
/// edited: a new one follows it.
const STEPS: &[M<'static>] = &[
    M::up(FIRST),
    M::up(UNDO),
    M::up(YEARS),
    M::up(REMOVED),
    M::up(DECISIONS),
    M::up(MEANINGS),
    M::up(CONTENT),
    M::up(NAMES),
    M::up(KNOWN_SINCE),
    M::up(REFUSED_FIELDS),
    M::up(NOT_FOUND),
    M::up(DECIDED),
    M::up(GONE),
    M::up(VERSIONS),
    M::up(RESTS),
    M::up(IGNORED),
    M::up(EXCLUDED),
];

/// The migrations, applied in one transaction.
pub(super) const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// The version of the schema that this program writes.
pub(super) const VERSION: usize = STEPS.len();

const FIRST: &str = "
PRAGMA application_id = 1281977969;

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    outcome     TEXT,
    report      TEXT CHECK (report IS NULL OR json_valid(report)),
    CHECK ((finished_at IS NULL) = (outcome IS NULL))
) STRICT;

CREATE TABLE linq_contacts (
    linq_id      INTEGER PRIMARY KEY,
    first_name   TEXT NOT NULL,
    last_name    TEXT NOT NULL,
    email        TEXT NOT NULL,
    phone_number TEXT NOT NULL,
    company      TEXT NOT NULL,
    title        TEXT NOT NULL,
    location     TEXT NOT NULL,
    owner_email  TEXT NOT NULL,
    created_at   INTEGER,          -- as Linq says
    updated_at   INTEGER,          -- as Linq says
    raw          TEXT NOT NULL,    -- the answer's JSON
    read_at      INTEGER NOT NULL,
    read_in_run  INTEGER NOT NULL
) STRICT;

CREATE TABLE links (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    linq_id              INTEGER NOT NULL UNIQUE,
    status               TEXT NOT NULL CHECK (status IN ('linked', 'released')),
    source_key           TEXT,
    fingerprint          BLOB NOT NULL CHECK (length(fingerprint) = 32), -- of the record's bytes
    base                 TEXT NOT NULL CHECK (json_valid(base)),
    source_missing_since INTEGER,
    linq_missing_since   INTEGER
) STRICT;

CREATE TABLE intents (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run        INTEGER NOT NULL REFERENCES runs (id),
    link       INTEGER,
    kind       TEXT NOT NULL CHECK (json_valid(kind)),
    state      TEXT NOT NULL CHECK (state IN ('planned', 'sent')),
    planned_at INTEGER NOT NULL,
    sent_at    INTEGER,            -- the last time
    attempts   INTEGER NOT NULL DEFAULT 0,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
) STRICT;
CREATE INDEX intents_of_run ON intents (run);

CREATE TABLE history (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run        INTEGER NOT NULL REFERENCES runs (id),
    at         INTEGER NOT NULL,
    side       TEXT NOT NULL CHECK (side IN ('source', 'linq')),
    action     TEXT NOT NULL,
    linq_id    INTEGER,
    source_key TEXT,
    name       TEXT NOT NULL,
    changes    TEXT NOT NULL CHECK (json_valid(changes)),
    before     TEXT,               -- the whole contact or row, where it was deleted
    reason     TEXT NOT NULL,
    approved   INTEGER NOT NULL CHECK (approved IN (0, 1))
) STRICT;
CREATE INDEX history_of_run ON history (run);
CREATE INDEX history_of_contact ON history (linq_id);
CREATE INDEX history_by_time ON history (at);
CREATE TRIGGER history_is_append_only BEFORE UPDATE ON history
BEGIN
    SELECT RAISE(ABORT, 'history is append only');
END;

CREATE TABLE rejections (
    fingerprint BLOB PRIMARY KEY CHECK (length(fingerprint) = 32), -- of what was sent
    linq_id     INTEGER,
    source      TEXT,
    line        INTEGER,
    reason      TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE waiting (
    what     BLOB PRIMARY KEY CHECK (length(what) = 32), -- of exactly this, values and all
    position INTEGER NOT NULL,
    waiting  TEXT NOT NULL CHECK (json_valid(waiting))
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    what     BLOB PRIMARY KEY REFERENCES waiting (what) ON DELETE CASCADE,
    decision TEXT NOT NULL CHECK (json_valid(decision)),
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIEW contacts AS
SELECT c.linq_id, c.first_name, c.last_name, c.email, c.phone_number, c.company, c.title,
       c.location, c.owner_email AS owner,
       l.status IS 'linked' AS linked,
       l.source_key,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.updated_at / 1000.0, 'unixepoch') AS updated_at
FROM linq_contacts AS c LEFT JOIN links AS l USING (linq_id);

CREATE VIEW changes AS
SELECT h.id, h.run,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.started_at / 1000.0, 'unixepoch') AS run_started_at,
       r.outcome AS run_outcome,
       strftime('%Y-%m-%dT%H:%M:%fZ', h.at / 1000.0, 'unixepoch') AS at,
       h.side, h.action, h.linq_id, h.source_key, h.name,
       f.value ->> 'field' AS field, f.value ->> 'from' AS old, f.value ->> 'to' AS new,
       h.reason, h.approved
FROM history AS h JOIN runs AS r ON r.id = h.run LEFT JOIN json_each(h.changes) AS f;
";

/// What there is to know to put back what a run did.
const UNDO: &str = "
ALTER TABLE runs ADD COLUMN undoes INTEGER; -- the run that this one put back
ALTER TABLE history ADD COLUMN bases TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(bases));
CREATE TABLE applied (
    what BLOB PRIMARY KEY CHECK (length(what) = 32), -- of the whole plan
    run  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What keeps a run from reading all that was before it.
const YEARS: &str = "
CREATE INDEX deletions ON history (side, at) WHERE action = 'delete' AND approved = 0;
CREATE INDEX runs_by_start ON runs (started_at);
";

/// What there is to know to put back a record that was removed from the source.
const REMOVED: &str = "
ALTER TABLE history ADD COLUMN place TEXT; -- where it was
ALTER TABLE history ADD COLUMN bytes BLOB; -- its bytes, where `before` does not tell them
";

/// A decision keeps what was shown, and no longer goes with what waits. What was left of a
/// list is held like everything that waits.
const DECISIONS: &str = "
CREATE TABLE kept (
    what     BLOB PRIMARY KEY CHECK (length(what) = 32),
    waiting  TEXT NOT NULL CHECK (json_valid(waiting)), -- as it was shown
    decision TEXT NOT NULL CHECK (json_valid(decision)),
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO kept (what, waiting, decision, at)
    SELECT d.what, w.waiting, d.decision, d.at FROM decisions AS d JOIN waiting AS w USING (what);
DROP TABLE decisions;
ALTER TABLE kept RENAME TO decisions;
DELETE FROM meta WHERE name = 'kept_back';
";

/// Halves of a base may be `null`, which programs of old cannot read.
const MEANINGS: &str = "";

/// A base may have a member `names`, which programs of old cannot read.
const NAMES: &str = "";

/// What there is to know to tell an edit of a record from another way of writing it.
const CONTENT: &str = "
ALTER TABLE links ADD COLUMN content BLOB CHECK (content IS NULL OR length(content) = 32);
";

/// What was there before a create was sent, without a look at any clock.
const KNOWN_SINCE: &str = "
ALTER TABLE linq_contacts ADD COLUMN known_since INTEGER NOT NULL DEFAULT 0; -- the last intent then
";

/// Which fields Linq named when it refused something. Of what was refused before, that is
/// not known.
const REFUSED_FIELDS: &str = "
ALTER TABLE rejections ADD COLUMN fields TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(fields));
";

/// What there is to know to tell that somebody is gone whom no whole listing lacks.
const NOT_FOUND: &str = "
CREATE TABLE not_found (
    linq_id  INTEGER PRIMARY KEY,
    since    INTEGER NOT NULL,
    runs     INTEGER NOT NULL,     -- one after another in which it was asked for in vain
    last_run INTEGER NOT NULL
) STRICT;
";

/// Who decided something, and who asked for a run. Of earlier ones that is not known.
const DECIDED: &str = "
ALTER TABLE decisions ADD COLUMN decided_by TEXT; -- the user
ALTER TABLE history ADD COLUMN decided TEXT CHECK (decided IS NULL OR json_valid(decided));
ALTER TABLE runs ADD COLUMN asked_by TEXT; -- the user; NULL for those of the daemon
ALTER TABLE runs ADD COLUMN command TEXT;
DROP VIEW changes;
CREATE VIEW changes AS
SELECT h.id, h.run,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.started_at / 1000.0, 'unixepoch') AS run_started_at,
       r.outcome AS run_outcome,
       strftime('%Y-%m-%dT%H:%M:%fZ', h.at / 1000.0, 'unixepoch') AS at,
       h.side, h.action, h.linq_id, h.source_key, h.name,
       f.value ->> 'field' AS field, f.value ->> 'from' AS old, f.value ->> 'to' AS new,
       h.reason, h.approved,
       h.decided ->> 'by' AS decided_by, h.decided ->> 'command' AS decided_with,
       h.decided ->> 'at' AS decided_at
FROM history AS h JOIN runs AS r ON r.id = h.run LEFT JOIN json_each(h.changes) AS f;
";

/// What there is to know to put back a record that a person had removed.
const GONE: &str = "
ALTER TABLE history ADD COLUMN record TEXT; -- as it was written
";

/// What there is to know to take back what a write had set that a late save replaced.
const VERSIONS: &str = "
ALTER TABLE history ADD COLUMN version TEXT; -- of the file that was written
CREATE INDEX history_by_version ON history (version) WHERE version IS NOT NULL;
";

/// What there is to know to leave out of a run what comes to nothing.
const RESTS: &str = "
CREATE INDEX released ON links (id) WHERE status = 'released';
CREATE TABLE rests (
    linq_id INTEGER PRIMARY KEY,
    link    INTEGER NOT NULL,
    contact BLOB NOT NULL CHECK (length(contact) = 16), -- digest of it as Linq shows it
    record  BLOB NOT NULL CHECK (length(record) = 16),  -- digest of it as it is written
    counted INTEGER NOT NULL,                           -- what of it is filled
    marks   BLOB NOT NULL                               -- by what it can be recognised
) STRICT;
CREATE TABLE files_at_rest (
    path        BLOB PRIMARY KEY,
    stamp       BLOB NOT NULL CHECK (length(stamp) = 56), -- size, times and inode
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    records     BLOB NOT NULL                             -- their digests, one after another
) STRICT, WITHOUT ROWID;
CREATE TABLE unlinked (
    link INTEGER PRIMARY KEY -- whose record is still to be forgotten
) STRICT;
CREATE TRIGGER a_changed_link_is_not_at_rest AFTER UPDATE ON links
BEGIN
    DELETE FROM rests WHERE linq_id = old.linq_id;
END;
CREATE TRIGGER a_removed_link_is_not_at_rest AFTER DELETE ON links
BEGIN
    DELETE FROM rests WHERE linq_id = old.linq_id;
    INSERT OR IGNORE INTO unlinked (link) VALUES (old.id);
END;
CREATE TRIGGER a_released_link_keeps_no_record AFTER UPDATE OF status ON links
WHEN new.status = 'released'
BEGIN
    INSERT OR IGNORE INTO unlinked (link) VALUES (old.id);
END;
CREATE TRIGGER a_changed_contact_is_not_at_rest AFTER UPDATE ON linq_contacts
BEGIN
    DELETE FROM rests WHERE linq_id = old.linq_id;
END;
CREATE TRIGGER a_forgotten_contact_is_not_at_rest AFTER DELETE ON linq_contacts
BEGIN
    DELETE FROM rests WHERE linq_id = old.linq_id;
END;
";

/// What people want to be ignored.
const IGNORED: &str = "
CREATE TABLE ignored (
    what       BLOB PRIMARY KEY CHECK (length(what) = 32),
    waiting    TEXT NOT NULL CHECK (json_valid(waiting)), -- as it was shown
    decided_by TEXT,                                      -- the user
    at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Why a released pair takes no part.
const EXCLUDED: &str = "
ALTER TABLE links ADD COLUMN excluded TEXT CHECK (excluded IN ('selection', 'ignored'));
";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn the_migrations_apply_to_an_empty_file_and_sign_it() {
        MIGRATIONS.validate().unwrap();
        let mut conn = Connection::open_in_memory().unwrap();
        MIGRATIONS.to_latest(&mut conn).unwrap();
        let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!(pragma("application_id").unwrap(), i64::from(APPLICATION_ID));
        assert_eq!(usize::try_from(pragma("user_version").unwrap()), Ok(VERSION));
    }

    #[test]
    fn decisions_of_an_older_state_keep_what_they_are_about() {
        let mut conn = Connection::open_in_memory().unwrap();
        MIGRATIONS.to_version(&mut conn, 4).unwrap();
        conn.execute_batch(
            "INSERT INTO meta VALUES ('kept_back', '{}');
             INSERT INTO waiting VALUES (zeroblob(32), 0, '{\"reason\": \"held\"}');
             INSERT INTO decisions VALUES (zeroblob(32), '{\"decision\": \"approve\"}', 7);",
        )
        .unwrap();
        MIGRATIONS.to_latest(&mut conn).unwrap();
        conn.execute("DELETE FROM waiting", []).unwrap();
        let kept: (String, String, i64) = conn
            .query_row("SELECT waiting, decision, at FROM decisions", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        let expected = ("{\"reason\": \"held\"}", "{\"decision\": \"approve\"}", 7);
        assert_eq!((kept.0.as_str(), kept.1.as_str(), kept.2), expected);
        let metas: i64 = conn.query_row("SELECT count(*) FROM meta", [], |row| row.get(0)).unwrap();
        assert_eq!(metas, 0);
    }

    #[test]
    fn what_an_older_state_knows_of_contacts_and_refusals_is_kept() {
        let mut conn = Connection::open_in_memory().unwrap();
        MIGRATIONS.to_version(&mut conn, 7).unwrap();
        conn.execute_batch(
            "INSERT INTO linq_contacts VALUES
                 (7, 'Ada', '', '', '', '', '', '', '', NULL, NULL, '{}', 1, 1);
             INSERT INTO rejections VALUES (zeroblob(32), 7, 'row:2', 2, 'too long', 3);",
        )
        .unwrap();
        MIGRATIONS.to_latest(&mut conn).unwrap();
        let kept: (String, i64, String, String) = conn
            .query_row(
                "SELECT first_name, known_since, reason, fields
                 FROM linq_contacts JOIN rejections USING (linq_id)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .unwrap();
        assert_eq!((&*kept.0, kept.1, &*kept.2, &*kept.3), ("Ada", 0, "too long", "[]"));
    }

    #[test]
    fn of_an_older_state_nobody_knows_who_decided_and_it_can_be_read() {
        let mut conn = Connection::open_in_memory().unwrap();
        MIGRATIONS.to_version(&mut conn, 10).unwrap();
        conn.execute_batch(
            "INSERT INTO runs (id, started_at) VALUES (1, 0);
             INSERT INTO history (run, at, side, action, name, changes, reason, approved, before)
             VALUES (1, 0, 'source', 'delete', 'Ada', '[]', 'deleted in Linq', 1, 'Ada,…');
             INSERT INTO decisions VALUES (zeroblob(32), '{}', '{\"decision\": \"retry\"}', 7);",
        )
        .unwrap();
        MIGRATIONS.to_latest(&mut conn).unwrap();
        let text = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, Option<String>>(0));
        assert_eq!(text("SELECT decided_by FROM decisions").unwrap(), None);
        assert_eq!(text("SELECT decided_by FROM changes").unwrap(), None);
        assert_eq!(text("SELECT asked_by FROM runs").unwrap(), None);
        assert_eq!(text("SELECT record FROM history").unwrap(), None);
        assert_eq!(text("SELECT before FROM history").unwrap().as_deref(), Some("Ada,…"));
    }

    #[test]
    fn history_cannot_be_rewritten() {
        let mut conn = Connection::open_in_memory().unwrap();
        MIGRATIONS.to_latest(&mut conn).unwrap();
        conn.execute_batch(
            "INSERT INTO runs (id, started_at) VALUES (1, 0);
             INSERT INTO history (run, at, side, action, name, changes, reason, approved)
             VALUES (1, 0, 'linq', 'create', 'Ada', '[]', '', 0);",
        )
        .unwrap();
        let error = conn.execute("UPDATE history SET name = 'Bob'", []).unwrap_err();
        assert!(error.to_string().contains("append only"), "{error}");
        assert_eq!(conn.execute("DELETE FROM history", []).unwrap(), 1, "retention still works");
    }
}
