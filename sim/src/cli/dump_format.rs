//! The lines of a dump (`sim/schemas/dump.json`).
//!
//! Every value of the engine has a form of its own, so that it comes back as what it was: null, booleans,
//! texts and integers are those of JSON, arrays too; everything else is an object with one field that names
//! the type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stormproof::{DumpEntry, Key, Namespace, RunNumber, TxnId, TypeTag, UnixMillis, Value, Version};

/// The version of the format.
pub(super) const FORMAT: u32 = 1;

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    /// The first.
    Start(Start),
    /// The last.
    End {
        /// How many entries there are between the two.
        keys: u64,
    },
    /// One key.
    Entry(Entry),
}

/// What a dump says of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Start {
    /// [`FORMAT`].
    #[serde(rename = "stormproof_dump")]
    pub(super) format: u32,
    /// The version of the whole.
    version: u64,
    /// Whether entries say who wrote them, and when.
    provenance: bool,
}

/// One key with its value.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The name of a plain key in the shared namespace; of any other in words, beside `key_hex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The encoded key, where its name does not say all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_hex: Option<String>,
    value: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    txn: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
}

/// A value.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Json {
    Null,
    Bool(bool),
    I64(i64),
    String(String),
    Array(Vec<Json>),
    Typed(Typed),
}

/// A value that JSON has no form of its own for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Typed {
    /// An integer that is no `i64`, in digits.
    BigInt(String),
    /// A floating-point number, in digits that give it back to the last bit: readers of JSON differ there.
    F64(String),
    /// One that is not a number, by its bits in hexadecimal digits.
    F64Bits(String),
    /// In hexadecimal digits.
    Bytes(String),
    Map(BTreeMap<String, Json>),
}

impl Start {
    pub(super) const fn of(version: u64, provenance: bool) -> Self {
        Self { format: FORMAT, version, provenance }
    }
}

impl Line {
    /// Returns the line of an entry; `plain` leaves out who wrote it.
    pub(super) fn of(entry: &DumpEntry, plain: bool) -> Self {
        let DumpEntry { key, value, expires_at, version, txn, run, .. } = entry;
        let name = std::str::from_utf8(key.user_key()).ok().map(str::to_owned);
        let is_plain = name.as_deref().is_some_and(|name| Namespace::shared().key(name) == *key);
        let words = match key.tag() {
            Some(TypeTag::Kv) => name,
            // Encoded keys of other types hold numbers, which are no text.
            _ => Some(key.to_string()),
        };
        Self::Entry(Entry {
            key: words,
            key_hex: (!is_plain).then(|| hex(key.as_bytes())),
            value: Json::of(value),
            expires_at: expires_at.map(|at| at.0),
            version: (!plain).then_some(version.get()),
            txn: (!plain).then_some(txn.get()),
            run: (!plain).then_some(run.get()),
        })
    }
}

impl Entry {
    /// Returns the entry of a line.
    pub(super) fn into_entry(self) -> Result<DumpEntry, String> {
        let key = match (self.key_hex, self.key) {
            (Some(digits), _) => bytes_of(&digits).and_then(|bytes| Key::from_bytes(&bytes)),
            (None, Some(name)) => Some(Namespace::shared().key(name)),
            (None, None) => return Err("an entry without a key".to_owned()),
        };
        let key = key.ok_or("a key_hex that is no key")?;
        let mut entry = DumpEntry::new(key, self.value.into_value()?);
        entry.expires_at = self.expires_at.map(UnixMillis);
        entry.version = self.version.map_or(entry.version, Version::new);
        entry.txn = self.txn.map_or(entry.txn, TxnId::new);
        entry.run = self.run.map_or(entry.run, RunNumber::new);
        Ok(entry)
    }
}

impl Json {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::I64(value) => Self::I64(*value),
            Value::BigInt(number) => Self::Typed(Typed::BigInt(number.to_string())),
            Value::F64(value) if value.is_nan() => {
                Self::Typed(Typed::F64Bits(format!("{:016x}", value.to_bits())))
            }
            Value::F64(value) => Self::Typed(Typed::F64(format!("{value:?}"))),
            Value::String(text) => Self::String(text.clone()),
            Value::Bytes(bytes) => Self::Typed(Typed::Bytes(hex(bytes))),
            Value::Array(values) => Self::Array(values.iter().map(Self::of).collect()),
            Value::Map(values) => {
                let field = |(name, value): (&String, &Value)| (name.clone(), Self::of(value));
                Self::Typed(Typed::Map(values.iter().map(field).collect()))
            }
        }
    }

    fn into_value(self) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::I64(value) => Value::I64(value),
            Self::String(text) => Value::String(text),
            Self::Array(values) => {
                Value::Array(values.into_iter().map(Self::into_value).collect::<Result<_, _>>()?)
            }
            Self::Typed(Typed::BigInt(digits)) => {
                let number = if digits.starts_with('-') {
                    digits.parse::<i128>().map(Value::from)
                } else {
                    digits.parse::<u128>().map(Value::from)
                };
                number.map_err(|_| "a big_int that is no number of 128 bits")?
            }
            Self::Typed(Typed::F64(digits)) => {
                Value::F64(digits.parse().map_err(|_| "an f64 that is no number")?)
            }
            Self::Typed(Typed::F64Bits(digits)) => {
                let bits = u64::from_str_radix(&digits, 16).map_err(|_| "f64_bits that are no number")?;
                Value::F64(f64::from_bits(bits))
            }
            Self::Typed(Typed::Bytes(digits)) => {
                Value::from(bytes_of(&digits).ok_or("bytes that are no pairs of hexadecimal digits")?)
            }
            Self::Typed(Typed::Map(values)) => {
                let field = |(name, value): (String, Self)| Ok::<_, String>((name, value.into_value()?));
                Value::Map(values.into_iter().map(field).collect::<Result<_, _>>()?)
            }
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = (pair.len() == 2).then(|| std::str::from_utf8(pair).ok()).flatten()?;
        u8::from_str_radix(pair, 16).ok()
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stormproof::{DumpEntry, Namespace, Value};

    use super::Line;

    fn round(entry: &DumpEntry) -> DumpEntry {
        let text = serde_json::to_string(&Line::of(entry, false)).expect("it is written");
        match serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}")) {
            Line::Entry(entry) => entry.into_entry().expect("it is read"),
            _ => panic!("{text} is taken for another line"),
        }
    }

    #[test]
    fn every_kind_of_value_comes_back_as_what_it_was() {
        let map = BTreeMap::from([("f64".to_owned(), Value::I64(1)), (String::new(), Value::Null)]);
        let bits = |value: f64| Value::F64(value);
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::I64(i64::MIN),
            Value::I64(i64::MAX),
            Value::from(u64::MAX),
            Value::from(u128::MAX),
            Value::from(i128::MIN),
            bits(0.1),
            bits(-0.0),
            bits(1e300),
            bits(3.0),
            bits(f64::MIN_POSITIVE / 2.0),
            bits(f64::INFINITY),
            Value::from("text \u{0} \u{1f980} \""),
            Value::from(&[0_u8, 255, 16][..]),
            Value::from(Vec::<u8>::new()),
            Value::from(map.clone()),
            Value::from(vec![Value::from(map), Value::from(Vec::<Value>::new()), bits(1.0)]),
        ];
        for value in values {
            let entry = DumpEntry::new(Namespace::shared().key("k"), value);
            assert_eq!(round(&entry), entry);
        }
        let nan = DumpEntry::new(Namespace::shared().key("k"), bits(f64::from_bits(0x7ff8_0000_0000_0001)));
        let Value::F64(back) = round(&nan).value else { panic!() };
        assert_eq!(back.to_bits(), 0x7ff8_0000_0000_0001);
    }

    #[test]
    fn every_kind_of_key_comes_back_as_what_it_was() {
        let team = Namespace { tenant: "a\u{0}cme".into(), ..Namespace::shared() };
        for key in [Namespace::shared().key("plain"), Namespace::shared().key([255, 0]), team.key("t")] {
            let entry = DumpEntry::new(key, Value::Null);
            assert_eq!(round(&entry), entry);
        }
    }
}
