//! Files that are right, or wrong in a way that must be said: what readers of other tools stumble over.

use std::io::Write;
use std::path::{Path, PathBuf};

use stormproof_oracle::formats::{Format, FormatError, Input, read, read_file};

fn edn(text: &str) -> Result<Input, FormatError> {
    read(text.as_bytes(), Format::Edn)
}

fn txns(text: &str) -> usize {
    edn(text).unwrap_or_else(|error| panic!("{text}: {error}")).history.txns.len()
}

const OK: &str = "{:type :ok, :process 0, :value [[:append 1 1]]}";

#[test]
fn a_discarded_value_may_stand_anywhere() {
    for text in [
        "#_ nothing {:type :ok, :process 0, :value [[:append 1 1] #_ [:r 1 nil]]}",
        "[{:type :ok, :process 0, :value [[:append 1 #_ 2 1]]} #_ {:type :x}]",
        "{:type :ok, :process 0, :value [[:append 1 1]]} #_ end",
        "{:type :ok, #_ #_ :a :b :process 0, :value [[:append 1 1]]}",
    ] {
        assert_eq!(txns(text), 1, "{text}");
    }
}

#[test]
fn a_history_may_stand_in_a_list_or_in_several_vectors() {
    assert_eq!(txns(&format!("({OK} {OK})")), 2);
    assert_eq!(txns(&format!("[{OK}] [{OK}]\n[{OK}]")), 3);
    assert_eq!(txns(&format!("[{OK}] {OK}")), 2);
}

#[test]
fn a_file_that_is_cut_off_is_refused_at_the_bracket_that_is_never_closed() {
    let error = edn(&format!("\n  [{OK}\n")).expect_err("cut off");
    assert_eq!((error.line, error.column), (2, 3), "{error}");
    for text in [format!("[{OK}] ]"), format!("[{OK}) "), format!("[{OK}] garbage"), format!("({OK}]")] {
        let error = edn(&text).expect_err("garbage behind the history");
        assert!(error.line == 1 && error.column > 1, "{text}: {error}");
    }
}

#[test]
fn characters_that_look_like_brackets_are_characters() {
    let text = r"{:type :ok, :process 0, :value [[:w \[ \]] [:r \[ \]] [:w \space \newline]]}";
    assert_eq!(edn(text).expect("reads").history.txns[0].ops.len(), 3);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_history() {
    assert_eq!(txns(&format!("\u{feff}{OK}")), 1);
    assert_eq!(read("\u{feff}w(1,1,0,0)\n".as_bytes(), Format::Text).expect("reads").history.txns.len(), 1);
}

#[test]
fn jepsens_json_is_read_as_its_edn() {
    let lines = r#"{"type":"invoke","process":0,"f":"txn","value":[["append","x",1],["r","x",null]]}
{"type":"ok","process":0,"f":"txn","value":[["append","x",1],["r","x",[1]]]}
{"type":"info","process":"nemesis","f":"kill","value":null}"#;
    let array = format!("[{}]", lines.replace('\n', ","));
    let same = r#"{:type :invoke, :process 0, :f :txn, :value [[:append "x" 1] [:r "x" nil]]}
{:type :ok, :process 0, :f :txn, :value [[:append "x" 1] [:r "x" [1]]]}
{:type :info, :process :nemesis, :f :kill, :value nil}"#;
    let expected = edn(same).expect("reads").history;
    for text in [lines, &array] {
        let input = read(text.as_bytes(), Format::Json).expect("reads");
        assert_eq!(input.history, expected);
        assert_eq!(input.left_out.len(), 1);
    }
    let error = read(b"{\"type\":\"ok\",\"process\":0,\n\"value\":[[}", Format::Json).expect_err("bad");
    assert_eq!(error.line, 2, "{error}");
}

#[test]
fn operations_of_a_json_array_tell_their_lines_and_errors_behind_them_their_place() {
    let array = "[{\"type\":\"ok\",\"process\":0,\"f\":\"txn\",\"value\":[[\"append\",\"x\",1]]},\n\n {\"type\":\"ok\",\
                 \"process\":1,\"f\":\"txn\",\n\"value\":[[\"r\",\"x\",[1]]]}";
    let input = read(format!("{array}\n]\n").as_bytes(), Format::Json).expect("reads");
    assert_eq!(input.origins.iter().map(|origin| origin.line).collect::<Vec<_>>(), [1, 3]);
    for (behind, line, column) in [("", 4, 25), (" x]", 4, 26), (",\n]", 5, 1), ("] [", 4, 27)] {
        let error = read(format!("{array}{behind}").as_bytes(), Format::Json).expect_err("no JSON");
        assert_eq!((error.line, error.column), (line, column), "behind {behind:?}: {error}");
    }
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

#[test]
fn a_gzipped_file_is_read_and_a_damaged_one_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(OK.as_bytes()).expect("to memory");
    let bytes = encoder.finish().expect("to memory");
    for name in ["history.edn.gz", "history.gz", "history"] {
        let path = written(folder.path(), name, &bytes);
        assert_eq!(read_file(&path, None).expect("reads").history.txns.len(), 1, "{name}");
    }
    let path = written(folder.path(), "cut.edn.gz", &bytes[..bytes.len() - 9]);
    read_file(&path, None).expect_err("cut off");
}

#[test]
fn the_format_is_told_by_structure_and_not_by_one_byte() {
    let dbcop = [[91_u64, 1, 1, 1, 0], [0; 5]].concat().into_iter().flat_map(u64::to_le_bytes).take(72);
    let cases: [(&[u8], Option<Format>); 14] = [
        (b"{:type :ok}", Some(Format::Edn)),
        (b"; a comment\n{:type :ok}", Some(Format::Edn)),
        (b"({:type :ok})", Some(Format::Edn)),
        (b"#jepsen.history.Op{:type :ok}", Some(Format::Edn)),
        (b"[{:type :ok}]", Some(Format::Edn)),
        (b"[ {\"type\":\"ok\",\"process\":0}]", Some(Format::Json)),
        (b"{\"type\":\"ok\",\"process\":0}\n", Some(Format::Json)),
        (b"{\"event\":\"opened\",\"life\":0,\"at\":0}", Some(Format::Jsonl)),
        (b"[[{\"events\":[]}]]", Some(Format::Dbcop)),
        (b"{\"params\":{\"id\":1},\"data\":[]}", Some(Format::Dbcop)),
        (b"# a comment\nw(1,1,0,0)", Some(Format::Text)),
        (b"x(1,1,0,0)", Some(Format::Text)),
        (b"# a script\nT1 begin @0", Some(Format::Script)),
        (b"hello", None),
    ];
    for (bytes, format) in cases {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(Format::detect(Path::new("history"), bytes), format, "{text}");
    }
    let dbcop: Vec<u8> = dbcop.collect();
    assert_eq!(Format::detect(Path::new("history"), &dbcop), Some(Format::Dbcop));
    assert!(read(&dbcop, Format::Dbcop).is_ok());
    let json =
        b"[[{\"events\":[{\"write\":true,\"variable\":4,\"value\":9,\"success\":true}],\"success\":true}]]";
    assert_eq!(read(json, Format::Dbcop).expect("reads").history.txns.len(), 1);
}

#[test]
fn a_line_of_plume_with_a_wrong_letter_is_named_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(folder.path(), "history", b"w(1,1,0,0)\nx(1,1,0,1)\n");
    let error = read_file(&path, None).expect_err("bad");
    assert_eq!((error.line, error.column), (2, 1), "{error}");
    let first = written(folder.path(), "first", b"x(1,1,0,1)\n");
    assert_eq!(read_file(&first, None).expect_err("bad").line, 1);
    for (name, bytes) in [("empty", &b""[..]), ("blank", b"\n \n"), ("words", b"hello\n")] {
        let path = written(folder.path(), name, bytes);
        let error = read_file(&path, None).expect_err("no format");
        assert_eq!((error.line, error.column), (1, 1), "{name}: {error}");
    }
}

#[test]
fn a_line_or_an_operation_without_end_is_refused_before_it_takes_all_memory() {
    let line = [b"{\"event\":\"opened\",\"life\":".as_slice(), &vec![b'1'; 70 << 20]].concat();
    let error = read(&line, Format::Jsonl).expect_err("too long");
    assert!(error.message.contains("64 MiB"), "{error}");
    let mut line = b"w(".to_vec();
    line.resize(2 << 20, b'1');
    assert!(read(&line, Format::Text).expect_err("too long").message.contains("longer"));
    let operation = format!("{{:type :ok, :process 0, :value [{}]}}", "1 ".repeat(5_000_000));
    assert!(edn(&operation).expect_err("too many").message.contains("4000000 values"));
}
