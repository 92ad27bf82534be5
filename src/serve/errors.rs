//! What a request was refused for: one shape for every error.
//!
//! The body is FastAPI's (`detail` with `type`, `loc`, `msg`, `input`, `ctx` per entry), and more:
//! a plain sentence, the valid range or categories, and on top what a client's log wants (status,
//! model version, request id). Knows neither schemas nor models. Everything here is bounded: a
//! short request must never buy a long answer, and no answer repeats the body it refuses.

use serde::Serialize;
use serde_json::Value;
use warp::http::StatusCode;

/// The most entries that one answer lists.
pub(crate) const MAX_ENTRIES: usize = 64;

/// The most characters of any text that came with the request.
const MAX_TEXT: usize = 64;

/// The most characters of a sentence that quotes the request.
const MAX_SENTENCE: usize = 3 * MAX_TEXT;

/// One step of the way to what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Loc {
    /// A part of the request, or a field.
    Name(String),
    /// A record of a list, or a byte of the body.
    Index(usize),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Entry {
    /// Pydantic's name for it.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Where it is wrong.
    pub(crate) loc: Vec<Loc>,
    /// Pydantic's words for it.
    pub(crate) msg: String,
    /// The value that was received, when it is a scalar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Value>,
    /// What the words were filled with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctx: Option<Value>,
    /// The smallest and largest valid value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) valid_range: Option<[Value; 2]>,
    /// The valid values, or the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<Vec<String>>,
    /// A sentence for people.
    pub(crate) message: String,
}

impl Entry {
    /// An entry about a part of the request.
    pub(crate) fn new(kind: &'static str, loc: Vec<Loc>, msg: &str, message: String) -> Entry {
        let msg = msg.to_owned();
        let (input, ctx, valid_range, expected) = (None, None, None, None);
        Entry { kind, loc, msg, input, ctx, valid_range, expected, message }
    }
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    /// The status.
    pub(crate) status: StatusCode,
    /// A title that is the same for every problem of its sort.
    pub(crate) title: &'static str,
    /// What is wrong, at most `MAX_ENTRIES`.
    pub(crate) entries: Vec<Entry>,
    /// How many more were found. Records after the last one listed are not looked at.
    pub(crate) omitted: usize,
    /// The methods that are allowed, of a 405.
    pub(crate) allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    detail: &'a [Entry],
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "is_zero")]
    omitted: usize,
    model_version: &'a str,
    request_id: &'a str,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl Problem {
    /// The answer's body.
    pub(crate) fn body(&self, model_version: &str, request_id: &str) -> Vec<u8> {
        let body = Body {
            detail: &self.entries,
            title: self.title,
            status: self.status.as_u16(),
            omitted: self.omitted,
            model_version,
            request_id,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// A problem with one entry about a part of the request.
    pub(crate) fn single(status: StatusCode, title: &'static str, entry: Entry) -> Problem {
        Problem { status, title, entries: vec![entry], omitted: 0, allow: None }
    }

    /// Fields that are not as the schema wants them.
    pub(crate) fn invalid(entries: Vec<Entry>, omitted: usize) -> Problem {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Problem { status, title: "Validation failed", entries, omitted, allow: None }
    }

    /// A request that is refused for one entry of what it says.
    pub(crate) fn unprocessable(entry: Entry) -> Problem {
        Problem::invalid(vec![entry], 0)
    }

    /// A body that is not what JSON text must be.
    pub(crate) fn malformed(loc: Vec<Loc>, reason: &str, message: String) -> Problem {
        let mut entry = Entry::new("json_invalid", loc, "JSON decode error", message);
        entry.ctx = Some(serde_json::json!({ "error": clip(reason) }));
        Problem::single(StatusCode::BAD_REQUEST, "Malformed JSON", entry)
    }

    /// A body, or a record of it, that is no text of its kind.
    pub(crate) fn malformed_entry(entry: Entry) -> Problem {
        Problem::single(StatusCode::BAD_REQUEST, "Malformed body", entry)
    }

    /// A body that could not be read to its end.
    pub(crate) fn interrupted() -> Problem {
        let message = "the body ended before it was complete".to_owned();
        let entry = Entry::new("body_incomplete", body(), "Body could not be read", message);
        Problem::single(StatusCode::BAD_REQUEST, "Incomplete body", entry)
    }

    /// A path that is not served.
    pub(crate) fn not_found(known: &str) -> Problem {
        let message = format!("there is nothing at this path; there is {known}");
        let entry = Entry::new("not_found", vec![name("path")], "Not Found", message);
        Problem::single(StatusCode::NOT_FOUND, "Not found", entry)
    }

    /// A method that the path does not have.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Problem {
        let message = format!("this path allows {allow}");
        let msg = "Method Not Allowed";
        let entry = Entry::new("method_not_allowed", vec![name("method")], msg, message);
        let problem = Problem::single(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", entry);
        Problem { allow: Some(allow), ..problem }
    }

    /// A body whose type is none of those that the path takes; `takes` are they.
    pub(crate) fn unsupported_type(takes: &str) -> Problem {
        let message = format!("the header 'content-type' must be {takes}");
        let loc = vec![name("header"), name("content-type")];
        let msg = "Unsupported Media Type";
        let entry = Entry::new("unsupported_media_type", loc, msg, message);
        Problem::single(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type", entry)
    }

    /// A body above the limit.
    pub(crate) fn too_large(limit: u64) -> Problem {
        let message = format!("the body must be at most {limit} bytes; send fewer records at once");
        let mut entry = Entry::new("too_large", body(), "Content Too Large", message);
        entry.ctx = Some(serde_json::json!({ "max_bytes": limit }));
        Problem::single(StatusCode::PAYLOAD_TOO_LARGE, "Content too large", entry)
    }

    /// A body that did not arrive in time.
    pub(crate) fn timeout(seconds: f64) -> Problem {
        let message = format!("the body did not arrive within {seconds} seconds");
        let entry = Entry::new("timeout", body(), "Request Timeout", message);
        Problem::single(StatusCode::REQUEST_TIMEOUT, "Request timeout", entry)
    }

    /// A mistake of the server's own, of which nothing more is told.
    pub(crate) fn internal() -> Problem {
        let message = "the server failed to answer; the request is not at fault".to_owned();
        let msg = "Internal Server Error";
        let entry = Entry::new("internal_error", vec![name("server")], msg, message);
        Problem::single(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error", entry)
    }
}

/// The place of the body as a whole.
pub(crate) fn body() -> Vec<Loc> {
    vec![name("body")]
}

/// A step to a named part.
pub(crate) fn name(text: &str) -> Loc {
    Loc::Name(clip(text))
}

/// A text of the request, cut to what an answer may repeat.
pub(crate) fn clip(text: &str) -> String {
    cut(text, MAX_TEXT)
}

/// A sentence that may quote the request, cut so that it quotes little.
pub(crate) fn brief(sentence: &dyn std::fmt::Display) -> String {
    cut(&sentence.to_string(), MAX_SENTENCE)
}

fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_an_entry_stand_in_fastapis_order() {
        let problem = Problem::too_large(10);
        let body = String::from_utf8(problem.body("0123456789ab", "r-1")).unwrap();
        let expected = "{\"detail\":[{\"type\":\"too_large\",\"loc\":[\"body\"],\
            \"msg\":\"Content Too Large\",\"ctx\":{\"max_bytes\":10},\"message\":\"the body must \
            be at most 10 bytes; send fewer records at once\"}],\"title\":\"Content too large\",\
            \"status\":413,\"model_version\":\"0123456789ab\",\"request_id\":\"r-1\"}";
        assert_eq!(body, expected);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clip("short"), "short");
        let long = clip(&"é".repeat(1000));
        assert_eq!(long, format!("{}…", "é".repeat(MAX_TEXT)));
    }
}
