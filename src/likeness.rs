//! Which name may have been meant.

/// From this likeness on (Jaro-Winkler, 0..1) a name may have been meant; less like it than this is another word.
const LIKE: f64 = 0.8;

/// The candidates whose names are like `wrong`, the most alike first; of equal ones the first.
pub(crate) fn like<T>(
    wrong: &str,
    candidates: impl Iterator<Item = T>,
    name: impl Fn(&T) -> String,
) -> Vec<T> {
    let mut ranked: Vec<(f64, T)> = candidates
        .map(|candidate| (strsim::jaro_winkler(&name(&candidate), wrong), candidate))
        .filter(|(likeness, _)| *likeness >= LIKE)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first_and_another_word_not_at_all() {
        let names = ["layercam", "gradcam", "occlusion", "gradcampp"];
        let like = |wrong: &str| like(wrong, names.into_iter(), |name| (*name).to_owned());
        assert_eq!(like("gradcm"), ["gradcam", "gradcampp"]);
        assert!(like("nosuch").is_empty());
    }
}
