//! A campaign as a page: everything is in the markup, no script draws anything.
#![expect(clippy::cast_precision_loss, reason = "figures become lengths in pictures")]

use askama::Template;

use super::Frame;
use crate::document::RenderError;
use crate::plot::{Plot, bar, curve};
use crate::{Campaign, MutantTotal, Verdict, words};

/// Renders a campaign.
pub(crate) fn campaign(campaign: &Campaign) -> Result<String, RenderError> {
    let page = Page {
        frame: Frame::new(&campaign.title, include_str!("../../templates/campaign.js")),
        campaign,
        seconds: format!("{:.1}", campaign.seconds),
        rate: format!("{:.0}", campaign.seeds_per_second()),
        tables: tables(campaign),
        plots: plots(campaign)?,
    };
    Ok(page.render()?)
}

#[derive(Template)]
#[template(path = "campaign.html")]
struct Page<'a> {
    frame: Frame<'a>,
    campaign: &'a Campaign,
    seconds: String,
    rate: String,
    tables: Vec<Table>,
    plots: Vec<String>,
}

struct Table {
    title: &'static str,
    says: &'static str,
    name: &'static str,
    columns: Vec<&'static str>,
    bar: &'static str,
    rows: Vec<Row>,
}

struct Row {
    class: &'static str,
    name: String,
    says: String,
    cells: Vec<String>,
    bar: String,
}

fn tables(campaign: &Campaign) -> Vec<Table> {
    let of = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let class = |violated: u64, evaluated: u64| match (violated, evaluated) {
        (0, 0) => "never",
        (0, _) => "held",
        _ => "violated",
    };
    let mut tables = Vec::new();
    tables.push(Table {
        title: "Invariants",
        says: "What was looked at, how often, and how it came out. One that was never evaluated shows nothing.",
        name: "Invariant",
        columns: vec!["Evaluated", "Seeds", "Violated"],
        bar: "Share of seeds",
        rows: campaign
            .invariants
            .iter()
            .map(|i| Row {
                class: class(i.violated, i.evaluated),
                name: format!("{} {}", i.contract, i.name),
                says: i.says.clone(),
                cells: vec![words::figure(i.evaluated), words::figure(i.seeds), words::figure(i.violated)],
                bar: bar(of(i.seeds, campaign.seeds)),
            })
            .collect(),
    });
    let slowest = campaign.zoo.iter().map(|m| m.budget).max().unwrap_or(1) as f64;
    tables.push(Table {
        title: "Zoo",
        says: "Deliberate bugs, and how many seeds it takes to find each: the curves show the share of trials that had \
               found it, over seeds on a logarithmic axis up to the largest budget.",
        name: "Bug",
        columns: vec!["Found", "Median seeds", "Median s", "Caught by"],
        bar: "Found after seeds",
        rows: campaign
            .zoo
            .iter()
            .map(|m| Row {
                class: if m.found_after.is_empty() { "violated" } else { "held" },
                name: m.name.clone(),
                says: m.says.clone(),
                cells: vec![
                    format!("{}/{}", m.found_after.len(), m.trials),
                    m.median_seeds().map_or_else(|| "–".to_owned(), words::figure),
                    m.median_seconds().map_or_else(|| "–".to_owned(), |s| format!("{s:.2}")),
                    m.caught_by.join(", "),
                ],
                bar: curve(&detection(m), slowest),
            })
            .collect(),
    });
    tables.push(Table {
        title: "Calls",
        says: "Public functions of the store, how often clients called each, and how calls failed.",
        name: "Function",
        columns: vec!["Calls", "Failed"],
        bar: "",
        rows: campaign
            .calls
            .iter()
            .map(|call| Row {
                class: if call.calls() == 0 { "never" } else { "held" },
                name: call.name.clone(),
                says: String::new(),
                cells: vec![words::figure(call.calls()), call.failures()],
                bar: String::new(),
            })
            .collect(),
    });
    tables.push(Table {
        title: "Marks",
        says: "Rare situations that a campaign has to have reached to count.",
        name: "Mark",
        columns: vec!["Hits", "Seeds"],
        bar: "Share of seeds",
        rows: campaign
            .marks
            .iter()
            .map(|m| Row {
                class: if m.hits == 0 { "never" } else { "" },
                name: m.name.clone(),
                says: String::new(),
                cells: vec![words::figure(m.hits), words::figure(m.seeds)],
                bar: bar(of(m.seeds, campaign.seeds)),
            })
            .collect(),
    });
    tables.push(Table {
        title: "Faults",
        says: "What the simulated world did to the store.",
        name: "Fault",
        columns: vec!["Fired", "Seeds"],
        bar: "Share of seeds",
        rows: campaign
            .faults
            .iter()
            .map(|f| Row {
                class: if f.fired == 0 { "never" } else { "" },
                name: f.name.clone(),
                says: String::new(),
                cells: vec![words::figure(f.fired), words::figure(f.seeds)],
                bar: bar(of(f.seeds, campaign.seeds)),
            })
            .collect(),
    });
    let conflicts = campaign.conflicts.iter().map(|c| c.count).sum();
    tables.push(Table {
        title: "Conflicts",
        says: "Why transactions were aborted.",
        name: "Kind",
        columns: vec!["Conflicts"],
        bar: "Share",
        rows: campaign
            .conflicts
            .iter()
            .map(|c| Row {
                class: "",
                name: c.kind.word().to_owned(),
                says: String::new(),
                cells: vec![words::figure(c.count)],
                bar: bar(of(c.count, conflicts)),
            })
            .collect(),
    });
    tables.push(Table {
        title: "Workloads",
        says: "What the clients did.",
        name: "Workload",
        columns: vec!["Seeds", "Commits", "Aborts", "Violated"],
        bar: "Share of aborts",
        rows: campaign
            .workloads
            .iter()
            .map(|w| Row {
                class: if w.violated > 0 { "violated" } else { "" },
                name: w.name.clone(),
                says: String::new(),
                cells: [w.seeds, w.commits, w.aborts, w.violated].map(words::figure).to_vec(),
                bar: bar(of(w.aborts, w.commits + w.aborts)),
            })
            .collect(),
    });
    // A producer that does not count interleavings by strategy says nothing about them.
    let counted = campaign.strategies.iter().any(|s| s.interleavings > 0);
    tables.push(Table {
        title: "Scheduling strategies",
        says: "How interleavings were chosen.",
        name: "Strategy",
        columns: if counted { vec!["Seeds", "Interleavings", "Violated"] } else { vec!["Seeds", "Violated"] },
        bar: if counted { "Distinct interleavings per seed" } else { "Share of seeds" },
        rows: campaign
            .strategies
            .iter()
            .map(|s| Row {
                class: if s.violated > 0 { "violated" } else { "" },
                name: s.name.clone(),
                says: String::new(),
                cells: if counted {
                    [s.seeds, s.interleavings, s.violated].map(words::figure).to_vec()
                } else {
                    [s.seeds, s.violated].map(words::figure).to_vec()
                },
                bar: bar(if counted { of(s.interleavings, s.seeds) } else { of(s.seeds, campaign.seeds) }),
            })
            .collect(),
    });
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn plots(campaign: &Campaign) -> askama::Result<Vec<String>> {
    let mut plots = Vec::new();
    if campaign.speed.len() > 1 {
        let speed = campaign
            .speed
            .windows(2)
            .filter(|pair| pair[1].second > pair[0].second)
            .map(|pair| {
                let seeds = pair[1].seeds.saturating_sub(pair[0].seeds) as f64;
                (pair[1].second, seeds / (pair[1].second - pair[0].second))
            })
            .collect();
        let plot = Plot {
            title: "Seeds per second",
            x_label: "seconds",
            log_x: false,
            steps: false,
            lines: vec![("", speed)],
        };
        plots.push(plot.render()?);
        let of = |count: fn(&crate::SpeedPoint) -> u64| {
            campaign.speed.iter().map(|point| (point.seeds as f64, count(point) as f64)).collect::<Vec<_>>()
        };
        let plot = Plot {
            title: "Distinct interleavings",
            x_label: "seeds",
            log_x: false,
            steps: false,
            lines: vec![("seeds", of(|p| p.seeds)), ("distinct interleavings", of(|p| p.interleavings))],
        };
        plots.push(plot.render()?);
    }
    if !campaign.zoo.is_empty() {
        let trials: u64 = campaign.zoo.iter().map(|m| m.trials).sum();
        let mut found: Vec<u64> = campaign.zoo.iter().flat_map(|m| m.found_after.iter().copied()).collect();
        found.sort_unstable();
        let part = |n: usize| n as f64 / trials.max(1) as f64 * 100.0;
        let mut line = vec![(1.0, 0.0)];
        line.extend(found.iter().enumerate().map(|(i, &after)| (after as f64, part(i + 1))));
        line.extend(
            campaign
                .zoo
                .iter()
                .map(|m| m.budget as f64)
                .max_by(f64::total_cmp)
                .map(|x| (x, part(found.len()))),
        );
        let plot = Plot {
            title: "Trials that found their bug, %",
            x_label: "seeds",
            log_x: true,
            steps: true,
            lines: vec![("", line)],
        };
        plots.push(plot.render()?);
    }
    Ok(plots)
}

/// Returns the share of trials that had found a bug, over seeds.
fn detection(mutant: &MutantTotal) -> Vec<(f64, f64)> {
    let mut found = mutant.found_after.clone();
    found.sort_unstable();
    let share = |n: usize| n as f64 / mutant.trials.max(1) as f64;
    found.iter().enumerate().map(|(i, &after)| (after as f64, share(i + 1))).collect()
}
