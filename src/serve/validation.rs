//! Whether a request is one the model was trained for: a table of rules made from the package.
//!
//! Strict: nothing is guessed and nothing is dropped, unless the policy says so. Every wrong field
//! of every record is reported, in schema order, unknown keys last. `field` has the rules of one
//! value; here they become those of records and of lists, whatever door these came through. Knows
//! no HTTP beyond the problem it returns, and not what the model does with a row.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::ml::cell::Cell;
use crate::ml::package::input::{InputField, InputSchema};
use crate::serve::complaint;
use crate::serve::document::{self, Raw, Records};
use crate::serve::errors::{self, Entry, Loc, MAX_ENTRIES, Problem};
use crate::serve::field::{self, MAX_NUMBER_LEN, Warning, Wrong};
use crate::serve::policy::{Extra, Policy};

/// The rules of one package.
pub(crate) struct Validator {
    names: Vec<String>,
    fields: Vec<InputField>,
    policy: Policy,
}

/// A row that the model may see.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Row {
    /// Which record of the request it is, from 1.
    pub(crate) number: u64,
    /// One cell per field.
    pub(crate) cells: Vec<Cell>,
    /// Per field where its cell stands among its categories, if it does.
    pub(crate) places: Vec<Option<u32>>,
    /// What the caller should know of them, at most `MAX_ENTRIES` in all rows of a body.
    pub(crate) warnings: Vec<Entry>,
    /// How many more there are to know.
    pub(crate) more_warnings: usize,
    /// How many fields were passed over.
    pub(crate) ignored: usize,
    /// The places of the fields whose numbers are beyond the range of the data.
    pub(crate) out_of_range: Vec<usize>,
    /// The places of the fields whose numbers were exchanged for others, with those that came.
    pub(crate) clipped: Vec<(usize, f64)>,
}

/// The rows of a valid body.
#[derive(Debug, PartialEq)]
pub(crate) enum Rows {
    /// The body was one record.
    One(Row),
    /// The body was a list of records.
    Many(Vec<Row>),
}

impl Row {
    /// Takes what the model sees of the next field; there is nothing to warn of.
    pub(crate) fn take(&mut self, cell: Cell) -> Warning {
        self.cells.push(cell);
        self.places.push(None);
        None
    }

    /// The same of a category, which is at a place among those of its field.
    pub(crate) fn take_listed(&mut self, cell: Cell, place: usize) -> Warning {
        self.cells.push(cell);
        self.places.push(u32::try_from(place).ok());
        None
    }
}

impl Validator {
    /// The rules of a schema.
    pub(crate) fn new(schema: &InputSchema, policy: Policy) -> Validator {
        let names = schema.fields.iter().map(|field| field.name.clone()).collect();
        Validator { names, fields: schema.fields.clone(), policy }
    }

    /// The fields, in the model's order.
    pub(crate) fn fields(&self) -> &[InputField] {
        &self.fields
    }

    /// The place of a field among all.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// Whether fields that the model does not know are passed over.
    pub(crate) fn ignores_extras(&self) -> bool {
        self.policy.extra == Extra::Ignore
    }

    /// Reads a body.
    ///
    /// # Errors
    /// 400 when the body is not JSON; 422 with every wrong field.
    pub(crate) fn read(&self, body: &[u8]) -> Result<Rows, Problem> {
        if body.trim_ascii().is_empty() {
            return Err(Problem::invalid(vec![complaint::empty_body()], 0));
        }
        let mut check = self.check();
        let is_list = document::read(body, &mut check)?;
        let mut rows = check.end()?;
        if is_list {
            return Ok(Rows::Many(rows));
        }
        rows.pop().map(Rows::One).ok_or_else(Problem::internal)
    }

    /// Reads a row of texts, one per field.
    ///
    /// # Errors
    /// 422 with every wrong field.
    pub(crate) fn read_texts(&self, texts: &[&str]) -> Result<Row, Problem> {
        let mut check = self.check();
        check.texts(None, texts);
        check.end()?.pop().ok_or_else(Problem::internal)
    }

    /// A check of records that are handed to it one by one.
    pub(crate) fn check(&self) -> Check<'_> {
        Check {
            validator: self,
            rows: Vec::new(),
            entries: Vec::new(),
            omitted: 0,
            n_warnings: 0,
            unreadable: None,
        }
    }
}

/// One pass over one body.
pub(crate) struct Check<'v> {
    validator: &'v Validator,
    rows: Vec<Row>,
    entries: Vec<Entry>,
    omitted: usize,
    n_warnings: usize,
    unreadable: Option<Problem>,
}

impl Records for Check<'_> {
    fn names(&self) -> &[String] {
        &self.validator.names
    }

    fn record(&mut self, index: Option<usize>, raw: &Raw<'_>) {
        if self.entries.len() >= MAX_ENTRIES {
            // A list of many bad records must not cost more than a list of good ones.
            return;
        }
        let policy = self.validator.policy;
        let is_row = self.row(index, |i, field, row| {
            let value = raw.values.get(i).copied().flatten();
            field::json(field, policy, value, raw.repeated.contains(&i), row)
        });
        let n_extras = raw.extras.len() + raw.more_extras;
        if self.validator.ignores_extras() {
            if let Some(row) = self.rows.last_mut().filter(|_| is_row) {
                row.ignored = n_extras;
            }
            return;
        }
        for (name, value) in &raw.extras {
            self.complain(index, complaint::unknown_field(name, scalar(value)));
        }
        self.omitted += raw.more_extras;
    }

    fn other(&mut self, index: Option<usize>) {
        self.complain(index, complaint::not_a_record());
    }
}

impl Check<'_> {
    /// Takes a row of texts, one per field; one that is not there was left out.
    pub(crate) fn texts(&mut self, index: Option<usize>, texts: &[&str]) {
        if self.entries.len() >= MAX_ENTRIES {
            return;
        }
        let policy = self.validator.policy;
        self.row(index, |i, field, row| match texts.get(i) {
            Some(text) => field::text(field, policy, text, row),
            None => Err(complaint::missing(field).into()),
        });
    }

    /// The rows, when nothing was wrong with any.
    ///
    /// # Errors
    /// 400 when a text was not JSON; 422 with every wrong field.
    pub(crate) fn end(self) -> Result<Vec<Row>, Problem> {
        if let Some(problem) = self.unreadable {
            return Err(problem);
        }
        if !self.entries.is_empty() {
            return Err(Problem::invalid(self.entries, self.omitted));
        }
        Ok(self.rows)
    }

    /// Checks the values of a record by `check`, which gets the place of a field, the field, and
    /// the row that its value is to be put into. Returns whether all were taken, as the last of the
    /// rows.
    fn row(
        &mut self,
        index: Option<usize>,
        check: impl Fn(usize, &InputField, &mut Row) -> Result<Warning, Wrong>,
    ) -> bool {
        let validator = self.validator;
        let number = index.map_or(1, |index| index as u64 + 1);
        let n_fields = validator.fields.len();
        let (cells, places) = (Vec::with_capacity(n_fields), Vec::with_capacity(n_fields));
        let mut row = Row { number, cells, places, ..Row::default() };
        for (i, field) in validator.fields.iter().enumerate() {
            match check(i, field, &mut row) {
                Ok(None) => {}
                Ok(Some(warning)) => {
                    // A policy warns of nothing else.
                    row.out_of_range.push(i);
                    self.warn(index, *warning, &mut row);
                }
                Err(Wrong::Value(entry)) => self.complain(index, *entry),
                Err(Wrong::Text(reason)) => self.give_up(index, &field.name, reason),
            }
        }
        let is_row = self.entries.is_empty();
        if is_row {
            self.rows.push(row);
        }
        is_row
    }

    fn warn(&mut self, index: Option<usize>, warning: Entry, row: &mut Row) {
        if self.n_warnings >= MAX_ENTRIES {
            row.more_warnings += 1;
            return;
        }
        self.n_warnings += 1;
        row.warnings.push(placed(index, warning));
    }

    /// Notes what is wrong with a record.
    pub(crate) fn complain(&mut self, index: Option<usize>, entry: Entry) {
        if self.entries.len() >= MAX_ENTRIES {
            self.omitted += 1;
            return;
        }
        self.entries.push(placed(index, entry));
    }

    fn give_up(&mut self, index: Option<usize>, name: &str, reason: &'static str) {
        if self.unreadable.is_some() {
            return;
        }
        let record = index.map_or(String::new(), |index| format!("record {index}: "));
        let message = format!("{record}field '{name}' is not valid JSON: {reason}");
        let place = index.map(Loc::Index).into_iter().chain([errors::name(name)]);
        let loc = errors::body().into_iter().chain(place).collect();
        self.unreadable = Some(Problem::malformed(loc, reason, message));
    }
}

/// An entry with the place of its record in the list, if the body is a list.
fn placed(index: Option<usize>, mut entry: Entry) -> Entry {
    if let Some(index) = index {
        entry.loc.insert(1, Loc::Index(index));
        entry.message = format!("record {index}: {}", entry.message);
    }
    entry
}

/// A value of an unknown key as an answer may repeat it: scalars only, texts cut.
fn scalar(value: &RawValue) -> Option<Value> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{' | b'[') => None,
        Some(b'"') => serde_json::from_str::<String>(text).ok().map(|s| errors::clip(&s).into()),
        _ if text.len() > MAX_NUMBER_LEN => None,
        _ => serde_json::from_str(text).ok(),
    }
}
