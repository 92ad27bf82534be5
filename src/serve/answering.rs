//! What answers one request: a package in use, the id of the request, and where predictions are
//! noted.
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
    request_id: Arc<str>,
    noted: Option<Noted>,
}

impl Answering {
    /// What answers a request of this id from now on.
    pub(crate) fn new(state: &State, id: &str) -> Answering {
        let noted = state.options.predictions.as_ref().map(|log| log.of_request(id));
        Answering { served: state.served(), request_id: id.into(), noted }
    }

    /// What predicting needs.
    pub(crate) fn scorer(&self) -> Scorer<'_> {
        let Served { package, validator, counts, drift, canonical, tap, .. } = &*self.served;
        let notes = self.noted.as_ref().map(|noted| Notes { noted, canonical });
        let (drift, tap, request_id) = (drift.as_ref(), tap.as_ref(), &*self.request_id);
        Scorer { package, validator, counts, drift, shared: None, notes, tap, request_id }
    }
}

impl Deref for Answering {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}
