//! A file as a value: what its bytes hold, and what they are after edits.
//!
//! Owns the way from the bytes of one version to the proven bytes of the next, also for
//! tools, fuzzers and simulations that work without a directory. Leaves the disk, locks
//! and editors to [`super::CsvSource`].

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{AsWritten, Fingerprint, Positions, RecordIndex, Resting, SourceRecord};
use crate::source::atomic;
use crate::source::{SourceEdit, SourceError, SourceReading, WriteError, WriteReceipt};

use super::sheet::Sheet;
use super::table_edit::TableEdit;
use super::text::DecodedTable;
use super::{Charset, CsvOptions, Defect, TableShape};

/// One version of a file.
pub struct TableVersion {
    sheet: Sheet,
}

impl fmt::Debug for TableVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} rows)", self.sheet.rows.len())
    }
}

impl TableVersion {
    /// Reads the file that consists of `raw`.
    ///
    /// # Errors
    /// [`SourceError::Unusable`] when it cannot be read as a table of contacts.
    pub fn parse(
        raw: Vec<u8>,
        options: &CsvOptions,
    ) -> Result<(TableVersion, SourceReading), SourceError> {
        TableVersion::parse_beside(raw, options, &Resting::default())
    }

    /// The same, without the records of the pairs that are `resting`.
    ///
    /// # Errors
    /// As [`TableVersion::parse`].
    pub fn parse_beside(
        raw: Vec<u8>,
        options: &CsvOptions,
        resting: &Resting,
    ) -> Result<(TableVersion, SourceReading), SourceError> {
        let parsed = Sheet::parse_sheet(raw, options, resting);
        let (sheet, reading) = parsed.map_err(|defect| defect.source_error(&options.path))?;
        Ok((TableVersion { sheet }, reading))
    }

    /// The records of these pairs, which were at rest when it was read.
    pub fn at_rest(&self, pairs: &Positions, options: &CsvOptions) -> Vec<SourceRecord> {
        self.sheet.at_rest(pairs, options)
    }

    /// The records at rest next to one of these, each with the position of its pair.
    pub fn records_beside(
        &self,
        at: &[RecordIndex],
        options: &CsvOptions,
    ) -> Vec<(usize, SourceRecord)> {
        self.sheet.records_beside(at, options)
    }

    /// All its bytes.
    pub fn raw_bytes(&self) -> &[u8] {
        self.sheet.text.raw_bytes()
    }

    /// The record `at`, whole and as it is written; empty if there is none.
    pub fn as_written(&self, at: RecordIndex) -> AsWritten {
        self.sheet.as_written(at)
    }

    /// Stands for what [`TableVersion::as_written`] says of the record `at`.
    pub fn record_stamp(&self, at: RecordIndex) -> Fingerprint {
        self.sheet.record_stamp(at)
    }

    /// What of a row that `was` there cannot come back, for people.
    pub fn lost_columns(&self, was: &AsWritten) -> Vec<String> {
        let lost = self.sheet.lost_columns(was).into_iter();
        lost.map(|column| format!("its column “{column}”")).collect()
    }

    /// What was found out about it.
    pub fn table_shape(&self) -> TableShape {
        let columns = &self.sheet.columns;
        let header = columns.names();
        let (mut best, mut further) = (BTreeMap::new(), BTreeMap::new());
        for (field, all) in columns.fields() {
            let mut names = all.iter().map(|place| columns.name_of(place));
            best.extend(names.next().map(|name| (field, name)));
            if names.len() > 0 {
                further.insert(field, names.collect());
            }
        }
        TableShape {
            encoding: self.sheet.text.encoding_name(),
            delimiter: self.sheet.dialect.delimiter,
            header: header.to_vec(),
            full_name: columns.whole_name().map(|column| header[column].clone()),
            columns: best,
            further,
        }
    }

    /// The next version, after `edits`, and what became of them: `None` where every byte
    /// stays as it is. It is proven to differ as intended and in nothing else.
    ///
    /// # Errors
    /// [`WriteError::ReadOnly`] when it must not be written; [`WriteError::Unfaithful`]
    /// for a mistake in linqsync.
    pub fn with_edits(
        &self,
        options: &CsvOptions,
        edits: &[SourceEdit],
    ) -> Result<(Option<TableVersion>, WriteReceipt), WriteError> {
        self.edited_beside(options, edits, &Resting::default())
    }

    /// The same, read without the records of the pairs that are `resting`.
    ///
    /// # Errors
    /// As [`TableVersion::with_edits`].
    pub fn edited_beside(
        &self,
        options: &CsvOptions,
        edits: &[SourceEdit],
        resting: &Resting,
    ) -> Result<(Option<TableVersion>, WriteReceipt), WriteError> {
        let path = || options.path.clone();
        let read_only = |reason| WriteError::ReadOnly { path: path(), reason };
        let unfaithful = |problem| WriteError::Unfaithful { path: path(), problem };
        if let Some(reason) = &self.sheet.read_only {
            return Err(read_only(reason.clone()));
        }
        let draft = TableEdit::new(&self.sheet, edits);
        let changes = !draft.is_empty();
        let (next, written) = rewrite_table(&draft, options, edits, resting).map_err(unfaithful)?;
        if changes {
            check_encoding(&next, options).map_err(read_only)?;
        }
        Ok((changes.then_some(TableVersion { sheet: next }), written))
    }
}

/// The file after the edits that are `wanted` and that `table_edit` has taken up, read
/// like any other, and what became of them.
fn rewrite_table(
    draft: &TableEdit<'_>,
    options: &CsvOptions,
    wanted: &[SourceEdit],
    resting: &Resting,
) -> Result<(Sheet, WriteReceipt), String> {
    let text = &draft.sheet.text;
    let raw = if draft.is_empty() {
        text.raw_bytes().to_vec()
    } else {
        text.encode_body(&draft.render_text())
    };
    let asked = options;
    let options = CsvOptions { encoding: edited_encoding(text, options), ..options.clone() };
    let parsed = Sheet::parse_like(raw, &options, Some(&draft.sheet.columns), resting);
    let (after, mut reading) = parsed.map_err(|defect| defect.problem)?;
    // That it is read so is nothing that anybody has configured.
    reading.manner.encoding.asked = asked.encoding.to_string();
    let edits = draft.verify_edit(&after)?;
    reading.add_edited(&edits, |at| after.record_at(at, &options));
    reading.keep_choices(wanted, &edits);
    let version = (!draft.is_empty()).then(|| atomic::version_of(reading.fingerprint));
    let versions = vec![version; edits.len()];
    Ok((after, WriteReceipt { edits, versions, reading, failed: None }))
}

/// Makes sure that the encoding of an edited file can still be found out; otherwise says
/// why it must not be written.
fn check_encoding(after: &Sheet, options: &CsvOptions) -> Result<(), String> {
    let again = DecodedTable::new(after.text.raw_bytes().to_vec(), &options.encoding);
    again.map(drop).map_err(|Defect { line, problem, .. }| {
        let place = line.map(|line| format!(" on line {line}")).unwrap_or_default();
        format!(
            "afterwards it would be unreadable{place}: it {problem}; mend the damaged character"
        )
    })
}

/// The encoding in which the file is read once it is edited. Where single characters of a
/// file in UTF-8 are damaged, the edits may have taken the last sound one by which it was
/// told from Windows-1252.
fn edited_encoding(text: &DecodedTable, options: &CsvOptions) -> Charset {
    if text.is_utf8() { Charset::Named("utf-8".to_owned()) } else { options.encoding.clone() }
}
