//! Messages between the process supervisor and the process of a life: JSON lines.
//!
//! To the process one [`Start`]; from it events and pages as recorder and notebook write them, and
//! [`Report`]s between. A process that is killed leaves its last line torn; that line does not count.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stormproof_workloads::history::{Event, Life, Session, Time, TxnIndex};
use stormproof_workloads::notebook::{Page, Progress};

use super::round::Round;
use super::thread_runner::Work;
use crate::inspector::Names;

/// What a life begins with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) round: Round,
    /// Where the store is.
    pub(super) folder: PathBuf,
    pub(super) life: Life,
    pub(super) role: Role,
    /// The time of the last event before.
    pub(super) last: Time,
    /// Transactions that were begun before.
    pub(super) txns: TxnIndex,
    /// Where clients are.
    pub(super) progress: Vec<(Session, Progress)>,
    /// The lists, streams and machines that the history has mentioned so far.
    pub(super) names: Names,
    /// The time that has passed in earlier lives.
    pub(super) before_micros: u64,
    pub(super) silence_max_micros: u64,
}

/// What a life is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// Clients go on where they were.
    Work,
    /// Only the inspector reads.
    Look,
}

/// A line that a process writes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    Event(Event),
    Page(Page),
    Report(Report),
}

/// Progress of a life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub(super) enum Report {
    /// It begins to open the store.
    Opening,
    /// The store did not open.
    OpenFailed { error: String },
    /// Clients have stopped.
    Worked { work: Work },
    /// The store did not close.
    CloseFailed { error: String },
    /// It is over.
    Closed,
}

impl Line {
    /// Reads a line.
    pub(super) fn parse(text: &[u8]) -> serde_json::Result<Self> {
        if text.starts_with(b"{\"event\"") {
            serde_json::from_slice(text).map(Self::Event)
        } else if text.starts_with(b"{\"page\"") {
            serde_json::from_slice(text).map(Self::Page)
        } else {
            serde_json::from_slice(text).map(Self::Report)
        }
    }
}

/// Standard output, whole lines at a time, from several writers.
///
/// Ends the process when a line can't be written: its supervisor is gone, and unrecorded work must not
/// happen.
#[derive(Debug, Default)]
pub(super) struct LineWriter {
    line: Vec<u8>,
}

impl LineWriter {
    /// Writes one report.
    pub(super) fn report(report: &Report) {
        let mut writer = Self::default();
        let text = serde_json::to_vec(report).expect("reports are plain data");
        let _ = writer.write_all(&text).and_then(|()| writer.write_all(b"\n"));
    }
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if bytes.ends_with(b"\n") {
            let mut out = io::stdout().lock();
            if out.write_all(&self.line).and_then(|()| out.flush()).is_err() {
                std::process::exit(1);
            }
            self.line.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use stormproof_workloads::history::{Event, LifeEnd};
    use stormproof_workloads::notebook::{Page, Progress};

    use super::{Line, Report, Work};

    #[test]
    fn every_kind_of_line_is_read_as_what_it_was() {
        let event = Event::Ended { life: 1, at: 2, how: LifeEnd::Crashed };
        let page = Page::Progress { session: 3, progress: Progress::default() };
        let report = Report::Worked { work: Work::Panicked("no".into()) };
        let lines = [
            (serde_json::to_vec(&event), Line::Event(event)),
            (serde_json::to_vec(&page), Line::Page(page)),
            (serde_json::to_vec(&report), Line::Report(report)),
        ];
        for (text, line) in lines {
            assert_eq!(Line::parse(&text.expect("plain data")).expect("it is read"), line);
        }
        assert!(Line::parse(b"{\"event\":\"opened\",\"li").is_err());
    }
}
