//! Tests of files that strangers send: what they would become is told before it is.

use polars_parquet_format::thrift::protocol::TCompactOutputProtocol;
use polars_parquet_format::{
    ColumnChunk, ColumnMetaData, CompressionCodec, DataPageHeader, DictionaryPageHeader,
    FieldRepetitionType, FileMetaData, RowGroup, SchemaElement, Type,
};

use super::*;
use crate::ml::random::Random;
use crate::ml::table_file::Groups;

/// A file of one column `x`, whose rows are all 7: a dictionary of one value, and a run of it. What
/// is said of it may be untrue.
#[derive(Clone, Copy)]
struct Run {
    /// How many rows the end of the file claims.
    rows: i64,
    /// How many values the page claims, and has.
    values: i32,
    /// How large the dictionary is opened, if not as large as it is.
    opened: Option<i32>,
    encoding: Encoding,
    /// How many columns are these same bytes.
    columns: usize,
}

const RUN: Run =
    Run { rows: 5, values: 5, opened: None, encoding: Encoding::RLE_DICTIONARY, columns: 1 };

impl Run {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = PARQUET_MAGIC.to_vec();
        let dictionary =
            DictionaryPageHeader { num_values: 1, encoding: Encoding::PLAIN, is_sorted: None };
        let header = PageHeader {
            dictionary_page_header: Some(dictionary),
            ..of_type(PageType::DICTIONARY_PAGE, self.opened.unwrap_or(4), 4)
        };
        written(&mut bytes, |out| header.write_to_out_protocol(out).unwrap());
        bytes.extend(7_i32.to_le_bytes());
        // One bit per index; then a run: twice its length, and the index.
        let (mut page, mut run) = (vec![1], u64::from(self.values.unsigned_abs()) << 1);
        while run >= 0x80 {
            page.push(run as u8 | 0x80);
            run >>= 7;
        }
        page.extend([run as u8, 0]);
        let data = DataPageHeader {
            num_values: self.values,
            encoding: self.encoding,
            definition_level_encoding: Encoding::RLE,
            repetition_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let len = page.len() as i32;
        let header =
            PageHeader { data_page_header: Some(data), ..of_type(PageType::DATA_PAGE, len, len) };
        written(&mut bytes, |out| header.write_to_out_protocol(out).unwrap());
        bytes.extend(page);
        let start = bytes.len();
        let footer = self.footer(start as i64 - 4);
        written(&mut bytes, |out| footer.write_to_out_protocol(out).unwrap());
        let len = (bytes.len() - start) as u32;
        bytes.extend(len.to_le_bytes());
        bytes.extend(PARQUET_MAGIC);
        bytes
    }

    fn footer(self, size: i64) -> FileMetaData {
        let names: Vec<String> = (0..self.columns).map(|at| format!("x{at}")).collect();
        let root = SchemaElement {
            type_: None,
            repetition_type: None,
            num_children: Some(self.columns as i32),
            ..element("root")
        };
        let chunk = |name: &String| ColumnChunk {
            file_path: None,
            file_offset: 4,
            meta_data: Some(self.column(name, size)),
            offset_index_offset: None,
            offset_index_length: None,
            column_index_offset: None,
            column_index_length: None,
            crypto_metadata: None,
            encrypted_column_metadata: None,
        };
        let group = RowGroup {
            columns: names.iter().map(chunk).collect(),
            total_byte_size: size,
            num_rows: self.rows,
            sorting_columns: None,
            file_offset: None,
            total_compressed_size: None,
            ordinal: None,
        };
        FileMetaData {
            version: 1,
            schema: [root].into_iter().chain(names.iter().map(|name| element(name))).collect(),
            num_rows: self.rows,
            row_groups: vec![group],
            key_value_metadata: None,
            created_by: None,
            column_orders: None,
            encryption_algorithm: None,
            footer_signing_key_metadata: None,
        }
    }

    fn column(self, name: &str, size: i64) -> ColumnMetaData {
        ColumnMetaData {
            type_: Type::INT32,
            encodings: vec![self.encoding],
            path_in_schema: vec![name.to_owned()],
            codec: CompressionCodec::UNCOMPRESSED,
            num_values: self.rows,
            total_uncompressed_size: size,
            total_compressed_size: size,
            key_value_metadata: None,
            // Not asked for where a dictionary stands before it.
            data_page_offset: 4,
            index_page_offset: None,
            dictionary_page_offset: Some(4),
            statistics: None,
            encoding_stats: None,
            bloom_filter_offset: None,
            bloom_filter_length: None,
            size_statistics: None,
        }
    }
}

fn of_type(type_: PageType, opened: i32, size: i32) -> PageHeader {
    PageHeader {
        type_,
        uncompressed_page_size: opened,
        compressed_page_size: size,
        crc: None,
        data_page_header: None,
        index_page_header: None,
        dictionary_page_header: None,
        data_page_header_v2: None,
    }
}

fn element(name: &str) -> SchemaElement {
    SchemaElement {
        type_: Some(Type::INT32),
        type_length: None,
        repetition_type: Some(FieldRepetitionType::REQUIRED),
        name: name.to_owned(),
        num_children: None,
        converted_type: None,
        scale: None,
        precision: None,
        field_id: None,
        logical_type: None,
    }
}

fn written(
    bytes: &mut Vec<u8>,
    write: impl FnOnce(&mut TCompactOutputProtocol<&mut Vec<u8>>) -> usize,
) {
    assert!(write(&mut TCompactOutputProtocol::new(bytes)) > 0);
}

/// What a megabyte, and no more, may become.
const BUDGET: u64 = 1 << 20;

#[track_caller]
fn is_too_large(bytes: Vec<u8>) {
    let read = read_bounded(bytes, BUDGET);
    assert!(matches!(read, Err(Unusable::TooLarge)), "{read:?}");
}

#[track_caller]
fn is_invalid(bytes: Vec<u8>, told: &str) {
    match read_bounded(bytes, BUDGET) {
        Err(Unusable::Invalid(error)) => assert!(error.to_string().contains(told), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_says_the_truth_is_read() {
    let table = read_bounded(RUN.bytes(), BUDGET).unwrap();
    assert_eq!(table.columns()[0].values, Values::Integer(vec![Some(7); 5]));
    assert_eq!(read_bounded(Run { columns: 3, ..RUN }.bytes(), BUDGET).unwrap().columns().len(), 3);
}

#[test]
fn a_hundred_bytes_that_stand_for_a_thousand_million_rows_are_refused() {
    let billion = Run { rows: 1_000_000_000, values: 1_000_000_000, ..RUN };
    assert!(billion.bytes().len() < 200);
    is_too_large(billion.bytes());
    // And if the rows are claimed, and are not there.
    is_too_large(Run { rows: i64::MAX, ..RUN }.bytes());
}

#[test]
fn pages_are_believed_and_not_the_end_of_the_file() {
    is_invalid(Run { values: 1_000_000_000, ..RUN }.bytes(), "1000000000 values are in 5 rows");
    is_too_large(Run { opened: Some(i32::MAX), ..RUN }.bytes());
    is_invalid(Run { opened: Some(-1), ..RUN }.bytes(), "damaged");
    is_invalid(Run { rows: -1, ..RUN }.bytes(), "");
    is_invalid(Run { encoding: Encoding::DELTA_BYTE_ARRAY, ..RUN }.bytes(), "DELTA_BYTE_ARRAY");
}

#[test]
fn the_same_bytes_count_for_every_column_that_they_are() {
    let wide = Run { rows: 1000, values: 1000, columns: 100, ..RUN };
    is_too_large(wide.bytes());
    assert_eq!(read_bounded(wide.bytes(), 4 * BUDGET).unwrap().rows(), 1000);
}

/// The bytes of a table.
fn file(columns: Vec<Column>) -> Vec<u8> {
    let table = Table::new(columns).unwrap();
    let mut groups = Groups::begin(&table).unwrap();
    groups.push(&table).unwrap();
    groups.finish().unwrap();
    let mut bytes = Vec::new();
    groups.take(&mut bytes);
    bytes
}

#[test]
fn a_text_that_many_rows_point_at_counts_once_per_row() {
    let texts = vec![Some("long ".repeat(1000)); 500];
    let bytes = file(vec![Column::new("t", Values::Text(texts.into()))]);
    assert!(bytes.len() < 20_000, "{}", bytes.len());
    is_too_large(bytes.clone());
    assert_eq!(read_bounded(bytes, 8 * BUDGET).unwrap().rows(), 500);
}

#[test]
fn an_infinite_number_stays_one() {
    let bytes = Run { rows: 0, values: 0, ..RUN }.bytes();
    assert_eq!(read_bounded(bytes, BUDGET).unwrap().rows(), 0, "and there may be no rows");
    let found = column(&Series::new("x".into(), vec![1.5, f64::INFINITY]), &ArrowSchema::default())
        .unwrap();
    assert_eq!(found.values, Values::Number(vec![1.5, f64::INFINITY]));
}

#[test]
fn a_damaged_file_is_refused_or_read_and_nothing_else() {
    let whole = file(vec![
        Column::new("i", Values::Integer((0..40).map(Some).collect())),
        Column::new("x", Values::Number((0..40).map(f64::from).collect())),
        Column::new("b", Values::Boolean([Some(true), None].repeat(20))),
        Column::new(
            "t",
            Values::Text((0..40).map(|i| Some("a".to_owned()).filter(|_| i % 2 == 0)).collect()),
        ),
    ]);
    let mut random = Random::new([1; 32]);
    let mut n_refused = 0;
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.bits() as u8;
        }
        if random.below(8) == 0 {
            bytes.truncate(random.below(whole.len() as u64) as usize);
        }
        match read_bounded(bytes, BUDGET) {
            Ok(table) => assert!(table.rows() as u64 <= BUDGET / VALUE_COST),
            Err(_) => n_refused += 1,
        }
    }
    assert!(n_refused > 500, "{n_refused}");
}
