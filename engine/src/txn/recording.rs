//! Records the shape of an application's transactions, for a simulator to replay.
//!
//! Job: one JSON line for each transaction that ended, with the keys that it read, scanned and wrote and the
//! sizes of values; never a value. Keys can be hashed. Not its job: replaying, which is the simulator's
//! (`stormproof sweep --recording FILE`).
//!
//! A transaction that met a conflict is left out: it is run again, and that attempt is recorded.
//!
//! INV-RECORDING-1: a database without a recording does nothing for it but check once per commit whether
//! there is one.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use rt::sync::{Arc, Mutex};
#[cfg(feature = "sha2")]
use sha2::{Digest, Sha256};

use super::context::TransactionContext;
use crate::key::{Key, Namespace, TypeTag};
use crate::range::KeyRange;
use crate::types::Isolation;
use crate::value::Value;

/// Where the shapes of transactions are recorded, and how.
///
/// ```
/// use stormproof::{Database, Recording};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let file = std::fs::File::create(folder.path().join("shapes.jsonl"))?;
/// let recording = Recording::new(file).hash_keys(*b"a secret of ours");
/// let db = Database::builder().record(recording.clone()).open()?;
/// let run = db.begin_run()?;
/// db.put(run, "user/42/name", "Ada")?;
/// db.close()?;
/// assert!(recording.take_error().is_none());
/// # let text = std::fs::read_to_string(folder.path().join("shapes.jsonl"))?;
/// # assert!(!text.contains("user") && !text.contains("Ada"), "{text}");
/// # assert_eq!(text.lines().count(), 2, "{text}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recording {
    sink: Arc<Mutex<Sink>>,
    hash: Option<[u8; 16]>,
}

struct Sink {
    writer: Box<dyn Write + Send>,
    began: bool,
    error: Option<io::Error>,
}

/// The version of the format, in the first line.
const FORMAT: u32 = 1;

impl Recording {
    /// Records to `writer`, one line at a time: buffer it if you like, lines are flushed when the database is
    /// closed.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        let sink = Sink { writer: Box::new(writer), began: false, error: None };
        Self { sink: Arc::new(Mutex::new("recording", sink)), hash: None }
    }

    /// Records keys as hashes. Every part between slashes is hashed on its own, so that keys with a common
    /// prefix up to a slash keep one; their order is lost. Without `secret`, which is not recorded, short
    /// keys could be guessed.
    #[cfg(feature = "sha2")]
    #[must_use]
    pub fn hash_keys(mut self, secret: [u8; 16]) -> Self {
        self.hash = Some(secret);
        self
    }

    /// Takes the error that ended the recording, if one did. The database goes on without it.
    pub fn take_error(&self) -> Option<io::Error> {
        self.sink.lock().error.take()
    }

    /// Returns what `context` has read and would write, as long as it still knows; nothing if it has done
    /// nothing with data of the application.
    pub(crate) fn shape(&self, context: &TransactionContext) -> Option<Shape> {
        let reads = || context.reads.points().iter().map(|read| &read.key).filter(|key| !key.is_system());
        let writes = || context.writes.iter().filter(|(key, _)| !key.is_system());
        if reads().next().is_none()
            && writes().next().is_none()
            && context.reads.ranges().is_empty()
            && context.appends.is_empty()
        {
            return None;
        }
        let now = rt::time::now();
        let mut line = String::new();
        let isolation = match context.isolation {
            Isolation::Serializable => "serializable",
            Isolation::Snapshot => "snapshot",
        };
        let _ = write!(
            line,
            "\"run\":\"{}\",\"at_micros\":{},\"isolation\":\"{isolation}\",\"read_only\":{}",
            context.run,
            now.as_nanos() / 1_000,
            context.read_only
        );
        let mut parts = Parts { line: &mut line, hash: self.hash };
        parts.list("reads", reads(), Parts::key);
        parts.list("scans", context.reads.ranges().iter(), Parts::range);
        parts.list("writes", writes(), |parts, (key, write)| {
            parts.line.push_str("{\"key\":");
            parts.key(key);
            if let Some(value) = &write.value {
                let _ = write!(parts.line, ",\"bytes\":{}", payload(value));
            }
            if let Some(expires) = write.expires_at {
                let _ = write!(parts.line, ",\"ttl_ms\":{}", expires.0.saturating_sub(context.now.0));
            }
            if write.condition.is_some() {
                parts.line.push_str(",\"conditional\":true");
            }
            parts.line.push('}');
        });
        parts.list("appends", context.appends.iter(), |parts, append| {
            parts.line.push_str("{\"stream\":");
            parts.key(&append.stream);
            let _ = write!(parts.line, ",\"bytes\":{}}}", payload(&append.value));
        });
        Some(Shape { line })
    }

    /// Records that the transaction of `shape` has committed, or that its user has aborted it.
    pub(crate) fn ended(&self, shape: &Shape, committed: bool) {
        let outcome = if committed { "committed" } else { "aborted" };
        let hashed = self.hash.is_some();
        self.sink.lock().write(hashed, &format!("{{\"outcome\":\"{outcome}\",{}}}\n", shape.line));
    }

    /// Flushes the writer.
    pub(crate) fn flush(&self) {
        let mut sink = self.sink.lock();
        if let Err(error) = sink.writer.flush() {
            sink.error.get_or_insert(error);
        }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("hashed", &self.hash.is_some()).finish_non_exhaustive()
    }
}

/// A transaction, before it is known how it ends.
pub(crate) struct Shape {
    line: String,
}

/// Returns the bytes that a value holds.
fn payload(value: &Value) -> usize {
    value.size() - size_of::<Value>()
}

impl Sink {
    fn write(&mut self, hashed: bool, line: &str) {
        if self.error.is_some() {
            return;
        }
        let header = if self.began {
            String::new()
        } else {
            format!("{{\"recording\":{FORMAT},\"hashed\":{hashed}}}\n")
        };
        self.began = true;
        if let Err(error) = self.writer.write_all(format!("{header}{line}").as_bytes()) {
            self.error = Some(error);
        }
    }
}

/// A line that is being written.
struct Parts<'a> {
    line: &'a mut String,
    hash: Option<[u8; 16]>,
}

impl Parts<'_> {
    /// Writes a list under a name; nothing if it is empty.
    fn list<T>(&mut self, name: &str, items: impl Iterator<Item = T>, mut item: impl FnMut(&mut Self, T)) {
        let mut empty = true;
        for one in items {
            let before = if empty { format!(",\"{name}\":[") } else { ",".to_owned() };
            self.line.push_str(&before);
            item(self, one);
            empty = false;
        }
        if !empty {
            self.line.push(']');
        }
    }

    fn range(&mut self, range: &KeyRange) {
        // The range of a prefix ends where the prefix does; hashes keep prefixes, and no order.
        let whole = range.start().prefix_end();
        if range.end() == whole.as_ref() {
            self.line.push_str("{\"prefix\":");
            self.key(range.start());
        } else {
            self.line.push_str("{\"start\":");
            self.key(range.start());
            if let Some(end) = range.end() {
                self.line.push_str(",\"end\":");
                self.key(end);
            }
        }
        self.line.push('}');
    }

    /// Writes a key as text: what the application wrote where it is text, other bytes as `%` and two digits.
    /// Keys that are not plain ones of the shared namespace begin with `~`; those of this namespace go on
    /// with its byte and their tag.
    fn key(&mut self, key: &Key) {
        let shared = key.namespace() == Namespace::shared();
        self.line.push('"');
        let bytes = match (shared, key.tag()) {
            (true, Some(TypeTag::Kv)) => key.user_key(),
            (true, Some(_)) => {
                let (kind, rest) = key.as_bytes().split_at(2);
                self.line.push('~');
                self.escaped(kind);
                rest
            }
            _ => {
                self.line.push('~');
                key.as_bytes()
            }
        };
        for (number, part) in bytes.split(|byte| *byte == b'/').enumerate() {
            if number > 0 {
                self.line.push('/');
            }
            match self.hash {
                Some(secret) if !part.is_empty() => self.hashed(&secret, part),
                _ => self.escaped(part),
            }
        }
        self.line.push('"');
    }

    #[cfg(not(feature = "sha2"))]
    fn hashed(&mut self, _secret: &[u8; 16], _part: &[u8]) {
        unreachable!("nothing can ask for hashes")
    }

    #[cfg(feature = "sha2")]
    fn hashed(&mut self, secret: &[u8; 16], part: &[u8]) {
        let digest = Sha256::new().chain_update(secret).chain_update(part).finalize();
        for byte in &digest[..8] {
            let _ = write!(self.line, "{byte:02x}");
        }
    }

    fn escaped(&mut self, part: &[u8]) {
        for &byte in part {
            if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'%') {
                self.line.push(char::from(byte));
            } else {
                let _ = write!(self.line, "%{byte:02X}");
            }
        }
    }
}
