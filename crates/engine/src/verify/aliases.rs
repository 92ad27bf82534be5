//! What is in use under a name is there, and its copy is what was promoted.

use super::{Finding, check_output, missing_objects, relative};
use crate::alias;
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

fn check_one(project: &Project, name: &str, alias: &alias::Alias) -> Vec<Finding> {
    let mut findings = Vec::new();
    for promoted in alias.stack() {
        let outcome = alias::as_outcome(promoted);
        findings.extend(missing_objects(project, &outcome, &format!("alias {name}")));
    }
    let Some(current) = alias.current() else { return findings };
    let dir = project.aliases.copy(name);
    let hint = format!("`pipeline promote {} --alias {name}` lays it out again", current.run);
    let said = format!("what `{name}` stands for");
    let of_file =
        |file: &OutputFile| check_output(project, &dir.join(&file.path), &file.digest, &said);
    let wrong = current.files.iter().filter_map(of_file);
    findings.extend(wrong.map(|finding| Finding { hint: hint.clone(), ..finding }));
    let paths = current.files.iter().map(|file| file.path.as_str());
    for path in Expected::of_paths(&dir, paths).strangers().unwrap_or_default() {
        let message = format!("`{}` is no part of {said}", relative(project, &path));
        findings.push(Finding::new(ExitCode::Drift, message, hint.clone()));
    }
    findings
}
