//! Rows of a table as a model sees them: the columns of its features, in their order.

use ndarray::Array2;
use rayon::prelude::*;

use super::{Encoder, Feature, FeatureKind};
use crate::ml::cell::Cell;
use crate::ml::table::{Column, ColumnType, Table};

impl FeatureKind {
    /// What a column of this type becomes.
    pub fn of(ty: ColumnType) -> FeatureKind {
        match ty {
            ColumnType::Integer | ColumnType::Number => FeatureKind::Numeric,
            ColumnType::Boolean => FeatureKind::Boolean,
            ColumnType::Text => FeatureKind::Categorical,
        }
    }
}

/// The columns of features in a table.
pub struct Rows<'a> {
    columns: Vec<&'a Column>,
    n_rows: usize,
}

impl<'a> Rows<'a> {
    /// Finds the columns of features.
    ///
    /// # Errors
    /// A column that is not there, or one that holds texts where numbers are expected or the other
    /// way round; a text that was not seen in training where such are to be refused. A column
    /// without any value fits both.
    pub fn new(features: &[Feature], table: &'a Table) -> Result<Rows<'a>, String> {
        let find = |feature: &Feature| {
            let name = &feature.name;
            let column = table.column(name).ok_or_else(|| format!("no column `{name}`"))?;
            let is_text = column.ty() == ColumnType::Text;
            let wants_text = feature.kind == FeatureKind::Categorical;
            if is_text != wants_text && column.missing() < column.len() {
                let (found, wanted) =
                    if is_text { ("texts", "numbers") } else { ("numbers", "texts") };
                return Err(format!("column `{name}` holds {found}, the model wants {wanted}"));
            }
            refuse_unseen(feature, column)?;
            Ok(column)
        };
        let columns = features.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Rows { columns, n_rows: table.rows() })
    }

    /// Replaces `cells` by those of a row, one per feature.
    pub fn cells(&self, row: usize, cells: &mut Vec<Cell>) {
        cells.clear();
        cells.extend(self.columns.iter().map(|column| column.cell(row)));
    }

    /// One result per row, in the order of the rows, on all threads.
    pub fn map<T: Send>(&self, each: impl Fn(&[Cell]) -> T + Sync) -> Vec<T> {
        self.map_chunks(|first, n_rows| {
            let mut cells = Vec::new();
            let one = |row| {
                self.cells(row, &mut cells);
                each(&cells)
            };
            (first..first + n_rows).map(one).collect()
        })
    }

    /// The results of all rows, in their order, computed on all threads: `chunk` gets the index of
    /// its first row and how many rows it has, and yields one result for each.
    pub fn map_chunks<T: Send>(&self, chunk: impl Fn(usize, usize) -> Vec<T> + Sync) -> Vec<T> {
        const CHUNK_ROWS: usize = 1024;
        let starts: Vec<usize> = (0..self.n_rows).step_by(CHUNK_ROWS).collect();
        let chunk = |start: usize| chunk(start, CHUNK_ROWS.min(self.n_rows - start));
        starts.into_par_iter().flat_map_iter(chunk).collect()
    }
}

impl Rows<'_> {
    /// The numbers of all rows: one row each, `width` columns, by the encoder of each row.
    ///
    /// # Errors
    /// None that a table of memory's size can give.
    pub(super) fn encode<'e>(
        &self,
        width: usize,
        encoder: impl Fn(usize) -> &'e Encoder + Sync,
    ) -> Result<Array2<f64>, String> {
        let mut numbers = vec![0.0; self.n_rows * width];
        if width > 0 {
            numbers.par_chunks_mut(width).enumerate().for_each_init(
                Vec::new,
                |cells, (row, out)| {
                    self.cells(row, cells);
                    encoder(row).encode(cells, out);
                },
            );
        }
        Array2::from_shape_vec((self.n_rows, width), numbers).map_err(|error| error.to_string())
    }
}

impl Encoder {
    /// The numbers of all rows of a table: one row each, `width()` columns.
    ///
    /// # Errors
    /// When the table lacks a column or holds one of another kind, or an unseen text that is to
    /// be refused.
    pub fn encode_table(&self, table: &Table) -> Result<Array2<f64>, String> {
        Rows::new(self.features(), table)?.encode(self.width(), |_| self)
    }
}

/// Refuses the first text that training has not seen, where that is asked for.
fn refuse_unseen(feature: &Feature, column: &Column) -> Result<(), String> {
    let Some(only) = feature.only_texts() else { return Ok(()) };
    let text = |row: usize| column.text(row).map(|text| (row, text));
    let is_unseen = |(_, text): &(usize, String)| only.binary_search(text).is_err();
    match (0..column.len()).filter_map(text).find(is_unseen) {
        None => Ok(()),
        Some((row, text)) => Err(format!(
            "column `{}` has `{text}` in row {}, which was not in the training rows; \
             `unseen = \"ignore\"` or `\"rare\"` would take it",
            feature.name,
            row + 1
        )),
    }
}
