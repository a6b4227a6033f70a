//! Jepsen's operations, from EDN or JSON: what each process invoked, and how that ended.
//!
//! Job: one operation after the other, with its place in the file. Not its job: what the operations mean
//! ([`super::elle`] for transactions, [`crate::models`] for other workloads).

use super::FormatError;
use super::edn::Edn;
use super::edn_reader::Reader;
use super::json;

/// The moment of an operation that a line records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// One line of a history.
#[derive(Debug)]
pub(crate) struct Operation<'o> {
    pub(crate) moment: Moment,
    /// The process, in canonical text.
    pub(crate) process: String,
    /// The function, `:f`.
    pub(crate) function: Option<&'o str>,
    pub(crate) value: &'o Edn<'o>,
    /// The line in the file, from 1; 0 if the file is one line.
    pub(crate) line: u32,
    /// The operation's own `:index`; its position in the file if it has none.
    pub(crate) index: u32,
}

impl Operation<'_> {
    /// Returns whether it was done by the nemesis, which injects faults and reads nothing.
    pub(crate) fn by_nemesis(&self) -> bool {
        self.process.trim_matches(['"', ':']) == "nemesis"
    }
}

/// Reads all operations in order.
///
/// # Errors
/// When the file is damaged, an operation lacks a field, or `each` refuses it: with its place.
pub(crate) fn operations(
    bytes: &[u8],
    is_json: bool,
    each: &mut impl FnMut(&Operation<'_>) -> Result<(), String>,
) -> Result<(), FormatError> {
    let mut position = 0;
    if is_json {
        return json::operations(bytes, &mut |value, line| {
            position += 1;
            operation(&value, line, position - 1, each).map_err(|why| FormatError::new(line.max(1), 1, why))
        });
    }
    let mut reader = Reader::new(super::utf8(bytes)?);
    while let Some((value, at)) = reader.operation()? {
        let line = reader.line(at);
        operation(&value, line, position, each).map_err(|why| reader.error_at(at, why))?;
        position += 1;
    }
    Ok(())
}

fn operation(
    value: &Edn<'_>,
    line: usize,
    position: u32,
    each: &mut impl FnMut(&Operation<'_>) -> Result<(), String>,
) -> Result<(), String> {
    if value.pairs().is_none() {
        return Err("expected an operation, a map".to_owned());
    }
    let kind = value.get("type").and_then(Edn::name).ok_or("this operation has no :type")?;
    let moment = match kind {
        "invoke" => Moment::Invoke,
        "ok" => Moment::Ok,
        "fail" => Moment::Fail,
        "info" => Moment::Info,
        other => return Err(format!("there is no :type :{other}; expected :invoke, :ok, :fail or :info")),
    };
    let process = value.get("process").ok_or("this operation has no :process")?.canonical();
    let function = value.get("f").and_then(Edn::name);
    let index = value.get("index").and_then(Edn::integer).and_then(|index| u32::try_from(index).ok());
    each(&Operation {
        moment,
        process,
        function,
        value: value.get("value").unwrap_or(&Edn::Nil),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        index: index.unwrap_or(position),
    })
}
