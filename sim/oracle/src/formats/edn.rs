//! EDN values (<https://github.com/edn-format/edn>), and their canonical text.
//!
//! Job: a value as data, and one text for each value, so that `1` and `1N` are the same key and `:x` and
//! `"x"` are two. Not its job: reading them from a file ([`super::edn_reader`], [`super::json`]).

use std::borrow::Cow;

/// An EDN value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edn<'t> {
    /// `nil`.
    Nil,
    /// A number, symbol, boolean or character, in its canonical text.
    Atom(Cow<'t, str>),
    /// A string, without quotes, escapes as written.
    Text(Cow<'t, str>),
    /// A keyword, without its colon.
    Keyword(Cow<'t, str>),
    /// A vector or list.
    Sequence(Vec<Edn<'t>>),
    /// A set.
    Set(Vec<Edn<'t>>),
    /// A map.
    Map(Vec<(Edn<'t>, Edn<'t>)>),
    /// A tag and its value.
    Tagged(&'t str, Box<Edn<'t>>),
}

impl<'t> Edn<'t> {
    /// Returns the value under a keyword of a map (in JSON, a string).
    pub(crate) fn get(&self, keyword: &str) -> Option<&Self> {
        let pairs = self.pairs()?;
        let found = pairs.iter().find(|(key, _)| match key {
            Self::Keyword(name) | Self::Text(name) => name == keyword,
            _ => false,
        });
        found.map(|(_, value)| value)
    }

    /// Returns the pairs of a map, below any tag: a record like `#jepsen.history.Op{…}` is a map.
    pub(crate) fn pairs(&self) -> Option<&[(Self, Self)]> {
        match self {
            Self::Map(pairs) => Some(pairs),
            Self::Tagged(_, value) => value.pairs(),
            _ => None,
        }
    }

    /// Returns the items of a vector or list, below any tag.
    pub(crate) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Sequence(items) => Some(items),
            Self::Tagged(_, value) => value.items(),
            _ => None,
        }
    }

    /// Returns the name of a keyword, symbol or string: `ok` for `:ok` and for JSON's `"ok"`.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Atom(text) | Self::Keyword(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns an integer.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Atom(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Returns the canonical text of the value: equal values have equal texts, different ones have different
    /// texts.
    pub(crate) fn canonical(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Nil => text.push_str("nil"),
            Self::Atom(atom) => text.push_str(atom),
            Self::Text(string) => {
                text.push('"');
                text.push_str(string);
                text.push('"');
            }
            Self::Keyword(name) => {
                text.push(':');
                text.push_str(name);
            }
            Self::Sequence(items) => join(text, '[', items.iter().map(Self::canonical), ']'),
            Self::Set(items) => {
                text.push('#');
                join(text, '{', sorted(items.iter().map(Self::canonical)), '}');
            }
            Self::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| key.canonical() + " " + &value.canonical());
                join(text, '{', sorted(pairs), '}');
            }
            Self::Tagged(tag, value) => {
                text.push('#');
                text.push_str(tag);
                text.push(' ');
                value.write(text);
            }
        }
    }
}

/// Sorts the texts of a set's or map's items, which have no order.
fn sorted(texts: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    texts.into_iter()
}

fn join(text: &mut String, open: char, items: impl Iterator<Item = String>, close: char) {
    text.push(open);
    for (at, item) in items.enumerate() {
        if at > 0 {
            text.push(' ');
        }
        text.push_str(&item);
    }
    text.push(close);
}

/// Returns a number in its canonical text: without a plus sign, leading zeros or a suffix; other tokens as
/// they are.
pub(super) fn atom(token: &str) -> Cow<'_, str> {
    let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
    let digits = digits.strip_suffix('N').unwrap_or(digits);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(token);
    }
    let digits = digits.trim_start_matches('0');
    match (digits, token.starts_with('-')) {
        ("", _) => Cow::Borrowed("0"),
        (digits, false) => Cow::Borrowed(digits),
        (digits, true) if token.len() == digits.len() + 1 => Cow::Borrowed(token),
        (digits, true) => Cow::Owned(format!("-{digits}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Edn, atom};

    #[test]
    fn one_number_has_one_text() {
        for (written, canonical) in [
            ("1N", "1"),
            ("+1", "1"),
            ("007", "7"),
            ("-0", "0"),
            ("-05", "-5"),
            ("-5", "-5"),
            ("1.0", "1.0"),
            ("-", "-"),
        ] {
            assert_eq!(atom(written), canonical, "{written}");
        }
    }

    #[test]
    fn a_keyword_a_string_and_a_symbol_of_one_name_are_three_values() {
        let texts = [Edn::Keyword("x".into()), Edn::Text("x".into()), Edn::Atom("x".into())];
        assert_eq!(texts.map(|value| value.canonical()), [":x", "\"x\"", "x"]);
    }
}
