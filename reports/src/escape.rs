//! Showing hostile text: the one place through which every string passes on its way into a report.
//!
//! Keeps INV-REP-1, that whatever stands in a key, a value, a label or a message is shown and never takes
//! effect. The templates reach [`Markup`] and [`Markdown`] by themselves (`askama.toml` names them); other
//! formats call [`plain`]; JSON inside of a page goes through [`script_json`].

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use askama::filters::Escaper;
use serde::Serialize;

/// Returns whether `c` looks like itself: no control, nothing that turns the writing direction, nothing
/// invisible.
pub(crate) fn is_visible(c: char) -> bool {
    let invisible = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}'
            | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}'
    );
    !(c.is_control() || invisible)
}

/// Returns `text` with everything invisible written as `\xNN`: safe on a terminal, allowed in XML.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_visible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_visible(c) {
            shown.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(shown, "\\x{byte:02x}");
            }
        }
    }
    Cow::Owned(shown)
}

/// Escapes for HTML, SVG and XML, in text and in quoted attributes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Markup;

impl Escaper for Markup {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        for c in plain(string).chars() {
            match c {
                '&' => dest.write_str("&amp;")?,
                '<' => dest.write_str("&lt;")?,
                '>' => dest.write_str("&gt;")?,
                '"' => dest.write_str("&quot;")?,
                '\'' => dest.write_str("&#39;")?,
                _ => dest.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Escapes for GitHub's Markdown, in text and in table cells.
#[derive(Clone, Copy, Default)]
pub(crate) struct Markdown;

impl Escaper for Markdown {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        for c in plain(string).chars() {
            match c {
                '&' => dest.write_str("&amp;")?,
                '<' => dest.write_str("&lt;")?,
                '>' => dest.write_str("&gt;")?,
                // A backslash does not keep these from becoming a mention or a link to an issue; an element
                // does.
                '@' | '#' => write!(dest, "<span>{c}</span>")?,
                // A renderer turns www. or https: into a link, unless the character that follows is escaped.
                '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '|' | '~' | ':' | '.'
                | '$' => {
                    write!(dest, "\\{c}")?;
                }
                _ => dest.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Returns `text` in a Markdown code span, whatever backticks it has.
///
/// In a table cell a pipe ends the cell even in a code span, so it is escaped there, and only there.
pub(crate) fn markdown_code(text: &str, in_table: bool) -> String {
    let shown = plain(text);
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let body = if in_table { shown.replace('|', "\\|") } else { shown.into_owned() };
    format!("{fence} {body} {fence}")
}

/// Returns `value` as JSON for a `<script type="application/json">`: no `<`, so nothing in it ends the
/// element.
pub(crate) fn script_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(json.len() + json.len() / 16);
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(safe, "\\u{:04x}", u32::from(c));
            }
            _ => safe.push(c),
        }
    }
    Ok(safe)
}

#[cfg(test)]
mod tests {
    use askama::filters::Escaper;

    use super::{Markdown, Markup, markdown_code, plain, script_json};

    fn escaped(escaper: impl Escaper, text: &str) -> String {
        let mut shown = String::new();
        escaper.write_escaped_str(&mut shown, text).expect("a string takes everything");
        shown
    }

    #[test]
    fn a_terminal_sequence_in_a_key_is_shown() {
        assert_eq!(plain("\x1b[2J\r\n\u{202e}"), r"\x1b[2J\x0d\x0a\xe2\x80\xae");
        assert_eq!(plain(r"C:\x00"), r"C:\x00");
    }

    #[test]
    fn markup_in_a_key_is_shown() {
        assert_eq!(
            escaped(Markup, "<b a='1' c=\"2\">&\0"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\\x00"
        );
    }

    #[test]
    fn markdown_in_a_key_is_shown() {
        assert_eq!(escaped(Markdown, "a|b*c*<i>"), r"a\|b\*c\*&lt;i&gt;");
        assert_eq!(escaped(Markdown, "@all #1"), "<span>@</span>all <span>#</span>1");
        assert_eq!(escaped(Markdown, "https://x.y"), r"https\://x\.y");
    }

    #[test]
    fn backticks_in_a_key_do_not_end_its_code_span() {
        assert_eq!(markdown_code("a``b|c", true), "``` a``b\\|c ```");
        assert_eq!(markdown_code("a|b", false), "` a|b `");
    }

    #[test]
    fn a_script_end_in_a_value_does_not_end_the_script() {
        let json = script_json(&"</script><!--\u{2028}").expect("a string is JSON");
        assert!(!json.contains(['<', '>', '\u{2028}']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).expect("still JSON"), "</script><!--\u{2028}");
    }
}
