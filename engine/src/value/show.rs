//! Values as text: for people ([`fmt::Display`]) and as the code that makes them ([`fmt::Debug`]).

use std::fmt;

use super::{VALUE_DEPTH_MAX, Value};

/// A value and how deep it lies, to be shown up to the limit of nesting.
#[derive(Clone, Copy)]
struct Shown<'a> {
    value: &'a Value,
    depth: usize,
    /// With the names of the types.
    typed: bool,
}

/// What is in a container, to be shown.
struct Content<'a>(Shown<'a>);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.depth > VALUE_DEPTH_MAX {
            return f.write_str("…");
        }
        let content = Content(*self);
        match self.value {
            Value::Null if self.typed => f.write_str("Null"),
            value if self.typed => f.debug_tuple(value.type_name()).field(&content).finish(),
            _ => fmt::Debug::fmt(&content, f),
        }
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { value, depth, typed } = self.0;
        let inner = |value| Shown { value, depth: depth + 1, typed };
        match value {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::I64(number) => write!(f, "{number}"),
            Value::BigInt(number) if typed => fmt::Debug::fmt(number, f),
            Value::BigInt(number) => write!(f, "{number}"),
            Value::F64(number) => write!(f, "{number:?}"),
            Value::String(text) => write!(f, "{text:?}"),
            Value::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            Value::Array(values) => f.debug_list().entries(values.iter().map(inner)).finish(),
            Value::Map(values) => {
                f.debug_map().entries(values.iter().map(|(name, value)| (name, inner(value)))).finish()
            }
        }
    }
}

/// As the code that makes it; deeper than what can be stored is left out.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Shown { value: self, depth: 0, typed: true }, f)
    }
}

/// Like JSON; deeper than what can be stored is left out.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Shown { value: self, depth: 0, typed: false }, f)
    }
}
