//! `report`: the data quality of both sides.
//!
//! The source is read as it is now, Linq's contacts are those of the last run. Owns how findings
//! are shown: summary first, then by kind, as text, as a table and as JSON. What counts as one
//! is in `look`.

mod look;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::config::Config;
use crate::model::Side;
use crate::open;
use crate::report::ReportedError;

use super::args::{OutputArgs, ReportArgs};
use super::attention::quote_value;
use super::once::file_name;
use super::pager::{self, Pages};
use super::text::{count_noun, shown_text};
use super::{ignore_closed_pipe, print_bytes, print_json, refuse_command, table};
use look::{QualityFinding, QualityKind, QualityResult, check_quality};

/// How many contacts of a kind are shown before they are only counted.
const SHOWN: usize = 25;

const COLUMNS: [&str; 12] = [
    "finding",
    "side",
    "name",
    "place",
    "linq_id",
    "line",
    "email",
    "phone_number",
    "field",
    "value",
    "cell",
    "detail",
];

/// Shows the data quality. Returns the exit code.
pub(super) fn quality_report(
    output: OutputArgs,
    config: &Config,
    args: &ReportArgs,
) -> anyhow::Result<u8> {
    if output.json && args.csv {
        let message = "--json and --csv exclude one another".to_owned();
        let hint = "take one of them".to_owned();
        return refuse_command(output, &ReportedError { code: 2, message, hint });
    }
    let state = match open::open_state_reading(config) {
        Ok(state) => state,
        Err(error) => return refuse_command(output, &error.to_reported_error()),
    };
    let looked = match check_quality(&state, config) {
        Ok(looked) => looked,
        Err(error) => return refuse_command(output, &error),
    };
    if args.csv {
        print_bytes(&table::write_table(COLUMNS, looked.findings.iter().map(finding_row)))?;
    } else if output.json {
        print_json(&quality_document(&looked))?;
    } else {
        let mut pages = Pages::open();
        let text =
            quality_text(&looked, &file_name(&config.source.path), pager::terminal_columns());
        ignore_closed_pipe(pages.write_all(text.as_bytes()).and_then(|()| pages.flush()))?;
    }
    Ok(0)
}

fn side_name(finding: &QualityFinding) -> &'static str {
    finding.side.name()
}

fn finding_row(finding: &QualityFinding) -> [Cow<'_, str>; 12] {
    [
        Cow::Borrowed(finding.kind.name()),
        Cow::Borrowed(side_name(finding)),
        Cow::Borrowed(&finding.name),
        Cow::Borrowed(&finding.place),
        Cow::Owned(finding.linq_id.map(|id| id.to_string()).unwrap_or_default()),
        Cow::Owned(finding.line.map(|line| line.to_string()).unwrap_or_default()),
        Cow::Borrowed(&finding.email),
        Cow::Borrowed(&finding.phone_number),
        Cow::Borrowed(&finding.field),
        Cow::Borrowed(&finding.value),
        Cow::Borrowed(&finding.cell),
        Cow::Borrowed(&finding.detail),
    ]
}

/// How many findings there are of each kind on each side.
fn count_findings(looked: &QualityResult) -> BTreeMap<(QualityKind, Side), usize> {
    let mut counts = BTreeMap::new();
    for finding in &looked.findings {
        *counts.entry((finding.kind, finding.side)).or_default() += 1;
    }
    counts
}

fn quality_document(looked: &QualityResult) -> Value {
    let counts = count_findings(looked);
    let summary = QualityKind::ALL.map(|kind| {
        let count = |side| counts.get(&(kind, side)).copied().unwrap_or_default();
        json!({
            "finding": kind.name(),
            "source": count(Side::Source),
            "linq": count(Side::Linq),
        })
    });
    let finding = |finding: &QualityFinding| {
        json!({
            "finding": finding.kind.name(),
            "side": side_name(finding),
            "name": finding.name,
            "place": finding.place,
            "linq_id": finding.linq_id,
            "line": finding.line,
            "field": finding.field,
            "value": finding.value,
            "cell": finding.cell,
            "detail": finding.detail,
        })
    };
    json!({
        "schema": "linqsync.report/1",
        "source": looked.records,
        "linq": looked.contacts,
        "summary": summary,
        "findings": looked.findings.iter().map(finding).collect::<Vec<Value>>(),
        "error": null,
    })
}

fn quality_text(looked: &QualityResult, source: &str, width: Option<usize>) -> String {
    let mut text = String::new();
    let source = shown_text(source, 24);
    let records = count_noun(looked.records, "contact", "contacts");
    let contacts = match looked.contacts {
        Some(contacts) => count_noun(contacts, "contact", "contacts"),
        None => "not known before the first run".to_owned(),
    };
    let _ = writeln!(text, "{:<26} {source}: {records}; Linq: {contacts}", "data quality");
    let counts = count_findings(looked);
    for kind in QualityKind::ALL {
        let of = |side| counts.get(&(kind, side)).copied().unwrap_or_default();
        let told: Vec<String> = [(&*source, of(Side::Source)), ("Linq", of(Side::Linq))]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(side, count)| format!("{count} in {side}"))
            .collect();
        if !told.is_empty() {
            let _ = writeln!(text, "{:<26} {}", kind.report_words(), told.join(", "));
        }
    }
    if looked.findings.is_empty() {
        return text + "nothing to improve was found\n";
    }
    for kind in QualityKind::ALL {
        let found: Vec<&QualityFinding> =
            looked.findings.iter().filter(|one| one.kind == kind).collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", kind.report_words());
        for finding in found.iter().take(SHOWN) {
            let line = finding_line(finding, &source);
            text += &width.map_or_else(|| line.clone(), |width| shown_text(&line, width));
            text.push('\n');
        }
        if found.len() > SHOWN {
            let more = found.len() - SHOWN;
            let _ = writeln!(text, "  … and {more} more; `linqsync report --csv` lists all");
        }
    }
    text
}

fn finding_line(finding: &QualityFinding, source: &str) -> String {
    let side = match finding.side {
        Side::Source => source,
        Side::Linq => "Linq",
    };
    let who = match (finding.name.is_empty(), finding.place.is_empty()) {
        (true, true) => String::new(),
        (true, false) => shown_text(&finding.place, 40),
        (false, true) => shown_text(&finding.name, 40),
        (false, false) => {
            format!("{} ({})", shown_text(&finding.name, 40), shown_text(&finding.place, 40))
        }
    };
    let value = if finding.value.is_empty() { String::new() } else { quote_value(&finding.value) };
    let at = if finding.cell.is_empty() { String::new() } else { shown_text(&finding.cell, 60) };
    let detail = shown_text(&finding.detail, 200);
    let parts: Vec<String> = [side.to_owned(), who, value, at, detail]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    format!("  {}", parts.join("  "))
}
