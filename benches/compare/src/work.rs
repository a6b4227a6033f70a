//! The pieces of work, W1 to W8: what is measured, under which promise, and what nothing can beat.

use clap::ValueEnum;
use serde::Serialize;

use crate::engine::Setting;
use crate::pace::Rate;

/// A piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Read, change and write one key in a transaction, not durable.
    W1,
    /// The same, every commit durable.
    W2,
    /// Point reads.
    W3,
    /// Point reads after uniformly random updates.
    W3Updated,
    /// Begin a transaction that reads.
    W4,
    /// One counter, eight threads.
    W5,
    /// Open after a million commits, all of them still in the log.
    W6,
    /// The same with checkpoints as they are by default.
    W6Checkpoints,
    /// Scans.
    W7,
    /// Scans of what was written in random order.
    W7Shuffled,
    /// Scans after uniformly random updates.
    W7Updated,
    /// Memory.
    W8,
}

/// How a database is filled before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// In the order of keys.
    InOrder,
    /// In random order.
    Shuffled,
    /// In random order; then twice as many updates as there are keys, picked uniformly at random.
    Updated,
}

/// One figure of a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Add {
        threads: usize,
    },
    AddDurably {
        threads: usize,
    },
    Read {
        threads: usize,
    },
    /// Point reads of one thread while another writes keys picked at random.
    ReadBesideWriter,
    ReadTen {
        threads: usize,
    },
    ReadHundred {
        threads: usize,
    },
    Begin,
    Contend {
        threads: usize,
        yields: bool,
    },
    ScanHundred,
    ScanAll,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) measure: Measure,
    /// What a 200-line sketch without deletes, checkpoints and range validation reached on the class of
    /// machine that the aims were set on: an upper bound of sorts, for orders of magnitude.
    pub(crate) sketch: Option<f64>,
    /// By which factor Stormproof wants to lead.
    pub(crate) aim: Option<f64>,
}

impl Work {
    pub(crate) const ALL: [Self; 12] = [
        Self::W1,
        Self::W2,
        Self::W3,
        Self::W3Updated,
        Self::W4,
        Self::W5,
        Self::W6,
        Self::W6Checkpoints,
        Self::W7,
        Self::W7Shuffled,
        Self::W7Updated,
        Self::W8,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::W1 => "W1: one key read, changed and written in a transaction, not durable; transactions/s",
            Self::W2 => "W2: the same, every commit durable, each thread on its own keys; transactions/s",
            Self::W3 => "W3: point reads/s",
            Self::W3Updated => "W3: point reads/s, after uniformly random updates",
            Self::W4 => "W4: begin a transaction that reads, and end it; ns",
            Self::W5 => "W5: one counter, 8 threads, not durable; increments/s",
            Self::W6 => "W6: open after many commits of one new key each, all still in the log",
            Self::W6Checkpoints => "W6: open after many commits of one new key each, default checkpoints",
            Self::W7 => "W7: scans, written in the order of keys",
            Self::W7Shuffled => "W7: scans, written in random order",
            Self::W7Updated => "W7: scans, after uniformly random updates",
            Self::W8 => "W8: resident bytes per key of 16 bytes with a value of 100",
        }
    }

    /// How databases are filled for it.
    pub(crate) fn filling(self) -> Filling {
        match self {
            Self::W3Updated | Self::W7Updated => Filling::Updated,
            Self::W7Shuffled => Filling::Shuffled,
            _ => Filling::InOrder,
        }
    }

    /// How databases are set for it.
    pub(crate) fn setting(self) -> Setting {
        match self {
            Self::W2 => Setting::Durable,
            Self::W6 => Setting::LogOnly,
            _ => Setting::Later,
        }
    }

    /// Its figures; those of W6 and W8 are taken in another way.
    pub(crate) fn columns(self) -> Vec<Column> {
        let column = |title: &str, measure, sketch, aim| Column {
            title: title.to_owned(),
            measure,
            sketch: Some(sketch),
            aim: Some(aim),
        };
        let plain = |title: &str, measure, aim| Column { sketch: None, ..column(title, measure, 0.0, aim) };
        match self {
            Self::W1 => vec![
                column("1 thread", Measure::Add { threads: 1 }, 1_090e3, 4.0),
                column("2 threads", Measure::Add { threads: 2 }, 920e3, 3.0),
            ],
            Self::W2 => vec![
                column("1 thread", Measure::AddDurably { threads: 1 }, 6.4e3, 1.0),
                column("8 threads", Measure::AddDurably { threads: 8 }, 26e3, 1.0),
                column("32 threads", Measure::AddDurably { threads: 32 }, 75e3, 1.0),
            ],
            Self::W3 => vec![
                column("1 thread", Measure::Read { threads: 1 }, 11e6, 1.6),
                column("2 threads", Measure::Read { threads: 2 }, 24e6, 1.6),
                column("4 threads", Measure::Read { threads: 4 }, 24e6, 1.6),
                column("tens, 2 threads", Measure::ReadTen { threads: 2 }, 30e6, 2.0),
                plain("hundreds, 2 threads", Measure::ReadHundred { threads: 2 }, 2.0),
                plain("beside a writer", Measure::ReadBesideWriter, 1.3),
            ],
            Self::W3Updated => vec![
                plain("1 thread", Measure::Read { threads: 1 }, 1.3),
                plain("2 threads", Measure::Read { threads: 2 }, 1.3),
                plain("tens, 2 threads", Measure::ReadTen { threads: 2 }, 2.0),
                plain("beside a writer", Measure::ReadBesideWriter, 1.3),
            ],
            Self::W4 => vec![column("ns", Measure::Begin, 10.0, 1.0)],
            Self::W5 => vec![
                column("at once", Measure::Contend { threads: 8, yields: false }, 636e3, 4.0),
                Column {
                    aim: None,
                    ..column("yielding", Measure::Contend { threads: 8, yields: true }, 219e3, 1.0)
                },
            ],
            Self::W6 | Self::W6Checkpoints | Self::W8 => Vec::new(),
            Self::W7 => vec![
                column("scans of 100/s", Measure::ScanHundred, 663e3, 2.0),
                column("full scan, keys/s", Measure::ScanAll, 87e6, 3.0),
            ],
            Self::W7Shuffled => vec![
                plain("scans of 100/s", Measure::ScanHundred, 2.0),
                plain("full scan, keys/s", Measure::ScanAll, 3.0),
            ],
            Self::W7Updated => vec![
                plain("scans of 100/s", Measure::ScanHundred, 1.0),
                plain("full scan, keys/s", Measure::ScanAll, 1.0),
            ],
        }
    }
}

/// One figure of one database in one round.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    /// Whether less is better.
    pub(crate) less_is_better: bool,
    /// The share of attempts that were aborted, where they meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aborted: Option<f64>,
    /// The longest that one operation took, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) worst_ms: Option<f64>,
    /// What does not add up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wrong: Option<String>,
}

impl Figure {
    pub(crate) fn per_second(rate: &Rate) -> Self {
        Self { value: rate.per_second(), ..Self::default() }
    }

    pub(crate) fn nanoseconds(rate: &Rate) -> Self {
        Self { value: rate.nanoseconds(), less_is_better: true, ..Self::default() }
    }

    pub(crate) fn less_is_better(value: f64) -> Self {
        Self { value, less_is_better: true, ..Self::default() }
    }

    pub(crate) fn with_contention(self, rate: &Rate) -> Self {
        Self { aborted: Some(rate.aborted_share()), worst_ms: Some(rate.worst.as_secs_f64() * 1e3), ..self }
    }

    pub(crate) fn wrong(self, wrong: Option<String>) -> Self {
        Self { wrong, ..self }
    }
}
