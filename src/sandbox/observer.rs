//! Somebody who is told of every request.
//!
//! Owns the two moments at which that happens. Leaves what follows to the tests:
//! a process that is killed in the middle of a request, a state that is looked
//! into before the request has its effect.

use std::sync::Arc;

use super::Sandbox;
use super::request_log::LoggedRequest;

/// When a request is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservedMoment {
    /// It has arrived and had no effect so far.
    Arrived,
    /// It was carried out, and is not answered so far.
    CarriedOut,
}

/// Is told of each request, on the task that carries it out: while it takes its
/// time, so does the request. It may look into the sandbox.
pub type RequestObserver = Arc<dyn Fn(ObservedMoment, &LoggedRequest) + Send + Sync>;

impl Sandbox {
    /// Lets `observer` be told of every request from now on, in place of an earlier one.
    pub fn set_witness(&self, witness: RequestObserver) {
        self.lock_world().witness = Some(witness);
    }

    /// Tells nobody any more.
    pub fn dismiss_witness(&self) {
        self.lock_world().witness = None;
    }

    pub(super) fn notify_observer(&self, moment: ObservedMoment, number: u64) {
        let world = self.lock_world();
        let told = world.witness.clone().zip(world.log.get(number).cloned());
        drop(world);
        if let Some((witness, request)) = told {
            witness(moment, &request);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::super::testing::{create_contact, get_path, test_sandbox, try_ask};
    use super::*;

    #[test]
    fn a_witness_sees_each_request_before_and_after_its_effect() {
        let linq = test_sandbox(&[]);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, inside) = (Arc::clone(&seen), linq.clone());
        linq.set_witness(Arc::new(move |moment, request| {
            let there = inside.contacts().len();
            log.lock().unwrap().push((moment, request.method.clone(), there));
        }));
        create_contact(&linq, &json!({"first_name": "Ada"}));
        linq.add_fault("create drop-before".parse().unwrap());
        try_ask(&linq, "POST", "", &json!({"contact": {"first_name": "Bo"}})).unwrap_err();
        linq.dismiss_witness();
        get_path(&linq, "");
        let post = "POST".to_owned();
        let expected = [
            (ObservedMoment::Arrived, post.clone(), 0),
            (ObservedMoment::CarriedOut, post.clone(), 1),
            (ObservedMoment::Arrived, post, 1),
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}
