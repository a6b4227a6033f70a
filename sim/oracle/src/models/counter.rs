//! The counter: a read lies between what was certainly added before it and what may have been added.

use super::calls::Calls;
use super::{ModelReport, Problem};
use crate::formats::FormatError;

pub(super) fn check(calls: &Calls, report: &mut ModelReport) -> Result<(), FormatError> {
    report.judged = (calls.of("add").count() + calls.ok("read").count()) as u64;
    report.left_out += calls.others(&["add", "read"]);
    // Steps of the bounds, by time: what an add may do from its call on, and must have done from its ack on.
    let mut steps: Vec<(usize, i64, i64)> = Vec::new();
    for add in calls.of("add") {
        let amount = add.value.integer().ok_or_else(|| add.unexpected("a number"))?;
        let (up, down) = (amount.max(0), amount.min(0));
        steps.push((add.invoked, down, up));
        if let Some(returned) = add.returned {
            steps.push((returned, up, down));
        }
    }
    steps.sort_unstable();
    let mut sums = vec![(0_i64, 0_i64)];
    for (_, lower, upper) in &steps {
        let (below, above) = sums[sums.len() - 1];
        sums.push((below.saturating_add(*lower), above.saturating_add(*upper)));
    }
    let at = |time: usize| sums[steps.partition_point(|(step, _, _)| *step <= time)];
    for read in calls.ok("read") {
        let value = read.value.integer().ok_or_else(|| read.unexpected("a number"))?;
        let (invoked, returned) = (read.invoked, read.returned.unwrap_or(read.invoked));
        let within = steps.iter().map(|step| step.0).filter(|time| (invoked..=returned).contains(time));
        let bounds = within.chain([invoked, returned]).map(at);
        let (lower, upper) = bounds.fold((i64::MAX, i64::MIN), |(lower, upper), (below, above)| {
            (lower.min(below), upper.max(above))
        });
        if !(lower..=upper).contains(&value) {
            report.problem(|| {
                Problem::new("out of bounds", format!("{} lies not within {lower} and {upper}", read.show()))
            });
        }
    }
    Ok(())
}
