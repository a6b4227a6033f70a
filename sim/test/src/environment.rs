//! The environment variables about seeds.

use std::ops::Range;
use std::time::Duration;

/// The values of the environment variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    /// `STORMPROOF_SEED` or `STORMPROOF_SEEDS`.
    pub(crate) seeds: Option<Range<u64>>,
    /// `STORMPROOF_FOR`.
    pub(crate) time: Option<Duration>,
    /// `STORMPROOF_SHRINK_FOR`.
    pub(crate) shrink_time: Option<Duration>,
    /// `STORMPROOF_CHECK`.
    pub(crate) check: bool,
    /// `STORMPROOF_COUNT`.
    pub(crate) count: bool,
    /// `STORMPROOF_JOBS`.
    pub(crate) jobs: usize,
}

impl Environment {
    pub(crate) fn read() -> Self {
        Self::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .unwrap_or_else(|message| panic!("{message}"))
    }

    fn of(value: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let seeds = match (value("STORMPROOF_SEED"), value("STORMPROOF_SEEDS")) {
            (Some(seed), _) => {
                let wrong = || format!("STORMPROOF_SEED={seed} is no seed: give a number, as in 17");
                let seed: u64 = seed.trim().parse().map_err(|_| wrong())?;
                Some(seed..seed + 1)
            }
            (None, Some(seeds)) => Some(range(&seeds).ok_or_else(|| {
                format!("STORMPROOF_SEEDS={seeds} is no range of seeds: give one as in 0..10000")
            })?),
            (None, None) => None,
        };
        let time_of = |name: &str| {
            let wrong = |time: &str| format!("{name}={time} is no time: give one as in 60s, 10m or 2h");
            value(name).map(|time| duration(&time).ok_or_else(|| wrong(&time))).transpose()
        };
        let (time, shrink_time) = (time_of("STORMPROOF_FOR")?, time_of("STORMPROOF_SHRINK_FOR")?);
        let jobs =
            match value("STORMPROOF_JOBS") {
                Some(jobs) => jobs.trim().parse().ok().filter(|jobs| *jobs > 0).ok_or_else(|| {
                    format!("STORMPROOF_JOBS={jobs} is no number of threads: give one as in 4")
                })?,
                None => 1,
            };
        let is_set = |name| value(name).is_some_and(|value| value != "0");
        let (check, count) = (is_set("STORMPROOF_CHECK"), is_set("STORMPROOF_COUNT"));
        Ok(Self { seeds, time, shrink_time, check, count, jobs })
    }
}

fn range(text: &str) -> Option<Range<u64>> {
    let (first, end) = text.split_once("..")?;
    let range = first.trim().parse().ok()?..end.trim().parse().ok()?;
    (!range.is_empty()).then_some(range)
}

fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, seconds) = match text.strip_suffix('s') {
        Some(number) => (number, 1),
        None => match (text.strip_suffix('m'), text.strip_suffix('h')) {
            (Some(number), _) => (number, 60),
            (None, Some(number)) => (number, 3_600),
            (None, None) => (text, 1),
        },
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()? * seconds))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Environment;

    fn read(pairs: &[(&str, &str)]) -> Result<Environment, String> {
        let find =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
        Environment::of(find)
    }

    #[test]
    fn a_seed_a_range_and_a_time_are_read() {
        assert_eq!(read(&[("STORMPROOF_SEED", "17")]).unwrap().seeds, Some(17..18));
        assert_eq!(read(&[("STORMPROOF_SEEDS", "5..9")]).unwrap().seeds, Some(5..9));
        assert_eq!(read(&[("STORMPROOF_FOR", "2m")]).unwrap().time, Some(Duration::from_secs(120)));
        let shrinks = read(&[("STORMPROOF_SHRINK_FOR", "1h")]).unwrap();
        assert_eq!((shrinks.time, shrinks.shrink_time), (None, Some(Duration::from_secs(3_600))));
        assert!(read(&[("STORMPROOF_CHECK", "1")]).unwrap().check);
        assert!(!read(&[("STORMPROOF_CHECK", "0")]).unwrap().check);
        assert!(read(&[("STORMPROOF_COUNT", "1")]).unwrap().count);
        assert_eq!(read(&[]).unwrap(), Environment { jobs: 1, ..Environment::default() });
    }

    #[test]
    fn what_can_not_be_read_is_said() {
        let wrong = read(&[("STORMPROOF_SEEDS", "9..5")]).unwrap_err();
        assert_eq!(wrong, "STORMPROOF_SEEDS=9..5 is no range of seeds: give one as in 0..10000");
        assert!(read(&[("STORMPROOF_SEED", "x")]).is_err());
        assert!(read(&[("STORMPROOF_JOBS", "0")]).is_err());
        assert!(read(&[("STORMPROOF_FOR", "soon")]).is_err());
        let wrong = read(&[("STORMPROOF_SHRINK_FOR", "long")]).unwrap_err();
        assert_eq!(wrong, "STORMPROOF_SHRINK_FOR=long is no time: give one as in 60s, 10m or 2h");
    }
}
