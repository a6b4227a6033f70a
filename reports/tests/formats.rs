//! Every format of every document: what must be in it, that it is what it says it is, and that it stays the
//! same.

mod common;

use std::collections::BTreeMap;

use stormproof_reports::{Document, Format, RenderError};

fn documents() -> [(&'static str, Document); 4] {
    [
        ("failing", common::failing().into()),
        ("passing", common::passing().into()),
        ("hostile", common::hostile().into()),
        ("campaign", common::campaign().into()),
    ]
}

#[test]
fn a_document_renders_to_the_same_bytes_twice_and_survives_json() {
    for (name, document) in documents() {
        let json = document.render(Format::Json).expect("JSON");
        let again = Document::from_json(&json).expect("its own JSON");
        assert_eq!(again, document, "{name}");
        for format in Format::ALL {
            let (a, b) = (document.render(format), again.render(format));
            assert_eq!(a.is_ok(), b.is_ok(), "{name} as {format}");
            if let (Ok(a), Ok(b)) = (a, b) {
                assert_eq!(a, b, "{name} as {format}");
                assert!(a.ends_with('\n'), "{name} as {format}");
            }
        }
    }
}

#[test]
fn a_campaign_says_that_it_has_no_timeline() {
    let campaign = Document::from(common::campaign());
    for format in [Format::Trace, Format::Dot, Format::Svg] {
        assert!(matches!(campaign.render(format), Err(RenderError::NotApplicable { .. })), "{format}");
    }
}

#[test]
fn formats_are_found_by_name() {
    for format in Format::ALL {
        assert_eq!(format.name().parse::<Format>().expect("its own name"), format);
    }
    let error = "pdf".parse::<Format>().expect_err("no such format");
    assert!(error.to_string().contains("html"), "names what there is: {error}");
}

#[test]
fn a_failure_on_a_terminal_has_the_verdict_the_reasons_and_the_command() {
    let text = Document::from(common::failing()).render(Format::Text).expect("text");
    for part in [
        "✗ on-call rota, seed 7: violated",
        "§3 serializable: T1 and T2 can't have run",
        "1. T1 read on-call/bob at version 1",
        "T1 —rw on-call/bob→ T2",
        "held, never evaluated",
        "left out: steps after the violation: 412",
        "reproduce: cargo run --release -- run --seed 7",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 130), "too wide:\n{text}");
}

#[test]
fn a_campaign_on_a_terminal_has_its_figures_and_its_failures() {
    let text = Document::from(common::campaign()).render(Format::Text).expect("text");
    for part in [
        "20000 seeds in 10.2 s (1961 seeds/s, 2 workers)",
        "✗ seed 411",
        "--seed 9120",
        "never",
        "8/8",
        "3/8",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn junit_counts_what_was_never_evaluated_as_skipped() {
    let xml = Document::from(common::failing()).render(Format::Junit).expect("XML");
    let parsed = roxmltree::Document::parse(&xml).expect("well-formed");
    let suite = parsed.descendants().find(|n| n.has_tag_name("testsuite")).expect("a suite");
    let counts =
        ["tests", "failures", "errors", "skipped"].map(|name| suite.attribute(name).expect("a count"));
    assert_eq!(counts, ["3", "1", "0", "1"]);
    let failure = parsed.descendants().find(|n| n.has_tag_name("failure")).expect("a failure");
    assert!(failure.text().expect("its reasons").contains("reproduce: cargo run"), "{xml}");
}

#[test]
fn junit_of_a_campaign_fails_the_invariant_and_names_every_seed() {
    let xml = Document::from(common::campaign()).render(Format::Junit).expect("XML");
    let parsed = roxmltree::Document::parse(&xml).expect("well-formed");
    let failures: Vec<_> = parsed.descendants().filter(|n| n.has_tag_name("failure")).collect();
    assert_eq!(failures.len(), 1);
    let told = failures[0].text().expect("its reasons");
    assert!(told.contains("seed 411") && told.contains("seed 9120"), "{told}");
}

#[test]
fn markdown_has_a_table_row_per_involved_transaction() {
    let markdown = Document::from(common::failing()).render(Format::Markdown).expect("Markdown");
    assert!(
        markdown.contains("\n| T1 | client 1 | 0 | 1 → 2 | ` read on-call/ann = 1 @1 of T0 `<br>"),
        "{markdown}"
    );
    assert!(markdown.contains("\n| T2 | client 2 |"), "{markdown}");
    let header = "| contract | invariant | evaluated | result |\n|---|---|---:|---|\n| ";
    assert!(markdown.contains(header), "{markdown}");
}

#[test]
fn trace_viewers_get_nested_spans_counters_and_arrows() {
    let trace = Document::from(common::failing()).render(Format::Trace).expect("a trace");
    let trace: serde_json::Value = serde_json::from_str(&trace).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let count = |phase: &str| events.iter().filter(|e| e["ph"] == phase).count();
    assert_eq!(count("C"), 7, "a counter per frontier point");
    assert_eq!((count("s"), count("f")), (1, 1), "an arrow per conflict");
    assert_eq!(events.iter().filter(|e| e["cat"] == "transaction").count(), 6);
    assert_eq!(events.iter().filter(|e| e["cat"] == "step" || e["cat"] == "preemption").count(), 160);

    // Spans of one thread nest or follow each other: viewers misdraw anything else.
    let mut threads: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    let huge = Document::from(common::huge()).render(Format::Trace).expect("a trace");
    let huge: serde_json::Value = serde_json::from_str(&huge).expect("JSON");
    for event in huge["traceEvents"].as_array().expect("events") {
        if event["ph"] == "X" {
            let n = |name: &str| event[name].as_u64().expect("a number");
            threads.entry((n("pid"), n("tid"))).or_default().push((n("ts"), n("ts") + n("dur")));
        }
    }
    for (thread, spans) in threads {
        for pair in spans.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{thread:?}: {pair:?}");
        }
    }
}

#[test]
fn graphs_have_every_edge_with_its_reason() {
    let document = Document::from(common::failing());
    let dot = document.render(Format::Dot).expect("DOT");
    assert_eq!(dot.matches(" -> ").count(), 2, "{dot}");
    let svg = document.render(Format::Svg).expect("SVG");
    let parsed = roxmltree::Document::parse(&svg).expect("well-formed");
    let titles: Vec<_> =
        parsed.descendants().filter(|n| n.has_tag_name("title")).filter_map(|n| n.text()).collect();
    assert!(titles.iter().any(|title| title.starts_with("T1 read on-call/bob")), "{titles:?}");
}

#[test]
fn html_needs_nothing_from_anywhere() {
    for (name, document) in documents() {
        let html = document.render(Format::Html).expect("HTML");
        let frame = html.split("<script type=\"application/json\"").next().expect("the page before its data");
        for part in [" href=", " src=\"", "url(http", "@import", "style=\""] {
            let found =
                frame.match_indices(part).filter(|(at, _)| !frame[..*at].ends_with("&lt;img")).count();
            assert_eq!(found, 0, "{name} has {part:?}");
        }
        assert!(html.contains("default-src 'none'"), "{name}");
    }
}

#[test]
fn hostile_strings_are_shown_and_take_no_effect() {
    let document = Document::from(common::hostile());
    let rendered = |format| document.render(format).expect("every format of a run");

    let text = rendered(Format::Text);
    assert!(
        !text
            .chars()
            .any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2066}' | '\u{200b}'))
    );

    for format in [Format::Junit, Format::Svg] {
        let xml = rendered(format);
        let parsed = roxmltree::Document::parse(&xml).expect("well-formed");
        assert!(!parsed.descendants().any(|n| n.has_tag_name("img") || n.has_tag_name("script")), "{format}");
        assert!(xml.contains("&lt;img src=x"), "{format} shows it");
    }

    let markdown = rendered(Format::Markdown);
    assert!(!markdown.contains("\n# heading") && !markdown.contains("\n| c | d |"), "{markdown}");
    let outside_code: String = markdown.lines().filter(|l| !l.contains('`')).collect();
    assert!(!outside_code.contains("<img") && !outside_code.contains(" @everyone"), "{outside_code}");

    let html = rendered(Format::Html);
    assert_eq!(html.matches("</script>").count(), 2, "the data and the program, nothing else");
    assert!(!html.contains("<img") && !html.contains("<!DOCTYPE x>"));

    let dot = rendered(Format::Dot);
    for line in dot.lines().filter(|l| l.contains("label=")) {
        let unescaped = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(unescaped.matches('"').count() % 2, 0, "{line}");
        assert!(unescaped.ends_with("];") || unescaped.ends_with("\";"), "{line}");
    }

    let trace: serde_json::Value = serde_json::from_str(&rendered(Format::Trace)).expect("JSON");
    assert!(trace["otherData"]["title"].as_str().expect("a title").contains("</script>"));
}

#[test]
fn an_empty_report_renders_everywhere() {
    for document in [
        Document::from(stormproof_reports::Report::default()),
        Document::from(stormproof_reports::Campaign::default()),
    ] {
        for format in Format::ALL {
            match document.render(format) {
                Ok(_) | Err(RenderError::NotApplicable { .. }) => {}
                Err(error) => panic!("{format}: {error}"),
            }
        }
    }
}
