//! What answers one request: a package in use, and where its predictions are noted.
//!
//! Taken once at the start of a request and kept to its end, so that what is noted is of the
//! version that answers. Knows neither the request nor its answer.

use std::ops::Deref;
use std::sync::Arc;

use crate::serve::predictions::{Noted, Notes};
use crate::serve::scorer::Scorer;
use crate::serve::served::Served;
use crate::serve::state::State;

/// What answers one request.
#[derive(Clone)]
pub(crate) struct Answering {
    served: Arc<Served>,
    noted: Option<Noted>,
}

impl Answering {
    /// What answers a request of this id from now on.
    pub(crate) fn new(state: &State, id: &str) -> Answering {
        let noted = state.options.predictions.as_ref().map(|log| log.of_request(id));
        Answering { served: state.served(), noted }
    }

    /// What predicting needs.
    pub(crate) fn scorer(&self) -> Scorer<'_> {
        let Served { package, validator, counts, drift, canonical, .. } = &*self.served;
        let notes = self.noted.as_ref().map(|noted| Notes { noted, canonical });
        Scorer { package, validator, counts, drift: drift.as_ref(), shared: None, notes }
    }
}

impl Deref for Answering {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}
