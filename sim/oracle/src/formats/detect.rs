//! The format of a file, by its ending and by the structure of its beginning.

use std::path::Path;

use super::Format;

/// The number of bytes at the beginning of a file by which its format is detected.
pub(super) const HEAD: usize = 64 * 1024;

/// Returns the format by ending and beginning, or none if neither tells.
pub(super) fn detect(path: &Path, head: &[u8]) -> Option<Format> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let name = name.strip_suffix(".gz").unwrap_or(name);
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "edn" => return Some(Format::Edn),
        "bincode" | "dbcop" => return Some(Format::Dbcop),
        "script" => return Some(Format::Script),
        _ => {}
    }
    structure(head)
}

fn structure(head: &[u8]) -> Option<Format> {
    if is_binary(head) {
        return Some(Format::Dbcop);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let after = |skipped: usize| text.get(skipped..).unwrap_or_default().trim_ascii_start();
    match text.first()? {
        b'{' if after(1).starts_with(b"\"") => Some(by_fields(text)),
        b'{' | b'(' | b';' => Some(Format::Edn),
        b'[' => Some(match after(1).first() {
            // Sessions of transactions of events: dbcop's JSON is nested in brackets where Jepsen's is not.
            Some(b'[') => Format::Dbcop,
            Some(b'{') if after(1)[1..].trim_ascii_start().starts_with(b"\"") => Format::Json,
            _ => Format::Edn,
        }),
        _ => lines(text),
    }
}

/// Returns whether bytes are bincode: it holds numbers of eight bytes, and therefore zeros, where text has
/// none.
pub(super) fn is_binary(head: &[u8]) -> bool {
    head[..head.len().min(256)].contains(&0)
}

/// Detects a JSON object, by the names of its fields.
fn by_fields(text: &[u8]) -> Format {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let has = |field: &[u8]| text[..end].windows(field.len()).any(|window| window == field);
    if has(b"\"event\"") && !has(b"\"process\"") {
        Format::Jsonl
    } else if has(b"\"type\"") && has(b"\"process\"") {
        Format::Json
    } else {
        Format::Dbcop
    }
}

/// Detects text, by its first line that is no comment.
fn lines(text: &[u8]) -> Option<Format> {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let commented = text.first() == Some(&b'#');
    let comment = |line: &[u8]| line.starts_with(b"#") && !line.starts_with(b"#_");
    let line = lines.find(|line| !line.is_empty() && !comment(line));
    let line = line.unwrap_or_default();
    let words = || line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if line.first().is_some_and(u8::is_ascii_alphabetic) && line.get(1) == Some(&b'(') {
        Some(Format::Text)
    } else if words().nth(1) == Some(b"begin") || matches!(words().next(), Some(b"promise" | b"expect")) {
        Some(Format::Script)
    } else {
        commented.then_some(Format::Edn)
    }
}
