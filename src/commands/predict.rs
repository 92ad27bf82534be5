//! `pipeline predict FILE`: what the service would answer to every record of a file.
//!
//! CSV and JSON lines are read as they come, in a bounded memory. Parquet, Arrow and compressed
//! files are read as a table first, and each of its rows becomes a record.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use anyhow::Context;
use engine::error::ExitCode;

use super::ended;
use super::replay;
use super::serve::{Chosen, checked, chosen, lay, unservable};
use crate::cli::{Global, Predict as Args, Records as Written};
use crate::ml::package::Package;
use crate::ml::records::Records;
use crate::ml::table_file;
use crate::serve::{self, Failed, Format, Wanted};
use crate::terminal::Terminal;

pub(super) fn predict(
    global: &Global,
    args: &Args,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let Some(file) = &args.file else { return replay::replay(global, args, terminal) };
    let Chosen { mut values, dir, .. } = chosen(global, &args.which)?;
    lay(&args.policy, &mut values);
    let params = checked(values)?;
    let package = Package::load(&dir).map_err(|error| unservable(&dir, &error))?;
    let (input, mut reader) = opened(file, args.input.map(format))?;
    let output = args.output.map_or(input, format);
    if args.explain && output == Format::Csv {
        let message = "CSV cannot hold explanations\nhint: `--output jsonl` can";
        return Err(ended(ExitCode::Usage, message));
    }
    let max_record_bytes = usize::try_from(params.max_body_bytes)?;
    let wanted = Wanted { input, output, explain: args.explain, max_record_bytes };
    let mut results = Results(terminal);
    let ended_as = serve::predict(&package, params.policy(), wanted, &mut *reader, &mut results);
    let counts = match ended_as {
        Ok(counts) => counts,
        // As for every verb: a reader that goes away has what it wanted.
        Err(Failed::Io(error)) if error.kind() == ErrorKind::BrokenPipe => {
            return Ok(ExitCode::Ok);
        }
        Err(Failed::Io(error)) => {
            return Err(error).with_context(|| format!("cannot predict `{}`", file.display()));
        }
        Err(Failed::Header(sentences)) => {
            let name = file.display();
            let hint = "`--extra ignore` passes over fields that the model does not know";
            let message = format!("`{name}`: {}\nhint: {hint}", sentences.join("; "));
            return Err(ended(ExitCode::Usage, message));
        }
    };
    let version = package.version();
    let n = counts.records;
    terminal.note(&format!("predicted {} of {n} records by model {version}", n - counts.failed));
    if counts.failed > 0 {
        terminal.warning(&format!("{} records were refused; their lines say why", counts.failed));
        return Ok(ExitCode::Failed);
    }
    Ok(ExitCode::Ok)
}

fn format(written: Written) -> Format {
    match written {
        Written::Csv => Format::Csv,
        Written::Jsonl => Format::JsonLines,
    }
}

/// The records as text, and how they are written.
fn opened(path: &Path, given: Option<Format>) -> anyhow::Result<(Format, Box<dyn Read>)> {
    if path == Path::new("-") {
        return Ok((given.unwrap_or(Format::Csv), Box::new(io::stdin().lock())));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let by_name = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv") => Some(Format::Csv),
        Some("jsonl" | "ndjson") => Some(Format::JsonLines),
        _ => None,
    };
    if !path.exists() {
        let message = format!("`{}` is not there", path.display());
        return Err(ended(ExitCode::Missing, message));
    }
    if let Some(format) = given.or(by_name) {
        let file = File::open(path);
        let file = file.with_context(|| format!("cannot read `{}`", path.display()))?;
        return Ok((format, Box::new(file)));
    }
    let table = table_file::read(path);
    let table = table.map_err(|error| ended(ExitCode::Usage, format!("{error:#}")))?;
    Ok((Format::JsonLines, Box::new(Records::new(table))))
}

/// Where predictions go.
pub(super) struct Results<'t>(pub(super) &'t Terminal);

impl Write for Results<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.results(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
