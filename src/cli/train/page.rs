//! What came of a training, as a page: how it went, what is taken for what, and where the model looks.

use std::path::Path;

use crate::eval::metrics::Rect;
use crate::eval::report::{Chart, Fault, Gallery, Report, Score, Series, Table, Thumbnail, Unit};
use crate::eval::statistics::{Bootstrap, Units};
use crate::explainer::Explainer;
use crate::explainer::Request;
use crate::localize::{Detection, Localizer};
use crate::model::Classifier;
use crate::render::{HeatScale, Renderer, TextRenderer};
use crate::runtime::Options;
use crate::source::read_photo;
use crate::train::{Epoch, Judged, Plan, Trained};
use anyhow::Result;

use crate::cli::eval::{page::command, pictures::draw};

/// Pictures of each class, and mistakes, that are shown.
const SHOWN: usize = 6;
const MISTAKES: usize = 12;

/// Colours of what was found as it is, and as something else, as slots of classes.
const RIGHT: usize = 0;
const WRONG: usize = 1;

/// The page about a training whose model was written to `file`.
pub(super) fn page(trained: &Trained, plan: &Plan<'_>, file: &Path, localizer: Localizer) -> Result<Report> {
    let explainer = Explainer::new(
        Classifier::open(file, None)?,
        &Request { top_k: 1, refine: true, ..Request::default() },
        &Options::default(),
    )?;
    let mut thumbnailer = Thumbnailer {
        explainer,
        localizer,
        renderer: Renderer::new(HeatScale::still(), TextRenderer::new()),
        plan,
    };
    let mut galleries = Vec::new();
    for (class, name) in plan.dataset.classes.iter().enumerate() {
        let right = trained.held_out.iter().filter(|judged| judged.item.class == class && judged.is_right());
        let shown = match right.clone().count() {
            more if more > SHOWN => format!(", {SHOWN} of the {more} that are right"),
            _ => String::new(),
        };
        galleries.push(Gallery {
            title: format!("Held out: {name}{shown}"),
            pictures: thumbnailer.thumbnails(right.take(SHOWN))?,
        });
    }
    let mut wrong: Vec<&Judged> = trained.held_out.iter().filter(|judged| !judged.is_right()).collect();
    let sureness = |judged: &Judged| judged.probabilities[judged.predicted()];
    wrong.sort_by(|a, b| sureness(b).total_cmp(&sureness(a)));
    galleries.push(Gallery {
        title: "Worst mistakes".to_owned(),
        pictures: thumbnailer.thumbnails(wrong.into_iter().take(MISTAKES))?,
    });
    Ok(Report {
        title: thumbnailer.explainer.title().to_owned(),
        summary: format!(
            "{} head on {} behind {}, learned from the labels of {} pictures, checked on {} held-out ones",
            plan.settings.head,
            plan.backbone.title(),
            plan.backbone.layer(),
            trained.learned,
            trained.held_out.len()
        ),
        scores: accuracy(trained, plan).into_iter().collect(),
        charts: curves(&trained.epochs),
        galleries,
        tables: vec![confusion(trained, plan)],
        faults: unreadable(trained).into_iter().collect(),
        settings: settings(trained, plan),
        command: command(),
        ..Report::default()
    })
}

/// The trained model, and how its answers are drawn.
struct Thumbnailer<'a> {
    explainer: Explainer,
    localizer: Localizer,
    renderer: Renderer,
    plan: &'a Plan<'a>,
}

impl Thumbnailer<'_> {
    /// Pictures with the heat and the boxes of what they were taken for; one whose file is gone is left out.
    fn thumbnails<'a>(&mut self, pictures: impl Iterator<Item = &'a Judged>) -> Result<Vec<Thumbnail>> {
        let classes = &self.plan.dataset.classes;
        let mut thumbnails = Vec::new();
        let (mut maps, mut found) = (Vec::new(), Vec::new());
        for judged in pictures {
            let Ok(picture) = read_photo(&judged.item.path) else { continue };
            let said = judged.predicted();
            let view = self.explainer.explain_class(&picture, Some(said), &mut maps)?;
            self.localizer.locate(&maps, view, picture.size(), &mut found);
            let Some(map) = maps.first() else { continue };
            let colour = if judged.is_right() { RIGHT } else { WRONG };
            let boxes: Vec<_> = found.iter().map(|one| (rect(one), colour, classes[said].as_str())).collect();
            let jpeg = draw(&mut self.renderer, &picture, view, map, &boxes)?;
            let sure = 100.0 * judged.probabilities[said];
            let caption = if judged.is_right() {
                format!("{} {sure:.0} %", classes[said])
            } else {
                format!("{} taken for {}, {sure:.0} %", classes[judged.item.class], classes[said])
            };
            thumbnails.push(Thumbnail { name: judged.item.name.clone(), caption, jpeg });
        }
        Ok(thumbnails)
    }
}

fn rect(found: &Detection) -> Rect {
    let [x0, y0, x1, y1] = [found.bbox.x0, found.bbox.y0, found.bbox.x1, found.bbox.y1].map(f64::from);
    Rect { x0, y0, x1, y1 }
}

/// The share of held-out pictures that are right, beside what the commonest class alone would have.
fn accuracy(trained: &Trained, plan: &Plan<'_>) -> Option<Score> {
    let right: Vec<f64> =
        trained.held_out.iter().map(|judged| f64::from(u8::from(judged.is_right()))).collect();
    let count = |class| trained.held_out.iter().filter(|judged| judged.item.class == class).count();
    let most = (0..plan.dataset.classes.len()).map(count).max().unwrap_or(0);
    Some(Score {
        name: "Accuracy".to_owned(),
        meaning: "held-out pictures whose folder is the most probable class".to_owned(),
        interval: Bootstrap::default().mean(&right, &Units::each(right.len()))?,
        unit: Unit::Share,
        less_is_better: false,
        baselines: vec![("commonest class".to_owned(), most as f64 / right.len() as f64)],
    })
}

fn curves(epochs: &[Epoch]) -> Vec<Chart> {
    let line = |name: &str, value: fn(&Epoch) -> f64| Series {
        name: name.to_owned(),
        points: epochs.iter().map(|epoch| (epoch.number as f64, value(epoch))).collect(),
    };
    let length = epochs.len().max(2) as f64;
    let along = || "epoch".to_owned();
    let losses =
        vec![line("learned from", |epoch| epoch.loss), line("held out", |epoch| epoch.held_out_loss)];
    let highest = epochs.iter().map(|epoch| epoch.loss.max(epoch.held_out_loss)).fold(0.1, f64::max);
    let accuracies = vec![line("held out", |epoch| epoch.accuracy)];
    vec![
        Chart { title: "Loss".to_owned(), along: along(), length, height: Some(highest), series: losses },
        Chart { title: "Accuracy".to_owned(), along: along(), length, height: None, series: accuracies },
    ]
}

/// How many pictures of each class were taken for each.
fn confusion(trained: &Trained, plan: &Plan<'_>) -> Table {
    let classes = &plan.dataset.classes;
    let cell = |shown: usize, said: usize| {
        trained
            .held_out
            .iter()
            .filter(|judged| judged.item.class == shown && judged.predicted() == said)
            .count()
    };
    Table {
        title: "What was taken for what".to_owned(),
        columns: std::iter::once("shows")
            .chain(classes.iter().map(String::as_str))
            .map(str::to_owned)
            .collect(),
        rows: classes
            .iter()
            .enumerate()
            .map(|(shown, name)| {
                let cells = (0..classes.len()).map(|said| cell(shown, said).to_string());
                std::iter::once(name.clone()).chain(cells).collect()
            })
            .collect(),
    }
}

fn unreadable(trained: &Trained) -> Option<Fault> {
    let count = trained.unreadable.len();
    let examples = trained.unreadable.iter().take(5).map(|(_, error)| error.to_string()).collect();
    (count > 0).then(|| Fault { kind: "picture that can't be read".to_owned(), count, examples })
}

fn settings(trained: &Trained, plan: &Plan<'_>) -> Vec<(String, String)> {
    let [channels, rows, columns] = plan.backbone.shape();
    let settings = plan.settings;
    [
        ("head", settings.head.to_string()),
        ("layer", format!("{}, {channels} channels on {rows} x {columns} places", plan.backbone.layer())),
        ("width", settings.width.to_string()),
        ("delta", settings.delta.to_string()),
        ("epochs", format!("{}, the best was {}", trained.epochs.len(), trained.best)),
        ("learning rate", settings.learning_rate.to_string()),
        ("held out", settings.held_out.to_string()),
        ("seed", settings.seed.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
