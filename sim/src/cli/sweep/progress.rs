//! Progress of a sweep on standard error: a bar on a terminal, now and then a line in a log.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::conclusion::unseen;
use super::summary::rounded;
use crate::cli::Failure;
use crate::cli::terminal::Terminal;
use crate::sweep::CampaignResult;

/// When a log gets its first line, and the longest time between two.
const FIRST_LINE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Shows progress.
pub(super) struct ProgressView<'a> {
    terminal: &'a Terminal,
    planned: Option<u64>,
    time_limit: Option<Duration>,
    bar: Option<ProgressBar>,
    next_line: Option<Duration>,
}

impl<'a> ProgressView<'a> {
    pub(super) fn new(
        terminal: &'a Terminal,
        planned: Option<u64>,
        time_limit: Option<Duration>,
    ) -> Result<Self, Failure> {
        let bar = terminal.has_bar().then(|| bar(planned, time_limit)).transpose()?;
        let next_line = terminal.has_progress_lines().then_some(FIRST_LINE);
        Ok(Self { terminal, planned, time_limit, bar, next_line })
    }

    pub(super) fn show(&mut self, result: &CampaignResult, elapsed: Duration) {
        if let Some(bar) = &self.bar {
            let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            bar.set_position(if self.planned.is_some() { result.seeds } else { millis });
            bar.set_message(words(result, elapsed));
        }
        if self.next_line.is_some_and(|next| elapsed >= next) {
            self.next_line = Some(elapsed + elapsed.min(PAUSE_MAX));
            let of = match (self.planned, self.time_limit) {
                (Some(planned), _) => format!(" of {planned}"),
                (None, Some(limit)) => format!(" of {} s", limit.as_secs()),
                (None, None) => String::new(),
            };
            let line = format!("{:>4} s{of}: {}", elapsed.as_secs(), words(result, elapsed));
            self.terminal.note(&line);
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(planned: Option<u64>, time_limit: Option<Duration>) -> Result<ProgressBar, Failure> {
    let millis = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let length = planned.or(time_limit.map(millis));
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    // Whatever does not fit is cut: a line that wraps would be drawn below itself again and again.
    let style = ProgressStyle::with_template("{bar:20} {percent:>3} % {wide_msg}").map_err(Failure::own)?;
    bar.set_style(style);
    Ok(bar)
}

fn words(result: &CampaignResult, elapsed: Duration) -> String {
    let rate = rounded(result.seeds, elapsed.as_secs_f64().max(0.001));
    let violated = match result.failing {
        0 => "none violated".to_owned(),
        failing => format!("{failing} VIOLATED"),
    };
    format!("{} seeds, {rate}/s, {violated}, {} marks unseen", result.seeds, unseen(result).len())
}
