//! Medians, ratios, tables, JSON.

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::work::Figure;

/// All that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) rounds: usize,
    pub(crate) keys: u64,
    pub(crate) cores: usize,
    pub(crate) tables: Vec<Results>,
}

/// One table.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) title: String,
    pub(crate) columns: Vec<Heading>,
    pub(crate) rows: Vec<Row>,
}

/// A column.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Heading {
    pub(crate) title: String,
    /// What a sketch reached elsewhere.
    pub(crate) sketch: Option<f64>,
    pub(crate) aim: Option<f64>,
}

/// A database, or a limit.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) promise: String,
    pub(crate) kind: Kind,
    /// Per column the figures of all rounds; none where there is nothing to measure.
    pub(crate) cells: Vec<Vec<Figure>>,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Stormproof, to be compared.
    Ours,
    /// Another database.
    Peer,
    /// A bare operation.
    Limit,
    /// Something that stands beside the comparison: in memory only, or pipelined.
    Beside,
}

impl Report {
    /// What does not add up anywhere.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let rows = self.tables.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row)));
        rows.flat_map(|(table, row)| {
            let figures = row.cells.iter().flatten();
            figures.filter_map(|figure| {
                Some(format!("{}: {}: {}", table.title, row.name, figure.wrong.as_ref()?))
            })
        })
        .collect()
    }
}

impl Results {
    /// As Markdown.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        let titles = self.columns.iter().map(|column| column.title.clone());
        table.set_header([String::new()].into_iter().chain(titles).chain(["promise".to_owned()]));
        for row in &self.rows {
            let cells = row.cells.iter().map(|figures| cell(figures));
            table.add_row([row.name.clone()].into_iter().chain(cells).chain([row.promise.clone()]));
        }
        let ratios = (0..self.columns.len()).map(|column| self.ratio(column));
        table.add_row(
            ["**Stormproof to the best peer**".to_owned()].into_iter().chain(ratios).chain([String::new()]),
        );
        if self.columns.iter().any(|column| column.aim.is_some()) {
            let aims = self
                .columns
                .iter()
                .map(|column| column.aim.map_or_else(String::new, |aim| format!("≥ {aim}×")));
            table.add_row(["aim".to_owned()].into_iter().chain(aims).chain([String::new()]));
        }
        if self.columns.iter().any(|column| column.sketch.is_some()) {
            let sketch = self.columns.iter().map(|column| column.sketch.map_or_else(String::new, human));
            table.add_row(
                ["sketch (elsewhere)".to_owned()]
                    .into_iter()
                    .chain(sketch)
                    .chain(["200 lines, no deletes, no checkpoints".to_owned()]),
            );
        }
        table
    }

    /// By which factor the first row of ours leads the best peer: above 1 it leads.
    fn ratio(&self, column: usize) -> String {
        let of = |kind| {
            let rows = self.rows.iter().filter(move |row| row.kind == kind);
            rows.filter_map(move |row| Some((median(&row.cells[column])?, row)))
        };
        let Some((ours, row)) = of(Kind::Ours).next() else { return String::new() };
        let less_is_better = row.cells[column][0].less_is_better;
        let better = |a: &f64, b: &f64| if less_is_better { b.total_cmp(a) } else { a.total_cmp(b) };
        let best = of(Kind::Peer).max_by(|(a, _), (b, _)| better(a, b));
        best.map_or_else(String::new, |(best, peer)| {
            let ratio = if less_is_better { best / ours } else { ours / best };
            format!("**{ratio:.2}×** ({})", peer.name)
        })
    }
}

/// The median of the rounds, the share of aborted attempts, and how long the longest took.
fn cell(figures: &[Figure]) -> String {
    let Some(value) = median(figures) else { return "–".to_owned() };
    let mut text = human(value);
    let share = |of: fn(&Figure) -> Option<f64>| median_of(figures.iter().filter_map(of).collect());
    if let (Some(aborted), Some(worst)) = (share(|figure| figure.aborted), share(|figure| figure.worst_ms)) {
        text += &format!(" ({:.0} % aborted, worst {worst:.1} ms)", aborted * 100.0);
    }
    if figures.iter().any(|figure| figure.wrong.is_some()) {
        text += " **WRONG**";
    }
    text
}

pub(crate) fn median(figures: &[Figure]) -> Option<f64> {
    median_of(figures.iter().map(|figure| figure.value).collect())
}

fn median_of(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A number with three figures or so.
pub(crate) fn human(value: f64) -> String {
    match value {
        1e7.. => format!("{:.1} M", value / 1e6),
        1e6.. => format!("{:.2} M", value / 1e6),
        1e4.. => format!("{:.0} K", value / 1e3),
        1e3.. => format!("{:.1} K", value / 1e3),
        1e2.. => format!("{value:.0}"),
        1e1.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Heading, Kind, Results, Row, cell, human, median};
    use crate::work::Figure;

    fn more(values: &[f64]) -> Vec<Figure> {
        values.iter().map(|value| Figure { value: *value, ..Figure::default() }).collect()
    }

    fn less(values: &[f64]) -> Vec<Figure> {
        values.iter().map(|value| Figure::less_is_better(*value)).collect()
    }

    fn results(ours: Vec<Figure>, peers: [Vec<Figure>; 2]) -> Results {
        let row = |name: &str, kind, cells| Row {
            name: name.into(),
            promise: String::new(),
            kind,
            cells: vec![cells],
        };
        let [one, two] = peers;
        Results {
            title: String::new(),
            columns: vec![Heading { title: String::new(), sketch: None, aim: None }],
            rows: vec![
                row("ours", Kind::Ours, ours),
                row("one", Kind::Peer, one),
                row("two", Kind::Peer, two),
                row("a limit", Kind::Limit, more(&[1e9])),
            ],
        }
    }

    #[test]
    fn a_median_is_of_the_rounds() {
        assert_eq!(median(&more(&[3.0, 1.0, 2.0])), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_ratio_above_one_leads_the_best_peer_whichever_way_is_better() {
        let fast = results(more(&[30.0]), [more(&[10.0]), more(&[15.0])]);
        assert_eq!(fast.ratio(0), "**2.00×** (two)");
        let short = results(less(&[5.0]), [less(&[10.0]), less(&[15.0])]);
        assert_eq!(short.ratio(0), "**2.00×** (one)");
        let behind = results(less(&[20.0]), [less(&[10.0]), Vec::new()]);
        assert_eq!(behind.ratio(0), "**0.50×** (one)");
    }

    #[test]
    fn what_does_not_add_up_shows() {
        let wrong = Figure { value: 1.0, ..Figure::default() }.wrong(Some("lost".into()));
        assert_eq!(cell(&[wrong]), "1.00 **WRONG**");
        assert_eq!(cell(&[]), "–");
    }

    #[test]
    fn numbers_are_short() {
        let shown = [12_345_678.0, 1_234_567.0, 123_456.0, 1_234.0, 123.4, 12.34, 1.234, 0.1234].map(human);
        assert_eq!(shown, ["12.3 M", "1.23 M", "123 K", "1.2 K", "123", "12.3", "1.23", "0.123"]);
    }
}
