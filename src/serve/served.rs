//! A package in use, with all that was worked out from it once.
//!
//! Nothing in it changes while it is in use but counters and what its watch has seen. Another
//! package is another one of these, so whoever holds one cannot see two versions. Knows neither
//! requests nor what else the service may serve.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::ml::package::Package;
use crate::serve::canonical::Canonical;
use crate::serve::counts::{Counters, Counts};
use crate::serve::drift::Drift;
use crate::serve::health::Watch;
use crate::serve::shadow::Tap;
use crate::serve::state::Options;
use crate::serve::validation::Validator;
use crate::serve::{openapi, page};

/// A package in use.
pub(crate) struct Served {
    pub(crate) package: Package,
    pub(crate) validator: Validator,
    pub(crate) canonical: Canonical,
    pub(crate) watch: Watch,
    pub(crate) page: String,
    openapi: OnceLock<Vec<u8>>,
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
            canonical: Canonical::new(package.schema()),
            watch: Watch::new(dir, &package),
            page: page::write(&package),
            openapi: OnceLock::new(),
            counts: counters.of(&package),
            drift: package
                .distribution()
                .map(|known| Drift::new(known, package.schema(), options.drift_window)),
            tap: options.shadow.as_ref().and_then(|shadow| shadow.beside(&package)),
            since: SystemTime::now(),
            package,
        }
    }

    /// The description for programs. Made when it is first asked for: while it is made, it takes
    /// more memory than all else that the service holds, and most services are never asked.
    pub(crate) fn openapi(&self, options: &Options) -> &[u8] {
        self.openapi.get_or_init(|| openapi::write(&self.package, options))
    }

    /// The model version.
    pub(crate) fn version(&self) -> &str {
        self.package.version()
    }
}
