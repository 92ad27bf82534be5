//! The HTTP service: predictions from a package, and a health that is proved.
//!
//! The way of a request is the list of files: `routes` takes it apart (`resource` by its path,
//! `query`, `accept` and `body` by the rest), `document`, `validation` and `field` check its body
//! by the `policy` (`complaint` has the words), the `scorer` predicts for `predict`, for `batch`,
//! which streams, and for the `doors` of other protocols; `errors` is the one shape of every
//! refusal, `problem_json` another one, and `answer` what leaves. `health` watches over the
//! package, `page` and `openapi` tell people and programs how to ask. Knows `ml::package` and no
//! stage, table or engine. It neither prints nor handles signals: listener and shutdown come from
//! outside.

mod accept;
mod answer;
mod batch;
mod body;
mod complaint;
mod document;
mod doors;
mod errors;
mod field;
mod health;
mod openapi;
mod page;
mod policy;
mod predict;
mod problem_json;
mod query;
mod resource;
mod routes;
mod scorer;
mod state;
mod tally;
mod validation;

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use batch::offline::{Failed, predict};
pub use batch::{Counts, Format, Wanted};
pub use policy::{Extra, Policy, Range};
use state::State;
pub use state::{Options, Routes};

use crate::ml::package::Package;

/// Serves a package, which was loaded from `package_dir`, until `shutdown` is done, then lets
/// requests in flight end, but not for ever. Runs on a tokio runtime with time and I/O enabled.
///
/// # Errors
/// When the server ends by itself.
pub async fn run(
    listener: TcpListener,
    package: Package,
    package_dir: PathBuf,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let drain_timeout = options.drain_timeout;
    let state = Arc::new(State::new(package, package_dir, options));
    let recheck = tokio::spawn(recheck(Arc::clone(&state)));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = warp::serve(routes::api(Arc::clone(&state)))
        .incoming(listener)
        .graceful(async move { drop(stopped.await) });
    let mut serving = tokio::spawn(server.run());
    let ended = until(&mut serving, shutdown).await;
    state.start_draining();
    recheck.abort();
    if let Some(ended) = ended {
        return ended.context("the server stopped by itself");
    }
    // The receiver is gone only when the server is.
    let _ = stop.send(());
    if tokio::time::timeout(drain_timeout, &mut serving).await.is_err() {
        serving.abort();
    }
    Ok(())
}

/// Waits for the shutdown, or for the server to end before it.
async fn until(
    serving: &mut JoinHandle<()>,
    shutdown: impl Future<Output = ()>,
) -> Option<Result<(), tokio::task::JoinError>> {
    let mut shutdown = pin!(shutdown);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = pin!(&mut *serving).poll(cx) {
            return Poll::Ready(Some(ended));
        }
        shutdown.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// Proves the package anew every now and then: now, and after each interval.
async fn recheck(state: Arc<State>) {
    loop {
        let shared = Arc::clone(&state);
        // A panic in a look leaves the last findings in place; the next look comes.
        let look = move || shared.watch.look_closely(&shared.package);
        let _ = tokio::task::spawn_blocking(look).await;
        tokio::time::sleep(state.options.recheck_every).await;
    }
}

#[cfg(test)]
mod tests;
