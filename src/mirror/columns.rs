//! How the nouns are written into columns and read back.
//!
//! Instants are whole milliseconds since the epoch, fingerprints are their 32
//! bytes, enums are their names, and what has a shape of its own is JSON. Linq's
//! ids are unsigned and SQLite's integers are not: an id keeps its 64 bits.

use chrono::DateTime;
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::history::HistoryAction;
use super::intent::IntentState;
use crate::model::{
    Exclusion, Fingerprint, IntentId, LinkId, LinkStatus, LinqId, RunId, Side, SourceKey, Timestamp,
};

/// An instant as a column; what is finer than a millisecond is cut off.
pub(super) struct Millis(pub(super) Timestamp);

impl Millis {
    /// The instant of an optional column.
    pub(super) fn optional_instant(column: Option<Millis>) -> Option<Timestamp> {
        column.map(|millis| millis.0)
    }
}

impl ToSql for Millis {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.timestamp_millis().into())
    }
}

impl FromSql for Millis {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Millis> {
        let millis = value.as_i64()?;
        DateTime::from_timestamp_millis(millis).map(Millis).ok_or(FromSqlError::OutOfRange(millis))
    }
}

/// Something with a shape of its own as a column.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_string(&self.0) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Json<T>> {
        serde_json::from_str(value.as_str()?).map(Json).map_err(FromSqlError::other)
    }
}

impl ToSql for LinqId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.cast_signed().into())
    }
}

impl FromSql for LinqId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<LinqId> {
        Ok(LinqId(value.as_i64()?.cast_unsigned()))
    }
}

impl ToSql for Fingerprint {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl FromSql for Fingerprint {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Fingerprint> {
        FromSql::column_result(value).map(Fingerprint)
    }
}

/// A newtype is written as what it holds.
macro_rules! as_its_content {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                FromSql::column_result(value).map($name)
            }
        }
    )+};
}

as_its_content!(LinkId, RunId, IntentId, SourceKey);

/// An enum is written as its name.
macro_rules! as_its_name {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.name().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                $name::from_name(value.as_str()?).ok_or(FromSqlError::InvalidType)
            }
        }
    )+};
}

as_its_name!(Side, HistoryAction, IntentState);

impl ToSql for LinkStatus {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let name = match self {
            LinkStatus::Linked => "linked",
            LinkStatus::Released => "released",
        };
        Ok(name.into())
    }
}

impl ToSql for Exclusion {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let name = match self {
            Exclusion::Selection => "selection",
            Exclusion::Ignored => "ignored",
        };
        Ok(name.into())
    }
}

impl FromSql for Exclusion {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Exclusion> {
        match value.as_str()? {
            "selection" => Ok(Exclusion::Selection),
            "ignored" => Ok(Exclusion::Ignored),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

impl FromSql for LinkStatus {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<LinkStatus> {
        match value.as_str()? {
            "linked" => Ok(LinkStatus::Linked),
            "released" => Ok(LinkStatus::Released),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}
