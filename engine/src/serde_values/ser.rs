//! Serializes to values.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::SerdeError;
use crate::value::{VALUE_DEPTH_MAX, Value};

type Result<T> = std::result::Result<T, SerdeError>;

/// A serializer that makes a value.
#[derive(Clone, Copy, Default)]
pub(super) struct ToValue {
    /// In how many arrays and maps it will lie, or more.
    depth: usize,
}

impl ToValue {
    /// Goes one level down. The limit is the store's, and told here: the stack could end before the value.
    fn inner(self) -> Result<Self> {
        if self.depth == VALUE_DEPTH_MAX {
            return Err(SerdeError::custom(format_args!(
                "it nests deeper than the {VALUE_DEPTH_MAX} levels that a value has at most"
            )));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

/// Values in order, of a variant if it has a name.
pub(super) struct ToArray {
    variant: Option<&'static str>,
    inner: ToValue,
    values: Vec<Value>,
}

/// Values by name, of a variant if it has a name.
pub(super) struct ToMap {
    variant: Option<&'static str>,
    inner: ToValue,
    values: BTreeMap<String, Value>,
    name: Option<String>,
}

fn of_variant(variant: Option<&'static str>, content: Value) -> Value {
    match variant {
        Some(variant) => Value::Map([(variant.to_owned(), content)].into()),
        None => content,
    }
}

impl ToArray {
    fn new(variant: Option<&'static str>, inner: ToValue, length: usize) -> Self {
        Self { variant, inner, values: Vec::with_capacity(length) }
    }
}

impl ToMap {
    const fn new(variant: Option<&'static str>, inner: ToValue) -> Self {
        Self { variant, inner, values: BTreeMap::new(), name: None }
    }

    fn insert(&mut self, name: String, value: &(impl Serialize + ?Sized)) -> Result<()> {
        let value = value.serialize(self.inner)?;
        self.values.insert(name, value);
        Ok(())
    }
}

macro_rules! plain {
    ($($method:ident($type:ty)),*) => {$(
        fn $method(self, value: $type) -> Result<Value> {
            Ok(Value::from(value))
        }
    )*};
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = SerdeError;
    type SerializeSeq = ToArray;
    type SerializeTuple = ToArray;
    type SerializeTupleStruct = ToArray;
    type SerializeTupleVariant = ToArray;
    type SerializeMap = ToMap;
    type SerializeStruct = ToMap;
    type SerializeStructVariant = ToMap;

    plain! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_i128(i128), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_u128(u128), serialize_f32(f32), serialize_f64(f64), serialize_str(&str),
        serialize_bytes(&[u8])
    }

    fn serialize_char(self, value: char) -> Result<Value> {
        Ok(Value::String(value.to_string()))
    }

    fn serialize_none(self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Value> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value> {
        Ok(of_variant(Some(variant), value.serialize(self.inner()?)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<ToArray> {
        Ok(ToArray::new(None, self.inner()?, length.unwrap_or(0).min(1_024)))
    }

    fn serialize_tuple(self, length: usize) -> Result<ToArray> {
        Ok(ToArray::new(None, self.inner()?, length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<ToArray> {
        Ok(ToArray::new(None, self.inner()?, length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<ToArray> {
        Ok(ToArray::new(Some(variant), self.inner()?, length))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<ToMap> {
        Ok(ToMap::new(None, self.inner()?))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<ToMap> {
        Ok(ToMap::new(None, self.inner()?))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<ToMap> {
        Ok(ToMap::new(Some(variant), self.inner()?))
    }
}

macro_rules! array {
    ($($trait:ident::$method:ident),*) => {$(
        impl $trait for ToArray {
            type Ok = Value;
            type Error = SerdeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.values.push(value.serialize(self.inner)?);
                Ok(())
            }

            fn end(self) -> Result<Value> {
                Ok(of_variant(self.variant, Value::from(self.values)))
            }
        }
    )*};
}

array!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl $trait for ToMap {
            type Ok = Value;
            type Error = SerdeError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
                self.insert(name.to_owned(), value)
            }

            fn end(self) -> Result<Value> {
                Ok(of_variant(self.variant, Value::from(self.values)))
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for ToMap {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.name = Some(match key.serialize(ToValue::default())? {
            Value::String(text) => text,
            number @ (Value::I64(_) | Value::BigInt(_) | Value::Bool(_)) => number.to_string(),
            other => {
                let message =
                    format!("a map has {} as a key: use text, integers or booleans", other.type_name());
                return Err(SerdeError::custom(message));
            }
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let name =
            self.name.take().ok_or_else(|| SerdeError::custom("a map gives a value before its key"))?;
        self.insert(name, value)
    }

    fn end(self) -> Result<Value> {
        Ok(Value::from(self.values))
    }
}
