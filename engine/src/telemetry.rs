//! Spans and events of the `tracing` crate. Each costs a test of a flag as long as there is no subscriber.
//!
//! | span | level | fields |
//! |---|---|---|
//! | `open` | info | `place`; at its end an event with what recovery did |
//! | `checkpoint` | info | `version`; at its end an event with entries and bytes |
//! | `transaction` | debug | around a closure and its retries; an event for each retry |
//! | `commit` | trace | `txn`, `writes` |
//! | `flush` | debug | `commits`, `bytes`: one write and one sync of the log |
//!
//! What fails in the background, where no caller hears of it, is an event: a warning if it is tried again, an
//! error if the database closes for writing.
//!
//! Simulations have neither: a life may end inside of any span, and watching must not change what is
//! watched.

/// Enters a span until the guard is dropped.
#[cfg(feature = "tracing")]
macro_rules! span {
    ($level:ident, $name:literal $(, $($field:tt)+)?) => {{
        let span = if rt::probe::is_simulated() {
            tracing::Span::none()
        } else {
            tracing::span!(tracing::Level::$level, $name $(, $($field)+)?)
        };
        span.entered()
    }};
}

/// Nothing: see the feature `tracing`.
#[cfg(not(feature = "tracing"))]
macro_rules! span {
    ($level:ident, $name:literal $(, $($field:tt)+)?) => {
        crate::telemetry::NoSpan
    };
}

/// Stands for a span that is entered.
#[cfg(not(feature = "tracing"))]
pub(crate) struct NoSpan;

/// Emits an event.
#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident, $($field:tt)+) => {
        if !rt::probe::is_simulated() {
            tracing::event!(tracing::Level::$level, $($field)+);
        }
    };
}

/// Nothing: see the feature `tracing`.
#[cfg(not(feature = "tracing"))]
macro_rules! event {
    ($level:ident, %$error:ident, $($field:tt)+) => {
        let _ = &$error;
    };
    ($level:ident, $($field:tt)+) => {};
}

pub(crate) use {event, span};
