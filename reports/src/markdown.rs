//! Reports for pull requests, issues and job summaries: GitHub's Markdown.

use askama::Template;

use crate::escape::markdown_code;
use crate::involved::involved;
use crate::{Campaign, MutantTotal, Report, Trend, TrendPoint, Txn, Verdict, words};

/// Renders one run.
pub(crate) fn run(report: &Report) -> askama::Result<String> {
    let (txns, missing) = involved(report);
    RunPage { report, txns, missing: &missing }.render()
}

/// Renders a campaign.
pub(crate) fn campaign(campaign: &Campaign) -> askama::Result<String> {
    CampaignPage {
        campaign,
        seconds: format!("{:.1}", campaign.seconds),
        rate: format!("{:.0}", campaign.seeds_per_second()),
    }
    .render()
}

#[derive(Template)]
#[template(path = "run.md")]
struct RunPage<'a> {
    report: &'a Report,
    txns: Vec<&'a Txn>,
    missing: &'a usize,
}

impl RunPage<'_> {
    fn lane(&self, txn: &Txn) -> &str {
        self.report.lanes.get(txn.lane as usize).map_or("?", |lane| lane.name.as_str())
    }

    fn code(text: impl AsRef<str>) -> String {
        markdown_code(text.as_ref(), false)
    }

    fn cell(text: impl AsRef<str>) -> String {
        markdown_code(text.as_ref(), true)
    }
}

/// Renders campaigns over time.
pub(crate) fn trend(trend: &Trend) -> askama::Result<String> {
    TrendPage { trend }.render()
}

#[derive(Template)]
#[template(path = "trend.md")]
struct TrendPage<'a> {
    trend: &'a Trend,
}

impl TrendPage<'_> {
    fn cell(text: impl AsRef<str>) -> String {
        markdown_code(text.as_ref(), true)
    }

    fn rate(campaign: &TrendPoint) -> String {
        format!("{:.0}", campaign.seeds_per_second)
    }
}

#[derive(Template)]
#[template(path = "campaign.md")]
struct CampaignPage<'a> {
    campaign: &'a Campaign,
    seconds: String,
    rate: String,
}

impl CampaignPage<'_> {
    fn code(text: impl AsRef<str>) -> String {
        markdown_code(text.as_ref(), false)
    }

    fn cell(text: impl AsRef<str>) -> String {
        markdown_code(text.as_ref(), true)
    }

    fn seeds(mutant: &MutantTotal) -> String {
        mutant.median_seeds().map_or_else(|| "–".to_owned(), |seeds| seeds.to_string())
    }

    fn seconds(mutant: &MutantTotal) -> String {
        mutant.median_seconds().map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.2}"))
    }
}
