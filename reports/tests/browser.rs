//! The pages in a real browser: they open, they can be used with the keyboard, and nothing goes wrong in the
//! console.
//!
//! Pictures go to `target/tmp/pictures/`, for people to see. Without a browser these tests print so and
//! pass.

mod common;

use std::path::PathBuf;

use common::browser::Browser;
use stormproof_reports::{Document, Format};

struct Page {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn page(document: impl Into<Document>) -> Page {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("page.html");
    std::fs::write(&path, document.into().render(Format::Html).expect("HTML")).expect("the page is written");
    Page { path, _folder: folder }
}

fn assert_quiet(browser: &Browser) {
    assert!(browser.errors.is_empty(), "console: {:#?}", browser.errors);
    let foreign: Vec<_> = browser.requests.iter().filter(|url| !url.starts_with("file://")).collect();
    assert!(foreign.is_empty(), "the page asked for {foreign:?}");
}

const WHERE: &str = "document.getElementById('where').textContent";

#[test]
fn a_failing_run_opens_at_its_failure_and_steps_forwards_and_backwards() {
    let Some(mut browser) = Browser::start() else { return };
    let page = page(common::failing());
    browser.look_like(1280, 900, false);
    browser.open(&page.path);
    let details = "document.getElementById('details').textContent";
    let shown = browser.evaluate(details);
    assert!(shown.as_str().expect("text").starts_with("T1, committed"), "{shown}");

    let begin = browser.evaluate(WHERE);
    browser.press(".");
    let next = browser.evaluate(WHERE);
    assert_ne!(begin, next, "a step forwards");
    browser.press(",");
    assert_eq!(browser.evaluate(WHERE), begin, "and back");
    browser.press(">");
    assert_eq!(browser.evaluate("document.querySelector('#steps [aria-current]').className"), "preempted");

    browser.press("/");
    assert_eq!(browser.evaluate("document.activeElement.id"), "filter");
    for key in "bob".chars() {
        browser.press(&key.to_string());
    }
    assert_eq!(browser.evaluate("document.getElementById('matches').textContent"), "5 of 6 transactions");
    browser.press("Escape");
    assert_eq!(browser.evaluate("document.querySelectorAll('#txns tbody tr').length"), 6);

    browser.evaluate("document.querySelector('#txns [data-txn=\"3\"]').click()");
    let shown = browser.evaluate(details);
    assert!(
        shown.as_str().expect("text").contains("write conflict on on-call/bob, won at version 3, winner T2"),
        "{shown}"
    );
    assert_quiet(&browser);
}

#[test]
fn a_click_in_the_timeline_selects_what_is_there() {
    let Some(mut browser) = Browser::start() else { return };
    let page = page(common::failing());
    browser.look_like(1280, 900, false);
    browser.open(&page.path);
    browser.press("0");
    // Client 0 has the first lane; its first transaction stands at times 4 to 12 of 81.
    let click = "(async () => { \
        await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame); \
        const c = document.getElementById('timeline'); const b = c.getBoundingClientRect(); \
        const x = 150 + 8 * (c.clientWidth - 156) / 82.8; \
        const o = { clientX: b.left + x, clientY: b.top + 53, pointerId: 1, bubbles: true }; \
        c.setPointerCapture = () => {}; \
        c.dispatchEvent(new PointerEvent('pointerdown', o)); c.dispatchEvent(new PointerEvent('pointerup', o)); \
        return document.querySelector('#details h3')?.textContent ?? 'nothing'; })()";
    assert_eq!(browser.evaluate(click), "T0, committed");
    assert_quiet(&browser);
}

#[test]
fn no_page_is_wider_than_a_phone() {
    let Some(mut browser) = Browser::start() else { return };
    let pages = [
        ("failing", page(common::failing())),
        ("passing", page(common::passing())),
        ("campaign", page(common::campaign())),
    ];
    for (name, page) in &pages {
        for (device, width, height) in [("desktop", 1280, 900), ("phone", 390, 844)] {
            for dark in [false, true] {
                browser.look_like(width, height, dark);
                browser.open(&page.path);
                let scheme = if dark { "dark" } else { "light" };
                let picture = browser.picture(&format!("{name}-{device}-{scheme}"));
                println!("{}", picture.display());
                let wide = browser.evaluate("document.documentElement.scrollWidth");
                assert!(
                    wide.as_u64().expect("a width") <= u64::from(width),
                    "{name} on a {device} is {wide} wide"
                );
                let cut = "[...document.querySelectorAll('.scroll')].filter((s) => s.scrollWidth > s.clientWidth + 1).map((s) => s.parentElement.textContent.slice(0, 40)).join('; ')";
                assert_eq!(
                    browser.evaluate(cut),
                    "",
                    "{name} on a {device}: tables are as wide as their card"
                );
            }
        }
    }
    assert_quiet(&browser);
}

#[test]
fn ten_thousand_transactions_open_whole_and_can_be_paged_and_filtered() {
    let Some(mut browser) = Browser::start() else { return };
    let page = page(common::huge());
    browser.look_like(1280, 900, false);
    browser.open(&page.path);
    let took = browser.evaluate("Math.round(performance.now())");
    let size = std::fs::metadata(&page.path).expect("the page").len();
    let busy = browser.busy_ms();
    println!("{size} bytes, open and drawn after {took} ms, of which the page computed for {busy:.0} ms");
    let count = "document.getElementById('page').textContent.replaceAll('\\u202f', ' ')";
    assert_eq!(browser.evaluate(count), "1 – 50 of 10 000");
    browser.evaluate("document.getElementById('page-forward').click()");
    assert_eq!(browser.evaluate(count), "51 – 100 of 10 000");
    browser.evaluate("(() => { const f = document.getElementById('filter'); f.value = 'key/0042'; f.dispatchEvent(new Event('input')); })()");
    assert_eq!(browser.evaluate(count), "1 – 10 of 10 that touch the key, 10 000 in all");
    let whole = browser.evaluate(WHERE);
    assert!(whole.as_str().expect("text").ends_with("of 100\u{202f}000"), "{whole}");
    browser.picture("huge-desktop-light");
    assert_quiet(&browser);
}

#[test]
fn a_hostile_key_does_not_take_over_the_page() {
    let Some(mut browser) = Browser::start() else { return };
    let page = page(common::hostile());
    browser.look_like(1280, 900, false);
    browser.open(&page.path);
    for step in 0..7 {
        browser.evaluate(&format!("document.querySelectorAll('#txns [data-txn]')[{step} % 6].click()"));
    }
    browser.evaluate("document.querySelector('.links [data-key]').click()");
    assert_ne!(browser.evaluate("document.title"), "owned");
    assert_eq!(browser.evaluate("document.querySelectorAll('img, iframe, script:not([type])').length"), 1);
    let hidden = "(/[\\u202a-\\u202e\\u2066-\\u2069\\u0000-\\u0008\\u001b]/).test(document.body.innerText)";
    assert_eq!(browser.evaluate(hidden), false, "what turns the text around is written out");
    browser.picture("hostile-desktop-light");
    assert_quiet(&browser);
}

/// Its picture is `reports/examples/run.png`, which the README shows.
#[test]
fn the_page_of_the_example_opens() {
    let Some(mut browser) = Browser::start() else { return };
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/run.html");
    browser.look_like(1280, 900, false);
    browser.open(&page);
    assert!(browser.evaluate("document.querySelectorAll('.edges li').length").as_u64() >= Some(2));
    let step = browser.evaluate(WHERE);
    browser.press(".");
    assert_ne!(browser.evaluate(WHERE), step, "it steps");
    println!("{}", browser.picture("example-run").display());
    assert_quiet(&browser);
}
