//! A Parquet file that is written a group of rows at a time, so that its rows need not be held.
//!
//! The same bytes for the same groups: no compression, no statistics, one thread, as for tables
//! that are written whole.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{DataFrame, ParquetCompression, ParquetWriter, StatisticsOptions};

use super::typed::series;
use crate::ml::table::Table;

/// A file under way. What is written of it waits until it is taken.
pub struct Groups {
    writer: BatchedWriter<Sink>,
    written: Sink,
}

impl Groups {
    /// Begins a file of tables with the columns of this one, whose rows do not count.
    ///
    /// # Errors
    /// When Parquet has no such columns.
    pub fn begin(like: &Table) -> anyhow::Result<Groups> {
        let written = Sink::default();
        let writer = ParquetWriter::new(written.clone())
            .with_compression(ParquetCompression::Uncompressed)
            .with_statistics(StatisticsOptions::empty())
            .set_parallel(false)
            .batched(frame(like)?.schema())?;
        Ok(Groups { writer, written })
    }

    /// Writes a group of rows.
    ///
    /// # Errors
    /// When its columns are others than those that the file began with.
    pub fn push(&mut self, group: &Table) -> anyhow::Result<()> {
        Ok(self.writer.write_batch(&frame(group)?)?)
    }

    /// Writes the end of the file; nothing may follow.
    ///
    /// # Errors
    /// None that is known of: nothing here is a file.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        self.writer.finish()?;
        Ok(())
    }

    /// Moves what has been written behind `out`.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.written.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn frame(table: &Table) -> anyhow::Result<DataFrame> {
    Ok(DataFrame::new(table.rows(), table.columns().iter().map(series).collect())?)
}

/// Where the writer writes, which it does not give back.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
