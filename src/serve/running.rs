//! The service from its start to its end: clients are let in, and a stop loses no request.
//!
//! A stop has four steps, each with an end of its own. Readiness fails, and every answer closes
//! its connection, while clients are still let in for as long as load balancers need. Then whoever
//! waits is let in and the door is closed. Connections in use get a moment for one more request,
//! since a client may be sending it as its connection is closed; then each ends with the request
//! that it is in. What is not done by the deadline is cut off. hyper-util's graceful shutdown has
//! the third step alone, and no deadline.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::ml::package::Package;
use crate::serve::connection::{self, Stage};
use crate::serve::connections::Admission;
use crate::serve::follow::{Follow, Look};
use crate::serve::listen::{Client, Listener};
use crate::serve::requests::Requests;
use crate::serve::routes;
use crate::serve::state::{Options, State};

/// How long connections in use have for one more request.
const LINGER: Duration = Duration::from_millis(250);

/// How long no client is let in after the system had nothing to let one in with.
const BREATHER: Duration = Duration::from_millis(50);

/// How many clients tokio lets wait at a port.
const BACKLOG: usize = 1024;

/// Serves a package, which was loaded from `package_dir`, and whatever `follow` finds to be served
/// instead, until `shutdown` is done, then lets requests in flight end, but not for ever. Returns
/// how many connections had to be cut off. Runs on a tokio runtime with time and I/O enabled.
pub async fn run(
    listener: impl Into<Listener>,
    package: Package,
    package_dir: PathBuf,
    follow: Option<Follow>,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let (drain_delay, drain_timeout) = (options.limits.drain_delay, options.drain_timeout);
    let state = Arc::new(State::new(package, package_dir, follow, options));
    let recheck = tokio::spawn(recheck(Arc::clone(&state)));
    let followed = tokio::spawn(followed(Arc::clone(&state)));
    let shadowed = tokio::spawn(shadowed(Arc::clone(&state)));
    let listener = listener.into();
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    let (stop, stage) = watch::channel(Stage::Serving);
    let routes = warp::service(routes::api(Arc::clone(&state)));
    let welcome = |client: Client| {
        let (state, alive) = (Arc::clone(&state), alive.clone());
        match state.connections.admit(client.address) {
            Admission::Served(permit) => {
                let (address, stage, seat) = (client.address, stage.clone(), permit.seat());
                let (routes, shared) = (routes.clone(), Arc::clone(&state));
                let requests = Requests { routes, state: shared, address, seat: Arc::clone(&seat) };
                tokio::spawn(async move {
                    let secured = connection::secured(client.stream, &state, stage.clone());
                    if let Some(stream) = secured.await {
                        connection::serve(stream, requests, seat, state, stage).await;
                    }
                    drop((permit, alive));
                });
            }
            Admission::TurnedAway(permit) => {
                let stage = stage.clone();
                tokio::spawn(async move {
                    connection::turn_away(client.stream, &state, stage).await;
                    drop(permit);
                });
            }
            Admission::Closed => {}
        }
    };
    let_in(&listener, &welcome, shutdown).await;
    state.start_draining();
    followed.abort();
    shadowed.abort();
    let_in(&listener, &welcome, sleep(drain_delay)).await;
    let_in_waiting(&listener, &welcome).await;
    drop(listener);
    drop(alive);
    // Nobody sends: what is awaited is the end of the last connection.
    let _ = timeout(LINGER.min(drain_timeout), all_gone.recv()).await;
    let _ = stop.send(Stage::Closing);
    let is_done = timeout(drain_timeout, all_gone.recv()).await.is_ok();
    recheck.abort();
    let cut = if is_done { 0 } else { state.connections.open() };
    let _ = stop.send(Stage::Cut);
    cut
}

/// Lets clients in until something is done.
async fn let_in(listener: &Listener, welcome: &impl Fn(Client), until: impl Future<Output = ()>) {
    let mut until = pin!(until);
    loop {
        let next = poll_fn(|cx| match until.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => listener.poll_accept(cx).map(Some),
        });
        match next.await {
            None => return,
            Some(Ok(client)) => welcome(client),
            Some(Err(error)) if is_of_client(&error) => {}
            Some(Err(_)) => {
                let stopped = poll_fn(|cx| until.as_mut().poll(cx));
                if timeout(BREATHER, stopped).await.is_ok() {
                    return;
                }
            }
        }
    }
}

/// Lets those clients in who have been waiting, as many as the system lets wait.
async fn let_in_waiting(listener: &Listener, welcome: &impl Fn(Client)) {
    for _ in 0..BACKLOG {
        let next = poll_fn(|cx| Poll::Ready(listener.poll_accept(cx)));
        let Poll::Ready(Ok(client)) = next.await else { return };
        welcome(client);
    }
}

/// Whether only the client that was to be let in is concerned.
fn is_of_client(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

/// Proves the package anew every now and then: now, and after each interval.
async fn recheck(state: Arc<State>) {
    loop {
        let shared = Arc::clone(&state);
        // A panic in a look leaves the last findings in place; the next look comes.
        let look = move || {
            let served = shared.served();
            served.watch.look_closely(&served.package);
            // Bytes that changed behind their stats may be those of a whole package.
            if let Some(follow) = shared.follow.as_ref().filter(|_| !served.watch.is_well()) {
                follow.look(&shared, Look::Probe);
            }
        };
        let _ = tokio::task::spawn_blocking(look).await;
        sleep(state.options.recheck_every).await;
    }
}

/// Looks for another package every now and then, and when it is asked to.
async fn followed(state: Arc<State>) {
    let Some(reload) = state.follow.as_ref().map(Follow::reload) else { return };
    loop {
        let is_asked = timeout(state.options.follow_every, reload.asked()).await.is_ok();
        let shared = Arc::clone(&state);
        let look = move || {
            let Some(follow) = &shared.follow else { return };
            follow.look(&shared, if is_asked { Look::Asked } else { Look::Routine });
            if is_asked {
                follow.looked();
            }
        };
        // A panic in a look leaves what answers in place; the next look comes.
        let _ = tokio::task::spawn_blocking(look).await;
    }
}

/// Looks for another challenger every now and then, where one is followed.
async fn shadowed(state: Arc<State>) {
    let Some(shadow) = state.options.shadow.clone() else { return };
    loop {
        sleep(state.options.follow_every).await;
        let shadow = shadow.clone();
        // A panic in a look leaves the challenger in place; the next look comes.
        let _ = tokio::task::spawn_blocking(move || shadow.look(Look::Routine)).await;
    }
}
