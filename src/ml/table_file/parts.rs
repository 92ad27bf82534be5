//! A directory as one table: its files are parts, in the order of their paths.
//!
//! Directories named `key=value`, as Hive and Spark write them, give a column of that name. Hidden
//! files and those that begin with `_` are passed over, as those programs do; any other file that
//! is no table is a mistake, because rows must not be left out in silence.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;

use super::{Format, Part, join, parse};
use crate::ml::infer;
use crate::ml::table::{Column, Table, Values};

/// What stands for a missing value in the name of a directory.
const MISSING: &str = "__HIVE_DEFAULT_PARTITION__";

/// Deeper directories than this are taken for a circle of links.
const MAX_DEPTH: usize = 32;

/// Reads all parts below a directory as one table.
///
/// # Errors
/// The part that cannot be read or does not fit the first one, by its path below the directory.
pub(super) fn read(dir: &Path) -> anyhow::Result<Table> {
    let mut files = Vec::new();
    walk(dir, 0, &mut files)?;
    let told = |path: &Path| path.strip_prefix(dir).unwrap_or(path).display().to_string();
    files.sort_by_key(|path| told(path).into_bytes());
    ensure!(!files.is_empty(), "there is no CSV, Parquet or Arrow file in the directory");
    let parsed: Vec<anyhow::Result<Part>> =
        files.par_iter().map(|path| parse(path).with_context(|| told(path))).collect();
    let parsed: Vec<Part> = parsed.into_iter().collect::<anyhow::Result<_>>()?;
    let keys: Vec<Vec<(String, String)>> =
        files.iter().map(|path| keys(path.strip_prefix(dir).unwrap_or(path))).collect();
    let names = |at: usize| -> Vec<&str> {
        let own = parsed[at].names();
        own.into_iter().chain(keys[at].iter().map(|(key, _)| key.as_str())).collect()
    };
    for at in 1..files.len() {
        let (first, other) = (names(0), names(at));
        ensure!(
            first == other,
            "{} has the columns {} where {} has {}: parts of one table have the same columns",
            told(&files[at]),
            other.join(", "),
            told(&files[0]),
            first.join(", ")
        );
    }
    let rows: Vec<usize> = parsed.iter().map(Part::rows).collect();
    let mut columns = join(parsed)?.columns().to_vec();
    columns.extend(said(&keys, &rows));
    Ok(Table::new(columns)?)
}

impl Part {
    fn names(&self) -> Vec<&str> {
        match self {
            Part::Texts { names, .. } => names.iter().map(String::as_str).collect(),
            Part::Typed(table) => table.names().collect(),
        }
    }

    fn rows(&self) -> usize {
        match self {
            Part::Texts { frame, .. } => frame.height(),
            Part::Typed(table) => table.rows(),
        }
    }
}

fn walk(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    ensure!(depth <= MAX_DEPTH, "directories are nested more than {MAX_DEPTH} deep");
    for entry in fs::read_dir(dir).context("cannot read the directory")? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match path.is_dir() {
            _ if name.starts_with(['.', '_']) => {}
            true => walk(&path, depth + 1, files)?,
            false if Format::of(&path).is_some() => files.push(path),
            false => bail!("{name} is neither CSV nor Parquet nor Arrow: move it elsewhere"),
        }
    }
    Ok(())
}

/// What the directories above a file say of its rows.
fn keys(path: &Path) -> Vec<(String, String)> {
    let parents = path.parent().into_iter().flat_map(Path::components);
    let names = parents.map(|part| part.as_os_str().to_string_lossy().into_owned());
    names.filter_map(|name| name.split_once('=').map(|(k, v)| (k.into(), v.into()))).collect()
}

/// The columns that directories say, one value for all rows of a part.
fn said(keys: &[Vec<(String, String)>], rows: &[usize]) -> Vec<Column> {
    let names = keys.first().map(Vec::as_slice).unwrap_or_default();
    let column = |(at, (name, _)): (usize, &(String, String))| {
        let mut texts = Vec::new();
        for (keys, rows) in keys.iter().zip(rows) {
            let text = Some(keys[at].1.as_str()).filter(|text| *text != MISSING);
            texts.extend(vec![text; *rows]);
        }
        Column::new(name, infer::values(&texts))
    };
    names.iter().enumerate().map(column).collect()
}

/// One table of the rows of tables that have the same columns; whole numbers become numbers where
/// another part has those, and a column without any value takes the type of the others.
pub(super) fn stacked(tables: &[Table]) -> anyhow::Result<Table> {
    let mut columns = Vec::new();
    for (at, first) in tables.first().into_iter().flat_map(Table::columns).enumerate() {
        let parts: Vec<&Column> = tables.iter().map(|table| &table.columns()[at]).collect();
        columns.push(Column::new(&first.name, values(&parts)?));
    }
    Ok(Table::new(columns)?)
}

fn values(parts: &[&Column]) -> anyhow::Result<Values> {
    let with_values = || parts.iter().filter(|part| part.missing() < part.len());
    let types: BTreeSet<&str> = with_values().map(|part| part.ty().name()).collect();
    let all = || parts.iter().flat_map(|part| (0..part.len()).map(move |row| (*part, row)));
    let types: Vec<&str> = types.into_iter().collect();
    Ok(match types.as_slice() {
        ["boolean"] => Values::Boolean(
            all().map(|(part, row)| part.number(row).map(|number| number != 0.0)).collect(),
        ),
        ["integer"] => Values::Integer(all().map(|(part, row)| whole(part, row)).collect()),
        ["number"] | ["integer", "number"] => {
            Values::Number(all().map(|(part, row)| part.number(row).unwrap_or(f64::NAN)).collect())
        }
        [] | ["text"] => Values::Text(all().map(|(part, row)| part.text(row)).collect()),
        several => {
            let name = parts.first().map_or("", |part| part.name.as_str());
            bail!("column `{name}` is {} in different parts", several.join(" and "))
        }
    })
}

fn whole(column: &Column, row: usize) -> Option<i64> {
    match &column.values {
        Values::Integer(values) => values[row],
        _ => None,
    }
}
