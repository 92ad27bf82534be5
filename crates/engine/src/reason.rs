//! Why a stage runs: data first, words late.

use std::fmt;

use crate::digest::Digest;
use crate::recipe::{self, Change, Recipe};
use crate::store::{Miss, Store};

/// Why a stage has to run.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// It has never had an outcome here.
    New,
    /// It was asked to run whatever is cached.
    Forced,
    /// Its recipe is not the one of the last run.
    Changed(Vec<Change>),
    /// Its recipe is known, and what it yielded is gone or damaged.
    Lost(String),
}

impl Reason {
    /// The reason that a recipe missed, given the key that the stage last had.
    pub fn of(recipe: &Recipe, miss: Miss, last: Option<&Digest>, store: &Store) -> Reason {
        match miss {
            Miss::Missing(what) => Reason::Lost(format!("{what} is missing")),
            Miss::Damaged(what) => Reason::Lost(format!("{what} does not match its name")),
            Miss::Unknown => match last {
                None => Reason::New,
                Some(last) if *last == recipe.key() => {
                    Reason::Lost(format!("outcome {} is missing", last.short()))
                }
                Some(last) => store.recipe(last).map_or(Reason::New, |before| {
                    Reason::Changed(recipe::compare(&before, recipe))
                }),
            },
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::New => write!(f, "it has no outcome yet"),
            Reason::Forced => write!(f, "it was forced"),
            Reason::Lost(what) => write!(f, "{what}"),
            Reason::Changed(changes) => match changes.as_slice() {
                [] => write!(f, "its recipe changed"),
                [change] => write!(f, "{change}"),
                [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
            },
        }
    }
}
