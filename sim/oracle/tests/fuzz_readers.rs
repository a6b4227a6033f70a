//! Every reader on arbitrary input, by bytes and by structure: an error with a place or a history, never a
//! panic, and no more memory than the file justifies.

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use stormproof_oracle::formats::{Format, read};
use stormproof_oracle::models::{Model, check_model_bytes};
use stormproof_oracle::{CheckOptions, check_input};

/// Reads and judges whatever it is; what is made of it stays small.
fn judge(bytes: &[u8], format: Format) {
    match read(bytes, format) {
        Ok(input) => {
            let options =
                CheckOptions { search_steps_max: 2_000, memory_max: 16 << 20, ..CheckOptions::default() };
            let report = check_input(&input, &options);
            assert!(report.txns as usize <= bytes.len() && report.ops as usize <= bytes.len());
            assert!(report.text().len() < 400_000 && report.html("fuzz").len() < 2_000_000);
            assert!(report.dot().len() < 400_000 && report.svg().len() < 2_000_000);
        }
        Err(error) => assert!(!error.message.is_empty() && error.message.len() < 1_500, "{error}"),
    }
}

/// Peak memory of this process in MiB, where the system says.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    kib / 1024
}

/// A word of EDN or of text that means something to some reader.
fn word() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "#{",
        "#_",
        "#tag",
        "##NaN",
        ":r",
        ":w",
        ":append",
        ":type",
        ":ok",
        ":info",
        ":fail",
        ":invoke",
        ":process",
        ":value",
        ":f",
        ":txn",
        ":add",
        ":read",
        ":enqueue",
        ":cas",
        ":nemesis",
        "nil",
        "true",
        "0",
        "-1",
        "1N",
        "007",
        "1.5",
        "\"x\"",
        "\"\\\"",
        "\"",
        "\\[",
        "\\",
        ";",
        "\n",
        ",",
        "\u{feff}",
        "é",
        "9999999999999999999",
        "{:type :ok, :process 0, :value [[:r 1 nil]]}",
        "{:type :invoke, :process 1, :f :txn, :value [[:w 1 1]]}",
        "w(1,1,0,0)\n",
        "r(1,0,1,-1)\n",
        "T1 begin @0\n",
        "T1 put x 1\n",
        "T1 commit @1\n",
        "crash\n",
        "{\"event\":\"opened\",\"life\":0,\"at\":0}\n",
        "[[{\"events\":[",
    ];
    prop_oneof![
        8 => proptest::sample::select(WORDS).prop_map(str::to_owned),
        1 => "[a-z0-9:]{1,6}",
    ]
}

/// An operation of Jepsen with values of any kind in any place.
fn operation() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("nil".to_owned()),
        (0..4_i32).prop_map(|number| number.to_string()),
        Just("[1 2]".to_owned()),
        Just("[2 1]".to_owned()),
        Just(":k".to_owned()),
        Just("\"s\"".to_owned()),
        Just("{:a 1}".to_owned()),
        Just("#{1 2}".to_owned()),
    ];
    let part = (proptest::sample::select([":r", ":w", ":append"].as_slice()), 0..3_i32, value)
        .prop_map(|(function, key, value)| format!("[{function} {key} {value}]"));
    let kind = proptest::sample::select([":invoke", ":ok", ":fail", ":info"].as_slice());
    let function = proptest::sample::select(
        [
            ":txn",
            ":read",
            ":write",
            ":cas",
            ":add",
            ":enqueue",
            ":dequeue",
            ":drain",
            ":acquire",
            ":transfer",
        ]
        .as_slice(),
    );
    (kind, 0..4_i32, function, vec(part, 0..4)).prop_map(|(kind, process, function, parts)| {
        format!("{{:type {kind}, :process {process}, :f {function}, :value [{}]}}", parts.join(" "))
    })
}

/// Found by the fuzzer: the search's order left the repeated element out, and confirming it failed an
/// assertion.
#[test]
fn an_element_appended_twice_and_a_read_of_nothing_between_is_judged() {
    let text = concat!(
        "{:type :ok, :process 0, :f :txn, :value [[:append 2 \"s\"]]}\n",
        "{:type :ok, :process 0, :f :txn, :value [[:r 2 nil] [:append 2 \"s\"]]}\n",
    );
    judge(text.as_bytes(), Format::Edn);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        for (_, format) in Format::NAMES {
            judge(&bytes, format);
        }
    }

    #[test]
    fn arbitrary_words_are_read_or_refused(words in vec(word(), 0..40)) {
        let text = words.join(" ");
        for (_, format) in Format::NAMES {
            judge(text.as_bytes(), format);
        }
    }

    #[test]
    fn arbitrary_operations_are_judged_by_levels_and_models(operations in vec(operation(), 0..24)) {
        let text = operations.join("\n");
        judge(text.as_bytes(), Format::Edn);
        for (_, model) in Model::NAMES {
            if let Ok(report) = check_model_bytes(text.as_bytes(), Format::Edn, model, 2_000) {
                assert!(report.text().len() < 400_000);
            }
        }
        assert!(peak_mib() < 1_500, "{} MiB", peak_mib());
    }
}
