//! The one text of a row: as it stands in the log of predictions, and by which its digest is made.
//!
//! A row is what the model saw: after the policy, and after a text was read as the number that it
//! spells. So the text says enough to predict the same bits again, whatever door the row came
//! through, and the same row has the same digest by all of them. Keys are sorted, so that models
//! that take their fields in another order agree on it. Knows no request.

use std::io::Write;

use serde_json::Value;

use crate::ml::cell::Cell;
use crate::ml::package::input::{self, InputSchema};
use crate::ml::schema::FieldType;

/// How the rows of a schema are written.
pub(crate) struct Canonical {
    /// The fields, sorted by the bytes of their names.
    fields: Vec<Field>,
}

struct Field {
    /// Where its cell is in a row.
    place: usize,
    /// `"NAME":`
    key: String,
    ty: FieldType,
}

impl Canonical {
    /// How rows of a schema are written.
    pub(crate) fn new(schema: &InputSchema) -> Canonical {
        let mut places: Vec<usize> = (0..schema.fields.len()).collect();
        places.sort_unstable_by(|a, b| schema.fields[*a].name.cmp(&schema.fields[*b].name));
        let field = |place: usize| {
            let field = &schema.fields[place];
            let key = format!("{}:", Value::from(field.name.as_str()));
            Field { place, key, ty: field.ty }
        };
        Canonical { fields: places.into_iter().map(field).collect() }
    }

    /// Appends a row, one cell per field of the schema in its order, as a JSON object.
    pub(crate) fn write(&self, cells: &[Cell], out: &mut Vec<u8>) {
        out.push(b'{');
        for (i, field) in self.fields.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            out.extend_from_slice(field.key.as_bytes());
            write_cell(cells.get(field.place).unwrap_or(&Cell::Missing), field.ty, out);
        }
        out.push(b'}');
    }
}

fn write_cell(cell: &Cell, ty: FieldType, out: &mut Vec<u8>) {
    // Writing to memory does not fail, and a cell holds nothing that JSON lacks.
    let _ = match cell {
        Cell::Missing => out.write_all(b"null"),
        Cell::Number(x) if ty == FieldType::Boolean => write!(out, "{}", *x != 0.0),
        Cell::Number(x) => {
            // An integer has no sign of zero, and these are to be the same bits again.
            let is_whole = ty == FieldType::Integer && (*x != 0.0 || x.is_sign_positive());
            serde_json::to_writer(&mut *out, &input::number(*x, is_whole)).map_err(Into::into)
        }
        Cell::Text(text) => serde_json::to_writer(&mut *out, text).map_err(Into::into),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ml::package::Package;
    use crate::ml::package::tests::small_package;
    use crate::serve::policy::{Policy, Range};
    use crate::serve::validation::{Rows, Validator};

    fn schema() -> InputSchema {
        Package::load(small_package().path()).unwrap().schema().clone()
    }

    fn text(cells: &[Cell]) -> String {
        let mut out = Vec::new();
        Canonical::new(&schema()).write(cells, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keys_are_sorted_and_numbers_are_as_short_as_can_be() {
        let plan = Cell::Text("gold".into());
        let cells = [Cell::Number(24.0), Cell::Number(1e22), Cell::Number(1.0), plan.clone()];
        let expected = r#"{"age":24,"charge":1e+22,"member":true,"plan":"gold"}"#;
        assert_eq!(text(&cells), expected);
        let cells = [Cell::Number(-0.0), Cell::Missing, Cell::Number(0.0), plan];
        let expected = r#"{"age":-0.0,"charge":null,"member":false,"plan":"gold"}"#;
        assert_eq!(text(&cells), expected);
        let mut turned = schema();
        turned.fields.reverse();
        let cells: Vec<Cell> = cells.into_iter().rev().collect();
        let mut out = Vec::new();
        Canonical::new(&turned).write(&cells, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn a_row_reads_back_to_the_bits_that_the_model_saw(
            age in -1_000_000..1_000_000_i32, charge in prop::option::of(prop::num::f64::NORMAL
                | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL),
            member: bool, plan in prop::sample::select(vec!["basic", "gold", "plus"]),
        ) {
            let cells = vec![
                Cell::Number(f64::from(age)),
                charge.map_or(Cell::Missing, Cell::Number),
                Cell::Number(f64::from(member)),
                Cell::Text(plan.into()),
            ];
            let policy = Policy { range: Range::Warn, ..Policy::default() };
            let validator = Validator::new(&schema(), policy);
            let Ok(Rows::One(row)) = validator.read(text(&cells).as_bytes()) else {
                panic!("{} is refused", text(&cells))
            };
            prop_assert_eq!(text(&row.cells), text(&cells));
            prop_assert_eq!(row.cells, cells);
        }
    }
}
