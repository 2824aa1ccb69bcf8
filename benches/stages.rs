//! What each stage of a 720p frame costs, beside the bare forward pass: `cargo bench`.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use camloc::assets::{Asset, Store};
use camloc::frame::Picture;
use camloc::localize::{Localizer, Segmentation, Segmenter};
use camloc::maps::ClassMap;
use camloc::model::{Classifier, Preprocessor};
use camloc::render::{HeatScale, Renderer, Scene, Style, TextRenderer};
use camloc::runtime::{self, Options, Session};
use camloc::view::View;
use camloc_graph::explain::{self, Request};
use camloc_graph::onnx::load::encode;
use criterion::{Criterion, criterion_group, criterion_main};

const SIZE: (u32, u32) = (1280, 720);

/// A picture with structure everywhere, so that no stage is flattered.
fn picture() -> Picture {
    let pixels = (0..SIZE.0 * SIZE.1 * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    Picture::from_rgb(SIZE.0, SIZE.1, pixels).expect("3 bytes a pixel")
}

/// A map like a classifier's: one hill.
fn map() -> ClassMap {
    let value = |i: i32| (10 - (i % 7 - 3).pow(2) - (i / 7 - 3).pow(2)) as f32;
    ClassMap {
        class_id: 0,
        score: 0.9,
        height: 7,
        width: 7,
        values: (0..49).map(value).collect(),
        bounds: None,
    }
}

fn forward(c: &mut Criterion) {
    let store = Store::open().expect("the cache");
    runtime::init(&store.get(Asset::OnnxRuntime, &mut |_| {}).expect("ONNX Runtime")).expect("ONNX Runtime");
    let mut model = Classifier::default_model(&store, &mut |_| {}).expect("the default model");
    let session = |model: &Classifier| {
        Session::load(&encode(&model.model).expect("a model"), &Options::default()).expect("a session")
    };
    let mut plain = session(&model);
    c.bench_function("forward pass", |b| b.iter(|| plain.run()));
    for top_k in [1, 5] {
        let mut explained = model.clone();
        explain::explain(&mut explained.model, &Request { top_k, ..Request::default() }).expect("a head");
        let mut explained = session(&explained);
        c.bench_function(&format!("forward pass with {top_k} maps"), |b| b.iter(|| explained.run()));
    }
    let mut input = vec![0.0; 3 * 224 * 224];
    let mut preprocessor = Preprocessor::new(&model.preprocessing);
    let frame = picture();
    c.bench_function("preprocess 720p", |b| b.iter(|| black_box(preprocessor.run(&frame, &mut input))));
    model.preprocessing.fit = camloc::model::Fit::Squash;
    let mut preprocessor = Preprocessor::new(&model.preprocessing);
    c.bench_function("preprocess 720p, squashed", |b| {
        b.iter(|| black_box(preprocessor.run(&frame, &mut input)))
    });
}

fn after_the_model(c: &mut Criterion) {
    let (frame, map) = (picture(), map());
    let view = View::whole(SIZE.0, SIZE.1);
    let mut localizer = Localizer::default();
    let mut found = Vec::new();
    c.bench_function("localize one class", |b| {
        b.iter(|| localizer.locate(std::slice::from_ref(&map), view, SIZE, &mut found));
    });
    let (settings, mut pixels) = (localizer.settings, Segmentation::default());
    for (name, edges) in [("masks 720p", true), ("masks 720p without edges", false)] {
        let mut segmenter = Segmenter::new(edges);
        c.bench_function(name, |b| {
            let maps = std::slice::from_ref(&map);
            b.iter(|| segmenter.segment(maps, &settings, &found, view, &frame, &mut pixels));
        });
    }
    let mut renderer = Renderer::new(HeatScale::live(), TextRenderer::new());
    let mut out = Picture::black(SIZE.0, SIZE.1);
    let scene = Scene { source: &frame, view, heat: &[&map], marks: &[], time: Duration::ZERO };
    c.bench_function("overlay 720p", |b| b.iter(|| renderer.draw(&scene, &Style::default(), &mut out)));
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(4)).warm_up_time(Duration::from_secs(1));
    targets = forward, after_the_model
}
criterion_main!(benches);
