//! Campaigns over time as a page.

use askama::Template;

use super::Frame;
use crate::document::RenderError;
use crate::plot::Plot;
use crate::{Trend, TrendPoint, Verdict, words};

/// Renders campaigns over time.
pub(crate) fn trend(trend: &Trend) -> Result<String, RenderError> {
    let page = Page {
        frame: Frame::new(&trend.title, include_str!("../../templates/campaign.js")),
        trend,
        plots: plots(trend)?,
    };
    Ok(page.render()?)
}

#[derive(Template)]
#[template(path = "trend.html")]
struct Page<'a> {
    frame: Frame<'a>,
    trend: &'a Trend,
    plots: Vec<String>,
}

impl Page<'_> {
    fn rate(campaign: &TrendPoint) -> String {
        format!("{:.0}", campaign.seeds_per_second)
    }

    const fn class(campaign: &TrendPoint) -> &'static str {
        match campaign.verdict {
            Verdict::Held => "held",
            Verdict::Violated => "violated",
            Verdict::Failed => "never",
        }
    }
}

/// Speed, and the share of seeds that failed, campaign by campaign.
#[expect(clippy::cast_precision_loss, reason = "figures become lengths in pictures")]
fn plots(trend: &Trend) -> askama::Result<Vec<String>> {
    if trend.campaigns.len() < 2 {
        return Ok(Vec::new());
    }
    let line = |value: fn(&TrendPoint) -> f64| {
        (1..).zip(&trend.campaigns).map(|(number, campaign)| (f64::from(number), value(campaign))).collect()
    };
    let plot = |title, value: fn(&TrendPoint) -> f64| {
        Plot { title, x_label: "campaign", log_x: false, steps: false, lines: vec![("", line(value))] }
            .render()
    };
    Ok(vec![
        plot("Seeds per second", |campaign| campaign.seeds_per_second)?,
        plot("Seeds that failed, %", |campaign| {
            campaign.failing_seeds as f64 * 100.0 / campaign.seeds.max(1) as f64
        })?,
        plot("Marks never reached", |campaign| campaign.marks_never_reached.len() as f64)?,
    ])
}
