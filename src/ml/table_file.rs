//! Tables in files: CSV and Parquet are read, Parquet is written.
//!
//! The only place that knows polars: it parses and writes, and everything it would guess (types,
//! short rows, doubled names) is decided by `csv` and `infer` before or after it. What is written
//! is the same bytes for the same table: no compression, no statistics, one thread.

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

const PARQUET_MAGIC: &[u8] = b"PAR1";

/// Rows per row group of a file that is written.
const ROW_GROUP_ROWS: usize = 1 << 18;

/// Reads a table: `.csv`, `.tsv` and `.parquet` by their names, other files by their first bytes.
/// It has at least one column and one row.
///
/// # Errors
/// When the file cannot be read or is no table: the file's name without its directory, with the
/// line, row or column that is wrong.
pub fn read(path: &Path) -> anyhow::Result<Table> {
    let name = path.file_name().map_or_else(|| "table".into(), |name| name.to_string_lossy());
    let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    let table = match extension.as_deref().and_then(|extension| extension.to_str()) {
        Some("csv") => read_csv(bytes, b','),
        Some("tsv") => read_csv(bytes, b'\t'),
        Some("parquet") => read_parquet(bytes),
        _ if bytes.starts_with(PARQUET_MAGIC) => read_parquet(bytes),
        _ => read_csv(bytes, b','),
    };
    table.map_err(|error| error.context(name.into_owned()))
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

fn read_csv(mut bytes: Vec<u8>, separator: u8) -> anyhow::Result<Table> {
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
    let columns: Vec<anyhow::Result<Column>> = (frame.columns().par_iter())
        .zip(&shape.names)
        .map(|(series, name)| {
            Ok(Column::new(name, infer::values(&series.str()?.iter().collect::<Vec<_>>())))
        })
        .collect();
    Ok(Table::new(columns.into_iter().collect::<anyhow::Result<_>>()?)?)
}

fn read_parquet(bytes: Vec<u8>) -> anyhow::Result<Table> {
    ensure!(bytes.starts_with(PARQUET_MAGIC), "not a Parquet file: its first bytes are not `PAR1`");
    // A damaged file makes the library panic now and then; it holds nothing that outlives this.
    catch_unwind(AssertUnwindSafe(|| parse_parquet(bytes)))
        .unwrap_or_else(|_| Err(damaged("it cannot be parsed")))
}

fn parse_parquet(bytes: Vec<u8>) -> anyhow::Result<Table> {
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
    ensure!(frame.height() > 0, "there is no row: at least one is expected");
    let columns: Vec<anyhow::Result<Column>> =
        frame.columns().par_iter().map(from_series).collect();
    Ok(Table::new(columns.into_iter().collect::<anyhow::Result<_>>()?)?)
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
mod tests {
    use super::*;
    use crate::ml::table::ColumnType;
    use proptest::prelude::*;

    fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    fn read_text(text: &str) -> anyhow::Result<Table> {
        let (_dir, path) = file("rows.csv", text.as_bytes());
        read(&path)
    }

    fn mixed() -> Table {
        read_text("id,n  x,r,t\n007,1,0.1,true\n008,,NA,false\n\"a,b\",-3,1e300,\n").unwrap()
    }

    #[test]
    fn a_csv_file_gets_its_types_from_all_rows() {
        let table = mixed();
        let types: Vec<_> = table.columns().iter().map(Column::ty).collect();
        let expected =
            [ColumnType::Text, ColumnType::Integer, ColumnType::Number, ColumnType::Boolean];
        assert_eq!(types, expected);
        assert_eq!(table.names().collect::<Vec<_>>(), ["id", "n  x", "r", "t"]);
        assert_eq!(table.columns()[0].text(2).as_deref(), Some("a,b"));
        assert_eq!(table.columns()[1].values, Values::Integer(vec![Some(1), None, Some(-3)]));
    }

    #[test]
    fn quotes_lines_and_the_bytes_of_a_compressed_file_are_only_text() {
        let table =
            read_text("x^,\"b \"\"q\"\"\"\r\n\"1\r\n2\",\"say \"\"hi\"\"\"\r\n,\"\"\r\n").unwrap();
        assert_eq!(table.names().collect::<Vec<_>>(), ["x^", "b \"q\""]);
        assert_eq!(table.columns()[0].text(0).as_deref(), Some("1\r\n2"));
        assert_eq!(table.columns()[1].text(0).as_deref(), Some("say \"hi\""));
        assert_eq!(table.columns()[1].text(1), None);
    }

    #[test]
    fn a_table_is_the_same_after_parquet_and_so_are_its_bytes() {
        let (dir, path) = file("any", b"");
        write_parquet(&path, &mixed()).unwrap();
        let again = dir.path().join("again.parquet");
        write_parquet(&again, &mixed()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
        assert_eq!(read(&path).unwrap(), mixed());
    }

    #[test]
    fn types_of_parquet_that_are_not_supported_name_their_column() {
        let (_dir, path) = file("a.parquet", b"");
        let narrow = Series::new("small".into(), [1i32, 2]);
        let wide = Series::new("large".into(), [1u64, u64::MAX]);
        let mut frame = DataFrame::new(2, vec![narrow, wide]).unwrap();
        ParquetWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
        let told = format!("{:#}", read(&path).unwrap_err());
        assert!(told.starts_with("a.parquet: column `large` has a whole number above"), "{told}");
        fs::write(&path, b"PAR1 and nothing of the kind").unwrap();
        let told = format!("{:#}", read(&path).unwrap_err());
        assert!(told.starts_with("a.parquet: the Parquet file is damaged"), "{told}");
    }

    #[test]
    fn infinite_numbers_are_refused_with_their_row() {
        let told = finite("x", vec![1.0, f64::NEG_INFINITY]).unwrap_err().to_string();
        assert_eq!(told, "column `x`, row 2: -inf is not a finite number");
    }

    #[test]
    fn a_mistake_names_the_file_and_not_its_directory() {
        let told = format!("{:#}", read_text("a,b\n1\n").unwrap_err());
        assert!(told.starts_with("rows.csv: line 2: 1 field where the header has 2"), "{told}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn texts_come_back_as_they_were_written(
            rows in proptest::collection::vec(("x[ -~\n]{0,8}", "x\\PC{0,5}"), 1..40)) {
            let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            let line = |(a, b): &(String, String)| format!("{},{}\n", quote(a), quote(b));
            let lines: Vec<_> = rows.iter().map(line).collect();
            let table = read_text(&format!("a,b\n{}", lines.concat())).unwrap();
            for (at, (a, b)) in rows.iter().enumerate() {
                prop_assert_eq!(table.columns()[0].text(at), Some(a.clone()));
                prop_assert_eq!(table.columns()[1].text(at), Some(b.clone()));
            }
        }

        #[test]
        fn any_text_is_a_table_or_an_error(text in "[\",\n\r a1.]{0,40}") {
            if let Ok(table) = read_text(&text) {
                prop_assert!(table.rows() > 0);
            }
        }
    }
}
