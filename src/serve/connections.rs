//! How many connections there are, in all and from one address, and how many are turned away.
//!
//! A connection holds a permit, and gives it back however it ends. The lock is taken once when a
//! connection begins and once when it ends, never for a request. Knows no sockets.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most connections that are turned away with an answer at the same time; others are closed.
const MAX_TURNED_AWAY: usize = 64;

/// The connections of a service.
pub(crate) struct Connections {
    max: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
    shed: AtomicU64,
}

#[derive(Default)]
struct Counts {
    open: usize,
    /// Of every address that has a connection.
    per_address: BTreeMap<IpAddr, usize>,
    turned_away: usize,
}

/// What becomes of a new connection.
pub(crate) enum Admission {
    /// It is served while it holds this.
    Served(Permit),
    /// It is told to come back later, while it holds this.
    TurnedAway(Permit),
    /// There is no time to tell it anything.
    Closed,
}

/// The right to be connected.
pub(crate) struct Permit {
    connections: Arc<Connections>,
    is_served: bool,
    address: Option<IpAddr>,
}

impl Connections {
    pub(crate) fn new(max: usize, max_per_address: usize) -> Connections {
        let (counts, shed) = (Mutex::default(), AtomicU64::new(0));
        Connections { max, max_per_address, counts, shed }
    }

    /// Admits a connection from an address, if it has one.
    pub(crate) fn admit(self: &Arc<Connections>, address: Option<IpAddr>) -> Admission {
        let mut counts = self.counts();
        let of_address = address.and_then(|a| counts.per_address.get(&a).copied()).unwrap_or(0);
        let is_served = counts.open < self.max && of_address < self.max_per_address;
        let permit = |address| Permit { connections: Arc::clone(self), is_served, address };
        if is_served {
            counts.open += 1;
            if let Some(address) = address {
                *counts.per_address.entry(address).or_default() += 1;
            }
            return Admission::Served(permit(address));
        }
        self.shed.fetch_add(1, Ordering::Relaxed);
        if counts.turned_away == MAX_TURNED_AWAY {
            return Admission::Closed;
        }
        counts.turned_away += 1;
        Admission::TurnedAway(permit(address))
    }

    /// How many are served now.
    pub(crate) fn open(&self) -> usize {
        self.counts().open
    }

    /// How many were not served, ever.
    pub(crate) fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Every change is made in one go.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.connections.counts();
        if !self.is_served {
            counts.turned_away -= 1;
            return;
        }
        counts.open -= 1;
        let Some(address) = self.address else { return };
        if let Some(count) = counts.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.per_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let connections = Arc::new(Connections::new(3, 2));
        let [a, b] = [1, 2].map(|n| Some(IpAddr::from([127, 0, 0, n])));
        let admit = |address| match connections.admit(address) {
            Admission::Served(permit) => Some(permit),
            _ => None,
        };
        let first = admit(a);
        let second = admit(a);
        assert!(first.is_some() && second.is_some() && admit(a).is_none());
        let third = admit(b);
        assert!(third.is_some() && admit(b).is_none() && admit(None).is_none(), "three in all");
        drop(first);
        assert!(admit(a).is_some());
        drop((second, third));
        assert_eq!((connections.open(), connections.shed()), (0, 3));
        assert!(connections.counts().per_address.is_empty(), "addresses are forgotten");
    }

    #[test]
    fn only_so_many_are_told_that_they_are_turned_away() {
        let connections = Arc::new(Connections::new(0, 0));
        let admitted: Vec<_> = (0..MAX_TURNED_AWAY + 5).map(|_| connections.admit(None)).collect();
        let told = admitted.iter().filter(|a| matches!(a, Admission::TurnedAway(_))).count();
        assert_eq!(told, MAX_TURNED_AWAY);
        drop(admitted);
        assert!(matches!(connections.admit(None), Admission::TurnedAway(_)));
    }
}
