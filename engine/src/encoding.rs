//! The one module that names bincode: how payloads and values are encoded.
//!
//! ```text
//! integers     one byte below 251; or 251, 252, 253, 254 and two, four, eight, sixteen bytes, little-endian;
//!              signed ones zigzag first
//! value        tag: 0 null, 1 false, 2 true, 3 i64, 4 f64 (its bits), 5 text, 6 bytes, 7 array, 8 map,
//!              9 and 10 positive and negative integers that are no i64 (what they are without their sign)
//! text, bytes  length, content
//! array, map   number of values; of a map, in the order of names, each after its name
//! ```
//! The format is bincode's with variable-length integers, and specified in full in `engine/DESIGN.md`: what
//! is written does not depend on the crate, which is no longer maintained. Most of it is read and written by
//! hand, where that is faster; the tests compare the two.

use bincode::Decode;
use bincode::config::{Configuration, standard};
use bincode::de::Decoder;
use bincode::de::read::Reader as _;
use bincode::enc::Encoder;
use bincode::enc::write::Writer;
use bincode::error::DecodeError;
pub(crate) use bincode::error::EncodeError;
pub(crate) use bincode::{BorrowDecode, Encode};

use std::collections::BTreeMap;

use crate::big_int::BigInt;
use crate::value::{VALUE_DEPTH_MAX, Value};

/// Little-endian, variable-length integers.
pub(crate) const CONFIG: Configuration = standard();

const POSITIVE: u8 = 9;
const NEGATIVE: u8 = 10;

/// Appends an encoded value.
#[inline]
pub(crate) fn push(buffer: &mut Vec<u8>, what: impl Encode) {
    bincode::encode_into_writer(what, Onto(buffer), CONFIG).expect("memory takes any number of bytes");
}

/// Decodes a value that the log or a checkpoint holds.
///
/// # Errors
/// When the bytes are not one encoded value: what is wrong.
pub(crate) fn decode_value(bytes: &[u8]) -> Result<Value, &'static str> {
    match bincode::decode_from_slice::<Decoded, _>(bytes, CONFIG) {
        Ok((Decoded(value), used)) if used == bytes.len() => Ok(value),
        Ok(_) => Err("bytes after the end of a value"),
        Err(_) => Err("a value that can't be decoded"),
    }
}

impl Value {
    /// Returns the value as it is stored.
    #[cfg_attr(not(feature = "sha2"), expect(dead_code, reason = "only event logs and tests ask for it"))]
    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_onto(&mut bytes).expect("values encode: their depth is limited when they are written");
        bytes
    }

    /// Appends the encoded value.
    #[inline]
    pub(crate) fn encode_onto(&self, buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
        bincode::encode_into_writer(Encoded(self), Onto(buffer), CONFIG)
    }
}

/// A writer that appends to a buffer.
struct Onto<'a>(&'a mut Vec<u8>);

impl Writer for Onto<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// A value for bincode. A type apart, so that what users see of values does not name bincode.
struct Encoded<'a>(&'a Value);

/// A value from bincode.
struct Decoded(Value);

const fn tag(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::I64(_) => 3,
        Value::F64(_) => 4,
        Value::String(_) => 5,
        Value::Bytes(_) => 6,
        Value::Array(_) => 7,
        Value::Map(_) => 8,
        Value::BigInt(number) => {
            if number.is_negative() {
                NEGATIVE
            } else {
                POSITIVE
            }
        }
    }
}

impl Encode for Encoded<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        tag(self.0).encode(encoder)?;
        match self.0 {
            Value::Null | Value::Bool(_) => Ok(()),
            Value::I64(number) => number.encode(encoder),
            Value::BigInt(number) => number.magnitude().encode(encoder),
            Value::F64(number) => number.to_bits().encode(encoder),
            Value::String(text) => text.encode(encoder),
            Value::Bytes(bytes) => bytes.as_ref().encode(encoder),
            Value::Array(values) => {
                (values.len() as u64).encode(encoder)?;
                values.iter().try_for_each(|value| Encoded(value).encode(encoder))
            }
            Value::Map(values) => {
                (values.len() as u64).encode(encoder)?;
                values.iter().try_for_each(|(name, value)| {
                    name.encode(encoder)?;
                    Encoded(value).encode(encoder)
                })
            }
        }
    }
}

impl<C> Decode<C> for Decoded {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        decode_nested(decoder, 0).map(Self)
    }
}

fn decode_nested<C, D: Decoder<Context = C>>(decoder: &mut D, depth: usize) -> Result<Value, DecodeError> {
    if depth > VALUE_DEPTH_MAX {
        return Err(DecodeError::Other("values nest too deep"));
    }
    Ok(match u8::decode(decoder)? {
        0 => Value::Null,
        1 => Value::Bool(false),
        2 => Value::Bool(true),
        3 => Value::I64(i64::decode(decoder)?),
        4 => Value::F64(f64::from_bits(u64::decode(decoder)?)),
        5 => Value::String(decode_text(decoder)?),
        6 => Value::Bytes(decode_bytes(decoder)?.into()),
        7 => {
            // No reservation: a length that lies must not allocate.
            let mut values = Vec::new();
            for _ in 0..u64::decode(decoder)? {
                values.push(decode_nested(decoder, depth + 1)?);
            }
            Value::from(values)
        }
        8 => {
            let mut values = BTreeMap::new();
            for _ in 0..u64::decode(decoder)? {
                let name = decode_text(decoder)?;
                values.insert(name, decode_nested(decoder, depth + 1)?);
            }
            Value::from(values)
        }
        sign @ (POSITIVE | NEGATIVE) => {
            let (is_negative, magnitude) = (sign == NEGATIVE, u128::decode(decoder)?);
            if !BigInt::is_big(is_negative, magnitude) {
                return Err(DecodeError::Other("a small integer in the form of a large one"));
            }
            Value::BigInt(BigInt::from_parts(is_negative, magnitude))
        }
        _ => return Err(DecodeError::Other("unknown type of value")),
    })
}

/// Decodes bytes with their length in front. Allocates as they come, as a length that lies must not allocate.
fn decode_bytes<D: Decoder>(decoder: &mut D) -> Result<Vec<u8>, DecodeError> {
    const STEP: usize = 64 << 10;
    let length = usize::try_from(u64::decode(decoder)?)
        .map_err(|_| DecodeError::Other("bytes that fit into no memory"))?;
    decoder.claim_bytes_read(length)?;
    let mut bytes = Vec::with_capacity(length.min(STEP));
    while bytes.len() < length {
        let start = bytes.len();
        bytes.resize(length.min(start + STEP), 0);
        decoder.reader().read(&mut bytes[start..])?;
    }
    Ok(bytes)
}

fn decode_text<D: Decoder>(decoder: &mut D) -> Result<String, DecodeError> {
    String::from_utf8(decode_bytes(decoder)?).map_err(|_| DecodeError::Other("text that is not UTF-8"))
}
