//! What is in use under a name is there, and its copies are what was promoted.

use super::{Finding, check_output, missing_objects, relative, unlisted};
use crate::alias::{self, Alias};
use crate::error::{Error, ExitCode};
use crate::outputs::Expected;
use crate::project::Project;
use crate::store::OutputFile;

/// Looks at every alias.
pub(super) fn check(project: &Project, findings: &mut Vec<Finding>) -> Result<(), Error> {
    for name in project.aliases.names()? {
        match project.aliases.read(&name) {
            Ok(alias) => findings.extend(check_one(project, &name, &alias.unwrap_or_default())),
            Err(error) => {
                let hint = format!("`pipeline promote RUN --alias {name}` once it is removed");
                findings.push(Finding::new(ExitCode::Corrupt, error.to_string(), hint));
            }
        }
    }
    Ok(())
}

fn check_one(project: &Project, name: &str, alias: &Alias) -> Vec<Finding> {
    let Some(current) = alias.current() else { return Vec::new() };
    let laid = alias::laid(project, alias);
    let mut findings = missing_objects(project, &laid, &format!("alias {name}"));
    let dir = project.aliases.copies(name);
    let hint = format!("`pipeline promote {} --alias {name}` lays it out again", current.run);
    let said = format!("what `{name}` stands for");
    let of_file =
        |file: &OutputFile| check_output(project, &dir.join(&file.path), &file.digest, &said);
    let wrong = laid.files.iter().filter_map(of_file);
    findings.extend(wrong.map(|finding| Finding { hint: hint.clone(), ..finding }));
    match Expected::new(&dir, &laid).strangers() {
        Ok(strangers) => findings.extend(strangers.iter().map(|path| {
            let message = format!("`{}` is no part of {said}", relative(project, path));
            Finding::new(ExitCode::Drift, message, hint.clone())
        })),
        Err(error) => findings.push(unlisted(project, &dir, &error)),
    }
    findings
}
