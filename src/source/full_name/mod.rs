//! Whole names: taken apart into first and last name, and put together again.
//!
//! Owns the one way in which a name that stands in one place is split, for columns of
//! tables and for cards alike. The order may be `Ada King`, `King, Ada` or, in Chinese,
//! Japanese and Korean, `山田 太郎` and `山田太郎`. What is neither name, such as `Dr.` and
//! `Jr.`, stays where it is when one of them is exchanged. The law: what [`WholeName::with_names`]
//! gives is read as the names that were asked for; where no text is, it gives none.
//! Leaves to its users where a name stands.

mod east_asian;
mod words;

use std::ops::Range;

use crate::model::NameText;

use east_asian::{is_east_asian, surname_length};
use words::{
    CAPITAL_SUFFIXES, CONNECTORS, LEGAL_FORMS, ONLY_AS_FORM, ONLY_IN_LOWER_CASE, ONLY_WITH_DOT,
    OTHER_FORMS_OF_ADDRESS, PARTICLES, PREFIXES, SUFFIXES,
};

/// First and last name, apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SplitName {
    pub(super) first: String,
    pub(super) last: String,
}

impl SplitName {
    /// Both names.
    pub(super) fn new(first: &str, last: &str) -> SplitName {
        SplitName { first: first.to_owned(), last: last.to_owned() }
    }
}

/// In which order a whole name has its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameOrder {
    /// `Ada King`
    FirstLast,
    /// `King, Ada`
    LastFirst,
    /// `山田 太郎`
    Spaced,
    /// `山田太郎`
    Unspaced,
}

/// Which of two names comes first where nothing in the text tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Usual {
    /// `Ada King`
    #[default]
    FirstName,
    /// `Kovács Péter`, in a column whose name says so.
    LastName,
}

/// A whole name, and where its parts are in it.
#[derive(Clone, Debug)]
pub(super) struct WholeName<'t> {
    text: &'t str,
    usual: Usual,
    first: Range<usize>,
    last: Range<usize>,
    order: NameOrder,
}

impl<'t> WholeName<'t> {
    /// Takes `text` apart.
    pub(super) fn take_apart(text: &'t str) -> WholeName<'t> {
        WholeName::of_usual(text, Usual::FirstName)
    }

    /// Takes `text` apart, in which this name comes first as a rule.
    pub(super) fn of_usual(text: &'t str, usual: Usual) -> WholeName<'t> {
        let whole = trim_range(text, 0..text.len());
        let order = match usual {
            Usual::FirstName => NameOrder::FirstLast,
            Usual::LastName => NameOrder::Spaced,
        };
        let nothing = WholeName { text, usual, first: 0..0, last: 0..0, order };
        // What stands in for a name that is not there is none.
        if whole.is_empty() || text.contains('@') && !text[whole.clone()].contains([' ', '<']) {
            return nothing;
        }
        if is_east_asian(&text[whole.clone()]) {
            return nothing.east_asian(whole);
        }
        let whole = without_asides(text, whole);
        match parts_between_commas(text, whole.clone())[..] {
            [ref last, ref first] => {
                let (first, last) =
                    (bare_names(text, first.clone()), bare_names(text, last.clone()));
                WholeName { first, last, order: NameOrder::LastFirst, ..nothing }
            }
            [ref only] => nothing.in_words(only.clone()),
            _ => WholeName { first: whole, ..nothing },
        }
    }

    /// First and last name.
    pub(super) fn split_names(&self) -> SplitName {
        SplitName::new(&self.text[self.first.clone()], &self.text[self.last.clone()])
    }

    /// The text from the first of both names to the end of the last one.
    pub(super) fn core_text(&self) -> &'t str {
        &self.text[self.core_range()]
    }

    fn core_range(&self) -> Range<usize> {
        match (self.first.is_empty(), self.last.is_empty()) {
            (false, false) => {
                self.first.start.min(self.last.start)..self.first.end.max(self.last.end)
            }
            (false, true) => self.first.clone(),
            (true, _) => self.last.clone(),
        }
    }

    /// The name as it is written, by which it is told that it says other names as well. That
    /// of an organisation, and one with several commas, says nothing but itself.
    pub(super) fn as_text(&self) -> Option<NameText> {
        if self.first.is_empty() && self.last.is_empty() {
            return None;
        }
        let (is_last_first, between) = match self.order {
            NameOrder::FirstLast => (false, " "),
            NameOrder::LastFirst => (true, ", "),
            NameOrder::Spaced => (true, " "),
            NameOrder::Unspaced => (true, ""),
        };
        Some(NameText::new(self.text, self.core_text(), is_last_first, between))
    }

    /// The order of its parts; `None` where it has not both.
    pub(super) fn name_order(&self) -> Option<NameOrder> {
        (!self.first.is_empty() && !self.last.is_empty()).then_some(self.order)
    }

    /// The name, if it may as well be taken apart into these.
    pub(super) fn read_as(self, names: &SplitName) -> Option<WholeName<'t>> {
        if self.split_names() == *names {
            return Some(self);
        }
        let text = self.as_text().filter(|text| text.reads_as(&names.first, &names.last))?;
        let (head, tail) = if text.is_last_first() {
            (&names.last, &names.first)
        } else {
            (&names.first, &names.last)
        };
        let whole = trim_range(self.text, 0..self.text.len());
        let fits = |range: &Range<usize>| {
            let text = &self.text[range.clone()];
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        };
        let range = [self.core_range(), whole].into_iter().find(fits)?;
        let head = range.start..range.start + head.len();
        let tail = range.end - tail.len()..range.end;
        let (first, last) = if text.is_last_first() { (tail, head) } else { (head, tail) };
        Some(WholeName { first, last, ..self })
    }

    /// The text with other names and all else as it was; one that has no name gets them in
    /// the order `usual`. `None` where no such text would be read as these names.
    pub(super) fn with_names(&self, names: &SplitName, usual: NameOrder) -> Option<String> {
        if self.split_names() == *names {
            return Some(self.text.to_owned());
        }
        let candidates = if self.first.is_empty() && self.last.is_empty() {
            [Some(usual), Some(NameOrder::Spaced), Some(NameOrder::LastFirst)].map(|order| {
                let order = order.filter(|order| *order == usual || !names.last.is_empty())?;
                Some(join_names(names, order))
            })
        } else {
            [Some(self.exchange_parts(names)), None, None]
        };
        let reads_back =
            |text: &String| WholeName::of_usual(text, self.usual).split_names() == *names;
        candidates.into_iter().flatten().find(reads_back)
    }

    /// Each part in its place.
    fn exchange_parts(&self, names: &SplitName) -> String {
        let order = match self.name_order() {
            Some(order) => order,
            None if is_east_asian(&join_names(names, NameOrder::Unspaced)) => NameOrder::Spaced,
            None => self.order,
        };
        let (first, last) = (self.first.clone(), self.last.clone());
        if names.first.is_empty() || names.last.is_empty() || first.is_empty() || last.is_empty() {
            let (start, end) = match (first.is_empty(), last.is_empty()) {
                (true, _) => (last.start, last.end),
                (_, true) => (first.start, first.end),
                _ => (first.start.min(last.start), first.end.max(last.end)),
            };
            let name = join_names(names, order);
            let (before, after) = (&self.text[..start], &self.text[end..]);
            // The comma of a name that has lost its other part stands alone.
            let is_pair = !names.first.is_empty() && !names.last.is_empty();
            let after = if is_pair { after.trim_start_matches([',', '，']) } else { after };
            return if name.is_empty() {
                format!("{}{}", before.trim_end(), after).trim().to_owned()
            } else {
                format!("{before}{name}{after}")
            };
        }
        let mut pieces = [(first, &names.first), (last, &names.last)];
        pieces.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut text = self.text.to_owned();
        for (range, name) in pieces {
            text.replace_range(range, name);
        }
        text
    }

    fn east_asian(self, whole: Range<usize>) -> WholeName<'t> {
        let text = self.text;
        let inner = &text[whole.clone()];
        if let Some((first, last)) = inner.split_once(['・', '·']) {
            // A foreign name, in its own order.
            let (a, b) = (whole.start + first.len(), whole.end - last.len());
            return WholeName {
                first: trim_range(text, whole.start..a),
                last: trim_range(text, b..whole.end),
                ..self
            };
        }
        if let Some((last, first)) = inner.split_once([',', '，', '、']) {
            let (a, b) = (whole.start + last.len(), whole.end - first.len());
            let (last, first) = (trim_range(text, whole.start..a), trim_range(text, b..whole.end));
            return WholeName { first, last, order: NameOrder::LastFirst, ..self };
        }
        if let Some(space) = inner.find(char::is_whitespace) {
            let last = whole.start..whole.start + space;
            let first = trim_range(text, whole.start + space..whole.end);
            return WholeName { first, last, order: NameOrder::Spaced, ..self };
        }
        match surname_length(inner) {
            Some(length) => {
                let at = whole.start + length;
                let (last, first) = (whole.start..at, at..whole.end);
                WholeName { first, last, order: NameOrder::Unspaced, ..self }
            }
            None => WholeName { first: whole, ..self },
        }
    }

    /// A name without a comma.
    fn in_words(self, whole: Range<usize>) -> WholeName<'t> {
        let text = self.text;
        let words = word_ranges(text, whole.clone());
        if is_organisation(text, &words) {
            return WholeName { first: whole, ..self };
        }
        let core = core_words(text, &words);
        let had_prefix = core.first().map(|word| word.start) != words.first().map(|w| w.start);
        let Some((final_word, others)) = core.split_last() else {
            return WholeName { first: whole, ..self };
        };
        let all = core[0].start..final_word.end;
        let is_particle = |word: &Range<usize>| is_particle(&text[word.clone()]);
        if others.is_empty() && !had_prefix {
            return WholeName { first: all, ..self };
        }
        let is_small = |word: &Range<usize>| {
            is_particle(word) && text[word.clone()].starts_with(char::is_lowercase)
        };
        // `Mr. King` and `van der Berg` have a last name alone.
        if others.iter().all(is_small) {
            return WholeName { last: all, ..self };
        }
        if self.usual == Usual::LastName {
            let small = core.iter().take_while(|word| is_small(word)).count();
            let (last, first) = (core[0].start..core[small].end, core[small + 1..].first());
            let first = first.map_or(0..0, |word| word.start..final_word.end);
            return WholeName { first, last, ..self };
        }
        let mut start = core.len() - 1;
        loop {
            let before = |back: usize| core.get(start.wrapping_sub(back)).filter(|_| start > back);
            if before(1).is_some_and(is_particle) {
                start -= 1;
            } else if before(1).is_some_and(|word| CONNECTORS.contains(&&text[word.clone()]))
                && before(2).is_some()
            {
                start -= 2;
            } else {
                break;
            }
        }
        let first = core[0].start..core[start - 1].end;
        WholeName { first, last: core[start].start..final_word.end, ..self }
    }
}

/// Whether `text` is a form of address and nothing else: `Mr`, `Dr.`, `Mrs`.
pub(super) fn is_form_of_address(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let plain = lower.trim_end_matches('.');
    !plain.is_empty()
        && (PREFIXES.contains(&plain)
            || OTHER_FORMS_OF_ADDRESS.contains(&plain)
            || plain.split_whitespace().all(|word| PREFIXES.contains(&word.trim_end_matches('.'))))
}

/// Both names in this order, with nothing else.
fn join_names(names: &SplitName, order: NameOrder) -> String {
    let SplitName { first, last } = names;
    let (a, by, b) = match order {
        NameOrder::FirstLast => (first, " ", last),
        NameOrder::LastFirst => (last, ", ", first),
        NameOrder::Spaced => (last, " ", first),
        NameOrder::Unspaced => (last, "", first),
    };
    if a.is_empty() || b.is_empty() { format!("{a}{b}") } else { format!("{a}{by}{b}") }
}

fn trim_range(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    let end = range.end - (part.len() - part.trim_end().len());
    start.min(end)..end
}

/// Without what stands in brackets at the end: `Ada King (Engines)`.
fn without_asides(text: &str, range: Range<usize>) -> Range<usize> {
    let mut range = range;
    for (open, close) in [('(', ')'), ('[', ']')] {
        let part = &text[range.clone()];
        if part.ends_with(close)
            && let Some(at) = part.rfind(open).filter(|at| *at > 0)
        {
            range = trim_range(text, range.start..range.start + at);
        }
    }
    range
}

/// The parts between commas, suffixes such as `, Jr.` aside.
fn parts_between_commas(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = range.start;
    let commas = text[range.clone()].char_indices().filter(|(_, c)| matches!(c, ',' | '，'));
    let ends: Vec<(usize, usize)> =
        commas.map(|(at, c)| (range.start + at, range.start + at + c.len_utf8())).collect();
    for (end, next) in ends {
        parts.push(trim_range(text, start..end));
        start = next;
    }
    parts.push(trim_range(text, start..range.end));
    let is_suffix = |part: &Range<usize>| {
        !part.is_empty()
            && word_ranges(text, part.clone()).iter().all(|word| is_suffix(&text[word.clone()]))
    };
    let mut kept: Vec<Range<usize>> = Vec::new();
    for (at, part) in parts.into_iter().enumerate() {
        if at == 0 || !is_suffix(&part) {
            kept.push(part);
        }
    }
    kept
}

/// The names in a part of `King, Ada`, without forms of address and suffixes.
fn bare_names(text: &str, part: Range<usize>) -> Range<usize> {
    let words = word_ranges(text, part.clone());
    match core_words(text, &words) {
        [] => part,
        core => core[0].start..core[core.len() - 1].end,
    }
}

fn word_ranges(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let part = &text[range.clone()];
    let offset = |word: &str| word.as_ptr() as usize - part.as_ptr() as usize + range.start;
    part.split_whitespace().map(|word| offset(word)..offset(word) + word.len()).collect()
}

/// The words that are names: without forms of address before and suffixes behind them.
fn core_words<'w>(text: &str, words: &'w [Range<usize>]) -> &'w [Range<usize>] {
    let mut core = words;
    let is_prefix = |word: &Range<usize>| is_prefix(&text[word.clone()]);
    let is_and =
        |word: &Range<usize>| ["&", "and", "und", "et", "y", "e"].contains(&&text[word.clone()]);
    loop {
        core = match core {
            // `Mr. & Mrs. King`
            [first, and, second, rest @ ..]
                if is_prefix(first) && is_and(and) && is_prefix(second) && !rest.is_empty() =>
            {
                rest
            }
            [first, rest @ ..] if is_prefix(first) && !rest.is_empty() => rest,
            _ => break,
        };
    }
    while let [rest @ .., last] = core
        && !rest.is_empty()
        && is_suffix(&text[last.clone()])
    {
        core = rest;
    }
    core
}

fn is_prefix(word: &str) -> bool {
    let lower = word.to_lowercase();
    let plain = lower.trim_end_matches('.');
    PREFIXES.contains(&plain) && (word.ends_with('.') || !ONLY_WITH_DOT.contains(&plain))
}

fn is_suffix(word: &str) -> bool {
    let plain: String = word.chars().filter(|c| !matches!(c, '.' | ',')).collect();
    SUFFIXES.contains(&plain.to_lowercase().as_str()) || CAPITAL_SUFFIXES.contains(&plain.as_str())
}

fn is_particle(word: &str) -> bool {
    let lower = word.to_lowercase();
    PARTICLES.contains(&lower.as_str())
        && (word == lower || !ONLY_IN_LOWER_CASE.contains(&lower.as_str()))
}

/// Whether the words are the name of an organisation, which has no parts.
fn is_organisation(text: &str, words: &[Range<usize>]) -> bool {
    let [_, .., last] = words else { return false };
    let word = text[last.clone()].trim_start_matches(['(', '&']).trim_end_matches(')');
    let lower = word.to_lowercase();
    let plain = lower.trim_end_matches('.');
    let is_capital = word.chars().all(|c| !c.is_lowercase());
    LEGAL_FORMS.contains(&plain)
        && (!ONLY_AS_FORM.contains(&plain) || is_capital || word.contains('.'))
}

#[cfg(test)]
mod tests;
