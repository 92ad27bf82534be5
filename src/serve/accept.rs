//! What a client accepts, by RFC 9110, 12.5.1: as much of it as the service has a choice in.
//!
//! Only a type that is named counts. `*/*` is what every library sends without meaning anything by
//! it, so it never turns an answer into something else than the path's own.

use warp::http::header::{ACCEPT, HeaderMap};

/// How much a type is wanted, in thousandths; 0 when it is not named or not wanted.
pub(crate) fn quality(headers: &HeaderMap, media_type: &str) -> u16 {
    let texts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = texts.flat_map(|text| text.split(','));
    let of = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0));
        // Rounded: a weight has at most three digits.
        if is_named { (weight.clamp(0.0, 1.0) * 1000.0).round() as u16 } else { 0 }
    };
    ranges.map(of).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_and_wanted_counts() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            quality(&headers, "text/csv")
        };
        assert_eq!(of("text/csv"), 1000);
        assert_eq!(of("application/json, Text/CSV;q=0.5, */*"), 500);
        assert_eq!(of("text/csv; header=absent; q=0.25"), 250);
        for accept in ["*/*", "text/*", "text/csv;q=0", "text/csv;q=x", ""] {
            assert_eq!(of(accept), 0, "{accept}");
        }
        assert_eq!(quality(&HeaderMap::new(), "text/csv"), 0);
    }
}
