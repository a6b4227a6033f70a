//! Suggestions for names that do not exist.

/// How similar two names have to be, from 0 to 1.
const ALIKE: f64 = 0.8;

/// Returns advice about an unknown name: the one that was likely meant, and all that there are.
pub(crate) fn use_one_of(name: &str, known: &[String]) -> String {
    let all = known.join(", ");
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`? If not, use one of {all}"),
        None => format!("use one of {all}"),
    }
}

fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let score = |known: &str| strsim::jaro_winkler(&lower, &known.to_lowercase());
    let scored = known.iter().map(|known| (score(known), known.as_str()));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= ALIKE).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::use_one_of;

    #[test]
    fn a_slip_of_the_finger_is_seen_and_nonsense_is_not() {
        let known = ["bank", "hotspot", "write-skew"].map(str::to_owned);
        assert!(use_one_of("bnak", &known).starts_with("did you mean `bank`?"));
        assert!(use_one_of("writeskew", &known).starts_with("did you mean `write-skew`?"));
        assert!(use_one_of("Hotspot", &known).starts_with("did you mean `hotspot`?"));
        assert!(use_one_of("xyzzy", &known).starts_with("use one of bank"));
    }
}
