//! How a stage is run, as it is written: `timeout`, `retries`, `resources`, `exclusive`.
//!
//! None of it has a say in what a stage yields, so that it is no parameter and in no recipe.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::build::Builder;
use crate::error::{Diagnostic, suggestion};
use crate::graph::Control;
use crate::kind::{Kind, Role};
use crate::node::{Node, Shape};
use crate::reader::is_name;

/// The longest time-out: a year. What nobody waits for needs no limit.
const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The most often that a stage is tried again.
const MAX_RETRIES: u64 = 100;
/// The units of a time, with the seconds they stand for.
const UNITS: [(&str, f64); 5] =
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)];

impl Builder<'_> {
    /// The capacities under `[resources]`.
    pub(crate) fn capacities(&mut self) -> BTreeMap<String, u64> {
        let mut capacities = BTreeMap::new();
        for (name, node) in self.root().get("resources").iter().flat_map(|table| table.entries()) {
            if let Some(amount) = self.amount(name, node) {
                capacities.insert(name.clone(), amount);
            }
        }
        capacities
    }

    /// How a stage is run. What is wrong is told and left out.
    pub(crate) fn control(&mut self, node: &Node, kind: &'static dyn Kind) -> Control {
        for key in ["timeout", "retries"] {
            if let Some(written) = node.get(key).filter(|_| !kind.is_external()) {
                let name = kind.name();
                let message = format!("`{key}` is for kinds that run a program, not for `{name}`");
                let hint = format!("`{name}` works inside this process; take `{key}` out");
                let place = written.key.clone().or(written.place.clone());
                self.diagnostics.push(Diagnostic::new(message).at(place).hinted(hint));
            }
        }
        for key in ["resources", "exclusive"] {
            if let Some(written) = node.get(key).filter(|_| kind.role() == Role::Service) {
                let message = format!("`{key}` has no say: a service starts when all else is done");
                self.complain(message, written.key.clone().or(written.place.clone()));
            }
        }
        Control {
            timeout: node.get("timeout").and_then(|node| self.timeout(node)),
            retries: node.get("retries").map_or(0, |node| self.retries(node)),
            resources: self.resources(node),
            exclusive: node.get("exclusive").map_or_else(Vec::new, |node| self.exclusive(node)),
        }
    }

    fn timeout(&mut self, node: &Node) -> Option<Duration> {
        let seconds = match &node.plain() {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => parse_time(text),
            _ => None,
        };
        let timeout = seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|timeout| !timeout.is_zero() && *timeout <= MAX_TIMEOUT);
        if timeout.is_none() {
            let message = "expected a time above 0 and of at most a year";
            let hint = "seconds as a number, or a text such as \"90s\", \"10m\", \"2h\"".to_owned();
            self.diagnostics.push(Diagnostic::new(message).at(node.place.clone()).hinted(hint));
        }
        timeout
    }

    fn retries(&mut self, node: &Node) -> u32 {
        let retries = node.plain().as_u64().filter(|retries| *retries <= MAX_RETRIES);
        if retries.is_none() {
            let message = format!("expected an integer between 0 and {MAX_RETRIES}");
            self.complain(message, node.place.clone());
        }
        retries.and_then(|retries| u32::try_from(retries).ok()).unwrap_or(0)
    }

    fn resources(&mut self, stage: &Node) -> BTreeMap<String, u64> {
        let mut resources = BTreeMap::new();
        for (name, node) in stage.get("resources").iter().flat_map(|table| table.entries()) {
            let Some(amount) = self.amount(name, node) else { continue };
            match self.capacities.get(name).copied() {
                Some(capacity) if amount <= capacity => {
                    resources.insert(name.clone(), amount);
                }
                Some(capacity) => {
                    let message =
                        format!("this needs {amount} of `{name}`, and there is {capacity}");
                    let hint = format!("raise `{name}` under `[resources]` in pipeline.toml");
                    let diagnostic = Diagnostic::new(message).at(node.place.clone()).hinted(hint);
                    self.diagnostics.push(diagnostic);
                }
                // A capacity that is itself wrong has been told already.
                None if self.root().get("resources").is_some_and(|all| all.get(name).is_some()) => {
                }
                None => {
                    let known = self.capacities.keys().map(String::as_str);
                    let hint = suggestion(name, known).unwrap_or_else(|| {
                        format!("write how much there is: `{name} = {amount}` under `[resources]`")
                    });
                    let message = format!("no resource is named `{name}`");
                    let diagnostic = Diagnostic::new(message).at(node.key.clone()).hinted(hint);
                    self.diagnostics.push(diagnostic);
                }
            }
        }
        resources
    }

    fn amount(&mut self, name: &str, node: &Node) -> Option<u64> {
        let amount = node.plain().as_u64().filter(|amount| *amount > 0);
        if amount.is_none() {
            let message = format!("`{name}`: expected an integer of at least 1");
            self.complain(message, node.place.clone());
        }
        amount
    }

    fn exclusive(&mut self, node: &Node) -> Vec<String> {
        let is_list = matches!(node.shape, Shape::List(_));
        let written = if is_list { node.items() } else { std::slice::from_ref(node) };
        let mut groups = Vec::new();
        for item in written {
            match item.text() {
                Some(name) if is_name(name) => groups.push(name.to_owned()),
                _ => {
                    let message = "expected the name of a group, of which one stage runs at a time";
                    self.complain(message, item.place.clone());
                }
            }
        }
        groups.sort();
        groups.dedup();
        groups
    }
}

/// The seconds of a time such as `90s` or `1.5h`.
fn parse_time(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    Some(number.parse::<f64>().ok()? * seconds)
}
