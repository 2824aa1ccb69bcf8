//! Whether explanations are true of the network: do they change when it forgets what it learned, does it go by what
//! they mark, and do they agree with each other ([`check`]).

use serde::Serialize;

use super::metrics::baseline;
use super::sanity::{on_grid, rank_correlation, ssim};
use super::scorer::Areas;
use crate::explainer::{Explainer, ExplainerError, Scorer};
use crate::explainer::{Method, Request};
use crate::files::Stop;
use crate::frame::Picture;
use crate::localize::{GRID, Normalizer};
use crate::maps::ClassMap;
use crate::model::Classifier;
use crate::runtime::{Options, RuntimeError};
use crate::view::View;
use camloc_graph::explain::ExplainError;
use camloc_graph::explain::randomise::{shuffle, weights};

/// Side of the map of chance: what the last layer of usual networks has.
const CHANCE_SIDE: usize = 7;

/// What is checked, and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The methods; `None` is whatever suits the model.
    pub methods: Vec<Option<Method>>,
    /// Layers and classes (`targets`, else the best of each photo); its method is not heeded.
    pub request: Request,
    /// How the models are run.
    pub options: Options,
    /// In how many steps deletion and insertion are measured; 0: not at all.
    pub steps: usize,
    /// What is drawn by chance follows from this number.
    pub seed: u64,
}

/// What came out. Figures are means over photos and classes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Checked {
    /// The model's title.
    pub model: String,
    /// How many photos were explained.
    pub photos: usize,
    /// How many maps each method made of them: one for each class asked for.
    pub maps: usize,
    /// In how many steps deletion and insertion were measured.
    pub steps: usize,
    /// What was drawn by chance follows from this number.
    pub seed: u64,
    /// How many layers of the network have weights.
    pub layers: usize,
    /// How many of them, from the outputs on, had their weights shuffled, test by test.
    pub shuffled: Vec<usize>,
    /// Method by method.
    pub methods: Vec<CheckedMethod>,
    /// Deletion and insertion by a map of chance.
    pub chance: Option<Areas>,
    /// Deletion and insertion by a map that is hottest in the middle of every photo.
    pub centre: Option<Areas>,
    /// Rank correlation of each method's maps with each other's, by the place in `methods`.
    pub agreement: Vec<Vec<Option<f64>>>,
}

/// What came out about one method.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CheckedMethod {
    /// The method's name in the program.
    pub method: String,
    /// Why it can't be had, if it can't.
    pub refused: Option<String>,
    /// How alike its maps stay when layers forget: an entry for each of `shuffled`.
    pub forgetting: Vec<Likeness>,
    /// Deletion and insertion by its maps.
    pub areas: Option<Areas>,
    /// What follows from `forgetting`.
    pub verdict: Verdict,
}

/// How alike maps of the network and of one that forgot are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Likeness {
    /// Spearman's rank correlation, -1..1; `None` where no map was left to compare.
    pub rank: Option<f64>,
    /// Structural similarity, -1..1.
    pub ssim: Option<f64>,
    /// How many maps were left: a network that forgot may have nothing to say of a place.
    pub left: usize,
}

/// Whether a method's maps depend on what was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// They change when the network forgets.
    Changes,
    /// They stay much as they are: they show the photo more than the network.
    Stays,
    /// Nothing could be shuffled, or there were no maps.
    Unknown,
}

/// A rank correlation from which a map counts as much the same: a rule of thumb, between what guided backpropagation has
/// on the networks that were tried (0.8 and more) and what plain gradients have (up to 0.65), as the paper has it.
pub(crate) const SAME_FROM: f64 = 0.7;

impl Verdict {
    /// From the mean over the tests in which at most the upper half of the `layers` forgot. Such a network tells no
    /// classes apart any more, so what explained its classes should be gone; that all pictures change once the layers
    /// near the photo forget, too, says little.
    fn of(forgetting: &[Likeness], shuffled: &[usize], layers: usize) -> Verdict {
        let upper = forgetting.iter().zip(shuffled).filter(|(_, count)| **count <= layers.div_ceil(2));
        // No map at all is a change.
        match mean(upper.map(|(likeness, _)| likeness.rank.unwrap_or_default())) {
            None => Verdict::Unknown,
            Some(likeness) if likeness >= SAME_FROM => Verdict::Stays,
            Some(_) => Verdict::Changes,
        }
    }
}

/// One class of one photo.
struct Case<'a> {
    photo: &'a Picture,
    class: usize,
}

/// A map with the part of the photo that it covers.
type Placed = (ClassMap, View);

/// Checks methods on photos; `done` hears of each method. A method that this model does not allow is told as refused.
/// Once stopped, the method at hand is left out, and all after it. [`crate::runtime::init`] must have been called.
///
/// # Errors
///
/// If the model can't be run at all, or does not have a class.
pub(crate) fn check(
    classifier: &Classifier,
    photos: &[Picture],
    plan: &Plan,
    stop: &Stop,
    mut done: impl FnMut(&CheckedMethod),
) -> Result<Checked, ExplainerError> {
    let mut checker = Checker::new(classifier, photos, plan, stop)?;
    let mut methods: Vec<CheckedMethod> = Vec::new();
    let mut grids: Vec<Grids> = Vec::new();
    for &method in &plan.methods {
        let Some((checked, grid)) = checker.method(method)? else { break };
        if methods.iter().any(|earlier| earlier.method == checked.method) {
            continue;
        }
        done(&checked);
        methods.push(checked);
        grids.push(grid);
    }
    let correlate =
        |a: &Grids, b: &Grids| mean(a.iter().zip(b).filter_map(|(a, b)| likeness(a, b)).map(|l| l.0));
    let agreement = grids.iter().map(|a| grids.iter().map(|b| correlate(a, b)).collect()).collect();
    let (chance, centre) = checker.baselines()?;
    Ok(Checked {
        model: classifier.title.clone(),
        photos: photos.len(),
        maps: checker.cases.len(),
        steps: plan.steps,
        seed: plan.seed,
        layers: checker.weights.len(),
        shuffled: checker.shuffled,
        methods,
        chance,
        centre,
        agreement,
    })
}

/// The grids of a method's maps, case by case; `None` where a map says nothing of a place.
type Grids = Vec<Option<Vec<f32>>>;

struct Checker<'a> {
    classifier: &'a Classifier,
    plan: &'a Plan,
    scorer: Scorer,
    cases: Vec<Case<'a>>,
    /// From the outputs on.
    weights: Vec<String>,
    shuffled: Vec<usize>,
    normalizer: Normalizer,
    stop: &'a Stop,
    /// What the model takes for nothing, and what maps cover, once the first method has been heard.
    seen: Option<([u8; 3], Vec<View>)>,
}

impl<'a> Checker<'a> {
    fn new(
        classifier: &'a Classifier,
        photos: &'a [Picture],
        plan: &'a Plan,
        stop: &'a Stop,
    ) -> Result<Checker<'a>, ExplainerError> {
        let mut scorer = Scorer::new(classifier, &plan.options)?;
        let mut cases = Vec::new();
        for photo in photos {
            let scores = scorer.score(photo).map_err(|source| failed(classifier, source))?;
            let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
            let targets = &plan.request.targets;
            if let Some(&target) = targets.iter().find(|&&target| target >= scores.len()) {
                let source = ExplainError::NoSuchClass { target, classes: scores.len().max(1) };
                let (model, source) = (classifier.title.clone(), Box::new(source));
                return Err(ExplainerError::Explain { model, source, methods: Vec::new() });
            }
            let classes = if targets.is_empty() { best.as_slice() } else { targets };
            cases.extend(classes.iter().map(|&class| Case { photo, class }));
        }
        let weights = weights(&classifier.model);
        let mut shuffled: Vec<usize> =
            [1, weights.len() / 4, weights.len() / 2, 3 * weights.len() / 4, weights.len()].into();
        shuffled.retain(|&count| (1..=weights.len()).contains(&count));
        shuffled.dedup();
        let normalizer = Normalizer::default();
        Ok(Checker { classifier, plan, scorer, cases, weights, shuffled, normalizer, stop, seen: None })
    }

    /// `None` where it was stopped.
    fn method(&mut self, method: Option<Method>) -> Result<Option<(CheckedMethod, Grids)>, ExplainerError> {
        let mut checked = CheckedMethod {
            method: method.map_or("auto", Method::name).to_owned(),
            refused: None,
            forgetting: Vec::new(),
            areas: None,
            verdict: Verdict::Unknown,
        };
        let request = Request { method, top_k: 1, targets: vec![], ..self.plan.request.clone() };
        let asked = Explainer::new(self.classifier.clone(), &request, &self.plan.options);
        let mut explainer = match asked {
            Ok(explainer) => explainer,
            Err(error) => {
                checked.refused = Some(error.to_string());
                return Ok(Some((checked, self.cases.iter().map(|_| None).collect())));
            }
        };
        checked.method = explainer.explanation().method.to_string();
        let Some(maps) = self.maps(&mut explainer)? else { return Ok(None) };
        let fill = explainer.neutral_colour();
        drop(explainer);
        let views = maps.iter().map(|(_, view)| *view).collect();
        let (fill, _) = self.seen.get_or_insert((fill, views));
        let fill = *fill;
        checked.areas = self.areas(&maps, fill)?;
        let grids = self.grids(&maps);
        for count in self.shuffled.clone() {
            let mut forgetful = self.classifier.clone();
            shuffle(&mut forgetful.model, &self.weights[..count], self.plan.seed);
            let mut explainer = Explainer::new(forgetful, &request, &self.plan.options)?;
            let Some(maps) = self.maps(&mut explainer)? else { return Ok(None) };
            let pairs: Vec<(f64, f64)> =
                grids.iter().zip(self.grids(&maps)).filter_map(|(a, b)| likeness(a, &b)).collect();
            checked.forgetting.push(Likeness {
                rank: mean(pairs.iter().map(|pair| pair.0)),
                ssim: mean(pairs.iter().map(|pair| pair.1)),
                left: pairs.len(),
            });
        }
        if grids.iter().any(Option::is_some) {
            checked.verdict = Verdict::of(&checked.forgetting, &self.shuffled, self.weights.len());
        }
        Ok(Some((checked, grids)))
    }

    /// A map for each case; `None` where it was stopped.
    fn maps(&self, explainer: &mut Explainer) -> Result<Option<Vec<Placed>>, ExplainerError> {
        let mut maps = Vec::new();
        let mut explain = |case: &Case<'_>| {
            let view = explainer.explain_class(case.photo, Some(case.class), &mut maps)?;
            let nothing = ClassMap {
                class_id: case.class,
                score: 0.0,
                height: 0,
                width: 0,
                values: vec![],
                bounds: None,
            };
            Ok((maps.first().cloned().unwrap_or(nothing), view))
        };
        let explained =
            self.cases.iter().map(|case| (!self.stop.is_stopped()).then(|| explain(case)).transpose());
        explained.collect::<Result<_, _>>().map_err(|source| failed(self.classifier, source))
    }

    fn grids(&mut self, maps: &[Placed]) -> Grids {
        maps.iter().map(|(map, _)| on_grid(map, &mut self.normalizer)).collect()
    }

    /// Mean deletion and insertion of maps, one for each case.
    fn areas(&mut self, maps: &[Placed], fill: [u8; 3]) -> Result<Option<Areas>, ExplainerError> {
        if self.plan.steps == 0 {
            return Ok(None);
        }
        let mut found = Vec::new();
        for (case, (map, view)) in self.cases.iter().zip(maps) {
            let areas = self.scorer.areas(case.photo, (map, *view), fill, self.plan.steps);
            found.extend(areas.map_err(|source| failed(self.classifier, source))?);
        }
        let deletion = mean(found.iter().map(|areas| areas.deletion));
        let insertion = mean(found.iter().map(|areas| areas.insertion));
        Ok(deletion.zip(insertion).map(|(deletion, insertion)| Areas { deletion, insertion }))
    }

    /// Deletion and insertion by a map of chance and by one of the middle.
    fn baselines(&mut self) -> Result<(Option<Areas>, Option<Areas>), ExplainerError> {
        let Some((fill, views)) = self.seen.clone() else { return Ok((None, None)) };
        let mut random = fastrand::Rng::with_seed(self.plan.seed);
        let cells = CHANCE_SIDE * CHANCE_SIDE;
        let chance = self.placed(&views, CHANCE_SIDE, || (0..cells).map(|_| random.f32()).collect());
        let centre = self.placed(&views, GRID, baseline::centre_map);
        Ok((self.areas(&chance, fill)?, self.areas(&centre, fill)?))
    }

    /// A square map for each case.
    fn placed(&self, views: &[View], side: usize, mut values: impl FnMut() -> Vec<f32>) -> Vec<Placed> {
        let map = |(case, view): (&Case<'_>, &View)| {
            let map = ClassMap {
                class_id: case.class,
                score: 0.0,
                height: side,
                width: side,
                values: values(),
                bounds: None,
            };
            (map, *view)
        };
        self.cases.iter().zip(views).map(map).collect()
    }
}

fn failed(classifier: &Classifier, source: RuntimeError) -> ExplainerError {
    ExplainerError::Run { model: classifier.title.clone(), source }
}

/// Rank correlation and structural similarity of two grids, where both say something.
fn likeness(a: &Option<Vec<f32>>, b: &Option<Vec<f32>>) -> Option<(f64, f64)> {
    let (a, b) = (a.as_deref()?, b.as_deref()?);
    Some((rank_correlation(a, b)?, ssim(a, b)?))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn likeness(rank: Option<f64>) -> Likeness {
        Likeness { rank, ssim: rank, left: 1 }
    }

    #[test]
    fn a_map_that_stays_is_flagged_and_one_that_vanishes_is_not() {
        let verdict = |ranks: &[Option<f64>]| {
            let forgetting: Vec<Likeness> = ranks.iter().map(|&rank| likeness(rank)).collect();
            Verdict::of(&forgetting, &[1, 3, 6, 9, 12], 12)
        };
        assert_eq!(verdict(&[Some(0.9), Some(0.8), Some(0.7), None, None]), Verdict::Stays);
        assert_eq!(verdict(&[Some(0.9), Some(0.1), Some(-0.2), Some(1.0), Some(1.0)]), Verdict::Changes);
        assert_eq!(verdict(&[Some(0.9), None, None, Some(1.0), Some(1.0)]), Verdict::Changes);
        assert_eq!(verdict(&[]), Verdict::Unknown);
        assert_eq!(Verdict::of(&[likeness(Some(1.0))], &[1], 1), Verdict::Stays, "a network of one layer");
    }

    #[test]
    fn what_was_found_before_a_stop_is_kept() {
        crate::runtime::init_for_tests();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/residual.onnx");
        let classifier = Classifier::open(&file, None).unwrap();
        let byte = |at: u32| (at * 37 % 251) as u8;
        let picture = Picture::from_rgb(48, 40, (0..48 * 40 * 3).map(byte).collect()).unwrap();
        let methods = ["gradcam", "layercam", "hirescam"].map(|name| name.parse().ok()).to_vec();
        let stop = Stop::new();
        let (request, options) = (Request::default(), Options::default());
        let plan = Plan { request, options, methods, steps: 1, seed: 0 };
        let mut told = 0;
        let checked = check(&classifier, &[picture], &plan, &stop, |_| {
            told += 1;
            if told == 2 {
                stop.stop();
            }
        })
        .unwrap();
        let names: Vec<&str> = checked.methods.iter().map(|method| &*method.method).collect();
        assert_eq!(names, ["gradcam", "layercam"]);
        assert_eq!(
            (checked.agreement.len(), checked.methods[1].forgetting.len()),
            (2, checked.shuffled.len())
        );
    }
}
