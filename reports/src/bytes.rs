//! Keys and values as text.

use std::fmt::Write as _;

use crate::escape::is_visible;

/// Shows `bytes` as text: what is printable UTF-8 as it is, everything else, and the backslash, escaped as
/// `\xNN`.
///
/// Two different byte strings never look the same, so this can also name keys.
pub fn show_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c != '\\' && is_visible(c) {
                shown.push(c);
            } else {
                let mut utf8 = [0; 4];
                escape(&mut shown, c.encode_utf8(&mut utf8).as_bytes());
            }
        }
        escape(&mut shown, chunk.invalid());
    }
    shown
}

fn escape(shown: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(shown, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::show_bytes;

    #[test]
    fn printable_text_stays() {
        assert_eq!(show_bytes("agent/7: Grüße <b>".as_bytes()), "agent/7: Grüße <b>");
    }

    #[test]
    fn what_is_invisible_or_turns_the_text_is_escaped() {
        assert_eq!(show_bytes(b"a\0b\x1b[31m\n\xff\\"), r"a\x00b\x1b[31m\x0a\xff\x5c");
        assert_eq!(show_bytes("a\u{202e}b".as_bytes()), r"a\xe2\x80\xaeb");
    }

    #[test]
    fn different_bytes_never_look_the_same() {
        assert_ne!(show_bytes(b"\\x00"), show_bytes(b"\0"));
    }
}
