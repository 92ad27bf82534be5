//! The header of a CSV text: which column is which field.
//!
//! By name and not by place. A field that has no column, a column that comes twice and, unless they
//! are passed over, a column that no field has make every row wrong, so they are told once.

use std::borrow::Cow;

use crate::serve::complaint;
use crate::serve::errors::Problem;
use crate::serve::validation::Validator;

/// Which column is which field.
#[derive(Debug, PartialEq)]
pub(crate) struct Columns {
    /// Per field its column.
    of_field: Vec<usize>,
    /// How many columns a row has.
    width: usize,
}

impl Columns {
    /// The columns of a header.
    ///
    /// # Errors
    /// 422 with every field that is missing and every column that is wrong.
    pub(crate) fn new(validator: &Validator, header: &[Cow<'_, str>]) -> Result<Columns, Problem> {
        let mut found: Vec<Option<usize>> = vec![None; validator.fields().len()];
        let mut check = validator.check();
        for (at, name) in header.iter().enumerate() {
            match validator.place(name) {
                Some(place) if found[place].is_none() => found[place] = Some(at),
                Some(place) => {
                    check.complain(None, complaint::repeated(&validator.fields()[place]));
                }
                None if validator.ignores_extras() => {}
                None => check.complain(None, complaint::unknown_field(name, None)),
            }
        }
        for (field, _) in validator.fields().iter().zip(&found).filter(|(_, at)| at.is_none()) {
            check.complain(None, complaint::missing(field));
        }
        check.end()?;
        Ok(Columns { of_field: found.into_iter().flatten().collect(), width: header.len() })
    }

    /// The columns of a text without a header: the fields in their order, and no others.
    pub(crate) fn in_order(validator: &Validator) -> Columns {
        let width = validator.fields().len();
        Columns { of_field: (0..width).collect(), width }
    }

    /// Whether the names of a first row are those of all fields: only then is it a header.
    pub(crate) fn is_header(validator: &Validator, row: &[Cow<'_, str>]) -> bool {
        row.iter().any(|name| validator.place(name).is_some())
    }

    /// The texts of a row, one per field in their order.
    ///
    /// # Errors
    /// A sentence when it has not as many fields as there are columns.
    pub(crate) fn texts<'r>(&self, row: &'r [Cow<'_, str>]) -> Result<Vec<&'r str>, String> {
        if row.len() != self.width {
            let noun = if row.len() == 1 { "field" } else { "fields" };
            return Err(format!("{} {noun} where there are {} columns", row.len(), self.width));
        }
        Ok(self.of_field.iter().map(|at| row[*at].as_ref()).collect())
    }

    /// Whether there is one column alone.
    pub(crate) fn is_single(&self) -> bool {
        self.width == 1
    }

    /// How many columns are passed over.
    pub(crate) fn n_ignored(&self) -> usize {
        self.width - self.of_field.len()
    }
}
