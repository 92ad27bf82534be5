//! What uses a package: `serve` and `predict`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Access, Limits, Predictions, Shadow};

/// `pipeline serve`
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Which package.
    #[command(flatten)]
    pub which: Which,
    /// The address to listen on
    #[arg(long)]
    pub host: Option<IpAddr>,
    /// The port to listen on; 0 takes a free one
    #[arg(long)]
    pub port: Option<u16>,
    /// How strict it is.
    #[command(flatten)]
    pub policy: Policy,
    /// Make a key of this name and end: its token is told once; with `--keys` it is added to the
    /// file, else its line is told, too; with `--rate` it has a rate of its own
    #[arg(long, value_name = "NAME")]
    pub new_key: Option<String>,
    /// Who may ask.
    #[command(flatten)]
    pub access: Access,
    /// The log of predictions.
    #[command(flatten)]
    pub predictions: Predictions,
    /// What scores beside it.
    #[command(flatten)]
    pub shadow: Shadow,
    /// Parameters of the stage.
    #[command(flatten)]
    pub limits: Limits,
}

/// Which package is used.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// A package directory [default: the one that the pipeline's service stage serves]
    #[arg(long, value_name = "DIR")]
    pub package: Option<PathBuf>,
    /// The package that was promoted under this name
    #[arg(long, value_name = "NAME", conflicts_with = "package")]
    pub alias: Option<String>,
}

/// What becomes of values that training has not seen; what is not given is as the pipeline's
/// service stage says.
#[derive(Clone, Debug, Args)]
pub struct Policy {
    /// What becomes of a number beyond the range of the data
    #[arg(long, value_name = "WHAT")]
    pub range: Option<Range>,
    /// What becomes of a field that the model does not know
    #[arg(long, value_name = "WHAT")]
    pub extra: Option<Extra>,
    /// Take "24" for 24 and 1 for true, as Pydantic does by default
    #[arg(long)]
    pub lax: bool,
}

/// What becomes of a number beyond the range of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Range {
    /// It is refused.
    Reject,
    /// It is used, with a warning.
    Warn,
    /// The nearest number of the range is used, with a warning.
    Clip,
}

/// What becomes of a field that the model does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Extra {
    /// It is refused.
    Reject,
    /// It is passed over.
    Ignore,
}

/// `pipeline predict`
#[derive(Clone, Debug, Args)]
pub struct Predict {
    /// The records: CSV, JSON lines, Parquet or Arrow; `-` reads CSV or JSON lines from stdin
    #[arg(value_name = "FILE", required_unless_present = "replay", conflicts_with = "replay")]
    pub file: Option<PathBuf>,
    /// Predict again what a service has logged with its records (a directory, or files of one), and
    /// compare; `--output jsonl` writes each row with what was said and what is said now
    #[arg(long, value_name = "LOG", num_args = 1..)]
    pub replay: Vec<PathBuf>,
    /// End with 3 when a row that is predicted again has other bits, or is refused
    #[arg(long, requires = "replay")]
    pub exit_code: bool,
    /// Which package.
    #[command(flatten)]
    pub which: Which,
    /// How the records are written [default: by the file's name; CSV from stdin]
    #[arg(long, value_name = "FORMAT", conflicts_with = "replay")]
    pub input: Option<Records>,
    /// How predictions are written [default: CSV for CSV, else JSON lines]
    #[arg(long, value_name = "FORMAT")]
    pub output: Option<Records>,
    /// Also say what each field adds to a prediction; only in JSON lines
    #[arg(long, conflicts_with = "replay")]
    pub explain: bool,
    /// How strict it is.
    #[command(flatten)]
    pub policy: Policy,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Records {
    /// With a header.
    Csv,
    /// One object per line.
    Jsonl,
}
