//! Whether what a model says makes sense: what does not is said once, with what to try.

use camloc_graph::explain::Link;

use crate::maps::ClassMap;

/// Pictures that must be answered alike before that is no chance.
const ALIKE: usize = 3;
/// What rounding may add to a probability.
const SLACK: f32 = 0.01;

/// Looks at the answers of one model, one after the other.
#[derive(Debug, Default)]
pub(super) struct Sense {
    said: Vec<Nonsense>,
    /// A mark of the last picture, its scores, and how many in a row had the same.
    last: Option<(u64, Vec<f32>, usize)>,
}

/// What does not make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nonsense {
    NotFinite,
    AboveOne,
    SharesAlready,
    AlwaysTheSame,
    OnePlace,
    ZeroMap,
    EvenMap,
    NegativeMap,
}

/// One answer.
pub(super) struct Answer<'a> {
    /// The maps of one picture.
    pub(super) maps: &'a [ClassMap],
    /// The class scores, as the model gives them, where it does.
    pub(super) scores: Option<&'a [f32]>,
    /// What those are taken for; `None` where one value is explained that is no class's score.
    pub(super) link: Option<Link>,
    /// What tells pictures apart.
    pub(super) picture: u64,
    /// The layers that the maps are made of.
    pub(super) layer: &'a str,
}

impl Sense {
    /// What is to be said of an answer, and was not yet.
    pub(super) fn of(&mut self, answer: &Answer<'_>) -> Vec<String> {
        let found = [of_scores(answer), of_maps(answer), self.of_pictures(answer)];
        let mut words = Vec::new();
        for nonsense in found.into_iter().flatten() {
            if !self.said.contains(&nonsense) {
                self.said.push(nonsense);
                words.push(nonsense.words(answer.layer));
            }
        }
        words
    }

    fn of_pictures(&mut self, answer: &Answer<'_>) -> Option<Nonsense> {
        let scores = answer.scores.filter(|scores| scores.len() > 1)?;
        if self.said.contains(&Nonsense::AlwaysTheSame) {
            return None;
        }
        let count = match &self.last {
            Some((picture, _, count)) if *picture == answer.picture => *count,
            Some((_, known, count)) if known == scores => count + 1,
            _ => 1,
        };
        self.last = Some((answer.picture, scores.to_vec(), count));
        (count >= ALIKE).then_some(Nonsense::AlwaysTheSame)
    }
}

fn of_scores(answer: &Answer<'_>) -> Option<Nonsense> {
    let own = answer.maps.iter().map(|map| map.score);
    let all = answer.scores.unwrap_or_default().iter().copied();
    // What is masked out of a model's choice may be minus infinity.
    if own.clone().any(|score| !score.is_finite()) || all.clone().any(f32::is_nan) {
        return Some(Nonsense::NotFinite);
    }
    let link = answer.link?;
    if own.clone().any(|score| score > 1.0 + SLACK) {
        return Some(Nonsense::AboveOne);
    }
    let sum: f32 = all.clone().sum();
    let shares =
        all.len() > 2 && all.clone().all(|score| (0.0..=1.0).contains(&score)) && (sum - 1.0).abs() < 1e-3;
    (link == Link::Softmax && shares).then_some(Nonsense::SharesAlready)
}

fn of_maps(answer: &Answer<'_>) -> Option<Nonsense> {
    type Holds = fn(&ClassMap) -> bool;
    let maps = || answer.maps.iter().filter(|map| !map.values.is_empty());
    let all = |holds: Holds| maps().next().is_some() && maps().all(holds);
    let tests: [(Nonsense, Holds); 4] = [
        (Nonsense::OnePlace, |map| map.values.len() == 1),
        (Nonsense::ZeroMap, |map| map.values.iter().all(|&value| value == 0.0)),
        (Nonsense::EvenMap, |map| map.values.iter().all(|&value| value == map.values[0])),
        (Nonsense::NegativeMap, |map| map.values.iter().all(|&value| value < 0.0)),
    ];
    tests.into_iter().find(|(_, holds)| all(*holds)).map(|(nonsense, _)| nonsense)
}

impl Nonsense {
    fn words(self, layer: &str) -> String {
        let next =
            "try the layer before it, --layer -2, or a method that asks the model itself, --method occlusion";
        match self {
            Nonsense::NotFinite => "the model's scores are no numbers (NaN or infinite): pictures may be prepared otherwise than \
                 it wants them, see `range`, `mean` and `std` in docs/model-manifest.md, or its 16-bit weights overflow"
                .to_owned(),
            Nonsense::AboveOne => "the model's probabilities are above 1, so they are none: say what its output holds with \
                 `scores = \"softmax\"` or `scores = \"sigmoid\"` in a manifest"
                .to_owned(),
            Nonsense::SharesAlready => "the model's scores are between 0 and 1 and sum up to 1, as probabilities do, and are \
                 taken for logits: say `scores = \"probabilities\"` in a manifest"
                .to_owned(),
            Nonsense::AlwaysTheSame => "the model gives every picture the very same scores: pictures may be prepared otherwise \
                 than it wants them, see `range`, `mean` and `std` in docs/model-manifest.md"
                .to_owned(),
            Nonsense::OnePlace => format!("the layer {layer} has one place only, so its map says nothing of where: {next}"),
            Nonsense::ZeroMap => {
                format!("the map is zero everywhere: the score does not depend on what is in the layer {layer}; {next}")
            }
            Nonsense::EvenMap => {
                format!("the map is the same everywhere: at the layer {layer} no place counts more than another; {next}")
            }
            Nonsense::NegativeMap => {
                format!("the map is negative everywhere: at the layer {layer} all places speak against the class; {next}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: &[f32], score: f32) -> ClassMap {
        ClassMap { class_id: 0, score, height: 1, width: values.len(), values: values.to_vec(), bounds: None }
    }

    fn said(sense: &mut Sense, map: ClassMap, scores: &[f32], picture: u64) -> Vec<String> {
        let (maps, link) = ([map], Some(Link::Softmax));
        sense.of(&Answer { maps: &maps, scores: Some(scores), link, picture, layer: "conv5" })
    }

    #[test]
    fn a_map_that_says_nothing_is_said_once_with_what_to_try() {
        for (values, reason) in [
            (&[0.0, 0.0][..], "zero everywhere"),
            (&[0.5, 0.5], "the same everywhere"),
            (&[-0.5, -0.1], "negative everywhere"),
            (&[0.5], "one place only"),
        ] {
            let mut sense = Sense::default();
            let words = said(&mut sense, map(values, 0.5), &[3.0, 1.0], 1);
            assert_eq!(words.len(), 1);
            assert!(
                words[0].contains(reason) && words[0].contains("conv5") && words[0].contains("--layer -2"),
                "{words:?}"
            );
            assert!(said(&mut sense, map(values, 0.5), &[3.0, 2.0], 2).is_empty(), "once");
        }
        assert!(said(&mut Sense::default(), map(&[-0.5, 0.1], 0.5), &[3.0, 1.0], 1).is_empty());
    }

    #[test]
    fn scores_that_contradict_themselves_are_said() {
        let fine = || map(&[0.0, 1.0], 0.5);
        let words = |scores: &[f32], score| {
            said(&mut Sense::default(), ClassMap { score, ..fine() }, scores, 1).join("")
        };
        assert!(words(&[f32::NAN, 1.0], 0.5).contains("no numbers"));
        assert!(words(&[3.0, 2.0], 1.5).contains("above 1"));
        assert!(words(&[0.2, 0.2, 0.6], 0.5).contains("scores = \"probabilities\""));
        let mut sense = Sense::default();
        let found: Vec<usize> =
            [1, 2, 2, 3, 4].map(|picture| said(&mut sense, fine(), &[3.0, 1.0], picture).len()).to_vec();
        assert_eq!(found, [0, 0, 0, 1, 0], "three different pictures, the same answer");
    }
}
