//! What things are called in every format.

use std::borrow::Borrow;

use crate::{
    Access, AccessKind, CheckResult, Conflict, ConflictKind, EdgeKind, LaneKind, LifeEnd, Outcome, Txn,
    Verdict,
};

impl Verdict {
    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Failed => "no verdict",
        }
    }

    /// One letter for it.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Held => "✓",
            Self::Violated => "✗",
            Self::Failed => "!",
        }
    }
}

impl CheckResult {
    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Skipped => "skipped",
        }
    }
}

impl Outcome {
    /// Words for it.
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
    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Crashed => "crashed",
        }
    }
}

impl LaneKind {
    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Engine => "engine",
            Self::World => "world",
        }
    }
}

impl AccessKind {
    /// One word for it.
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
    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Cas => "cas",
            Self::Read => "read",
            Self::Range => "range",
        }
    }

    /// The kind with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Write, Self::Cas, Self::Read, Self::Range].into_iter().find(|kind| kind.word() == word)
    }
}

impl EdgeKind {
    /// The usual two letters, or a word.
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

/// An operation in a few words: `read a = 7 @3`.
pub(crate) fn access(access: &Access) -> String {
    let mut words = format!("{} {}", access.kind.word(), access.key);
    match (&access.value, access.kind) {
        (Some(value), _) => words += &format!(" = {value}"),
        (None, AccessKind::Read) => words += " absent",
        (None, _) => {}
    }
    if let Some(version) = access.version {
        words += &format!(" @{version}");
    }
    if let Some(writer) = access.from {
        words += &format!(" of T{writer}");
    }
    if !access.note.is_empty() {
        words += &format!(" ({})", access.note);
    }
    words
}

/// A conflict in a few words: `write conflict on a: T3 won at version 5`.
pub(crate) fn conflict(conflict: &Conflict) -> String {
    let mut words = format!("{} conflict on {}", conflict.kind.word(), conflict.key);
    match (conflict.winner, conflict.winner_version) {
        (Some(winner), Some(version)) => words += &format!(": T{winner} won at version {version}"),
        (Some(winner), None) => words += &format!(": T{winner} won"),
        (None, Some(version)) => words += &format!(": lost to version {version}"),
        (None, None) => {}
    }
    words
}

/// The versions of a transaction: `3 → 5`.
pub(crate) fn versions(txn: &Txn) -> String {
    let show = |version: Option<u64>| version.map_or_else(|| "–".to_owned(), |v| v.to_string());
    format!("{} → {}", show(txn.start_version), show(txn.commit_version))
}

/// How it ended, in a few words: `aborted (write conflict on a)`.
pub(crate) fn ending(txn: &Txn) -> String {
    let why: Vec<_> = txn.conflicts.iter().map(conflict).collect();
    if why.is_empty() {
        txn.outcome.word().to_owned()
    } else {
        format!("{} ({})", txn.outcome.word(), why.join("; "))
    }
}

/// A figure with a thin space between thousands: `1 234 567`.
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
    use super::{access, conflict, figure};
    use crate::{Access, AccessKind, Conflict, ConflictKind};

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
    fn thousands_are_told_apart() {
        assert_eq!(figure(7u64), "7");
        assert_eq!(figure(1_234_567u64), "1\u{202f}234\u{202f}567");
        assert_eq!(figure(123_456u64), "123\u{202f}456");
    }
}
