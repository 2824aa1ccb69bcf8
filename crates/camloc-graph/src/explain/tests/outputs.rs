//! Outputs that are no list of classes, and maps of several layers.

use super::*;

/// The maps of the one value at `index` of `output`, by a method.
fn maps_of(classifier: &Classifier, output: &str, index: &[usize], method: Method) -> (Vec<f32>, Vec<f32>) {
    let mut model = classifier.model();
    let request = Request {
        top_k: 1,
        output: Some(output.into()),
        index: index.to_vec(),
        method: Some(method),
        ..Default::default()
    };
    explain(&mut model, &request).unwrap();
    // A session sets the targets to "by rank"; their default in the file is the place asked for.
    let targets = &model.graph.as_ref().unwrap().initializer;
    let targets = targets.iter().find(|tensor| tensor.name() == "camloc.targets").unwrap();
    let place = crate::onnx::tensor::ints(targets).unwrap();
    let session = run(&model, Some(&place), &[BATCH, CHANNELS, HEIGHT, WIDTH]);
    let maps = session.floats("camloc.maps").1.to_vec();
    let unlocked = run(&model, None, &[BATCH, CHANNELS, HEIGHT, WIDTH]);
    assert_eq!(unlocked.floats("camloc.maps").1, maps, "-1 stands for the place asked for");
    (maps, session.floats("camloc.scores").1.to_vec())
}

#[test]
fn a_regressors_number_is_explained() {
    let weight = f32_tensor("weight", &[1, CHANNELS as i64], &noise(CHANNELS, 11));
    let nodes = vec![
        op("GlobalAveragePool", &["features"], "gap", vec![]),
        op("Flatten", &["gap"], "flat", vec![]),
        op("Gemm", &["flat", "weight"], "age", vec![int("transB", 1)]),
    ];
    let regressor = Classifier::new(vec![weight], nodes).output("age", &[1]);
    let (maps, scores) = maps_of(&regressor, "age", &[0], Method::GradCam);
    let weights = noise(CHANNELS, 11);
    let map = |picture: usize, place: usize| -> f32 {
        let products = (0..CHANNELS).map(|channel| weights[channel] * feature(picture, channel, place));
        products.sum::<f32>() / PLACES as f32
    };
    for picture in 0..BATCH {
        let expected: Vec<f32> = (0..PLACES).map(|place| map(picture, place)).collect();
        assert_near(&maps[picture * PLACES..][..PLACES], &expected);
        assert_near(&scores[picture..=picture], &[expected.iter().sum()]);
    }
}

#[test]
fn a_detectors_score_of_one_anchor_looks_at_its_place() {
    let nodes = vec![
        op("Conv", &["features", "weight"], "grid", vec![]),
        op("Transpose", &["grid"], "last", vec![ints("perm", &[0, 2, 3, 1])]),
        op("Reshape", &["last", "anchors"], "boxes", vec![]),
    ];
    let anchors = i64_tensor("anchors", &[3], &[0, PLACES as i64, CLASSES as i64]);
    let detector = Classifier::new(vec![pointwise(), anchors], nodes)
        .fixed()
        .output("boxes", &[PLACES as i64, CLASSES as i64]);
    let (anchor, class) = (7, 2);
    let (maps, scores) = maps_of(&detector, "boxes", &[anchor, class], Method::HiResCam);
    for picture in 0..BATCH {
        let alone = cam(class, picture, anchor);
        let expected: Vec<f32> = (0..PLACES).map(|place| if place == anchor { alone } else { 0.0 }).collect();
        assert_near(&maps[picture * PLACES..][..PLACES], &expected);
        assert_near(&scores[picture..=picture], &[alone]);
    }
}

#[test]
fn an_answer_to_a_question_is_explained_by_where_it_was_seen() {
    // The question has become a constant, as `--input` makes of it: two words of a vocabulary of five.
    let words = f32_tensor("words", &[5, CHANNELS as i64], &noise(5 * CHANNELS, 13));
    let question = i64_tensor("question", &[2], &[4, 1]);
    let axis = i64_tensor("axis", &[1], &[0]);
    let nodes = vec![
        op("Gather", &["words", "question"], "embedded", vec![]),
        op("ReduceSum", &["embedded", "axis"], "asked", vec![]),
        op("GlobalAveragePool", &["features"], "gap", vec![]),
        op("Flatten", &["gap"], "seen", vec![]),
        op("Mul", &["seen", "asked"], "joined", vec![]),
        op("Gemm", &["joined", "weight", "bias"], "answers", vec![int("transB", 1)]),
    ];
    let network = Classifier::new(vec![words, question, axis, by_class(), bias()], nodes)
        .output("answers", &[CLASSES as i64]);
    let (maps, _) = maps_of(&network, "answers", &[5], Method::GradCam);
    let (weights, words) = (weights(), noise(5 * CHANNELS, 13));
    let asked = |channel: usize| words[4 * CHANNELS + channel] + words[CHANNELS + channel];
    let map = |picture: usize, place: usize| -> f32 {
        let product =
            |channel| weights[5 * CHANNELS + channel] * asked(channel) * feature(picture, channel, place);
        (0..CHANNELS).map(product).sum::<f32>() / PLACES as f32
    };
    let expected: Vec<f32> = (0..BATCH * PLACES).map(|at| map(at / PLACES, at % PLACES)).collect();
    assert_near(&maps, &expected);
}

#[test]
fn maps_of_several_layers_become_one() {
    let model = pooled_gemm().fixed().model();
    let layers = ["features", "x"].map(str::to_owned).to_vec();
    for (fusion, join) in
        [(Fusion::Mean, (|a, b| (a + b) / 2.0) as fn(f32, f32) -> f32), (Fusion::Max, f32::max)]
    {
        let mut fused = model.clone();
        let request = |layers: &[String]| Request {
            top_k: 1,
            method: Some(Method::HiResCam),
            layers: layers.to_vec(),
            fusion,
            ..Default::default()
        };
        explain(&mut fused, &request(&layers)).unwrap();
        let shape = [BATCH, CHANNELS, HEIGHT, WIDTH];
        let both = run(&fused, None, &shape).floats("camloc.maps").1.to_vec();
        let alone = |layer: &String| {
            let mut one = model.clone();
            explain(&mut one, &request(std::slice::from_ref(layer))).unwrap();
            run(&one, None, &shape).floats("camloc.maps").1.to_vec()
        };
        let alone: Vec<Vec<f32>> = layers.iter().map(alone).collect();
        for picture in 0..BATCH {
            let part = |maps: &[f32]| -> Vec<f32> {
                let map: Vec<f32> =
                    maps[picture * PLACES..][..PLACES].iter().map(|value| value.max(0.0)).collect();
                let most = map.iter().copied().fold(0.0, f32::max) + 1e-7;
                map.into_iter().map(|value| value / most).collect()
            };
            let expected: Vec<f32> =
                part(&alone[0]).into_iter().zip(part(&alone[1])).map(|(a, b)| join(a, b)).collect();
            assert_near(&both[picture * PLACES..][..PLACES], &expected);
        }
    }
}
