//! A reader of EDN text, with line and column in its errors and bounds on what one value may take.

use std::borrow::Cow;

use super::FormatError;
use super::edn::{Edn, atom};

/// Maximum nesting; deeper files are damaged.
const DEPTH_MAX: usize = 64;
/// Maximum number of values in one operation, which bounds the memory that one form takes.
const VALUES_MAX: usize = 4_000_000;

/// Reads one value after the other.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// A place whose line is known, so that lines are counted once only.
    counted: (usize, usize),
    /// The bracket that encloses all operations, if there is one, and its place.
    enclosing: Option<(u8, usize)>,
    /// The number of values read in the current form.
    values: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { text, at: 0, counted: (0, 1), enclosing: None, values: 0 }
    }

    /// Returns the next operation and its place, or none at the end of the text. A history may stand in a
    /// vector or list, and a file may hold several.
    ///
    /// # Errors
    /// When the text is no EDN, with its place.
    pub(super) fn operation(&mut self) -> Result<Option<(Edn<'t>, usize)>, FormatError> {
        loop {
            self.skip(0)?;
            match (self.peek(), self.enclosing) {
                (None, None) => return Ok(None),
                (None, Some((_, opened))) => {
                    return Err(self.error_at(opened, "this bracket is never closed: the file is cut off"));
                }
                (Some(open @ (b'[' | b'(')), None) => {
                    self.enclosing = Some((if open == b'[' { b']' } else { b')' }, self.at));
                    self.at += 1;
                }
                (Some(close), Some((expected, _))) if close == expected => {
                    self.enclosing = None;
                    self.at += 1;
                }
                _ => {
                    let start = self.at;
                    self.values = 0;
                    return Ok(Some((self.nested(0)?, start)));
                }
            }
        }
    }

    /// Returns the line of a place, which must not lie before the last one asked for.
    pub(super) fn line(&mut self, at: usize) -> usize {
        let (from, line) = self.counted;
        let lines = self.text.as_bytes()[from..at].iter().filter(|byte| **byte == b'\n').count();
        self.counted = (at, line + lines);
        line + lines
    }

    /// Returns an error at a byte.
    pub(super) fn error_at(&self, at: usize, message: impl Into<String>) -> FormatError {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        FormatError::new(line, column, message)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at.min(self.text.len())..]
    }

    /// Skips white space, commas, comments and discarded values.
    fn skip(&mut self, depth: usize) -> Result<(), FormatError> {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => self.at += 1,
                b';' => {
                    let rest = self.rest();
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                b'#' if self.rest().starts_with(b"#_") => {
                    self.at += 2;
                    self.nested(depth + 1)?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn nested(&mut self, depth: usize) -> Result<Edn<'t>, FormatError> {
        if depth > DEPTH_MAX {
            return Err(self.error_at(self.at, "nested too deeply for a history"));
        }
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(self.error_at(self.at, format!("one operation of more than {VALUES_MAX} values")));
        }
        self.skip(depth)?;
        match self.peek() {
            None => Err(self.error_at(self.at, "the file ends in the middle of a value")),
            Some(b'[') => Ok(Edn::Sequence(self.sequence(b']', depth)?)),
            Some(b'(') => Ok(Edn::Sequence(self.sequence(b')', depth)?)),
            Some(b'{') => self.map(depth),
            Some(b'"') => self.string(),
            Some(b'#') => self.dispatch(depth),
            Some(b':') => {
                self.at += 1;
                Ok(Edn::Keyword(Cow::Borrowed(self.token()?)))
            }
            Some(b']' | b')' | b'}') => {
                Err(self.error_at(self.at, "a closing bracket without its opening one"))
            }
            Some(_) => {
                let token = self.token()?;
                Ok(if token == "nil" { Edn::Nil } else { Edn::Atom(atom(token)) })
            }
        }
    }

    fn sequence(&mut self, close: u8, depth: usize) -> Result<Vec<Edn<'t>>, FormatError> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip(depth)?;
            if self.peek() == Some(close) {
                self.at += 1;
                return Ok(items);
            }
            items.push(self.nested(depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Edn<'t>, FormatError> {
        let start = self.at;
        let items = self.sequence(b'}', depth)?;
        if !items.len().is_multiple_of(2) {
            return Err(self.error_at(start, "a map with a key and no value"));
        }
        let mut items = items.into_iter();
        let mut pairs = Vec::with_capacity(items.len() / 2);
        while let Some((key, value)) = items.next().zip(items.next()) {
            pairs.push((key, value));
        }
        Ok(Edn::Map(pairs))
    }

    /// Reads `#{…}`, a symbolic value like `##NaN`, or a tag with its value.
    fn dispatch(&mut self, depth: usize) -> Result<Edn<'t>, FormatError> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'{') => Ok(Edn::Set(self.sequence(b'}', depth)?)),
            Some(b'#') => {
                self.at += 1;
                self.token()?;
                Ok(Edn::Atom(Cow::Borrowed(&self.text[start..self.at])))
            }
            _ => {
                let tag = self.token()?;
                Ok(Edn::Tagged(tag, Box::new(self.nested(depth + 1)?)))
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
                    return Ok(Edn::Text(Cow::Borrowed(&self.text[start + 1..self.at - 1])));
                }
                _ => self.at += 1,
            }
        }
        Err(self.error_at(start, "a string without an end"))
    }

    fn token(&mut self) -> Result<&'t str, FormatError> {
        let start = self.at;
        let ends = |byte: u8| b" \t\n\r,;[](){}\"".contains(&byte);
        if self.peek() == Some(b'\\') {
            // A character literal may be a delimiter: `\[`.
            self.at += 1;
            let length =
                self.text.get(self.at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            self.at += length;
        }
        let rest = self.rest();
        self.at += rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len());
        if self.at == start {
            return Err(self.error_at(start, "expected a value"));
        }
        Ok(&self.text[start..self.at])
    }
}
