use foundationdb_tuple as reference;
use proptest::prelude::*;
use uuid::Uuid;

use super::{FromKeyPart, KeyPart, decode, encoded};

/// Those of FoundationDB's `design/tuple.md`.
#[test]
fn the_published_examples_are_encoded_as_published() {
    assert_eq!(encoded(&(None::<u8>,)), [0x00]);
    assert_eq!(encoded(&(&b"foo\x00bar"[..],)), b"\x01foo\x00\xffbar\x00");
    assert_eq!(encoded(&("F\u{d4}O\u{0}bar",)), b"\x02F\xc3\x94O\x00\xffbar\x00");
    assert_eq!(encoded(&(-5_551_212_i64,)), b"\x11\xab\x4b\x93");
    assert_eq!(encoded(&(-42_f32,)), b"\x20\x3d\xd7\xff\xff");
    // Without the empty tuple at its end: there is none in Rust keys.
    let nested = ((&b"foo\x00bar"[..], None::<u8>),);
    assert_eq!(encoded(&nested), b"\x05\x01foo\x00\xffbar\x00\x00\xff\x00");
    assert_eq!(encoded(&(0_u8, 255_u16, 256_u16, -1_i8)), b"\x14\x15\xff\x16\x01\x00\x13\xfe");
    assert_eq!(encoded(&(true, false)), b"\x27\x26");
}

fn comes_back<T: KeyPart + FromKeyPart + PartialEq + std::fmt::Debug>(tuple: &T) {
    let bytes = encoded(tuple);
    assert_eq!(decode::<T>(&bytes).as_ref(), Ok(tuple));
    for cut in 0..bytes.len() {
        assert!(decode::<T>(&bytes[..cut]).is_err(), "{tuple:?} up to {cut}");
    }
    let longer = [&bytes[..], &[0x14]].concat();
    assert!(decode::<T>(&longer).is_err(), "{tuple:?}, longer");
}

type Wide = (i64, String, Vec<u8>, (Option<u64>, bool), [u8; 16], Option<(i32, String)>);

fn wide() -> impl Strategy<Value = Wide> {
    let text = "[\\x00\\x01a\u{ff}]{0,4}";
    let bytes = prop::collection::vec(prop_oneof![Just(0_u8), Just(255), any::<u8>()], 0..5);
    let number = prop_oneof![-300..300_i64, any::<i64>()];
    let nested = (prop::option::of(prop_oneof![0..3_u64, any::<u64>()]), any::<bool>());
    (number, text, bytes, nested, any::<[u8; 16]>(), prop::option::of((any::<i32>(), text)))
}

proptest! {
    #[test]
    fn inv_tuple_1_the_order_of_keys_is_that_of_tuples(a in wide(), b in wide()) {
        prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
    }

    #[test]
    fn inv_tuple_1_integers_are_ordered_by_value(a in any::<i128>(), b in any::<i128>(), shift in 0..128_u32) {
        let (a, b) = (a >> shift, b >> (shift / 2));
        prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
        let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
        prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
        prop_assert_eq!(encoded(&(a as f64)).cmp(&encoded(&(b as f64))), (a as f64).total_cmp(&(b as f64)));
    }

    #[test]
    fn tuples_come_back_and_others_do_not(tuple in wide(), long in any::<i128>(), huge in any::<u128>(), bits in any::<(u32, u64)>()) {
        comes_back(&tuple);
        comes_back(&(long, huge, i128::MIN, u128::MAX));
        let float = (f32::from_bits(bits.0), f64::from_bits(bits.1));
        let read: (f32, f64) = decode(&encoded(&float)).unwrap();
        prop_assert_eq!((read.0.to_bits(), read.1.to_bits()), bits);
        prop_assert!(decode::<(u8, bool)>(&encoded(&(300_u16, true))).is_err());
        prop_assert!(decode::<(u64,)>(&encoded(&(-1_i8,))).is_err());
        prop_assert!(decode::<(u64,)>(&encoded(&("text",))).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = decode::<Wide>(&bytes);
        let _ = decode::<(i128, u128, f64)>(&bytes);
        let _ = decode::<(Uuid, Option<(String,)>)>(&bytes);
    }

    /// The other implementation agrees, in both directions.
    #[test]
    fn the_crate_of_foundationdb_reads_and_writes_the_same(
        numbers in (any::<i64>(), any::<u64>(), -300..300_i32, any::<bool>()),
        text in "[\\x00a\u{ff}]{0,5}",
        bytes in any::<Vec<u8>>(),
        floats in any::<(f32, f64)>(),
        id in any::<u128>(),
        nested in (prop::option::of(any::<i16>()), "[\\x00a]{0,3}"),
    ) {
        let uuid = Uuid::from_u128(id);
        let ours = encoded(&(numbers, text.as_str(), bytes.as_slice(), floats, uuid, nested.clone()));
        let theirs = reference::pack(&(numbers, text.as_str(), bytes.as_slice(), floats, uuid, nested.clone()));
        prop_assert_eq!(&ours, &theirs);
        type Read = ((i64, u64, i32, bool), String, Vec<u8>, (f32, f64), Uuid, (Option<i16>, String));
        let read: Read = decode(&theirs).unwrap();
        prop_assert_eq!(&read, &(numbers, text, bytes, floats, uuid, nested));
        let again: Read = reference::unpack(&ours).unwrap();
        prop_assert_eq!(again, read);
    }
}
