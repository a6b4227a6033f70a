//! The engine's own types as serde types: values as what they are, in any format; numbers and ids of runs, so
//! that they can be fields of an application's types.
//!
//! A value becomes what formats that describe themselves have for it, so in JSON it reads as JSON does: maps
//! are objects by their names, and nothing says which type of the engine it was. Read back, it is the same
//! value wherever the format has as many types. JSON has no bytes (they come back as an array of numbers), no
//! numbers that are none or infinite (null), and what is larger than 64 bits is read as a floating-point
//! number. Dumps of a database (`stormproof dump`) have a form for each type.
//!
//! INV-VALUE-1 holds here too: a value that nests deeper than one that can be stored is an error, both ways.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap as _, SerializeSeq as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::run_id::RunId;
use crate::types::{Lsn, RunNumber, TxnId, Version};
use crate::value::{VALUE_DEPTH_MAX, Value};
use crate::value_ref::ValueRef;

/// A value in this many arrays and maps.
struct Nested<'a>(ValueRef<'a>, usize);

/// Reads a value in this many arrays and maps.
#[derive(Clone, Copy)]
struct NestedValue(usize);

fn too_deep() -> impl fmt::Display {
    format!("it nests deeper than the {VALUE_DEPTH_MAX} levels that a value has at most")
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value, depth) = *self;
        match value {
            ValueRef::Array(_) | ValueRef::Map(_) if depth == VALUE_DEPTH_MAX => {
                Err(S::Error::custom(too_deep()))
            }
            ValueRef::Null => serializer.serialize_unit(),
            ValueRef::Bool(value) => serializer.serialize_bool(value),
            ValueRef::I64(number) => serializer.serialize_i64(number),
            ValueRef::BigInt(number) => match (number.to_number::<u64>(), number.to_number::<i128>()) {
                (Some(number), _) => serializer.serialize_u64(number),
                (None, Some(number)) => serializer.serialize_i128(number),
                (None, None) => serializer.serialize_u128(number.magnitude()),
            },
            ValueRef::F64(number) => serializer.serialize_f64(number),
            ValueRef::String(text) => serializer.serialize_str(text),
            ValueRef::Bytes(bytes) => serializer.serialize_bytes(bytes),
            ValueRef::Array(values) => {
                let mut array = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    array.serialize_element(&Nested(value, depth + 1))?;
                }
                array.end()
            }
            ValueRef::Map(values) => {
                let mut map = serializer.serialize_map(Some(values.len()))?;
                for (name, value) in values {
                    map.serialize_entry(name, &Nested(value, depth + 1))?;
                }
                map.end()
            }
        }
    }
}

impl Serialize for ValueRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Nested(*self, 0).serialize(serializer)
    }
}

/// As the format has it: maps as objects in JSON, and so on.
///
/// ```
/// use stormproof::Value;
///
/// let value: Value = serde_json::from_str(r#"{"title": "find the bug", "tags": ["today", 7, 1.5, null]}"#)?;
/// assert_eq!(serde_json::to_string(&value)?, r#"{"tags":["today",7,1.5,null],"title":"find the bug"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ValueRef::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NestedValue(0).deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for NestedValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl NestedValue {
    /// Goes one level down.
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.0 == VALUE_DEPTH_MAX { Err(E::custom(too_deep())) } else { Ok(Self(self.0 + 1)) }
    }
}

macro_rules! plain {
    ($($method:ident($type:ty)),* $(,)?) => {$(
        fn $method<E>(self, value: $type) -> Result<Value, E> {
            Ok(Value::from(value))
        }
    )*};
}

impl<'de> Visitor<'de> for NestedValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a boolean, a number, text, bytes, an array, or a map by text")
    }

    plain! {
        visit_bool(bool), visit_i64(i64), visit_i128(i128), visit_u64(u64), visit_u128(u128), visit_f64(f64),
        visit_str(&str), visit_string(String), visit_bytes(&[u8]), visit_byte_buf(Vec<u8>),
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        // No reservation: a length that lies must not allocate.
        let mut values = Vec::new();
        while let Some(value) = array.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::from(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            values.insert(name, map.next_value_seed(inner)?);
        }
        Ok(Value::from(values))
    }
}

macro_rules! as_plain_number {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.get().serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                u64::deserialize(deserializer).map(Self::new)
            }
        }
    )*};
}

as_plain_number!(Version, TxnId, Lsn, RunNumber);

/// As text.
///
/// ```
/// use stormproof::{RunId, Version};
///
/// let run: RunId = serde_json::from_str("\"67e55044-10b1-426f-9247-bb680e5fe0c8\"")?;
/// assert_eq!(serde_json::to_string(&(run, Version::new(7)))?, format!("[\"{run}\",7]"));
/// # Ok::<(), serde_json::Error>(())
/// ```
impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| D::Error::custom(format_args!("{text:?} is no id of a run: {error}")))
    }
}
