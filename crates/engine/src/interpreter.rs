//! What runs a script: the interpreter that its first line names.
//!
//! As the kernel reads the line, and as `env` reads what it is given there. Pure but for the look
//! at the beginning of a file; where a name leads is not known here.

use std::path::Path;

use crate::files;

/// How much of the line the kernel reads.
const LINE_BYTES: usize = 256;
/// What finds an interpreter by its name.
const ENV: &str = "env";

/// A program that a script is run by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// How the script asks for it, from `#!` on: `#!/bin/sh`, `#!/usr/bin/env python3`.
    pub(crate) line: String,
    /// Its path, or the name that it is looked up by.
    pub(crate) program: String,
}

/// The interpreters of a file, in the order in which they come into play; none if it is no script
/// or cannot be read.
pub(crate) fn of_file(path: &Path) -> Vec<Interpreter> {
    let mut head = [0; LINE_BYTES];
    let read = files::open(path).and_then(|file| files::read_at(&file, path, &mut head, 0));
    of_head(&head[..read.unwrap_or(0)])
}

/// The same of the beginning of a file.
fn of_head(head: &[u8]) -> Vec<Interpreter> {
    let line = head.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let Some(line) = line.and_then(|line| std::str::from_utf8(line).ok()) else {
        return Vec::new();
    };
    let line = line.trim_matches([' ', '\t', '\r']);
    let (program, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    // One that begins at the working directory is an input, or nothing.
    if !program.starts_with('/') {
        return Vec::new();
    }
    let first = Interpreter { line: format!("#!{program}"), program: program.to_owned() };
    let is_env = Path::new(program).file_name().is_some_and(|name| name == ENV);
    let second = found_by_env(argument.trim_start_matches([' ', '\t'])).filter(|_| is_env);
    let second = second
        .map(|name| Interpreter { line: format!("#!{program} {name}"), program: name.to_owned() });
    std::iter::once(first).chain(second).collect()
}

/// The program that `env` runs when it is given this one argument.
fn found_by_env(argument: &str) -> Option<&str> {
    let split = ["-S", "--split-string="].into_iter().find_map(|flag| argument.strip_prefix(flag));
    let name = match split {
        Some(words) => words.split_ascii_whitespace().find(|word| {
            let is_assignment = word.contains('=');
            !is_assignment && !word.starts_with('-')
        })?,
        None => argument,
    };
    (!name.is_empty() && !name.starts_with('-')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn told(head: &str, expected: &[(&str, &str)]) {
        let found = of_head(head.as_bytes());
        let found: Vec<_> = found.iter().map(|one| (&*one.line, &*one.program)).collect();
        assert_eq!(found, expected, "{head:?}");
    }

    #[test]
    fn a_script_names_its_interpreter() {
        told("#!/bin/sh\necho x\n", &[("#!/bin/sh", "/bin/sh")]);
        told("#! /usr/bin/perl -w\n", &[("#!/usr/bin/perl", "/usr/bin/perl")]);
        told("#!/bin/sh", &[("#!/bin/sh", "/bin/sh")]);
        told("#!bin/own\n", &[]);
        told("#!\n", &[]);
        told("\u{7f}ELF", &[]);
        told("", &[]);
    }

    #[test]
    fn what_env_finds_is_an_interpreter_too() {
        let env = ("#!/usr/bin/env", "/usr/bin/env");
        let python = ("#!/usr/bin/env python3", "python3");
        told("#!/usr/bin/env python3\n", &[env, python]);
        told("#!/usr/bin/env -S python3 -u\n", &[env, python]);
        told("#!/usr/bin/env -S -i A=1 python3 -u\r\n", &[env, python]);
        told("#!/usr/bin/env --split-string=python3 -u\n", &[env, python]);
        told("#!/usr/bin/env -i\n", &[env]);
        told("#!/usr/bin/env\n", &[env]);
    }
}
