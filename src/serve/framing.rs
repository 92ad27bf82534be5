//! Where requests begin and end in the bytes of a connection, and whether that can be doubted.
//!
//! hyper reads what is nearly HTTP: lines that end in a bare LF, a length beside chunks, no Host
//! or two of them. Each of these is read differently by some proxy, which is how requests are
//! smuggled past it. So the bytes are looked at on their way to hyper, which never sees the end of
//! a head that is refused here. Rules of RFC 9112: §2.2 (line ends), §3.2 (Host), §5.1 and §5.2
//! (no space before the colon, no folded lines), §6.3 (length and encoding), §7.1 (chunks). Knows
//! neither sockets nor time, and keeps nothing but the line that it is in.

use std::mem;

/// The longest line before a chunk: its size and any extension, which nobody uses.
const MAX_CHUNK_LINE: usize = 64;

/// What is wrong with a request as a message, before anybody asks what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A line that does not end in CR LF.
    LineEnd,
    /// A request line that is not `METHOD TARGET HTTP/1.1`.
    RequestLine,
    /// A version other than 1.0 and 1.1.
    Version,
    /// A header that is not `name: value`.
    Header,
    /// No Host, or more than one.
    Host,
    /// More than one length, or one that is no number.
    Length,
    /// A length and an encoding.
    LengthAndEncoding,
    /// An encoding other than `chunked`.
    Encoding,
    /// A chunk that is not as long as it says.
    Chunk,
    /// A head above the limit in bytes.
    HeadBytes,
    /// A head above the limit in headers.
    HeadLines,
    /// A head that did not arrive in time.
    Slow,
}

/// What a connection is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between two requests.
    Idle,
    /// In the head of a request.
    Head,
    /// In the body of a request.
    Body,
}

/// A fault, and how many of the bytes last fed came before the line that has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) fault: Fault,
    pub(crate) whole: usize,
}

/// The place in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Header,
    Data(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
}

/// What was seen of a head.
#[derive(Default)]
struct Head {
    bytes: usize,
    lines: usize,
    is_1_0: bool,
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
}

/// Follows the bytes of a connection.
pub(crate) struct Framing {
    max_bytes: usize,
    max_lines: usize,
    at: At,
    head: Head,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// An empty line came before a request, where one is passed over.
    has_blank: bool,
    /// How many heads were complete.
    pub(crate) heads: u64,
}

impl Framing {
    /// At the beginning of a connection, with the largest head in bytes and in headers.
    pub(crate) fn new(max_bytes: usize, max_lines: usize) -> Framing {
        let (at, head, line) = (At::Start, Head::default(), Vec::new());
        Framing { max_bytes, max_lines, at, head, line, has_blank: false, heads: 0 }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.at {
            At::Start if self.line.is_empty() => Phase::Idle,
            At::Start | At::Header => Phase::Head,
            _ => Phase::Body,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The first fault. What follows it has no meaning, and nothing may be fed any more.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.at {
                At::Data(left) | At::ChunkData(left) => Ok(self.skip(left, rest.len())),
                _ => self.read_line(rest),
            };
            let whole = bytes.len() - rest.len();
            rest = &rest[taken.map_err(|fault| Broken { fault, whole })?..];
        }
        Ok(())
    }

    /// Passes over data of a body.
    fn skip(&mut self, left: u64, len: usize) -> usize {
        let step = left.min(len as u64);
        let left = left - step;
        self.at = match self.at {
            At::ChunkData(_) if left == 0 => At::ChunkEnd,
            At::ChunkData(_) => At::ChunkData(left),
            _ if left == 0 => At::Start,
            _ => At::Data(left),
        };
        // No more than `len`.
        step as usize
    }

    /// Reads to the end of the line, or keeps what there is of it.
    fn read_line(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.check_size(bytes.len())?;
            self.line.extend_from_slice(bytes);
            return Ok(bytes.len());
        };
        self.check_size(end + 1)?;
        if self.line.is_empty() {
            self.take(&bytes[..=end])?;
        } else {
            self.line.extend_from_slice(&bytes[..=end]);
            let mut line = mem::take(&mut self.line);
            let taken = self.take(&line);
            line.clear();
            self.line = line;
            taken?;
        }
        Ok(end + 1)
    }

    /// Bounds what a line may come to with this many bytes more.
    fn check_size(&self, more: usize) -> Result<(), Fault> {
        let len = self.line.len() + more;
        match self.at {
            At::ChunkSize | At::ChunkEnd if len > MAX_CHUNK_LINE => Err(Fault::Chunk),
            At::Start if len > self.max_bytes => Err(Fault::HeadBytes),
            At::Header | At::Trailer if self.head.bytes + len > self.max_bytes => {
                Err(Fault::HeadBytes)
            }
            _ => Ok(()),
        }
    }

    /// Takes a line with its end.
    fn take(&mut self, line: &[u8]) -> Result<(), Fault> {
        let text = line.strip_suffix(b"\r\n").ok_or(Fault::LineEnd)?;
        // The lines between chunks are no part of a head: a body may have any number of them.
        let is_between = matches!(self.at, At::ChunkSize | At::ChunkEnd);
        self.at = match self.at {
            At::Start if text.is_empty() && !self.has_blank => {
                self.has_blank = true;
                At::Start
            }
            At::Start => self.request_line(text)?,
            At::Header if text.is_empty() => self.end_of_head()?,
            At::Header => self.header(text)?,
            At::ChunkSize => chunk_size(text)?,
            At::ChunkEnd if text.is_empty() => At::ChunkSize,
            At::ChunkEnd => return Err(Fault::Chunk),
            At::Trailer if text.is_empty() => At::Start,
            at => at,
        };
        if !is_between {
            self.head.bytes += line.len();
        }
        Ok(())
    }

    fn request_line(&mut self, text: &[u8]) -> Result<At, Fault> {
        self.head = Head::default();
        self.has_blank = false;
        let mut parts = text.split(|byte| *byte == b' ');
        let (method, target, version) = (parts.next(), parts.next(), parts.next());
        let is_method = method.is_some_and(is_token);
        let is_target = target.is_some_and(|t| !t.is_empty() && t.iter().all(u8::is_ascii_graphic));
        if !is_method || !is_target || parts.next().is_some() {
            return Err(Fault::RequestLine);
        }
        match version {
            Some(b"HTTP/1.1") => {}
            Some(b"HTTP/1.0") => self.head.is_1_0 = true,
            Some(other) if other.starts_with(b"HTTP/") => return Err(Fault::Version),
            _ => return Err(Fault::RequestLine),
        }
        Ok(At::Header)
    }

    fn header(&mut self, text: &[u8]) -> Result<At, Fault> {
        self.head.lines += 1;
        if self.head.lines > self.max_lines {
            return Err(Fault::HeadLines);
        }
        let colon = text.iter().position(|byte| *byte == b':').ok_or(Fault::Header)?;
        let (name, value) = (&text[..colon], text[colon + 1..].trim_ascii());
        let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
        if !is_token(name) || value.iter().any(is_control) {
            return Err(Fault::Header);
        }
        if name.eq_ignore_ascii_case(b"host") {
            self.head.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value, 10, 18).ok_or(Fault::Length)?;
            if self.head.length.replace(length).is_some() {
                return Err(Fault::Length);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_chunked = value.eq_ignore_ascii_case(b"chunked");
            if !is_chunked || self.head.is_chunked || self.head.is_1_0 {
                return Err(Fault::Encoding);
            }
            self.head.is_chunked = true;
        }
        Ok(At::Header)
    }

    fn end_of_head(&mut self) -> Result<At, Fault> {
        let Head { hosts, length, is_chunked, is_1_0, .. } = self.head;
        if hosts > 1 || (hosts == 0 && !is_1_0) {
            return Err(Fault::Host);
        }
        let next = match (length, is_chunked) {
            (Some(_), true) => return Err(Fault::LengthAndEncoding),
            (None, true) => At::ChunkSize,
            (None | Some(0), false) => At::Start,
            (Some(length), false) => At::Data(length),
        };
        self.heads += 1;
        Ok(next)
    }
}

fn chunk_size(text: &[u8]) -> Result<At, Fault> {
    let digits = text.split(|byte| *byte == b';').next().unwrap_or_default();
    match number(digits.trim_ascii_end(), 16, 15) {
        Some(0) => Ok(At::Trailer),
        Some(size) => Ok(At::ChunkData(size)),
        None => Err(Fault::Chunk),
    }
}

/// A number of nothing but digits, and not too many of them.
fn number(text: &[u8], radix: u32, max_digits: usize) -> Option<u64> {
    let is_number = text.iter().all(|byte| char::from(*byte).is_digit(radix));
    if !is_number || text.len() > max_digits {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok()
}

/// Whether it is a token of RFC 9110 §5.6.2.
fn is_token(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    const CHUNKS: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                          3;x=y\r\nab\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";

    fn framing() -> Framing {
        Framing::new(1000, 10)
    }

    fn fault(text: &str) -> Option<Fault> {
        framing().feed(text.as_bytes()).err().map(|broken| broken.fault)
    }

    /// The fault of a request with these headers after its first line.
    fn fault_of(headers: &str) -> Option<Fault> {
        fault(&format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n"))
    }

    #[test]
    fn a_body_may_have_any_number_of_chunks() {
        let mut framing = framing();
        framing.feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for _ in 0..1000 {
            framing.feed(b"3\r\nabc\r\n").unwrap();
        }
        framing.feed(b"0\r\nTrailer: x\r\n\r\n").unwrap();
        assert_eq!(framing.phase(), Phase::Idle);
        // Trailers belong to the head.
        framing.feed(CHUNKS.trim_end().as_bytes()).unwrap();
        let long = format!("Long: {}\r\n", "x".repeat(1000));
        assert_eq!(framing.feed(long.as_bytes()).unwrap_err().fault, Fault::HeadBytes);
    }

    #[test]
    fn messages_end_where_they_say() {
        let mut framing = framing();
        for (text, heads) in [(GET, 1), (POST, 2), (CHUNKS, 3), (GET, 4)] {
            framing.feed(text.as_bytes()).unwrap();
            assert_eq!((framing.phase(), framing.heads), (Phase::Idle, heads), "{text}");
        }
        framing.feed(b"G").unwrap();
        assert_eq!(framing.phase(), Phase::Head);
        framing.feed(POST[1..].replacen("OST", "ET", 1).trim_end_matches('c').as_bytes()).unwrap();
        assert_eq!(framing.phase(), Phase::Body);
    }

    #[test]
    fn a_head_that_can_be_read_in_two_ways_is_refused() {
        for (headers, expected) in [
            (
                "Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
                Fault::LengthAndEncoding,
            ),
            (
                "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
                Fault::LengthAndEncoding,
            ),
            ("Host: a\r\nContent-Length: 3\r\nContent-Length: 3", Fault::Length),
            ("Host: a\r\nContent-Length: +3", Fault::Length),
            ("Host: a\r\nContent-Length: 3, 3", Fault::Length),
            ("Host: a\r\nContent-Length:", Fault::Length),
            ("Host: a\r\nContent-Length: 9999999999999999999", Fault::Length),
            ("Host: a\r\nTransfer-Encoding: gzip, chunked", Fault::Encoding),
            ("Host: a\r\nTransfer-Encoding: xchunked", Fault::Encoding),
            ("Accept: a", Fault::Host),
            ("Host: a\r\nHOST: a", Fault::Host),
            ("Host: a\r\nA: b\n", Fault::LineEnd),
            ("Host: a\r\n folded: b", Fault::Header),
            ("Host : a", Fault::Header),
            ("Host: a\r\nno colon", Fault::Header),
            ("Host: a\r\nA: b\rc", Fault::Header),
            ("Host: a\r\nA: b\0c", Fault::Header),
        ] {
            assert_eq!(fault_of(headers), Some(expected), "{headers:?}");
        }
        assert_eq!(fault_of("Host: a\r\nContent-Length: 0"), None);
        assert_eq!(fault("GET / HTTP/1.0\r\n\r\n"), None, "1.0 knows no Host");
        let chunked = "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(fault(chunked), Some(Fault::Encoding));
    }

    #[test]
    fn a_first_line_is_a_method_a_target_and_a_version() {
        for (line, expected) in [
            ("GET /\r\n", Fault::RequestLine),
            ("GET  / HTTP/1.1\r\n", Fault::RequestLine),
            ("G=T / HTTP/1.1\r\n", Fault::RequestLine),
            ("GET /é HTTP/1.1\r\n", Fault::RequestLine),
            ("GET / HTTP/1.1 \r\n", Fault::RequestLine),
            ("GET / HTTP/1.1\n", Fault::LineEnd),
            ("\r\n\r\n", Fault::RequestLine),
            ("PRI * HTTP/2.0\r\n", Fault::Version),
        ] {
            assert_eq!(fault(line), Some(expected), "{line:?}");
        }
    }

    #[test]
    fn a_head_is_bounded_also_while_a_line_goes_on() {
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(1000));
        assert_eq!(fault(&long), Some(Fault::HeadBytes));
        assert_eq!(fault_of(&format!("Host: {}", "a".repeat(1000))), Some(Fault::HeadBytes));
        assert_eq!(fault_of(&["A: b"; 11].join("\r\n")), Some(Fault::HeadLines));
        let mut framing = framing();
        let ended = (0..2000).find(|_| framing.feed(b"a").is_err());
        assert_eq!(ended, Some(1000));
    }

    #[test]
    fn a_chunk_is_as_long_as_it_says() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for chunks in ["x\r\n", "-1\r\n", "1\nab", "2\r\nabc\r\n", "\r\n", &"0".repeat(65)] {
            assert!(fault(&format!("{head}{chunks}")).is_some(), "{chunks:?}");
        }
        let trailers = format!("{head}0\r\n{}", "A: b\r\n".repeat(200));
        assert_eq!(fault(&trailers), Some(Fault::HeadBytes));
    }

    #[test]
    fn a_fault_is_told_with_what_came_before_its_line() {
        let text = format!("{GET}GET / HTTP/1.1\r\nHost: a\n");
        let broken = framing().feed(text.as_bytes()).unwrap_err();
        let whole = text.len() - "Host: a\n".len();
        assert_eq!(broken, Broken { fault: Fault::LineEnd, whole });
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(
            cuts in proptest::collection::vec(1_usize..20, 1..40),
            index in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = [GET, POST, CHUNKS, POST].concat().into_bytes();
            let at = index.index(bytes.len());
            bytes[at] = byte;
            let mut whole = framing();
            let expected = whole.feed(&bytes).err().map(|broken| broken.fault);
            let mut pieces = framing();
            let mut rest = &bytes[..];
            let mut found = None;
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at(rest.len().min(*cut));
                rest = later;
                found = pieces.feed(now).err().map(|broken| broken.fault);
                if found.is_some() || rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, expected);
            if found.is_none() {
                prop_assert_eq!(pieces.phase(), whole.phase());
                prop_assert_eq!(pieces.heads, whole.heads);
            }
        }
    }
}
