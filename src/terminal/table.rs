//! Aligned columns: texts to the left, numbers to the right.

/// Rows of cells with a heading.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new<const N: usize>(headings: [&str; N]) -> Table {
        Table { rows: vec![headings.map(str::to_owned).into()] }
    }

    /// A table with any number of headings.
    pub fn of(headings: Vec<String>) -> Table {
        Table { rows: vec![headings] }
    }

    /// Adds a row of any number of cells.
    pub fn add(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The lines, columns two spaces apart.
    pub fn lines(&self) -> Vec<String> {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &Vec<String>, i: usize| row.get(i).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..n_columns)
            .map(|i| self.rows.iter().map(|row| cell(row, i).chars().count()).max().unwrap_or(0))
            .collect();
        let is_number = |text: &str| text.is_empty() || text.parse::<f64>().is_ok();
        let right: Vec<bool> = (0..n_columns)
            .map(|i| self.rows.iter().skip(1).all(|row| is_number(&cell(row, i))))
            .collect();
        let line = |row: &Vec<String>| {
            let cells = (0..n_columns).map(|i| {
                let (text, width) = (cell(row, i), widths[i]);
                if right[i] { format!("{text:>width$}") } else { format!("{text:<width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }

    /// The table as Markdown.
    pub fn markdown(&self) -> Vec<String> {
        let escaped = |cell: &String| cell.replace('|', "\\|");
        let line = |row: &Vec<String>| {
            format!("| {} |", row.iter().map(escaped).collect::<Vec<_>>().join(" | "))
        };
        let mut lines: Vec<_> = self.rows.iter().map(line).collect();
        if let Some(headings) = self.rows.first() {
            lines.insert(1, format!("|{}", "---|".repeat(headings.len())));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_align_to_the_left_and_numbers_to_the_right() {
        let mut table = Table::new(["metric", "a"]);
        table.row(["roc_auc".to_owned(), "0.9".to_owned()]);
        table.row(["n".to_owned(), "1800".to_owned()]);
        assert_eq!(table.lines(), ["metric      a", "roc_auc   0.9", "n        1800"]);
        assert_eq!(table.markdown()[1], "|---|---|");
    }
}
