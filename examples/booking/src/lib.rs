//! A box office: seats of one show are held for a while, paid or sold at the door, written into a ledger, and
//! confirmed by mail, by any number of agents at once.
//!
//! What it shows of Stormproof: keys and values, keys that expire, an event log, a state machine, and an
//! outbox, all in one transaction where they belong together.
//!
//! Four cargo features put a classic mistake each in the place of the right code: `read-outside`,
//! `two-transactions`, `tell-early` and `wrong-clock`. The tests find them.

mod audit;

use std::time::Duration;

use stormproof::{Database, Entry, EventLog, Key, Result, RunId, StateMachine, Transaction, Value};

/// How long a seat is held for a guest who has not paid.
pub const HOLD: Duration = Duration::from_millis(8);

const ON_SALE: &str = "on-sale";
const SOLD_OUT: &str = "sold-out";

/// Sells the seats of one show.
#[derive(Clone, Debug)]
pub struct BoxOffice {
    db: Database,
    ledger: EventLog,
    show: StateMachine<String>,
}

/// A seat that is held for a guest.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Which seat, from 1.
    pub seat: u64,
    /// For whom.
    pub guest: String,
    /// Until when, by the clock of the one who took it.
    pub until: Duration,
}

impl BoxOffice {
    /// Opens the box office; the show is put on the first time.
    pub fn open(db: &Database, run: RunId, seats: u64) -> Result<Self> {
        let show = StateMachine::builder("show")
            .initial(ON_SALE.to_owned())
            .transition(ON_SALE.to_owned(), SOLD_OUT.to_owned())
            .build()?;
        let office = Self { db: db.clone(), ledger: EventLog::new("ledger"), show };
        db.transaction(run, |txn| {
            if !txn.exists("seats")? {
                txn.put("seats", seats)?;
                office.show.create(txn, "tonight")?;
            }
            Ok(())
        })?;
        Ok(office)
    }

    /// Holds a free seat for a guest; `None` if there is none. `now` is the clock of the caller.
    pub fn hold(&self, run: RunId, guest: &str, now: Duration) -> Result<Option<Hold>> {
        self.db.transaction(run, |txn| {
            let Some(seat) = free_seat(txn)? else { return Ok(None) };
            txn.put_with_ttl(hold_key(seat), guest, HOLD)?;
            Ok(Some(Hold { seat, guest: guest.to_owned(), until: now + HOLD }))
        })
    }

    /// Holds a seat for longer, for a guest who still looks for a purse. False if the hold has run out: the
    /// store knows, by the one clock that all share.
    #[cfg(not(feature = "wrong-clock"))]
    pub fn renew(&self, run: RunId, hold: &mut Hold, now: Duration) -> Result<bool> {
        let renewed = self.db.transaction(run, |txn| {
            // A transaction judges expiry by the time at which it began, so another one that began a little
            // later may have seen the hold run out, and have sold the seat.
            let renewable = holds(txn, hold)? && !txn.exists(sold_key(hold.seat))?;
            if renewable {
                txn.put_with_ttl(hold_key(hold.seat), &*hold.guest, HOLD)?;
            }
            Ok(renewable)
        })?;
        hold.until = now + HOLD;
        Ok(renewed)
    }

    /// The mistake: the clock of the guest's phone decides whether the hold has run out, and it may be slow.
    /// Meanwhile the seat may be another guest's.
    #[cfg(feature = "wrong-clock")]
    pub fn renew(&self, run: RunId, hold: &mut Hold, now: Duration) -> Result<bool> {
        if now >= hold.until {
            return Ok(false);
        }
        self.db.transaction(run, |txn| txn.put_with_ttl(hold_key(hold.seat), &*hold.guest, HOLD))?;
        hold.until = now + HOLD;
        Ok(true)
    }

    /// Sells a held seat. False if the hold has run out. `tell` sends mails.
    pub fn pay(&self, run: RunId, hold: &Hold, tell: &dyn Fn(&str)) -> Result<bool> {
        let sold = self.db.transaction(run, |txn| {
            if !holds(txn, hold)? {
                return Ok(false);
            }
            txn.delete(hold_key(hold.seat))?;
            self.sell(txn, hold.seat, &hold.guest, tell)?;
            Ok(true)
        })?;
        self.write_down_later(run, hold.seat, &hold.guest, sold)?;
        Ok(sold)
    }

    /// Sells a free seat to a guest at the door; `None` if there is none.
    #[cfg(not(feature = "read-outside"))]
    pub fn sell_at_the_door(&self, run: RunId, guest: &str, tell: &dyn Fn(&str)) -> Result<Option<u64>> {
        let seat = self.db.transaction(run, |txn| {
            let Some(seat) = free_seat(txn)? else { return Ok(None) };
            self.sell(txn, seat, guest, tell)?;
            Ok(Some(seat))
        })?;
        self.write_down_later(run, seat.unwrap_or(0), guest, seat.is_some())?;
        Ok(seat)
    }

    /// The mistake: which seat is free is read in a transaction of its own, so the one that sells it may sell
    /// what has been sold meanwhile.
    #[cfg(feature = "read-outside")]
    pub fn sell_at_the_door(&self, run: RunId, guest: &str, tell: &dyn Fn(&str)) -> Result<Option<u64>> {
        let Some(seat) = self.db.transaction(run, free_seat)? else { return Ok(None) };
        self.db.transaction(run, |txn| self.sell(txn, seat, guest, tell))?;
        self.write_down_later(run, seat, guest, true)?;
        Ok(Some(seat))
    }

    /// Sends the mails that are due: what the transaction of a sale has left in the outbox. A mail may be
    /// sent twice, if the power goes out between sending and taking it out; it is never lost, and never sent
    /// for nothing.
    pub fn send_mails(&self, run: RunId, tell: &dyn Fn(&str)) -> Result<()> {
        let due: Vec<(Key, String)> = self.db.transaction(run, |txn| {
            let mail = |entry: Entry| entry.get().map(|text| (entry.key().clone(), text));
            txn.prefix("outbox/")?.map(mail).collect()
        })?;
        for (key, mail) in due {
            tell(&mail);
            self.db.transaction(run, |txn| txn.delete(key.clone()))?;
        }
        Ok(())
    }

    /// What belongs to a sale: the seat, its line in the ledger, the mail, and the state of the show.
    fn sell(&self, txn: &mut Transaction, seat: u64, guest: &str, tell: &dyn Fn(&str)) -> Result<()> {
        txn.put(sold_key(seat), guest)?;
        if !cfg!(feature = "two-transactions") {
            self.ledger.append(txn, line(seat, guest))?;
        }
        if cfg!(feature = "tell-early") {
            // The mistake: the outside hears of a sale that may yet fail, or be lost with the power.
            tell(&line(seat, guest));
        } else {
            txn.put(format!("outbox/{seat}"), line(seat, guest))?;
        }
        let seats: u64 = txn.get("seats")?.unwrap_or(0);
        if txn.prefix("sold/")?.count() as u64 == seats {
            self.show.transition(txn, "tonight", &ON_SALE.to_owned(), &SOLD_OUT.to_owned())?;
        }
        Ok(())
    }

    /// The mistake `two-transactions`: a sale and its line in the ledger are not one.
    fn write_down_later(&self, run: RunId, seat: u64, guest: &str, sold: bool) -> Result<()> {
        if cfg!(feature = "two-transactions") && sold {
            self.db.transaction(run, |txn| self.ledger.append(txn, line(seat, guest)))?;
        }
        Ok(())
    }
}

/// Whether a seat is still held for the guest.
fn holds(txn: &mut Transaction, hold: &Hold) -> Result<bool> {
    let holder: Option<String> = txn.get(hold_key(hold.seat))?;
    Ok(holder.as_deref() == Some(&*hold.guest))
}

fn free_seat(txn: &mut Transaction) -> Result<Option<u64>> {
    let seats: u64 = txn.get("seats")?.unwrap_or(0);
    for seat in 1..=seats {
        if !txn.exists(sold_key(seat))? && !txn.exists(hold_key(seat))? {
            return Ok(Some(seat));
        }
    }
    Ok(None)
}

fn sold_key(seat: u64) -> String {
    format!("sold/{seat}")
}

fn hold_key(seat: u64) -> String {
    format!("hold/{seat}")
}

fn line(seat: u64, guest: &str) -> String {
    format!("seat {seat} is sold to {guest}")
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
