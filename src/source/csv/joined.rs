//! A value that has several columns, a part in each.
//!
//! Owns which part goes into which column. The law: joined again, the parts are those of
//! the value. Where several ways fulfil it, a part that a column has already stays there, then one
//! that other rows have there goes there, then one takes the place of another; the first part
//! goes into the first column. Where that leaves more than one way, there is none: nothing is
//! guessed. Leaves cells to [`super::location`].

use crate::model::same_parts;

use super::location::BETWEEN;

/// A value of more parts is no location.
const MOST_PARTS: usize = 10;

/// The texts by which columns that have the parts `old` say `to`. `holds` tells whether other
/// rows have a text in a column.
pub(super) fn parts_of(
    to: &str,
    old: &[String],
    holds: &dyn Fn(usize, &str) -> bool,
) -> Option<Vec<String>> {
    let to_blank = || vec![String::new(); old.len()];
    if to.trim().is_empty() {
        return Some(to_blank());
    }
    let tokens = to.split(',').map(str::trim).filter(|part| !part.is_empty());
    let tokens: Vec<&str> = tokens.collect();
    if tokens.len() > MOST_PARTS {
        return None;
    }
    let mut ways = Vec::new();
    share_out(&tokens, old, &mut Vec::new(), holds, &mut ways);
    ways.retain(|way| same_parts(&join_parts(way), to));
    let best = ways.iter().map(|way| parts_worth(way, old, holds)).max()?;
    ways.retain(|way| parts_worth(way, old, holds) == best);
    if ways.len() > 1 {
        ways.retain(|way| !way[0].is_empty());
    }
    if ways.len() == 1 { ways.pop() } else { None }
}

/// All ways to give each column no part, one, or several that belong together there.
fn share_out(
    tokens: &[&str],
    old: &[String],
    given: &mut Vec<String>,
    holds: &dyn Fn(usize, &str) -> bool,
    ways: &mut Vec<Vec<String>>,
) {
    let column = given.len();
    if column == old.len() {
        if tokens.is_empty() {
            ways.push(given.clone());
        }
        return;
    }
    for count in 0..=tokens.len() {
        let text = tokens[..count].join(BETWEEN);
        if count > 1 && text != old[column] && !holds(column, &text) {
            continue;
        }
        given.push(text);
        share_out(&tokens[count..], old, given, holds, ways);
        given.pop();
    }
}

/// How many parts stay where they are, are known in their column, and take the place of
/// another.
fn parts_worth(
    way: &[String],
    old: &[String],
    holds: &dyn Fn(usize, &str) -> bool,
) -> (usize, usize, usize) {
    let filled = || way.iter().zip(old).enumerate().filter(|(_, (new, _))| !new.is_empty());
    let kept = filled().filter(|(_, (new, old))| new == old).count();
    let known = filled().filter(|(at, (new, old))| new == old || holds(*at, new)).count();
    let replaced = filled().filter(|(_, (_, old))| !old.is_empty()).count();
    (kept, known, replaced)
}

fn join_parts(parts: &[String]) -> String {
    let filled = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    filled.collect::<Vec<_>>().join(BETWEEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of `to` in three columns, where other rows have Texas in the second and
    /// Norway in the third.
    fn parts(old: [&str; 3], to: &str) -> Option<[String; 3]> {
        let old = old.map(str::to_owned);
        let holds = |at: usize, text: &str| matches!((at, text), (1, "Texas") | (2, "Norway"));
        parts_of(to, &old, &holds).map(|parts| parts.try_into().unwrap())
    }

    #[test]
    fn a_part_that_goes_is_blanked_and_the_others_stay_where_they_are() {
        let is = |parts: [&str; 3]| Some(parts.map(str::to_owned));
        assert_eq!(parts(["Austin", "TX", ""], "Austin"), is(["Austin", "", ""]));
        assert_eq!(parts(["Austin", "TX", "USA"], "Austin, USA"), is(["Austin", "", "USA"]));
        assert_eq!(parts(["Austin", "TX", "USA"], "USA"), is(["", "", "USA"]));
        assert_eq!(parts(["Austin", "TX", "USA"], "Dallas, USA"), is(["Dallas", "", "USA"]));
        assert_eq!(parts(["Austin", "TX", "USA"], "Dallas, TX, USA"), is(["Dallas", "TX", "USA"]));
        assert_eq!(parts(["Austin", "TX", ""], "Dallas, CA"), is(["Dallas", "CA", ""]));
        assert_eq!(parts(["Austin", "TX", ""], ""), is(["", "", ""]));
        assert_eq!(parts(["Austin", "TX", ""], "Rome"), is(["Rome", "", ""]));
    }

    #[test]
    fn a_part_that_is_new_goes_where_other_rows_have_it_or_nowhere() {
        let is = |parts: [&str; 3]| Some(parts.map(str::to_owned));
        assert_eq!(parts(["Oslo", "", ""], "Oslo, Norway"), is(["Oslo", "", "Norway"]));
        assert_eq!(parts(["", "", ""], "Austin, Texas"), is(["Austin", "Texas", ""]));
        assert_eq!(parts(["", "", ""], "Norway"), is(["", "", "Norway"]));
        assert_eq!(parts(["", "", ""], "Oslo"), is(["Oslo", "", ""]));
        assert_eq!(parts(["Oslo", "", ""], "Oslo, Sweden"), None);
        assert_eq!(parts(["", "", ""], "Oslo, Sweden"), None);
        assert_eq!(parts(["Oslo", "", ""], "a, b, c, d"), None);
        assert_eq!(parts(["Oslo", "", ""], "Oslo,Norway"), is(["Oslo", "", "Norway"]));
    }
}
