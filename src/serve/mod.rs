//! The HTTP service: predictions from a package, and a health that is proved.
//!
//! The way of a request is the list of files: `listen` and `connections` let a client in, or not;
//! `connection` drives hyper over a `guard`, which follows the `framing` of what arrives;
//! `requests` bounds how many and how long, by the `limits`, and tells of them (`metrics`,
//! `exposition`, `log`, `trace`); `routes` takes a request apart, `document` and `validation`
//! check its body (`complaint` has the words), `predict` answers, `errors` is the one shape of
//! every refusal and `refusal` those that come before the routes; `health` watches over the
//! package, `page` and `openapi` tell people and programs how to ask. Knows `ml::package` and no
//! stage, table or engine. It neither prints nor handles signals: listener and shutdown come from
//! outside.

mod complaint;
mod connection;
mod connections;
mod document;
mod errors;
mod exposition;
mod framing;
mod guard;
mod health;
mod limits;
mod listen;
mod log;
mod metrics;
mod openapi;
mod page;
mod predict;
mod refusal;
mod requests;
mod routes;
mod running;
mod state;
mod trace;
mod validation;

pub use limits::Limits;
pub use listen::{Listener, Socket};
pub use log::{Format as LogFormat, Log};
pub use running::run;
pub use state::Options;

#[cfg(test)]
mod tests;
