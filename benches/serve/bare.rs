//! Servers with nothing of the product but its dependencies: warp and hyper, each with a record that
//! serde types and a dot product; and what is left of a thousand predictions without HTTP.

use std::convert::Infallible;
use std::hint::black_box;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use pipeline::ml::package::Package;
use tokio::net::TcpListener;
use warp::Filter as _;
use warp::http::{Request, Response};
use warp::hyper::body::Incoming;
use warp::hyper::server::conn::http1;
use warp::hyper::service::service_fn;

use crate::record::{Answer, Record};
use crate::server::process_seconds;

/// The word that makes this program one of the servers.
pub(crate) const WORKER: &str = "worker";

/// `warp PORT`, `hyper PORT` or `parse PACKAGE BODY`.
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match args[..] {
        ["warp", port] => runtime()?.block_on(with_warp(port.parse()?)),
        ["hyper", port] => runtime()?.block_on(with_hyper(port.parse()?)),
        ["parse", package, body] => parse(Path::new(package), Path::new(body)),
        _ => anyhow::bail!("warp PORT, hyper PORT or parse PACKAGE BODY"),
    }
}

async fn with_warp(port: u16) -> anyhow::Result<()> {
    let one = warp::path!("predict")
        .and(warp::post())
        .and(warp::body::json())
        .map(|record: Record| warp::reply::json(&record.answer()));
    let many = warp::path!("thousand").and(warp::post()).and(warp::body::json()).map(
        |records: Vec<Record>| {
            let answers: Vec<Answer> = records.iter().map(Record::answer).collect();
            warp::reply::json(&answers)
        },
    );
    let ready = warp::path!("ready").map(|| "ready");
    warp::serve(one.or(many).or(ready)).run(([127, 0, 0, 1], port)).await;
    Ok(())
}

async fn with_hyper(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let served =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            // A client that goes away is none of its business.
            let _ = served.await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = whole(request.into_body()).await;
    let text = match path.as_str() {
        "/predict" => serde_json::from_slice(&body).map(|record: Record| json(&record.answer())),
        "/thousand" => serde_json::from_slice(&body).map(|records: Vec<Record>| {
            json(&records.iter().map(Record::answer).collect::<Vec<_>>())
        }),
        _ => Ok("ready".to_owned()),
    };
    let (status, text) = text.map_or_else(|error| (400, error.to_string()), |text| (200, text));
    let mut response = Response::new(text);
    *response.status_mut() = warp::http::StatusCode::from_u16(status).unwrap_or_default();
    Ok(response)
}

fn json(answer: &impl serde::Serialize) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}

async fn whole(mut body: Incoming) -> Vec<u8> {
    use std::future::poll_fn;
    use std::pin::Pin;
    use warp::hyper::body::Body as _;
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    bytes
}

/// How often a body is parsed and its rows scored.
const TIMES: u32 = 300;

/// Prints the processor seconds that it takes to parse a body, to score its rows and to write the
/// answers, without HTTP and without any check but serde's.
fn parse(package: &Path, body: &Path) -> anyhow::Result<()> {
    let package = Package::load(package)?;
    let body = std::fs::read(body).context("no body")?;
    let before = process_seconds()?;
    for _ in 0..TIMES {
        let records: Vec<Record> = serde_json::from_slice(&body)?;
        for record in &records {
            black_box(package.predict(&record.cells()));
        }
    }
    let each = (process_seconds()? - before) / f64::from(TIMES);
    Ok(writeln!(std::io::stdout(), "{each}")?)
}
