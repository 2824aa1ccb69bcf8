//! What may be asked of a model, and what an explained one says of itself.

use super::*;

#[test]
fn a_single_logit_is_scored_by_its_sigmoid() {
    let nodes = vec![
        op("GlobalAveragePool", &["features"], "gap", vec![]),
        op("Flatten", &["gap"], "flat", vec![]),
        op("Gemm", &["flat", "weight"], "logits", vec![int("transB", 1)]),
    ];
    let weight = f32_tensor("weight", &[1, CHANNELS as i64], &weights()[..CHANNELS]);
    let mut model = Classifier::new(vec![weight], nodes).output("logits", &[1]).model();
    explain(&mut model, &Request { top_k: 5, ..Default::default() }).unwrap();
    let session = run(&model, None, &[BATCH, CHANNELS, HEIGHT, WIDTH]);
    assert_eq!(session.integers("camloc.classes"), (&[BATCH, 1][..], &[0, 0][..]));
    let logits = session.floats("logits").1;
    let sigmoid: Vec<f32> = logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
    assert_near(session.floats("camloc.scores").1, &sigmoid);
    let expected: Vec<f32> = (0..PLACES).map(|place| cam(0, 0, place)).collect();
    assert_near(&session.floats("camloc.maps").1[..PLACES], &expected);
}

#[test]
fn one_of_more_classes_than_a_file_lists_is_chosen_as_well() {
    const SIDE: usize = 513;
    // Every place is a class of its own.
    let flat = vec![op("Flatten", &["features"], "logits", vec![])];
    let mut classifier = Classifier::new(vec![], flat).output("logits", &[(SIDE * SIDE) as i64]);
    classifier.dims[1..].copy_from_slice(&[1, SIDE as i64, SIDE as i64].map(Dim::Fixed));
    let mut model = classifier.model();
    explain(&mut model, &Request { top_k: 2, method: Some(Method::Gradient), ..Default::default() }).unwrap();
    let session = run(&model, None, &[1, 1, SIDE, SIDE]);
    let picture = noise(SIDE * SIDE, 3);
    let mut ranks: Vec<usize> = (0..SIDE * SIDE).collect();
    ranks.sort_by(|&a, &b| picture[b].total_cmp(&picture[a]));
    let best = [ranks[0] as i64, ranks[1] as i64];
    assert_eq!(session.integers("camloc.classes").1, best);
    let maps = session.floats("camloc.maps").1;
    for (map, &place) in maps.chunks(SIDE * SIDE).zip(&ranks) {
        assert_eq!((map[place], map.iter().sum()), (1.0, 1.0));
    }
}

#[test]
fn a_request_must_fit_the_model() {
    let ask = |top_k, targets: &[usize], output: Option<&str>| {
        let request = Request {
            top_k,
            targets: targets.to_vec(),
            output: output.map(str::to_owned),
            ..Default::default()
        };
        explain(&mut pooled_gemm().model(), &request).map(|_| ())
    };
    assert_eq!(ask(0, &[], None), Err(ExplainError::NothingAsked));
    assert_eq!(ask(1, &[2, 6], None), Err(ExplainError::NoSuchClass { target: 6, classes: 6 }));
    let missing = ExplainError::NoSuchOutput { output: "top".into(), outputs: "logits".into() };
    assert_eq!(ask(1, &[], Some("top")), Err(missing));
    assert_eq!(ask(1, &[2, 5], Some("logits")), Ok(()));
}

#[test]
fn locked_classes_are_the_default_of_an_exported_model() {
    let mut model = pooled_gemm().model();
    explain(&mut model, &Request { top_k: 1, targets: vec![4, 0], ..Default::default() }).unwrap();
    let graph = model.graph.unwrap();
    let targets = graph.initializer.iter().find(|tensor| tensor.name() == "camloc.targets").unwrap();
    assert_eq!(crate::onnx::tensor::ints(targets), Some(vec![4, 0]));
    assert!(graph.input.iter().any(|input| input.name() == "camloc.targets"));
}

#[test]
fn a_model_is_explained_once() {
    let mut model = pooled_gemm().model();
    let request = Request { top_k: 1, ..Default::default() };
    explain(&mut model, &request).unwrap();
    let once = model.clone();
    let error = explain(&mut model, &request).unwrap_err();
    assert_eq!(error, ExplainError::AlreadyExplained { tensor: "camloc.targets".into() });
    assert_eq!(model, once);
}

#[test]
fn an_explained_model_says_what_it_is() {
    let mut model = pooled_gemm().model();
    explain(&mut model, &Request { top_k: 1, ..Default::default() }).unwrap();
    let said: Vec<_> = model.metadata_props.iter().map(|entry| (entry.key(), entry.value())).collect();
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        ("camloc.method", "cam"),
        ("camloc.layer", "features"),
        ("camloc.class_count", "6"),
        ("camloc.version", version),
    ];
    assert_eq!(said, expected);
}

#[test]
fn all_that_is_added_is_used() {
    let mut maps = vec![op("Conv", &["features", "weight"], "maps", vec![])];
    maps.extend([
        op("GlobalAveragePool", &["maps"], "gap", vec![]),
        op("Flatten", &["gap"], "logits", vec![]),
    ]);
    let class_maps = || Classifier::new(vec![pointwise()], maps.clone());
    for classifier in [pooled_gemm(), pooled_gemm().fixed(), class_maps(), class_maps().fixed()] {
        for method in Method::all().map(Some).chain([None]) {
            let mut model = classifier.model();
            let request = Request { top_k: 2, method, ..Default::default() };
            match explain(&mut model, &request) {
                Ok(_) => assert_all_used(&model),
                Err(error) => assert!(matches!(error, ExplainError::NotForLayer { .. }), "{error}"),
            }
        }
    }
}
