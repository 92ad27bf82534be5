//! stub
use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
/// x
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// x
    pub kind: String,
    /// x
    pub code: Digest,
    /// x
    pub params: Value,
    /// x
    pub seed: Option<u64>,
    /// x
    pub inputs: BTreeMap<String, Vec<PluggedDigest>>,
}
/// x
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluggedDigest {
    /// name
    pub name: String,
    /// d
    pub digest: Digest,
}
