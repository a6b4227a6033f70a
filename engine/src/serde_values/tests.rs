use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::value::Value;
use crate::value_ref::ValueRef;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Whole {
    unit: (),
    truth: bool,
    small: i8,
    large: u64,
    huge: (u128, i128),
    real: f64,
    letter: char,
    text: String,
    maybe: Option<Option<u8>>,
    list: Vec<Shape>,
    by_number: BTreeMap<i64, bool>,
    by_unit: BTreeMap<Unit, Pair>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    One(u32),
    Two(u32, String),
    Named { width: f64, inner: Option<Box<Shape>> },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Unit {
    Here,
    There,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, Wrapped);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(String);

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Nothing),
        any::<u32>().prop_map(Shape::One),
        (any::<u32>(), ".{0,4}").prop_map(|(number, text)| Shape::Two(number, text)),
    ];
    leaf.prop_recursive(3, 6, 1, |inner| {
        let inner = prop::option::of(inner.prop_map(Box::new));
        (-1.0..1.0_f64, inner).prop_map(|(width, inner)| Shape::Named { width, inner })
    })
}

prop_compose! {
    fn wholes()(
        plain in (any::<bool>(), any::<i8>(), any::<u64>(), any::<(u128, i128)>(), -1.0..1.0_f64),
        texts in (any::<char>(), ".{0,6}"),
        maybe in prop::option::of(any::<u8>()),
        list in prop::collection::vec(shapes(), 0..4),
        by_number in prop::collection::btree_map(any::<i64>(), any::<bool>(), 0..4),
        pair in (any::<u8>(), ".{0,4}"),
    ) -> Whole {
        let (truth, small, large, huge, real) = plain;
        let (letter, text) = texts;
        let pairs = [(Unit::Here, Pair(pair.0, Wrapped(pair.1.clone()))), (Unit::There, Pair(0, Wrapped(pair.1)))];
        // `Some(None)` is null, as in all formats that describe themselves.
        let maybe = maybe.map(Some);
        Whole { unit: (), truth, small, large, huge, real, letter, text, maybe, list, by_number, by_unit: pairs.into() }
    }
}

proptest! {
    #[test]
    fn what_is_serialized_comes_back_from_where_it_is_stored(whole in wholes()) {
        let value = Value::from_serde(&whole).unwrap();
        let bytes = value.encoded();
        prop_assert_eq!(ValueRef::check(&bytes), Ok(()));
        prop_assert_eq!(ValueRef::decode(&bytes).to_serde::<Whole>().unwrap(), whole.clone());
        prop_assert_eq!(ValueRef::from(&value).to_serde::<Whole>().unwrap(), whole);
    }

    #[test]
    fn any_value_into_any_type_is_an_error_or_a_value(whole in wholes()) {
        let value = Value::from_serde(&whole).unwrap();
        let Value::Map(fields) = &value else { panic!("a struct is a map") };
        for field in fields.values() {
            let _ = ValueRef::from(field).to_serde::<Whole>();
            let _ = ValueRef::from(field).to_serde::<Shape>();
            let _ = ValueRef::from(field).to_serde::<BTreeMap<i64, Pair>>();
        }
    }
}

#[test]
fn what_does_not_fit_is_said_in_words() {
    let error = ValueRef::I64(3).to_serde::<Shape>().unwrap_err().to_string();
    assert!(error.contains("invalid type: I64, expected the name of a variant"), "{error}");
    let keys: BTreeMap<Vec<u8>, u8> = [(vec![1], 1)].into();
    let error = Value::from_serde(&keys).unwrap_err().to_string();
    assert!(error.contains("a map has Array as a key: use text"), "{error}");
}

#[test]
fn structs_are_maps_and_variants_are_names() {
    let shape = Shape::Named { width: 0.5, inner: Some(Box::new(Shape::Nothing)) };
    let shown = Value::from_serde(&shape).unwrap().to_string();
    assert_eq!(shown, r#"{"Named": {"inner": "Nothing", "width": 0.5}}"#);
}
