//! The kinds of stages. Each file is thin: ports, parameters, and a call into `ml`.
//!
//! To add one: a file here, a line in `KINDS`. Help, checks and fingerprints follow from that.

pub mod calibrate;
pub mod command;
pub mod evaluate;
pub mod log;
pub mod package;
pub mod profile;
pub mod serve;
pub mod shared;
pub mod split;
pub mod train;
pub mod validate;

use engine::digest::Digest;
use engine::kind::Kind;

include!(concat!(env!("OUT_DIR"), "/code.rs"));

/// All kinds, in the order in which a pipeline usually has them.
pub const KINDS: &[&dyn Kind] = &[
    &profile::Profile,
    &validate::Validate,
    &split::Split,
    &train::Train,
    &calibrate::Calibrate,
    &evaluate::Evaluate,
    &log::Log,
    &package::Package,
    &command::COMMAND,
    &serve::Serve,
];

/// The fingerprint of a kind's code: the name of its file in this directory names it.
fn code(kind: &str) -> Digest {
    let found = CODE.iter().find(|(name, _)| *name == kind).and_then(|(_, hex)| hex.parse().ok());
    found.unwrap_or_else(|| panic!("`src/kinds/{kind}.rs` does not exist"))
}
