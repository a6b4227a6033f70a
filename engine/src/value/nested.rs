//! Values that hold values: arrays and maps.
//!
//! Job: a value that nests however deep, built by hand or made from a user's data, is dropped, cloned,
//! compared and shown in a stack of fixed size. Only *storing* it is limited
//! ([`VALUE_DEPTH_MAX`](super::VALUE_DEPTH_MAX)).
//!
//! INV-VALUE-1: nothing recurses by the depth of a value, except for what ends at that limit.

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::slice;

use smallvec::SmallVec;

use super::Value;

/// Values in order, in a [`Value`]: made from a vector, used as one, and turned back into one.
///
/// ```
/// use stormproof::{Array, Value};
///
/// let mut array = Array::from(vec![Value::from(1_i64)]);
/// array.push(Value::Null);
/// assert_eq!(array.iter().count(), 2);
/// assert_eq!(Vec::from(array.clone()), [Value::from(1_i64), Value::Null]);
/// assert_eq!(Value::Array(array), Value::from(vec![Value::from(1_i64), Value::Null]));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Array(Vec<Value>);

/// Values by name, in a [`Value`]: made from a map, used as one, and turned back into one.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use stormproof::{Map, Value};
///
/// let mut map = Map::from([("name".to_owned(), Value::from("Ada"))]);
/// map.insert("age".to_owned(), Value::from(36_i64));
/// assert_eq!(map.get("name"), Some(&Value::from("Ada")));
/// assert_eq!(BTreeMap::from(map).len(), 2);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Map(BTreeMap<String, Value>);

impl Array {
    fn is_flat(&self) -> bool {
        !self.0.iter().any(Value::holds_values)
    }
}

impl Map {
    fn is_flat(&self) -> bool {
        !self.0.values().any(Value::holds_values)
    }
}

macro_rules! wraps {
    ($outer:ident($inner:ty), $item:ty) => {
        impl Deref for $outer {
            type Target = $inner;

            #[inline]
            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl DerefMut for $outer {
            #[inline]
            fn deref_mut(&mut self) -> &mut $inner {
                &mut self.0
            }
        }

        impl From<$inner> for $outer {
            #[inline]
            fn from(values: $inner) -> Self {
                Self(values)
            }
        }

        impl From<$outer> for $inner {
            #[inline]
            fn from(mut values: $outer) -> Self {
                mem::take(&mut values.0)
            }
        }

        impl<const N: usize> From<[$item; N]> for $outer {
            fn from(values: [$item; N]) -> Self {
                Self(values.into())
            }
        }

        impl FromIterator<$item> for $outer {
            fn from_iter<I: IntoIterator<Item = $item>>(values: I) -> Self {
                Self(values.into_iter().collect())
            }
        }

        impl Extend<$item> for $outer {
            fn extend<I: IntoIterator<Item = $item>>(&mut self, values: I) {
                self.0.extend(values);
            }
        }

        impl IntoIterator for $outer {
            type Item = $item;
            type IntoIter = <$inner as IntoIterator>::IntoIter;

            fn into_iter(self) -> Self::IntoIter {
                <$inner>::from(self).into_iter()
            }
        }

        impl<'a> IntoIterator for &'a $outer {
            type Item = <&'a $inner as IntoIterator>::Item;
            type IntoIter = <&'a $inner as IntoIterator>::IntoIter;

            fn into_iter(self) -> Self::IntoIter {
                self.0.iter()
            }
        }

        impl<'a> IntoIterator for &'a mut $outer {
            type Item = <&'a mut $inner as IntoIterator>::Item;
            type IntoIter = <&'a mut $inner as IntoIterator>::IntoIter;

            fn into_iter(self) -> Self::IntoIter {
                self.0.iter_mut()
            }
        }

        impl Drop for $outer {
            #[inline]
            fn drop(&mut self) {
                if !self.is_flat() {
                    dismantle(Value::from(mem::take(&mut self.0)));
                }
            }
        }

        impl fmt::Debug for $outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

wraps!(Array(Vec<Value>), Value);
wraps!(Map(BTreeMap<String, Value>), (String, Value));

/// Drops a value, the inner ones after the outer ones: each is empty when its turn comes.
fn dismantle(value: Value) {
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(mut values) => rest.append(&mut values.0),
            Value::Map(mut values) => rest.extend(mem::take(&mut values.0).into_values()),
            _ => {}
        }
    }
}

/// A container of which a part was copied: what is left of it, and the copy.
enum Frame<'a> {
    Array(slice::Iter<'a, Value>, Vec<Value>),
    Map(btree_map::Iter<'a, String, Value>, BTreeMap<String, Value>),
}

impl<'a> Frame<'a> {
    /// Opens a container that holds containers.
    fn open(value: &'a Value) -> Option<Self> {
        match value {
            Value::Array(values) if !values.is_flat() => {
                Some(Self::Array(values.0.iter(), Vec::with_capacity(values.0.len())))
            }
            Value::Map(values) if !values.is_flat() => Some(Self::Map(values.0.iter(), BTreeMap::new())),
            _ => None,
        }
    }

    /// Copies plain values up to the next container that holds some, which is returned.
    fn advance(&mut self) -> Option<(Option<&'a String>, Self)> {
        match self {
            Self::Array(rest, copied) => {
                for value in rest {
                    match Self::open(value) {
                        Some(inner) => return Some((None, inner)),
                        None => copied.push(value.clone()),
                    }
                }
            }
            Self::Map(rest, copied) => {
                for (name, value) in rest {
                    match Self::open(value) {
                        Some(inner) => return Some((Some(name), inner)),
                        None => _ = copied.insert(name.clone(), value.clone()),
                    }
                }
            }
        }
        None
    }

    fn add(&mut self, name: Option<&String>, value: Value) {
        match self {
            Self::Array(_, copied) => copied.push(value),
            Self::Map(_, copied) => _ = copied.insert(name.cloned().unwrap_or_default(), value),
        }
    }

    fn finish(self) -> Value {
        match self {
            Self::Array(_, copied) => Value::from(copied),
            Self::Map(_, copied) => Value::from(copied),
        }
    }
}

/// Copies containers that hold containers, without recursion; `None` if it is none.
fn copy(value: &Value) -> Option<Value> {
    let mut frame = Frame::open(value)?;
    let mut outer: Vec<(Frame<'_>, Option<&String>)> = Vec::new();
    loop {
        if let Some((name, inner)) = frame.advance() {
            outer.push((mem::replace(&mut frame, inner), name));
            continue;
        }
        let copied = frame.finish();
        let Some((mut next, name)) = outer.pop() else { return Some(copied) };
        next.add(name, copied);
        frame = next;
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        match self {
            Self::Null => Self::Null,
            Self::Bool(value) => Self::Bool(*value),
            Self::I64(number) => Self::I64(*number),
            Self::BigInt(number) => Self::BigInt(*number),
            Self::F64(number) => Self::F64(*number),
            Self::String(text) => Self::String(text.clone()),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Self::Array(values) => copy(self).unwrap_or_else(|| Self::Array(values.clone())),
            Self::Map(values) => copy(self).unwrap_or_else(|| Self::Map(values.clone())),
        }
    }
}

/// Values are equal if they are the same: a NaN equals itself, and 0.0 is not -0.0, so that compare-and-set
/// is total.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        let mut rest = SmallVec::<[(&Self, &Self); 4]>::from_slice(&[(self, other)]);
        while let Some(pair) = rest.pop() {
            let equal = match pair {
                (Self::Null, Self::Null) => true,
                (Self::Bool(a), Self::Bool(b)) => a == b,
                (Self::I64(a), Self::I64(b)) => a == b,
                (Self::BigInt(a), Self::BigInt(b)) => a == b,
                (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
                (Self::String(a), Self::String(b)) => a == b,
                (Self::Bytes(a), Self::Bytes(b)) => a == b,
                (Self::Array(a), Self::Array(b)) => {
                    rest.extend(a.0.iter().zip(&b.0));
                    a.0.len() == b.0.len()
                }
                (Self::Map(a), Self::Map(b)) => {
                    rest.extend(a.0.values().zip(b.0.values()));
                    a.0.keys().eq(b.0.keys())
                }
                _ => false,
            };
            if !equal {
                return false;
            }
        }
        true
    }
}

impl Eq for Value {}
