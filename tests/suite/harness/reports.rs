//! The two JSON documents, and what every one of them must be.

use serde_json::{Value, json};

use super::process::EndedProcess;

/// The members of `linqsync.run/1`, in alphabetical order.
const OF_A_RUN: [&str; 19] = [
    "ambiguous",
    "conflicts",
    "dry_run",
    "error",
    "finished_at",
    "held_changes",
    "held_clears",
    "held_deletes",
    "in_sync",
    "linked",
    "linq",
    "outcome",
    "rejected",
    "requests",
    "run",
    "schema",
    "skipped",
    "source",
    "started_at",
];

/// A run, as its JSON document tells it.
#[derive(Debug)]
pub(crate) struct PrintedRun {
    pub(crate) ended: EndedProcess,
    pub(crate) json: Value,
}

impl PrintedRun {
    /// Reads the report of a linqsync that has ended. Stdout must be this one
    /// document and agree with the exit code.
    #[track_caller]
    pub(crate) fn of(ended: EndedProcess) -> PrintedRun {
        let json: Value = serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", ended.stdout, ended.stderr));
        is_a_run(&json);
        let code = match json["outcome"].as_str().unwrap() {
            "clean" => 0,
            "attention" => 3,
            "held" => 4,
            "failed" => json["error"]["code"].as_i64().unwrap(),
            other => panic!("there is no outcome `{other}`"),
        };
        assert_eq!(ended.code.map(i64::from), Some(code), "{json:#}\n{}", ended.stderr);
        PrintedRun { ended, json }
    }

    /// The same, if it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> PrintedRun {
        assert_eq!(self.ended.code, Some(code), "{:#}\n{}", self.json, self.ended.stderr);
        self
    }

    /// Seen, created, updated and deleted in Linq.
    pub(crate) fn linq(&self) -> [u64; 4] {
        self.side("linq")
    }

    /// Seen, created, updated and deleted in the source.
    pub(crate) fn source(&self) -> [u64; 4] {
        self.side("source")
    }

    fn side(&self, side: &str) -> [u64; 4] {
        ["seen", "created", "updated", "deleted"]
            .map(|count| self.json[side][count].as_u64().unwrap())
    }

    /// A count at the top, such as `linked`.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.json[name].as_u64().unwrap()
    }

    /// Requests of a kind, or `retries`.
    pub(crate) fn requests(&self, kind: &str) -> u64 {
        self.json["requests"][kind].as_u64().unwrap()
    }

    /// What people should know, in lines.
    pub(crate) fn notices(&self) -> String {
        let notices = self.json["notices"].as_array().cloned().unwrap_or_default();
        notices.iter().map(|notice| notice.as_str().unwrap().to_owned() + "\n").collect()
    }

    pub(crate) fn message(&self) -> &str {
        self.json["error"]["message"].as_str().unwrap()
    }
}

#[track_caller]
fn is_a_run(json: &Value) {
    let mut names = names(json);
    // Only there where there is something to tell.
    names.retain(|name| !["notices", "pending", "unknown", "outside"].contains(name));
    assert_eq!(names, OF_A_RUN);
    assert_eq!(json["schema"], "linqsync.run/1");
    for at in ["started_at", "finished_at"] {
        let text = json[at].as_str().unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(text).is_ok(), "{text}");
        assert!(text.ends_with('Z') && text.len() == 20, "{text}");
    }
    if !json["error"].is_null() {
        assert_eq!(self::names(&json["error"]), ["code", "hint", "message"]);
    }
}

/// The names of an object's members, in alphabetical order.
fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A plan, as its JSON document tells it.
#[derive(Debug)]
pub(crate) struct PrintedPlan {
    pub(crate) json: Value,
}

impl PrintedPlan {
    /// Reads the plan of a linqsync that has ended. Stdout must be this one
    /// document.
    #[track_caller]
    pub(crate) fn of(ended: &EndedProcess) -> PrintedPlan {
        let json: Value = serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", ended.stdout, ended.stderr));
        assert_eq!(json["schema"], "linqsync.plan/1");
        let summary = &json["summary"];
        is_a_run(summary);
        assert_eq!((&summary["run"], &summary["dry_run"]), (&Value::Null, &json!(true)));
        PrintedPlan { json }
    }

    pub(crate) fn steps(&self) -> &[Value] {
        self.json["steps"].as_array().unwrap()
    }

    /// Each step's side and action, `linq update`.
    pub(crate) fn outline(&self) -> Vec<String> {
        let side = |step: &Value| step["side"].as_str().unwrap_or("null").to_owned();
        let action = |step: &Value| step["action"].as_str().unwrap().to_owned();
        self.steps().iter().map(|step| side(step) + " " + &action(step)).collect()
    }
}
