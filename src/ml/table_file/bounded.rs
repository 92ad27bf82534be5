//! A Parquet file of a stranger: what it would become is reckoned before any of it is opened.
//!
//! A few kilobytes can stand for gigabytes: pages that are nothing but zeros, a run that repeats
//! one value a thousand million times, one long text that a million rows point at, a thousand
//! columns that are the same bytes. So the headers of all pages are read first, without their
//! contents. They, and not what the end of the file claims, say how many values the library will
//! decode and how many bytes it will make room for. Texts are counted once more before they are
//! copied. An infinite number stays one here: whoever takes the rows tells it of its own row.

use std::io::{Cursor, Seek, SeekFrom};

use anyhow::{anyhow, ensure};
use polars::prelude::{
    ArrowSchema, Column as Series, DataFrame, DataType, ParquetReader, SerReader,
};
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;
use polars_parquet_format::{Encoding, PageHeader, PageType};

use super::{PARQUET_MAGIC, frame_of, typed};
use crate::ml::table::{Column, Table, Values};

/// What a page costs beside its bytes, so that the time to read all headers is bounded, too.
const PAGE_COST: u64 = 64;

/// What a value costs: as much as the place of a text.
const VALUE_COST: u64 = 24;

/// The thread that opens a file. The program's own words about a panic leave such threads out: what
/// the library does with a damaged file is told to whoever sent it.
const THREAD: &str = "polars-bounded";

/// Why a file of a stranger is not taken.
#[derive(Debug)]
pub enum Unusable {
    /// It would be larger than what it may become.
    TooLarge,
    /// It is damaged, or uses what is not supported.
    Invalid(anyhow::Error),
}

impl From<anyhow::Error> for Unusable {
    fn from(error: anyhow::Error) -> Unusable {
        Unusable::Invalid(error)
    }
}

/// The table in the bytes of a Parquet file, which may have no rows, and infinite numbers. No more
/// than a few times `budget` bytes are held on the way to it.
///
/// # Errors
/// When the table would take more than `budget` bytes, counting 24 for each value beside those of
/// texts and of the pages; when the file is damaged or uses what is not supported.
pub fn read_bounded(bytes: Vec<u8>, budget: u64) -> Result<Table, Unusable> {
    if !bytes.starts_with(PARQUET_MAGIC) {
        return Err(anyhow!("not a Parquet file: its first bytes are not `PAR1`").into());
    }
    let open = move || {
        let mut left = Budget(budget);
        reckon(&bytes, &mut left)?;
        let (frame, schema) = frame_of(bytes)?;
        reckon_texts(&frame, budget)?;
        let columns = frame.columns().iter().map(|series| column(series, &schema));
        let columns: anyhow::Result<Vec<Column>> = columns.collect();
        Ok(Table::new(columns?).map_err(anyhow::Error::from)?)
    };
    // As for files that are trusted: nothing outlives a panic of the library.
    let thread = std::thread::Builder::new().name(THREAD.to_owned()).spawn(open);
    let thread = thread.map_err(anyhow::Error::from)?;
    thread.join().unwrap_or_else(|_| Err(damaged("it cannot be parsed").into()))
}

fn damaged(error: impl std::fmt::Display) -> anyhow::Error {
    super::damaged("Parquet", error)
}

/// How much there may still be.
struct Budget(u64);

impl Budget {
    fn spend(&mut self, cost: u64) -> Result<(), Unusable> {
        self.0 = self.0.checked_sub(cost).ok_or(Unusable::TooLarge)?;
        Ok(())
    }
}

/// Spends what all pages of a file would become.
fn reckon(bytes: &[u8], budget: &mut Budget) -> Result<(), Unusable> {
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let metadata = reader.get_metadata().map_err(damaged)?;
    for group in &metadata.row_groups {
        let rows = group.num_rows() as u64;
        for chunk in group.parquet_columns() {
            let claimed = u64::try_from(chunk.num_values()).map_err(damaged)?;
            budget.spend(rows.max(claimed).saturating_mul(VALUE_COST))?;
            ensure_one_per_row(claimed, rows)?;
            let values = pages(bytes, chunk.byte_range().start, claimed, budget)?;
            ensure_one_per_row(values, rows)?;
        }
    }
    Ok(())
}

fn ensure_one_per_row(values: u64, rows: u64) -> Result<(), Unusable> {
    if values > rows {
        return Err(damaged(format!("{values} values are in {rows} rows")).into());
    }
    Ok(())
}

/// Spends the pages of a column, as they follow each other until all its values are there, and
/// returns how many there are.
fn pages(bytes: &[u8], start: u64, claimed: u64, budget: &mut Budget) -> Result<u64, Unusable> {
    let mut at = Cursor::new(bytes);
    at.seek(SeekFrom::Start(start)).map_err(damaged)?;
    let mut values = 0_u64;
    while values < claimed {
        let mut protocol = TCompactInputProtocol::new(&mut at, bytes.len());
        let header = PageHeader::read_from_in_protocol(&mut protocol).map_err(damaged)?;
        let opened = u64::try_from(header.uncompressed_page_size).map_err(damaged)?;
        budget.spend(PAGE_COST.saturating_add(opened))?;
        let (count, encoding) = contents(&header)?;
        // A text may be told as the start of the one before it, which has no bound of its own.
        if encoding == Some(Encoding::DELTA_BYTE_ARRAY) {
            let hint = "write it without the encoding DELTA_BYTE_ARRAY";
            return Err(
                anyhow!("texts that share their beginnings are not read here: {hint}").into()
            );
        }
        values = values.saturating_add(count);
        let skipped = i64::from(header.compressed_page_size);
        if skipped < 0 || at.position().saturating_add(skipped as u64) > bytes.len() as u64 {
            return Err(damaged("a page goes beyond the end").into());
        }
        at.seek(SeekFrom::Current(skipped)).map_err(damaged)?;
    }
    Ok(values)
}

/// How many values a page has, and how they are encoded; a dictionary has none of its own.
fn contents(header: &PageHeader) -> Result<(u64, Option<Encoding>), Unusable> {
    // What the library goes by is the type, and not which of the headers is there.
    let (v1, v2) = (header.data_page_header.as_ref(), header.data_page_header_v2.as_ref());
    let page = match header.type_ {
        PageType::DICTIONARY_PAGE => Some((0, None)),
        PageType::DATA_PAGE => v1.map(|page| (page.num_values, Some(page.encoding))),
        PageType::DATA_PAGE_V2 => v2.map(|page| (page.num_values, Some(page.encoding))),
        _ => None,
    };
    let (count, encoding) =
        page.ok_or_else(|| damaged("a page is neither of data nor a dictionary"))?;
    Ok((u64::try_from(count).map_err(damaged)?, encoding))
}

/// Refuses a frame whose texts would take too much when each row has its own.
fn reckon_texts(frame: &DataFrame, budget: u64) -> Result<(), Unusable> {
    let mut left = Budget(budget);
    for series in frame.columns().iter().filter(|series| *series.dtype() == DataType::String) {
        for text in series.str().map_err(damaged)?.iter().flatten() {
            left.spend(text.len() as u64)?;
        }
    }
    Ok(())
}

fn column(series: &Series, schema: &ArrowSchema) -> anyhow::Result<Column> {
    if !matches!(series.dtype(), DataType::Float32 | DataType::Float64) {
        return typed::column(series, schema);
    }
    let name = series.name().as_str();
    ensure!(!name.is_empty(), "a column has no name");
    let wide = series.cast(&DataType::Float64)?;
    let values = wide.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
    Ok(Column::new(name, Values::Number(values)))
}

#[cfg(test)]
#[path = "bounded_tests.rs"]
mod tests;
