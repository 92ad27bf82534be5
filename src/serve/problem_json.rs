//! A problem as RFC 9457 has it, for clients that accept `application/problem+json`.
//!
//! The same problem as the usual body, which is FastAPI's, in other words: the two cannot be one
//! body, because `detail` is a list there and must be a text here. Extension members have names
//! that the RFC's errata recommend: letters, digits and underscores.

use serde::Serialize;
use serde_json::Value;

use crate::serve::errors::{Entry, Loc, Problem};

/// The media type.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: String,
    instance: String,
    errors: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    omitted: usize,
    model_version: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    /// RFC 6901 as a fragment; absent for what is no value of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_range: Option<&'a [Value; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a [String]>,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl Problem {
    /// The answer's body by RFC 9457. `type` is a reference relative to the service: it names the
    /// problem and there is nothing to fetch there.
    pub(crate) fn rfc9457(&self, model_version: &str, request_id: &str) -> Vec<u8> {
        let body = Body {
            kind: format!("/problems/{}", self.slug()),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.sentence(),
            instance: format!("urn:request:{request_id}"),
            errors: self.entries.iter().map(item).collect(),
            omitted: self.omitted,
            model_version,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The title as the end of a path.
    fn slug(&self) -> String {
        match self.title {
            "Validation failed" => "validation".to_owned(),
            title => title.to_ascii_lowercase().replace(' ', "-"),
        }
    }

    /// What is wrong, in one sentence.
    pub(crate) fn sentence(&self) -> String {
        match (self.entries.as_slice(), self.omitted) {
            ([only], 0) => only.message.clone(),
            (entries, omitted) => format!("{} values are invalid", entries.len() + omitted),
        }
    }
}

fn item(entry: &Entry) -> Item<'_> {
    Item {
        pointer: pointer(entry),
        detail: &entry.message,
        code: entry.kind,
        valid_range: entry.valid_range.as_ref(),
        expected: entry.expected.as_deref(),
    }
}

/// The way to a value of the body. A body that is no JSON has no values.
fn pointer(entry: &Entry) -> Option<String> {
    let (first, steps) = entry.loc.split_first()?;
    let is_of_body = *first == Loc::Name("body".to_owned());
    let is_byte = entry.kind == "json_invalid" && matches!(steps, [Loc::Index(_)]);
    if !is_of_body || is_byte {
        return None;
    }
    let mut pointer = "#".to_owned();
    for step in steps {
        pointer.push('/');
        match step {
            Loc::Index(index) => pointer.push_str(&index.to_string()),
            Loc::Name(name) => escape(name, &mut pointer),
        }
    }
    Some(pointer)
}

/// Appends a name: `~` and `/` by RFC 6901, then what a URI's fragment does not take by percents.
fn escape(name: &str, out: &mut String) {
    for byte in name.bytes() {
        match byte {
            b'~' => out.push_str("~0"),
            b'/' => out.push_str("~1"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::serve::errors;

    fn entry(loc: Vec<Loc>) -> Entry {
        Entry::new("missing", loc, "Field required", "field 'x' is required".to_owned())
    }

    #[test]
    fn a_problem_has_the_members_of_the_rfc() {
        let problem =
            Problem::invalid(vec![entry(vec![errors::name("body"), errors::name("x")])], 0);
        let body: Value = serde_json::from_slice(&problem.rfc9457("0123456789ab", "r-1")).unwrap();
        let error = json!({
            "pointer": "#/x", "detail": "field 'x' is required", "code": "missing",
        });
        assert_eq!(
            body,
            json!({
                "type": "/problems/validation", "title": "Validation failed", "status": 422,
                "detail": "field 'x' is required", "instance": "urn:request:r-1",
                "errors": [error],
                "model_version": "0123456789ab",
            })
        );
    }

    #[test]
    fn a_pointer_is_escaped_twice_and_only_leads_into_the_body() {
        let to = |steps: Vec<Loc>| pointer(&entry(steps));
        let body = || errors::name("body");
        assert_eq!(to(vec![body()]).unwrap(), "#");
        let steps = vec![body(), Loc::Index(3), errors::name("a/b~ü")];
        assert_eq!(to(steps).unwrap(), "#/3/a~1b~0%C3%BC");
        assert_eq!(to(vec![errors::name("header"), errors::name("content-type")]), None);
        let broken = Problem::malformed(vec![body(), Loc::Index(7)], "why", "no JSON".to_owned());
        assert_eq!(pointer(&broken.entries[0]), None);
    }

    #[test]
    fn several_are_counted() {
        let problem = Problem::invalid(vec![entry(vec![]), entry(vec![])], 3);
        assert_eq!(problem.sentence(), "5 values are invalid");
    }
}
