//! Names that people choose among, and which may have been meant.

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

/// A name that stands for nothing, and the names that do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} \"{name}\"{}; all: {all}", or_rather(.nearest))]
pub struct UnknownName {
    what: &'static str,
    name: String,
    nearest: Option<String>,
    all: String,
}

fn or_rather(name: &Option<String>) -> String {
    name.as_ref().map(|name| format!("; the nearest is \"{name}\"")).unwrap_or_default()
}

/// The one of `all` that goes by a name. `what` says what they are; `plain` brings names to the form they are compared in.
pub(crate) fn find<T>(
    what: &'static str,
    wanted: &str,
    all: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &'static str,
    plain: impl Fn(&str) -> String,
) -> Result<T, UnknownName> {
    let (mut all, plainly): (Vec<T>, _) = (all.into_iter().collect(), plain(wanted));
    if let Some(at) = all.iter().position(|one| plain(name(one)) == plainly) {
        return Ok(all.swap_remove(at));
    }
    let like = like(&plainly, all.iter(), |one| plain(name(one)));
    Err(UnknownName {
        what,
        name: wanted.to_owned(),
        nearest: like.first().map(|one| name(one).to_owned()),
        all: all.iter().map(name).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_told_the_nearest_and_all() {
        let find = |text: &str| {
            find("fruit", text, ["apple", "pear"], |name| name, str::to_lowercase).map_err(|e| e.to_string())
        };
        assert_eq!(find("Pear"), Ok("pear"));
        assert_eq!(
            find("aple"),
            Err("there is no fruit \"aple\"; the nearest is \"apple\"; all: apple, pear".into())
        );
        assert_eq!(find("x"), Err("there is no fruit \"x\"; all: apple, pear".into()));
    }

    #[test]
    fn the_nearest_comes_first_and_another_word_not_at_all() {
        let names = ["layercam", "gradcam", "occlusion", "gradcampp"];
        let like = |wrong: &str| like(wrong, names.into_iter(), |name| (*name).to_owned());
        assert_eq!(like("gradcm"), ["gradcam", "gradcampp"]);
        assert!(like("nosuch").is_empty());
    }
}
