//! Tables in files: CSV, Parquet and Arrow are read, compressed or in parts, Parquet is written.
//!
//! The only place that knows polars: it parses and writes, and everything it would guess (types,
//! short rows, doubled names) is decided by `csv`, `infer` and `typed` before or after it. What is
//! written is the same bytes for the same table: no compression, no statistics, one thread.

mod bounded;
mod compressed;
mod groups;
mod parts;
mod typed;

use std::fs;
use std::io::{BufWriter, Cursor, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use polars::prelude::{
    ArrowSchema, Column as Series, CsvReadOptions, DataFrame, DataType, Field, IpcReader,
    ParquetCompression, ParquetReader, ParquetWriter, Schema as Fields, SerReader,
    StatisticsOptions,
};
use rayon::prelude::*;

use super::table::{Column, Table};
use super::{csv, infer};

pub use bounded::{Unusable, read_bounded};
pub use groups::Groups;

const PARQUET_MAGIC: &[u8] = b"PAR1";
const ARROW_MAGIC: &[u8] = b"ARROW1";
/// The mark of a message that is preceded by no file header.
const ARROW_STREAM_MAGIC: &[u8] = &[0xff; 4];
const FEATHER_1_MAGIC: &[u8] = b"FEA1";

/// Rows per row group of a file that is written.
const ROW_GROUP_ROWS: usize = 1 << 18;

/// Reads a table: `.csv`, `.tsv`, `.parquet` and Arrow (`.arrow`, `.ipc`, `.feather`) by their
/// names, other files by their first bytes; gzip and zstd by their first bytes, whatever the name.
/// A directory is one table in parts, in the order of their paths. It has at least one column and
/// one row.
///
/// # Errors
/// When the file cannot be read or is no table: the file's name without its directory, with the
/// line, row or column that is wrong.
pub fn read(path: &Path) -> anyhow::Result<Table> {
    let name = path.file_name().map_or_else(|| "table".into(), |name| name.to_string_lossy());
    let is_pattern = !path.exists() && name.contains('*');
    ensure!(!is_pattern, "{name} is a pattern: name the directory that holds the parts");
    let table = match path.is_dir() {
        true => parts::read(path),
        false => parse(path).and_then(|part| join(vec![part])),
    };
    table.map_err(|error| error.context(name.into_owned()))
}

/// A file as it was parsed: texts have no types yet, because those follow from all rows of all
/// parts.
enum Part {
    Texts { names: Vec<String>, frame: DataFrame },
    Typed(Table),
}

fn parse(path: &Path) -> anyhow::Result<Part> {
    let bytes = compressed::opened(fs::read(path).context("cannot read the file")?)?;
    match Format::of(path) {
        Some(Format::Csv(separator)) => parse_csv(bytes, separator),
        Some(Format::Parquet) => parse_parquet(bytes),
        Some(Format::Arrow) => parse_arrow(bytes),
        None if bytes.starts_with(PARQUET_MAGIC) => parse_parquet(bytes),
        None if bytes.starts_with(ARROW_MAGIC) || bytes.starts_with(ARROW_STREAM_MAGIC) => {
            parse_arrow(bytes)
        }
        None => parse_csv(bytes, b','),
    }
}

/// How a table is written, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Texts with this between them.
    Csv(u8),
    Parquet,
    Arrow,
}

impl Format {
    /// By the last extension of a file's name that is none of compression, in any case.
    fn of(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Format::Csv(b',')),
            "tsv" => Some(Format::Csv(b'\t')),
            "parquet" => Some(Format::Parquet),
            "arrow" | "ipc" | "feather" => Some(Format::Arrow),
            _ => None,
        }
    }
}

/// One table of all rows of parts that have the same columns and are all texts or all typed.
fn join(parts: Vec<Part>) -> anyhow::Result<Table> {
    let mut names: Vec<String> = Vec::new();
    let mut texts: Vec<DataFrame> = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    for part in parts {
        match part {
            Part::Texts { names: own, frame } => {
                names = own;
                texts.push(frame);
            }
            Part::Typed(table) => tables.push(table),
        }
    }
    match (texts.len(), tables.len()) {
        (0, 1) => Ok(tables.remove(0)),
        (0, _) => parts::stacked(&tables),
        (_, 0) => inferred(names, texts),
        _ => bail!("some parts are CSV and others have types: keep one of the two"),
    }
}

/// The table of texts whose types follow from all of them. The texts of a column are let go once
/// it has its values.
fn inferred(names: Vec<String>, parts: Vec<DataFrame>) -> anyhow::Result<Table> {
    let mut columns: Vec<Vec<Series>> = names.iter().map(|_| Vec::new()).collect();
    for frame in parts {
        columns.iter_mut().zip(frame.into_columns()).for_each(|(parts, part)| parts.push(part));
    }
    let column = |(name, parts): (String, Vec<Series>)| -> anyhow::Result<Column> {
        let mut texts = Vec::with_capacity(parts.iter().map(Series::len).sum());
        for part in &parts {
            texts.extend(part.str()?.iter());
        }
        Ok(Column::new(name, infer::values(&texts)))
    };
    let columns: Vec<anyhow::Result<Column>> =
        names.into_par_iter().zip(columns).map(column).collect();
    Ok(Table::new(columns.into_iter().collect::<anyhow::Result<_>>()?)?)
}

/// Writes the rows at these indices of a table, in this order, as Parquet: truth values, texts and
/// numbers as they are, missing as null. No more rows than a row group are held beside the table.
///
/// # Errors
/// What writing the file gives.
///
/// # Panics
/// When an index is not below `table.rows()`.
pub fn write_parquet(path: &Path, table: &Table, rows: &[usize]) -> anyhow::Result<()> {
    let frame = |rows: &[usize]| {
        let columns = table.take(rows).columns().iter().map(typed::series).collect();
        DataFrame::new(rows.len(), columns)
    };
    let mut file = BufWriter::new(fs::File::create(path)?);
    let mut writer = ParquetWriter::new(&mut file)
        .with_compression(ParquetCompression::Uncompressed)
        .with_statistics(StatisticsOptions::empty())
        .set_parallel(false)
        .batched(frame(&[])?.schema())?;
    for group in rows.chunks(ROW_GROUP_ROWS) {
        writer.write_batch(&frame(group)?)?;
    }
    writer.finish()?;
    drop(writer);
    file.flush()?;
    Ok(())
}

fn parse_csv(mut bytes: Vec<u8>, separator: u8) -> anyhow::Result<Part> {
    let shape = csv::scan(&bytes, separator)?;
    bytes.truncate(shape.end);
    // The names are known. What stands in their place must look like nothing else: polars takes a
    // file that starts with `x^` for a compressed one.
    shape.header.iter().cloned().for_each(|span| bytes[span].fill(b'c'));
    let fields =
        (0..shape.names.len()).map(|at| Field::new(at.to_string().into(), DataType::String));
    let frame = CsvReadOptions::default()
        .with_has_header(true)
        .with_schema(Some(Fields::from_iter(fields).into()))
        .with_infer_schema_length(Some(0))
        .with_rechunk(false)
        .map_parse_options(|options| options.with_separator(separator).with_quote_char(Some(b'"')))
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()?;
    // What was checked must be what was read.
    ensure!(
        frame.height() == shape.rows && frame.width() == shape.names.len(),
        "{} rows of {} columns were read where {} of {} were found: quote every text",
        frame.height(),
        frame.width(),
        shape.rows,
        shape.names.len()
    );
    Ok(Part::Texts { names: shape.names, frame })
}

/// A Parquet file.
fn parse_parquet(bytes: Vec<u8>) -> anyhow::Result<Part> {
    ensure!(bytes.starts_with(PARQUET_MAGIC), "not a Parquet file: its first bytes are not `PAR1`");
    whole("Parquet", || {
        let (frame, schema) = frame_of(bytes)?;
        typed::table(frame, &schema)
    })
}

/// The columns of a Parquet file as they are in it, if all of them have types that are taken.
fn frame_of(bytes: Vec<u8>) -> anyhow::Result<(DataFrame, Arc<ArrowSchema>)> {
    let mut reader = ParquetReader::new(Cursor::new(bytes)).set_rechunk(false);
    let schema = reader.schema().map_err(|error| damaged("Parquet", error))?;
    typed::check(&schema)?;
    let frame = reader.finish().map_err(|error| damaged("Parquet", error))?;
    ensure!(frame.width() > 0, "there is no column");
    Ok((frame, schema))
}

/// A file of Arrow's IPC format, which is Feather since its version 2.
fn parse_arrow(bytes: Vec<u8>) -> anyhow::Result<Part> {
    let is_stream = bytes.starts_with(ARROW_STREAM_MAGIC);
    ensure!(!is_stream, "an Arrow stream: write the file format, with a footer (`new_file`)");
    let is_old = bytes.starts_with(FEATHER_1_MAGIC);
    ensure!(!is_old, "Feather of version 1: write version 2, which is Arrow's file format");
    ensure!(bytes.starts_with(ARROW_MAGIC), "not an Arrow file: its first bytes are not `ARROW1`");
    whole("Arrow", || {
        let mut reader = IpcReader::new(Cursor::new(bytes)).set_rechunk(false);
        let schema = reader.schema().map_err(|error| damaged("Arrow", error))?;
        typed::check(&schema)?;
        let frame = reader.finish().map_err(|error| match typed::dictionaries(&schema) {
            None => damaged("Arrow", error),
            Some(names) => damaged("Arrow", error).context(format!(
                "if it is whole, write {names} as texts: categories that lack a value may have \
                 keys that cannot be read, as pandas writes them"
            )),
        })?;
        typed::table(frame, &schema)
    })
}

/// What is read of a file that may be damaged: such a one makes the library panic now and then. It
/// holds nothing that outlives this. Nothing can be done about a damaged length for which there is
/// no memory: that ends the program.
fn whole(format: &str, read: impl FnOnce() -> anyhow::Result<Table>) -> anyhow::Result<Part> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(damaged(format, "it cannot be parsed")))
        .map(Part::Typed)
}

fn damaged(format: &str, error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("the {format} file is damaged or uses what is not supported here: {error}")
}

#[cfg(test)]
mod tests;
