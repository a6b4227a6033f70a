//! What must hold at any moment: the books agree with each other.

use std::collections::BTreeMap;

use stormproof::RunId;

use crate::{BoxOffice, SOLD_OUT, line, text};

impl BoxOffice {
    /// Compares seats, ledger and state in one snapshot.
    ///
    /// # Errors
    /// What does not agree, in words.
    pub fn audit(&self, run: RunId) -> Result<(), String> {
        let books = self.db.transaction(run, |txn| {
            let seats: u64 = txn.get("seats")?.unwrap_or(0);
            let mut sold = BTreeMap::new();
            for key in 1..=seats {
                if let Some(guest) = txn.get::<String>(crate::sold_key(key))? {
                    sold.insert(key, guest);
                }
            }
            let ledger = self.ledger.read(txn, ..)?;
            let state = self.show.state(txn, "tonight")?;
            Ok((seats, sold, ledger, state))
        });
        let (seats, sold, ledger, state) = books.map_err(|error| error.to_string())?;
        if ledger.len() != sold.len() {
            return Err(format!("{} seats are sold, and the ledger has {} lines", sold.len(), ledger.len()));
        }
        for (seat, guest) in &sold {
            let expected = line(*seat, guest);
            if !ledger.iter().any(|event| text(&event.value) == Some(&*expected)) {
                return Err(format!("no line of the ledger says that {expected}"));
            }
        }
        let is_sold_out = state.as_deref() == Some(SOLD_OUT);
        if is_sold_out != (sold.len() as u64 == seats) {
            return Err(format!("the show is {state:?} with {} of {seats} seats sold", sold.len()));
        }
        Ok(())
    }

    /// Whether a seat is sold as a mail says.
    ///
    /// # Errors
    /// What the mail says, if it is not true.
    pub fn check_mail(&self, mail: &str) -> Result<(), String> {
        let seats: u64 = self.db.get("seats").map_err(|error| error.to_string())?.unwrap_or(0);
        for seat in 1..=seats {
            let guest: Option<String> =
                self.db.get(crate::sold_key(seat)).map_err(|error| error.to_string())?;
            if guest.is_some_and(|guest| line(seat, &guest) == mail) {
                return Ok(());
            }
        }
        Err(format!("a mail says that {mail}, and the books do not"))
    }
}
