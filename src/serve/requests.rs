//! Between hyper and the routes: who is let in, how many requests are worked on, how long one may
//! take, and what becomes of a panic.
//!
//! tower-http has layers for each of these, but they answer in plain text or with nothing, and
//! what gives them the one shape of all answers is as long as what they do. Knows no sockets.

use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use warp::http::header::{CONNECTION, HeaderValue};
use warp::http::{Method, Request, StatusCode};
use warp::hyper::service::Service;
use warp::reply::Response;

use crate::serve::access::{self, Caller};
use crate::serve::admin;
use crate::serve::answer::{self, Answer};
use crate::serve::errors::Problem;
use crate::serve::exposition;
use crate::serve::log::Line;
use crate::serve::metrics::{Labels, METRICS};
use crate::serve::refusal;
use crate::serve::resource::{self, KNOWN, Resource};
use crate::serve::routes;
use crate::serve::seat::Seat;
use crate::serve::state::State;
use crate::serve::trace::{self, Trace};

/// What answers the requests of a connection: the routes, behind limits.
#[derive(Clone)]
pub(crate) struct Requests<R> {
    pub(crate) routes: R,
    pub(crate) state: Arc<State>,
    /// Where the client is, if it is anywhere.
    pub(crate) address: Option<IpAddr>,
    /// The place of the connection among all.
    pub(crate) seat: Arc<Seat>,
}

impl<R, A, B> Service<Request<B>> for Requests<R>
where
    R: tower_service::Service<Request<B>, Response = Response, Error = Infallible, Future = A>
        + Clone,
    A: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let began = Instant::now();
        let state = Arc::clone(&self.state);
        let (asks, refused) = Asks::admit(&request, self.address, &state);
        if let Some(answer) = refused {
            return Box::pin(ready(Ok(asks.leave(answer, Some(began.elapsed()), &state))));
        }
        let at_work = Seat::work(&self.seat);
        let Some(turn) = Turn::take(&state, asks.is_probe()) else {
            let refused = asks.refuse(&refusal::overloaded(), &state);
            return Box::pin(ready(Ok(asks.leave(refused, None, &state))));
        };
        // The target of CONNECT is no path, and warp panics where there is none.
        if request.uri().path_and_query().is_none() {
            let refused = asks.refuse(&Problem::not_found(KNOWN), &state);
            return Box::pin(ready(Ok(asks.leave(refused, Some(began.elapsed()), &state))));
        }
        // Answered here, so that an overload can be seen from outside.
        if asks.labels.route() == METRICS {
            let answer = asks.metrics(request.method(), &state);
            return Box::pin(ready(Ok(asks.leave(answer, Some(began.elapsed()), &state))));
        }
        let is_admin = state.options.admin && asks.labels.route() == admin::RELOAD;
        if is_admin && *request.method() == Method::OPTIONS {
            let answer = answer::options(admin::ALLOWED, &asks.id(&state));
            return Box::pin(ready(Ok(asks.leave(answer, Some(began.elapsed()), &state))));
        }
        // By a Unix socket comes who may open the file.
        let is_near = self.address.is_none_or(|address| address.is_loopback());
        let admitted = is_admin.then(|| admin::admit(request.method(), request.headers(), is_near));
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
            let response = asks.leave(response, Some(began.elapsed()), &state);
            drop((turn, at_work));
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
    caller: Caller,
    /// Whether the caller is to know the status of the answer, and not the reasons.
    is_brief: bool,
    /// What a page of another origin is told.
    origin: Option<HeaderValue>,
}

impl Asks {
    /// Who asks for what, and the answer if they do not get it, or a browser only asks if it would.
    fn admit<B>(
        request: &Request<B>,
        address: Option<IpAddr>,
        state: &State,
    ) -> (Asks, Option<Response>) {
        let (path, method, headers) = (request.uri().path(), request.method(), request.headers());
        let access = &state.options.access;
        let trace = headers.get(trace::HEADER).and_then(|value| value.to_str().ok());
        let mut asks = Asks {
            given: headers.get(answer::REQUEST_ID).cloned(),
            is_head: *method == Method::HEAD,
            labels: Labels::of(path, method),
            trace: trace.and_then(Trace::read),
            caller: Caller::default(),
            is_brief: false,
            origin: access.cors().and_then(|cors| cors.allowed(headers)),
        };
        // No browser sends a key with this question.
        if let Some(cors) = access.cors().filter(|_| access::is_preflight(method, headers)) {
            let preflight = cors.preflight(headers, &asks.id(state));
            return (asks, Some(preflight));
        }
        let of = || Resource::of(path, &state.options.routes, &state.served().package);
        let resource = if access.is_selective() { of() } else { None };
        let (caller, admitted) = access.admit(path, resource, headers, address);
        asks.is_brief = caller.is_stranger && access::is_report(resource);
        asks.caller = caller;
        let refused = admitted.err().map(|problem| {
            let (tongue, id) = (resource::tongue(path, resource), asks.id(state));
            let served = state.served();
            let answer = Answer::problem(&problem, tongue, headers, served.version(), &id);
            answer.finish(&id, asks.is_head)
        });
        (asks, refused)
    }

    /// The id of an answer that the routes do not give.
    fn id(&self, state: &State) -> String {
        routes::request_id(state, self.given.as_ref())
    }

    /// Puts on the answer what depends on who asked, counts it, and has it logged.
    fn leave(&self, mut response: Response, took: Option<Duration>, state: &State) -> Response {
        let status = response.status();
        let is_told = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        if self.is_brief && is_told {
            response = answer::brief(status, id_of(&response), self.is_head);
        }
        self.caller.dress(&mut response);
        if let Some(cors) = state.options.access.cors() {
            cors.dress(self.origin.clone(), &mut response);
        }
        self.tell(&response, took, state);
        response
    }

    fn tell(&self, response: &Response, took: Option<Duration>, state: &State) {
        state.metrics.answered(self.labels, response.status(), took);
        let took = took.unwrap_or_default();
        let line = Line {
            request_id: id_of(response),
            trace: self.trace,
            method: self.labels.method(),
            route: self.labels.route(),
            status: response.status().as_u16(),
            took,
            key: self.caller.key.as_ref().map(|key| &*key.name),
        };
        if let Some(log) = &state.options.log {
            log.tell(&line);
        }
        if let Some(spans) = &state.options.spans {
            spans.tell(&line, state.served().version());
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
        refusal::dress(problem, answer::refuse(problem, state, &self.id(state), self.is_head))
    }
}

/// The id of an answer.
fn id_of(response: &Response) -> &str {
    let id = response.headers().get(answer::REQUEST_ID);
    id.and_then(|id| id.to_str().ok()).unwrap_or_default()
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
