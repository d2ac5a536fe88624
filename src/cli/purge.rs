//! `purge`: erases a person from history, backups and mirror.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::json;

use crate::config::Config;
use crate::mirror::{IntentKind, State, StateError, Traces};
use crate::model::{Field, LinqId, Values, Who};
use crate::open::{self, OpenError};
use crate::report::ReportedError;
use crate::run::RunError;

use super::args::{Output, PurgeArgs};
use super::text::{counted, shown, wrapped};
use super::{complain, failed_command, print, print_json, whose};

/// Erases a person. Returns the exit code.
pub(super) fn purge(output: Output, config: &Config, args: &PurgeArgs) -> anyhow::Result<u8> {
    let found = open::state(config).and_then(|state| {
        let person = Person::find(&state, config, &args.who)?;
        Ok((state, person))
    });
    let (state, person) = match found {
        Ok(found) => found,
        Err(error) => return refuse(output, &error.reported()),
    };
    if let Some(error) = person.reason_not_to(&args.who) {
        return refuse(output, &error);
    }
    if !args.yes && !confirmed(&person)? {
        let message = "nothing was erased, since nobody has confirmed it".to_owned();
        let hint = "add --yes where there is no terminal to ask on".to_owned();
        return refuse(output, &ReportedError { code: 2, message, hint });
    }
    let displaced = match open::forget_displaced(config, &|bytes| person.is_in(bytes)) {
        Ok(displaced) => displaced,
        Err(error) => return refuse(output, &RunError::from(error).reported()),
    };
    let erased = state.purge(&person.traces);
    let erased = erased.and_then(|()| state.purge_backups(&|bytes| person.is_in(bytes)));
    let backups = match erased {
        Ok(backups) => backups,
        Err(error) => return refuse(output, &OpenError::from(error).reported()),
    };
    if output.json {
        print_json(&json!({
            "schema": "linqsync.purge/1",
            "contacts": person.traces.contacts,
            "history": person.traces.history.len(),
            "waiting": person.traces.waiting.len() + person.traces.rejections.len(),
            "backups": backups,
            "displaced": displaced,
            "error": null,
        }))?;
        return Ok(0);
    }
    let history = counted(person.traces.history.len(), "entry", "entries");
    let backups = counted(backups.len(), "backup", "backups");
    let displaced = counted(displaced, "replaced version", "replaced versions");
    let text = format!(
        "erased from the mirror, from the history ({history}), from the backups ({backups} \
         removed) and from beside the source ({displaced} removed). Nothing was deleted in Linq or in the source: where the person still is, the \
         next run reads them again, so delete them there too. Plans and exports that were saved \
         elsewhere are not touched."
    );
    print(&format!("{}\n", wrapped(&text, 0)))?;
    Ok(0)
}

fn refuse(output: Output, error: &ReportedError) -> anyhow::Result<u8> {
    complain(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// Asks on the terminal; where there is none, nobody confirms.
fn confirmed(person: &Person) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    let names: Vec<String> = person.names.iter().map(|name| shown(name, 40)).collect();
    let mut err = anstream::stderr().lock();
    write!(err, "erase {} for good? [y/N] ", names.join(", "))?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A person, and all that the state knows of them.
struct Person {
    traces: Traces,
    /// What they are and were called.
    names: BTreeSet<String>,
    /// Everything that they are and were known by.
    known: Vec<Values>,
    /// Whether a write about them may be on its way.
    is_open: bool,
    /// The contacts of that name that there are at present.
    present: Vec<LinqId>,
}

impl Person {
    fn find(state: &State, config: &Config, text: &str) -> Result<Person, OpenError> {
        let ids = whose::ids(state, config, text)?;
        let who = Who::new(text, config.policy().canon);
        let mut person = Person {
            traces: Traces { contacts: ids, ..Traces::default() },
            names: BTreeSet::new(),
            known: Vec::new(),
            is_open: false,
            present: Vec::new(),
        };
        person.known_values(state, &who)?;
        for values in &person.known {
            person.names.insert(values.display_name());
        }
        // Too little to recognise a mention by.
        person.names.retain(|name| name.chars().count() > 3);
        person.mentions(state, &who)?;
        Ok(person)
    }

    /// What the mirror, the links and the history know them by.
    fn known_values(&mut self, state: &State, who: &Who<'_>) -> Result<(), StateError> {
        let ids = self.traces.contacts.clone();
        let contacts = state.contacts()?;
        self.present = ids.iter().copied().filter(|id| contacts.contains_key(id)).collect();
        self.known.extend(ids.iter().filter_map(|id| Some(contacts.get(id)?.values.clone())));
        for link in state.links()?.iter().filter(|link| ids.contains(&link.linq_id)) {
            self.known.extend([link.base.source_values(), link.base.linq_values()]);
        }
        for row in state.whole_history()? {
            let entry = &row.entry;
            let is_theirs = match entry.linq_id {
                Some(id) => ids.contains(&id),
                None => whose::is_about(entry, who),
            };
            if !is_theirs {
                continue;
            }
            self.traces.history.insert(row.id);
            self.names.insert(entry.name.clone());
            self.known.push(entry.changes.iter().map(|c| (c.field, c.from.clone())).collect());
            self.known.push(entry.changes.iter().map(|c| (c.field, c.to.clone())).collect());
        }
        Ok(())
    }

    /// What waits or was refused about them, and whatever names them while it is about
    /// somebody else.
    fn mentions(&mut self, state: &State, who: &Who<'_>) -> Result<(), StateError> {
        let ids = self.traces.contacts.clone();
        let is_theirs = |id: Option<LinqId>| id.is_some_and(|id| ids.contains(&id));
        for waiting in state.waiting()? {
            if is_theirs(waiting.linq_id) || who.is(&waiting) || self.is_named_in(&waiting.reason) {
                self.traces.waiting.insert(waiting.what);
            }
        }
        for rejection in state.rejections()? {
            if is_theirs(rejection.linq_id) || self.is_named_in(&rejection.reason) {
                self.traces.rejections.insert(rejection.fingerprint);
            }
        }
        for row in state.whole_history()? {
            if self.is_named_in(&row.entry.reason) {
                self.traces.history.insert(row.id);
            }
        }
        self.is_open = state.open_intents()?.iter().any(|intent| match &intent.kind {
            IntentKind::CreateInLinq { values, .. } => who.is_contact(None, values),
            IntentKind::UpdateInLinq { linq_id, .. }
            | IntentKind::DeleteInLinq { linq_id }
            | IntentKind::AddToSource { linq_id, .. }
            | IntentKind::UpdateInSource { linq_id, .. }
            | IntentKind::RemoveFromSource { linq_id, .. } => is_theirs(Some(*linq_id)),
        });
        Ok(())
    }

    fn is_named_in(&self, text: &str) -> bool {
        self.names.iter().any(|name| text.contains(name.as_str()))
    }

    fn reason_not_to(&self, text: &str) -> Option<ReportedError> {
        let Traces { contacts, history, waiting, rejections } = &self.traces;
        let (message, hint) = if self.is_open {
            let message = "an interrupted run may still be writing this person";
            (message.to_owned(), "make a run first: `linqsync --once`".to_owned())
        } else if self.present.len() > 1 {
            let ids: Vec<String> = self.present.iter().map(ToString::to_string).collect();
            let message = format!("several contacts are called {}", shown(text, 60));
            (message, format!("name one by its Linq id: {}", ids.join(", ")))
        } else if contacts.is_empty()
            && history.is_empty()
            && waiting.is_empty()
            && rejections.is_empty()
        {
            let message = format!("the state knows nobody called {}", shown(text, 60));
            (message, "name a Linq id, an e-mail, a phone number, a key or row:N".to_owned())
        } else {
            return None;
        };
        Some(ReportedError { code: 2, message, hint })
    }

    /// Whether a file shows them: an address of theirs, or both their names, in any
    /// encoding that a source may have.
    fn is_in(&self, bytes: &[u8]) -> bool {
        decodings(bytes).any(|text| {
            self.known.iter().any(|values| {
                let has = |field: Field| {
                    let value = values[field].trim();
                    !value.is_empty() && text.contains(value)
                };
                let name = !values[Field::FirstName].trim().is_empty()
                    && !values[Field::LastName].trim().is_empty();
                has(Field::Email)
                    || has(Field::PhoneNumber)
                    || (name && has(Field::FirstName) && has(Field::LastName))
            })
        })
    }
}

/// What a file may say: in every charset, with its lines unfolded, with what is written
/// in quoted-printable or base64 decoded, and without backslashes before characters. One
/// after the other, since a file may be large.
fn decodings(bytes: &[u8]) -> impl Iterator<Item = String> + use<> {
    use encoding_rs::{
        BIG5, EUC_JP, EUC_KR, GB18030, IBM866, ISO_8859_2, KOI8_U, MACINTOSH, SHIFT_JIS, UTF_8,
        UTF_16BE, UTF_16LE, WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253,
        WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257,
    };
    let mut forms = vec![bytes.to_vec()];
    let unfolded = unfolded(bytes);
    forms.extend(memchr::memchr(b'=', &unfolded).map(|_| from_quoted_printable(&unfolded)));
    forms.push(from_base64(&unfolded));
    forms.push(unfolded);
    let encodings = [
        UTF_8,
        UTF_16LE,
        UTF_16BE,
        WINDOWS_1252,
        SHIFT_JIS,
        WINDOWS_1250,
        WINDOWS_1251,
        WINDOWS_1253,
        WINDOWS_1254,
        WINDOWS_1255,
        WINDOWS_1256,
        WINDOWS_1257,
        WINDOWS_874,
        ISO_8859_2,
        KOI8_U,
        IBM866,
        MACINTOSH,
        GB18030,
        BIG5,
        EUC_KR,
        EUC_JP,
    ];
    forms.into_iter().flat_map(move |form| {
        encodings.into_iter().flat_map(move |encoding| {
            let text = encoding.decode_without_bom_handling(&form).0.into_owned();
            let plain = text.contains('\\').then(|| text.replace('\\', ""));
            std::iter::once(text).chain(plain)
        })
    })
}

/// Without line breaks that something goes on behind: before a blank, which goes too,
/// and after the `=` of quoted-printable.
fn unfolded(bytes: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
    let mut unfolded = Vec::with_capacity(text.len());
    let mut rest = &text[..];
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'\n', [b' ' | b'\t', after @ ..]) | (b'=', [b'\n', after @ ..]) => after,
            _ => {
                unfolded.push(*byte);
                after
            }
        };
    }
    unfolded
}

fn from_quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        let pair = match (byte, after) {
            (b'=', [high, low, ..]) => digit(high).zip(digit(low)),
            _ => None,
        };
        decoded.push(pair.map_or(*byte, |(high, low)| high * 16 + low));
        rest = if pair.is_some() { &after[2..] } else { after };
    }
    decoded
}

/// What every word that could be base64 says, line by line.
fn from_base64(bytes: &[u8]) -> Vec<u8> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let words = bytes.split(|byte| !is_digit(byte)).filter(|word| word.len() >= 8);
    let decoded = words.filter_map(|word| STANDARD_NO_PAD.decode(word).ok());
    decoded.flat_map(|decoded| decoded.into_iter().chain([b'\n'])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_found_in_every_way_in_which_cards_are_written() {
        let forms: [&[u8]; 8] = [
            "N:Wäng;Bo".as_bytes(),
            b"N:W\xe4ng;Bo",
            b"\xff\xfeN\0:\0W\0\xe4\0n\0g\0;\0B\0o\0",
            b"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:W=C3=\r\n=A4n=\ng;Bo",
            b"N;ENCODING=QUOTED-PRINTABLE:W=E4ng;Bo",
            b"N:W\xc3\r\n \xa4n\n g;Bo",
            b"N;ENCODING=b:V8Ok\r\n bmc7Qm8=",
            r"X:W\äng".as_bytes(),
        ];
        for form in forms {
            let texts: Vec<String> = decodings(form).collect();
            assert!(texts.iter().any(|text| text.contains("Wäng")), "{}", form.escape_ascii());
        }
        let japanese: Vec<String> =
            decodings(b"N;CHARSET=SHIFT_JIS;QUOTED-PRINTABLE:=8ER=93c").collect();
        assert!(japanese.iter().any(|text| text.contains("山田")));
    }
}
