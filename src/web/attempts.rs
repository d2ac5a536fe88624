//! How often a password may be tried: by one address, and by all of them together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::TimeDelta;

use crate::model::Timestamp;

/// For how long an attempt counts.
const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// Wrong passwords of one address within it.
const OF_ONE: usize = 5;
/// Wrong passwords of all addresses within it.
const OF_ALL: usize = 60;

/// The wrong passwords of late.
#[derive(Default)]
pub(super) struct Attempts(BTreeMap<IpAddr, Vec<Timestamp>>);

impl Attempts {
    /// How long `from` must wait before it may try again, if it must.
    pub(super) fn wait(&mut self, from: IpAddr, now: Timestamp) -> Option<TimeDelta> {
        let from = network(from);
        self.0.retain(|_, at| {
            at.retain(|at| now - *at < WINDOW && now >= *at);
            !at.is_empty()
        });
        let of_one = self.0.get(&from).map_or(0, Vec::len);
        let of_all: usize = self.0.values().map(Vec::len).sum();
        let oldest = if of_one >= OF_ONE {
            self.0.get(&from)?.iter().min().copied()
        } else if of_all >= OF_ALL {
            self.0.values().flatten().min().copied()
        } else {
            None
        };
        oldest.map(|oldest| WINDOW - (now - oldest))
    }

    /// An attempt begins: it counts until the password was right.
    pub(super) fn begin(&mut self, from: IpAddr, now: Timestamp) {
        self.0.entry(network(from)).or_default().push(now);
    }

    /// The password of `from` was right.
    pub(super) fn forget(&mut self, from: IpAddr) {
        self.0.remove(&network(from));
    }
}

/// The address that counts: somebody with IPv6 has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn address(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn one_address_has_a_few_attempts_and_others_still_have_theirs() {
        let mut attempts = Attempts::default();
        for n in 0..5 {
            assert_eq!(attempts.wait(address(1), at(n)), None);
            attempts.begin(address(1), at(n));
        }
        assert_eq!(attempts.wait(address(1), at(60)), Some(TimeDelta::seconds(840)));
        assert_eq!(attempts.wait(address(2), at(60)), None);
        assert_eq!(attempts.wait(address(1), at(901)), None, "they are forgotten with time");
        let [near, far] = ["2001:db8::1", "2001:db8::ffff"].map(|a| a.parse().unwrap());
        (0..5).for_each(|_| attempts.begin(near, at(1000)));
        assert!(attempts.wait(far, at(1000)).is_some(), "one network");
    }

    #[test]
    fn all_addresses_together_have_only_so_many() {
        let mut attempts = Attempts::default();
        for n in 0..60 {
            assert_eq!(attempts.wait(address(n), at(0)), None);
            attempts.begin(address(n), at(0));
        }
        assert!(attempts.wait(address(99), at(0)).is_some());
        attempts.forget(address(0));
        assert_eq!(attempts.wait(address(99), at(0)), None);
    }
}
