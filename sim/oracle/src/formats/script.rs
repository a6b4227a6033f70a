//! Histories as scripts that people write and read, with what is expected of them.
//!
//! One event a line, in the order of real time; `#` begins a comment:
//!
//! ```text
//! T1 begin @0              # starts at version 0; `session 2` if it shares one, `snapshot` if asked for
//! T1 get x -> a @3         # saw "a" at version 3; `-> -` saw nothing; the version may be left out
//! T1 scan a..c -> a=1@3 b=2@1   # `a..` is open; `limit 2`, `reverse` before the arrow
//! T1 list l -> [1 2] @4
//! T1 put x b
//! T1 delete x
//! T1 append l 3
//! T1 cas x @3 b            # on a version; `cas x =a b` on a value; `cas x - b` on absence
//! T1 commit @4             # called and acked at once; `durable` after it
//! T1 commit                # called
//! T1 ack @4                # and answered later
//! T1 abort write x @5      # by the store, for a conflict (write, read, cas, range) on x or a range from x,
//!                          # with the winner's version if it was reported; or `abort` by the client
//! crash                    # or `close`; the next line is of the next life
//! expect witness holds
//! expect witness prefix-survives torn-commit
//! expect level snapshot-isolation holds
//! expect level serializable write-skew
//! expect level serializable violated     # whatever the class, or because a weaker level is
//! promise pipelined        # strict (the default), pipelined, async, batched 3; snapshot; any-snapshot
//! ```

use stormproof_workloads::History;
use stormproof_workloads::history::{Event, Life, LifeEnd, Op, Outcome, Session, Time, TxnIndex, fold};
use stormproof_workloads::store::{Conflict, ConflictKind, Entry, Expected, Isolation, Range, Read, Version};

use super::FormatError;
use crate::expectations::{Durability, Expectations, Recency};
use crate::level::Level;

/// What a script expects of the judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The witness finds nothing.
    WitnessHolds,
    /// The witness finds this: names of an invariant and a class.
    Witness(String, String),
    /// The black box lets this level hold.
    Level(Level),
    /// The black box calls this level violated, by an anomaly of this class.
    Violated(Level, String),
}

/// A script that was read.
#[derive(Clone, Debug)]
pub struct Script {
    /// What happened.
    pub history: History,
    /// What the store had promised.
    pub promises: Expectations,
    /// What is expected, with the lines that say so.
    pub expects: Vec<(usize, Expect)>,
}

/// Reads a script.
///
/// # Errors
/// When a line is not as described above.
pub fn parse(text: &str) -> Result<Script, FormatError> {
    let promises = Expectations { blackbox: false, ..Expectations::default() };
    let mut parser = Parser {
        clock: 0,
        life: 0,
        names: Vec::new(),
        events: vec![Event::Opened { life: 0, at: 0 }],
        script: Script { history: History::default(), promises, expects: Vec::new() },
    };
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or("").trim();
        if !line.is_empty() {
            parser.line(number, line).map_err(|message| FormatError::new(number, 1, message))?;
        }
    }
    let history = fold(parser.events).map_err(|error| FormatError::new(0, 0, error.to_string()))?;
    Ok(Script { history, ..parser.script })
}

struct Parser {
    clock: Time,
    life: Life,
    names: Vec<String>,
    events: Vec<Event>,
    script: Script,
}

type Parsed<T> = Result<T, String>;

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Parsed<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.clock += 1;
        match words[..] {
            ["crash"] => self.end(LifeEnd::Crashed),
            ["close"] => self.end(LifeEnd::Closed),
            ["expect", ref what @ ..] => self.expect(number, what)?,
            ["promise", ref what @ ..] => self.promise(what)?,
            [name, "begin", ref rest @ ..] => self.begin(name, rest)?,
            [name, verb, ref rest @ ..] => {
                let known = self.names.iter().rposition(|other| other == name);
                let txn = known.ok_or_else(|| format!("{name} has not begun"))?;
                self.act(TxnIndex::try_from(txn).unwrap_or(TxnIndex::MAX), verb, rest, line)?;
            }
            _ => return Err(format!("\"{line}\" is no event")),
        }
        Ok(())
    }

    fn end(&mut self, how: LifeEnd) {
        self.events.push(Event::Ended { life: self.life, at: self.clock, how });
        self.life += 1;
        self.clock += 1;
        self.events.push(Event::Opened { life: self.life, at: self.clock });
    }

    fn begin(&mut self, name: &str, rest: &[&str]) -> Parsed<()> {
        let txn = TxnIndex::try_from(self.names.len()).unwrap_or(TxnIndex::MAX);
        self.names.push(name.to_owned());
        let (mut session, mut start_version, mut isolation) = (txn + 1000, None, Isolation::Serializable);
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            match *word {
                "session" => session = parse_number::<Session>(rest.next().copied().unwrap_or(""))?,
                "snapshot" => isolation = Isolation::Snapshot,
                word => start_version = Some(version(word)?),
            }
        }
        let (at, life) = (self.clock, self.life);
        self.events.push(Event::Begin { txn, session, life, at, start_version, isolation });
        Ok(())
    }

    fn act(&mut self, txn: TxnIndex, verb: &str, rest: &[&str], line: &str) -> Parsed<()> {
        let at = self.clock;
        match verb {
            "commit" if rest.is_empty() => self.events.push(Event::Commit { txn, at }),
            "commit" => {
                self.clock += 1;
                self.ack(txn, at, rest)?;
            }
            "ack" => {
                let invoked = self.events.iter().rev().find_map(|event| match event {
                    Event::Commit { txn: other, at } if *other == txn => Some(*at),
                    _ => None,
                });
                self.ack(txn, invoked.ok_or("acked before commit was called")?, rest)?;
            }
            "abort" => {
                let conflicts = match *rest {
                    [] => Vec::new(),
                    [kind, key, ref winner @ ..] if winner.len() < 2 => {
                        let kind = match kind {
                            "write" => ConflictKind::Write,
                            "read" => ConflictKind::Read,
                            "cas" => ConflictKind::Cas,
                            "range" => ConflictKind::Range,
                            _ => return Err(format!("no conflict is called {kind}")),
                        };
                        let winner = winner.first().map(|word| version(word)).transpose()?;
                        vec![Conflict::new(kind, bytes(key), winner)]
                    }
                    _ => {
                        return Err(
                            "expected abort, or abort write KEY, or abort write KEY @VERSION".to_owned()
                        );
                    }
                };
                self.events.push(Event::Outcome { txn, outcome: Outcome::Aborted { at, conflicts } });
            }
            _ => {
                let op = op(verb, rest, line)?;
                self.events.push(Event::Op { txn, at, op });
            }
        }
        Ok(())
    }

    fn ack(&mut self, txn: TxnIndex, invoked: Time, rest: &[&str]) -> Parsed<()> {
        let acked = self.clock;
        let (mut number, mut durable) = (None, None);
        for word in rest {
            match *word {
                "durable" => durable = Some(acked),
                "ok" => {}
                word => number = Some(version(word)?),
            }
        }
        let outcome = Outcome::Committed { invoked, acked, version: number, durable };
        self.events.push(Event::Outcome { txn, outcome });
        Ok(())
    }

    fn expect(&mut self, number: usize, what: &[&str]) -> Parsed<()> {
        let level = |name: &str| name.parse::<Level>().map_err(|error| error.to_string());
        let expect = match *what {
            ["witness", "holds"] => Expect::WitnessHolds,
            ["witness", invariant, class] => Expect::Witness(invariant.to_owned(), class.to_owned()),
            ["level", name, "holds"] => Expect::Level(level(name)?),
            ["level", name, class] => Expect::Violated(level(name)?, class.to_owned()),
            _ => {
                return Err(
                    "expected witness holds, witness INVARIANT CLASS, level L holds or level L CLASS"
                        .to_owned(),
                );
            }
        };
        self.script.expects.push((number, expect));
        Ok(())
    }

    fn promise(&mut self, what: &[&str]) -> Parsed<()> {
        let promises = &mut self.script.promises;
        match *what {
            ["strict"] => promises.durability = Durability::Strict,
            ["pipelined"] => promises.durability = Durability::Pipelined,
            ["async"] => promises.durability = Durability::Async,
            ["batched", count] => {
                promises.durability = Durability::Batched { commits_max: Some(parse_number(count)?) };
            }
            ["snapshot"] => promises.isolation = Isolation::Snapshot,
            ["any-snapshot"] => promises.recency = Recency::Any,
            _ => return Err("there is no such promise".to_owned()),
        }
        Ok(())
    }
}

fn op(verb: &str, rest: &[&str], line: &str) -> Parsed<Op> {
    let arrow = rest.iter().position(|word| *word == "->");
    let (asked, answer) = match arrow {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &[][..]),
    };
    Ok(match (verb, asked, answer) {
        ("get", [key], [value]) => {
            Op::Get { key: bytes(key), read: Read { value: seen(value), version: None } }
        }
        ("get", [key], [value, at]) => {
            Op::Get { key: bytes(key), read: Read { value: seen(value), version: Some(version(at)?) } }
        }
        ("list", [key], answer) => list(key, answer)?,
        ("scan", [range, how @ ..], answer) => scan(range, how, answer)?,
        ("put", [key, value], []) => Op::Put { key: bytes(key), value: bytes(value) },
        ("expire", [key, value], []) => Op::PutExpiring { key: bytes(key), value: bytes(value), ttl_ms: 1 },
        ("delete", [key], []) => Op::Delete { key: bytes(key) },
        ("append", [key, element], []) => Op::Append { key: bytes(key), element: bytes(element) },
        ("cas", [key, condition, value], []) => {
            let expected = match condition.strip_prefix('=') {
                Some(value) => Expected::Value(bytes(value)),
                None if *condition == "-" => Expected::Absent,
                None => Expected::Version(version(condition)?),
            };
            Op::Cas { key: bytes(key), expected, value: bytes(value) }
        }
        _ => return Err(format!("\"{line}\" is no operation")),
    })
}

fn list(key: &str, answer: &[&str]) -> Parsed<Op> {
    let (words, at) = match answer.split_last() {
        Some((last, words)) if last.starts_with('@') => (words, Some(version(last)?)),
        _ => (answer, None),
    };
    let text = words.join(" ");
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inner = inner.ok_or("expected a list like [1 2]")?;
    Ok(Op::List { key: bytes(key), elements: inner.split_whitespace().map(bytes).collect(), version: at })
}

fn scan(range: &str, how: &[&str], answer: &[&str]) -> Parsed<Op> {
    let (start, end) = range.split_once("..").ok_or("expected a range like a..c or a..")?;
    let range = Range { start: bytes(start), end: (!end.is_empty()).then(|| bytes(end)) };
    let (mut limit, mut reverse) = (None, false);
    let mut how = how.iter();
    while let Some(word) = how.next() {
        match *word {
            "reverse" => reverse = true,
            "limit" => limit = Some(parse_number(how.next().copied().unwrap_or(""))?),
            _ => return Err(format!("no scan is done \"{word}\"")),
        }
    }
    let entries = answer.iter().filter(|word| **word != "-").map(|word| {
        let (key, value) = word.split_once('=').ok_or("expected entries like a=1@3")?;
        let (value, at) = match value.split_once('@') {
            Some((value, at)) => (value, Some(parse_number(at)?)),
            None => (value, None),
        };
        Ok(Entry { key: bytes(key), value: bytes(value), version: at })
    });
    Ok(Op::Scan { range, limit, reverse, entries: entries.collect::<Parsed<_>>()? })
}

fn seen(word: &str) -> Option<Vec<u8>> {
    (word != "-").then(|| bytes(word))
}

fn bytes(word: &str) -> Vec<u8> {
    word.as_bytes().to_vec()
}

fn version(word: &str) -> Parsed<Version> {
    parse_number(word.strip_prefix('@').ok_or_else(|| format!("\"{word}\" is no version like @3"))?)
}

fn parse_number<N: std::str::FromStr>(word: &str) -> Parsed<N> {
    word.parse().map_err(|_| format!("\"{word}\" is no number"))
}
