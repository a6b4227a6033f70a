//! Calls: each invocation of an operation with its completion.

use std::borrow::Cow;

use crate::formats::FormatError;
use crate::formats::edn::Edn;
use crate::formats::jepsen::{Moment, operations};
use crate::view::Map;

/// A call, and how it ended.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) process: String,
    pub(super) function: String,
    /// What it was called with, or what it returned if it ended well.
    pub(super) value: Edn<'static>,
    /// When it was called, as a position in the file.
    pub(super) invoked: usize,
    /// When it ended well; none if it failed, or if that is unknown.
    pub(super) returned: Option<usize>,
    /// Whether it certainly had no effect.
    pub(super) failed: bool,
    pub(super) line: u32,
    pub(super) index: u32,
}

impl Call {
    /// Returns where it stands in the file.
    pub(super) fn place(&self) -> String {
        let line = if self.line > 0 { format!("line {}, ", self.line) } else { String::new() };
        format!("{line}index {}, process {}", self.index, self.process)
    }

    /// Returns the call as written, with its place.
    pub(super) fn show(&self) -> String {
        const LENGTH_MAX: usize = 200;
        let mut value = self.value.canonical();
        if let Some((cut, _)) = value.char_indices().nth(LENGTH_MAX) {
            value.truncate(cut);
            value.push('…');
        }
        format!(":{} {value} ({})", self.function, self.place())
    }

    /// Returns an error about its value.
    pub(super) fn unexpected(&self, expected: &str) -> FormatError {
        FormatError::new(
            self.line.max(1) as usize,
            1,
            format!("expected {expected}, and got {}", self.show()),
        )
    }
}

/// All calls of a history, in the order in which they were called.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) list: Vec<Call>,
    /// Operations of the nemesis, or without a function.
    pub(super) left_out: u64,
}

impl Calls {
    pub(super) fn read(bytes: &[u8], is_json: bool) -> Result<Self, FormatError> {
        let mut calls = Self::default();
        let mut running: Map<String, usize> = Map::default();
        let mut at = 0;
        operations(bytes, is_json, &mut |operation| {
            at += 1;
            let Some(function) = operation.function.filter(|_| !operation.by_nemesis()) else {
                calls.left_out += 1;
                return Ok(());
            };
            let place = match running.remove(&operation.process) {
                Some(place) if operation.moment != Moment::Invoke => place,
                _ => {
                    calls.list.push(Call {
                        process: operation.process.clone(),
                        function: function.to_owned(),
                        value: owned(operation.value),
                        invoked: at,
                        returned: None,
                        failed: false,
                        line: operation.line,
                        index: operation.index,
                    });
                    calls.list.len() - 1
                }
            };
            let call = &mut calls.list[place];
            match operation.moment {
                Moment::Invoke => {
                    running.insert(operation.process.clone(), place);
                }
                Moment::Ok => {
                    call.value = owned(operation.value);
                    call.returned = Some(at);
                    (call.line, call.index) = (operation.line, operation.index);
                }
                Moment::Fail => call.failed = true,
                Moment::Info => {}
            }
            Ok(())
        })?;
        Ok(calls)
    }

    /// Returns the calls of a function that took effect or may have.
    pub(super) fn of<'c>(&'c self, function: &'c str) -> impl Iterator<Item = &'c Call> {
        self.list.iter().filter(move |call| call.function == function && !call.failed)
    }

    /// Returns the calls of a function that ended well.
    pub(super) fn ok<'c>(&'c self, function: &'c str) -> impl Iterator<Item = &'c Call> {
        self.of(function).filter(|call| call.returned.is_some())
    }

    /// Returns the number of calls of other functions.
    pub(super) fn others(&self, functions: &[&str]) -> u64 {
        self.list.iter().filter(|call| !functions.contains(&call.function.as_str())).count() as u64
    }
}

/// Returns the value without its file. Tags are dropped: a map entry of `jepsen.independent` is a pair.
fn owned(value: &Edn<'_>) -> Edn<'static> {
    let all = |items: &[Edn<'_>]| items.iter().map(owned).collect();
    match value {
        Edn::Nil => Edn::Nil,
        Edn::Atom(text) => Edn::Atom(Cow::Owned(text.clone().into_owned())),
        Edn::Text(text) => Edn::Text(Cow::Owned(text.clone().into_owned())),
        Edn::Keyword(text) => Edn::Keyword(Cow::Owned(text.clone().into_owned())),
        Edn::Sequence(items) => Edn::Sequence(all(items)),
        Edn::Set(items) => Edn::Set(all(items)),
        Edn::Map(pairs) => Edn::Map(pairs.iter().map(|(key, value)| (owned(key), owned(value))).collect()),
        Edn::Tagged(_, value) => owned(value),
    }
}
