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
use super::error::{Failure, LinqError, Remedy};
use crate::model::{Field, FieldSet, LinqId, Positions, Resting};
use crate::progress::ProgressStage;

/// Contacts asked for at a time; the most that Linq documents.
const PER_PAGE: u32 = 100;
/// Contacts that Linq gives at a time where it is not asked for a number.
const USUAL: u32 = 25;
/// Most walks before an incomplete listing is accepted as one.
const MAX_WALKS: u32 = 3;

/// The contacts in Linq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The contacts that are not as they were at rest, by id.
    pub contacts: BTreeMap<LinqId, Fetched>,
    /// The pairs at rest whose contact is as it was.
    pub at_rest: Positions,
    /// The fields of which any contact says something.
    pub mentioned: FieldSet,
    /// Whether these are all.
    pub completeness: Completeness,
}

/// Whether a listing shows every contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// As far as one can tell, it does.
    Complete,
    /// It may not, for this reason: nothing follows from an absence.
    Partial(ListingDoubt),
}

/// Why a listing may not show every contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingDoubt {
    /// Linq does not say how many contacts there are.
    #[error("the listing does not say how many contacts there are")]
    NoTotals,
    /// Linq names far more pages than its contacts fill, or gives more contacts on one than
    /// it was asked for.
    #[error("the pages of the listing are not as long or as many as they should be")]
    OddPages,
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

impl ListingDoubt {
    /// Whether another walk may be complete.
    pub const fn may_pass(self) -> bool {
        match self {
            ListingDoubt::NoTotals | ListingDoubt::OddPages | ListingDoubt::Unreadable(_) => false,
            ListingDoubt::TotalsDiffer
            | ListingDoubt::NoSuchPage(_)
            | ListingDoubt::Changed(_)
            | ListingDoubt::CountDiffers { .. } => true,
        }
    }
}

impl Listing {
    /// How many contacts there are in it.
    pub fn len(&self) -> usize {
        self.contacts.len() + self.at_rest.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty() && self.at_rest.is_empty()
    }
}

/// Reads every contact in Linq, in up to three walks. Of those that are as they were when
/// their pair was among those `resting` only that is kept. `all_seen` says of a walk that
/// drifted whether nobody is looked for among those whom it may not show.
///
/// # Errors
/// [`LinqError`] when a page does not come after all attempts. Nothing that was
/// read until then is kept.
pub async fn walk(
    client: &Client,
    resting: &Resting,
    all_seen: impl Fn(&Listing) -> bool,
) -> Result<Listing, LinqError> {
    let mut seen: Option<Listing> = None;
    let mut walks = 1;
    loop {
        let walked = read_pages(client, resting).await?;
        let (mut listing, most) = walked.finish();
        let Completeness::Partial(doubt) = listing.completeness else { return Ok(listing) };
        tracing::debug!(%doubt, walks, "the listing is not complete");
        if let Some(before) = seen.take() {
            listing.add_earlier(before, resting);
        }
        let is_enough = || listing.len() >= most && all_seen(&listing);
        if walks == MAX_WALKS || !doubt.may_pass() || is_enough() {
            return Ok(listing);
        }
        seen = Some(listing);
        walks += 1;
    }
}

impl Listing {
    /// Adds whom an `earlier` walk saw and this one did not.
    fn add_earlier(&mut self, earlier: Listing, resting: &Resting) {
        let Listing { contacts, mut at_rest, mentioned, completeness: _ } = earlier;
        for id in self.contacts.keys() {
            if let Some(at) = resting.of_id(*id) {
                at_rest.remove(at);
            }
        }
        for (id, fetched) in contacts {
            let is_at_rest = resting.of_id(id).is_some_and(|at| self.at_rest.contains(at));
            if !is_at_rest {
                self.contacts.entry(id).or_insert(fetched);
            }
        }
        self.at_rest.extend(&at_rest);
        self.mentioned.extend(mentioned.iter());
    }
}

/// One walk, as far as it has come. Pages come in any order.
struct Walk<'a> {
    resting: &'a Resting,
    /// What the first page says of all.
    pagination: Pagination,
    /// How many pages are read.
    last: u32,
    is_odd: bool,
    unreadable: usize,
    /// The first page that did not come.
    no_such_page: Option<u32>,
    totals_differ: bool,
    /// The first contact that was listed twice and did not look the same.
    changed: Option<LinqId>,
    /// The most contacts that any page says there are.
    most: u64,
    /// Those that are not as they were at rest, each with the page that it was on.
    contacts: BTreeMap<LinqId, (u32, Fetched)>,
    at_rest: Positions,
    mentioned: FieldSet,
}

/// Asks for every page once: the first, then those between at the same time, then
/// the last.
async fn read_pages<'a>(client: &Client, resting: &'a Resting) -> Result<Walk<'a>, LinqError> {
    let gauge = client.progress();
    gauge.begin_stage(ProgressStage::Listing, None);
    let first = client.list_page(1, PER_PAGE).await?;
    gauge.begin_stage(ProgressStage::Listing, first.pagination.total_count);
    gauge.advance_by(first.contacts.len());
    let mut walk = Walk::begin_with(resting, &first);
    walk.take_page(1, Some(first));
    let concurrency = client.settings().concurrency.get();
    let mut between = stream::iter(2..walk.last)
        .map(async |number| read_page(client, number).await.map(|page| (number, page)))
        .buffer_unordered(concurrency);
    while let Some(asked) = between.next().await {
        let (number, page) = asked?;
        gauge.advance_by(page.as_ref().map_or(0, |page| page.contacts.len()));
        walk.take_page(number, page);
    }
    if walk.last > 1 {
        let page = read_page(client, walk.last).await?;
        walk.take_page(walk.last, page);
    }
    Ok(walk)
}

impl<'a> Walk<'a> {
    fn begin_with(resting: &'a Resting, first: &Page) -> Walk<'a> {
        let (last, is_odd) = last_page(first);
        Walk {
            resting,
            pagination: first.pagination,
            last,
            is_odd,
            unreadable: 0,
            no_such_page: None,
            totals_differ: false,
            changed: None,
            most: 0,
            contacts: BTreeMap::new(),
            at_rest: Positions::none(resting.len()),
            mentioned: FieldSet::EMPTY,
        }
    }

    /// Takes what came for the page `number`; `None` if there is no such page.
    fn take_page(&mut self, number: u32, page: Option<Page>) {
        if !is_page(number, page.as_ref()) {
            self.no_such_page = Some(self.no_such_page.map_or(number, |first| first.min(number)));
        }
        let Some(Page { contacts, unreadable, pagination }) = page else { return };
        self.unreadable += unreadable;
        self.totals_differ |= page_totals(&pagination) != page_totals(&self.pagination);
        self.most = self.most.max(pagination.total_count.unwrap_or(0));
        if contacts.len() + unreadable > PER_PAGE as usize {
            self.is_odd = true;
            return;
        }
        for fetched in contacts {
            self.take_contact(number, fetched);
        }
    }

    /// Takes a contact. Of two versions of one the one that Linq changed later counts, and of
    /// equals the one on the later page.
    fn take_contact(&mut self, number: u32, fetched: Fetched) {
        if self.mentioned != FieldSet::ALL {
            self.mentioned.extend(FieldSet::ALL.iter().filter(|field| is_told(&fetched, *field)));
        }
        let id = fetched.contact.id;
        let at = self.resting.of_id(id);
        let is_at_rest = at.is_some() && self.resting.of_contact(&fetched.contact).is_some();
        let was_at_rest = at.filter(|at| self.at_rest.contains(*at));
        match (self.contacts.get(&id), was_at_rest) {
            (None, None) => self.put_contact(number, fetched, at.filter(|_| is_at_rest)),
            (None, Some(_)) if is_at_rest => {}
            (None, Some(was)) => {
                // The contact as it was at rest is not at hand: what differs from it counts.
                self.is_changed(id);
                self.at_rest.remove(was);
                self.put_contact(number, fetched, None);
            }
            (Some((_, known)), _) if known.contact == fetched.contact => {}
            (Some((page, known)), _) => {
                let versions =
                    [(known.contact.updated_at, *page), (fetched.contact.updated_at, number)];
                self.is_changed(id);
                if versions[1] >= versions[0] && !is_at_rest {
                    self.put_contact(number, fetched, None);
                }
            }
        }
    }

    fn put_contact(&mut self, number: u32, fetched: Fetched, at_rest: Option<usize>) {
        match at_rest {
            Some(at) => drop(self.at_rest.insert(at)),
            None => drop(self.contacts.insert(fetched.contact.id, (number, fetched))),
        }
    }

    fn is_changed(&mut self, id: LinqId) {
        self.changed = Some(self.changed.map_or(id, |first| first.min(id)));
    }

    /// The listing, once all pages were taken, and how many contacts there are at most.
    fn finish(self) -> (Listing, usize) {
        let listed = self.contacts.len() + self.at_rest.len();
        let doubt = self.find_doubt(listed);
        let contacts = self.contacts.into_iter().map(|(id, (_, fetched))| (id, fetched));
        let listing = Listing {
            contacts: contacts.collect(),
            at_rest: self.at_rest,
            mentioned: self.mentioned,
            completeness: doubt.map_or(Completeness::Complete, Completeness::Partial),
        };
        (listing, usize::try_from(self.most).unwrap_or(usize::MAX))
    }

    /// What speaks against the walk, if anything does: first what another one cannot mend.
    fn find_doubt(&self, listed: usize) -> Option<ListingDoubt> {
        let Some(total) = self.pagination.total_count else { return Some(ListingDoubt::NoTotals) };
        if self.is_odd {
            Some(ListingDoubt::OddPages)
        } else if self.unreadable > 0 {
            Some(ListingDoubt::Unreadable(self.unreadable))
        } else if let Some(number) = self.no_such_page {
            Some(ListingDoubt::NoSuchPage(number))
        } else if self.totals_differ {
            Some(ListingDoubt::TotalsDiffer)
        } else if let Some(id) = self.changed {
            Some(ListingDoubt::Changed(id))
        } else {
            let equal = u64::try_from(listed) == Ok(total);
            (!equal).then_some(ListingDoubt::CountDiffers { listed, total })
        }
    }
}

/// Whether a contact says something of `field`.
fn is_told(fetched: &Fetched, field: Field) -> bool {
    !fetched.contact.values[field].is_empty() || fetched.mentions(field)
}

/// How many pages there are: as many as Linq says, or as the contacts on the first
/// page let expect. A Linq that counts pages of 100 and gives its usual 25 has four
/// times as many; a first page that is shorter still is a fault, and not followed. Neither
/// are many times as many pages as the contacts fill, which is odd.
fn last_page(first: &Page) -> (u32, bool) {
    let on_first = u64::try_from(first.contacts.len() + first.unreadable).unwrap_or(u64::MAX);
    let total = first.pagination.total_count.unwrap_or(0);
    let by_count = if on_first == 0 { 0 } else { total.div_ceil(on_first) };
    let times = u64::from(PER_PAGE / USUAL);
    let last = match first.pagination.total_pages {
        Some(pages) => by_count.clamp(pages, pages.saturating_mul(times)),
        None => by_count,
    };
    let most = by_count.max(total.div_ceil(u64::from(USUAL))).max(1).saturating_mul(times);
    let is_odd = last > most && first.pagination.total_count.is_some();
    (u32::try_from(last.min(most)).unwrap_or(u32::MAX), is_odd)
}

/// Asks for a page after the first. One that Linq refuses to give is no longer
/// there: the listing shrank meanwhile.
async fn read_page(client: &Client, number: u32) -> Result<Option<Page>, LinqError> {
    match client.list_page(number, PER_PAGE).await {
        Ok(page) => Ok(Some(page)),
        Err(LinqError { verdict: Remedy::Failed(Failure::Status(answered)), .. })
            if matches!(answered.status.as_u16(), 400 | 404 | 416 | 422) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether what came is the page `number`, as far as it says.
fn is_page(number: u32, page: Option<&Page>) -> bool {
    let claims = |page: &Page| page.pagination.current_page.unwrap_or(number.into());
    page.is_some_and(|page| claims(page) == u64::from(number))
}

/// What every page of one listing has in common.
const fn page_totals(pagination: &Pagination) -> [Option<u64>; 2] {
    [pagination.total_pages, pagination.total_count]
}

#[cfg(test)]
mod tests;
