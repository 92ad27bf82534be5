//! The buckets of addresses, of which there may be any number, in a memory of a fixed size.
//!
//! A table of small sets, like a processor's cache: an address has its bucket in one set, by a hash
//! whose key differs from process to process, so that nobody can choose addresses that meet. A set
//! that is full forgets the address whose bucket is the fullest: mostly one that is full, of which
//! there is nothing to remember. Who holds more addresses than there are slots can so get more than
//! its share of each, and has more than its share anyway. A lock covers one set, for a few
//! comparisons.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use super::rate::{Quota, Rate};

const SETS: usize = 1024;
const WAYS: usize = 8;

/// How many bits of an IPv6 address name a network: a host chooses the others as it likes.
const IPV6_PREFIX: u32 = 64;

#[derive(Clone, Copy, Debug)]
struct Slot {
    address: IpAddr,
    /// When its bucket is full again; 0 of a slot that was never used.
    full_at: u64,
}

const EMPTY: Slot = Slot { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), full_at: 0 };

/// Buckets of addresses.
#[derive(Debug)]
pub(crate) struct Addresses {
    sets: Box<[Mutex<[Slot; WAYS]>]>,
    hashes: RandomState,
}

impl Addresses {
    /// A table in which nobody has asked for anything: 270 kB.
    pub(crate) fn new() -> Addresses {
        let sets = (0..SETS).map(|_| Mutex::new([EMPTY; WAYS])).collect();
        Addresses { sets, hashes: RandomState::new() }
    }

    /// Takes a token of an address, if it has one.
    pub(crate) fn take(&self, address: IpAddr, rate: Rate, now: u64) -> Quota {
        let address = network(address);
        // Cut on purpose: any bits of the hash will do.
        let set = self.hashes.hash_one(address) as usize % SETS;
        // A set is whole between any two statements.
        let mut slots = self.sets[set].lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots.iter().position(|slot| slot.address == address);
        let fullest = || (0..WAYS).min_by_key(|way| slots[*way].full_at);
        let way = known.or_else(fullest).unwrap_or_default();
        let full_at = if known.is_some() { slots[way].full_at } else { 0 };
        let (full_at, quota) = rate.take(full_at, now);
        slots[way] = Slot { address, full_at };
        quota
    }
}

/// The address without what its host may choose.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << IPV6_PREFIX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn every_address_has_a_bucket_and_a_network_of_ipv6_has_one() {
        let (addresses, rate) = (Addresses::new(), "2/m".parse().unwrap());
        let kept = |text: &str| addresses.take(text.parse().unwrap(), rate, SECOND).is_kept;
        for address in ["127.0.0.1", "127.0.0.2", "2001:db8:0:1::1", "2001:db8:0:2::1"] {
            assert_eq!([kept(address), kept(address), kept(address)], [true, true, false]);
        }
        assert!(!kept("2001:db8:0:1::ffff"), "another address of the same host");
    }

    #[test]
    fn any_number_of_addresses_is_held_in_the_same_memory_and_one_that_asks_on_is_remembered() {
        let (addresses, rate) = (Addresses::new(), "3/h".parse().unwrap());
        let greedy = IpAddr::from([10, 0, 0, 1]);
        let mut kept = 0;
        for i in 0..20_000_u32 {
            let passing = IpAddr::from((0x0b00_0000_u32 + i).to_be_bytes());
            assert!(addresses.take(passing, rate, SECOND).is_kept, "a stranger's bucket is full");
            kept += u32::from(addresses.take(greedy, rate, SECOND).is_kept);
        }
        assert_eq!(kept, 3, "twenty thousand others have not made it forgotten");
        let slots: usize = addresses.sets.iter().map(|set| set.lock().unwrap().len()).sum();
        assert_eq!(slots, SETS * WAYS);
        assert!(size_of_val(&*addresses.sets) <= 270_336, "what the documentation says");
    }
}
