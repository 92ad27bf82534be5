//! Tests of files that have types: what programs write, what is refused, and damage.
//!
//! The files are made by `tests/golden/tables.py`.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::ml::random::Random;
use crate::ml::table::ColumnType;
use crate::ml::table_file::read;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tables").join(name)
}

/// The files of the table of all types.
const TYPES: [&str; 9] = [
    "types-pyarrow.arrow",
    "types-lz4.ipc",
    "types-zstd.ipc",
    "types-pyarrow.feather",
    "types-pyarrow.parquet",
    "types-pandas.feather",
    "types-pandas.parquet",
    "types-polars.arrow",
    "types-polars.parquet",
];

#[track_caller]
fn refused(path: &Path) -> String {
    format!("{:#}", read(path).unwrap_err())
}

#[test]
fn every_program_and_format_gives_the_table_that_the_csv_file_has() {
    let table = read(&golden("types.csv")).unwrap();
    for name in TYPES {
        let found = read(&golden(name)).unwrap();
        assert!(found.columns().len() >= table.columns().len() - 1, "{name}");
        for column in found.columns() {
            assert_eq!(Some(column), table.column(&column.name), "{name}");
        }
    }
}

#[test]
fn days_and_moments_are_texts_and_dictionaries_are_theirs() {
    let table = read(&golden("types-pyarrow.arrow")).unwrap();
    let of = |name: &str| {
        let column = table.column(name).unwrap();
        assert_eq!(column.ty(), ColumnType::Text, "{name}");
        column.text(1).unwrap()
    };
    assert_eq!([of("day"), of("day64")], ["2026-11-25"; 2]);
    assert_eq!([of("seconds"), of("utc")], ["2026-11-25T19:58:55", "2026-11-25T19:58:55.500Z"]);
    assert_eq!(of("plan"), "a");
    assert_eq!(table.column("u8").unwrap().ty(), ColumnType::Integer);
}

#[test]
fn what_no_table_holds_is_refused_column_by_column_with_what_to_write() {
    let of_both = [
        "`price` holds decimals: write floats, or texts where every digit counts",
        "`tags` holds lists: write a column for each thing that they tell",
        "`address` holds several values per row: write a column for each of them",
        "`opens` holds times of day: write numbers of seconds, or texts",
        "`lasted` holds durations: write numbers of seconds",
        "`bytes` holds bytes: write texts",
        "`paris` holds times in the zone Europe/Paris: write them in UTC, or as local times",
        "`numbers` holds a dictionary of other values than texts: write the values themselves",
    ];
    let told = refused(&golden("refused.arrow"));
    for sentence in of_both {
        assert!(told.contains(sentence), "{sentence}: {told}");
    }
    let told = refused(&golden("refused.parquet"));
    for sentence in &of_both[..4] {
        assert!(told.contains(sentence), "{sentence}: {told}");
    }
}

#[test]
fn an_arrow_file_is_known_by_its_first_bytes_and_other_arrow_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let copy = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let arrow = fs::read(golden("types-pyarrow.arrow")).unwrap();
    let table = read(&golden("types-pyarrow.arrow")).unwrap();
    assert_eq!(read(&copy("table", &arrow)).unwrap(), table);
    let zstd = zstd::encode_all(arrow.as_slice(), 1).unwrap();
    assert_eq!(read(&copy("table.arrow.zst", &zstd)).unwrap(), table);
    let stream = fs::read(golden("stream.arrows")).unwrap();
    for name in ["stream", "stream.arrow"] {
        let told = refused(&copy(name, &stream));
        assert!(told.contains("an Arrow stream: write the file format"), "{told}");
    }
    let told = refused(&copy("old.feather", b"FEA1 and more"));
    assert!(told.contains("Feather of version 1: write version 2"), "{told}");
    let told = refused(&copy("text.arrow", b"a,b\n1,2\n"));
    assert!(told.contains("not an Arrow file"), "{told}");
}

#[test]
fn categories_with_missing_values_as_pandas_writes_them_are_refused_with_what_to_do() {
    let told = refused(&golden("categories-pandas.feather"));
    let advice =
        "if it is whole, write `plan` as texts: categories that lack a value may have keys";
    assert!(told.contains(advice), "{told}");
}

#[test]
fn parts_may_be_arrow_and_are_not_mixed_with_texts() {
    let dir = tempfile::tempdir().unwrap();
    let part = |name: &str, from: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(golden(from), path).unwrap();
    };
    part("month=1/rows.arrow", "rows.arrow");
    part("month=2/rows.parquet", "rows.parquet");
    let table = read(dir.path()).unwrap();
    let one = read(&golden("rows.csv")).unwrap();
    assert_eq!((table.rows(), table.columns().len()), (2 * one.rows(), 1 + one.columns().len()));
    assert_eq!(table.take(&(0..one.rows()).collect::<Vec<_>>()).columns()[1], one.columns()[1]);
    part("month=3/rows.csv", "rows.csv");
    assert!(refused(dir.path()).contains("some parts are CSV and others have types"));
}

/// BUG: a length that was damaged within the file is believed by the library, which ends the
/// program when there is no such memory. Only files that were cut are safe by their footer.
#[test]
fn a_file_that_was_cut_is_refused_wherever_that_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new([8; 32]);
    for name in TYPES {
        let whole = fs::read(golden(name)).unwrap();
        let path = dir.path().join(name);
        for _ in 0..40 {
            let len = random.below(whole.len() as u64) as usize;
            fs::write(&path, &whole[..len]).unwrap();
            assert!(refused(&path).starts_with(name), "{name} of {len} bytes");
        }
    }
}

#[test]
fn infinite_numbers_are_refused_with_their_row() {
    let told = finite(vec![1.0, f64::NEG_INFINITY]).unwrap_err().to_string();
    assert_eq!(told, ", row 2: -inf is not a finite number");
}

#[test]
fn a_moment_is_its_iso_text_with_no_more_digits_than_it_needs() {
    let of = |units: i64, unit: TimeUnit, end: &str| {
        let mut text = String::new();
        if moment(units, per_second(unit), end, &mut text) { text } else { String::new() }
    };
    let milliseconds = TimeUnit::Milliseconds;
    assert_eq!(of(0, milliseconds, ""), "1970-01-01T00:00:00");
    assert_eq!(of(-1, milliseconds, "Z"), "1969-12-31T23:59:59.999Z");
    assert_eq!(of(951_782_400_500, milliseconds, ""), "2000-02-29T00:00:00.500");
    assert_eq!(of(1_500_000, TimeUnit::Microseconds, ""), "1970-01-01T00:00:01.500");
    assert_eq!(of(1_000_001, TimeUnit::Microseconds, ""), "1970-01-01T00:00:01.000001");
    assert_eq!(of(3_600_000_000_007, TimeUnit::Nanoseconds, ""), "1970-01-01T01:00:00.000000007");
    assert_eq!(of(i64::MIN, TimeUnit::Nanoseconds, ""), "1677-09-21T00:12:43.145224192");
    assert_eq!(of(i64::MAX, milliseconds, ""), "", "a year of more than four digits");
}

#[test]
fn a_day_is_its_iso_text_in_years_of_four_digits() {
    let of = |days: i64| {
        let mut text = String::new();
        day(days, &mut text).then_some(text)
    };
    assert_eq!(of(20_782).as_deref(), Some("2026-11-25"));
    assert_eq!(of(-719_528).as_deref(), Some("0000-01-01"));
    assert_eq!(of(2_932_896).as_deref(), Some("9999-12-31"));
    assert_eq!((of(-719_529), of(2_932_897)), (None, None));
}
