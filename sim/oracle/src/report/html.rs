//! The report as one page.

use std::fmt::Write;

use super::svg::{escape, one};
use super::text::{lattice, none_found, word};
use super::{CheckReport, Conclusion};
use crate::blackbox::Standing;

const STYLE: &str = "body{font-family:sans-serif;max-width:75em;margin:2em auto;padding:0 1em}\
td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}.holds{color:#060}.violated{color:#a00}\
.unknown{color:#860}code{font-size:90%}svg{max-width:100%}section{border-top:2px solid #ccc;margin-top:2em}";

pub(super) fn html(report: &CheckReport, title: &str) -> String {
    let title = escape(title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p>{} transactions, {} operations: <b>{}</b></p>\n",
        report.txns,
        report.ops,
        escape(&conclusion(report))
    );
    for left_out in &report.left_out {
        let _ = writeln!(page, "<p>Left out: {} operations {}</p>", left_out.count, escape(&left_out.what));
    }
    page.push_str("<table><tr><th>level</th><th>standing</th></tr>\n");
    for (level, standing) in &report.table.levels {
        let class = match standing {
            Standing::Holds => "holds",
            Standing::Violated => "violated",
            Standing::Unknown(_) => "unknown",
        };
        let word = escape(&word(standing));
        let _ = writeln!(page, "<tr><td>{level}</td><td class=\"{class}\">{word}</td></tr>");
    }
    page.push_str("</table>\n");
    for line in [lattice(report), none_found(report)].iter().flat_map(|text| text.lines()) {
        let _ = writeln!(page, "<p>{}</p>", escape(line));
    }
    if !report.table.counts.is_empty() {
        page.push_str("<table><tr><th>anomaly</th><th>count</th></tr>\n");
        for (name, count) in &report.table.counts {
            let _ = writeln!(page, "<tr><td>{}</td><td>{count}</td></tr>", escape(name));
        }
        page.push_str("</table>\n");
    }
    anomalies(&mut page, report);
    page.push_str("</body></html>\n");
    page
}

fn conclusion(report: &CheckReport) -> String {
    match report.conclusion() {
        Conclusion::Holds => "holds".to_owned(),
        Conclusion::Violated => "violated".to_owned(),
        Conclusion::Undecided(why) => format!("undecided: {why}"),
        Conclusion::NothingJudged(why) => format!("nothing was judged: {why}"),
    }
}

fn anomalies(page: &mut String, report: &CheckReport) {
    for anomaly in &report.table.anomalies {
        let (class, level, name) = (anomaly.class, anomaly.level, escape(&anomaly.name));
        let _ = writeln!(page, "<section><h2>{class}: {name}</h2>\n<p>Forbidden from {level} on.</p>");
        if anomaly.cycle.is_empty() {
            let _ = writeln!(page, "<p>{}</p>", escape(&anomaly.message));
        } else {
            page.push_str(&one(report, anomaly));
            page.push_str("<ol>\n");
            for edge in &anomaly.cycle {
                let (from, to, why) = (edge.from, edge.to, edge.why.short());
                let _ = writeln!(page, "<li>T{from} –{why}→ T{to}: {}</li>", escape(&edge.sentence));
            }
            page.push_str("</ol>\n");
        }
        page.push_str(
            "<table><tr><th>transaction</th><th>line</th><th>index</th><th>process</th><th>ended</th>\
            <th>operations</th></tr>\n",
        );
        let mut txns = anomaly.txns.clone();
        txns.sort_unstable();
        txns.dedup();
        for (txn, one) in txns.iter().filter_map(|txn| report.evidence.get(txn).map(|one| (txn, one))) {
            let (process, ops) = (escape(&one.process), escape(&one.ops));
            let line = if one.line > 0 { one.line.to_string() } else { "–".to_owned() };
            let _ = writeln!(
                page,
                "<tr><td>T{txn}</td><td>{line}</td><td>{}</td><td>{process}</td><td>{}</td>\
                 <td><code>{ops}</code></td></tr>",
                one.index, one.outcome
            );
        }
        page.push_str("</table></section>\n");
    }
}
