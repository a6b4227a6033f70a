use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::run_id::RunId;
use crate::types::Version;
use crate::value::{VALUE_DEPTH_MAX, Value};
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

/// Whether JSON has a form for all of it, and gives numbers back to the last bit.
fn fits_json(value: &Value) -> bool {
    match value {
        Value::Bytes(_) => false,
        // Readers of JSON differ in the last bit.
        Value::F64(number) => number.is_finite() && number.fract() == 0.0 && number.abs() < 1e15,
        Value::BigInt(number) => number.to_number::<u64>().is_some(),
        Value::Array(values) => values.iter().all(fits_json),
        Value::Map(values) => values.values().all(fits_json),
        _ => true,
    }
}

/// The value with what JSON has no form for replaced.
fn fitting_json(value: Value) -> Value {
    match value {
        Value::Bytes(bytes) => Value::String(format!("{bytes:?}")),
        Value::F64(number) => Value::F64((number % 1e15).round()),
        Value::BigInt(number) => Value::from(number.magnitude() as u64),
        Value::Array(values) => values.into_iter().map(fitting_json).collect::<Vec<_>>().into(),
        Value::Map(values) => {
            let fitting = values.into_iter().map(|(name, value)| (name, fitting_json(value)));
            fitting.collect::<BTreeMap<_, _>>().into()
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn values_as_fields_of_serde_types_come_back(
        value in crate::value::tests::values(),
        number in any::<u64>(),
    ) {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Job {
            payload: Value,
            seen: Version,
            owner: RunId,
        }
        let owner = RunId::from_bytes([number as u8; 16]);
        let job = Job { payload: value.clone(), seen: Version::new(number), owner };
        let stored = Value::from_serde(&job).unwrap();
        prop_assert_eq!(ValueRef::decode(&stored.encoded()).to_serde::<Job>().unwrap(), job);
        // Nothing of the way is left: a value is stored as itself.
        prop_assert_eq!(Value::from_serde(&value).unwrap(), value.clone());
        prop_assert_eq!(Value::from_serde(&ValueRef::from(&value)).unwrap(), value);
    }

    #[test]
    fn values_come_back_from_json_as_far_as_it_has_their_types(value in crate::value::tests::values()) {
        let text = serde_json::to_string(&value).unwrap();
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        let fitting = fitting_json(value);
        prop_assume!(fits_json(&fitting));
        let text = serde_json::to_string(&fitting).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), fitting);
    }
}

#[test]
fn values_that_nest_without_end_are_errors_of_serde_and_no_overflow() {
    let nested = |levels| (0..levels).fold(Value::Null, |value, _| Value::from(vec![value]));
    let most = serde_json::to_string(&nested(VALUE_DEPTH_MAX)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&most).unwrap(), nested(VALUE_DEPTH_MAX));
    for levels in [VALUE_DEPTH_MAX + 1, 100_000] {
        let refused = serde_json::to_string(&nested(levels)).unwrap_err().to_string();
        assert!(refused.contains("64 levels"), "{refused}");
        let text = [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(serde_json::from_slice::<Value>(&text).unwrap_err().to_string().contains("64 levels"));
        let text = "{\"a\":".repeat(levels);
        assert!(serde_json::from_str::<Value>(&text).unwrap_err().to_string().contains("64 levels"));
    }
    let refused = serde_json::from_str::<RunId>("\"seven\"").unwrap_err().to_string();
    assert!(refused.contains("\"seven\" is no id of a run"), "{refused}");
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
