//! Histories as JSON lines, streamed: one event a line, no more than one line in memory.

use std::io::{self, BufRead, Write};

use super::{Event, FoldError, History, fold::apply};

/// Why a file is no history.
#[derive(Debug, thiserror::Error)]
pub enum JsonlError {
    /// The file could not be read.
    #[error("line {line}: {source}")]
    Io {
        /// Which line, from 1.
        line: usize,
        /// What went wrong.
        source: io::Error,
    },
    /// A line is no event.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Which line, from 1.
        line: usize,
        /// Which column, from 1.
        column: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The events do not add up.
    #[error("line {line}: {source}")]
    Fold {
        /// Which line, from 1.
        line: usize,
        /// What does not.
        source: FoldError,
    },
}

/// Writes events, one a line.
///
/// # Errors
/// When the writer fails.
pub fn write_jsonl<'a>(
    mut writer: impl Write,
    events: impl IntoIterator<Item = &'a Event>,
) -> io::Result<()> {
    for event in events {
        write_event(&mut writer, event)?;
    }
    writer.flush()
}

/// Reads and folds events, one a line; empty lines are skipped.
///
/// # Errors
/// When a line can't be read, is no event, or does not fit to the lines before it.
pub fn read_jsonl(mut reader: impl BufRead) -> Result<History, JsonlError> {
    let mut history = History::default();
    let (mut text, mut line, mut number) = (String::new(), 0, 0);
    loop {
        line += 1;
        text.clear();
        let bytes = reader.read_line(&mut text).map_err(|source| JsonlError::Io { line, source })?;
        if bytes == 0 {
            return Ok(history);
        }
        if text.trim().is_empty() {
            continue;
        }
        let event = serde_json::from_str(&text).map_err(|error| JsonlError::Syntax {
            line,
            column: error.column(),
            message: without_position(&error.to_string()),
        })?;
        apply(&mut history, number, event).map_err(|source| JsonlError::Fold { line, source })?;
        number += 1;
    }
}

/// `serde_json` says "… at line 1 column 33", of which the line is always 1 here.
fn without_position(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(what, _)| what).to_owned()
}

pub(super) fn write_event(writer: &mut impl Write, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, event)?;
    writer.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::{JsonlError, read_jsonl, write_jsonl};
    use crate::history::{Event, LifeEnd, Op, Outcome, fold};
    use crate::store::Isolation;

    fn events() -> Vec<Event> {
        vec![
            Event::Opened { life: 0, at: 1 },
            Event::Begin {
                txn: 0,
                session: 3,
                life: 0,
                at: 2,
                start_version: Some(0),
                isolation: Isolation::Serializable,
            },
            Event::Op { txn: 0, at: 3, op: Op::Put { key: b"k".to_vec(), value: b"v".to_vec() } },
            Event::Commit { txn: 0, at: 4 },
            Event::Outcome {
                txn: 0,
                outcome: Outcome::Committed { invoked: 4, acked: 5, version: Some(1), durable: None },
            },
            Event::Durable { txn: 0, at: 6 },
            Event::Ended { life: 0, at: 7, how: LifeEnd::Crashed },
        ]
    }

    #[test]
    fn a_history_written_and_read_again_is_the_same() {
        let mut file = Vec::new();
        write_jsonl(&mut file, &events()).expect("written");
        let read = read_jsonl(file.as_slice()).expect("read");
        assert_eq!(read, fold(events()).expect("folded"));
        assert!(matches!(read.txns[0].outcome, Outcome::Committed { durable: Some(6), .. }));
    }

    #[test]
    fn a_bad_line_is_named_with_line_and_column() {
        let error = read_jsonl("\n{\"event\":\"opened\",\"life\":0,\"at\":}".as_bytes()).expect_err("bad");
        assert!(matches!(error, JsonlError::Syntax { line: 2, column: 33, .. }), "{error:?}");
    }

    #[test]
    fn an_event_of_a_transaction_that_never_began_is_an_error() {
        let error = read_jsonl("{\"event\":\"commit\",\"txn\":7,\"at\":1}".as_bytes()).expect_err("bad");
        assert!(matches!(error, JsonlError::Fold { line: 1, .. }), "{error:?}");
    }
}
