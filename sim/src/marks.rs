//! The rare situations that the engine's source marks with `reached!`, so that a campaign can say which it
//! never saw.

include!(concat!(env!("OUT_DIR"), "/marks.rs"));

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn marks_are_sorted_and_unique() {
        assert!(ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
