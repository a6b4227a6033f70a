//! What names a key in calls of the store.

use super::{Key, TypeTag};

/// What names a key: plain bytes or text for a key of the shared namespace, or a whole [`Key`].
pub trait IntoKey {
    /// Returns the whole key.
    fn into_key(self) -> Key;
}

macro_rules! shared_key {
    ($($type:ty),*) => {$(
        impl IntoKey for $type {
            #[inline]
            fn into_key(self) -> Key {
                Key::shared(TypeTag::Kv, self.as_ref())
            }
        }
    )*};
}

shared_key!(&str, &String, String, &[u8], &Vec<u8>, Vec<u8>);

impl<const N: usize> IntoKey for &[u8; N] {
    #[inline]
    fn into_key(self) -> Key {
        Key::shared(TypeTag::Kv, self)
    }
}

impl<const N: usize> IntoKey for [u8; N] {
    #[inline]
    fn into_key(self) -> Key {
        Key::shared(TypeTag::Kv, &self)
    }
}

impl IntoKey for Key {
    #[inline]
    fn into_key(self) -> Key {
        self
    }
}

impl IntoKey for &Key {
    #[inline]
    fn into_key(self) -> Key {
        self.clone()
    }
}
