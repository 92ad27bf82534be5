//! Clients in a closed loop: each has a connection of its own and asks as soon as it is answered.
//!
//! Sockets that block and requests that were written down before: a client costs a few
//! microseconds, which come out of the same processors, but not out of the server's account.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// What clients send, again and again.
pub(crate) struct Requests {
    /// Whole requests, taken in turn.
    pub(crate) texts: Vec<Vec<u8>>,
    /// The status that each of them gets.
    pub(crate) status: u16,
}

/// How long answers took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// Seconds of each answer, in no order.
    pub(crate) seconds: Vec<f32>,
    /// From the first request to the last answer.
    pub(crate) elapsed: f64,
}

/// Writes a request down.
pub(crate) fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Asks for some time.
///
/// # Errors
/// A connection that breaks, and an answer with another status than was expected.
pub(crate) fn ask(
    address: SocketAddr,
    requests: &Requests,
    n_connections: usize,
    time: Duration,
) -> anyhow::Result<Answers> {
    let began = Instant::now();
    let clients: Vec<_> = thread::scope(|scope| {
        let client = |n| scope.spawn(move || client(address, requests, n, began, time));
        let clients: Vec<_> = (0..n_connections).map(client).collect();
        clients.into_iter().map(|client| client.join().ok()).collect()
    });
    let mut seconds = Vec::new();
    for client in clients {
        seconds.extend(client.context("a client panicked")??);
    }
    Ok(Answers { seconds, elapsed: began.elapsed().as_secs_f64() })
}

fn client(
    address: SocketAddr,
    requests: &Requests,
    n: usize,
    began: Instant,
    time: Duration,
) -> anyhow::Result<Vec<f32>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut body = Vec::new();
    let mut seconds = Vec::new();
    // Each begins elsewhere, so that not all ask the same.
    for text in requests.texts.iter().cycle().skip(7 * n) {
        if began.elapsed() >= time {
            break;
        }
        let asked = Instant::now();
        stream.write_all(text)?;
        let status = answer(&mut reader, &mut body)?;
        seconds.push(asked.elapsed().as_secs_f32());
        let told = || String::from_utf8_lossy(&body).chars().take(300).collect::<String>();
        ensure!(status == requests.status, "answered {status}: {}", told());
    }
    Ok(seconds)
}

/// Reads an answer whose length is told, or that comes in chunks.
fn answer(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> anyhow::Result<u16> {
    body.clear();
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.context("the connection was closed")?;
    let (mut length, mut is_chunked) = (0, false);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
        is_chunked |= name.eq_ignore_ascii_case("transfer-encoding");
    }
    if !is_chunked {
        body.resize(length, 0);
        reader.read_exact(body)?;
        return Ok(status);
    }
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let n_bytes = usize::from_str_radix(line.trim(), 16)?;
        let old = body.len();
        // With the end of the line behind each chunk.
        body.resize(old + n_bytes + 2, 0);
        reader.read_exact(&mut body[old..])?;
        body.truncate(old + n_bytes);
        if n_bytes == 0 {
            return Ok(status);
        }
    }
}
