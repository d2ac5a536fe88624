//! Whole names: taken apart into first and last name, and put together again.
//!
//! Owns the one way in which a name that stands in one place is split, for columns of
//! tables and for cards alike. The order may be `Ada King`, `King, Ada` or, in Chinese,
//! Japanese and Korean, `山田 太郎` and `山田太郎`. What is neither name, such as `Dr.` and
//! `Jr.`, stays where it is when one of them is exchanged. The law: what [`WholeName::with`]
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
pub(super) struct Names {
    pub(super) first: String,
    pub(super) last: String,
}

impl Names {
    /// Both names.
    pub(super) fn new(first: &str, last: &str) -> Names {
        Names { first: first.to_owned(), last: last.to_owned() }
    }
}

/// In which order a whole name has its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
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
    order: Order,
}

impl<'t> WholeName<'t> {
    /// Takes `text` apart.
    pub(super) fn of(text: &'t str) -> WholeName<'t> {
        WholeName::of_usual(text, Usual::FirstName)
    }

    /// Takes `text` apart, in which this name comes first as a rule.
    pub(super) fn of_usual(text: &'t str, usual: Usual) -> WholeName<'t> {
        let whole = trimmed(text, 0..text.len());
        let order = match usual {
            Usual::FirstName => Order::FirstLast,
            Usual::LastName => Order::Spaced,
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
                let (first, last) = (bare(text, first.clone()), bare(text, last.clone()));
                WholeName { first, last, order: Order::LastFirst, ..nothing }
            }
            [ref only] => nothing.in_words(only.clone()),
            _ => WholeName { first: whole, ..nothing },
        }
    }

    /// First and last name.
    pub(super) fn names(&self) -> Names {
        Names::new(&self.text[self.first.clone()], &self.text[self.last.clone()])
    }

    /// The text from the first of both names to the end of the last one.
    pub(super) fn core(&self) -> &'t str {
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
            Order::FirstLast => (false, " "),
            Order::LastFirst => (true, ", "),
            Order::Spaced => (true, " "),
            Order::Unspaced => (true, ""),
        };
        Some(NameText::new(self.text, self.core(), is_last_first, between))
    }

    /// The order of its parts; `None` where it has not both.
    pub(super) fn order(&self) -> Option<Order> {
        (!self.first.is_empty() && !self.last.is_empty()).then_some(self.order)
    }

    /// The name, if it may as well be taken apart into these.
    pub(super) fn read_as(self, names: &Names) -> Option<WholeName<'t>> {
        if self.names() == *names {
            return Some(self);
        }
        let text = self.as_text().filter(|text| text.says(&names.first, &names.last))?;
        let (head, tail) = if text.is_last_first() {
            (&names.last, &names.first)
        } else {
            (&names.first, &names.last)
        };
        let whole = trimmed(self.text, 0..self.text.len());
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
    pub(super) fn with(&self, names: &Names, usual: Order) -> Option<String> {
        if self.names() == *names {
            return Some(self.text.to_owned());
        }
        let candidates = if self.first.is_empty() && self.last.is_empty() {
            [Some(usual), Some(Order::Spaced), Some(Order::LastFirst)].map(|order| {
                let order = order.filter(|order| *order == usual || !names.last.is_empty())?;
                Some(joined(names, order))
            })
        } else {
            [Some(self.exchanged(names)), None, None]
        };
        let reads_back = |text: &String| WholeName::of_usual(text, self.usual).names() == *names;
        candidates.into_iter().flatten().find(reads_back)
    }

    /// Each part in its place.
    fn exchanged(&self, names: &Names) -> String {
        let order = match self.order() {
            Some(order) => order,
            None if is_east_asian(&joined(names, Order::Unspaced)) => Order::Spaced,
            None => self.order,
        };
        let (first, last) = (self.first.clone(), self.last.clone());
        if names.first.is_empty() || names.last.is_empty() || first.is_empty() || last.is_empty() {
            let (start, end) = match (first.is_empty(), last.is_empty()) {
                (true, _) => (last.start, last.end),
                (_, true) => (first.start, first.end),
                _ => (first.start.min(last.start), first.end.max(last.end)),
            };
            let name = joined(names, order);
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
                first: trimmed(text, whole.start..a),
                last: trimmed(text, b..whole.end),
                ..self
            };
        }
        if let Some((last, first)) = inner.split_once([',', '，', '、']) {
            let (a, b) = (whole.start + last.len(), whole.end - first.len());
            let (last, first) = (trimmed(text, whole.start..a), trimmed(text, b..whole.end));
            return WholeName { first, last, order: Order::LastFirst, ..self };
        }
        if let Some(space) = inner.find(char::is_whitespace) {
            let last = whole.start..whole.start + space;
            let first = trimmed(text, whole.start + space..whole.end);
            return WholeName { first, last, order: Order::Spaced, ..self };
        }
        match surname_length(inner) {
            Some(length) => {
                let at = whole.start + length;
                let (last, first) = (whole.start..at, at..whole.end);
                WholeName { first, last, order: Order::Unspaced, ..self }
            }
            None => WholeName { first: whole, ..self },
        }
    }

    /// A name without a comma.
    fn in_words(self, whole: Range<usize>) -> WholeName<'t> {
        let text = self.text;
        let words = words(text, whole.clone());
        if is_organisation(text, &words) {
            return WholeName { first: whole, ..self };
        }
        let core = core(text, &words);
        let had_prefix = core.first().map(|word| word.start) != words.first().map(|w| w.start);
        let Some((final_word, others)) = core.split_last() else {
            return WholeName { first: whole, ..self };
        };
        let all = core[0].start..final_word.end;
        let is_particle = |word: &Range<usize>| particle(&text[word.clone()]);
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
fn joined(names: &Names, order: Order) -> String {
    let Names { first, last } = names;
    let (a, by, b) = match order {
        Order::FirstLast => (first, " ", last),
        Order::LastFirst => (last, ", ", first),
        Order::Spaced => (last, " ", first),
        Order::Unspaced => (last, "", first),
    };
    if a.is_empty() || b.is_empty() { format!("{a}{b}") } else { format!("{a}{by}{b}") }
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
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
            range = trimmed(text, range.start..range.start + at);
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
        parts.push(trimmed(text, start..end));
        start = next;
    }
    parts.push(trimmed(text, start..range.end));
    let is_suffix = |part: &Range<usize>| {
        !part.is_empty() && words(text, part.clone()).iter().all(|word| suffix(&text[word.clone()]))
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
fn bare(text: &str, part: Range<usize>) -> Range<usize> {
    let words = words(text, part.clone());
    match core(text, &words) {
        [] => part,
        core => core[0].start..core[core.len() - 1].end,
    }
}

fn words(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let part = &text[range.clone()];
    let offset = |word: &str| word.as_ptr() as usize - part.as_ptr() as usize + range.start;
    part.split_whitespace().map(|word| offset(word)..offset(word) + word.len()).collect()
}

/// The words that are names: without forms of address before and suffixes behind them.
fn core<'w>(text: &str, words: &'w [Range<usize>]) -> &'w [Range<usize>] {
    let mut core = words;
    let is_prefix = |word: &Range<usize>| prefix(&text[word.clone()]);
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
        && suffix(&text[last.clone()])
    {
        core = rest;
    }
    core
}

fn prefix(word: &str) -> bool {
    let lower = word.to_lowercase();
    let plain = lower.trim_end_matches('.');
    PREFIXES.contains(&plain) && (word.ends_with('.') || !ONLY_WITH_DOT.contains(&plain))
}

fn suffix(word: &str) -> bool {
    let plain: String = word.chars().filter(|c| !matches!(c, '.' | ',')).collect();
    SUFFIXES.contains(&plain.to_lowercase().as_str()) || CAPITAL_SUFFIXES.contains(&plain.as_str())
}

fn particle(word: &str) -> bool {
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
