//! A reader for EDN (<https://github.com/edn-format/edn>): enough for histories, with positions in its
//! errors.

use super::FormatError;

/// A value. Numbers stay text: histories use them as names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edn<'t> {
    Nil,
    /// A number, symbol, boolean, character or string (without its quotes).
    Atom(&'t str),
    Keyword(&'t str),
    /// A vector, list or set.
    Sequence(Vec<Edn<'t>>),
    Map(Vec<(Edn<'t>, Edn<'t>)>),
}

impl<'t> Edn<'t> {
    /// The value of a keyword in a map.
    pub(super) fn get(&self, keyword: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(key, _)| *key == Edn::Keyword(keyword)).map(|(_, value)| value)
    }

    /// As a name: the text of an atom or keyword.
    pub(super) fn name(&self) -> Option<&'t str> {
        match self {
            Self::Atom(text) | Self::Keyword(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads one value after the other.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
}

/// Deeper nesting is taken for damage.
const DEPTH_MAX: usize = 64;

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Skips the opening bracket of a history that is one big vector; says whether there was one.
    pub(super) fn enter_vector(&mut self) -> bool {
        self.skip();
        let inside = self.peek() == Some(b'[');
        self.at += usize::from(inside);
        inside
    }

    /// Whether the closing bracket of that vector, or the end of the text, comes next.
    pub(super) fn at_end(&mut self, inside: bool) -> bool {
        self.skip();
        self.peek().is_none() || inside && self.peek() == Some(b']')
    }

    /// The next value, and where it begins.
    pub(super) fn value(&mut self) -> Result<(Edn<'t>, usize), FormatError> {
        self.skip();
        let start = self.at;
        Ok((self.nested(0)?, start))
    }

    /// An error at a byte.
    pub(super) fn error_at(&self, at: usize, message: impl Into<String>) -> FormatError {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        FormatError::new(line, column, message)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space, commas and comments.
    fn skip(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => self.at += 1,
                b';' => {
                    let rest = &self.text.as_bytes()[self.at..];
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                _ => break,
            }
        }
    }

    fn nested(&mut self, depth: usize) -> Result<Edn<'t>, FormatError> {
        if depth > DEPTH_MAX {
            return Err(self.error_at(self.at, "nested too deeply for a history"));
        }
        self.skip();
        match self.peek() {
            None => Err(self.error_at(self.at, "the file ends in the middle of a value")),
            Some(b'[') => self.sequence(b']', depth),
            Some(b'(') => self.sequence(b')', depth),
            Some(b'{') => self.map(depth),
            Some(b'"') => self.string(),
            Some(b'#') => self.dispatch(depth),
            Some(b':') => {
                self.at += 1;
                Ok(Edn::Keyword(self.token()?))
            }
            Some(b']' | b')' | b'}') => {
                Err(self.error_at(self.at, "a closing bracket without its opening one"))
            }
            Some(_) => {
                let token = self.token()?;
                Ok(if token == "nil" { Edn::Nil } else { Edn::Atom(token) })
            }
        }
    }

    fn sequence(&mut self, close: u8, depth: usize) -> Result<Edn<'t>, FormatError> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip();
            if self.peek() == Some(close) {
                self.at += 1;
                return Ok(Edn::Sequence(items));
            }
            items.push(self.nested(depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Edn<'t>, FormatError> {
        let start = self.at;
        match self.sequence(b'}', depth)? {
            Edn::Sequence(items) if items.len().is_multiple_of(2) => {
                let mut items = items.into_iter();
                let mut pairs = Vec::new();
                while let Some((key, value)) = items.next().zip(items.next()) {
                    pairs.push((key, value));
                }
                Ok(Edn::Map(pairs))
            }
            _ => Err(self.error_at(start, "a map with a key and no value")),
        }
    }

    /// `#{…}`, `#_ignored`, or a tag, which is skipped.
    fn dispatch(&mut self, depth: usize) -> Result<Edn<'t>, FormatError> {
        self.at += 1;
        match self.peek() {
            Some(b'{') => self.sequence(b'}', depth),
            Some(b'_') => {
                self.at += 1;
                self.nested(depth + 1)?;
                self.nested(depth + 1)
            }
            _ => {
                self.token()?;
                self.nested(depth + 1)
            }
        }
    }

    fn string(&mut self) -> Result<Edn<'t>, FormatError> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Ok(Edn::Atom(&self.text[start + 1..self.at - 1]));
                }
                _ => self.at += 1,
            }
        }
        Err(self.error_at(start, "a string without an end"))
    }

    fn token(&mut self) -> Result<&'t str, FormatError> {
        let start = self.at;
        let ends = |byte: u8| b" \t\n\r,;[](){}\"".contains(&byte);
        let rest = &self.text.as_bytes()[start..];
        self.at += rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len());
        if self.at == start {
            return Err(self.error_at(start, "expected a value"));
        }
        Ok(&self.text[start..self.at])
    }
}
