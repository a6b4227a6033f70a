//! Reports for people: one page that loads nothing from anywhere.
//!
//! Keeps INV-REP-4 by a content security policy that forbids every request; only the one script and the one
//! style sheet of the page run, named by their digests, so nothing that a key or a value smuggles in can.

mod campaign;
mod run;
mod trend;

pub(crate) use campaign::campaign;
pub(crate) use run::run;
pub(crate) use trend::trend;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// What every page has.
struct Frame<'a> {
    title: &'a str,
    version: &'static str,
    style: &'static str,
    style_hash: String,
    script: &'static str,
    script_hash: String,
}

impl<'a> Frame<'a> {
    fn new(title: &'a str, script: &'static str) -> Self {
        let style = include_str!("../../templates/page.css");
        Self {
            title,
            version: env!("CARGO_PKG_VERSION"),
            style,
            style_hash: hash(style),
            script,
            script_hash: hash(script),
        }
    }
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}
