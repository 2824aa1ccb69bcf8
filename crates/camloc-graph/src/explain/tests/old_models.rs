//! Models of operator sets before ours, which are brought forward first.

use super::*;

/// As exporters wrote in 2018: initializers are inputs, limits of `Clip` are attributes.
#[test]
fn an_old_model_is_brought_forward() {
    let mut classifier = pooled_gemm().opset(8);
    classifier
        .nodes
        .insert(0, op("Clip", &["features"], "clipped", vec![float("min", 0.1), float("max", 0.6)]));
    classifier.nodes[1].input[0] = "clipped".into();
    let plain = classifier.model();
    let mut old = plain.clone();
    old.ir_version = Some(3);
    let inputs = &mut old.graph.as_mut().unwrap().input;
    inputs.push(value_info(
        "weight",
        DataType::Float,
        &[Dim::Fixed(CLASSES as i64), Dim::Fixed(CHANNELS as i64)],
    ));
    inputs.push(value_info("bias", DataType::Float, &[Dim::Fixed(CLASSES as i64)]));

    let mut explained = old;
    explain(&mut explained, &Request { top_k: 1, ..Default::default() }).unwrap();
    let shape = [BATCH, CHANNELS, HEIGHT, WIDTH];
    let after = run(&explained, Some(&[4]), &shape);
    let before = run(&plain, None, &shape);
    assert_eq!(after.floats("logits").1, before.floats("logits").1);
    let expected: Vec<f32> = (0..PLACES)
        .map(|place| {
            let at = |channel| feature(0, channel, place).clamp(0.1, 0.6);
            (0..CHANNELS).map(|channel| weights()[4 * CHANNELS + channel] * at(channel)).sum()
        })
        .collect();
    assert_near(&after.floats("camloc.maps").1[..PLACES], &expected);
}

#[test]
fn what_an_old_model_offers_is_what_it_can_be_asked_for() {
    let mut classifier = pooled_gemm().opset(8);
    let limits = vec![float("min", 0.1), float("max", 0.6)];
    classifier.nodes.insert(0, op("Clip", &["features"], "clipped", limits));
    classifier.nodes[1].input[0] = "clipped".into();
    let (old, request) = (classifier.fixed().model(), Request { top_k: 1, ..Request::default() });
    let crate::explain::Inspection { methods, .. } = crate::explain::inspect(&old.clone(), &request).unwrap();
    for (method, offered) in &methods {
        let done = explain(&mut old.clone(), &Request { method: Some(*method), ..request.clone() });
        assert_eq!(offered.is_ok(), done.is_ok(), "{method}: {offered:?}, {done:?}");
    }
    assert!(methods.iter().filter(|(_, offered)| offered.is_ok()).count() > 10, "{methods:?}");
}

#[test]
fn what_cannot_be_brought_forward_is_named() {
    let mut classifier = pooled_gemm().opset(8);
    classifier.nodes.insert(0, op("Crop", &["features", "scales"], "larger", vec![]));
    classifier.nodes[1].input[0] = "larger".into();
    classifier.constants.push(f32_tensor("scales", &[4], &[1.0; 4]));
    let mut model = classifier.model();
    let before = model.clone();
    let error = explain(&mut model, &Request { top_k: 1, ..Default::default() }).unwrap_err();
    let ExplainError::OldOperators(error) = error else { panic!("{error}") };
    assert_eq!((error.opset, error.operator.as_str()), (8, "Crop"));
    assert_eq!(model, before);
}
