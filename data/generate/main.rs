//! Makes the example table: subscribers of Tunde Mobile, and who of them left.
//!
//! ```text
//! cargo run --release --example subscribers -- \
//!     --rows 9000 --seed 2026 --out data/subscribers.csv --oracle data/oracle.csv
//! ```
//!
//! Reads the arguments and streams rows: draw one, work out its true probability, draw its label,
//! write it, count it, forget it. So the memory is the same for any number of rows. Row `i`
//! depends on the seed and `i` alone: the same arguments give the same bytes on any machine, and
//! more rows only lengthen the file. Knows nothing of pipelines; the program knows nothing of it.

mod churn;
mod draw;
mod subscriber;
mod summary;
mod table;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use crate::draw::Draw;
use crate::subscriber::Subscriber;
use crate::summary::Summary;

const USAGE: &str = "\
usage: subscribers [--rows N] [--seed N] [--out FILE] [--oracle FILE]

  --rows N       how many subscribers (9000)
  --seed N       another seed, other subscribers (2026)
  --out FILE     where the table goes; - is stdout (-)
  --oracle FILE  where the true probabilities go; nowhere if not given
";

/// What was asked for.
#[derive(Debug, PartialEq)]
struct Args {
    rows: u64,
    seed: u64,
    out: String,
    oracle: Option<String>,
}

fn main() -> ExitCode {
    let args = match parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(mistake) => return tell(&format!("error: {mistake}\n\n{USAGE}"), ExitCode::from(2)),
    };
    match run(&args) {
        Ok(summary) => tell(&summary.to_string(), ExitCode::SUCCESS),
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => tell(&format!("error: {error}\n"), ExitCode::FAILURE),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args { rows: 9_000, seed: 2026, out: "-".to_owned(), oracle: None };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--rows" => args.rows = number(&value()?)?,
            "--seed" => args.seed = number(&value()?)?,
            "--out" => args.out = value()?,
            "--oracle" => args.oracle = Some(value()?),
            _ => return Err(format!("unknown argument `{word}`")),
        }
    }
    if args.oracle.as_ref() == Some(&args.out) {
        return Err("--out and --oracle name the same place".to_owned());
    }
    Ok(args)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number, found `{text}`"))
}

fn run(args: &Args) -> Result<Summary, Box<dyn Error>> {
    let mut out = open(&args.out)?;
    let mut oracle = match &args.oracle {
        Some(path) => open(path)?,
        None => Box::new(io::sink()),
    };
    Ok(write_rows(args.rows, args.seed, &mut *out, &mut *oracle)?)
}

fn open(path: &str) -> Result<Box<dyn Write>, String> {
    if path == "-" {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    }
    let file = File::create(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Streams the first `rows` rows of the table of `seed`.
fn write_rows(
    rows: u64,
    seed: u64,
    out: &mut dyn Write,
    oracle: &mut dyn Write,
) -> io::Result<Summary> {
    let mut summary = Summary::new();
    table::write_subscribers_header(out)?;
    table::write_oracle_header(oracle)?;
    for row in 0..rows {
        let (subscriber, millionths, churned) = draw_row(seed, row);
        table::write_subscriber(out, &subscriber, churned)?;
        table::write_oracle(oracle, &subscriber, millionths)?;
        summary.add(subscriber.plan, millionths, churned);
    }
    out.flush()?;
    oracle.flush()?;
    Ok(summary)
}

/// One row: the subscriber, the true probability in millionths, and the label drawn from it.
fn draw_row(seed: u64, row: u64) -> (Subscriber, u32, bool) {
    let mut draw = Draw::of_row(seed, row);
    let subscriber = Subscriber::draw(&mut draw, row);
    let millionths = churn::probability_millionths(&subscriber);
    let churned = draw.chance(f64::from(millionths) / f64::from(churn::MILLION));
    (subscriber, millionths, churned)
}

fn tell(text: &str, code: ExitCode) -> ExitCode {
    // Nothing is left to do when even stderr is closed.
    let _ = io::stderr().write_all(text.as_bytes());
    code
}

/// Whether the reader, `head` say, has seen enough.
fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let io_error = error.downcast_ref::<io::Error>();
    io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
