//! The default model, from the package to its logits, as a program gets them.
#![allow(missing_docs)]

use camloc::assets::{Asset, Store};
use camloc::model::{Classifier, lite0};
use camloc::runtime::{ExplainedSession, Options, Session, init};
use camloc_graph::explain::{Request, explain};
use camloc_graph::onnx::load::encode;

/// A picture made of waves: `[1, 3, 224, 224]`.
fn waves() -> impl Iterator<Item = f32> {
    (1..=3).flat_map(|channel| {
        (0..224).flat_map(move |y| {
            (0..224).map(move |x| (f64::from((y + 1) * (x + 2) * channel) * 0.001).sin() as f32)
        })
    })
}

#[test]
fn the_logits_are_those_of_the_torch_model() {
    let store = Store::open().unwrap();
    let file = lite0::file(&store, &mut |_| ()).unwrap();
    assert_eq!(lite0::cached(&store), Some(file.clone()));
    let classifier = Classifier::open(&file, None).unwrap();
    assert_eq!(classifier.assumptions(), None);

    init(&store.get(Asset::OnnxRuntime, &mut |_| ()).unwrap()).unwrap();
    let mut session = Session::load(&std::fs::read(&file).unwrap(), &Options::default()).unwrap();
    session.input_mut().iter_mut().zip(waves()).for_each(|(pixel, value)| *pixel = value);
    session.run().unwrap();

    // Of the file that agrees with torch within 6e-6 on photos.
    let (shape, logits) = session.floats("logits").unwrap();
    assert_eq!(shape, [1, 1000]);
    let golden = [
        (506, 12.70787),
        (723, 6.206699),
        (446, 5.73463),
        (806, 5.679058),
        (767, 5.625469),
        (0, 0.427937),
        (282, 0.577926),
        (999, -0.360835),
    ];
    for (class, expected) in golden {
        assert!((logits[class] - expected).abs() < 1e-4, "class {class}: {} for {expected}", logits[class]);
    }
    assert!((logits.iter().sum::<f32>() + 121.5249).abs() < 0.01);
}

#[test]
fn the_map_is_the_closed_form_of_cam_to_four_decimals() {
    let store = Store::open().unwrap();
    init(&store.get(Asset::OnnxRuntime, &mut |_| ()).unwrap()).unwrap();
    let mut model = Classifier::default_model(&store, &mut |_| ()).unwrap().model;
    explain(&mut model, &Request { top_k: 2, ..Request::default() }).unwrap();
    let mut session = ExplainedSession::load(&encode(&model).unwrap(), &Options::default()).unwrap();
    session.input_mut().iter_mut().zip(waves()).for_each(|(pixel, value)| *pixel = value);
    let mut maps = [Vec::new()];
    session.explain(&mut maps).unwrap();
    let [maps] = maps;

    // Row 506 of the linear layer times the features, in f64 by NumPy.
    #[rustfmt::skip]
    let golden = [
        1.2688, 1.8922, 4.3569, 5.0530, 5.3610, 6.7331, 2.3776,
        3.0390, 5.8918, 10.4990, 10.5873, 9.0799, 10.7190, 5.9961,
        6.5346, 13.7305, 14.6192, 14.6280, 11.0084, 18.5790, 7.4294,
        7.5435, 18.0487, 19.8560, 19.1717, 11.5725, 21.9420, 6.7161,
        9.1830, 18.2155, 22.4301, 20.6321, 12.2016, 20.3715, 7.9252,
        9.5030, 17.0976, 26.4803, 26.9956, 24.5745, 26.7674, 13.8356,
        5.9858, 12.3118, 17.2000, 15.3708, 15.4574, 18.7651, 5.7458,
    ];
    assert_eq!((maps.len(), maps[0].class_id, maps[0].height, maps[0].width), (2, 506, 7, 7));
    for (value, expected) in maps[0].values.iter().zip(golden) {
        assert!((value - expected).abs() < 1e-4 * 27.0, "{value} for {expected}");
    }
    assert!(maps[0].score > maps[1].score && maps[1].class_id == 723);
}
