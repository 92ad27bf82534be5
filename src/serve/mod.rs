//! The HTTP service: predictions from a package, and a health that is proved.
//!
//! The way of a request is the list of files: `listen` and `connections` let a client in, or not,
//! and give it a `seat`; `connection` drives hyper over a `guard`, which follows the `framing` of
//! what arrives; `requests` lets those in who may ask (`access`), bounds how many and how long, by
//! the `limits`, and tells of them (`metrics`, `exposition`, `log`, `trace`, `spans` for a
//! `collector`); `routes` takes a request apart (`resource` by its path, `query`, `accept` and
//! `body` by the rest), `document`, `validation` and `field` check its body by the `policy`
//! (`complaint` has the words), the `scorer` predicts for `predict`, for `batch`, which streams,
//! and for the `doors` of other protocols; `errors` is the one shape of every refusal,
//! `problem_json` another one, `refusal` those that come before the routes, and `answer` what
//! leaves. `answering` is what answers one request: it notes `predictions`, in a `canonical` text,
//! in a `journal` on the disk, which `replay` reads. `served` is the package that answers, which
//! `follow` may exchange (at once, when `admin` is asked) while `state` stays; `counts` is what is
//! counted of it, `drift` how far what it is asked has moved, `health` watches over it, `page` and
//! `openapi` tell people and programs how to ask. `shadow` has another package score the same rows,
//! unheard. Knows `ml::package` and no stage, table or engine. It neither prints nor handles
//! signals: listener and shutdown come from outside, and so does what is to be served.

mod accept;
mod access;
mod admin;
mod answer;
mod answering;
mod batch;
mod body;
mod canonical;
mod collector;
mod complaint;
mod connection;
mod connections;
mod counts;
mod document;
mod doors;
mod drift;
mod errors;
mod exposition;
mod field;
mod follow;
mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod guard;
mod health;
mod journal;
mod limits;
mod listen;
mod log;
mod metrics;
mod openapi;
mod page;
mod policy;
mod predict;
mod predictions;
mod problem_json;
mod query;
mod refusal;
mod replay;
mod requests;
mod resource;
mod routes;
mod running;
mod scorer;
mod scores;
mod seat;
mod served;
mod shadow;
mod spans;
mod stat;
mod state;
mod tally;
mod trace;
mod validation;

pub use access::{
    Access, Certificates, Cors, Keys, NewKey, OPENABLE, Rate, Tls, Unusable, names as key_names,
};
pub use batch::offline::{Failed, predict};
pub use batch::{Counts, Format, Wanted};
pub use collector::Collector;
pub use follow::{Follow, News, Reload, Source};
pub use journal::News as JournalNews;
pub use journal::rotating::Unopened;
pub use limits::Limits;
pub use listen::{Listener, Socket};
pub use log::{Format as LogFormat, Log};
pub use policy::{Extra, Policy, Range};
pub use predictions::{Logging, Predictions};
pub use replay::{Compared, Reason, Replay, Report as Replayed, Unread};
pub use running::run;
pub use shadow::{
    Kept as KeptDifferences, NONE as NO_CHALLENGER, Settings as ShadowSettings, Shadow, Summary,
    summaries,
};
pub use spans::Spans;
pub use state::{Options, Routes};

#[cfg(test)]
mod tests;
