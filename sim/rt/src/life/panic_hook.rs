//! Panics inside of a life are results, not output.
//!
//! Shuttle installs a panic hook of its own with the first execution of a process, which prints. [`install`]
//! lets it do so and then puts another one in its place: it stays silent inside of a life, and calls the hook
//! that was there before everywhere else.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use super::{CORE, Panic, bridge};

thread_local! {
    /// Message and place of the newest panic inside of a life.
    static LAST: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        bridge::run_nothing();
        panic::set_hook(Box::new(move |info| {
            // In the afterlife a panic aborts the process, so its message has to be printed.
            if is_alive() {
                remember(info);
            } else {
                before(info);
            }
        }));
    });
}

/// Returns the newest panic of this OS thread, whose payload is `payload`; the task is filled in by the
/// caller.
pub(crate) fn last(payload: &(dyn Any + Send)) -> Panic {
    let message = message(payload);
    let remembered = LAST.take().filter(|(known, _)| *known == message);
    Panic { message, task: String::new(), place: remembered.map(|(_, place)| place).unwrap_or_default() }
}

/// Returns whether this is a life that is not over; false if the panic came out of the life's own code.
fn is_alive() -> bool {
    CORE.with(|core| core.try_borrow().is_ok_and(|core| core.as_ref().is_some_and(|core| !core.is_over())))
}

fn remember(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    LAST.set(Some((message(info.payload()), place)));
}

fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a payload that is not text").to_owned()
}
