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
    /// way round. A column without any value fits both.
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

    /// The results of all rows, in their order, computed on all threads: `chunk` gets the index of
    /// its first row and how many rows it has, and yields one result for each.
    pub fn map_chunks<T: Send>(&self, chunk: impl Fn(usize, usize) -> Vec<T> + Sync) -> Vec<T> {
        const CHUNK_ROWS: usize = 1024;
        let starts: Vec<usize> = (0..self.n_rows).step_by(CHUNK_ROWS).collect();
        let chunk = |start: usize| chunk(start, CHUNK_ROWS.min(self.n_rows - start));
        starts.into_par_iter().flat_map_iter(chunk).collect()
    }
}

impl Encoder {
    /// The numbers of all rows of a table: one row each, `width()` columns.
    ///
    /// # Errors
    /// When the table lacks a column or holds one of another kind.
    pub fn encode_table(&self, table: &Table) -> Result<Array2<f64>, String> {
        let rows = Rows::new(self.features(), table)?;
        let mut numbers = vec![0.0; table.rows() * self.width()];
        if self.width() > 0 {
            numbers.par_chunks_mut(self.width()).enumerate().for_each_init(
                Vec::new,
                |cells, (row, out)| {
                    rows.cells(row, cells);
                    self.encode(cells, out);
                },
            );
        }
        let shape = (table.rows(), self.width());
        Array2::from_shape_vec(shape, numbers).map_err(|error| error.to_string())
    }
}
