//! Between hyper and the routes: how many requests are worked on, how long one may take, and what
//! becomes of a panic.
//!
//! tower-http has layers for each of these, but they answer in plain text or with nothing, and
//! what gives them the one shape of all answers is as long as what they do. Knows no sockets.

use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use warp::http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use warp::http::{Method, Request, StatusCode};
use warp::hyper::body::Incoming;
use warp::hyper::service::Service;
use warp::reply::Response;

use crate::serve::admin;
use crate::serve::answer;
use crate::serve::errors::Problem;
use crate::serve::exposition;
use crate::serve::log::Line;
use crate::serve::metrics::Labels;
use crate::serve::refusal;
use crate::serve::routes;
use crate::serve::state::State;
use crate::serve::trace::{self, Trace};

/// Where the numbers are. It is answered here, so that an overload can be seen from outside.
const METRICS: &str = "/metrics";

/// What answers the requests of a connection: the routes, behind limits.
#[derive(Clone)]
pub(crate) struct Requests<R> {
    pub(crate) routes: R,
    pub(crate) state: Arc<State>,
    /// Whether the client is on this machine.
    pub(crate) is_near: bool,
}

impl<R, A> Service<Request<Incoming>> for Requests<R>
where
    R: tower_service::Service<
            Request<Incoming>,
            Response = Response,
            Error = Infallible,
            Future = A,
        > + Clone,
    A: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let began = Instant::now();
        let state = Arc::clone(&self.state);
        let asks = Asks::of(&request);
        let Some(turn) = Turn::take(&state, asks.is_probe()) else {
            let refused = asks.refuse(&refusal::overloaded(), &state);
            asks.tell(&refused, None, &state);
            return Box::pin(ready(Ok(refused)));
        };
        if asks.labels.route() == METRICS {
            let answer = asks.metrics(request.method(), &state);
            asks.tell(&answer, Some(began.elapsed()), &state);
            return Box::pin(ready(Ok(answer)));
        }
        let is_admin = state.options.admin && asks.labels.route() == admin::RELOAD;
        let admitted =
            is_admin.then(|| admin::admit(request.method(), request.headers(), self.is_near));
        let routed = (!is_admin).then(|| self.routes.clone().call(request));
        Box::pin(async move {
            let time = state.options.limits.request_timeout;
            let answer = async {
                match (routed, admitted) {
                    (Some(answer), _) => caught(answer).await,
                    (None, admitted) => Some(asks.reload(admitted.transpose(), &state).await),
                }
            };
            let mut response = match tokio::time::timeout(time, answer).await {
                Ok(Some(response)) => response,
                Ok(None) => asks.refuse(&Problem::internal(), &state),
                Err(_) => asks.refuse(&refusal::late(time.as_secs_f64()), &state),
            };
            if state.is_draining() {
                // A client that comes again finds a service that goes on.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            asks.tell(&response, Some(began.elapsed()), &state);
            drop(turn);
            Ok(response)
        })
    }
}

/// What must be known of a request when the routes have not answered it.
struct Asks {
    /// The request's own id, if it has one.
    given: Option<HeaderValue>,
    is_head: bool,
    labels: Labels,
    trace: Option<Trace>,
}

impl Asks {
    fn of(request: &Request<Incoming>) -> Asks {
        let (path, method) = (request.uri().path(), request.method());
        let trace = request.headers().get(trace::HEADER).and_then(|value| value.to_str().ok());
        Asks {
            given: request.headers().get(answer::REQUEST_ID).cloned(),
            is_head: *method == Method::HEAD,
            labels: Labels::of(path, method),
            trace: trace.and_then(Trace::read),
        }
    }

    /// The id of an answer that the routes do not give.
    fn id(&self, state: &State) -> String {
        routes::request_id(state, self.given.as_ref())
    }

    /// Counts the answer, and has it logged.
    fn tell(&self, response: &Response, took: Option<Duration>, state: &State) {
        state.metrics.answered(self.labels, response.status(), took);
        if let Some(log) = &state.options.log {
            let id = response.headers().get(answer::REQUEST_ID);
            log.tell(&Line {
                request_id: id.and_then(|id| id.to_str().ok()).unwrap_or_default(),
                trace: self.trace,
                method: self.labels.method(),
                route: self.labels.route(),
                status: response.status().as_u16(),
                took: took.unwrap_or_default(),
            });
        }
    }

    /// Whether an overload must not keep it from its answer.
    fn is_probe(&self) -> bool {
        [METRICS, "/health", "/health/ready", "/health/live"].contains(&self.labels.route())
    }

    /// The answer of `/metrics`.
    fn metrics(&self, method: &Method, state: &State) -> Response {
        const ALLOWED: &str = "GET, HEAD, OPTIONS";
        match *method {
            Method::GET | Method::HEAD => {
                let text = exposition::write(state);
                answer::text(exposition::MEDIA_TYPE, text, &self.id(state), self.is_head)
            }
            Method::OPTIONS => answer::options(ALLOWED, &self.id(state)),
            _ => self.refuse(&Problem::method_not_allowed(ALLOWED), state),
        }
    }

    /// The answer of `/admin/reload`, if the client may ask for it.
    async fn reload(&self, admitted: Result<Option<()>, Problem>, state: &Arc<State>) -> Response {
        let answer = match admitted {
            Ok(_) => admin::reload(Arc::clone(state)).await,
            Err(problem) => Err(problem),
        };
        match answer {
            Ok(answer) => answer.finish(&self.id(state), false),
            Err(problem) => self.refuse(&problem, state),
        }
    }

    fn refuse(&self, problem: &Problem, state: &State) -> Response {
        let mut response = answer::refuse(problem, state, &self.id(state), self.is_head);
        if problem.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(refusal::RETRY_AFTER));
        }
        response
    }
}

/// The answer, or nothing after a panic: the connection and the service live on.
async fn caught(answer: impl Future<Output = Result<Response, Infallible>>) -> Option<Response> {
    let mut answer = pin!(answer);
    poll_fn(|cx| {
        // What panicked is never polled again.
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(response))) => Poll::Ready(Some(response)),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

/// The right to be worked on.
struct Turn {
    state: Arc<State>,
}

impl Turn {
    fn take(state: &Arc<State>, is_probe: bool) -> Option<Turn> {
        let metrics = &state.metrics;
        let before = metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        let turn = Turn { state: Arc::clone(state) };
        if before < state.options.limits.max_requests || is_probe {
            return Some(turn);
        }
        metrics.shed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.state.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
