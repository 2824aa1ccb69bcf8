//! From a photo and a list of methods to cells.

use std::time::Instant;

use super::small::small;
use super::{Cell, Class, Column, SideBySide};
use crate::explainer::black_box::Estimate;
use crate::explainer::{Explainer, ExplainerError, Scorer};
use crate::explainer::{Method, Request};
use crate::files::Stop;
use crate::frame::Picture;
use crate::localize::{self, Localizer};
use crate::model::Classifier;
use crate::render::{Colormap, Style};
use crate::runtime::{Options, RuntimeError};
use camloc_graph::explain::ExplainError;

/// How many of the most probable classes the title names.
const NAMED: usize = 3;

/// What is compared, and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The methods; `None` is whatever suits the model. One that comes out as another that was there before is left
    /// out.
    pub methods: Vec<Option<Method>>,
    /// A class for each row: the most probable of these on the photo. Empty: the best ones.
    pub classes: Vec<Vec<usize>>,
    /// Layers, and how many of the best classes (`top_k`); its method and targets are not heeded.
    pub request: Request,
    /// How the models are run.
    pub options: Options,
    /// How boxes are made.
    pub localize: localize::Settings,
    /// In how many steps deletion and insertion are measured; 0: not at all.
    pub steps: usize,
    /// The colours of heat.
    pub colormap: Colormap,
    /// How much of the photo the hottest place hides, 0..1.
    pub opacity: f32,
}

impl Default for Plan {
    fn default() -> Plan {
        let style = Style::default();
        Plan {
            methods: vec![None],
            classes: vec![],
            request: Request { top_k: 2, refine: false, ..Request::default() },
            options: Options::default(),
            localize: localize::Settings::default(),
            steps: 16,
            colormap: style.colormap,
            opacity: style.opacity,
        }
    }
}

/// Explains one photo by each method of the plan, one after the other; `done` hears of each. A method that this model
/// does not allow gets the reason in place of its cells. Once stopped, those that are left are left out.
/// [`crate::runtime::init`] must have been called.
///
/// # Errors
///
/// If the model can't be run at all.
pub(crate) fn explain_by_all(
    classifier: &Classifier,
    (photo, name): (&Picture, &str),
    plan: &Plan,
    stop: &Stop,
    mut done: impl FnMut(&Column),
) -> Result<SideBySide, ExplainerError> {
    let (shown, scale) = small(photo);
    let mut scorer = Scorer::new(classifier, &plan.options)?;
    let probabilities = scorer.score(photo).map_err(|source| failed(classifier, source))?;
    let mut all = empty(classifier, (shown, name), plan, &probabilities)?;
    let targets = all.classes.iter().map(|class| class.id).collect();
    let localize = localize::Settings { min_score: 0.0, merge_overlap: None, ..plan.localize };
    let mut maker = Maker {
        classifier,
        photo,
        scale,
        plan,
        request: Request { targets, ..plan.request.clone() },
        scorer,
        localizer: Localizer::new(localize),
    };
    for &method in plan.methods.iter().take_while(|_| !stop.is_stopped()) {
        if let Some(column) = maker.column(method, &all)? {
            done(&column);
            all.columns.push(column);
        }
    }
    Ok(all)
}

fn failed(classifier: &Classifier, source: RuntimeError) -> ExplainerError {
    ExplainerError::Run { model: classifier.title.clone(), source }
}

/// The comparison without any method: what the model says of the photo, and which classes are to be explained.
fn empty(
    classifier: &Classifier,
    (photo, name): (Picture, &str),
    plan: &Plan,
    probabilities: &[f32],
) -> Result<SideBySide, ExplainerError> {
    let label = |id: usize| classifier.labels.name(id).into_owned();
    let score = |id: usize| probabilities.get(id).copied().filter(|p| p.is_finite()).unwrap_or_default();
    let ranked = ranking(probabilities);
    let chosen: Vec<usize> = if plan.classes.is_empty() {
        ranked.iter().copied().take(plan.request.top_k).collect()
    } else {
        most_probable(&plan.classes, &ranked)
    };
    if let Some(&target) = chosen.iter().find(|&&class| class >= probabilities.len()) {
        let source = ExplainError::NoSuchClass { target, classes: probabilities.len().max(1) };
        return Err(ExplainerError::Explain {
            model: classifier.title.clone(),
            source: Box::new(source),
            methods: Vec::new(),
        });
    }
    Ok(SideBySide {
        name: name.to_owned(),
        model: classifier.title.clone(),
        photo,
        predictions: ranked.iter().take(NAMED).map(|&id| (label(id), score(id))).collect(),
        classes: chosen.iter().map(|&id| Class { id, label: label(id), score: score(id) }).collect(),
        columns: Vec::new(),
        steps: plan.steps,
        colormap: plan.colormap,
        opacity: plan.opacity,
        threshold: plan.localize.threshold,
    })
}

/// Makes one column after the other.
struct Maker<'a> {
    classifier: &'a Classifier,
    photo: &'a Picture,
    /// From the photo to the small one.
    scale: f64,
    plan: &'a Plan,
    /// What every method is asked.
    request: Request,
    scorer: Scorer,
    localizer: Localizer,
}

impl Maker<'_> {
    /// `None` where the method comes out as one that is there already.
    fn column(&mut self, asked: Option<Method>, all: &SideBySide) -> Result<Option<Column>, ExplainerError> {
        let request = Request { method: asked, ..self.request.clone() };
        let named = |method: String| Column { asked, method, note: String::new(), outcome: Ok(Vec::new()) };
        let mut explainer = match Explainer::new(self.classifier.clone(), &request, &self.plan.options) {
            Ok(explainer) => explainer,
            Err(error) => {
                let name = asked.map_or("auto", Method::name).to_owned();
                return Ok(Some(Column { outcome: Err(reason(&error)), ..named(name) }));
            }
        };
        let mut column = named(explainer.explanation().method.to_string());
        if all.columns.iter().any(|earlier| earlier.method == column.method) {
            return Ok(None);
        }
        let fill = explainer.neutral_colour();
        let cells = self.cells(&mut explainer, all, column.is_fine());
        let unfinished = explainer.progress().filter(|progress| !progress.is_complete());
        // The scorer and one explainer in memory are enough.
        drop(explainer);
        column.outcome = match cells {
            Ok(mut cells) => {
                self.measure(&mut cells, &all.photo, fill)?;
                column.note = match unfinished {
                    Some(progress) => so_far(progress),
                    None => note(&cells, &all.columns),
                };
                Ok(cells)
            }
            Err(error) => Err(error.to_string()),
        };
        Ok(Some(column))
    }

    /// One run of the explainer, whatever that takes, as a cell for each class.
    fn cells(
        &mut self,
        explainer: &mut Explainer,
        all: &SideBySide,
        is_fine: bool,
    ) -> Result<Vec<Cell>, RuntimeError> {
        let (mut maps, mut found) = (Vec::new(), Vec::new());
        let started = Instant::now();
        let view = explainer.explain_into(self.photo, &mut maps)?;
        let (time, view) = (started.elapsed(), view.scaled(self.scale));
        let mut cells = Vec::new();
        for class in &all.classes {
            // A model that explains itself may explain more classes than were asked for.
            let Some(map) = maps.iter().find(|map| map.class_id == class.id).cloned() else { continue };
            if !is_fine {
                self.localizer.locate(std::slice::from_ref(&map), view, all.photo.size(), &mut found);
            }
            cells.push(Cell { map, view, time, areas: None, found: found.first().cloned() });
        }
        Ok(cells)
    }

    fn measure(&mut self, cells: &mut [Cell], photo: &Picture, fill: [u8; 3]) -> Result<(), ExplainerError> {
        if self.plan.steps == 0 {
            return Ok(());
        }
        for cell in cells {
            let areas = self.scorer.areas(photo, (&cell.map, cell.view), fill, self.plan.steps);
            cell.areas = areas.map_err(|source| failed(self.classifier, source))?;
        }
        Ok(())
    }
}

/// How far a method of many passes came, in the room of a column.
fn so_far(Estimate { done, of, error, .. }: Estimate) -> String {
    let error = error.map_or(String::new(), |error| format!(", error {:.0} %", 100.0 * error));
    format!("{done} of {of} passes{error}")
}

/// What strikes one about the maps of a method.
fn note(cells: &[Cell], before: &[Column]) -> String {
    let alike = |(a, b): (&Cell, &Cell)| is_proportional(&a.map.values, &b.map.values);
    let same = |column: &&Column| {
        let earlier = column.outcome.as_deref().unwrap_or_default();
        earlier.len() == cells.len() && earlier.iter().zip(cells).all(alike)
    };
    if let Some(column) = before.iter().find(same).filter(|_| !cells.is_empty()) {
        return format!("here the same as {}", column.method);
    }
    let of_no_class = cells.windows(2).all(|pair| pair[0].map.values == pair[1].map.values);
    if of_no_class && cells.len() > 1 { "the same for every class".to_owned() } else { String::new() }
}

/// Whether two maps look the same: one is the other times a positive number, up to a thousandth of the peak.
fn is_proportional(a: &[f32], b: &[f32]) -> bool {
    let peak = |values: &[f32]| values.iter().map(|value| value.abs()).fold(0.0, f32::max);
    let (peak_a, peak_b) = (peak(a), peak(b));
    let near = |(a, b): (&f32, &f32)| (a / peak_a - b / peak_b).abs() < 1e-3;
    a.len() == b.len() && peak_a > 0.0 && peak_b > 0.0 && a.iter().zip(b).all(near)
}

/// Why a method can't be had, without what the sheet's title says anyway.
fn reason(error: &ExplainerError) -> String {
    match error {
        ExplainerError::Explain { source, .. } => source.to_string(),
        ExplainerError::Encode { source, .. } => source.to_string(),
        ExplainerError::Run { source, .. } => source.to_string(),
        ExplainerError::Unfit { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// The most probable of each row's classes, each class once.
fn most_probable(rows: &[Vec<usize>], ranked: &[usize]) -> Vec<usize> {
    let rank = |class: &usize| ranked.iter().position(|ranked| ranked == class).unwrap_or(usize::MAX);
    let mut chosen = Vec::new();
    for class in rows.iter().filter_map(|row| row.iter().copied().min_by_key(rank)) {
        if !chosen.contains(&class) {
            chosen.push(class);
        }
    }
    chosen
}

/// The classes, the most probable first; of equals the one that comes first.
fn ranking(probabilities: &[f32]) -> Vec<usize> {
    let mut ranked: Vec<usize> = (0..probabilities.len()).collect();
    ranked.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    ranked
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_was_found_before_a_stop_is_kept() {
        crate::runtime::init_for_tests();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/residual.onnx");
        let classifier = Classifier::open(&file, None).unwrap();
        let byte = |at: u32| (at * 37 % 251) as u8;
        let picture = Picture::from_rgb(48, 40, (0..48 * 40 * 3).map(byte).collect()).unwrap();
        let methods = ["gradcam", "layercam", "hirescam"].map(|name| name.parse().ok()).to_vec();
        let stop = Stop::new();
        let plan = Plan { methods, steps: 1, ..Plan::default() };
        let sheet = explain_by_all(&classifier, (&picture, "waves"), &plan, &stop, |_| stop.stop()).unwrap();
        let names: Vec<&str> = sheet.columns.iter().map(|column| &*column.method).collect();
        assert_eq!(names, ["gradcam"]);
    }

    #[test]
    fn a_row_of_several_classes_takes_the_most_probable_and_no_class_comes_twice() {
        let ranked = ranking(&[0.1, 0.4, 0.2, 0.3]);
        assert_eq!(ranked, [1, 3, 2, 0]);
        assert_eq!(most_probable(&[vec![0, 3, 2], vec![3], vec![0], vec![9]], &ranked), [3, 0, 9]);
    }

    #[test]
    fn maps_that_differ_by_a_factor_look_the_same() {
        assert!(is_proportional(&[0.0, 1.0, -2.0], &[0.0, 10.0, -20.0]));
        assert!(!is_proportional(&[0.0, 1.0, -2.0], &[0.0, -1.0, 2.0]));
        assert!(!is_proportional(&[0.0, 1.0], &[0.5, 1.0]));
        assert!(!is_proportional(&[0.0, 0.0], &[0.0, 0.0]) && !is_proportional(&[1.0], &[1.0, 1.0]));
        assert!(!is_proportional(&[f32::NAN, 1.0], &[f32::NAN, 1.0]));
    }
}
