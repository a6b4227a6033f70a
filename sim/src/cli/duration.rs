//! Times as users write them.

use std::time::Duration;

/// Returns a time as users write it: a number with `ms`, `s`, `m` or `h` after it.
pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: write a number and ms, s, m or h, as in 30s or 5m");
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(Duration::ZERO) => Err(format!(
            "`{text}` is no time to run for: nothing would be proven: write more than that, as in 30s"
        )),
        other => other.map_err(|_| wrong()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["30", "s", "-5s", "5 days", "", "0s", "0ms"] {
            assert!(duration(wrong).unwrap_err().contains("30s"), "{wrong}");
        }
    }
}
