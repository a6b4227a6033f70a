//! What can be part of an ordered key.

use bytes::Bytes;
use uuid::Uuid;

use super::reader::{BYTES, F32, F64, FALSE, KeyError, KeyReader, TEXT, TRUE, UUID};
use super::writer::KeyWriter;
use super::{FromKeyPart, KeyPart, integer};
use crate::run_id::RunId;

macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl KeyPart for $type {
            fn write_to(&self, writer: &mut KeyWriter) {
                integer::write(writer, false, *self as u128);
            }
        }

        impl FromKeyPart for $type {
            fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                let out_of_range = KeyError::Range { at: reader.at(), target: stringify!($type) };
                match integer::read(reader, stringify!($type))? {
                    (false, magnitude) => Self::try_from(magnitude).map_err(|_| out_of_range),
                    (true, _) => Err(out_of_range),
                }
            }
        }
    )*};
}

macro_rules! signed {
    ($($type:ty),*) => {$(
        impl KeyPart for $type {
            fn write_to(&self, writer: &mut KeyWriter) {
                integer::write(writer, *self < 0, self.unsigned_abs() as u128);
            }
        }

        signed!(read: $type);
    )*};
    (read: $type:ty) => {
        impl FromKeyPart for $type {
            fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                let out_of_range = KeyError::Range { at: reader.at(), target: stringify!($type) };
                let (is_negative, magnitude) = integer::read(reader, stringify!($type))?;
                // A negative number in the range of `i128` is the complement of its absolute value less one.
                let number = match (is_negative, magnitude.checked_sub(1)) {
                    (true, Some(before)) => i128::try_from(before).map(|before| !before),
                    _ => i128::try_from(magnitude),
                };
                number.ok().and_then(|number| Self::try_from(number).ok()).ok_or(out_of_range)
            }
        }
    };
}

unsigned!(u8, u16, u32, u64, u128, usize);
signed!(i8, i16, i32, i64, isize);
signed!(read: i128);

impl KeyPart for i128 {
    fn write_to(&self, writer: &mut KeyWriter) {
        integer::write(writer, *self < 0, self.unsigned_abs());
    }
}

impl KeyPart for bool {
    fn write_to(&self, writer: &mut KeyWriter) {
        writer.fixed(if *self { TRUE } else { FALSE }, &[]);
    }
}

impl FromKeyPart for bool {
    fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        match reader.code()? {
            FALSE => Ok(false),
            TRUE => Ok(true),
            other => Err(reader.other(other, "true or false")),
        }
    }
}

macro_rules! float {
    ($($type:ty, $bits:ty, $code:ident, $sign:expr, $name:literal;)*) => {$(
        impl KeyPart for $type {
            fn write_to(&self, writer: &mut KeyWriter) {
                let bits = self.to_bits();
                let ordered = if bits & $sign == 0 { bits | $sign } else { !bits };
                writer.fixed($code, &ordered.to_be_bytes());
            }
        }

        impl FromKeyPart for $type {
            fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                reader.expect($code, $name)?;
                let bits = <$bits>::from_be_bytes(reader.fixed()?);
                Ok(Self::from_bits(if bits & $sign == 0 { !bits } else { bits & !$sign }))
            }
        }
    )*};
}

float! {
    f32, u32, F32, 1_u32 << 31, "a floating-point number of 32 bits";
    f64, u64, F64, 1_u64 << 63, "a floating-point number of 64 bits";
}

impl KeyPart for str {
    fn write_to(&self, writer: &mut KeyWriter) {
        writer.varied(TEXT, self.as_bytes());
    }
}

impl KeyPart for String {
    fn write_to(&self, writer: &mut KeyWriter) {
        self.as_str().write_to(writer);
    }
}

impl FromKeyPart for String {
    fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        reader.expect(TEXT, "text")?;
        Self::from_utf8(reader.varied()?).map_err(|_| reader.malformed("text that is not UTF-8"))
    }
}

impl KeyPart for [u8] {
    fn write_to(&self, writer: &mut KeyWriter) {
        writer.varied(BYTES, self);
    }
}

macro_rules! bytes {
    ($($type:ty),*) => {$(
        impl KeyPart for $type {
            fn write_to(&self, writer: &mut KeyWriter) {
                writer.varied(BYTES, self);
            }
        }

        impl FromKeyPart for $type {
            fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                reader.expect(BYTES, "bytes")?;
                Ok(reader.varied()?.into())
            }
        }
    )*};
}

bytes!(Vec<u8>, Bytes);

impl<const N: usize> KeyPart for [u8; N] {
    fn write_to(&self, writer: &mut KeyWriter) {
        writer.varied(BYTES, self);
    }
}

impl<const N: usize> FromKeyPart for [u8; N] {
    fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        reader.expect(BYTES, "bytes")?;
        let bytes = reader.varied()?;
        Self::try_from(bytes).map_err(|_| reader.malformed("of bytes of another length"))
    }
}

impl KeyPart for Uuid {
    fn write_to(&self, writer: &mut KeyWriter) {
        writer.fixed(UUID, self.as_bytes());
    }
}

impl FromKeyPart for Uuid {
    fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        reader.expect(UUID, "a UUID")?;
        Ok(Self::from_bytes(reader.fixed()?))
    }
}

impl KeyPart for RunId {
    fn write_to(&self, writer: &mut KeyWriter) {
        self.as_uuid().write_to(writer);
    }
}

impl FromKeyPart for RunId {
    fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        Ok(Self::from_uuid(reader.part()?))
    }
}

impl<T: KeyPart> KeyPart for Option<T> {
    fn write_to(&self, writer: &mut KeyWriter) {
        match self {
            Some(part) => part.write_to(writer),
            None => writer.none(),
        }
    }
}

impl<T: FromKeyPart> FromKeyPart for Option<T> {
    fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        if reader.take_none() { Ok(None) } else { T::read_from(reader).map(Some) }
    }
}

impl<T: KeyPart + ?Sized> KeyPart for &T {
    fn write_to(&self, writer: &mut KeyWriter) {
        (**self).write_to(writer);
    }
}

macro_rules! tuple {
    ($(($($name:ident),+))*) => {$(
        impl<$($name: KeyPart),+> KeyPart for ($($name,)+) {
            fn write_to(&self, writer: &mut KeyWriter) {
                #[expect(non_snake_case, reason = "one name for the type and the element")]
                let ($($name,)+) = self;
                writer.tuple(|writer| {
                    $($name.write_to(writer);)+
                });
            }
        }

        impl<$($name: FromKeyPart),+> FromKeyPart for ($($name,)+) {
            fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                reader.tuple(|reader| Ok(($($name::read_from(reader)?,)+)))
            }
        }
    )*};
}

tuple! {
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
}
