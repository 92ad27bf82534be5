//! `serve`: answers predictions over HTTP from a package.
//!
//! A service has no outputs and is never cached: the command launches it, with a listener and a
//! shutdown of its own, once all work is done. This file is its parameters.

pub mod access;
mod limits;
mod predictions;
pub mod shadow;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output, Role};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::Value;

use crate::serve::{Extra, LogFormat, Policy, Range};

/// The default of `max_body_bytes`.
const MAX_BODY_BYTES: i64 = 64 << 10;

/// The kind `serve`.
pub struct Serve;

/// The parameters of the service.
#[derive(Clone, Debug, Deserialize)]
pub struct Params {
    /// The address to listen on.
    pub host: String,
    /// The port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// The largest body of a request.
    pub max_body_bytes: u64,
    /// What becomes of numbers beyond the range of the data.
    pub range: Range,
    /// What becomes of fields that the model does not know.
    pub extra: Extra,
    /// Whether texts are read as the numbers that they spell.
    pub lax: bool,
    /// A Unix socket to listen on instead.
    pub socket: Option<PathBuf>,
    /// The permissions of the socket, in octal digits.
    pub socket_mode: String,
    /// How answers are logged: `off`, `plain` or `json`.
    pub log: String,
    /// Whether `POST /admin/reload` is answered to clients on this machine.
    pub admin: bool,
    /// Who may ask, how often, and by which way.
    #[serde(flatten)]
    pub access: access::Params,
    /// Whether predictions are logged, and how much of that is kept.
    #[serde(flatten)]
    pub predictions: predictions::Params,
    /// How many hours of the past `/drift` tells of.
    pub drift_window: f64,
    /// What clients may hold, and for how long.
    #[serde(flatten)]
    pub limits: limits::Params,
    /// What scores beside the package that answers.
    #[serde(flatten)]
    pub shadow: shadow::Params,
}

impl Params {
    /// How strict the service is.
    pub fn policy(&self) -> Policy {
        Policy { range: self.range, extra: self.extra, lax: self.lax }
    }

    /// How answers are logged, if they are.
    pub fn log(&self) -> Option<LogFormat> {
        match self.log.as_str() {
            "plain" => Some(LogFormat::Plain),
            "json" => Some(LogFormat::Json),
            _ => None,
        }
    }

    /// How much of the past `/drift` tells of.
    pub fn drift_window(&self) -> Duration {
        Duration::from_secs_f64(self.drift_window * 3600.0)
    }

    /// The permissions of the socket.
    pub fn socket_mode(&self) -> u32 {
        mode(&self.socket_mode).unwrap_or(0o600)
    }
}

/// Permissions as `chmod` takes them.
fn mode(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777)
}

impl Kind for Serve {
    fn name(&self) -> &'static str {
        "serve"
    }

    fn about(&self) -> &'static str {
        "answer predictions over HTTP from a package, until it is stopped"
    }

    fn code(&self) -> Digest {
        super::code("serve")
    }

    fn params(&self) -> Type {
        let mut params = vec![
            Param::new("host", Type::Text, "127.0.0.1", "the IP address to listen on"),
            Param::new("port", Type::Int(0, 65_535), 8080, "the port; 0 for any that is free"),
            Param::new(
                "max_body_bytes",
                Type::Int(1, 1 << 30),
                MAX_BODY_BYTES,
                "the largest body of a request, and of a record of a batch, in bytes",
            ),
            Param::new(
                "range",
                Type::Choice(&["reject", "warn", "clip"]),
                "reject",
                "what becomes of a number beyond the range of the data: the request is refused, or \
                 the number is used, or the nearest one of the range, and the answer warns of it",
            ),
            Param::new(
                "extra",
                Type::Choice(&["reject", "ignore"]),
                "reject",
                "what becomes of a field that the model does not know",
            ),
            Param::new(
                "lax",
                Type::Bool,
                false,
                "whether `\"24\"` is taken for 24 and `1` for true, as Pydantic does by default",
            ),
            Param::optional(
                "socket",
                Type::Text,
                "a path: listen on a Unix socket there instead of a port",
            ),
            Param::new(
                "socket_mode",
                Type::Text,
                "600",
                "who may connect to the socket, as for chmod: 660 is its owner and group",
            ),
            Param::new(
                "log",
                Type::Choice(&["off", "plain", "json"]),
                "off",
                "a line per answer on stderr, for people or as JSON; never a body, and of the \
                 headers the ids alone",
            ),
        ];
        params.push(Param::new(
            "admin",
            Type::Bool,
            false,
            "whether `POST /admin/reload`, from this machine, has the service look at once for \
             another package; it looks by itself every half second",
        ));
        params.extend(predictions::declared());
        params.extend(access::declared());
        params.push(Param::new(
            "drift_window",
            Type::Float(0.1, 744.0),
            24.0,
            "how many hours of the past `/drift` tells of; they are forgotten a 24th at a time",
        ));
        params.extend(limits::declared());
        params.extend(shadow::declared());
        Type::Record(params)
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        let text = |name: &str| params.get(name).and_then(Value::as_str);
        let mut complaints = Vec::new();
        let host = text("host").unwrap_or_default();
        if host.parse::<std::net::IpAddr>().is_err() {
            let complaint = Complaint::about("host", format!("`{host}` is not an IP address"));
            let hint = "127.0.0.1 serves this machine alone, 0.0.0.0 every network";
            complaints.push(complaint.hinted(hint));
        }
        if let Some(wrong) = text("socket_mode").filter(|text| mode(text).is_none()) {
            let message = format!("`{wrong}` is no permissions: octal digits up to 777");
            complaints.push(Complaint::about("socket_mode", message));
        }
        complaints.extend(predictions::check(params));
        complaints.extend(access::check(params));
        complaints.extend(shadow::check(params));
        complaints
    }

    fn inputs(&self, _params: &Value) -> Vec<Input> {
        let (types, doc): (&[_], _) = (&["package"], "what to predict with");
        vec![Input { name: "package".into(), types, arity: Arity::One, doc }]
    }

    fn outputs(&self, _params: &Value) -> Vec<Output> {
        Vec::new()
    }

    fn role(&self) -> Role {
        Role::Service
    }

    fn run(&self, _context: &Context<'_>) -> anyhow::Result<()> {
        bail!("a service has no outputs: `pipeline serve` launches it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_defaults_serve_this_machine_alone() {
        let checked = Serve.params().check(&json!({})).unwrap();
        assert!(Serve.check(&checked).is_empty());
        let params: Params = serde_json::from_value(checked).unwrap();
        assert_eq!((params.host.as_str(), params.port), ("127.0.0.1", 8080));
        assert_eq!(params.max_body_bytes, crate::serve::Options::default().max_body_bytes);
        assert_eq!(params.drift_window(), crate::serve::Options::default().drift_window);
        assert_eq!(params.policy(), Policy::default());
        assert_eq!((params.socket.as_ref(), params.socket_mode()), (None, 0o600));
        assert_eq!((params.log(), params.admin), (None, false));
        let access = params.access;
        assert!(access.keys.is_none() && access.rate.is_none() && access.tls_cert.is_none());
        assert!(access.open.is_empty() && access.cors_origins.is_empty());
    }

    #[test]
    fn every_limit_has_the_default_of_the_service_and_reaches_it() {
        use crate::serve::Options;
        let laid = |given: &Value| {
            let checked = Serve.params().check(given).unwrap();
            let params: Params = serde_json::from_value(checked).unwrap();
            params.limits.lay(Options::default())
        };
        let (ours, own) = (laid(&json!({})), Options::default());
        assert_eq!(ours.limits, own.limits);
        assert_eq!((ours.body_timeout, ours.drain_timeout), (own.body_timeout, own.drain_timeout));
        // Each limit is set to a number of its own, so that no two are mixed up.
        let names = limits::declared().into_iter().map(|param| param.name);
        let given: serde_json::Map<String, Value> =
            names.enumerate().map(|(i, name)| (name.to_owned(), json!(1000 - i))).collect();
        let shown = format!("{:?}", laid(&Value::Object(given.clone())));
        for (name, value) in &given {
            let is_time = name.ends_with("timeout") || name.ends_with("delay");
            let unit = if is_time { "s" } else { "" };
            assert!(shown.contains(&format!("{name}: {value}{unit}")), "{name}: {shown}");
        }
    }

    #[test]
    fn permissions_are_octal() {
        let complaints = Serve.check(&json!({"host": "::1", "socket_mode": "898"}));
        assert_eq!(complaints[0].message, "`898` is no permissions: octal digits up to 777");
    }

    #[test]
    fn policies_are_named_as_they_are_declared() {
        let given = json!({"range": "clip", "extra": "ignore", "lax": true});
        let checked = Serve.params().check(&given).unwrap();
        let params: Params = serde_json::from_value(checked).unwrap();
        let expected = Policy { range: Range::Clip, extra: Extra::Ignore, lax: true };
        assert_eq!(params.policy(), expected);
        assert!(Serve.params().check(&json!({"range": "wrap"})).is_err());
    }

    #[test]
    fn a_host_must_be_an_address() {
        let complaints = Serve.check(&json!({"host": "all"}));
        assert_eq!(complaints[0].message, "`all` is not an IP address");
    }
}
