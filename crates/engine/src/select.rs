//! Which stages are meant: names, groups and patterns, and what rests on them.
//!
//! A target is the name of a stage (`train@forest`), that of its group (`train`, `train@*`: all
//! variants), or a pattern of either, where `*` stands for any characters and `?` for one. Here is
//! also why a selection can always be run: whatever it has, it has all that this rests on.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::suggestion;
use crate::graph::{Graph, StageId};

/// How many known names an error lists.
const MAX_LISTED: usize = 20;

/// What is to be run, as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// The targets; all stages when there are none.
    pub targets: &'a [String],
    /// Also what rests on the targets.
    pub downstream: bool,
    /// Leave out what rests on these.
    pub until: &'a [String],
}

/// The stages that are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// The targets themselves.
    pub named: BTreeSet<StageId>,
    /// All that is to be run: whatever it has, it has all that this rests on.
    pub stages: BTreeSet<StageId>,
}

impl Graph {
    /// The stages that a name or pattern means, in graph order.
    ///
    /// # Errors
    /// A sentence with a suggestion when there is none.
    pub fn named(&self, name: &str) -> Result<Vec<StageId>, String> {
        self.targets(std::slice::from_ref(&name)).map(|found| found.into_iter().collect())
    }

    /// The stages that names and patterns mean.
    ///
    /// # Errors
    /// A sentence with a suggestion for each that means none.
    pub fn targets<T: AsRef<str>>(&self, targets: &[T]) -> Result<BTreeSet<StageId>, String> {
        let mut known: BTreeMap<&str, Vec<StageId>> = BTreeMap::new();
        for id in self.ids() {
            let stage = self.stage(id);
            known.entry(&stage.name).or_default().push(id);
            if stage.group != stage.name {
                known.entry(&stage.group).or_default().push(id);
            }
        }
        let (mut found, mut unknown) = (BTreeSet::new(), Vec::new());
        for target in targets.iter().map(AsRef::as_ref) {
            let name = target.strip_suffix("@*").unwrap_or(target);
            if let Some(ids) = known.get(name) {
                found.extend(ids);
            } else if is_pattern(target) {
                let fits = |(name, _): &(&&str, _)| matches(target, name);
                let ids: Vec<_> = known.iter().filter(fits).flat_map(|(_, ids)| ids).collect();
                if ids.is_empty() {
                    unknown.push(format!("no stage fits `{target}`; {}", listed(&known)));
                }
                found.extend(ids);
            } else {
                let hint = suggestion(target, known.keys().copied());
                let hint = hint.unwrap_or_else(|| listed(&known));
                unknown.push(format!("no stage is named `{target}`; {hint}"));
            }
        }
        if unknown.is_empty() { Ok(found) } else { Err(unknown.join("\n")) }
    }

    /// The stages that are asked for, and all that they rest on.
    ///
    /// # Errors
    /// A sentence with a suggestion for each target that means no stage.
    pub fn select(&self, wanted: &Wanted<'_>) -> Result<Selected, String> {
        let named = match wanted.targets {
            [] => Ok(self.ids().collect()),
            targets => self.targets(targets),
        };
        let until = self.targets(wanted.until);
        let (named, until) = match (named, until) {
            (Ok(named), Ok(until)) => (named, until),
            (Err(one), Err(other)) => return Err(format!("{one}\n{other}")),
            (Err(one), _) | (_, Err(one)) => return Err(one),
        };
        let left_out = if until.is_empty() { BTreeSet::new() } else { self.behind(&until) };
        let mut roots = named.clone();
        if wanted.downstream {
            roots.extend(self.behind(&named).difference(&left_out));
        }
        let mut stages = self.with_ancestors(roots);
        // What rests on a stage that is left out is left out, too: the rest stays whole.
        stages.retain(|id| !left_out.contains(id));
        Ok(Selected { named, stages })
    }

    /// All that rests on any of these stages.
    pub fn behind(&self, stages: &BTreeSet<StageId>) -> BTreeSet<StageId> {
        let mut found = BTreeSet::new();
        // In graph order, what a stage rests on comes before it.
        for id in self.ids() {
            let needs = self.stage(id).needs();
            if needs.iter().any(|need| stages.contains(need) || found.contains(need)) {
                found.insert(id);
            }
        }
        found
    }
}

fn listed(known: &BTreeMap<&str, Vec<StageId>>) -> String {
    let names: Vec<_> = known.keys().take(MAX_LISTED).copied().collect();
    let more = known.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("known: {}{more}", names.join(", "))
}

fn is_pattern(target: &str) -> bool {
    target.contains(['*', '?'])
}

/// Whether a name fits a pattern, in time that grows with the product of their lengths at worst:
/// only the last `*` is ever tried again.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters_and_a_question_mark_for_one() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*@forest", "train@forest", true),
            ("*a*a*a", "aaaa", true),
            ("*ab", "aab", true),
            ("a*b*c", "axbxd", false),
            ("", "a", false),
            ("?", "ü", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_hostile_pattern_is_answered_at_once() {
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1999)));
        assert!(!matches(&format!("{}b", "*a".repeat(1000)), &"a".repeat(20_000)));
    }
}
