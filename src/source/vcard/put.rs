//! Changes to a card: the way from fields back to properties.
//!
//! Owns which properties of a card change for an edit, and that nothing else does. The
//! law: what is put is what is read afterwards, and putting what is there changes
//! nothing. Leaves how a value is written to [`super::render`].

use crate::model::{Field, FieldChange};
use crate::source::full_name::{NameOrder, SplitName, WholeName};

use super::card::{Card, CardVersion, Undecodable};
use super::property::{Property, name_of, start_of};
use super::render::{NewValue, add_property, replace_property};
use super::scan;
use super::splice::{Splice, edit_card};
use super::values::{
    CITY, COUNTRY, CardName, REGION, ValueCandidate, around_address, join_texts, to_tel_uri,
};

/// Why a change cannot be written, for people.
pub(super) type NotWritten = String;

/// The bytes of a card, which are those of one card and nothing else, after `changes`.
///
/// # Errors
/// Why one of them cannot be written; then none is.
pub(super) fn put_changes(card: &[u8], changes: &[FieldChange]) -> Result<Vec<u8>, NotWritten> {
    let mut bytes = card.to_vec();
    let is_name = |field| matches!(field, Field::FirstName | Field::LastName);
    let (names, others): (Vec<&FieldChange>, Vec<&FieldChange>) =
        changes.iter().partition(|change| is_name(change.field));
    let others = others.into_iter().filter(|change| change.from != change.to);
    let names =
        if names.iter().all(|change| change.from == change.to) { Vec::new() } else { names };
    let wanted = edit_card(&bytes, |card| {
        let mut shown = card.card_name().map_err(undecodable_refusal)?;
        let mut wanted = shown.clone();
        if let Err(refused) = names.iter().try_for_each(|change| wanted.take_change(change)) {
            // The card may go by its display name.
            shown = card.displayed_name().ok_or_else(|| refused.clone())?;
            wanted = shown.clone();
            names.iter().try_for_each(|change| wanted.take_change(change)).map_err(|_| refused)?;
        }
        let splices =
            if names.is_empty() { Vec::new() } else { card.change_names(&shown, &wanted)? };
        Ok((wanted, splices))
    });
    let (wanted, renamed) = match wanted {
        Ok((wanted, bytes)) => (Some(wanted), bytes),
        // A name that cannot be read is in nobody's way.
        Err(_) if names.is_empty() => (None, bytes),
        Err(refused) => return Err(refused),
    };
    bytes = renamed;
    for change in others {
        bytes = change_field(&bytes, change)?;
    }
    match wanted {
        // What stands in for a name must not become one.
        Some(name) if name.is_blank() => {
            ((), bytes) = edit_card(&bytes, |card| Ok(((), card.stay_nameless()?)))?;
        }
        // Nor must what is a name seem to stand in for one.
        Some(name) => {
            ((), bytes) = edit_card(&bytes, |card| {
                Ok(((), card.change_names(&card.card_name().map_err(undecodable_refusal)?, &name)?))
            })?;
        }
        None => {}
    }
    Ok(bytes)
}

/// The bytes after a change of one field other than a name. What is cleared goes from
/// every property that says it.
fn change_field(bytes: &[u8], change: &FieldChange) -> Result<Vec<u8>, NotWritten> {
    let set = |bytes: &[u8]| {
        let set = edit_card(bytes, |card| Ok(((), card.set_field(change)?)));
        set.map(|((), bytes)| bytes)
            .map_err(|reason| format!("its {} cannot be written: {reason}", change.field))
    };
    let mut bytes = set(bytes)?;
    let says_it = |bytes: &[u8]| {
        let lines = scan::content_lines(bytes);
        Card::new(bytes, &lines).card_values().values[change.field] == change.from
    };
    while change.to.trim().is_empty() && !change.from.trim().is_empty() && says_it(&bytes) {
        let next = set(&bytes)?;
        if next == bytes {
            break;
        }
        bytes = next;
    }
    Ok(bytes)
}

/// The bytes of a card that is called `display`.
///
/// # Errors
/// Why that cannot be written.
pub(super) fn with_display(card: &[u8], display: &str) -> Result<Vec<u8>, NotWritten> {
    let displayed = edit_card(card, |card| {
        let property = card.properties_named("FN").next();
        let splice =
            property.map(|property| replace_property(card, property, NewValue::Text(display)));
        Ok(((), splice.into_iter().collect::<Result<_, _>>()?))
    });
    displayed.map(|((), bytes)| bytes)
}

fn undecodable_refusal(Undecodable(reason): Undecodable) -> NotWritten {
    reason
}

impl CardName {
    fn take_change(&mut self, change: &FieldChange) -> Result<(), NotWritten> {
        let part = if change.field == Field::FirstName { &mut self.first } else { &mut self.last };
        check_unchanged(change, part)?;
        *part = change.to.to_string();
        Ok(())
    }
}

fn check_unchanged(change: &FieldChange, found: &str) -> Result<(), NotWritten> {
    if change.from == found {
        Ok(())
    } else {
        Err(format!("its {} is not what it was when it was read", change.field))
    }
}

impl Card<'_> {
    /// The edits by which the card has this name: `N`, and `FN` where that shows the name that
    /// it had, which is `shown`.
    fn change_names(&self, shown: &CardName, wanted: &CardName) -> Result<Vec<Splice>, NotWritten> {
        if self.card_name().map_err(undecodable_refusal)? == *wanted && shown == wanted {
            return Ok(Vec::new());
        }
        let mut splices = Vec::new();
        match self.properties_named("N").next() {
            Some(name) => {
                let components = self.property_components(name).map_err(undecodable_refusal)?;
                let is_other =
                    |(at, text): &(usize, &str)| components.get(*at).is_none_or(|c| c != text);
                let new: Vec<(usize, &str)> = [(0, &*wanted.last), (1, &*wanted.first)]
                    .into_iter()
                    .filter(is_other)
                    .collect();
                if !new.is_empty() {
                    splices.push(replace_property(self, name, NewValue::Components(&new))?);
                }
            }
            None if wanted.is_blank() => {}
            None => {
                let new = [(0, &*wanted.last), (1, &*wanted.first), (4, "")];
                splices.push(add_property(self, "N", NewValue::Components(&new))?);
            }
        }
        if let Some(display) = self.properties_named("FN").next()
            && let Ok(text) = self.property_text(display)
        {
            let new = rename_display(&text, shown, wanted);
            if new != text {
                splices.push(replace_property(self, display, NewValue::Text(&new))?);
            }
        }
        Ok(splices)
    }

    /// The edit by which a card without a name has none that one could be read from.
    fn stay_nameless(&self) -> Result<Vec<Splice>, NotWritten> {
        if self.card_name().map_err(undecodable_refusal)?.is_blank() {
            return Ok(Vec::new());
        }
        let display = self.properties_named("FN").next();
        let splice = display
            .map(|property| replace_property(self, property, NewValue::Text(&self.stand_in())));
        splice.into_iter().collect()
    }

    /// The edits of one field other than a name.
    fn set_field(&self, change: &FieldChange) -> Result<Vec<Splice>, NotWritten> {
        match change.field {
            Field::Email => {
                let head = ["EMAIL;INTERNET", "EMAIL;TYPE=INTERNET", "EMAIL"];
                self.set_one_of(change, &self.emails().map_err(undecodable_refusal)?, head)
            }
            Field::PhoneNumber => {
                let head = ["TEL;CELL", "TEL;TYPE=CELL", "TEL;TYPE=cell"];
                self.set_one_of(change, &self.phones().map_err(undecodable_refusal)?, head)
            }
            Field::Title => {
                self.set_one_of(change, &self.titles().map_err(undecodable_refusal)?, ["TITLE"; 3])
            }
            Field::Company => self.set_company(change),
            Field::Location => self.set_location(change),
            Field::FirstName | Field::LastName => Ok(Vec::new()),
            Field::Owner => Err("a card has no place for it".to_owned()),
        }
    }

    /// Changes the property that says what is to change; of several, all that say so
    /// are taken out, and the first is rewritten.
    fn set_one_of(
        &self,
        change: &FieldChange,
        candidates: &[ValueCandidate<'_>],
        head: [&str; 3],
    ) -> Result<Vec<Splice>, NotWritten> {
        let to = change.to.as_str();
        let (saying, is_said) = (
            || candidates.iter().filter(|one| one.text == change.from),
            candidates.iter().any(|one| one.text == to),
        );
        if change.from.is_empty() && candidates.is_empty() {
            let text = spell_value(change, "");
            return Ok(match self.unused_property(head[2]) {
                _ if to.trim().is_empty() => Vec::new(),
                Some(property) => vec![replace_property(self, property, NewValue::Text(&text))?],
                None => vec![add_property(self, self.of_version(head), NewValue::Text(&text))?],
            });
        }
        let Some(first) = saying().next() else {
            return Err("it is not what it was when it was read".to_owned());
        };
        if to.trim().is_empty() {
            return Ok(saying().flat_map(|one| self.without_property(one.property)).collect());
        }
        if is_said {
            // The card says so already, in another place: that is the linked one now.
            return Ok(Vec::new());
        }
        let old = self.property_text(first.property).map_err(undecodable_refusal)?;
        let text = spell_value(change, &old);
        Ok(vec![replace_property(self, first.property, NewValue::Text(&text))?])
    }

    /// A property that is there and says nothing. `head` begins with its name.
    fn unused_property<'c>(&'c self, head: &'c str) -> Option<&'c Property> {
        let name = head.split(';').next().unwrap_or_default();
        let is_blank = |property: &&Property| {
            self.property_text(property).is_ok_and(|text| text.trim().is_empty())
        };
        self.properties_named(name).filter(is_blank).find(|property| self.is_usual(property))
    }

    fn of_version<'h>(&self, heads: [&'h str; 3]) -> &'h str {
        match self.version {
            CardVersion::V2 => heads[0],
            CardVersion::V3 => heads[1],
            CardVersion::V4 => heads[2],
        }
    }

    fn set_company(&self, change: &FieldChange) -> Result<Vec<Splice>, NotWritten> {
        let organisation = self.organisation().map_err(undecodable_refusal)?;
        let Some(ValueCandidate { property, text }) = organisation else {
            return self.add_components(change, "ORG", &[(0, &change.to)]);
        };
        check_unchanged(change, &text)?;
        self.set_components(property, &[(0, &change.to)])
    }

    /// Puts a location into the components of an address whose text changes.
    fn set_location(&self, change: &FieldChange) -> Result<Vec<Splice>, NotWritten> {
        let parted = change.to.rsplit_once(", ");
        let parted =
            parted.filter(|(city, other)| !city.trim().is_empty() && !other.trim().is_empty());
        let Some(ValueCandidate { property, text }) =
            self.address().map_err(undecodable_refusal)?
        else {
            let (city, region) = parted.unwrap_or((&change.to, ""));
            let head = self.of_version(["ADR;WORK", "ADR;TYPE=WORK", "ADR;TYPE=work"]);
            return self.add_components(change, head, &[(CITY, city), (REGION, region), (6, "")]);
        };
        check_unchanged(change, &text)?;
        let components = self.property_components(property).map_err(undecodable_refusal)?;
        let old = |at: usize| components.get(at).map(String::as_str).unwrap_or_default();
        let (city, region, country) = (old(CITY), old(REGION), old(COUNTRY));
        let is_blank = |text: &str| text.trim().is_empty();
        let (city, region, country) = match parted {
            Some((new, other)) if other == country => (new, "", country),
            Some((new, other)) if is_blank(region) && !is_blank(country) => (new, region, other),
            Some((new, other)) => (new, other, country),
            None if is_blank(&change.to) => ("", "", ""),
            None if is_blank(city) && !is_blank(region) => (city, &*change.to, country),
            None if is_blank(city) && !is_blank(country) => (city, region, &*change.to),
            None => (&*change.to, "", ""),
        };
        self.set_components(property, &[(CITY, city), (REGION, region), (COUNTRY, country)])
    }

    fn add_components(
        &self,
        change: &FieldChange,
        head: &str,
        new: &[(usize, &str)],
    ) -> Result<Vec<Splice>, NotWritten> {
        check_unchanged(change, "")?;
        if change.to.trim().is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![add_property(self, head, NewValue::Components(new))?])
    }

    /// Rewrites the components that are others than before. A property that says
    /// nothing any more goes.
    fn set_components(
        &self,
        property: &Property,
        new: &[(usize, &str)],
    ) -> Result<Vec<Splice>, NotWritten> {
        let old = self.property_components(property).map_err(undecodable_refusal)?;
        let said = |at: usize| old.get(at).map(String::as_str).unwrap_or_default();
        let new: Vec<(usize, &str)> =
            new.iter().copied().filter(|(at, text)| said(*at) != *text).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let still = |(at, text): (usize, &String)| {
            let other = new.iter().find(|(new, _)| *new == at);
            other.map_or(text.as_str(), |(_, text)| text).trim().is_empty()
        };
        let adds = new.iter().any(|(_, text)| !text.trim().is_empty());
        if !adds && old.iter().enumerate().all(still) {
            return Ok(self.without_property(property));
        }
        Ok(vec![replace_property(self, property, NewValue::Components(&new))?])
    }

    /// The card without a property, and without the labels of its group if nothing else
    /// is in it.
    fn without_property(&self, property: &Property) -> Vec<Splice> {
        let mut lines = vec![property.line];
        if let Some(group) = &property.group {
            let group = |line: &&scan::Line| {
                let start = start_of(line, self.body);
                let (found, _) = name_of(&start);
                found.is_some_and(|found| found.eq_ignore_ascii_case(group.as_bytes()))
                    && line.start != property.line.start
            };
            let companions: Vec<_> = self.lines.iter().filter(group).copied().collect();
            let is_label = |line: &scan::Line| {
                let start = start_of(line, self.body);
                let (_, name) = name_of(&start);
                name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"X-AB"))
            };
            if companions.iter().all(is_label) {
                lines.extend(companions);
            }
        }
        let gone = |line: scan::Line| Splice { range: line.start..line.end, bytes: Vec::new() };
        lines.into_iter().map(gone).collect()
    }
}

/// What is to stand in the place of `old`: a phone number may be an address of the web, and
/// what stands around an e-mail address stays.
fn spell_value(change: &FieldChange, old: &str) -> String {
    if change.field == Field::Email
        && let Some(bare) = around_address(old)
    {
        let whole = format!("{}{}{}", &old[..bare.start], change.to, &old[bare.end..]);
        let says = around_address(&whole).is_some_and(|bare| whole[bare] == change.to);
        return if says { whole } else { change.to.to_string() };
    }
    let is_uri =
        |text: &str| text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:"));
    if change.field == Field::PhoneNumber && (is_uri(old) || is_uri(&change.to)) {
        to_tel_uri(&change.to)
    } else {
        change.to.to_string()
    }
}

/// A display name after a change of name. One that shows the name in a usual form keeps
/// that form; otherwise the parts that it shows are exchanged; what is said differently
/// stays as it is.
fn rename_display(display: &str, before: &CardName, wanted: &CardName) -> String {
    let names = SplitName::new(&wanted.first, &wanted.last);
    let whole = WholeName::take_apart(display);
    if whole.split_names() == SplitName::new(&before.first, &before.last)
        && let Some(new) = whole.with_names(&names, NameOrder::FirstLast)
    {
        return new;
    }
    let forms: [fn(&CardName) -> String; 3] = [
        CardName::full_name,
        |name| join_texts(&name.last, ", ", &name.first),
        |name| join_texts(&name.last, " ", &name.first),
    ];
    if let Some(form) = forms.iter().find(|form| form(before).trim() == display.trim()) {
        return form(wanted).trim().to_owned();
    }
    let mut display = display.to_owned();
    for (was, is) in [(&before.first, &wanted.first), (&before.last, &wanted.last)] {
        if was != is && !was.trim().is_empty() {
            display = with_word(&display, was.trim(), is.trim());
        }
    }
    display
}

/// `text` with the one place in which `was` stands as words of its own replaced.
fn with_word(text: &str, was: &str, is: &str) -> String {
    let is_word = |at: usize| {
        let before = text[..at].chars().next_back();
        let after = text[at + was.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    };
    let mut places = text.match_indices(was).map(|(at, _)| at).filter(|at| is_word(*at));
    match (places.next(), places.next()) {
        (Some(at), None) => {
            let (before, after) = (&text[..at], &text[at + was.len()..]);
            if is.is_empty() {
                join_texts(before.trim_end(), " ", after.trim_start())
            } else {
                format!("{before}{is}{after}")
            }
        }
        _ => text.to_owned(),
    }
}
