//! Tests of tables in files: types, bytes, parts, and what is refused.

use super::*;
use crate::ml::table::{ColumnType, Values};
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
    let expected = [ColumnType::Text, ColumnType::Integer, ColumnType::Number, ColumnType::Boolean];
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

fn write_all(path: &Path, table: &Table) {
    write_parquet(path, table, &(0..table.rows()).collect::<Vec<_>>()).unwrap();
}

#[test]
fn rows_are_written_in_the_order_asked_for_group_by_group() {
    let n = ROW_GROUP_ROWS + 3;
    let column = Column::new("x", Values::Integer((0..n as i64).map(Some).collect()));
    let table = Table::new(vec![column]).unwrap();
    let (_dir, path) = file("a.parquet", b"");
    let rows: Vec<usize> = (0..n).rev().collect();
    write_parquet(&path, &table, &rows).unwrap();
    assert_eq!(read(&path).unwrap(), table.take(&rows));
}

#[test]
fn a_table_is_the_same_after_parquet_and_so_are_its_bytes() {
    let (dir, path) = file("any", b"");
    write_all(&path, &mixed());
    let again = dir.path().join("again.parquet");
    write_all(&again, &mixed());
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

/// A directory with these files.
fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
fn refused(files: &[(&str, &[u8])], expected: &str) {
    let told = format!("{:#}", read(directory(files).path()).unwrap_err());
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_compressed_table_is_the_table_whatever_it_is_called() {
    let text = "id,x\n007,1.5\n008,2\n";
    let plain = read_text(text).unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for (name, bytes) in [("t.csv.gz", gzip(text)), ("t.csv.zst", zstd.clone()), ("t.csv", zstd)] {
        let (_dir, path) = file(name, &bytes);
        assert_eq!(read(&path).unwrap(), plain, "{name}");
    }
    let twice = [gzip("id,x\n007,1.5\n"), gzip("008,2\n")].concat();
    let (_dir, path) = file("t.csv.gz", &twice);
    assert_eq!(read(&path).unwrap(), plain, "gzip members follow each other");
    let (_dir, path) = file("t.tsv.gz", &gzip("id\tx\n007\t1.5\n008\t2\n"));
    assert_eq!(read(&path).unwrap(), plain);
    let mut cut = gzip(text);
    cut.truncate(cut.len() - 9);
    let (_dir, path) = file("t.csv.gz", &cut);
    let told = format!("{:#}", read(&path).unwrap_err());
    assert!(told.starts_with("t.csv.gz: the gzip data is damaged"), "{told}");
}

#[test]
fn parts_are_one_table_in_the_order_of_their_paths() {
    let dir = directory(&[
        ("b.csv", b"id,x\n3,0.5\n"),
        ("a.csv.gz", &gzip("id,x\n1,1\n2,\n")),
        ("_SUCCESS", b""),
        (".b.csv.crc", b"crc"),
    ]);
    let whole = read_text("id,x\n1,1\n2,\n3,0.5\n").unwrap();
    assert_eq!(read(dir.path()).unwrap(), whole, "types follow from the rows of all parts");
    let parquet = tempfile::tempdir().unwrap();
    let part = |name: &str, text: &str| {
        write_all(&parquet.path().join(name), &read_text(text).unwrap());
    };
    part("1.parquet", "id,x\n1,1\n2,\n");
    part("2.parquet", "id,x\n3,0.5\n");
    assert_eq!(read(parquet.path()).unwrap(), whole, "whole numbers widen");
}

#[test]
fn directories_that_say_a_value_give_a_column() {
    let dir = directory(&[
        ("month=2/plan=b/0.csv", b"x\n3\n"),
        ("month=1/plan=a/0.csv", b"x\n1\n2\n"),
        ("month=10/plan=__HIVE_DEFAULT_PARTITION__/0.csv", b"x\n4\n"),
    ]);
    let table = read(dir.path()).unwrap();
    assert_eq!(table.names().collect::<Vec<_>>(), ["x", "month", "plan"]);
    // By the bytes of the path: month=1, month=10, month=2.
    let months = Values::Integer([1, 1, 10, 2].map(Some).to_vec());
    assert_eq!(table.column("month").unwrap().values, months);
    let plans: Vec<_> = (0..4).map(|row| table.column("plan").unwrap().text(row)).collect();
    assert_eq!(plans, [Some("a".into()), Some("a".into()), None, Some("b".into())]);
}

#[test]
fn parts_that_do_not_fit_are_told_with_their_names() {
    refused(
        &[("a.csv", b"x\n1\n"), ("b.csv", b"y\n1\n")],
        "b.csv has the columns y where a.csv has x",
    );
    refused(&[("a.csv", b"x\n1\n"), ("k=1/b.csv", b"x\n1\n")], "k=1/b.csv has the columns x, k");
    refused(&[("k=1/x=2/a.csv", b"x\n1\n")], "two columns have the name `x`");
    refused(
        &[("a.csv", b"x\n1\n"), ("notes.txt", b"")],
        "notes.txt is neither CSV nor Parquet nor Arrow",
    );
    refused(&[("a.csv", b"x\n1\n"), ("b.csv", b"x\n1,2\n")], "b.csv: line 2");
    refused(&[("_SUCCESS", b"")], "no CSV, Parquet or Arrow file");
    let told = format!("{:#}", read(Path::new("/nowhere/*.csv")).unwrap_err());
    assert!(told.contains("is a pattern: name the directory"), "{told}");
}
