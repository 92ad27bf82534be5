//! Which pages of other origins may read answers: the CORS protocol of the Fetch standard.
//!
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>. It protects nobody but the users of
//! browsers: it lets a page read what it could otherwise only send for. Origins are compared as
//! they are written. Credentials that a browser adds by itself (cookies, client certificates) are
//! never allowed; a key is a header, which a page must have to send it. What is not a listed
//! origin gets its answer without a word of this, and the browser keeps it from the page.

use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};
use warp::http::{Method, StatusCode};
use warp::reply::Response;

use crate::serve::answer::Answer;

/// What a page may send.
const METHODS: &str = "GET, HEAD, POST";
const HEADERS: &str = "accept, authorization, content-type, traceparent, x-api-key, x-request-id";

/// What a page may read of an answer, beside what every page may.
const EXPOSED: &str = "ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id";

/// How many seconds a browser need not ask again.
const MAX_AGE: &str = "600";

/// Every origin.
const ANY: &str = "*";

/// The origins whose pages may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// Lets pages of these origins ask, which must be as browsers send them.
    ///
    /// # Errors
    /// What is wrong with each that is no origin.
    pub fn new(origins: &[String]) -> Result<Cors, Vec<String>> {
        let mut mistakes: Vec<_> = origins.iter().filter_map(|o| check(o).err()).collect();
        if origins.len() > 1 && origins.iter().any(|origin| origin == ANY) {
            mistakes.push(format!("`{ANY}` stands for every origin, and alone"));
        }
        if mistakes.is_empty() { Ok(Cors { origins: origins.to_vec() }) } else { Err(mistakes) }
    }

    /// The answer to a browser that asks if a page may send what it wants to send.
    pub(crate) fn preflight(&self, headers: &HeaderMap, id: &str) -> Response {
        let answer = Answer::json(StatusCode::NO_CONTENT, Vec::new());
        let mut response = answer.finish(id, false);
        if self.allowed(headers).is_some() {
            let put = response.headers_mut();
            put.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            put.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
            put.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        }
        response
    }

    /// Lets the page that a request came from read the answer, or not.
    pub(crate) fn dress(&self, allowed: Option<HeaderValue>, response: &mut Response) {
        let headers = response.headers_mut();
        if self.origins != [ANY] {
            // A cache must not give one origin's answer to another.
            headers.append(VARY, HeaderValue::from_name(ORIGIN));
        }
        if let Some(origin) = allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }

    /// What is told to be allowed of the origin that a request names, if it is.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        if self.origins == [ANY] {
            return Some(HeaderValue::from_static(ANY));
        }
        self.origins
            .iter()
            .any(|listed| listed.as_bytes() == origin.as_bytes())
            .then(|| origin.clone())
    }
}

/// Whether a browser asks, before a page sends something, if it may.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    let has = |name| headers.contains_key(name);
    *method == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether a text is an origin as browsers write it: `SCHEME://HOST[:PORT]` in lower case, without
/// the scheme's own port.
fn check(origin: &str) -> Result<(), String> {
    if origin == ANY {
        return Ok(());
    }
    let wrong = |why: &str| Err(format!("`{origin}` is no origin: {why}"));
    let Some((scheme, host)) = origin.split_once("://") else {
        return wrong("it must be written as in https://example.org");
    };
    if !["http", "https"].contains(&scheme) {
        return wrong("it must begin with http:// or https://");
    }
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ', '*', ',']) {
        return wrong("after the host and its port nothing may follow, and there are no patterns");
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii_graphic()) {
        return wrong("browsers write hosts in lower case, and in ASCII");
    }
    let own = if scheme == "http" { ":80" } else { ":443" };
    if host.ends_with(own) && !host.ends_with(&format!(":{own}")) {
        return wrong(&format!("browsers leave out `{own}`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, origin.parse().unwrap());
        headers
    }

    fn cors(origins: &[&str]) -> Result<Cors, Vec<String>> {
        let origins: Vec<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
        Cors::new(&origins)
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        let good = ["https://example.org", "http://localhost:3000", "https://[::1]:8443"];
        assert!(cors(&good).is_ok() && cors(&["*"]).is_ok());
        let wrong = [
            "example.org",
            "null",
            "ftp://example.org",
            "https://example.org/",
            "https://*.example.org",
            "https://Example.org",
            "https://example.org:443",
            "http://example.org:80",
            "https://",
            "https://a b",
        ];
        assert_eq!(cors(&wrong).unwrap_err().len(), wrong.len(), "each is told");
        assert_eq!(cors(&["*", "https://example.org"]).unwrap_err().len(), 1);
    }

    #[test]
    fn only_an_origin_that_is_listed_to_the_letter_is_allowed() {
        let cors = cors(&["https://example.org"]).unwrap();
        assert_eq!(cors.allowed(&from("https://example.org")).unwrap(), "https://example.org");
        for other in [
            "https://example.org.evil.example",
            "https://example.org:8443",
            "http://example.org",
            "https://EXAMPLE.org",
            "null",
            "*",
        ] {
            assert_eq!(cors.allowed(&from(other)), None, "{other}");
        }
        assert_eq!(cors.allowed(&HeaderMap::new()), None);
    }
}
