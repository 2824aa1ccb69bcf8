//! Small pictures of how well single boxes fit, for the page.

use std::time::Duration;

use crate::dataset::Dataset;
use crate::eval::metrics::Rect;
use crate::eval::record::Record;
use crate::eval::report::Thumbnail;
use crate::frame::Picture;
use crate::maps::ClassMap;
use crate::picture::{shrunk, write_jpeg};
use crate::render::{HeatScale, Mark, Renderer, Scene, Style, TextRenderer};
use crate::source::read_photo;
use crate::view::View;
use anyhow::{Result, anyhow};

use super::Evaluation;

/// Greatest side of a thumbnail.
const SIDE: u32 = 320;
const JPEG_QUALITY: u8 = 80;
/// Colours of the box that was found and of the true ones, as slots of classes.
const FOUND: usize = 0;
const TRUTH: usize = 2;

/// The pictures of some records with heat and boxes; one whose file is gone meanwhile is left out. The heat is that of
/// the picture alone, boxes are those of the record.
pub(super) fn thumbnails(
    evaluation: &Evaluation<'_>,
    dataset: &Dataset,
    records: &[&Record],
) -> Result<Vec<Thumbnail>> {
    let mut renderer = Renderer::new(HeatScale::still(), TextRenderer::new());
    let mut maps = Vec::new();
    let mut thumbnails = Vec::new();
    for record in records {
        let Some(sample) = dataset.samples.iter().find(|sample| sample.name == record.name) else { continue };
        let Ok(picture) = read_photo(&sample.picture) else { continue };
        let mut explainer = evaluation.explainer.lock().map_err(|_| anyhow!("the model is lost"))?;
        let view = explainer.explain_class(&picture, Some(record.explained), &mut maps)?;
        drop(explainer);
        let Some(map) = maps.first() else { continue };
        let found = record.bbox.iter().map(|bbox| (*bbox, FOUND, "found"));
        let marks: Vec<_> = found.chain(record.truth.iter().map(|bbox| (*bbox, TRUTH, "true"))).collect();
        let jpeg = draw(&mut renderer, &picture, view, map, &marks)?;
        let caption = format!("{}, IoU {:.2}", record.class, record.iou);
        thumbnails.push(Thumbnail { name: record.name.clone(), caption, jpeg });
    }
    Ok(thumbnails)
}

/// A small picture with heat and boxes, as the bytes of a JPEG file; each box has a colour and a word.
pub(in crate::cli) fn draw(
    renderer: &mut Renderer,
    picture: &Picture,
    view: View,
    map: &ClassMap,
    boxes: &[(Rect, usize, &str)],
) -> Result<Vec<u8>> {
    let (small, scale) = shrunk(picture, SIDE);
    let view = view.scaled(scale);
    let edge = |v: f64| (v * scale).round() as u32;
    let marks: Vec<Mark> = boxes
        .iter()
        .map(|&(bbox, class_slot, text)| {
            let bbox = (edge(bbox.x0), edge(bbox.y0), edge(bbox.x1), edge(bbox.y1));
            Mark { bbox, peak: (bbox.0, bbox.1), outline: &[], class_slot, text }
        })
        .collect();
    let scene = Scene { source: &small, view, heat: &[map], marks: &marks, time: Duration::ZERO };
    let mut out = Picture::black(small.width(), small.height());
    renderer.draw(&scene, &Style::default(), &mut out);
    let mut jpeg = Vec::new();
    write_jpeg(&out, JPEG_QUALITY, &mut jpeg)?;
    Ok(jpeg)
}
