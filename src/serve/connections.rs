//! How many connections there are, in all and from one address, which make room for others, and how
//! many are turned away.
//!
//! A connection holds a permit, and gives it back however it ends. The lock is taken once when a
//! connection begins and once when it ends, never for a request. When there is no place left, the
//! connection that has been waiting longest for a next request gives its place to the new one: of
//! all of them, or of those from the same address where that has too many. Nobody else does, so
//! whoever is served is served to the end. Knows no sockets.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::serve::seat::Seat;

/// The most connections that are turned away with an answer at the same time; others are closed.
const MAX_TURNED_AWAY: usize = 64;

/// The most connections that have given their place away and are not yet gone.
const MAX_LEAVING: usize = 64;

/// The connections of a service.
pub(crate) struct Connections {
    max: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
    shed: AtomicU64,
    evicted: AtomicU64,
    began: Instant,
}

#[derive(Default)]
struct Counts {
    open: usize,
    /// Of every address that has a connection.
    per_address: BTreeMap<IpAddr, usize>,
    turned_away: usize,
    /// The places of all that are served, by numbers that are never used again.
    seats: BTreeMap<u64, (Option<IpAddr>, Arc<Seat>)>,
    next: u64,
    leaving: usize,
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
    address: Option<IpAddr>,
    /// Its number and its place; nothing of one that is turned away.
    seat: Option<(u64, Arc<Seat>)>,
}

impl Permit {
    /// The place that goes with it.
    pub(crate) fn seat(&self) -> Arc<Seat> {
        self.seat.as_ref().map_or_else(Arc::default, |(_, seat)| Arc::clone(seat))
    }
}

impl Connections {
    pub(crate) fn new(max: usize, max_per_address: usize) -> Connections {
        let (counts, shed, evicted) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        Connections { max, max_per_address, counts, shed, evicted, began: Instant::now() }
    }

    /// Admits a connection from an address, if it has one.
    pub(crate) fn admit(self: &Arc<Connections>, address: Option<IpAddr>) -> Admission {
        self.admit_at(Instant::now(), address)
    }

    fn admit_at(self: &Arc<Connections>, now: Instant, address: Option<IpAddr>) -> Admission {
        let mut counts = self.counts();
        let permit = |seat| Permit { connections: Arc::clone(self), address, seat };
        if self.has_room(&counts, address) || self.make_room(&mut counts, now, address) {
            let (number, seat) = (counts.next, Arc::new(Seat::new(self.began)));
            counts.next += 1;
            counts.seats.insert(number, (address, Arc::clone(&seat)));
            counts.enter(address);
            return Admission::Served(permit(Some((number, seat))));
        }
        self.shed.fetch_add(1, Ordering::Relaxed);
        if counts.turned_away == MAX_TURNED_AWAY {
            return Admission::Closed;
        }
        counts.turned_away += 1;
        Admission::TurnedAway(permit(None))
    }

    fn has_room(&self, counts: &Counts, address: Option<IpAddr>) -> bool {
        counts.open < self.max && counts.of(address) < self.max_per_address
    }

    /// Has the one leave that has been waiting longest for a next request. Looks at all of them,
    /// which takes a few microseconds per thousand, and only when there is no place.
    fn make_room(&self, counts: &mut Counts, now: Instant, address: Option<IpAddr>) -> bool {
        let is_own = counts.of(address) >= self.max_per_address;
        let candidates = counts.seats.values().filter(|(of, _)| !is_own || *of == address);
        let spare = |(of, seat): &(Option<IpAddr>, Arc<Seat>)| {
            let waited = if seat.is_asked() { None } else { seat.spare(now) };
            waited.map(|waited| (waited, *of, Arc::clone(seat)))
        };
        // The first of those that have waited as long.
        let longest = candidates.filter_map(spare).min_by_key(|(waited, ..)| Reverse(*waited));
        let Some((_, of, seat)) = longest.filter(|_| counts.leaving < MAX_LEAVING) else {
            return false;
        };
        seat.ask_to_leave();
        counts.leaving += 1;
        counts.exit(of);
        self.evicted.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// How many are served now.
    pub(crate) fn open(&self) -> usize {
        self.counts().open
    }

    /// How many were not served, ever.
    pub(crate) fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// How many gave their place to another, ever.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Every change is made in one go.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// How many there are from an address.
    fn of(&self, address: Option<IpAddr>) -> usize {
        address.and_then(|address| self.per_address.get(&address).copied()).unwrap_or(0)
    }

    fn enter(&mut self, address: Option<IpAddr>) {
        self.open += 1;
        if let Some(address) = address {
            *self.per_address.entry(address).or_default() += 1;
        }
    }

    fn exit(&mut self, address: Option<IpAddr>) {
        self.open -= 1;
        let Some(address) = address else { return };
        if let Some(count) = self.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.connections.counts();
        match &self.seat {
            None => counts.turned_away -= 1,
            Some((number, seat)) => {
                counts.seats.remove(number);
                // Its place is another's already.
                if seat.is_asked() {
                    counts.leaving -= 1;
                } else {
                    counts.exit(self.address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::serve::seat::GRACE;

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

    /// Admits somebody who then waits for a next request, since so many seconds.
    fn waiting(connections: &Arc<Connections>, address: Option<IpAddr>, since: u64) -> Permit {
        let Admission::Served(permit) = connections.admit(address) else { panic!("no place") };
        permit.seat().waits(Some(connections.began + Duration::from_secs(since)));
        permit
    }

    #[test]
    fn who_waits_longest_for_a_next_request_makes_room_and_nobody_else() {
        let connections = Arc::new(Connections::new(3, 3));
        let at = |seconds| connections.began + Duration::from_secs(seconds);
        let later = waiting(&connections, None, 20);
        let first = waiting(&connections, None, 10);
        let busy = waiting(&connections, None, 5);
        busy.seat().waits(None);
        let is_served =
            |seconds| matches!(connections.admit_at(at(seconds), None), Admission::Served(_));
        // The permits of those that are let in are dropped at once, and with them their places.
        assert!(is_served(30) && first.seat().is_asked() && !later.seat().is_asked());
        assert_eq!((connections.open(), connections.evicted()), (2, 1));
        let silent = connections.admit(None);
        assert!(is_served(30) && later.seat().is_asked());
        let another = connections.admit(None);
        assert!(!is_served(30), "one is busy and two have not said anything yet");
        assert_eq!((connections.open(), connections.evicted(), connections.shed()), (3, 2, 1));
        drop((first, later));
        assert_eq!(connections.counts().leaving, 0);
        drop((busy, silent, another));
        assert_eq!(connections.open(), 0);
        assert!(connections.counts().seats.is_empty());
    }

    #[test]
    fn an_address_with_too_many_makes_room_of_its_own() {
        let connections = Arc::new(Connections::new(3, 1));
        let [a, b] = [1, 2].map(|n| Some(IpAddr::from([127, 0, 0, n])));
        let of_b = waiting(&connections, b, 0);
        let now = connections.began + 100 * GRACE;
        let silent = connections.admit(a);
        assert!(matches!(connections.admit_at(now, a), Admission::TurnedAway(_)));
        assert!(!of_b.seat().is_asked(), "another's place is no use");
        assert!(matches!(connections.admit_at(now, b), Admission::Served(_)));
        assert!(of_b.seat().is_asked());
        drop((silent, of_b));
        assert_eq!((connections.open(), connections.evicted()), (0, 1));
    }

    #[test]
    fn only_so_many_may_be_leaving() {
        let n = MAX_LEAVING + 2;
        let connections = Arc::new(Connections::new(n, n));
        let idle: Vec<_> = (0..n).map(|_| waiting(&connections, None, 0)).collect();
        let now = connections.began + 2 * GRACE;
        let served: Vec<_> = (0..n).map(|_| connections.admit_at(now, None)).collect();
        let is_served = |a: &&Admission| matches!(a, Admission::Served(_));
        assert_eq!(served.iter().filter(is_served).count(), MAX_LEAVING);
        drop(idle);
        drop(served);
        assert_eq!((connections.open(), connections.counts().leaving), (0, 0));
    }
}
