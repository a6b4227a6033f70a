//! The bank: transfers keep the total.

use super::calls::Calls;
use super::{ModelReport, Problem};
use crate::formats::FormatError;

pub(super) fn check(calls: &Calls, report: &mut ModelReport) -> Result<(), FormatError> {
    report.judged = (calls.ok("read").count() + calls.of("transfer").count()) as u64;
    report.left_out += calls.others(&["read", "transfer"]);
    let mut total: Option<(i64, String)> = None;
    for read in calls.ok("read") {
        let pairs = read.value.pairs().ok_or_else(|| read.unexpected("a map of balances"))?;
        let mut sum = 0_i64;
        for (account, balance) in pairs {
            let Some(balance) = balance.integer() else {
                report.problem(|| {
                    Problem::new(
                        "nil balance",
                        format!("{} has none in {}", account.canonical(), read.show()),
                    )
                });
                continue;
            };
            if balance < 0 {
                let account = account.canonical();
                report.problem(|| {
                    Problem::new("negative balance", format!("{account} has {balance} in {}", read.show()))
                });
            }
            sum = sum.saturating_add(balance);
        }
        match &total {
            None => total = Some((sum, read.show())),
            Some((first, shown)) if *first != sum => report.problem(|| {
                Problem::new(
                    "wrong total",
                    format!("{sum} in {}, and {first} in the first read, {shown}", read.show()),
                )
            }),
            Some(_) => {}
        }
    }
    if total.is_none() && report.judged > 0 {
        report.undecided = Some("no read ended well".to_owned());
    }
    Ok(())
}
