//! Tables in files: CSV and Parquet are read, compressed or in parts, Parquet is written.
//!
//! The only place that knows polars: it parses and writes, and everything it would guess (types,
//! short rows, doubled names) is decided by `csv` and `infer` before or after it. What is written
//! is the same bytes for the same table: no compression, no statistics, one thread.

mod bounded;
mod compressed;
mod groups;
mod parts;

use std::fs;
use std::io::{BufWriter, Cursor, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use polars::prelude::{
    ArrowDataType, Column as Series, CsvReadOptions, DataFrame, DataType, Field,
    ParquetCompression, ParquetReader, ParquetWriter, Schema as Fields, SerReader,
    StatisticsOptions,
};
use rayon::prelude::*;

use super::table::{Column, Table, Values};
use super::{csv, infer};

pub use bounded::{Unusable, read_bounded};
pub use groups::Groups;

const PARQUET_MAGIC: &[u8] = b"PAR1";

/// Rows per row group of a file that is written.
const ROW_GROUP_ROWS: usize = 1 << 18;

/// Reads a table: `.csv`, `.tsv` and `.parquet` by their names, other files by their first bytes;
/// gzip and zstd by their first bytes, whatever the name. A directory is one table in parts, in the
/// order of their paths. It has at least one column and one row.
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
    match format(path).as_deref() {
        Some("csv") => parse_csv(bytes, b','),
        Some("tsv") => parse_csv(bytes, b'\t'),
        Some("parquet") => parse_parquet(bytes),
        _ if bytes.starts_with(PARQUET_MAGIC) => parse_parquet(bytes),
        _ => parse_csv(bytes, b','),
    }
}

/// The last extension of a file's name that is none of compression, in lower case.
fn format(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    name.rsplit_once('.').map(|(_, extension)| extension.to_owned())
}

/// One table of all rows of parts that have the same columns and are all texts or all typed.
fn join(parts: Vec<Part>) -> anyhow::Result<Table> {
    let mut texts: Vec<(Vec<String>, DataFrame)> = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    for part in parts {
        match part {
            Part::Texts { names, frame } => texts.push((names, frame)),
            Part::Typed(table) => tables.push(table),
        }
    }
    match (texts.as_slice(), tables.len()) {
        ([], 1) => Ok(tables.remove(0)),
        ([], _) => parts::stacked(&tables),
        (_, 0) => typed(&texts),
        _ => bail!("some parts are CSV and others Parquet: keep one of the two"),
    }
}

/// The table of texts whose types follow from all of them.
fn typed(parts: &[(Vec<String>, DataFrame)]) -> anyhow::Result<Table> {
    let names = parts.first().map(|(names, _)| names.as_slice()).unwrap_or_default();
    let column = |(at, name): (usize, &String)| -> anyhow::Result<Column> {
        let mut texts = Vec::new();
        for (_, frame) in parts {
            texts.extend(frame.columns()[at].str()?.iter());
        }
        Ok(Column::new(name, infer::values(&texts)))
    };
    let columns: Vec<anyhow::Result<Column>> = names.par_iter().enumerate().map(column).collect();
    Ok(Table::new(columns.into_iter().collect::<anyhow::Result<_>>()?)?)
}

/// Writes a table as Parquet, truth values, texts and numbers as they are, missing as null.
///
/// # Errors
/// What writing the file gives.
pub fn write_parquet(path: &Path, table: &Table) -> anyhow::Result<()> {
    let columns = table.columns().iter().map(to_series).collect();
    let mut frame = DataFrame::new(table.rows(), columns)?;
    let mut file = BufWriter::new(fs::File::create(path)?);
    ParquetWriter::new(&mut file)
        .with_compression(ParquetCompression::Uncompressed)
        .with_statistics(StatisticsOptions::empty())
        .with_row_group_size(Some(ROW_GROUP_ROWS))
        .set_parallel(false)
        .finish(&mut frame)?;
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
        .with_rechunk(true)
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

fn parse_parquet(bytes: Vec<u8>) -> anyhow::Result<Part> {
    ensure!(bytes.starts_with(PARQUET_MAGIC), "not a Parquet file: its first bytes are not `PAR1`");
    // A damaged file makes the library panic now and then; it holds nothing that outlives this.
    catch_unwind(AssertUnwindSafe(|| table_of(bytes).map(Part::Typed)))
        .unwrap_or_else(|_| Err(damaged("it cannot be parsed")))
}

fn table_of(bytes: Vec<u8>) -> anyhow::Result<Table> {
    let frame = frame_of(bytes)?;
    ensure!(frame.height() > 0, "there is no row: at least one is expected");
    let columns: Vec<anyhow::Result<Column>> =
        frame.columns().par_iter().map(from_series).collect();
    Ok(Table::new(columns.into_iter().collect::<anyhow::Result<_>>()?)?)
}

/// The columns of a file as they are in it, if all of them have types that are taken.
fn frame_of(bytes: Vec<u8>) -> anyhow::Result<DataFrame> {
    let mut reader = ParquetReader::new(Cursor::new(bytes)).set_rechunk(true);
    let schema = reader.schema().map_err(damaged)?;
    for (name, field) in schema.iter() {
        ensure!(
            is_supported(&field.dtype),
            "column `{name}` has the type {:?}: write it as boolean, a whole number of 32 or 64 \
             bits, a float or a text",
            field.dtype
        );
    }
    let frame = reader.finish().map_err(damaged)?;
    ensure!(frame.width() > 0, "there is no column");
    Ok(frame)
}

fn damaged(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("the Parquet file is damaged or uses what is not supported here: {error}")
}

fn is_supported(ty: &ArrowDataType) -> bool {
    use ArrowDataType::{
        Boolean, Float32, Float64, Int32, Int64, LargeUtf8, Null, UInt32, UInt64, Utf8, Utf8View,
    };
    matches!(
        ty,
        Boolean
            | Float32
            | Float64
            | Int32
            | Int64
            | UInt32
            | UInt64
            | Null
            | Utf8
            | LargeUtf8
            | Utf8View
    )
}

fn from_series(series: &Series) -> anyhow::Result<Column> {
    let name = series.name().as_str();
    let values = match series.dtype() {
        DataType::Boolean => Values::Boolean(series.bool()?.iter().collect()),
        DataType::String => {
            let owned =
                |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
            Values::Text(series.str()?.iter().map(owned).collect())
        }
        DataType::Float32 | DataType::Float64 => {
            let wide = series.cast(&DataType::Float64)?;
            let values = wide.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
            Values::Number(finite(name, values)?)
        }
        DataType::Int32 | DataType::Int64 | DataType::UInt32 | DataType::UInt64 => {
            let wide = series.cast(&DataType::Int64)?;
            ensure!(
                wide.null_count() == series.null_count(),
                "column `{name}` has a whole number above {}: write it as text",
                i64::MAX
            );
            Values::Integer(wide.i64()?.iter().collect())
        }
        DataType::Null => Values::Text(vec![None; series.len()]),
        other => bail!("column `{name}` has the type {other}, which is not supported"),
    };
    Ok(Column::new(name, values))
}

fn finite(name: &str, values: Vec<f64>) -> anyhow::Result<Vec<f64>> {
    match values.iter().position(|value| value.is_infinite()) {
        Some(row) => {
            bail!("column `{name}`, row {}: {} is not a finite number", row + 1, values[row])
        }
        None => Ok(values),
    }
}

fn to_series(column: &Column) -> Series {
    let name = column.name.as_str().into();
    match &column.values {
        Values::Integer(values) => Series::new(name, values),
        Values::Number(values) => {
            let or_null = |value: &f64| Some(*value).filter(|value| value.is_finite());
            Series::new(name, values.iter().map(or_null).collect::<Vec<_>>())
        }
        Values::Boolean(values) => Series::new(name, values),
        Values::Text(values) => {
            let texts: Vec<_> = values.iter().map(Option::as_deref).collect();
            Series::new(name, texts)
        }
    }
}

#[cfg(test)]
mod tests;
