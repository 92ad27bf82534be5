//! Which files a program asked for in vain, found by running it once more and watching it.
//!
//! The kernel refuses and does not tell, and a program may catch the error and say nothing of it.
//! `strace` tells, where it is installed; it needs no rights of its own. What the watched program
//! writes is thrown away with its room.

use std::path::{Path, PathBuf};

/// The name of the program that watches.
pub(super) const WATCHER: &str = "strace";

/// The arguments that make it watch a program and write down what it asks for.
pub(super) fn arguments(log: &Path, program: &Path, arguments: &[String]) -> Vec<String> {
    let mut words: Vec<String> = ["-f", "-qq", "-s", "4096", "-e", "trace=%file", "-o"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    words.extend([log.display().to_string(), program.display().to_string()]);
    words.extend(arguments.iter().cloned());
    words
}

/// The paths that could not be opened or run, because they were refused or are not there.
pub(super) fn in_vain(log: &str) -> Vec<PathBuf> {
    const CALLS: [&str; 4] = ["open(", "openat(", "openat2(", "execve("];
    const ENDS: [&str; 2] = [" = -1 EACCES", " = -1 ENOENT"];
    let lines = log.lines().filter(|line| ENDS.iter().any(|end| line.contains(end)));
    let lines = lines.filter(|line| CALLS.iter().any(|call| line.contains(call)));
    let path = |line: &str| {
        let (_, rest) = line.split_once('"')?;
        let (path, _) = rest.split_once("\", ")?;
        // What is escaped is no name that could be told.
        (!path.contains('\\')).then(|| PathBuf::from(path))
    };
    lines.filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_or_missing_is_found() {
        let log = "1 openat(AT_FDCWD, \"/etc/ld.so.cache\", O_RDONLY|O_CLOEXEC) = 3\n\
                   1 openat(AT_FDCWD, \"../conf.ini\", O_RDONLY) = -1 EACCES (Permission denied)\n\
                   2 execve(\"bin/x\", [\"x\"], 0x7ff /* 3 vars */) = -1 ENOENT (No such file)\n\
                   2 stat(\"data/y\", 0x7ff) = -1 ENOENT (No such file or directory)\n";
        assert_eq!(in_vain(log), [Path::new("../conf.ini"), Path::new("bin/x")]);
    }
}
