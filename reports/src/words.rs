//! What things are called in every format.

use std::borrow::Borrow;

use crate::{
    Access, AccessKind, CheckResult, Conflict, ConflictKind, EdgeKind, FailureTotal, LaneKind, LifeEnd,
    Outcome, Txn, Verdict,
};

impl Verdict {
    /// Returns one word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Failed => "no verdict",
        }
    }

    /// Returns one letter for it.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Held => "✓",
            Self::Violated => "✗",
            Self::Failed => "!",
        }
    }
}

impl CheckResult {
    /// Returns one word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Skipped => "skipped",
        }
    }
}

impl Outcome {
    /// Returns a word or two for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::RolledBack => "rolled back",
            Self::Unknown => "unknown",
            Self::Running => "cut off",
        }
    }
}

impl LifeEnd {
    /// Returns one word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Crashed => "crashed",
        }
    }
}

impl LaneKind {
    /// Returns one word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Engine => "engine",
            Self::World => "world",
        }
    }
}

impl AccessKind {
    /// Returns one word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Scan => "scan",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Cas => "cas",
            Self::Append => "append",
            Self::Failed => "failed",
        }
    }
}

impl ConflictKind {
    /// Returns one word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Cas => "cas",
            Self::Read => "read",
            Self::Range => "range",
        }
    }

    /// Returns the kind with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Write, Self::Cas, Self::Read, Self::Range].into_iter().find(|kind| kind.word() == word)
    }
}

impl EdgeKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::WriteWrite, Self::WriteRead, Self::ReadWrite, Self::RealTime, Self::Session];

    /// Returns what it says of the two transactions.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::WriteWrite => {
                "write–write: the second overwrote what the first wrote, so the first comes before."
            }
            Self::WriteRead => "write–read: the second read what the first wrote, so the first comes before.",
            Self::ReadWrite => {
                "read–write: the first read a key as it was before the second wrote it, so the first comes before: had \
                 it come after, it would have seen that write."
            }
            Self::RealTime => "real time: the first was acknowledged before the second began.",
            Self::Session => "session: both are of one client, one after the other.",
        }
    }

    /// Returns the usual two letters, or a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::WriteWrite => "ww",
            Self::WriteRead => "wr",
            Self::ReadWrite => "rw",
            Self::RealTime => "real time",
            Self::Session => "session",
        }
    }
}

/// Bits of a version below its epoch: a store that is opened again leaps to the next epoch, so that no
/// version is ever assigned twice.
const EPOCH_BITS: u32 = 40;

/// Returns a version as people can read it: `7`, and from the second epoch on `e2.7`, the seventh of the
/// epoch.
pub fn version(version: impl Borrow<u64>) -> String {
    let version = *version.borrow();
    match version >> EPOCH_BITS {
        0 => version.to_string(),
        epoch => format!("e{}.{}", epoch + 1, version & ((1 << EPOCH_BITS) - 1)),
    }
}

/// Returns an operation in a few words: `read a = 7 @3`.
pub(crate) fn access(access: &Access) -> String {
    let mut words = format!("{} {}", access.kind.word(), access.key);
    match (&access.value, access.kind) {
        (Some(value), _) => words += &format!(" = {value}"),
        (None, AccessKind::Read) => words += " absent",
        (None, _) => {}
    }
    if let Some(seen) = access.version {
        words += &format!(" @{}", version(seen));
    }
    if let Some(writer) = access.from {
        words += &format!(" of T{writer}");
    }
    if !access.note.is_empty() {
        words += &format!(" ({})", access.note);
    }
    words
}

/// Returns a share and its interval: `0.5 % (0.2 to 1.3 %)`.
#[expect(clippy::cast_precision_loss, reason = "a share for people")]
pub(crate) fn rate(group: &FailureTotal) -> String {
    let share = group.count as f64 / group.of.max(1) as f64;
    format!("{} ({} to {})", percent(share), percent(group.low), percent(group.high))
}

/// Returns a share with as many digits as it takes to differ from zero.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 {
        return "0 %".to_owned();
    }
    let digits = (1.0 - percent.abs().log10().floor()).clamp(0.0, 6.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 6")]
    let digits = digits as usize;
    format!("{percent:.digits$} %")
}

/// Returns how many seeds must hold, or a dash.
pub(crate) fn until_gone(group: &FailureTotal) -> String {
    group.seeds_until_gone.map_or_else(|| "–".to_owned(), figure)
}

/// Returns a day and an hour, as in `2026-11-30 03:17` (UTC); a dash for an unknown time.
///
/// Source: days to date by Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
pub(crate) fn date(unix_seconds: impl Borrow<u64>) -> String {
    let unix_seconds = *unix_seconds.borrow();
    if unix_seconds == 0 {
        return "–".to_owned();
    }
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", second / 3_600, second / 60 % 60)
}

/// Returns a conflict in a few words: `write conflict on a: T3 won at version 5`.
pub(crate) fn conflict(conflict: &Conflict) -> String {
    let mut words = format!("{} conflict on {}", conflict.kind.word(), conflict.key);
    match (conflict.winner, conflict.winner_version) {
        (Some(winner), Some(at)) => words += &format!(": T{winner} won at version {}", version(at)),
        (Some(winner), None) => words += &format!(": T{winner} won"),
        (None, Some(at)) => words += &format!(": lost to version {}", version(at)),
        (None, None) => {}
    }
    words
}

/// Returns the versions of a transaction: `3 → 5`.
pub(crate) fn versions(txn: &Txn) -> String {
    let show = |seen: Option<u64>| seen.map_or_else(|| "–".to_owned(), version);
    format!("{} → {}", show(txn.start_version), show(txn.commit_version))
}

/// Returns how it ended, in a few words: `aborted (write conflict on a)`.
pub(crate) fn ending(txn: &Txn) -> String {
    let why: Vec<_> = txn.conflicts.iter().map(conflict).collect();
    if why.is_empty() {
        txn.outcome.word().to_owned()
    } else {
        format!("{} ({})", txn.outcome.word(), why.join("; "))
    }
}

/// Returns a figure with a thin space between thousands: `1 234 567`.
pub(crate) fn figure(n: impl Borrow<u64>) -> String {
    let digits = n.borrow().to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{access, conflict, date, figure, rate, version};
    use crate::{Access, AccessKind, Conflict, ConflictKind, FailureTotal};

    #[test]
    fn a_read_tells_what_it_saw_and_who_wrote_it() {
        let read = Access {
            kind: AccessKind::Read,
            key: "a".into(),
            value: Some("7".into()),
            version: Some(3),
            from: Some(1),
            ..Default::default()
        };
        assert_eq!(access(&read), "read a = 7 @3 of T1");
        assert_eq!(access(&Access { value: None, version: Some(0), from: None, ..read }), "read a absent @0");
    }

    #[test]
    fn a_conflict_names_its_winner() {
        let lost = Conflict {
            kind: ConflictKind::Range,
            key: "a..b".into(),
            winner: Some(2),
            winner_version: Some(9),
        };
        assert_eq!(conflict(&lost), "range conflict on a..b: T2 won at version 9");
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(date(951_782_400), "2000-02-29 00:00");
        assert_eq!(date(1_796_008_620), "2026-11-30 03:17");
        assert_eq!(date(0), "–");
    }

    #[test]
    fn a_share_shows_as_many_digits_as_it_needs() {
        let group =
            FailureTotal { count: 3, of: 100_000, low: 0.000_01, high: 0.000_09, ..Default::default() };
        assert_eq!(rate(&group), "0.0030 % (0.0010 % to 0.0090 %)");
        let often = FailureTotal { count: 30, of: 60, low: 0.377, high: 0.623, ..Default::default() };
        assert_eq!(rate(&often), "50 % (38 % to 62 %)");
    }

    #[test]
    fn a_version_of_a_later_epoch_shows_epoch_and_counter() {
        assert_eq!(version(7), "7");
        assert_eq!(version(1_099_511_627_777), "e2.1");
        assert_eq!(version((3 << 40) + 12), "e4.12");
    }

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(figure(7u64), "7");
        assert_eq!(figure(1_234_567u64), "1\u{202f}234\u{202f}567");
        assert_eq!(figure(123_456u64), "123\u{202f}456");
    }
}
