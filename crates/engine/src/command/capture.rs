//! What a program writes, bounded: the beginning and the end of it.

use std::collections::VecDeque;

/// How many bytes are kept at either end.
const KEPT_BYTES: usize = 512 << 10;

/// The beginning and the end of a stream.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    n_dropped: usize,
}

impl Capture {
    /// Adds what was read.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let room = KEPT_BYTES - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let n_over = self.tail.len().saturating_sub(KEPT_BYTES);
        self.tail.drain(..n_over);
        self.n_dropped += n_over;
    }

    /// All of it as text; what was left out is said in its place.
    pub(crate) fn text(mut self) -> String {
        if self.n_dropped == 0 {
            self.head.extend(self.tail);
            return String::from_utf8_lossy(&self.head).into_owned();
        }
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let tail: Vec<u8> = self.tail.into();
        let tail = String::from_utf8_lossy(&tail);
        format!("{head}\n[{} bytes are left out here]\n{tail}", self.n_dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_long_output_is_left_out() {
        let mut capture = Capture::default();
        capture.add(b"begin");
        (0..3).for_each(|_| capture.add(&vec![b'x'; KEPT_BYTES]));
        capture.add(b"end");
        let text = capture.text();
        assert!(text.starts_with("begin") && text.ends_with("end"));
        let n_dropped = KEPT_BYTES + 8;
        assert!(
            text.contains(&format!("\n[{n_dropped} bytes are left out here]\n")),
            "{n_dropped}"
        );
    }

    #[test]
    fn a_short_output_is_whole() {
        let mut capture = Capture::default();
        capture.add(&vec![b'x'; KEPT_BYTES - 1]);
        capture.add("ö\n".as_bytes());
        assert!(capture.text().ends_with("xö\n"));
    }
}
