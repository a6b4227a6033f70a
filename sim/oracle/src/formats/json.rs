//! Jepsen's operations as JSON, as `elle-cli` reads them: an array of objects, or one object after the other.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::FormatError;
use super::edn::{Edn, atom};

/// Reads all operations, each with its line if every line holds one.
///
/// # Errors
/// When the text is no JSON, with its place.
pub(super) fn operations(
    bytes: &[u8],
    each: &mut impl FnMut(Edn<'static>, usize) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let operations: Vec<Edn<'static>> =
            serde_json::from_slice(bytes).map_err(|error| located(&error, 0))?;
        return operations.into_iter().try_for_each(|operation| each(operation, 0));
    }
    let mut line = 1;
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Edn<'static>>();
    let mut from = 0;
    while let Some(value) = values.next() {
        let value = value.map_err(|error| located(&error, 0))?;
        let to = values.byte_offset();
        let blank = bytes[from..to].iter().take_while(|byte| byte.is_ascii_whitespace());
        let start = line + blank.filter(|byte| **byte == b'\n').count();
        each(value, start)?;
        line += bytes[from..to].iter().filter(|byte| **byte == b'\n').count();
        from = to;
    }
    Ok(())
}

fn located(error: &serde_json::Error, lines: usize) -> FormatError {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what).to_owned();
    FormatError::new(lines + error.line().max(1), error.column().max(1), message)
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
