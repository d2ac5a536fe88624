//! The walk over the whole listing.
//!
//! Owns reading every page and saying whether the result is complete. Leaves
//! what follows from an absence to [`crate::plan`]: even a complete listing is
//! not proof enough, since a contact that came and one that went can balance.
//!
//! Linq documents no order, and pages drift when contacts come and go while they
//! are read. A walk is complete if every page was answered as the page that it
//! is, all pages name the same totals, every contact on them could be read, and
//! the distinct ids number exactly the total. The first page is read first and
//! the last page last, so that equal totals on all pages are equal totals at both
//! ends. A contact that is listed twice and looks the same both times does no
//! harm to an exact count; one that looks different makes the walk incomplete.
//!
//! A walk that drifted is repeated, unless all who are looked for were seen by then and as
//! many as Linq says there are. If no walk is complete, what any of them saw
//! is put together, the later walk preferred: good for updates, never for
//! deletions.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};

use super::answer::{Fetched, Page, Pagination};
use super::client::Client;
use super::error::{Failure, LinqError, Verdict};
use crate::gauge::Stage;
use crate::model::LinqId;

/// Contacts asked for at a time; the most that Linq documents.
const PER_PAGE: u32 = 100;
/// Most pages that are read in one walk.
const MAX_PAGES: u32 = 2_000;
/// Most contacts that are read in one walk.
const MAX_CONTACTS: usize = 200_000;
/// Most walks before an incomplete listing is accepted as one.
const MAX_WALKS: u32 = 3;

/// The contacts in Linq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Each contact once, ordered by id.
    pub contacts: Vec<Fetched>,
    /// Whether these are all.
    pub completeness: Completeness,
}

/// Whether a listing shows every contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// As far as one can tell, it does.
    Complete,
    /// It may not, for this reason: nothing follows from an absence.
    Partial(Doubt),
}

/// Why a listing may not show every contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Linq does not say how many contacts there are.
    #[error("the listing does not say how many contacts there are")]
    NoTotals,
    /// There is more than is read.
    #[error("the listing is longer than {MAX_CONTACTS} contacts or {MAX_PAGES} pages")]
    TooLong,
    /// Some contacts could not be read.
    #[error("{0} contacts in the listing cannot be read")]
    Unreadable(usize),
    /// Pages name different totals.
    #[error("the number of contacts changed while they were listed")]
    TotalsDiffer,
    /// A page was not there, or another one came in its place.
    #[error("page {0} of the listing did not come")]
    NoSuchPage(u32),
    /// A contact was listed twice and did not look the same.
    #[error("contact {0} changed while it was listed")]
    Changed(LinqId),
    /// The distinct ids do not number what Linq says.
    #[error("{listed} contacts were listed and there should be {total}")]
    CountDiffers {
        /// Distinct ids on all pages.
        listed: usize,
        /// What Linq says.
        total: u64,
    },
}

impl Doubt {
    /// Whether another walk may be complete.
    pub const fn may_pass(self) -> bool {
        match self {
            Doubt::NoTotals | Doubt::TooLong | Doubt::Unreadable(_) => false,
            Doubt::TotalsDiffer
            | Doubt::NoSuchPage(_)
            | Doubt::Changed(_)
            | Doubt::CountDiffers { .. } => true,
        }
    }
}

/// Reads every contact in Linq, in up to three walks. `all_seen` says of the contacts of a
/// walk that drifted whether nobody is looked for among those whom it may not show.
///
/// # Errors
/// [`LinqError`] when a page does not come after all attempts. Nothing that was
/// read until then is kept.
pub async fn walk(
    client: &Client,
    all_seen: impl Fn(&BTreeMap<LinqId, Fetched>) -> bool,
) -> Result<Listing, LinqError> {
    let mut seen: BTreeMap<LinqId, Fetched> = BTreeMap::new();
    let mut walks = 1;
    loop {
        let pages = read_pages(client).await?;
        let total = most_in_total(&pages);
        let (contacts, completeness) = join(pages);
        let listing = |contacts: BTreeMap<LinqId, Fetched>| Listing {
            contacts: contacts.into_values().collect(),
            completeness,
        };
        match completeness {
            Completeness::Complete => return Ok(listing(contacts)),
            Completeness::Partial(doubt) => {
                tracing::debug!(%doubt, walks, "the listing is not complete");
                seen.extend(contacts);
                let is_enough = || seen.len() >= total && all_seen(&seen);
                if walks == MAX_WALKS || !doubt.may_pass() || is_enough() {
                    return Ok(listing(seen));
                }
            }
        }
        walks += 1;
    }
}

/// A page and the number under which it was asked for; `None` if there is none.
type Asked = (u32, Option<Page>);

/// Asks for every page once: the first, then those between at the same time, then
/// the last. In the order of their numbers.
async fn read_pages(client: &Client) -> Result<Vec<Asked>, LinqError> {
    let gauge = client.gauge();
    gauge.begin(Stage::Listing, None);
    let first = client.list_page(1, PER_PAGE).await?;
    gauge.begin(Stage::Listing, first.pagination.total_count);
    gauge.advance(first.contacts.len());
    let last = last_page(&first).min(MAX_PAGES);
    let mut contacts = first.contacts.len();
    let mut pages = vec![(1, Some(first))];
    let concurrency = client.settings().concurrency.get();
    let mut between =
        stream::iter(2..last).map(|number| read_page(client, number)).buffer_unordered(concurrency);
    while contacts <= MAX_CONTACTS
        && let Some(asked) = between.next().await
    {
        let asked = asked?;
        let more = asked.1.as_ref().map_or(0, |page| page.contacts.len());
        gauge.advance(more);
        contacts += more;
        pages.push(asked);
    }
    if last > 1 && contacts <= MAX_CONTACTS {
        pages.push(read_page(client, last).await?);
    }
    pages.sort_by_key(|(number, _)| *number);
    Ok(pages)
}

/// How many pages there are: as many as Linq says, or as the contacts on the first
/// page let expect. A Linq that counts pages of 100 and gives its usual 25 has four
/// times as many; a first page that is shorter still is a fault, and not followed.
fn last_page(first: &Page) -> u32 {
    const USUAL: u64 = 25;
    let on_first = u64::try_from(first.contacts.len() + first.unreadable).unwrap_or(u64::MAX);
    let total = first.pagination.total_count.unwrap_or(0);
    let by_count = if on_first == 0 { 0 } else { total.div_ceil(on_first) };
    let last = match first.pagination.total_pages {
        Some(pages) => by_count.clamp(pages, pages.saturating_mul(u64::from(PER_PAGE) / USUAL)),
        None => by_count,
    };
    u32::try_from(last).unwrap_or(u32::MAX)
}

/// Asks for a page after the first. One that Linq refuses to give is no longer
/// there: the listing shrank meanwhile.
async fn read_page(client: &Client, number: u32) -> Result<Asked, LinqError> {
    match client.list_page(number, PER_PAGE).await {
        Ok(page) => Ok((number, Some(page))),
        Err(LinqError { verdict: Verdict::Failed(Failure::Status(answered)), .. })
            if matches!(answered.status.as_u16(), 400 | 404 | 416 | 422) =>
        {
            Ok((number, None))
        }
        Err(error) => Err(error),
    }
}

/// Puts the pages of one walk together: each contact once, and whether they are
/// all. Of two versions of a contact the one that Linq changed later counts.
fn join(pages: Vec<Asked>) -> (BTreeMap<LinqId, Fetched>, Completeness) {
    let doubt = doubt_about_pages(&pages);
    let total = pages.first().and_then(|(_, page)| page.as_ref()?.pagination.total_count);
    let mut contacts: BTreeMap<LinqId, Fetched> = BTreeMap::new();
    let mut changed = None;
    for fetched in pages.into_iter().filter_map(|(_, page)| page).flat_map(|page| page.contacts) {
        let id = fetched.contact.id;
        match contacts.get(&id).map(|known| &known.contact) {
            Some(known) if *known == fetched.contact => {}
            Some(known) => {
                changed.get_or_insert(Doubt::Changed(id));
                if fetched.contact.updated_at >= known.updated_at {
                    contacts.insert(id, fetched);
                }
            }
            None => {
                contacts.insert(id, fetched);
            }
        }
    }
    let doubt = doubt.or(changed).or_else(|| doubt_about_count(contacts.len(), total));
    (contacts, doubt.map_or(Completeness::Complete, Completeness::Partial))
}

/// The most contacts that any of the pages says there are.
fn most_in_total(pages: &[Asked]) -> usize {
    let totals = pages.iter().filter_map(|(_, page)| page.as_ref()?.pagination.total_count);
    totals.max().map_or(0, |total| usize::try_from(total).unwrap_or(usize::MAX))
}

/// What speaks against the pages themselves: first what another walk cannot mend.
fn doubt_about_pages(pages: &[Asked]) -> Option<Doubt> {
    let there = || pages.iter().filter_map(|(_, page)| page.as_ref());
    let unreadable: usize = there().map(|page| page.unreadable).sum();
    let contacts: usize = there().map(|page| page.contacts.len()).sum();
    let first = there().next()?;
    if first.pagination.total_count.is_none() {
        Some(Doubt::NoTotals)
    } else if contacts > MAX_CONTACTS || last_page(first) > MAX_PAGES {
        Some(Doubt::TooLong)
    } else if unreadable > 0 {
        Some(Doubt::Unreadable(unreadable))
    } else if let Some((number, _)) =
        pages.iter().find(|(number, page)| !is_page(*number, page.as_ref()))
    {
        Some(Doubt::NoSuchPage(*number))
    } else if there().any(|page| totals(&page.pagination) != totals(&first.pagination)) {
        Some(Doubt::TotalsDiffer)
    } else {
        None
    }
}

/// Whether what came is the page `number`, as far as it says.
fn is_page(number: u32, page: Option<&Page>) -> bool {
    let claims = |page: &Page| page.pagination.current_page.unwrap_or(number.into());
    page.is_some_and(|page| claims(page) == u64::from(number))
}

/// What every page of one listing has in common.
const fn totals(pagination: &Pagination) -> [Option<u64>; 2] {
    [pagination.total_pages, pagination.total_count]
}

fn doubt_about_count(listed: usize, total: Option<u64>) -> Option<Doubt> {
    let total = total?;
    let equal = u64::try_from(listed) == Ok(total);
    (!equal).then_some(Doubt::CountDiffers { listed, total })
}

#[cfg(test)]
mod tests;
