//! Jepsen's operations as JSON, as `elle-cli` reads them: an array of objects, or one object after the other.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::FormatError;
use super::edn::{Edn, atom};

/// Reads all operations, each with its line.
///
/// # Errors
/// When the text is no JSON, with its place.
pub(super) fn operations(
    bytes: &[u8],
    each: &mut impl FnMut(Edn<'static>, usize) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut place = Place { rest: bytes, line: 1, column: 1 };
    if place.blank() != Some(b'[') {
        while place.blank().is_some() {
            let line = place.line;
            each(place.value()?, line)?;
        }
        return Ok(());
    }
    place.skip(1);
    if place.blank() != Some(b']') {
        loop {
            let line = place.line;
            each(place.value()?, line)?;
            match place.blank() {
                Some(b']') => break,
                Some(b',') => place.skip(1),
                Some(_) => return Err(place.error("expected , or ] behind an operation")),
                None => return Err(place.error("the array is never closed: the file is cut off")),
            }
            place.blank();
        }
    }
    place.skip(1);
    place.blank().map_or(Ok(()), |_| Err(place.error("something follows behind the array")))
}

/// What is left of a text, and where it begins.
struct Place<'t> {
    rest: &'t [u8],
    line: usize,
    column: usize,
}

impl Place<'_> {
    /// Skips blanks; returns the byte behind them.
    fn blank(&mut self) -> Option<u8> {
        let blank = self.rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.skip(blank);
        self.rest.first().copied()
    }

    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at(length);
        self.line += skipped.iter().filter(|byte| **byte == b'\n').count();
        self.column = match skipped.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => length - at,
            None => self.column + length,
        };
        self.rest = rest;
    }

    fn value(&mut self) -> Result<Edn<'static>, FormatError> {
        let mut values = serde_json::Deserializer::from_slice(self.rest).into_iter();
        match values.next() {
            Some(Ok(value)) => {
                let length = values.byte_offset();
                self.skip(length);
                Ok(value)
            }
            Some(Err(error)) => Err(self.located(&error)),
            None => Err(self.error("expected an operation")),
        }
    }

    fn error(&self, message: &str) -> FormatError {
        FormatError::new(self.line, self.column, message)
    }

    fn located(&self, error: &serde_json::Error) -> FormatError {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what).to_owned();
        let (line, column) = (error.line().max(1), error.column().max(1));
        let column = if line == 1 { self.column + column - 1 } else { column };
        FormatError::new(self.line + line - 1, column, message)
    }
}

impl<'de> Deserialize<'de> for Edn<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Edn<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operation of Jepsen")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Edn::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Edn::Atom(Cow::Borrowed(if value { "true" } else { "false" })))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Edn::Atom(Cow::Owned(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Edn::Atom(Cow::Owned(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        let text = format!("{value:?}");
        Ok(Edn::Atom(Cow::Owned(atom(&text).into_owned())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        // A JSON export writes keywords as strings, with or without the colon.
        Ok(match value.strip_prefix(':') {
            Some(name) => Edn::Keyword(Cow::Owned(name.to_owned())),
            None => Edn::Text(Cow::Owned(value.to_owned())),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Edn::Sequence(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some((key, value)) = pairs.next_entry::<String, Edn<'static>>()? {
            list.push((Edn::Text(Cow::Owned(key)), value));
        }
        Ok(Edn::Map(list))
    }
}
