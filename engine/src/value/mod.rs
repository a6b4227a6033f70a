//! Values: what keys hold.

mod nested;
mod show;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::big_int::BigInt;

pub use nested::{Array, Map};

/// Arrays and maps nest no deeper.
pub const VALUE_DEPTH_MAX: usize = 64;

/// A value. Bytes are shared: cloning them copies nothing.
///
/// ```
/// use stormproof::Value;
///
/// let value = Value::from(vec![Value::from("a"), Value::from(1_i64), Value::Null]);
/// assert_eq!((value.type_name(), value.depth()), ("Array", 1));
/// assert!(value.size() > 0);
/// assert!(u64::try_from(Value::from(-1_i64)).is_err());
/// assert_eq!(u64::try_from(Value::from(u64::MAX)), Ok(u64::MAX));
/// assert_eq!(Value::from(None::<u64>), Value::Null);
/// ```
#[derive(Default)]
pub enum Value {
    /// Nothing, but present: a key that holds it exists.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    I64(i64),
    /// An integer outside of the range of `i64`.
    BigInt(BigInt),
    /// A floating-point number.
    F64(f64),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Bytes),
    /// Values in order.
    Array(Array),
    /// Values by name.
    Map(Map),
}

impl Value {
    /// Returns the name of its type, for messages.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool",
            Self::I64(_) => "I64",
            Self::BigInt(_) => "BigInt",
            Self::F64(_) => "F64",
            Self::String(_) => "String",
            Self::Bytes(_) => "Bytes",
            Self::Array(_) => "Array",
            Self::Map(_) => "Map",
        }
    }

    /// Returns the bytes that the value takes in memory, about.
    pub fn size(&self) -> usize {
        let mut size = 0;
        // Without recursion, as in `depth`: a value that nests too deep must be refused, not overflow the
        // stack.
        let mut rest = SmallVec::<[&Self; 8]>::from_slice(&[self]);
        while let Some(value) = rest.pop() {
            size += size_of::<Self>();
            match value {
                Self::Null | Self::Bool(_) | Self::I64(_) | Self::BigInt(_) | Self::F64(_) => {}
                Self::String(text) => size += text.len(),
                Self::Bytes(bytes) => size += bytes.len(),
                Self::Array(values) => rest.extend(values.iter()),
                Self::Map(values) => {
                    size += values.keys().map(String::len).sum::<usize>();
                    rest.extend(values.values());
                }
            }
        }
        size
    }

    /// Returns how deep arrays and maps nest: 0 for a plain value.
    pub fn depth(&self) -> usize {
        Self::deepest([self])
    }

    /// Returns how deep the deepest of these values is.
    pub(crate) fn deepest<'a>(values: impl IntoIterator<Item = &'a Self>) -> usize {
        let mut deepest = 0;
        let mut rest: SmallVec<[(&Self, usize); 8]> = values.into_iter().map(|value| (value, 0)).collect();
        while let Some((value, depth)) = rest.pop() {
            match value {
                Self::Array(values) => rest.extend(values.iter().map(|value| (value, depth + 1))),
                Self::Map(values) => rest.extend(values.values().map(|value| (value, depth + 1))),
                _ => continue,
            }
            deepest = deepest.max(depth + 1);
        }
        deepest
    }

    /// Returns the value, unless it nests deeper than `limit`.
    ///
    /// # Errors
    /// [`TooDeep`], which becomes `Error::LimitExceeded` about `what`.
    #[inline]
    pub(crate) fn within_depth(self, limit: usize, what: &'static str) -> Result<Self, TooDeep> {
        if !matches!(self, Self::Array(_) | Self::Map(_)) {
            return Ok(self);
        }
        let actual = self.depth();
        if actual <= limit {
            return Ok(self);
        }
        Err(TooDeep { what, limit, actual })
    }

    /// Returns whether it is an array or a map with something in it.
    pub(crate) fn holds_values(&self) -> bool {
        match self {
            Self::Array(values) => !values.is_empty(),
            Self::Map(values) => !values.is_empty(),
            _ => false,
        }
    }
}

/// A value that nests deeper than a limit; kept apart from [`ValueError`], as the caller names what was
/// limited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooDeep {
    pub(crate) what: &'static str,
    pub(crate) limit: usize,
    pub(crate) actual: usize,
}

/// The value is of another type than asked for, or does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// Another type.
    Type {
        /// The type asked for.
        expected: &'static str,
        /// The type that is there.
        found: &'static str,
    },
    /// A serde type that does not become a value, or that a value does not become.
    #[cfg(feature = "serde")]
    Serde {
        /// What serde says.
        message: String,
    },
    /// The right type, but too large or too small a number.
    Range {
        /// The number.
        number: String,
        /// The type that does not hold it.
        target: &'static str,
    },
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { expected, found } => {
                write!(f, "the value is {found}, not {expected}: read it as {found}, or write {expected}")
            }
            #[cfg(feature = "serde")]
            Self::Serde { message } => write!(f, "{message}: change the type, or write the value anew"),
            Self::Range { number, target } => {
                write!(f, "{number} does not fit in {target}: use a type that holds it")
            }
        }
    }
}

impl std::error::Error for ValueError {}

macro_rules! integer {
    (small: $($small:ty),*; large: $($large:ty),*) => {
        $(
            impl From<$small> for Value {
                fn from(number: $small) -> Self {
                    Self::I64(i64::from(number))
                }
            }
            integer!(read: $small);
        )*
        $(
            impl From<$large> for Value {
                fn from(number: $large) -> Self {
                    i64::try_from(number).map_or_else(|_| Self::BigInt(BigInt::of(number)), Self::I64)
                }
            }
            integer!(read: $large);
        )*
    };
    (read: $type:ty) => {
        impl TryFrom<Value> for $type {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<Self, ValueError> {
                let number = match value {
                    Value::I64(number) => Self::try_from(number).map_err(|_| number.to_string()),
                    Value::BigInt(number) => number.to_number().ok_or_else(|| number.to_string()),
                    other => return Err(ValueError::Type { expected: "I64", found: other.type_name() }),
                };
                number.map_err(|number| ValueError::Range { number, target: stringify!($type) })
            }
        }
        optional!($type);
    };
}

/// `None` is stored as null.
macro_rules! optional {
    ($($type:ty),*) => {$(
        impl TryFrom<Value> for Option<$type> {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<Self, ValueError> {
                match value {
                    Value::Null => Ok(None),
                    value => value.try_into().map(Some),
                }
            }
        }
    )*};
}

impl<V: Into<Value>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

integer!(small: i8, i16, i32, i64, u8, u16, u32; large: u64, usize, isize, u128, i128);

macro_rules! plain {
    ($($variant:ident($type:ty)),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }

        impl TryFrom<Value> for $type {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<Self, ValueError> {
                match value {
                    Value::$variant(value) => Ok(value),
                    other => {
                        let found = other.type_name();
                        Err(ValueError::Type { expected: stringify!($variant), found })
                    }
                }
            }
        }

        optional!($type);
    )*};
}

plain!(Bool(bool), F64(f64), String(String), Bytes(Bytes), Array(Array), Map(Map));

macro_rules! nested {
    ($($outer:ident($type:ty)),*) => {$(
        impl From<$type> for Value {
            fn from(values: $type) -> Self {
                Self::$outer(values.into())
            }
        }

        impl TryFrom<Value> for $type {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<Self, ValueError> {
                $outer::try_from(value).map(Self::from)
            }
        }

        optional!($type);
    )*};
}

nested!(Array(Vec<Value>), Map(BTreeMap<String, Value>));

/// Lists of plain values are arrays; of bytes they are bytes.
macro_rules! lists {
    ($($item:ty),*) => {$(
        impl From<Vec<$item>> for Value {
            fn from(values: Vec<$item>) -> Self {
                values.into_iter().map(Self::from).collect::<Vec<_>>().into()
            }
        }

        impl TryFrom<Value> for Vec<$item> {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<Self, ValueError> {
                Array::try_from(value)?.into_iter().map(<$item>::try_from).collect()
            }
        }

        optional!(Vec<$item>);
    )*};
}

lists!(bool, i8, i16, i32, i64, i128, isize, u16, u32, u64, u128, usize, f32, f64, String);

impl From<Vec<&str>> for Value {
    fn from(texts: Vec<&str>) -> Self {
        texts.into_iter().map(Self::from).collect::<Vec<_>>().into()
    }
}

optional!(Vec<u8>);

impl TryFrom<Value> for Vec<u8> {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        Bytes::try_from(value).map(Self::from)
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Self {
        Self::F64(f64::from(number))
    }
}

impl TryFrom<Value> for f32 {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        let number = f64::try_from(value)?;
        let narrow = number as Self;
        if f64::from(narrow) == number || number.is_nan() {
            return Ok(narrow);
        }
        Err(ValueError::Range { number: number.to_string(), target: "f32" })
    }
}

optional!(f32);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::String(text.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(bytes))
    }
}

impl From<&Self> for Value {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{VALUE_DEPTH_MAX, Value, ValueError};

    /// Returns any value, nested up to four levels deep.
    pub(crate) fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::I64),
            any::<i128>().prop_map(Value::from),
            any::<u128>().prop_map(Value::from),
            any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
            ".*".prop_map(Value::String),
            any::<Vec<u8>>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4).prop_map(Value::from),
            ]
        })
    }

    proptest! {
        #[test]
        fn encoded_values_come_back(value in values()) {
            prop_assert_eq!(crate::encoding::decode_value(&value.encoded()), Ok(value));
        }
    }

    #[test]
    fn a_wrong_type_names_both() {
        let error = u64::try_from(Value::from("text")).unwrap_err();
        assert_eq!(error, ValueError::Type { expected: "I64", found: "String" });
        assert!(error.to_string().contains("is String, not I64"));
    }

    #[test]
    fn every_type_has_a_name_and_shows_itself() {
        let map: BTreeMap<_, _> = [("k".to_owned(), Value::Bool(true))].into();
        let shown = [
            (Value::from(()), "Null", "null"),
            (Value::Bool(false), "Bool", "false"),
            (Value::I64(-3), "I64", "-3"),
            (Value::from(u64::MAX), "BigInt", "18446744073709551615"),
            (Value::from(i128::MIN), "BigInt", "-170141183460469231731687303715884105728"),
            (Value::from(0.5_f32), "F64", "0.5"),
            (Value::from("a\"b"), "String", "\"a\\\"b\""),
            (Value::from(vec![0_u8, b'x']), "Bytes", "b\"\\x00x\""),
            (Value::from(vec![Value::Null, Value::I64(1)]), "Array", "[null, 1]"),
            (Value::from(map), "Map", "{\"k\": true}"),
        ];
        for (value, name, text) in shown {
            assert_eq!((value.type_name(), value.to_string().as_str()), (name, text));
            assert_eq!(Value::from(&value), value);
        }
    }

    #[test]
    fn integers_that_do_not_fit_are_refused_both_ways() {
        assert!(matches!(u8::try_from(Value::I64(256)), Err(ValueError::Range { .. })));
        assert!(matches!(i64::try_from(Value::from(u64::MAX)), Err(ValueError::Range { .. })));
        let wide = i128::from(i64::MIN) - 1;
        assert!(matches!(u128::try_from(Value::from(wide)), Err(ValueError::Range { .. })));
        let error = i128::try_from(Value::from(u128::MAX)).unwrap_err();
        assert!(error.to_string().contains("340282366920938463463374607431768211455 does not fit in i128"));
    }

    #[test]
    fn integers_come_back_from_the_smallest_type_to_the_largest() {
        for number in [0, 7, u64::from(u32::MAX), i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
            assert_eq!(u64::try_from(Value::from(number)), Ok(number));
            assert_eq!(Value::from(number), Value::from(u128::from(number)), "one value has one form");
        }
        for number in [i128::MIN, -1 << 64, i128::from(i64::MIN) - 1, i128::from(i64::MIN), -1, i128::MAX] {
            assert_eq!(i128::try_from(Value::from(number)), Ok(number));
        }
        assert_eq!(u128::try_from(Value::from(u128::MAX)), Ok(u128::MAX));
        assert_eq!(usize::try_from(Value::from(usize::MAX)), Ok(usize::MAX));
    }

    #[test]
    fn lists_of_plain_values_are_arrays_and_come_back() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(Value::from(names.clone()), Value::from(vec!["a", "b"]));
        assert_eq!(Value::from(names.clone()).to_string(), r#"["a", "b"]"#);
        assert_eq!(Vec::<String>::try_from(Value::from(names)), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(Vec::<u64>::try_from(Value::from(vec![1_u64, u64::MAX])), Ok(vec![1, u64::MAX]));
        assert_eq!(Option::<Vec<f64>>::try_from(Value::Null), Ok(None));
        let narrow = Vec::<i8>::try_from(Value::from(vec![1_i64, 300])).unwrap_err();
        assert!(narrow.to_string().contains("300 does not fit in i8"), "{narrow}");
        assert!(Vec::<i64>::try_from(Value::from(vec!["a"])).is_err());
        // Bytes are no list of numbers.
        assert_eq!(Value::from(vec![1_u8]).type_name(), "Bytes");
    }

    #[test]
    fn a_narrow_number_comes_back_and_a_wider_one_is_refused() {
        assert_eq!(f32::try_from(Value::from(1.1_f32)), Ok(1.1_f32));
        assert!(f32::try_from(Value::from(f32::NAN)).unwrap().is_nan());
        assert_eq!(f32::try_from(Value::from(f64::INFINITY)), Ok(f32::INFINITY));
        let refused = f32::try_from(Value::from(1.1_f64)).unwrap_err();
        assert!(refused.to_string().contains("1.1 does not fit in f32"), "{refused}");
    }

    #[test]
    fn nothing_is_null_and_comes_back_as_nothing() {
        assert_eq!(Value::from(None::<u64>), Value::Null);
        assert_eq!(Option::<u64>::try_from(Value::Null), Ok(None));
        assert_eq!(Option::<u64>::try_from(Value::from(Some(7_u64))), Ok(Some(7)));
        assert_eq!(Option::<String>::try_from(Value::from("text")), Ok(Some("text".to_owned())));
        assert!(Option::<String>::try_from(Value::from(7_u64)).is_err());
    }

    #[test]
    fn nesting_without_end_is_an_error_and_not_an_overflow() {
        let bytes: Vec<u8> = [7, 1].repeat(1_000_000);
        assert!(crate::encoding::decode_value(&bytes).is_err());
        let mut deep = Value::from(BTreeMap::new());
        for _ in 0..VALUE_DEPTH_MAX {
            deep = Value::from(vec![deep]);
        }
        assert_eq!(deep.depth(), VALUE_DEPTH_MAX + 1);
    }

    #[test]
    fn equality_is_total() {
        assert_eq!(Value::F64(f64::NAN), Value::F64(f64::NAN));
        assert_ne!(Value::F64(0.0), Value::F64(-0.0));
        assert_ne!(Value::Null, Value::Bool(false));
    }
}
