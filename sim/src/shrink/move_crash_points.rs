//! Variants of a plan with other crash points.
//!
//! Crash points count operations, and a smaller plan has fewer of them: the crash now comes too late, or
//! tears another write. A plan that lost its failure in this way often fails again with a crash a few
//! operations earlier, or when another part of the same unsynced data survives.

use crate::plan::{CrashAt, Plan};

/// Returns the plan with other crash points, the `attempt`-th variant; `None` if it has no crash.
pub(super) fn moved(plan: &Plan, attempt: u64) -> Option<Plan> {
    plan.lives.iter().find(|life| life.crash.is_some())?;
    let mut plan = plan.clone();
    for life in &mut plan.lives {
        let count = match &mut life.crash {
            None | Some(CrashAt::Point(_)) => continue,
            Some(CrashAt::Step(count)) => count,
            Some(CrashAt::Disk { operation, .. }) => operation,
            Some(CrashAt::Sync { nth, .. } | CrashAt::Growth { nth } | CrashAt::Promise { nth }) => nth,
        };
        *count = earlier(*count, attempt);
    }
    // From the second attempt on, what survives is drawn anew as well.
    plan.disk_seed = plan.disk_seed.wrapping_add(attempt << 32);
    Some(plan)
}

/// Returns an earlier count: by one, two, four; then half of it, a quarter, and so on.
fn earlier(count: u64, attempt: u64) -> u64 {
    let step = attempt / 2;
    let moved = if attempt.is_multiple_of(2) {
        count.saturating_sub(1 << step.min(32))
    } else {
        count >> (step + 1).min(32)
    };
    moved.max(1)
}

#[cfg(test)]
mod tests {
    use super::earlier;

    #[test]
    fn crash_points_come_earlier_in_small_and_in_large_strides() {
        let strides: Vec<u64> = (0..6).map(|attempt| earlier(40, attempt)).collect();
        assert_eq!(strides, [39, 20, 38, 10, 36, 5]);
        assert_eq!(earlier(1, 5), 1);
    }
}
