//! What the methods of many passes cost, beside as many pictures through the bare network in batches:
//! `cargo bench --bench black_box`. Everything is measured in turns in one run, and the medians are printed.
#![allow(missing_docs)]

use std::time::{Duration, Instant};

use camloc::assets::{Asset, Store};
use camloc::black_box::{self, Method};
use camloc::maps::ClassMap;
use camloc::model::Classifier;
use camloc::runtime::{self, Options, Session};
use camloc::source::read_photo;
use camloc::{Explainer, Request};
use camloc_graph::onnx::load::encode;

const ROUNDS: usize = 5;

fn main() {
    let store = Store::open().expect("the cache");
    runtime::init(&store.get(Asset::OnnxRuntime, &mut |_| {}).expect("ONNX Runtime")).expect("ONNX Runtime");
    let model = Classifier::default_model(&store, &mut |_| {}).expect("the default model");
    let photos = store.get(Asset::SamplePhotos, &mut |_| {}).expect("the sample photos");
    let photo = read_photo(&photos.join("chelsea.png")).expect("a cat");
    let options = Options::default();
    let batch = 2 * options.thread_count();
    let shape = Some(model.preprocessing.input_shape(batch));
    let bytes = encode(&model.model).expect("a model");
    let mut bare = Session::load(&bytes, &Options { shape, ..options.clone() }).expect("a session");
    let explainer = |method: Method, channels: Option<usize>| {
        let asked = black_box::Settings { channels, ..black_box::Settings::default() };
        let request =
            Request { top_k: 1, method: Some(method.into()), black_box: asked, ..Request::default() };
        Explainer::new(model.clone(), &request, &options).expect("a classifier")
    };
    let mut runs = [
        ("occlusion, 14x14 patches", explainer(Method::Occlusion, None)),
        ("RISE, 1000 masks", explainer(Method::Rise, None)),
        ("Score-CAM, all channels", explainer(Method::ScoreCam, None)),
        ("Score-CAM, 64 channels", explainer(Method::ScoreCam, Some(64))),
        ("Ablation-CAM, all channels", explainer(Method::AblationCam, None)),
    ];
    let mut times = vec![Vec::new(); runs.len()];
    let mut bares = vec![Vec::new(); runs.len()];
    let mut maps = vec![Vec::<ClassMap>::new(); runs.len()];
    for _ in 0..ROUNDS {
        for (at, (_, explainer)) in runs.iter_mut().enumerate() {
            bares[at].push(a_picture(&mut bare, batch));
            let began = Instant::now();
            explainer.explain_into(&photo, &mut maps[at]).expect("maps");
            times[at].push(began.elapsed());
            bares[at].push(a_picture(&mut bare, batch));
        }
    }
    println!("batches of {batch}, {} threads; medians of {ROUNDS} rounds", options.thread_count());
    println!("{:28} {:>7} {:>9} {:>9} {:>18}", "", "passes", "seconds", "ms bare", "passes' bare cost");
    for (at, (name, explainer)) in runs.iter_mut().enumerate() {
        let passes = explainer.progress().map_or(0, |progress| progress.of);
        let (time, bare) = (median(&mut times[at]), median(&mut bares[at]));
        let ratio = time.as_secs_f64() / (passes as f64 * bare.as_secs_f64());
        let (seconds, bare) = (time.as_secs_f64(), 1e3 * bare.as_secs_f64());
        println!("{name:28} {passes:>7} {seconds:>9.3} {bare:>9.2} {ratio:>17.2}x");
    }
    println!(
        "correlation of Score-CAM by 64 channels with all: {:.3}",
        correlation(&maps[3][0], &maps[2][0])
    );
}

/// The time that a picture takes in a batch of the bare network.
fn a_picture(session: &mut Session, batch: usize) -> Duration {
    let began = Instant::now();
    let runs = 16_u32.div_ceil(batch as u32);
    for _ in 0..runs {
        session.run().expect("a pass");
    }
    began.elapsed() / (runs * batch as u32)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn correlation(a: &ClassMap, b: &ClassMap) -> f64 {
    let mean =
        |map: &ClassMap| map.values.iter().map(|&v| f64::from(v)).sum::<f64>() / map.values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let pairs =
        || a.values.iter().zip(&b.values).map(|(&a, &b)| (f64::from(a) - mean_a, f64::from(b) - mean_b));
    let along: f64 = pairs().map(|(a, b)| a * b).sum();
    let (of_a, of_b): (f64, f64) = (pairs().map(|(a, _)| a * a).sum(), pairs().map(|(_, b)| b * b).sum());
    along / (of_a * of_b).sqrt()
}
