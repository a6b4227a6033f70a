//! Values as reads see them: borrowed from where they are stored.

use std::fmt;

use crate::big_int::BigInt;
use crate::decoder::{Decoder, SMALL_MAX, unzigzag};
use crate::value::{VALUE_DEPTH_MAX, Value};

/// A value that a read sees in place: nothing is copied. Arrays and maps are decoded as they are walked.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{Value, ValueRef};
///
/// db.put(run, "list", vec![Value::from("a"), Value::from(2_i64)])?;
/// let (first, whole) = db.get_with("list", |value| match value {
///     Some(ValueRef::Array(items)) => (items.iter().next().map(|item| item.to_value()), items.to_vec()),
///     _ => (None, Vec::new()),
/// });
/// assert_eq!((first, whole.len()), (Some(Value::from("a")), 2));
///
/// let map = Value::Map([("name".to_owned(), Value::from("Ada"))].into());
/// db.put(run, "map", map.clone())?;
/// db.get_with("map", |value| {
///     let Some(ValueRef::Map(entries)) = value else { panic!("a map was written") };
///     assert_eq!((entries.get("name"), entries.is_empty()), (Some(ValueRef::String("Ada")), false));
///     assert_eq!(Value::from(entries.to_map()), map);
/// });
/// assert_eq!(ValueRef::from(&map).type_name(), "Map");
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Copy)]
pub enum ValueRef<'a> {
    /// Nothing, but present.
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
    String(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Values in order.
    Array(ArrayRef<'a>),
    /// Values by name.
    Map(MapRef<'a>),
}

/// Values in order, each decoded as it is reached.
#[derive(Clone, Copy)]
pub struct ArrayRef<'a>(Items<'a>);

/// Values by name, in the order of names, each decoded as it is reached.
#[derive(Clone, Copy)]
pub struct MapRef<'a>(Entries<'a>);

#[derive(Clone, Copy)]
enum Items<'a> {
    Owned(&'a [Value]),
    Encoded { count: usize, bytes: &'a [u8] },
}

#[derive(Clone, Copy)]
enum Entries<'a> {
    Owned(&'a std::collections::BTreeMap<String, Value>),
    Encoded { count: usize, bytes: &'a [u8] },
}

impl<'a> ValueRef<'a> {
    /// Returns the value, free to keep.
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::I64(number) => Value::I64(number),
            Self::BigInt(number) => Value::BigInt(number),
            Self::F64(number) => Value::F64(number),
            Self::String(text) => Value::from(text),
            Self::Bytes(bytes) => Value::from(bytes),
            Self::Array(values) => Value::from(values.to_vec()),
            Self::Map(values) => Value::from(values.to_map()),
        }
    }

    /// Returns the name of its type, as [`Value::type_name`].
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

    /// Checks that a deserializer, which recurses, gets to the end of it. What was stored is never too deep.
    #[cfg(feature = "serde")]
    pub(crate) fn check_depth(self) -> Result<(), crate::value::ValueError> {
        let inside = match self {
            Self::Array(ArrayRef(Items::Owned(values))) => Value::deepest(values),
            Self::Map(MapRef(Entries::Owned(values))) => Value::deepest(values.values()),
            _ => return Ok(()),
        };
        if inside < VALUE_DEPTH_MAX {
            return Ok(());
        }
        let message = format!("it nests deeper than the {VALUE_DEPTH_MAX} levels that a value has at most");
        Err(crate::value::ValueError::Serde { message })
    }

    /// Decodes what [`Value`] encodes.
    ///
    /// # Panics
    /// When it is something else: encoded values that come from files are [checked](Self::check) before.
    #[inline]
    pub(crate) fn decode(bytes: &'a [u8]) -> Self {
        // Most values are short strings of bytes, or small numbers: without a call.
        match bytes {
            [BYTES, length @ ..=SMALL_MAX, content @ ..] if usize::from(*length) == content.len() => {
                Self::Bytes(content)
            }
            [I64, zigzag @ ..=SMALL_MAX] => Self::I64(unzigzag(u64::from(*zigzag))),
            _ => Encoded::new(bytes).value().expect("a stored value is an encoded one"),
        }
    }

    /// Checks whether bytes are one encoded value, and nothing else.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check(bytes: &[u8]) -> Result<(), &'static str> {
        let mut rest = Encoded::new(bytes);
        rest.skip_checked(0).ok_or("a value that can't be decoded")?;
        if rest.0.is_empty() { Ok(()) } else { Err("bytes after the end of a value") }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    #[inline]
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::I64(number) => Self::I64(*number),
            Value::BigInt(number) => Self::BigInt(*number),
            Value::F64(number) => Self::F64(*number),
            Value::String(text) => Self::String(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Array(values) => Self::Array(ArrayRef(Items::Owned(values))),
            Value::Map(values) => Self::Map(MapRef(Entries::Owned(values))),
        }
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        value.to_value()
    }
}

/// As values: a NaN equals itself, and 0.0 is not -0.0.
impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::I64(a), Self::I64(b)) => a == b,
            (Self::BigInt(a), Self::BigInt(b)) => a == b,
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(ArrayRef(Items::Owned(a))), Self::Array(ArrayRef(Items::Owned(b)))) => a == b,
            (Self::Map(MapRef(Entries::Owned(a))), Self::Map(MapRef(Entries::Owned(b)))) => a == b,
            // One of them was stored, so it ends at the limit of nesting.
            (Self::Array(a), Self::Array(b)) => a.len() == b.len() && a.iter().eq(b.iter()),
            (Self::Map(a), Self::Map(b)) => a.len() == b.len() && a.iter().eq(b.iter()),
            _ => false,
        }
    }
}

impl Eq for ValueRef<'_> {}

impl PartialEq<Value> for ValueRef<'_> {
    fn eq(&self, other: &Value) -> bool {
        *self == ValueRef::from(other)
    }
}

impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_value(), f)
    }
}

impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_value(), f)
    }
}

impl<'a> ArrayRef<'a> {
    /// Returns how many values there are.
    pub const fn len(&self) -> usize {
        match self.0 {
            Items::Owned(values) => values.len(),
            Items::Encoded { count, .. } => count,
        }
    }

    /// Returns whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the values in order.
    pub fn iter(&self) -> ArrayIter<'a> {
        ArrayIter(match self.0 {
            Items::Owned(values) => Left::Owned(values.iter()),
            Items::Encoded { count, bytes } => Left::Encoded { count, rest: Encoded::new(bytes) },
        })
    }

    /// Returns the values, free to keep.
    pub fn to_vec(&self) -> Vec<Value> {
        match self.0 {
            Items::Owned(values) => values.to_vec(),
            Items::Encoded { .. } => self.iter().map(ValueRef::to_value).collect(),
        }
    }
}

impl fmt::Debug for ArrayRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> MapRef<'a> {
    /// Returns how many values there are.
    pub fn len(&self) -> usize {
        match self.0 {
            Entries::Owned(values) => values.len(),
            Entries::Encoded { count, .. } => count,
        }
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns names and values, in the order of names.
    pub fn iter(&self) -> MapIter<'a> {
        MapIter(match self.0 {
            Entries::Owned(values) => Left::Owned(values.iter()),
            Entries::Encoded { count, bytes } => Left::Encoded { count, rest: Encoded::new(bytes) },
        })
    }

    /// Returns the value of that name.
    pub fn get(&self, name: &str) -> Option<ValueRef<'a>> {
        match self.0 {
            Entries::Owned(values) => values.get(name).map(ValueRef::from),
            Entries::Encoded { .. } => self.iter().find(|(found, _)| *found == name).map(|(_, value)| value),
        }
    }

    /// Returns names and values, free to keep.
    pub fn to_map(&self) -> std::collections::BTreeMap<String, Value> {
        match self.0 {
            Entries::Owned(values) => values.clone(),
            Entries::Encoded { .. } => {
                self.iter().map(|(name, value)| (name.to_owned(), value.to_value())).collect()
            }
        }
    }
}

impl fmt::Debug for MapRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The values of an [`ArrayRef`], in order.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{Value, ValueRef};
///
/// db.put(run, "scores", vec![Value::from(20_i64), Value::from(22_i64)])?;
/// let sum = db.get_with("scores", |scores| {
///     let Some(ValueRef::Array(scores)) = scores else { return 0 };
///     let mut sum = 0;
///     for score in scores {
///         sum += if let ValueRef::I64(score) = score { score } else { 0 };
///     }
///     sum
/// });
/// assert_eq!(sum, 42);
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone)]
pub struct ArrayIter<'a>(Left<'a, std::slice::Iter<'a, Value>>);

/// The names and values of a [`MapRef`], in the order of names.
#[derive(Clone)]
pub struct MapIter<'a>(Left<'a, std::collections::btree_map::Iter<'a, String, Value>>);

/// What is left to walk.
#[derive(Clone)]
enum Left<'a, O> {
    Owned(O),
    Encoded { count: usize, rest: Encoded<'a> },
}

impl<'a, O: ExactSizeIterator> Left<'a, O> {
    fn next<T>(
        &mut self,
        owned: impl FnOnce(O::Item) -> T,
        encoded: impl FnOnce(&mut Encoded<'a>) -> T,
    ) -> Option<T> {
        match self {
            Self::Owned(left) => left.next().map(owned),
            Self::Encoded { count, rest } => {
                *count = count.checked_sub(1)?;
                Some(encoded(rest))
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Owned(left) => left.len(),
            Self::Encoded { count, .. } => *count,
        }
    }
}

impl<'a> Iterator for ArrayIter<'a> {
    type Item = ValueRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<ValueRef<'a>> {
        self.0.next(ValueRef::from, Encoded::take_value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl<'a> Iterator for MapIter<'a> {
    type Item = (&'a str, ValueRef<'a>);

    #[inline]
    fn next(&mut self) -> Option<(&'a str, ValueRef<'a>)> {
        self.0.next(
            |(name, value)| (name.as_str(), ValueRef::from(value)),
            |rest| {
                let name = rest.0.text().expect("a stored name is text");
                (name, rest.take_value())
            },
        )
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for ArrayIter<'_> {}
impl ExactSizeIterator for MapIter<'_> {}

impl fmt::Debug for ArrayIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl fmt::Debug for MapIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

macro_rules! into_iterator {
    ($reference:ident, $iter:ident) => {
        impl<'a> IntoIterator for $reference<'a> {
            type Item = <$iter<'a> as Iterator>::Item;
            type IntoIter = $iter<'a>;

            fn into_iter(self) -> $iter<'a> {
                self.iter()
            }
        }

        impl<'a> IntoIterator for &$reference<'a> {
            type Item = <$iter<'a> as Iterator>::Item;
            type IntoIter = $iter<'a>;

            fn into_iter(self) -> $iter<'a> {
                self.iter()
            }
        }
    };
}

into_iterator!(ArrayRef, ArrayIter);
into_iterator!(MapRef, MapIter);

/// Tags of values.
const I64: u8 = 3;
const BYTES: u8 = 6;

/// Encoded values that are left to read: one tag byte each, then the content.
#[derive(Clone)]
struct Encoded<'a>(Decoder<'a>);

impl<'a> Encoded<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    /// Returns the value at the front, which may go on to the end: what follows it is not examined.
    fn value(&mut self) -> Option<ValueRef<'a>> {
        Some(match self.0.byte()? {
            0 => ValueRef::Null,
            1 => ValueRef::Bool(false),
            2 => ValueRef::Bool(true),
            I64 => ValueRef::I64(self.0.signed_varint()?),
            4 => ValueRef::F64(f64::from_bits(self.0.varint()?)),
            5 => ValueRef::String(self.0.text()?),
            BYTES => ValueRef::Bytes(self.0.bytes()?),
            7 => {
                let count = usize::try_from(self.0.varint()?).ok()?;
                ValueRef::Array(ArrayRef(Items::Encoded { count, bytes: self.0.rest() }))
            }
            8 => {
                let count = usize::try_from(self.0.varint()?).ok()?;
                ValueRef::Map(MapRef(Entries::Encoded { count, bytes: self.0.rest() }))
            }
            sign @ (9 | 10) => {
                let (is_negative, magnitude) = (sign == 10, self.0.large_varint()?);
                if !BigInt::is_big(is_negative, magnitude) {
                    return None;
                }
                ValueRef::BigInt(BigInt::from_parts(is_negative, magnitude))
            }
            _ => return None,
        })
    }

    /// Returns the value at the front, and moves past it.
    fn take_value(&mut self) -> ValueRef<'a> {
        let value = self.value().expect("a stored value is an encoded one");
        match value {
            ValueRef::Array(values) => (0..values.len()).for_each(|_| {
                self.take_value();
            }),
            ValueRef::Map(values) => (0..values.len()).for_each(|_| {
                self.0.text();
                self.take_value();
            }),
            _ => {}
        }
        value
    }

    /// Moves past the value at the front; `None` if it is none.
    fn skip_checked(&mut self, depth: usize) -> Option<()> {
        if depth > VALUE_DEPTH_MAX {
            return None;
        }
        match self.value()? {
            ValueRef::Array(values) => {
                for _ in 0..values.len() {
                    self.skip_checked(depth + 1)?;
                }
            }
            ValueRef::Map(values) => {
                let mut last = None;
                for _ in 0..values.len() {
                    let name = self.0.text()?;
                    if last.is_some_and(|last| last >= name) {
                        return None;
                    }
                    last = Some(name);
                    self.skip_checked(depth + 1)?;
                }
            }
            _ => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::ValueRef;
    use crate::encoding::decode_value;
    use crate::value::tests::values;
    use crate::value::{VALUE_DEPTH_MAX, Value};

    proptest! {
        #[test]
        fn what_is_decoded_in_place_is_what_was_encoded(value in values(), other in values(), cut in any::<prop::sample::Index>()) {
            let bytes = value.encoded();
            prop_assert_eq!(ValueRef::check(&bytes), Ok(()));
            let decoded = ValueRef::decode(&bytes);
            prop_assert_eq!(decoded.to_value(), value.clone());
            prop_assert_eq!(decoded, ValueRef::from(&value));
            prop_assert_eq!(decoded == other, value == other);
            prop_assert_eq!(decoded.type_name(), value.type_name());
            prop_assert!(ValueRef::check(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn bytes_that_pass_the_check_are_decoded(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if ValueRef::check(&bytes).is_ok() {
                prop_assert_eq!(Ok(ValueRef::decode(&bytes).to_value()), decode_value(&bytes));
            }
        }
    }

    #[test]
    fn a_value_in_a_file_that_nests_without_end_is_refused_and_overflows_no_stack() {
        // One value each, and the length of the next. Maps have a name, of no letters, before each.
        for (open, name) in [(7_u8, &[][..]), (8, &[0])] {
            let nested = |levels: usize| {
                let mut bytes = [&[open, 1], name].concat().repeat(levels);
                bytes.push(0);
                bytes
            };
            let most = nested(VALUE_DEPTH_MAX);
            assert_eq!(ValueRef::check(&most), Ok(()));
            assert_eq!(ValueRef::decode(&most).to_value().depth(), VALUE_DEPTH_MAX);
            for levels in [VALUE_DEPTH_MAX + 1, 1_000_000] {
                let bytes = nested(levels);
                assert!(ValueRef::check(&bytes).is_err() && decode_value(&bytes).is_err(), "{levels} levels");
            }
        }
    }

    #[test]
    fn a_map_is_read_by_name() {
        let map: BTreeMap<_, _> = [("a".to_owned(), Value::I64(1)), ("b".to_owned(), Value::Null)].into();
        let bytes = Value::from(map).encoded();
        let ValueRef::Map(map) = ValueRef::decode(&bytes) else { panic!("a map") };
        assert_eq!((map.get("a"), map.get("c"), map.len()), (Some(ValueRef::I64(1)), None, 2));
    }
}
