//! Who may ask, how often, and by which way: keys, rates, TLS, and pages of other origins.
//!
//! Everything is off unless it is set, as suits a service that this machine alone reaches. `keys`
//! tell clients apart, `rate` and `addresses` bound how often each may ask, `cors` is for browsers,
//! `tls` for the way; `watched` notices when a file changed. A request is let in before anything
//! else is done for it, by its path, its key and its address, and without a lock that another
//! request could hold for longer than a few comparisons. Nothing here reads a clock but `Access`,
//! prints, or knows models.

mod addresses;
mod cors;
mod keys;
mod rate;
mod tls;
mod watched;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use warp::http::StatusCode;
use warp::http::header::{
    AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use warp::reply::Response;

use addresses::Addresses;
pub use cors::Cors;
pub(crate) use cors::is_preflight;
pub(crate) use keys::Key;
pub use keys::{Keys, NewKey, names};
pub(crate) use rate::Quota;
pub use rate::Rate;
pub use tls::{Certificates, Tls};
pub use watched::Unusable;

use crate::serve::errors::{Entry, Problem, name};
use crate::serve::metrics::METRICS;
use crate::serve::resource::Resource;

/// The other header that may hold a key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// <https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-10.txt>
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What can be let open to those who have no key.
pub const OPENABLE: [&str; 4] = ["/", "/health", "/metrics", "/openapi.json"];

/// Who may ask, how often, and by which way.
#[derive(Clone, Debug)]
pub struct Access {
    keys: Option<Arc<Keys>>,
    open: Vec<String>,
    rate: Option<Rate>,
    addresses: Option<Arc<Addresses>>,
    cors: Option<Arc<Cors>>,
    tls: Option<Arc<Tls>>,
    /// When the clock of the rates began.
    began: Instant,
}

impl Default for Access {
    /// Whoever comes may ask anything.
    fn default() -> Access {
        let (keys, rate, addresses, cors, tls) = (None, None, None, None, None);
        Access { keys, open: Vec::new(), rate, addresses, cors, tls, began: Instant::now() }
    }
}

/// Who asks, as far as that is known, and what is left to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// The key that came with the request.
    pub(crate) key: Option<Arc<Key>>,
    /// What is left of its rate, where there is one.
    quota: Option<Quota>,
    /// Whether a key was wanted that the caller does not have.
    pub(crate) is_stranger: bool,
}

impl Access {
    /// Lets in those who have a key; others reach probes, and the paths that are `open`, each of
    /// them one of `OPENABLE`.
    #[must_use]
    pub fn with_keys(self, keys: Keys, open: Vec<String>) -> Access {
        Access { keys: Some(Arc::new(keys)), open, ..self }
    }

    /// Lets everyone ask so often: a key that has no rate of its own, and without keys an address.
    #[must_use]
    pub fn with_rate(self, rate: Rate) -> Access {
        Access { rate: Some(rate), addresses: Some(Arc::new(Addresses::new())), ..self }
    }

    /// Lets pages of other origins ask.
    #[must_use]
    pub fn with_cors(self, cors: Cors) -> Access {
        Access { cors: Some(Arc::new(cors)), ..self }
    }

    /// Encrypts.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Access {
        Access { tls: Some(Arc::new(tls)), ..self }
    }

    /// The keys, if any are wanted.
    pub fn keys(&self) -> Option<&Keys> {
        self.keys.as_deref()
    }

    /// TLS, if it is spoken.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_deref()
    }

    /// What pages of other origins may do, if anything.
    pub(crate) fn cors(&self) -> Option<&Cors> {
        self.cors.as_deref()
    }

    /// Whether it matters who asks, or for what.
    pub(crate) fn is_selective(&self) -> bool {
        self.keys.is_some() || self.rate.is_some()
    }

    /// Reads those files again that have changed. Returns what holds now, or why the old still
    /// does. It may block, and is to be called every second or so.
    pub fn refresh(&self) -> Vec<Result<String, Unusable>> {
        let keys = self.keys().and_then(Keys::refresh);
        keys.into_iter().chain(self.tls().and_then(Tls::refresh)).collect()
    }

    /// Whether a path needs no key.
    pub(crate) fn is_open(&self, path: &str, resource: Option<Resource>) -> bool {
        self.keys.is_none() || is_probe(resource) || self.open.iter().any(|open| open == path)
    }

    /// Whether requests for it count towards a rate.
    pub(crate) fn is_counted(&self, path: &str, resource: Option<Resource>) -> bool {
        let is_watched =
            is_probe(resource) || resource == Some(Resource::Health) || path == METRICS;
        self.is_selective() && !is_watched
    }

    /// Who asks for something, and why they do not get it, if they do not.
    pub(crate) fn admit(
        &self,
        path: &str,
        resource: Option<Resource>,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> (Caller, Result<(), Problem>) {
        if !self.is_selective() {
            return (Caller::default(), Ok(()));
        }
        let key = self.keys().and_then(|keys| keys.ring().find(token(headers)?).cloned());
        let is_stranger = self.keys.is_some() && key.is_none();
        // No service runs for half a thousand years.
        let now = self.began.elapsed().as_nanos() as u64;
        let quota = match (&key, address, self.rate, &self.addresses) {
            _ if !self.is_counted(path, resource) => None,
            (Some(key), ..) => key.take(self.rate, now),
            (None, Some(address), Some(rate), Some(addresses)) => {
                Some(addresses.take(address, rate, now))
            }
            _ => None,
        };
        let admitted = match quota {
            Some(quota) if !quota.is_kept => Err(too_many(quota)),
            _ if is_stranger && !self.is_open(path, resource) => Err(unknown()),
            _ => Ok(()),
        };
        (Caller { key, quota, is_stranger }, admitted)
    }
}

impl Caller {
    /// Puts on an answer what this caller is to know of it.
    pub(crate) fn dress(&self, response: &mut Response) {
        let status = response.status();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let Some(quota) = self.quota else { return };
        if !quota.is_kept {
            headers.insert(RETRY_AFTER, HeaderValue::from(quota.seconds()));
        }
        let texts = [(RATE_LIMIT_POLICY, quota.policy()), (RATE_LIMIT, quota.state())];
        for (name, text) in texts {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }
}

/// Whether something is asked by who may have no key: a load balancer, or who starts containers.
fn is_probe(resource: Option<Resource>) -> bool {
    use Resource::{Live, Ping, Ready, V2Live, V2Ready};
    matches!(resource, Some(Live | Ready | Ping | V2Live | V2Ready))
}

/// Whether a probe tells more than its status, which is for those who have a key.
pub(crate) fn is_report(resource: Option<Resource>) -> bool {
    matches!(resource, Some(Resource::Ready | Resource::Ping))
}

/// The token that a request shows. One that shows two can be read in two ways, and shows none.
fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut bearers = headers.get_all(AUTHORIZATION).iter().map(|value| bearer(value.as_bytes()));
    let mut keys = headers.get_all(API_KEY).iter().map(HeaderValue::as_bytes);
    match (bearers.next(), bearers.next(), keys.next(), keys.next()) {
        (Some(token), None, None, None) => token,
        (None, None, token, None) => token,
        _ => None,
    }
}

/// The token of `Bearer TOKEN`, by RFC 6750, 2.1, where the first word is of either case (RFC 9110,
/// 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token.trim_ascii())
}

/// No key, or one that does not hold: which of them is not told.
fn unknown() -> Problem {
    let message = "a key is needed that this service knows: 'authorization: Bearer KEY' or \
                   'x-api-key: KEY'";
    let loc = vec![name("header"), name("authorization")];
    let entry = Entry::new("unauthorized", loc, "Unauthorized", message.to_owned());
    Problem::single(StatusCode::UNAUTHORIZED, "Unauthorized", entry)
}

/// More requests than the rate allows.
fn too_many(quota: Quota) -> Problem {
    let seconds = quota.seconds();
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let message = format!("more requests than {}; try again in {seconds} {unit}", quota.rate);
    let loc = vec![name("server")];
    let entry = Entry::new("rate_limited", loc, "Too Many Requests", message);
    Problem::single(StatusCode::TOO_MANY_REQUESTS, "Too many requests", entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_token_is_shown_in_one_of_two_headers_and_once() {
        for (pairs, shown) in [
            (vec![("authorization", "Bearer abc")], Some("abc")),
            (vec![("authorization", "bEARER  abc ")], Some("abc")),
            (vec![("x-api-key", "abc")], Some("abc")),
            (vec![], None),
            (vec![("authorization", "Basic abc")], None),
            (vec![("authorization", "Bearer")], None),
            (vec![("authorization", "abc")], None),
            (vec![("authorization", "Bearer abc"), ("x-api-key", "abc")], None),
            (vec![("x-api-key", "abc"), ("x-api-key", "abd")], None),
            (vec![("authorization", "Bearer a"), ("authorization", "Bearer b")], None),
        ] {
            let headers = headers(&pairs);
            assert_eq!(token(&headers), shown.map(str::as_bytes), "{pairs:?}");
        }
    }

    #[test]
    fn who_has_no_key_reaches_probes_and_what_is_open_and_does_not_learn_what_else_there_is() {
        let key = NewKey::make("a", None).unwrap();
        let keys = || Keys::open(None, &key.line).unwrap();
        let closed = Access::default().with_keys(keys(), Vec::new());
        let opened = Access::default().with_keys(keys(), vec!["/metrics".to_owned()]);
        let asks = |access: &Access, path: &str, resource, token: &str| {
            let headers = headers(&[("x-api-key", token)]);
            let (caller, admitted) = access.admit(path, resource, &headers, None);
            (caller.key.is_some(), admitted.err().map(|problem| problem.status.as_u16()))
        };
        for (path, resource, status) in [
            ("/health/live", Some(Resource::Live), None),
            ("/health/ready", Some(Resource::Ready), None),
            ("/hc", Some(Resource::Ping), None),
            ("/health", Some(Resource::Health), Some(401)),
            ("/", Some(Resource::Page), Some(401)),
            ("/predict", Some(Resource::Predict), Some(401)),
            ("/metrics", None, Some(401)),
            ("/nothing", None, Some(401)),
        ] {
            assert_eq!(asks(&closed, path, resource, "wrong"), (false, status), "{path}");
            assert_eq!(asks(&closed, path, resource, &key.token), (true, None), "{path}");
        }
        assert_eq!(asks(&opened, "/metrics", None, "wrong"), (false, None));
        assert_eq!(asks(&opened, "/", Some(Resource::Page), "wrong"), (false, Some(401)));
        assert_eq!(asks(&Access::default(), "/predict", None, "any"), (false, None));
    }

    #[test]
    fn a_key_has_its_own_rate_and_who_has_none_that_of_the_address() {
        let own = NewKey::make("own", "1/h".parse().ok()).unwrap();
        let usual = NewKey::make("usual", None).unwrap();
        let keys = Keys::open(None, &format!("{}\n{}", own.line, usual.line)).unwrap();
        let access = Access::default().with_rate("2/h".parse().unwrap());
        let access = access.with_keys(keys, Vec::new());
        let address = Some(IpAddr::from([10, 0, 0, 1]));
        let statuses = |resource, token: &str| {
            let headers = headers(&[("x-api-key", token)]);
            let ask = || access.admit("/x", Some(resource), &headers, address).1;
            [(); 3].map(|()| ask().err().map_or(200, |problem| problem.status.as_u16()))
        };
        assert_eq!(statuses(Resource::Predict, &own.token), [200, 429, 429]);
        assert_eq!(statuses(Resource::Predict, &usual.token), [200, 200, 429]);
        assert_eq!(statuses(Resource::Predict, "wrong"), [401, 401, 429], "guesses are counted");
        assert_eq!(statuses(Resource::Live, "wrong"), [200; 3], "probes are not");
        let ring = access.keys().unwrap().ring();
        assert_eq!(ring.find(own.token.as_bytes()).unwrap().counts(), (3, 2));
    }
}
