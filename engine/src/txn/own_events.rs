//! What a transaction has appended to event logs, by stream, for its own reads.

use std::collections::BTreeMap;

use crate::commit::{Append, StreamHead};
use crate::key::Key;

/// The appends of a transaction by stream. Filled by the first read, and by each for what came since: a
/// transaction that asks for the end after each append would go over all of them each time.
#[derive(Debug, Default)]
pub(crate) struct OwnEvents {
    /// How many appends are in here.
    seen: usize,
    streams: BTreeMap<Key, OwnStream>,
}

#[derive(Debug, Default)]
struct OwnStream {
    /// Where its appends are among all.
    places: Vec<usize>,
    /// What the first of them follows, and the heads behind them, as far as they were asked for.
    base: StreamHead,
    heads: Vec<StreamHead>,
}

impl OwnEvents {
    /// Returns how many appends a stream has; `appends` are all of the transaction.
    pub(crate) fn count(&mut self, appends: &[Append], stream: &Key) -> u64 {
        self.stream(appends, stream).map_or(0, |own| own.places.len() as u64)
    }

    /// Returns the appends of a stream that get the numbers from `from` up to, but not including, `end` if
    /// the first of them follows `base`; each with the head behind it.
    pub(crate) fn linked<'a>(
        &'a mut self,
        appends: &'a [Append],
        stream: &Key,
        base: StreamHead,
        [from, end]: [u64; 2],
    ) -> impl Iterator<Item = (&'a Append, StreamHead)> {
        let place =
            move |number: u64| usize::try_from(number.saturating_sub(base.next)).unwrap_or(usize::MAX);
        let own = self.stream(appends, stream);
        own.into_iter().flat_map(move |own| {
            let end = place(end).min(own.places.len());
            own.link(appends, base, end);
            let from = place(from).min(end);
            let places = own.places[from..end].iter().map(|place| &appends[*place]);
            places.zip(own.heads[from..end].iter().copied())
        })
    }

    /// Returns a stream, with all that was appended to it.
    fn stream(&mut self, appends: &[Append], stream: &Key) -> Option<&mut OwnStream> {
        for (place, append) in appends.iter().enumerate().skip(self.seen) {
            match self.streams.get_mut(&append.stream) {
                Some(own) => own.places.push(place),
                None => {
                    let own = OwnStream { places: vec![place], ..OwnStream::default() };
                    self.streams.insert(append.stream.clone(), own);
                }
            }
        }
        self.seen = appends.len();
        self.streams.get_mut(stream)
    }
}

impl OwnStream {
    /// Computes the heads of the first appends, `until` of them.
    fn link(&mut self, appends: &[Append], base: StreamHead, until: usize) {
        if self.base != base {
            (self.base, self.heads) = (base, Vec::new());
        }
        for place in &self.places[self.heads.len().min(until)..until] {
            let before = self.heads.last().copied().unwrap_or(base);
            self.heads.push(before.followed_by(&appends[*place].value));
        }
    }
}
