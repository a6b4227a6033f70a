//! The ranges of settings. A value outside of its range is refused when the database is opened, with an error
//! that names the setting: silently corrected, it would hide a mistake.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::builder::DatabaseBuilder;
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::mvcc::{ENTRIES_MAX, JOURNAL_MAX, KEY_BYTES_MAX, Sizes};

/// The longest time that any setting takes.
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

/// Checks all settings.
///
/// # Errors
/// [`Error::Invalid`] names the first that is outside of its range.
pub(super) fn check(builder: &DatabaseBuilder) -> Result<()> {
    let log = &builder.log;
    within("segment_bytes_max", log.segment_bytes_max, 256..=1 << 40)?;
    within("allocate_bytes", log.allocate_bytes, 0..=1 << 30)?;
    within("log_buffer_bytes_max", log.buffer_bytes_max, 1 << 10..=1 << 31)?;
    within("checkpoint_log_bytes", log.checkpoint_log_bytes, 1 << 10..=u64::MAX)?;
    within("checkpoint_segments", log.checkpoint_segments, 1..=usize::MAX)?;
    if let Some(interval) = log.checkpoint_interval {
        within("checkpoint_interval", interval, Duration::from_millis(1)..=YEAR)?;
    }
    if let Some(interval) = log.durability.interval() {
        within("the interval of the durability", interval, Duration::from_nanos(1)..=YEAR)?;
    }
    if let Durability::Batched { commits_max, .. } = log.durability {
        within("commits_max of the durability", commits_max, 1..=u64::MAX)?;
    }
    let Sizes { page, journal } = builder.index_sizes;
    within("page_entries of index_leaf", page, 2..=ENTRIES_MAX)?;
    within("journal_records of index_leaf", journal, 2..=JOURNAL_MAX.min(page))?;
    within("snapshot_generations", builder.snapshot_generations, 2..=1 << 16)?;
    within("collect_every", builder.collect_every, 1..=u64::MAX)?;
    within("recovery_threads", builder.recovery_threads, 1..=1 << 10)?;
    within("close_timeout", builder.close_timeout, Duration::ZERO..=YEAR)?;
    within("maintenance_interval", builder.maintenance_interval, Duration::from_micros(100)..=YEAR)?;
    if let Some(age) = builder.retention.age_max {
        within("ended_runs_age_max", age, Duration::ZERO..=YEAR)?;
    }
    let (retry, limits) = (&builder.defaults.retry, &builder.defaults.limits);
    within("attempts_max of the retry policy", retry.attempts_max, 1..=u32::MAX)?;
    within("pause_min of the retry policy", retry.pause_min, Duration::ZERO..=YEAR)?;
    within("pause_max of the retry policy", retry.pause_max, retry.pause_min..=YEAR)?;
    if let Some(timeout) = limits.timeout {
        within("timeout", timeout, Duration::from_nanos(1)..=YEAR)?;
    }
    within("writes_max", limits.writes_max, 1..=usize::MAX)?;
    within("bytes_max", limits.bytes_max, 1..=usize::MAX)?;
    within("key_bytes_max", limits.key_bytes_max, 1..=KEY_BYTES_MAX)
}

fn within<T: PartialOrd + Copy + Debug>(setting: &str, value: T, range: RangeInclusive<T>) -> Result<()> {
    if range.contains(&value) {
        if value == *range.start() {
            rt::reached!("a setting at the least of its range");
        } else if value == *range.end() {
            rt::reached!("a setting at the most of its range");
        }
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(Error::Invalid(format!(
        "{setting} is {value:?}, and must be from {least:?} to {most:?}: set it to one of these, or leave it out"
    )))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::database::{Database, DatabaseBuilder};
    use crate::durability::Durability;
    use crate::txn::RetryPolicy;

    type With = Box<dyn Fn(DatabaseBuilder) -> DatabaseBuilder>;

    /// Each of these hung, span, wrote without end, or panicked, or was corrected without a word.
    #[test]
    fn settings_outside_of_their_range_are_refused_by_name() {
        let cases: Vec<(&str, With)> = vec![
            ("segment_bytes_max", Box::new(|b| b.segment_bytes_max(255))),
            ("segment_bytes_max", Box::new(|b| b.segment_bytes_max(u64::MAX))),
            ("allocate_bytes", Box::new(|b| b.allocate_bytes(u64::MAX))),
            ("log_buffer_bytes_max", Box::new(|b| b.log_buffer_bytes_max(0))),
            ("log_buffer_bytes_max", Box::new(|b| b.log_buffer_bytes_max(usize::MAX))),
            ("checkpoint_log_bytes", Box::new(|b| b.checkpoint_log_bytes(0))),
            ("checkpoint_segments", Box::new(|b| b.checkpoint_segments(0))),
            ("checkpoint_interval", Box::new(|b| b.checkpoint_interval(Duration::ZERO))),
            ("checkpoint_interval", Box::new(|b| b.checkpoint_interval(Duration::MAX))),
            ("page_entries", Box::new(|b| b.index_leaf(1, 2))),
            ("page_entries", Box::new(|b| b.index_leaf(usize::MAX, 2))),
            ("journal_records", Box::new(|b| b.index_leaf(8, 1))),
            ("journal_records", Box::new(|b| b.index_leaf(8, 9))),
            ("snapshot_generations", Box::new(|b| b.snapshot_generations(1))),
            ("snapshot_generations", Box::new(|b| b.snapshot_generations(usize::MAX))),
            ("collect_every", Box::new(|b| b.collect_every(0))),
            ("recovery_threads", Box::new(|b| b.recovery_threads(0))),
            ("recovery_threads", Box::new(|b| b.recovery_threads(usize::MAX))),
            ("close_timeout", Box::new(|b| b.close_timeout(Duration::MAX))),
            ("maintenance_interval", Box::new(|b| b.maintenance_interval(Duration::ZERO))),
            ("maintenance_interval", Box::new(|b| b.maintenance_interval(Duration::MAX))),
            ("ended_runs_age_max", Box::new(|b| b.ended_runs_age_max(Duration::MAX))),
            ("timeout", Box::new(|b| b.timeout(Duration::ZERO))),
            ("timeout", Box::new(|b| b.timeout(Duration::MAX))),
            ("writes_max", Box::new(|b| b.writes_max(0))),
            ("bytes_max", Box::new(|b| b.bytes_max(0))),
            ("key_bytes_max", Box::new(|b| b.key_bytes_max(0))),
            ("key_bytes_max", Box::new(|b| b.key_bytes_max(usize::MAX))),
            ("commits_max", Box::new(|b| b.durability(batched(Duration::from_secs(1), 0)))),
            ("interval", Box::new(|b| b.durability(batched(Duration::ZERO, 1)))),
            ("interval", Box::new(|b| b.durability(batched(Duration::MAX, 1)))),
            ("attempts_max", Box::new(|b| b.retry(RetryPolicy::new().attempts_max(0)))),
            ("pause_min", Box::new(|b| b.retry(RetryPolicy::new().pause_min(Duration::MAX)))),
            ("pause_max", Box::new(|b| b.retry(RetryPolicy::new().pause_max(Duration::ZERO)))),
            ("pause_max", Box::new(|b| b.retry(RetryPolicy::new().pause_max(Duration::MAX)))),
        ];
        for (name, with) in cases {
            let error = with(Database::builder()).open().expect_err(name).to_string();
            assert!(error.contains(name) && error.contains("must be from"), "{name}: {error}");
        }
    }

    const fn batched(interval: Duration, commits_max: u64) -> Durability {
        Durability::Batched { interval, commits_max }
    }
}
