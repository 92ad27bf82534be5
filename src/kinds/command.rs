//! `command`: any program as a stage.
//!
//! The engine does it all, because running programs needs no machine learning; this file lends it
//! the fingerprint of its code.

use engine::command::Command;

/// The kind `command`.
pub const COMMAND: Command = Command::new(|| super::code("command"));
