//! Integers in ordered keys, up to 128 bits and a sign.

use super::reader::{KeyError, KeyReader, LONG_NEGATIVE, LONG_POSITIVE, ZERO};
use super::writer::KeyWriter;

/// Bytes of an integer whose number of bytes is part of its code.
const SHORT_MAX: usize = 8;

/// Writes an integer by its sign and its absolute value.
pub(super) fn write(writer: &mut KeyWriter, is_negative: bool, magnitude: u128) {
    let length = (u128::BITS - magnitude.leading_zeros()).div_ceil(8) as usize;
    // Of negative numbers the complement, so that those farther from zero come first.
    let bytes = if is_negative { !magnitude } else { magnitude }.to_be_bytes();
    let bytes = &bytes[bytes.len() - length..];
    let length = length as u8;
    match (is_negative, bytes.len() <= SHORT_MAX) {
        (false, true) => writer.fixed(ZERO + length, bytes),
        (true, true) => writer.fixed(ZERO - length, bytes),
        (false, false) => {
            writer.fixed(LONG_POSITIVE, &[length]);
            writer.raw(bytes);
        }
        (true, false) => {
            writer.fixed(LONG_NEGATIVE, &[!length]);
            writer.raw(bytes);
        }
    }
}

/// Reads an integer: whether it is negative, and its absolute value.
pub(super) fn read(reader: &mut KeyReader<'_>, target: &'static str) -> Result<(bool, u128), KeyError> {
    let at = reader.at();
    let code = reader.code()?;
    let (is_negative, length) = match code {
        LONG_NEGATIVE => (true, usize::from(!reader.code()?)),
        LONG_POSITIVE => (false, usize::from(reader.code()?)),
        0x0c..ZERO => (true, usize::from(ZERO - code)),
        ZERO..=0x1c => (false, usize::from(code - ZERO)),
        _ => return Err(reader.other(code, "an integer")),
    };
    let bytes = reader.take(length)?;
    let mut magnitude = [0; 16];
    let Some(place) = magnitude.len().checked_sub(length).map(|start| &mut magnitude[start..]) else {
        return Err(KeyError::Range { at, target });
    };
    place.copy_from_slice(bytes);
    if is_negative {
        place.iter_mut().for_each(|byte| *byte = !*byte);
    }
    Ok((is_negative, u128::from_be_bytes(magnitude)))
}
