//! Deserializes from values, in place.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::error::SerdeError;
use crate::big_int::BigInt;
use crate::value_ref::ValueRef;

type Result<T> = std::result::Result<T, SerdeError>;

/// A deserializer of a value.
#[derive(Clone, Copy)]
pub(super) struct FromValue<'a>(pub(super) ValueRef<'a>);

impl<'a> FromValue<'a> {
    fn big_int<V: Visitor<'a>>(number: BigInt, visitor: V) -> Result<V::Value> {
        if let Some(number) = number.to_number() {
            return visitor.visit_u64(number);
        }
        match number.to_number() {
            Some(number) => visitor.visit_i128(number),
            None => visitor.visit_u128(number.magnitude()),
        }
    }

    fn invalid(self, expected: &dyn serde::de::Expected) -> SerdeError {
        SerdeError::invalid_type(Unexpected::Other(self.0.type_name()), expected)
    }
}

macro_rules! any {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value> {
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'a> Deserializer<'a> for FromValue<'a> {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            ValueRef::Null => visitor.visit_unit(),
            ValueRef::Bool(value) => visitor.visit_bool(value),
            ValueRef::I64(number) => visitor.visit_i64(number),
            ValueRef::BigInt(number) => Self::big_int(number, visitor),
            ValueRef::F64(number) => visitor.visit_f64(number),
            ValueRef::String(text) => visitor.visit_borrowed_str(text),
            ValueRef::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            ValueRef::Array(values) => {
                let left = values.len();
                visitor.visit_seq(Values { values: values.iter(), left })
            }
            ValueRef::Map(values) => {
                let left = values.len();
                visitor.visit_map(Entries { entries: values.iter(), value: None, left })
            }
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            ValueRef::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0 {
            ValueRef::String(variant) => visitor.visit_enum(Variant { variant, content: None }),
            ValueRef::Map(values) => {
                let mut entries = values.iter();
                match (entries.next(), entries.next()) {
                    (Some((variant, content)), None) => {
                        visitor.visit_enum(Variant { variant, content: Some(content) })
                    }
                    _ => Err(self.invalid(&"a map with the name of one variant")),
                }
            }
            _ => Err(self.invalid(&"the name of a variant, or a map with it")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    any! {
        deserialize_bool, deserialize_i8, deserialize_i16, deserialize_i32, deserialize_i64, deserialize_i128,
        deserialize_u8, deserialize_u16, deserialize_u32, deserialize_u64, deserialize_u128, deserialize_f32,
        deserialize_f64, deserialize_char, deserialize_str, deserialize_string, deserialize_bytes,
        deserialize_byte_buf, deserialize_unit, deserialize_seq, deserialize_map, deserialize_identifier,
        deserialize_ignored_any
    }
}

struct Values<I> {
    values: I,
    left: usize,
}

impl<'a, I: Iterator<Item = ValueRef<'a>>> SeqAccess<'a> for Values<I> {
    type Error = SerdeError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(value) = self.values.next() else { return Ok(None) };
        self.left -= 1;
        seed.deserialize(FromValue(value)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Entries<'a, I> {
    entries: I,
    value: Option<ValueRef<'a>>,
    left: usize,
}

impl<'a, I: Iterator<Item = (&'a str, ValueRef<'a>)>> MapAccess<'a> for Entries<'a, I> {
    type Error = SerdeError;

    fn next_key_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some((name, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        self.left -= 1;
        seed.deserialize(Name(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<T::Value> {
        let value = self.value.take().ok_or_else(|| SerdeError::custom("a value was read before its key"))?;
        seed.deserialize(FromValue(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The key of a map: text, or what was made text when it was written.
struct Name<'a>(&'a str);

macro_rules! parsed {
    ($($method:ident => $visit:ident),*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value> {
            match self.0.parse() {
                Ok(parsed) => visitor.$visit(parsed),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'a> Deserializer<'a> for Name<'a> {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        BorrowedStrDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    parsed! {
        deserialize_bool => visit_bool, deserialize_i8 => visit_i8, deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32, deserialize_i64 => visit_i64, deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8, deserialize_u16 => visit_u16, deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64, deserialize_u128 => visit_u128
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'a>>
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

struct Variant<'a> {
    variant: &'a str,
    content: Option<ValueRef<'a>>,
}

impl<'a> EnumAccess<'a> for Variant<'a> {
    type Error = SerdeError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<(T::Value, Self)> {
        let name: StrDeserializer<'_, SerdeError> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'a> Variant<'a> {
    fn content(&self, what: &str) -> Result<FromValue<'a>> {
        let missing = || SerdeError::custom(format!("variant {} has no {what}", self.variant));
        self.content.map(FromValue).ok_or_else(missing)
    }
}

impl<'a> VariantAccess<'a> for Variant<'a> {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<()> {
        match self.content {
            None | Some(ValueRef::Null) => Ok(()),
            Some(other) => Err(FromValue(other).invalid(&"a variant without content")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.content("content")?)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.content("elements")?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.content("fields")?.deserialize_any(visitor)
    }
}
