//! What all requests share: the options, the counters, and which package answers.
//!
//! The package that answers may change at any time, so what follows from it is not here but in
//! `served`, behind one pointer: a request takes it once, at its start, and answers with that to
//! its end. A request reads and never writes here, except for counters. Knows no routes.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::ml::package::Package;
use crate::serve::access::Access;
use crate::serve::connections::Connections;
use crate::serve::counts::Counters;
use crate::serve::follow::Follow;
use crate::serve::limits::Limits;
use crate::serve::log::Log;
use crate::serve::metrics::Metrics;
use crate::serve::policy::Policy;
use crate::serve::predictions::Predictions;
use crate::serve::served::Served;
use crate::serve::shadow::Shadow;
use crate::serve::spans::Spans;

/// How many whole tables are held at the same time, each of which may take a lot of memory.
const MAX_TABLES: usize = 2;

/// What the operator may set.
#[derive(Clone, Debug)]
pub struct Options {
    /// The largest body that is read.
    pub max_body_bytes: u64,
    /// How long a body may take to arrive, and how long a client may take nothing of an answer.
    pub body_timeout: Duration,
    /// How long requests in flight may take once the service is told to stop.
    pub drain_timeout: Duration,
    /// How often the package's files are hashed, whatever their times say.
    pub recheck_every: Duration,
    /// How often it is looked whether another package is to be served.
    pub follow_every: Duration,
    /// Whether whoever is on this machine may ask for that look, by `POST /admin/reload`.
    pub admin: bool,
    /// How much one client may hold, and for how long.
    pub limits: Limits,
    /// Who may ask, how often, and by which way.
    pub access: Access,
    /// Where answers are told of; nowhere unless it is given.
    pub log: Option<Log>,
    /// Where predictions are logged; nowhere unless it is given.
    pub predictions: Option<Predictions>,
    /// The package that scores every row beside the one that answers; none unless it is given.
    pub shadow: Option<Shadow>,
    /// Where answers are told of as spans; nowhere unless it is given.
    pub spans: Option<Spans>,
    /// What becomes of values that training has not seen.
    pub policy: Policy,
    /// How much of the past `/drift` tells of.
    pub drift_window: Duration,
    /// Paths beside those that every service has.
    pub routes: Routes,
}

/// Paths that the surroundings ask for, each beginning with a slash.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// Where readiness is told, too.
    pub health: Option<String>,
    /// Where `/invocations` is, too.
    pub predict: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            max_body_bytes: 64 << 10,
            body_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(5),
            recheck_every: Duration::from_secs(30),
            follow_every: Duration::from_millis(500),
            admin: false,
            limits: Limits::default(),
            access: Access::default(),
            log: None,
            predictions: None,
            shadow: None,
            spans: None,
            policy: Policy::default(),
            drift_window: Duration::from_hours(24),
            routes: Routes::default(),
        }
    }
}

/// What all requests share.
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) connections: Arc<Connections>,
    pub(crate) metrics: Metrics,
    pub(crate) counters: Counters,
    /// Who may hold a whole table.
    pub(crate) tables: Arc<Semaphore>,
    /// How another package comes to answer; `None` when none ever does.
    pub(crate) follow: Option<Follow>,
    served: ArcSwap<Served>,
    is_draining: AtomicBool,
    id_prefix: u32,
    id_counter: AtomicU64,
}

impl State {
    /// The state of a service that begins with a package which was loaded, and so proved, from a
    /// directory.
    pub(crate) fn new(
        package: Package,
        dir: PathBuf,
        follow: Option<Follow>,
        options: Options,
    ) -> State {
        let limits = &options.limits;
        let (max, max_each) = (limits.max_connections, limits.max_connections_per_address);
        let random = RandomState::new().build_hasher().finish();
        let counters = Counters::default();
        State {
            connections: Arc::new(Connections::new(max, max_each)),
            metrics: Metrics::new(),
            tables: Arc::new(Semaphore::new(MAX_TABLES)),
            served: ArcSwap::from_pointee(Served::new(package, dir, &options, &counters)),
            counters,
            follow,
            is_draining: AtomicBool::new(false),
            // Cut on purpose: the prefix only tells one process from another in a log.
            id_prefix: random as u32,
            id_counter: AtomicU64::new(0),
            options,
        }
    }

    /// The package that answers now. To be asked once per request, which keeps it.
    pub(crate) fn served(&self) -> Arc<Served> {
        self.served.load_full()
    }

    /// From now on another package answers, which was loaded, and so proved, from a directory.
    /// Requests that have begun end with the one that they began with.
    pub(crate) fn swap(&self, package: Package, dir: PathBuf) {
        let served = Served::new(package, dir, &self.options, &self.counters);
        self.served.store(Arc::new(served));
    }

    /// A request id that no other request of this process has.
    pub(crate) fn next_id(&self) -> String {
        let n = self.id_counter.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}-{n:x}", self.id_prefix)
    }

    /// Tells load balancers, through readiness, to send no more requests.
    pub(crate) fn start_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the service was told to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}
