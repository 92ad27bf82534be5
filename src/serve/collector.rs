//! The OpenTelemetry collector that spans are sent to: OTLP over HTTP, in its JSON encoding.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>. Where it is, and what is told of this
//! process, stands in the variables that all programs have which send spans
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). The crates for this would bring
//! gRPC's messages, a second HTTP client, and features of `syn` with which polars is compiled once
//! more; what is needed of them is one POST of one document to a collector beside the service. No
//! TLS, for that reason: what is far away is told by that collector. Knows no spans.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::serve::query::decoded;

/// What stands behind the common endpoint for traces.
const TRACES: &str = "/v1/traces";

/// What the service is called unless a variable says otherwise.
const SERVICE_NAME: &str = "pipeline";

/// How long a message may take unless a variable says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are looked at.
const MAX_ANSWER: usize = 64;

/// Where spans are sent, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Collector {
    /// Host and port.
    authority: String,
    path: String,
    headers: Vec<(String, String)>,
    timeout: Duration,
    resource: Vec<(String, String)>,
}

impl Collector {
    /// The collector that the environment's variables name; none if they name none.
    ///
    /// # Errors
    /// A sentence about the variable that is wrong.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Collector>, String> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        // The one for traces goes before the one for all.
        let either = |name: &str| {
            let own = name.replacen("OTLP_", "OTLP_TRACES_", 1);
            set(&own).map(|value| (own, value)).or_else(|| Some((name.to_owned(), set(name)?)))
        };
        let is_off = set("OTEL_SDK_DISABLED").is_some_and(|is| is.eq_ignore_ascii_case("true"));
        let Some((name, url)) = either("OTEL_EXPORTER_OTLP_ENDPOINT").filter(|_| !is_off) else {
            return Ok(None);
        };
        let (authority, path) = address(&url).ok_or_else(|| {
            format!("{name} is `{url}`: it must be http://HOST:PORT, of a collector without TLS")
        })?;
        let path = match name.contains("TRACES") {
            true if path.is_empty() => "/".to_owned(),
            true => path,
            false => path.trim_end_matches('/').to_owned() + TRACES,
        };
        if let Some((name, protocol)) = either("OTEL_EXPORTER_OTLP_PROTOCOL")
            && !protocol.starts_with("http/")
        {
            return Err(format!("{name} is `{protocol}`: spans are sent by http/json alone"));
        }
        let timeout = match either("OTEL_EXPORTER_OTLP_TIMEOUT") {
            None => TIMEOUT,
            Some((name, text)) => text.parse().ok().filter(|ms| *ms > 0).map_or_else(
                || Err(format!("{name} is `{text}`: it must be a number of milliseconds")),
                |ms| Ok(Duration::from_millis(ms)),
            )?,
        };
        let listed = |found: Option<(String, String)>| match found {
            None => Ok(Vec::new()),
            Some((name, text)) => pairs(&text)
                .ok_or_else(|| format!("{name} is `{text}`: it must be a list of key=value")),
        };
        let headers = listed(either("OTEL_EXPORTER_OTLP_HEADERS"))?;
        let attributes = "OTEL_RESOURCE_ATTRIBUTES";
        let mut resource = listed(set(attributes).map(|text| (attributes.to_owned(), text)))?;
        let key = "service.name";
        if let Some(name) = set("OTEL_SERVICE_NAME") {
            resource.retain(|(known, _)| known != key);
            resource.push((key.to_owned(), name));
        } else if !resource.iter().any(|(known, _)| known == key) {
            resource.push((key.to_owned(), SERVICE_NAME.to_owned()));
        }
        Ok(Some(Collector { authority, path, headers, timeout, resource }))
    }

    /// What is told of this process, as keys and values.
    pub(crate) fn resource(&self) -> &[(String, String)] {
        &self.resource
    }

    /// Sends a document, and waits until it is taken.
    ///
    /// # Errors
    /// When the collector cannot be reached, does not answer in time, or does not take it.
    pub(crate) fn send(&self, document: &[u8]) -> io::Result<()> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.timeout) {
                Ok(stream) => return self.post(stream, document),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn post(&self, mut stream: TcpStream, document: &[u8]) -> io::Result<()> {
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        let mut head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n",
            self.path,
            self.authority,
            document.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all((head + "\r\n").as_bytes())?;
        stream.write_all(document)?;
        let mut answer = Vec::new();
        let mut part = [0; MAX_ANSWER];
        // The status is in the first bytes, which may come one by one.
        while answer.len() < MAX_ANSWER && !answer.contains(&b'\n') {
            match stream.read(&mut part)? {
                0 => break,
                n => answer.extend_from_slice(&part[..n]),
            }
        }
        let line = String::from_utf8_lossy(&answer);
        let status = line.split(' ').nth(1).unwrap_or_default();
        match status.len() == 3 && status.starts_with('2') {
            true => Ok(()),
            false => Err(io::Error::other(format!("the collector answered `{status}`"))),
        }
    }
}

/// Host and port, and the path, of a URL without TLS.
fn address(url: &str) -> Option<(String, String)> {
    let rest = url.trim().strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_plain = |c: char| c.is_ascii_graphic() && !"?#@\\".contains(c);
    if authority.is_empty() || !rest.chars().all(is_plain) {
        return None;
    }
    // What stands behind the last colon, unless that is one of an IPv6 address.
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
    let authority = match port {
        Some(port) => port.parse::<u16>().ok().map(|_| authority.to_owned())?,
        None => format!("{authority}:80"),
    };
    Some((authority, path.to_owned()))
}

/// Pairs as `key=value,key=value`, whose values may have percents (as W3C Baggage has them).
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (decoded(key.trim())?, decoded(value.trim())?);
        let is_line = key.chars().chain(value.chars()).all(|c| !c.is_control());
        (is_line && !key.is_empty()).then_some((key, value))
    };
    text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Collector>, String> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Collector::of(&|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

    #[test]
    fn where_spans_are_sent_is_what_the_variables_say() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[(ENDPOINT, " ")]), Ok(None));
        assert_eq!(of(&[(ENDPOINT, "http://c:4318"), ("OTEL_SDK_DISABLED", "True")]), Ok(None));
        for (name, url, authority, path) in [
            (ENDPOINT, "http://c:4318", "c:4318", "/v1/traces"),
            (ENDPOINT, "http://[::1]:4318/", "[::1]:4318", "/v1/traces"),
            (ENDPOINT, "http://c/otel/", "c:80", "/otel/v1/traces"),
            (TRACES_ENDPOINT, "http://c:1", "c:1", "/"),
            (TRACES_ENDPOINT, "http://[::1]/a/b", "[::1]:80", "/a/b"),
        ] {
            let collector = of(&[(name, url)]).unwrap().unwrap();
            assert_eq!((&*collector.authority, &*collector.path), (authority, path), "{url}");
            assert_eq!(collector.timeout, TIMEOUT);
        }
    }

    #[test]
    fn the_rest_is_told_by_its_own_variables() {
        let collector = of(&[
            (ENDPOINT, "http://c:1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, y=1"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,service.version=2"),
        ]);
        let pair = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
        let collector = collector.unwrap().unwrap();
        assert_eq!(collector.timeout, Duration::from_millis(250));
        assert_eq!(collector.headers, [("x-key", "a b"), ("y", "1")].map(pair));
        let expected = [("service.name", "a"), ("service.version", "2")].map(pair);
        assert_eq!(collector.resource, expected);
        let named = of(&[(ENDPOINT, "http://c:1"), ("OTEL_SERVICE_NAME", "b")]).unwrap().unwrap();
        assert_eq!(named.resource, [("service.name", "b")].map(pair));
        let unnamed = of(&[(ENDPOINT, "http://c:1")]).unwrap().unwrap();
        assert_eq!(unnamed.resource, [("service.name", "pipeline")].map(pair));
    }

    #[test]
    fn a_variable_that_is_wrong_is_told_with_what_it_must_be() {
        for (name, value, told) in [
            (ENDPOINT, "https://c:4318", "without TLS"),
            (ENDPOINT, "c:4318", "http://HOST:PORT"),
            (ENDPOINT, "http://c:many", "http://HOST:PORT"),
            (ENDPOINT, "http://me:secret@c:1\r\nx: y", "http://HOST:PORT"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/json alone"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "milliseconds"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x", "key=value"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x=a%0d%0ay: b", "key=value"),
        ] {
            let error = of(&[(name, value), (ENDPOINT, "http://c:1")]).unwrap_err();
            assert!(error.contains(told) && error.contains(name), "{error}");
        }
    }
}
