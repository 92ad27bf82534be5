//! `serve`: answers predictions over HTTP from a package.
//!
//! A service has no outputs and is never cached: the command launches it, with a listener and a
//! shutdown of its own, once all work is done. This file is its parameters.

use anyhow::bail;
use engine::digest::Digest;
use engine::kind::{Arity, Context, Input, Kind, Output, Role};
use engine::params::{Complaint, Param, Type};
use serde::Deserialize;
use serde_json::Value;

use crate::serve::{Extra, Policy, Range};

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
}

impl Params {
    /// How strict the service is.
    pub fn policy(&self) -> Policy {
        Policy { range: self.range, extra: self.extra, lax: self.lax }
    }
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
        Type::Record(vec![
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
        ])
    }

    fn check(&self, params: &Value) -> Vec<Complaint> {
        let host = params.get("host").and_then(Value::as_str).unwrap_or_default();
        if host.parse::<std::net::IpAddr>().is_ok() {
            return Vec::new();
        }
        let complaint = Complaint::about("host", format!("`{host}` is not an IP address"));
        vec![complaint.hinted("127.0.0.1 serves this machine alone, 0.0.0.0 every network")]
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
        assert_eq!(params.policy(), Policy::default());
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
