//! `pipeline init TABLE --target COLUMN`: a runnable project in this directory.
//!
//! What can be told from the table is written out as a first guess, each with a comment that says
//! why, for a person to change: roles of columns, expectations, two learners. All is checked before
//! anything is written, and `pipeline.toml` is written last.

mod texts;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::error::{ExitCode, suggestion};
use engine::spec;

use super::ended;
use super::suite::{self, quoted};
use crate::cli::{Global, Init as Args, Task};
use crate::ml::profile::{self, ColumnProfile, Limits, Profile};
use crate::ml::schema::{FieldType, Role, Roles, Schema};
use crate::ml::table::{Column, Table};
use crate::ml::{suggest, table_file, target};
use crate::terminal::Terminal;

/// The seed that a new project begins with; any other is as good.
const SEED: u64 = 1;

pub(super) fn init(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let here = match &global.project {
        Some(dir) => dir.clone(),
        None => std::env::current_dir()?,
    };
    if global.profile.is_some() || !global.set.is_empty() {
        let message = "a new project has nothing that `--profile` or `--set` could be laid over";
        return Err(ended(ExitCode::Usage, message));
    }
    if !here.is_dir() {
        let message = format!("`{}` is no directory; make it first", here.display());
        return Err(ended(ExitCode::Missing, message));
    }
    for name in [spec::FILE_NAME, "stages"] {
        if here.join(name).exists() {
            let message = format!("`{name}` is already here; `pipeline init` wants a new project");
            return Err(ended(ExitCode::Usage, message));
        }
    }
    let (data, is_inside) = data_path(&here, &args.table)?;
    let table = table_file::read(&args.table);
    let table = table.map_err(|error| ended(ExitCode::Usage, format!("{error:#}")))?;
    let guess = Guess::of(&table, args)?;
    if !is_inside && here.join(&data).exists() {
        let message = format!("`{}` is already here; name that file, or move it", data.display());
        return Err(ended(ExitCode::Usage, message));
    }
    if !is_inside {
        fs::create_dir_all(here.join("data"))?;
        fs::copy(&args.table, here.join(&data)).context("cannot copy the table")?;
    }
    fs::create_dir(here.join("stages"))?;
    for (name, text) in guess.stages() {
        fs::write(here.join("stages").join(format!("{name}.toml")), text)?;
    }
    // The outputs are made from what is committed, and are large.
    if !here.join(".gitignore").exists() {
        fs::write(here.join(".gitignore"), "/outputs\n")?;
    }
    // Last, because this file makes the directory a project.
    fs::write(here.join(spec::FILE_NAME), guess.pipeline(&project_name(&here), &data))?;
    terminal.out(&format!(
        "made a project for {} rows and {} columns, to predict {}",
        table.rows(),
        table.columns().len(),
        guess.predicted.told(&args.target)
    ));
    guess.notes().iter().for_each(|note| terminal.out(&format!("  {note}")));
    terminal.out("next: read `pipeline.toml`, then `pipeline run`");
    Ok(ExitCode::Ok)
}

/// Where the table is to be, from the project: a table inside stays, any other is copied.
fn data_path(here: &Path, table: &Path) -> anyhow::Result<(PathBuf, bool)> {
    let full = fs::canonicalize(table)
        .with_context(|| format!("cannot read `{}`", table.display()))
        .map_err(|error| ended(ExitCode::Missing, format!("{error:#}")))?;
    if let Ok(inside) = full.strip_prefix(fs::canonicalize(here)?) {
        return Ok((inside.to_owned(), true));
    }
    let name = full.file_name().context("the table has no file name")?;
    Ok((Path::new("data").join(name), false))
}

fn project_name(here: &Path) -> String {
    let name = here.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if name.is_empty() { "pipeline".to_owned() } else { name }
}

/// What is to be predicted.
enum Predicted {
    /// The second of two classes.
    Class(target::Classes),
    /// The number itself.
    Number,
}

impl Predicted {
    /// What the target column holds for the declared task.
    fn of(column: &Column, args: &Args) -> Result<Predicted, String> {
        if args.task == Task::Regression {
            if args.positive.is_some() {
                return Err("a regression has no positive class: leave `--positive` out".to_owned());
            }
            return target::numbers(column).map(|_| Predicted::Number);
        }
        let positive = args.positive.as_ref().map(|text| {
            serde_json::from_str(text)
                .ok()
                .filter(|value: &serde_json::Value| !value.is_object() && !value.is_array())
                .unwrap_or_else(|| text.as_str().into())
        });
        let classes = target::classes(column, positive.as_ref());
        classes.map(Predicted::Class).map_err(|error| match target::numbers(column) {
            Ok(_) => format!("{error}; `--task regression` predicts the number itself"),
            Err(_) => error,
        })
    }

    fn told(&self, target: &str) -> String {
        match self {
            Predicted::Class(classes) => format!("`{target}` = {}", target::show(&classes[1])),
            Predicted::Number => format!("the number `{target}`"),
        }
    }

    /// What every stage is told of it.
    fn defaults(&self) -> String {
        match self {
            Predicted::Class(classes) => {
                format!("# The value of the target that is predicted.\npositive = {}", classes[1])
            }
            Predicted::Number => "# The target is a number and no class.\n\
                                  task = \"regression\""
                .to_owned(),
        }
    }
}

/// What can be told from the table.
struct Guess {
    target: String,
    predicted: Predicted,
    id: Option<String>,
    ignored: Vec<String>,
    profile: Profile,
    schema: Schema,
}

impl Guess {
    fn of(table: &Table, args: &Args) -> anyhow::Result<Guess> {
        let wrong = |message: String| ended(ExitCode::Usage, message);
        let Some(column) = table.column(&args.target) else {
            let hint = suggestion(&args.target, table.names()).unwrap_or_else(|| {
                format!("it has {}", table.names().collect::<Vec<_>>().join(", "))
            });
            return Err(wrong(format!("the table has no column `{}`; {hint}", args.target)));
        };
        let predicted = Predicted::of(column, args).map_err(wrong)?;
        let limits = Limits::default();
        let (profile, schema) = profile::profile(table, &Roles::new(), limits);
        let id = profile.columns.iter().find(|c| is_id(c, &args.target, profile.rows));
        let id = id.map(|column| column.name.clone());
        let is_ignored = |column: &&ColumnProfile| {
            let is_useless = column.ty == FieldType::Text
                || is_called_id(&column.name)
                || table.column(&column.name).is_some_and(is_dates);
            is_useless && column.name != args.target && Some(&column.name) != id.as_ref()
        };
        let ignored = profile.columns.iter().filter(is_ignored).map(|c| c.name.clone()).collect();
        let target = args.target.clone();
        let mut guess = Guess { target, predicted, id, ignored, profile, schema };
        (guess.profile, guess.schema) = profile::profile(table, &guess.roles(), limits);
        Ok(guess)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        match &self.id {
            Some(id) => notes.push(format!("`{id}` names the rows")),
            None => notes.push("no column names the rows: their whole content does".to_owned()),
        }
        for name in &self.ignored {
            notes.push(format!("`{name}` is free text, dates, or ids that repeat: it is not used"));
        }
        notes
    }

    fn pipeline(&self, name: &str, data: &Path) -> String {
        let mut roles = String::new();
        if let Some(id) = &self.id {
            roles.push_str(&format!("{} = \"id\"  # names a row; never a feature\n", key(id)));
        }
        for ignored in &self.ignored {
            roles.push_str(&format!(
                "{} = \"ignore\"  # free text, dates, or ids that repeat\n",
                key(ignored)
            ));
        }
        roles.push_str(&format!("{} = \"target\"\n", key(&self.target)));
        format!(
            "# A pipeline: what it is made from and of which stages. `pipeline run` computes what\n\
             # has changed, `pipeline why STAGE` says why, `pipeline config --origin` what holds.\n\
             name = {name}\n\
             # Every random draw follows from this number.\n\
             seed = {SEED}\n\
             # In reading order; each is `stages/NAME.toml`.\n\
             stages = [\"profile\", \"validate\", \"split\", \"train\", \"evaluate\", \"log\", \
             \"package\", \"serve\"]\n\n\
             # Inputs, by name; the program only reads them.\n\
             [data]\n\
             table = {data}\n\n\
             # Parameters of every stage whose kind knows them.\n\
             [defaults]\n\
             {predicted}\n\n\
             # Roles: id, target, feature, segment, weight, ignore. A column that is not listed\n\
             # is a feature; a list of roles, as in [\"feature\", \"segment\"], gives it several.\n\
             [defaults.columns]\n\
             {roles}",
            name = quoted(name),
            data = quoted(&data.to_string_lossy()),
            predicted = self.predicted.defaults(),
        )
    }

    /// The stage files by name.
    fn stages(&self) -> Vec<(&'static str, String)> {
        let (train, evaluate) = match self.predicted {
            Predicted::Class(_) => (texts::TRAIN, texts::EVALUATE),
            Predicted::Number => (texts::TRAIN_NUMBER, texts::EVALUATE_NUMBER),
        };
        let fixed = [
            ("profile", texts::PROFILE),
            ("split", texts::SPLIT),
            ("train", train),
            ("evaluate", evaluate),
            ("log", texts::LOG),
            ("package", texts::PACKAGE),
            ("serve", texts::SERVE),
        ];
        let fixed = fixed.into_iter().map(|(name, text)| (name, text.to_owned()));
        fixed.chain([("validate", self.validate())]).collect()
    }

    fn validate(&self) -> String {
        suite::stage(&suggest::suite(&self.profile, Some(&self.schema)), "data.table")
    }

    /// The roles that the table suggests.
    fn roles(&self) -> Roles {
        let role = |name: &String, role| (name.clone(), vec![role]);
        let ignored = self.ignored.iter().map(|name| role(name, Role::Ignore));
        let id = self.id.iter().map(|name| role(name, Role::Id));
        ignored.chain(id).chain([role(&self.target, Role::Target)]).collect()
    }
}

/// A column that names rows: no value is missing or comes twice, and it is a text or is called so.
fn is_id(column: &ColumnProfile, target: &str, rows: usize) -> bool {
    let is_called_so = is_called_id(&column.name);
    let fits = match column.ty {
        FieldType::Text | FieldType::Category => true,
        FieldType::Integer => is_called_so,
        FieldType::Number | FieldType::Boolean => false,
    };
    fits && column.name != target && column.missing == 0 && column.distinct == rows
}

/// Whether every value begins as a date does: a day of the data is no category of another day.
fn is_dates(column: &Column) -> bool {
    let is_date = |text: String| {
        let pattern = "dddd-dd-dd";
        let fits = |(c, p): (char, char)| if p == 'd' { c.is_ascii_digit() } else { c == p };
        text.len() >= pattern.len() && text.chars().zip(pattern.chars()).all(fits)
    };
    let mut dates = (0..column.len()).filter_map(|row| column.text(row)).map(is_date).peekable();
    dates.peek().is_some() && dates.all(|is_date| is_date)
}

fn is_called_id(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower == "id"
        || ["_id", " id", "-id"].iter().any(|end| lower.ends_with(end))
        || ["ID", "Id"].iter().any(|end| name.ends_with(end))
}

/// A name as a TOML key: bare where that is allowed.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}
