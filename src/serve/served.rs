//! A package in use, with all that was worked out from it once.
//!
//! Nothing in it changes while it is in use but counters and what its watch has seen. Another
//! package is another one of these, so whoever holds one cannot see two versions. Knows neither
//! requests nor what else the service may serve.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::ml::package::Package;
use crate::serve::counts::{Counters, Counts};
use crate::serve::drift::Drift;
use crate::serve::health::Watch;
use crate::serve::scorer::Scorer;
use crate::serve::shadow::Tap;
use crate::serve::state::Options;
use crate::serve::validation::Validator;
use crate::serve::{openapi, page};

/// A package in use.
pub(crate) struct Served {
    pub(crate) package: Package,
    pub(crate) validator: Validator,
    pub(crate) watch: Watch,
    pub(crate) page: String,
    pub(crate) openapi: Vec<u8>,
    pub(crate) counts: Counts,
    /// `None` when the package has nothing to compare with.
    pub(crate) drift: Option<Drift>,
    /// By which its rows come to a challenger, where there is to be one.
    pub(crate) tap: Option<Tap>,
    /// Since when it is in use.
    pub(crate) since: SystemTime,
}

impl Served {
    /// Puts a package into use that was loaded, and so proved, from a directory.
    pub(crate) fn new(
        package: Package,
        dir: PathBuf,
        options: &Options,
        counters: &Counters,
    ) -> Served {
        Served {
            validator: Validator::new(package.schema(), options.policy),
            watch: Watch::new(dir, &package),
            page: page::write(&package),
            openapi: openapi::write(&package, options),
            counts: counters.of(&package),
            drift: package.distribution().map(|known| Drift::new(known, options.drift_window)),
            tap: options.shadow.as_ref().map(|shadow| shadow.beside(&package)),
            since: SystemTime::now(),
            package,
        }
    }

    /// What predicting needs for the rows of a request.
    pub(crate) fn scorer<'s>(&'s self, request_id: &'s str) -> Scorer<'s> {
        let Served { package, validator, counts, drift, tap, .. } = self;
        Scorer { package, validator, counts, drift: drift.as_ref(), tap: tap.as_ref(), request_id }
    }

    /// The model version.
    pub(crate) fn version(&self) -> &str {
        self.package.version()
    }
}
