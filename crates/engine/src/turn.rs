//! Which run was the last that set out to make `outputs/`.
//!
//! Two runs at once may yield different outputs, each laying out its own stages as they end. So
//! that in the end the outputs are those of one run, whoever is not alone lays everything out once
//! more when it records. That it was alone it sees by its mark, which nobody has replaced: each run
//! leaves one before it starts and another before it lays out once more. It knows nothing of
//! stages.

use std::path::PathBuf;

use crate::clock;
use crate::files;
use crate::store::Store;

/// The turn of one run.
#[derive(Debug)]
pub struct Turn<'a> {
    store: &'a Store,
    mark: String,
}

impl<'a> Turn<'a> {
    /// Begins a turn. Where no mark can be left, nobody is known to be alone.
    pub fn begin(store: &'a Store) -> Turn<'a> {
        let mark = format!("{}-{}\n", std::process::id(), clock::now_ns());
        let turn = Turn { store, mark };
        turn.renew();
        turn
    }

    /// Whether nobody has begun or renewed a turn since this one.
    pub fn is_latest(&self) -> bool {
        files::read_text(&self.place()).is_ok_and(|mark| mark == self.mark)
    }

    /// Makes this turn the latest again.
    pub fn renew(&self) {
        // Without the mark everybody lays out once more, which costs time only.
        let _ = self.store.write(&self.place(), self.mark.as_bytes());
    }

    fn place(&self) -> PathBuf {
        self.store.root().join("locks/turn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_alone_knows_it_and_nobody_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), false).unwrap();
        let first = Turn::begin(&store);
        assert!(first.is_latest());
        let second = Turn::begin(&store);
        assert!(!first.is_latest() && second.is_latest());
        // The first ends, and what it lays out may not be what the second wants.
        first.renew();
        assert!(!second.is_latest());
    }

    #[test]
    fn a_mark_that_is_gone_is_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), false).unwrap();
        let turn = Turn::begin(&store);
        std::fs::remove_file(dir.path().join("store/locks/turn")).unwrap();
        assert!(!turn.is_latest());
    }
}
