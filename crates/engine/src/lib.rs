//! The engine of `pipeline`: it reads a graph of stages, runs what has to run, and keeps proof.
//!
//! It knows no machine learning, no HTTP and no terminal, never prints and never reads the clock
//! or the environment for a result. In reading order: a *spec* is the pipeline as written, a
//! *graph* as meant; a stage's *recipe* is all that determines its outputs and its digest is the
//! *key* under which the *store* keeps the *outcome*; the *schedule* runs what has none; a *record*
//! tells what one run yielded; *diff* and *verify* compare records and bytes.

pub mod absent;
pub mod alias;
mod bring;
pub mod build;
pub mod canonical;
mod clock;
pub mod command;
mod control;
mod crew;
mod data;
pub mod diff;
pub mod digest;
pub mod entries;
pub mod error;
pub mod exclusion;
pub mod export;
pub mod faults;
mod files;
pub mod gc;
pub mod graph;
mod interpreter;
pub mod kind;
mod layers;
mod layout;
pub mod lock;
mod look;
mod memory;
mod needed;
pub mod node;
pub mod observed;
mod once;
mod order;
pub mod outcome;
pub mod outputs;
mod overlay;
mod own;
pub mod params;
pub mod plan;
mod plug;
pub mod project;
mod publish;
mod reader;
pub mod reason;
pub mod recipe;
pub mod record;
mod room;
pub mod schedule;
pub mod scratch;
pub mod select;
mod sorted;
pub mod spec;
pub mod stat;
pub mod store;
pub mod surroundings;
pub mod sweep;
mod tokens;
mod tool;
pub mod turn;
mod variants;
pub mod verify;
pub mod witness;
pub mod work;
