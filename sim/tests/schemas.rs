//! What `--json` and `--out` write keeps the schemas of the repository (`sim/schemas`).

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;

use support::{json, stormproof};

const BUG: [&str; 4] = ["--workload", "write-skew", "--mutant", "SkipReadValidation"];

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    let text = fs::read_to_string(&path).expect("a schema");
    serde_json::from_str(&text).expect("a schema is JSON")
}

/// What a document has against a schema: as much of JSON Schema as these schemas use. A schema with anything
/// else in it is refused.
fn errors(schema: &Value, document: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "required" | "properties" | "additionalProperties" => {}
            "const" if rule == document => {}
            "const" => found.push(format!("{place}: {document} is not {rule}")),
            "type" if is_of_type(rule, document) => {}
            "type" => found.push(format!("{place}: {document} is no {rule}")),
            "items" => {
                for (number, item) in document.as_array().into_iter().flatten().enumerate() {
                    found.extend(errors(rule, item, &format!("{place}/{number}")));
                }
            }
            "oneOf" => {
                let tried: Vec<_> =
                    rule.as_array().unwrap().iter().map(|one| errors(one, document, place)).collect();
                if tried.iter().filter(|errors| errors.is_empty()).count() != 1 {
                    let closest = tried.into_iter().min_by_key(Vec::len).unwrap_or_default();
                    found.push(format!("{place}: not one of them; the closest: {closest:?}"));
                }
            }
            other => panic!("this test does not know {other}"),
        }
    }
    found.extend(errors_of_fields(schema, document, place));
    found
}

fn errors_of_fields(schema: &Value, document: &Value, place: &str) -> Vec<String> {
    let Some(fields) = document.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            found.push(format!("{place}: no {name}"));
        }
    }
    for (name, value) in fields {
        let place = format!("{place}/{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(rule), _) => found.extend(errors(rule, value, &place)),
            (None, Value::Bool(false)) => found.push(format!("{place}: the schema does not have it")),
            (None, rule @ Value::Object(_)) => found.extend(errors(rule, value, &place)),
            (None, _) => {}
        }
    }
    found
}

fn is_of_type(rule: &Value, document: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => document.is_null(),
        "boolean" => document.is_boolean(),
        "integer" => document.is_u64() || document.is_i64(),
        "number" => document.is_number(),
        "string" => document.is_string(),
        "array" => document.is_array(),
        "object" => document.is_object(),
        other => panic!("no type is called {other}"),
    };
    match rule {
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        name => is(name.as_str().expect("a name")),
    }
}

fn check(schema: &Value, what: &str, document: &Value) {
    let errors = errors(schema, document, "");
    assert!(errors.is_empty(), "{what}: {:#?}", &errors[..errors.len().min(5)]);
}

#[test]
fn results_keep_their_schema() {
    let folder = tempfile::tempdir().unwrap();
    let schema = schema("results.json");
    for (out, more) in [("bug", &BUG[..]), ("healthy", &["--shard", "1/2"])] {
        let start = ["sweep", "--seeds", "0..40", "--out", out];
        let output = stormproof(folder.path(), &[&start[..], more].concat());
        assert!(
            output.status.code().is_some_and(|code| code < 2),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = fs::read_to_string(folder.path().join(out)).unwrap();
        for line in text.lines() {
            check(&schema, out, &serde_json::from_str(line).unwrap());
        }
    }
    let wrong = serde_json::json!({ "seed": { "seed": 1, "digest": "00", "colour": "red" } });
    assert!(!errors(&schema, &wrong, "").is_empty(), "the schema refuses what is not in it");
}

#[test]
fn dumps_keep_their_schema() {
    let folder = tempfile::tempdir().unwrap();
    let schema = schema("dump.json");
    let db = ::stormproof::Database::open(folder.path().join("data")).unwrap();
    let run = db.begin_run().unwrap();
    db.put_with_ttl(run, "key", 0.5, std::time::Duration::from_secs(1_000)).unwrap();
    db.close().unwrap();
    for more in [&[][..], &["--plain"]] {
        let output = stormproof(folder.path(), &[&["dump", "data"], more].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 5, "{text}");
        for line in text.lines() {
            check(&schema, line, &serde_json::from_str(line).unwrap());
        }
    }
    assert!(!errors(&schema, &serde_json::json!({ "key": "a", "colour": "red" }), "").is_empty());
}

#[test]
fn documents_keep_their_schema() {
    let folder = tempfile::tempdir().unwrap();
    let schema = schema("documents.json");
    let commands: [&[&str]; 8] = [
        &["run", "--seed", "3", "--json"],
        &["run", "--seed", "8", "--workload", "write-skew", "--mutant", "SkipReadValidation", "--json"],
        &["sweep", "--seeds", "0..60", "--json"],
        &[
            "sweep",
            "--seeds",
            "0..20",
            "--workload",
            "write-skew",
            "--mutant",
            "SkipReadValidation",
            "--json",
        ],
        &["list", "--json"],
        &["replay", "failures/8-serializable.trace", "--json"],
        &["shrink", "failures/8-serializable.trace", "--runs", "200", "--json"],
        &[
            "zoo",
            "--mutant",
            "SkipWriteValidation",
            "--trials",
            "1",
            "--healthy",
            "1",
            "--no-shrink",
            "--json",
        ],
    ];
    for arguments in commands {
        let output = stormproof(folder.path(), arguments);
        check(&schema, &arguments.join(" "), &json(&output));
    }
    assert!(
        !errors(&schema, &serde_json::json!({ "format": 1, "kind": "run" }), "").is_empty(),
        "other formats are refused"
    );
}
