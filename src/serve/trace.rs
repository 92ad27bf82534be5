//! Whose request this is part of: the header `traceparent` of W3C Trace Context.
//!
//! <https://www.w3.org/TR/trace-context/#traceparent-header>: `VERSION-TRACE-PARENT-FLAGS` in
//! lower-case hex. It is taken over into the log, and into spans where these are sent, and decides
//! nothing else; one that is not valid is passed over, as the specification wants it.

/// The header's name.
pub(crate) const HEADER: &str = "traceparent";

/// A trace, and the span of the caller in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    trace_id: [u8; 32],
    parent_id: [u8; 16],
    is_sampled: bool,
}

impl Trace {
    /// Reads a header.
    pub(crate) fn read(text: &str) -> Option<Trace> {
        let mut parts = text.split('-');
        let version = hex::<2>(parts.next()?)?;
        let (trace_id, parent_id) = (hex::<32>(parts.next()?)?, hex::<16>(parts.next()?)?);
        let flags = hex::<2>(parts.next()?)?;
        // Later versions may add parts; version ff is none.
        let is_known = match &version {
            b"00" => parts.next().is_none(),
            version => version != b"ff",
        };
        let is_named = trace_id != [b'0'; 32] && parent_id != [b'0'; 16];
        // The lowest bit of the flags.
        let is_sampled = !matches!(flags[1], b'0' | b'2' | b'4' | b'6' | b'8' | b'a' | b'c' | b'e');
        (is_known && is_named).then_some(Trace { trace_id, parent_id, is_sampled })
    }

    /// The trace, as 32 hex digits.
    pub(crate) fn trace_id(&self) -> &str {
        std::str::from_utf8(&self.trace_id).unwrap_or_default()
    }

    /// Whether the caller may have recorded it.
    pub(crate) fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// The span of the caller, as 16 hex digits.
    pub(crate) fn parent_id(&self) -> &str {
        std::str::from_utf8(&self.parent_id).unwrap_or_default()
    }
}

/// So many lower-case hex digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: [u8; N] = text.as_bytes().try_into().ok()?;
    digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn a_header_is_read_as_the_specification_says() {
        let zeros = "0".repeat(32);
        for (text, is_valid) in [
            (format!("00-{TRACE}-{PARENT}-01"), true),
            (format!("01-{TRACE}-{PARENT}-01-later"), true),
            (format!("00-{TRACE}-{PARENT}-01-later"), false),
            (format!("ff-{TRACE}-{PARENT}-01"), false),
            (format!("00-{zeros}-{PARENT}-01"), false),
            (format!("00-{TRACE}-{}-01", &zeros[..16]), false),
            (format!("00-{}-{PARENT}-01", TRACE.to_uppercase()), false),
            (format!("00-{TRACE}-{PARENT}"), false),
            (format!("00-{TRACE}-{PARENT}-1"), false),
            (format!("00-{TRACE}0-{PARENT}-01"), false),
            (String::new(), false),
        ] {
            let read = Trace::read(&text);
            assert_eq!(read.is_some(), is_valid, "{text}");
            assert!(read.is_none_or(|t| (t.trace_id(), t.parent_id()) == (TRACE, PARENT)));
        }
    }

    #[test]
    fn whether_it_is_recorded_is_the_lowest_bit_of_the_flags() {
        for (flags, is_sampled) in [("00", false), ("01", true), ("02", false), ("ff", true)] {
            let trace = Trace::read(&format!("00-{TRACE}-{PARENT}-{flags}")).unwrap();
            assert_eq!(trace.is_sampled(), is_sampled, "{flags}");
        }
    }
}
