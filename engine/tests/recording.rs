//! What a recording says of transactions, and what it keeps to itself.

use std::io::{self, Write};

use rt::sync::{Arc, Mutex};
use stormproof::{Database, Error, EventLog, Isolation, Recording, TransactionOptions};

/// A file that a test reads while it is written.
#[derive(Clone)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn new() -> Self {
        Self(Arc::new(Mutex::new("shared", Vec::new())))
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line without its run and its time.
fn shape(line: &str) -> String {
    let (outcome, rest) = line.split_once(",\"run\"").unwrap();
    let (_, rest) = rest.split_once(",\"isolation\"").unwrap();
    format!("{outcome},\"isolation\"{rest}")
}

#[test]
fn what_a_transaction_read_and_wrote_is_recorded_when_it_ends() -> Result<(), Error> {
    let file = Shared::new();
    let db = Database::builder().record(Recording::new(file.clone())).open()?;
    let run = db.begin_run()?;
    db.transaction(run, |txn| {
        txn.get::<i64>("user/1")?;
        txn.prefix("user/")?.count();
        txn.put("user/1", "sixteen bytes ..")?;
        txn.insert("user/2 \"x\"", 1_i64)?;
        txn.delete("user/3")?;
        EventLog::new("audit").append(txn, "seen")
    })?;
    let options = TransactionOptions::new().isolation(Isolation::Snapshot);
    let mut txn = db.begin_transaction_with(run, &options)?;
    txn.get::<String>("user/1")?;
    txn.abort();
    db.close()?;
    let lines = file.lines();
    assert_eq!(lines[0], "{\"recording\":1,\"hashed\":false}");
    assert_eq!(
        shape(&lines[1]),
        "{\"outcome\":\"committed\",\"isolation\":\"serializable\",\"read_only\":false,\
         \"reads\":[\"user/1\"],\"scans\":[{\"prefix\":\"user/\"}],\
         \"writes\":[{\"key\":\"user/1\",\"bytes\":16},\
         {\"key\":\"user/2%20%22x%22\",\"bytes\":0,\"conditional\":true},{\"key\":\"user/3\"}],\
         \"appends\":[{\"stream\":\"~%01%02audit%00%01\",\"bytes\":4}]}"
    );
    assert_eq!(
        shape(&lines[2]),
        "{\"outcome\":\"aborted\",\"isolation\":\"snapshot\",\"read_only\":false,\"reads\":[\"user/1\"]}"
    );
    assert_eq!(lines.len(), 3, "{lines:#?}");
    Ok(())
}

#[test]
fn hashed_keys_keep_their_prefixes_and_say_nothing_else() -> Result<(), Error> {
    let file = Shared::new();
    let db = Database::builder().record(Recording::new(file.clone()).hash_keys([7; 16])).open()?;
    let run = db.begin_run()?;
    db.transaction(run, |txn| {
        txn.get::<String>("customer/ada/city")?;
        txn.prefix("customer/ada/")?.count();
        EventLog::new("diary").append(txn, "went out")?;
        txn.put("customer/bob/city", "Turing")
    })?;
    db.close()?;
    let text = file.lines().join("\n");
    for secret in ["customer", "ada", "bob", "city", "Turing", "diary", "went"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("\"stream\":\"~%01%02"), "a stream is known as one: {text}");
    let quoted: Vec<&str> = text.split('"').filter(|part| part.contains('/')).collect();
    let [read, prefix, written] = quoted[..] else { panic!("{text}") };
    assert!(read.starts_with(prefix) && !written.starts_with(prefix), "{text}");
    assert_eq!(read.split('/').next(), written.split('/').next());
    assert_eq!(read.rsplit('/').next(), written.rsplit('/').next());
    Ok(())
}

#[test]
fn a_recording_that_fails_stops_and_the_database_goes_on() -> Result<(), Error> {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("no room"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let recording = Recording::new(Full);
    let db = Database::builder().record(recording.clone()).open()?;
    let run = db.begin_run()?;
    db.put(run, "a", 1_i64)?;
    db.put(run, "b", 2_i64)?;
    assert_eq!(db.get::<i64>("b")?, Some(2));
    assert_eq!(recording.take_error().unwrap().to_string(), "no room");
    db.close()
}
