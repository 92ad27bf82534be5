//! Columns of a file that has types, Parquet or Arrow, as columns of a table, and back.
//!
//! What a CSV file would say is what becomes of a value: a day is its ISO text, a value of a
//! dictionary its text, a whole number of any width a whole number. So the same table in another
//! format has the same types and gives the same model. What cannot be had so is refused by the
//! name of its column, with what to write instead. It does not know files.

use std::fmt::Write as _;

use anyhow::{anyhow, bail, ensure};
use polars::prelude::{
    ArrowDataType, ArrowSchema, Column as Series, DataFrame, DataType, TimeUnit,
};
use rayon::prelude::*;

use crate::ml::features::civil;
use crate::ml::table::{Column, Table, Values};
use crate::ml::texts::{Collector, Texts};

const SECONDS_PER_DAY: i64 = 86_400;

/// The years that four digits can say.
const YEARS: std::ops::RangeInclusive<i64> = 0..=9999;

/// Refuses the types of columns that no column of a table can have, before any value is read.
///
/// # Errors
/// Every such column, with what to write instead.
pub(super) fn check(schema: &ArrowSchema) -> anyhow::Result<()> {
    let wrong = |(name, ty): (&str, &ArrowDataType)| {
        let (what, instead) = refused(ty)?;
        Some(format!("column `{name}` holds {what}: write {instead}"))
    };
    let fields = schema.iter().map(|(name, field)| (name.as_str(), &field.dtype));
    let wrong: Vec<String> = fields.filter_map(wrong).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What values of a type are and what to write instead; `None` of a type that is read.
fn refused(ty: &ArrowDataType) -> Option<(String, &'static str)> {
    use ArrowDataType as T;
    let (what, instead) = match ty {
        T::Boolean | T::Float32 | T::Float64 | T::Null => return None,
        T::Int8 | T::Int16 | T::Int32 | T::Int64 => return None,
        T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => return None,
        T::Utf8 | T::LargeUtf8 | T::Utf8View => return None,
        T::Date32 | T::Date64 | T::Timestamp(_, None) => return None,
        T::Timestamp(_, Some(zone)) if is_utc(zone) => return None,
        T::Timestamp(_, Some(zone)) => {
            let what = format!("times in the zone {zone}");
            return Some((what, "them in UTC, or as local times without a zone"));
        }
        T::Dictionary(_, values, _) if is_text(values) => return None,
        T::Dictionary(..) => ("a dictionary of other values than texts", "the values themselves"),
        T::Decimal(..) | T::Decimal32(..) | T::Decimal64(..) | T::Decimal256(..) => {
            ("decimals", "floats, or texts where every digit counts")
        }
        T::List(_) | T::LargeList(_) | T::FixedSizeList(..) | T::Map(..) => {
            ("lists", "a column for each thing that they tell")
        }
        T::Struct(_) | T::Union(_) => ("several values per row", "a column for each of them"),
        T::Time32(_) | T::Time64(_) => ("times of day", "numbers of seconds, or texts"),
        T::Duration(_) | T::Interval(_) => ("durations", "numbers of seconds"),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => ("bytes", "texts"),
        T::Float16 => ("floats of 16 bits", "floats of 32 or 64 bits"),
        other => {
            let what = format!("values of the type {other:?}");
            return Some((what, "truth values, whole numbers, floats, texts or days"));
        }
    };
    Some((what.to_owned(), instead))
}

/// The columns of dictionaries, for people; `None` where there is none.
pub(super) fn dictionaries(schema: &ArrowSchema) -> Option<String> {
    let is = |field: &ArrowDataType| matches!(field, ArrowDataType::Dictionary(..));
    let fields = schema.iter().filter(|(_, field)| is(&field.dtype));
    let names: Vec<String> = fields.map(|(name, _)| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn is_text(ty: &ArrowDataType) -> bool {
    matches!(ty, ArrowDataType::Utf8 | ArrowDataType::LargeUtf8 | ArrowDataType::Utf8View)
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Etc/UTC" | "Z" | "+00:00" | "+0000")
}

/// The table of a frame whose types were checked, `schema` being those of the file; each column of
/// the frame is let go once it has been read.
///
/// # Errors
/// No column or no row; a number or a day that no table holds, with its column.
pub(super) fn table(frame: DataFrame, schema: &ArrowSchema) -> anyhow::Result<Table> {
    ensure!(frame.width() > 0, "there is no column");
    ensure!(frame.height() > 0, "there is no row: at least one is expected");
    let columns: Vec<anyhow::Result<Column>> =
        frame.into_columns().into_par_iter().map(|series| column(&series, schema)).collect();
    Ok(Table::new(columns.into_iter().collect::<anyhow::Result<_>>()?)?)
}

/// A column of such a frame.
///
/// # Errors
/// A number or a day that no table holds, with its column.
pub(super) fn column(series: &Series, schema: &ArrowSchema) -> anyhow::Result<Column> {
    let name = series.name().as_str();
    // Days of 64 bits are moments to the library.
    let is_day = schema.get(name).is_some_and(|field| field.dtype == ArrowDataType::Date64);
    let told = |error: anyhow::Error| anyhow!("column `{name}`{error}");
    let values = match series.dtype() {
        DataType::Boolean => Values::Boolean(series.bool()?.iter().collect()),
        DataType::String => Values::Text(series.str()?.iter().collect()),
        DataType::Categorical(..) | DataType::Enum(..) => {
            Values::Text(series.cast(&DataType::String)?.str()?.iter().collect())
        }
        DataType::Float32 | DataType::Float64 => {
            let wide = series.cast(&DataType::Float64)?;
            let values = wide.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
            Values::Number(finite(values).map_err(told)?)
        }
        ty if ty.is_integer() => {
            let wide = series.cast(&DataType::Int64)?;
            ensure!(
                wide.null_count() == series.null_count(),
                "column `{name}` has a whole number above {}: write it as text",
                i64::MAX
            );
            Values::Integer(wide.i64()?.iter().collect())
        }
        DataType::Date => Values::Text(moments(series, day).map_err(told)?),
        DataType::Datetime(unit, _) if is_day => {
            let per_day = per_second(*unit) * SECONDS_PER_DAY;
            let of = |units: i64, out: &mut String| day(units.div_euclid(per_day), out);
            Values::Text(moments(series, of).map_err(told)?)
        }
        DataType::Datetime(unit, zone) => {
            let per_second = per_second(*unit);
            let end = if zone.is_some() { "Z" } else { "" };
            let moment = |value, out: &mut String| moment(value, per_second, end, out);
            Values::Text(moments(series, moment).map_err(told)?)
        }
        DataType::Null => Values::Text(vec![None::<&str>; series.len()].into()),
        other => bail!("column `{name}` has the type {other}, which is not supported"),
    };
    Ok(Column::new(name, values))
}

/// Numbers that are finite or NaN, which is missing.
///
/// # Errors
/// The first infinite one, as the end of a sentence about its column.
fn finite(values: Vec<f64>) -> anyhow::Result<Vec<f64>> {
    match values.iter().position(|value| value.is_infinite()) {
        Some(row) => bail!(", row {}: {} is not a finite number", row + 1, values[row]),
        None => Ok(values),
    }
}

/// The texts of days or moments, each by its number of units since 1970-01-01.
fn moments(series: &Series, write: impl Fn(i64, &mut String) -> bool) -> anyhow::Result<Texts> {
    let units = series.cast(&DataType::Int64)?;
    let mut texts = Collector::default();
    let mut text = String::new();
    for (row, units) in units.i64()?.iter().enumerate() {
        let Some(units) = units else {
            texts.push(None);
            continue;
        };
        text.clear();
        ensure!(write(units, &mut text), ", row {}: a day outside the years 0 to 9999", row + 1);
        texts.push(Some(&text));
    }
    Ok(texts.finish())
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Milliseconds => 1_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Nanoseconds => 1_000_000_000,
    }
}

/// Writes `YYYY-MM-DD`; whether four digits can say the year.
fn day(days: i64, out: &mut String) -> bool {
    let [year, month, day] = civil(days);
    YEARS.contains(&year) && write!(out, "{year:04}-{month:02}-{day:02}").is_ok()
}

/// Writes `YYYY-MM-DDThh:mm:ss`, then 3, 6 or 9 digits of the second where there is a part of one
/// (as `java.time` and chrono do), then `end`; whether four digits can say the year.
fn moment(units: i64, per_second: i64, end: &str, out: &mut String) -> bool {
    let (seconds, part) = (units.div_euclid(per_second), units.rem_euclid(per_second));
    let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let nanoseconds = part * (1_000_000_000 / per_second);
    let is_written = day(days, out) && write!(out, "T{hour:02}:{minute:02}:{second:02}").is_ok();
    let is_written = is_written
        && match nanoseconds {
            0 => true,
            n if n % 1_000_000 == 0 => write!(out, ".{:03}", n / 1_000_000).is_ok(),
            n if n % 1_000 == 0 => write!(out, ".{:06}", n / 1_000).is_ok(),
            n => write!(out, ".{n:09}").is_ok(),
        };
    out.push_str(end);
    is_written
}

/// A column as it is written: missing values are null.
pub(super) fn series(column: &Column) -> Series {
    let name = column.name.as_str().into();
    match &column.values {
        Values::Integer(values) => Series::new(name, values),
        Values::Number(values) => {
            let or_null = |value: &f64| Some(*value).filter(|value| value.is_finite());
            Series::new(name, values.iter().map(or_null).collect::<Vec<_>>())
        }
        Values::Boolean(values) => Series::new(name, values),
        Values::Text(texts) => Series::new(name, texts.iter().collect::<Vec<_>>()),
    }
}

#[cfg(test)]
mod tests;
