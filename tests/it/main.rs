//! The tests of the whole product: the binary as a user calls it, and the rules of the house.
//!
//! One binary, because linking is what tests wait for. `lab` makes a project and runs verbs in it;
//! every other file is a list of promises.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod clients;
mod command;
mod contract;
mod disk;
mod docs;
mod drift;
mod example;
mod folds;
mod formats;
mod gc;
mod house;
mod idle;
mod interrupted;
mod killed;
mod lab;
mod mistakes;
mod numbers;
mod page;
mod parity;
mod parquet;
mod parts;
mod predictions;
mod prometheus;
mod promote;
mod real_data;
mod regression;
mod replay;
mod reproducible;
mod running;
mod scikit_learn;
mod seen;
mod selection;
mod service;
mod shadow;
mod small;
mod spans;
mod suggest;
mod swap;
mod tls;
mod transforms;
mod tune;
mod turns;
mod venv;
mod verbs;
mod weights;
