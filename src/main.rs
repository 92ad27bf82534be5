//! Parses the command line, calls the verb, ends with its exit code.

fn main() {}
