//! What is found out once per key and process, however many threads ask at the same time.
//!
//! Who asks while another thread finds it out waits for that one answer and holds up nobody who
//! asks for another key. What went wrong is not kept: the next who asks tries again. It knows
//! nothing of what is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Answers by key.
#[derive(Debug)]
pub(crate) struct Once<K, V> {
    slots: Mutex<BTreeMap<K, Arc<Slot<V>>>>,
}

/// The place of one answer.
#[derive(Debug)]
struct Slot<V> {
    answer: OnceLock<Arc<V>>,
    /// Held by the one thread that finds it out.
    asking: Mutex<()>,
}

impl<K, V> Default for Once<K, V> {
    fn default() -> Once<K, V> {
        Once { slots: Mutex::default() }
    }
}

impl<K: Ord + Clone, V> Once<K, V> {
    /// The answer for a key, found out now unless it is known.
    ///
    /// # Errors
    /// What finding it out gives.
    pub(crate) fn ask<E>(&self, key: &K, find: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let slot = self.slot(key);
        if let Some(answer) = slot.answer.get() {
            return Ok(answer.clone());
        }
        let _asking = slot.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = slot.answer.get() {
            return Ok(answer.clone());
        }
        let answer = Arc::new(find()?);
        Ok(slot.answer.get_or_init(|| answer).clone())
    }

    /// The answer for a key, if it is known.
    pub(crate) fn known<Q: Ord + ?Sized>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: std::borrow::Borrow<Q>,
    {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(key)?.answer.get().cloned()
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return slot.clone();
        }
        let slot = Arc::new(Slot { answer: OnceLock::new(), asking: Mutex::default() });
        slots.insert(key.clone(), slot.clone());
        slot
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn many_who_ask_at_once_have_one_answer_and_nobody_else_waits() {
        let (once, n_asked) = (Once::default(), AtomicUsize::new(0));
        let slow = || {
            std::thread::sleep(Duration::from_millis(50));
            Ok::<_, ()>(n_asked.fetch_add(1, Ordering::SeqCst))
        };
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| once.ask(&"slow", slow))));
            while once.slots.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            assert_eq!(once.ask(&"quick", || Ok::<_, ()>(7)).as_deref(), Ok(&7));
            assert_eq!(once.known("slow"), None);
        });
        assert_eq!(n_asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_failure_is_not_an_answer() {
        let once = Once::default();
        assert_eq!(once.ask(&"a", || Err::<u8, _>("no")), Err("no"));
        assert_eq!(once.ask(&"a", || Ok::<_, ()>(1)).as_deref(), Ok(&1));
    }
}
