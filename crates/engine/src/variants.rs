//! The variants of a stage: those it lists, times its matrix, without what is excluded.
//!
//! How many there would be is counted before any is made: a matrix of ten lists with ten values
//! each must be a mistake with a number, not a machine out of memory.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::build::Builder;
use crate::canonical;
use crate::error::{Diagnostic, Place, suggestion};
use crate::node::{Node, Shape};

/// The most variants that one stage's matrix may give, unless `max_variants` says otherwise.
pub(crate) const MAX_VARIANTS: u64 = 256;
/// The most combinations that are looked at to find those that are not excluded.
const MAX_COMBINATIONS: u128 = 1_000_000;

/// One variant of a stage.
pub(crate) struct Variant<'a> {
    /// Its name; a stage without variants is one without a name.
    pub(crate) name: Option<String>,
    /// The parameters as written.
    pub(crate) params: Cow<'a, Node>,
}

/// One parameter of a matrix, with the names that its values give a variant.
struct Axis<'a> {
    /// Where it is, from the table of parameters down.
    path: Vec<String>,
    /// The same as it is told: `environment.L2`.
    param: String,
    values: &'a [Node],
    names: Vec<String>,
}

/// What one entry of `exclude` leaves out: per axis that it names, the value's index.
type Excluded = Vec<(usize, usize)>;

impl<'a> Builder<'a> {
    /// The variants of a stage in the order they were written, each with its parameters laid over
    /// the stage's.
    pub(crate) fn variants(&mut self, group: &str, node: &'a Node) -> Vec<Variant<'a>> {
        let listed = listed(node);
        if node.get("matrix").is_none() {
            if let Some(exclude) = node.get("exclude") {
                let place = exclude.key.clone().or(exclude.place.clone());
                self.complain("`exclude` leaves out parts of a `matrix`, and there is none", place);
            }
            return listed;
        }
        let Some(axes) = self.axes(node) else { return Vec::new() };
        let Some(excluded) = self.excluded(node, &axes) else { return Vec::new() };
        let Some(combinations) = self.combine(group, node, listed.len(), &axes, &excluded) else {
            return Vec::new();
        };
        let mut variants = Vec::new();
        for variant in &listed {
            for combination in &combinations {
                variants.push(cross(variant, &axes, combination));
            }
        }
        self.without_doubles(group, node, variants)
    }

    fn axes(&mut self, node: &'a Node) -> Option<Vec<Axis<'a>>> {
        let mut axes = Vec::new();
        let mut is_sound = true;
        for (path, values) in node.get("matrix").map(flat).unwrap_or_default() {
            let param = path.join(".");
            if !is_variant_name(&param) {
                self.complain(format!("`{param}` cannot name a variant"), values.key.clone());
                continue;
            }
            if values.items().is_empty() {
                let message = format!("expected a list of values for `{param}`");
                self.complain(message, values.place.clone());
                continue;
            }
            let names: Vec<_> =
                values.items().iter().map(|value| canonical::show(&value.plain())).collect();
            if let Some(wrong) = names.iter().position(|name| !is_variant_name(name)) {
                let message = format!(
                    "`{}` cannot name a variant: letters, digits, `_`, `-`, `+` and `.` can",
                    names[wrong]
                );
                let hint = "write the variants as a list, each with a `name`".to_owned();
                let diagnostic = Diagnostic::new(message).at(values.items()[wrong].place.clone());
                self.diagnostics.push(diagnostic.hinted(hint));
                is_sound = false;
            }
            axes.push(Axis { path, param, values: values.items(), names });
        }
        is_sound.then_some(axes)
    }

    /// What the entries of `exclude` name; `None` when one of them is wrong.
    fn excluded(&mut self, node: &Node, axes: &[Axis<'_>]) -> Option<Vec<Excluded>> {
        let exclude = node.get("exclude").map(Node::items).unwrap_or_default();
        let n_before = self.diagnostics.len();
        if node.get("exclude").is_some_and(|list| !matches!(list.shape, Shape::List(_))) {
            let place = node.get("exclude").and_then(|list| list.place.clone());
            self.complain("`exclude` must be a list of tables", place);
        }
        let mut excluded = Vec::new();
        for entry in exclude {
            if entry.entries().next().is_none() {
                let message = "expected parameters of the matrix with the values to leave out";
                self.complain(message, entry.place.clone());
            }
            let named = flat(entry).into_iter();
            let pairs =
                named.filter_map(|(path, value)| self.excluded_value(axes, &path.join("."), value));
            excluded.push(pairs.collect());
        }
        (self.diagnostics.len() == n_before).then_some(excluded)
    }

    fn excluded_value(
        &mut self,
        axes: &[Axis<'_>],
        key: &str,
        value: &Node,
    ) -> Option<(usize, usize)> {
        let Some(axis) = axes.iter().position(|axis| axis.param == key) else {
            let params = || axes.iter().map(|axis| axis.param.as_str());
            let known = || format!("it has {}", params().collect::<Vec<_>>().join(", "));
            let hint = suggestion(key, params()).unwrap_or_else(known);
            let message = format!("the matrix has no parameter `{key}`");
            let diagnostic = Diagnostic::new(message).at(value.key.clone()).hinted(hint);
            self.diagnostics.push(diagnostic);
            return None;
        };
        let found = axes[axis].values.iter().position(|other| is_same(other, value));
        if found.is_none() {
            let shown = canonical::show(&value.plain());
            let message = format!("this excludes nothing: `{key}` is never {shown}");
            let hint = format!("the matrix has {}", axes[axis].names.join(", "));
            let diagnostic = Diagnostic::new(message).at(value.place.clone()).hinted(hint);
            self.diagnostics.push(diagnostic);
        }
        Some((axis, found?))
    }

    /// The combinations that are left, each as the index of a value per axis; the last axis turns
    /// fastest. `None` when there are none or too many.
    fn combine(
        &mut self,
        group: &str,
        node: &Node,
        n_listed: usize,
        axes: &[Axis<'_>],
        excluded: &[Excluded],
    ) -> Option<Vec<Vec<usize>>> {
        let matrix = node.get("matrix")?;
        let place = || matrix.key.clone().or_else(|| matrix.place.clone());
        let lengths: Vec<usize> = axes.iter().map(|axis| axis.values.len()).collect();
        let n_all =
            lengths.iter().fold(n_listed as u128, |n, length| n.saturating_mul(*length as u128));
        if n_all > MAX_COMBINATIONS {
            self.too_many(group, n_all, place());
            return None;
        }
        let is_kept = |combination: &Vec<usize>| {
            let is_of = |entry: &Excluded| entry.iter().all(|(axis, i)| combination[*axis] == *i);
            !excluded.iter().any(is_of)
        };
        let kept: Vec<_> = product(&lengths).into_iter().filter(is_kept).collect();
        if kept.is_empty() {
            self.complain(format!("every variant of `{group}` is excluded"), place());
            return None;
        }
        let n_kept = (kept.len() * n_listed) as u128;
        if n_kept > u128::from(self.max_variants) {
            self.too_many(group, n_kept, place());
            return None;
        }
        Some(kept)
    }

    fn too_many(&mut self, group: &str, n_variants: u128, place: Option<Place>) {
        let max = self.max_variants;
        let message = format!("the matrix gives {n_variants} variants of `{group}`, above {max}");
        let hint = "leave some out with `exclude`, or raise `max_variants` in pipeline.toml";
        let diagnostic = Diagnostic::new(message).at(place).hinted(hint.to_owned());
        self.diagnostics.push(diagnostic);
    }

    fn without_doubles(
        &mut self,
        group: &str,
        node: &Node,
        variants: Vec<Variant<'a>>,
    ) -> Vec<Variant<'a>> {
        let mut names = BTreeSet::new();
        let mut named = Vec::new();
        for variant in variants {
            if names.insert(variant.name.clone()) {
                named.push(variant);
            } else {
                let name = variant.name.unwrap_or_default();
                let message = format!("two variants of `{group}` are named `{name}`");
                self.complain(message, node.place.clone());
            }
        }
        named
    }
}

/// The values below a table that are no tables, each with its path: a parameter of a table is named
/// `"environment.L2"`, with quotes or without.
fn flat(table: &Node) -> Vec<(Vec<String>, &Node)> {
    let mut found = Vec::new();
    for (key, value) in table.entries() {
        let own: Vec<String> = key.split('.').map(str::to_owned).collect();
        if value.entries().next().is_none() {
            found.push((own, value));
            continue;
        }
        for (path, value) in flat(value) {
            found.push((own.iter().cloned().chain(path).collect(), value));
        }
    }
    found
}

/// The variants of a stage that are written one by one, or the stage itself.
fn listed(node: &Node) -> Vec<Variant<'_>> {
    let base = node.get("params");
    let plain = || base.map_or_else(|| Cow::Owned(Node::empty()), Cow::Borrowed);
    let mut written: Vec<_> =
        node.get("variant").iter().flat_map(|table| table.entries()).collect();
    written
        .sort_by_key(|(_, node)| node.key.as_ref().map(|place| (place.source, place.span.start)));
    if written.is_empty() {
        return vec![Variant { name: None, params: plain() }];
    }
    let variant = |(name, variant): (&String, &'_ Node)| Variant {
        name: Some(name.clone()),
        params: match variant.get("params") {
            Some(own) => Cow::Owned(plain().overlaid(own)),
            None => Cow::Owned(plain().into_owned()),
        },
    };
    written.into_iter().map(variant).collect()
}

fn cross<'a>(variant: &Variant<'a>, axes: &[Axis<'a>], combination: &[usize]) -> Variant<'a> {
    let mut parts: Vec<_> = variant.name.iter().cloned().collect();
    let mut own = Node::empty();
    for (axis, index) in axes.iter().zip(combination) {
        own.insert(&axis.path, axis.values[*index].clone());
        parts.push(format!("{}={}", axis.param, axis.names[*index]));
    }
    let name = (!parts.is_empty()).then(|| parts.join("-"));
    Variant { name, params: Cow::Owned(variant.params.overlaid(&own)) }
}

/// All combinations of indices below these lengths, the last one turning fastest.
fn product(lengths: &[usize]) -> Vec<Vec<usize>> {
    lengths.iter().fold(vec![Vec::new()], |before, length| {
        let with = |parts: &Vec<usize>, index| parts.iter().copied().chain([index]).collect();
        before.iter().flat_map(|parts| (0..*length).map(move |i| with(parts, i))).collect()
    })
}

/// Whether two values are the same; `10` is `10.0`, as it is for a parameter.
fn is_same(a: &Node, b: &Node) -> bool {
    let (a, b) = (a.plain(), b.plain());
    a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64())
}

/// A variant is part of a directory's name and of references, so that it must not look like either.
fn is_variant_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+.".contains(c);
    !name.is_empty() && name.chars().all(is_plain)
}
