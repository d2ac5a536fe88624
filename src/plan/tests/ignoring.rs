//! What people want to be ignored: nothing of it is touched, whatever becomes of the rest.

use super::world::{PlannedWorld, values};
use crate::model::{Field, Ignored, LinkStatus, Waiting};
use crate::plan::{Observation, ignore, make_plan};

const ADA: &str = "first_name=Ada last_name=Bell email=ada@x.example phone_number=+14155550101";
const BO: &str = "first_name=Bo last_name=Cole email=bo@x.example title=Cook";
const BAKER: &str = "first_name=Bo last_name=Cole email=bo@x.example title=Baker";

fn entry(about: Waiting) -> Ignored {
    Ignored { about, by: None, at: super::world::at(0) }
}

fn observe(world: &PlannedWorld, entries: &[Ignored]) -> Observation {
    let mut seen = world.observe();
    ignore(&mut seen, entries.to_vec(), &world.policy);
    seen
}

/// Applies what is planned until nothing is left to be done.
fn settle(world: &mut PlannedWorld, entries: &[Ignored]) {
    for _ in 0..5 {
        let plan = make_plan(&observe(world, entries), &world.policy).unwrap();
        world.apply(&plan);
    }
}

/// Bo is linked; a row that looks like him waited, and is ignored.
fn with_a_twin() -> (PlannedWorld, Vec<Ignored>) {
    let mut world = PlannedWorld::in_sync(&[BO, ADA]);
    world.rows.push(values(BAKER));
    let waiting = world.listed();
    assert_eq!(waiting.len(), 1);
    (world, waiting.into_iter().map(entry).collect())
}

#[test]
fn an_ignored_pair_whose_contact_is_made_again_under_another_id_is_not_touched() {
    for contact in [ADA, "first_name=Ada last_name=Bell email=ada@x.example title=Chief"] {
        let mut world = PlannedWorld::in_sync(&[ADA, BO]);
        let id = world.id(0);
        let mut other = PlannedWorld::new(&[BO, BAKER], &[]);
        other.settle();
        let mut about = other.listed().remove(0);
        about.linq_id = Some(id);
        let entries = [entry(about)];
        settle(&mut world, &entries);
        assert_eq!(world.links[0].status, LinkStatus::Released);
        world.contacts.remove(&id);
        let again = world.appear(values(contact));
        let before = (world.rows.clone(), world.contacts.clone());
        settle(&mut world, &entries);
        assert_eq!((&world.rows, &world.contacts), (&before.0, &before.1), "{again:?}");
        let seen = observe(&world, &entries);
        assert_eq!(make_plan(&seen, &world.policy).unwrap().outside, [1, 1]);
        settle(&mut world, &[]);
        assert_eq!((world.rows.len(), world.contacts.len(), world.links.len()), (2, 2, 2));
    }
}

#[test]
fn an_ignored_row_does_not_take_over_the_contact_of_the_one_that_is_removed() {
    let (mut world, entries) = with_a_twin();
    settle(&mut world, &entries);
    world.rows.remove(0);
    let contacts = world.contacts.clone();
    settle(&mut world, &entries);
    assert_eq!((&world.contacts, world.rows.len()), (&contacts, 2));
    assert_eq!(world.links[0].status, LinkStatus::Released);
    let edited = world.rows.iter_mut().find(|row| row[Field::FirstName] == *"Bo").unwrap();
    edited[Field::Title] = "Brewer".into();
    settle(&mut world, &entries);
    assert_eq!(world.contacts, contacts, "nor after an edit");
}

#[test]
fn the_original_goes_on_when_the_ignored_row_is_removed() {
    let (mut world, entries) = with_a_twin();
    settle(&mut world, &entries);
    world.rows.pop();
    world.set_row(0, Field::Title, "Chef");
    settle(&mut world, &entries);
    assert!(world.links.iter().all(|link| link.status == LinkStatus::Linked));
    assert!(world.contacts.values().any(|contact| contact[Field::Title] == *"Chef"));
}
