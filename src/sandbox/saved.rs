//! What a sandbox holds, to be kept from one process to the next.
//!
//! Owns what is worth keeping: the contacts, and that no id is given twice. Quirks, faults and
//! users belong to the start of a process. Leaves files to others.

use serde::{Deserialize, Serialize};

use super::{Contact, Sandbox};

/// The contacts of a sandbox, and the id that comes next.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    next_id: u64,
    contacts: Vec<Contact>,
}

impl Saved {
    /// How many contacts there are.
    pub fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }
}

impl Sandbox {
    /// Everything that is in Linq now.
    pub fn save(&self) -> Saved {
        let store = &self.lock_world().store;
        Saved { next_id: store.next_id(), contacts: store.all().cloned().collect() }
    }

    /// Puts in what was saved, in the place of what is there.
    pub fn load(&self, saved: Saved) {
        self.lock_world().store.replace_all(saved.next_id, saved.contacts);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    #[test]
    fn what_was_saved_is_there_again_and_ids_go_on() {
        let first = Sandbox::new(Options { contacts: 3, ..Options::default() });
        let last = first.insert([("first_name", "Ada"), ("email", "ada@x.example")]).unwrap();
        first.remove(last).unwrap();
        let text = serde_json::to_string(&first.save()).unwrap();

        let second = Sandbox::new(Options::default());
        second.load(serde_json::from_str(&text).unwrap());
        assert_eq!(second.contacts(), first.contacts());
        let next = second.insert([("first_name", "Bo")]).unwrap();
        assert!(next > last, "the id of a deleted contact is not given again");
    }
}
