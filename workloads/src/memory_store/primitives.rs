//! Lists, event streams and state machines that are wrong on purpose. Without such a flaw they are what they
//! are on every store that has none: values under keys.

use super::Flaw;
use super::txn::MemoryTxn;
use crate::store::{Bytes, Expected, Result, StoreError, StoreTxn, StreamEvent, list_codec, machine_key};

impl MemoryTxn<'_> {
    /// Returns the list with one element more, or with two, or with the element in the wrong place.
    pub(super) fn appended(&self, list: Bytes, element: &[u8]) -> Result<Bytes> {
        let mut elements = list_codec::elements(&list)
            .ok_or_else(|| StoreError::Refused("the value under this key is not a list".into()))?;
        let third = elements.len() % 3 == 2;
        let place = if self.has(Flaw::AppendsInFront) && third { elements.len() - 1 } else { elements.len() };
        elements.insert(place, element.to_vec());
        if self.has(Flaw::DoubleAppend) && third {
            elements.push(element.to_vec());
        }
        let mut list = Bytes::new();
        elements.iter().for_each(|element| list_codec::push(&mut list, element));
        Ok(list)
    }

    pub(super) fn numbered(&self, elements: Vec<Bytes>) -> Vec<StreamEvent> {
        let hole = |sequence: u64| if self.has(Flaw::HoleInStream) && sequence > 2 { 1 } else { 0 };
        let event =
            |(sequence, payload): (u64, Bytes)| StreamEvent { sequence: sequence + hole(sequence), payload };
        (0..).zip(elements).map(event).collect()
    }

    /// Returns how many events the stream proves to have.
    pub(super) fn proven(&self, events: usize) -> u64 {
        let events = events as u64;
        if self.has(Flaw::BrokenChain) { events.saturating_sub(1) } else { events }
    }

    pub(super) fn taken(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        let to = if self.has(Flaw::StrayState) && to.len().is_multiple_of(2) { "nowhere" } else { to };
        self.cas(&machine_key(machine), &Expected::Value(from.into()), to.as_bytes())
    }
}
