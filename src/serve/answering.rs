//! What answers one request: a package in use, the id of the request, and where predictions are
//! noted.
//!
//! Taken once at the start of a request and kept to its end, so that what is noted is of the
//! version that answers. Knows neither the request nor its answer.

use std::ops::Deref;
use std::sync::Arc;

use crate::serve::predictions::{Notes, Predictions};
use crate::serve::scorer::Scorer;
use crate::serve::served::Served;
use crate::serve::state::State;

/// What answers one request.
#[derive(Clone)]
pub(crate) struct Answering {
    served: Arc<Served>,
    request_id: Arc<str>,
    log: Option<Predictions>,
}

impl Answering {
    /// What answers a request of this id from now on.
    pub(crate) fn new(state: &State, id: &str) -> Answering {
        let log = state.options.predictions.clone();
        Answering { served: state.served(), request_id: id.into(), log }
    }

    /// What predicting needs.
    pub(crate) fn scorer(&self) -> Scorer<'_> {
        let Served { package, validator, counts, drift, canonical, tap, .. } = &*self.served;
        let notes = self.log.as_ref().map(|log| Notes { log, canonical });
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
