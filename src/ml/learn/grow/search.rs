//! The best split of a node: over all features from its sums, or over drawn ones from its rows.

use super::super::bins::Cut;
use super::super::split::{BinSet, Column, Split, Whole};
use super::super::sums::Sum;
use super::{Draft, Grower};
use crate::ml::random::Random;

impl Grower<'_> {
    /// The best split over all features, from the sums of the node.
    pub(super) fn best_of_all(
        &mut self,
        whole: &Whole,
        sums: &[Sum],
        random: &mut Random,
    ) -> Option<Split> {
        let mut best = None;
        for k in 0..self.growth.features.len() {
            let sums = &sums[self.starts[k]..self.starts[k + 1]];
            let mut used = BinSet::default();
            for (bin, sum) in sums[..sums.len() - 1].iter().enumerate() {
                if sum.n > 0 {
                    used = used.with(bin as u8);
                }
            }
            let column = self.column(self.growth.features[k], sums, used);
            if !column.is_constant() {
                keep_better(&mut best, self.best_of(whole, &column, random));
            }
        }
        best
    }

    /// The best split over features that are drawn without replacement, until enough of them that
    /// differ within the node were tried.
    pub(super) fn best_of_drawn(
        &mut self,
        draft: usize,
        whole: &Whole,
        random: &mut Random,
    ) -> Option<Split> {
        let Draft { start, end, .. } = self.drafts[draft];
        let (mut best, mut n_tried) = (None, 0);
        let mut scratch = std::mem::take(&mut self.scratch);
        for i in 0..self.order.len() {
            random.draw(&mut self.order[i..], 1);
            let feature = self.order[i];
            let n_bins = self.binned.cut(feature).n_bins();
            let bins = self.binned.column(feature);
            let mut used = BinSet::default();
            for member in &self.members[start..end] {
                let bin = bins[member.row as usize];
                scratch[usize::from(bin)].add(member.term);
                used = used.with(bin);
            }
            let touched = used;
            if used.has(n_bins as u8) {
                used = used.without(n_bins as u8);
            }
            let column = self.column(feature, &scratch[..=n_bins], used);
            if !column.is_constant() {
                n_tried += 1;
                keep_better(&mut best, self.best_of(whole, &column, random));
            }
            for bin in touched.iter() {
                scratch[usize::from(bin)] = Sum::default();
            }
            if n_tried == self.growth.max_features {
                break;
            }
        }
        self.scratch = scratch;
        best
    }

    fn column<'b>(&self, feature: usize, sums: &'b [Sum], used: BinSet) -> Column<'b> {
        let monotone = self.growth.monotone.get(feature).copied().unwrap_or(0);
        Column { feature, sums, used, monotone }
    }

    fn best_of(&self, whole: &Whole, column: &Column<'_>, random: &mut Random) -> Option<Split> {
        let rule = &self.growth.rule;
        match self.binned.cut(column.feature) {
            Cut::Codes(_) => rule.by_category(whole, column),
            Cut::Edges(edges) if self.growth.draw_thresholds => {
                let place = draw_place(edges, column.used, random)?;
                rule.at(whole, column, place)
            }
            Cut::Edges(_) => rule.by_number(whole, column),
        }
    }
}

fn keep_better(best: &mut Option<Split>, found: Option<Split>) {
    let Some(found) = found else { return };
    let wins = |best: &Split| {
        found.gain > best.gain || found.gain == best.gain && found.feature < best.feature
    };
    if best.as_ref().is_none_or(wins) {
        *best = Some(found);
    }
}

/// The bin below a threshold that is drawn evenly between the least and the greatest value of the
/// node, as far as bins tell them (Geurts, Ernst and Wehenkel 2006). `None` when all values are in
/// one bin.
fn draw_place(edges: &[f64], used: BinSet, random: &mut Random) -> Option<u8> {
    let mut bins = used.iter();
    let first = bins.next()?;
    let last = bins.last().unwrap_or(first);
    if first == last {
        return Some(first);
    }
    let (low, high) = (edges[usize::from(first)], edges[usize::from(last) - 1]);
    let threshold = low + random.uniform() * (high - low);
    let place = edges.partition_point(|edge| *edge <= threshold).saturating_sub(1);
    Some(place.clamp(usize::from(first), usize::from(last) - 1) as u8)
}
