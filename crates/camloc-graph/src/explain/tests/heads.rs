//! The heads that have a closed form, as exporters write them, and the one that has none.

use super::*;

#[test]
fn cam_of_a_model_of_unknown_size() {
    let explanation = check(&pooled_gemm(), cam);
    assert_eq!((explanation.method.name(), explanation.layer.as_str()), ("cam", "features"));
    assert_eq!((explanation.classes, explanation.map_size), (CLASSES, None));
}

#[test]
fn cam_of_a_model_of_fixed_size() {
    assert_eq!(check(&pooled_gemm().fixed(), cam).map_size, Some((HEIGHT, WIDTH)));
}

#[test]
fn cam_in_older_and_newer_operator_sets() {
    for opset in [11, 12, 13, 18, 21] {
        check(&pooled_gemm().opset(opset), cam);
    }
}

#[test]
fn cam_through_a_scaled_gemm_and_a_softmax() {
    let constants = vec![by_feature(), bias()];
    let nodes = vec![
        op("ReduceMean", &["features"], "gap", vec![ints("axes", &[2, 3]), int("keepdims", 0)]),
        op("Gemm", &["gap", "weight", "bias"], "scores", vec![float("alpha", 0.5), float("beta", 2.0)]),
        op("Softmax", &["scores"], "probabilities", vec![int("axis", 1)]),
    ];
    let classifier = Classifier::new(constants, nodes).output("probabilities", &[CLASSES as i64]);
    let explanation = check(&classifier, |class, picture, place| 0.5 * cam(class, picture, place));
    assert_eq!(explanation.logits, "scores");
}

#[test]
fn cam_through_a_matmul_with_bias_and_axes_as_an_input() {
    let constants = vec![by_feature(), bias(), i64_tensor("axes", &[2], &[-1, -2])];
    let nodes = vec![
        op("ReduceMean", &["features", "axes"], "gap", vec![int("keepdims", 0)]),
        op("Dropout", &["gap"], "dropped", vec![]),
        op("MatMul", &["dropped", "weight"], "product", vec![]),
        op("Add", &["bias", "product"], "logits", vec![]),
    ];
    check(&Classifier::new(constants, nodes).opset(18), cam);
}

#[test]
fn cam_through_a_convolution_used_as_the_linear_layer() {
    let nodes = vec![
        op("GlobalAveragePool", &["features"], "gap", vec![]),
        op("Conv", &["gap", "weight", "bias"], "logits", vec![]),
    ];
    let classifier = Classifier::new(vec![pointwise(), bias()], nodes);
    check(&classifier.output("logits", &[CLASSES as i64, 1, 1]), cam);
}

#[test]
fn cam_through_means_one_axis_after_the_other() {
    let nodes = vec![
        op("ReduceMean", &["features"], "rows", vec![ints("axes", &[3]), int("keepdims", 0)]),
        op("ReduceMean", &["rows"], "gap", vec![ints("axes", &[2]), int("keepdims", 0)]),
        op("Gemm", &["gap", "weight"], "logits", vec![int("transB", 1)]),
    ];
    check(&Classifier::new(vec![by_class()], nodes), cam);
}

#[test]
fn cam_through_a_mean_over_folded_places() {
    let nodes = vec![
        op("Reshape", &["features", "fold"], "places", vec![]),
        op("ReduceMean", &["places"], "gap", vec![ints("axes", &[-1]), int("keepdims", 0)]),
        op("Gemm", &["gap", "weight"], "logits", vec![int("transB", 1)]),
    ];
    let constants = vec![by_class(), i64_tensor("fold", &[3], &[0, CHANNELS as i64, -1])];
    check(&Classifier::new(constants, nodes), cam);
}

#[test]
fn cam_through_an_average_pooling_of_the_whole_map() {
    let nodes = vec![
        op("AveragePool", &["features"], "gap", vec![ints("kernel_shape", &[HEIGHT as i64, WIDTH as i64])]),
        op("Reshape", &["gap", "flatten"], "flat", vec![]),
        op("Gemm", &["flat", "weight"], "logits", vec![int("transB", 1)]),
    ];
    let classifier = || {
        Classifier::new(vec![by_class(), i64_tensor("flatten", &[2], &[-1, CHANNELS as i64])], nodes.clone())
    };
    check(&classifier().fixed(), cam);
    check(&classifier(), cam);
}

#[test]
fn cam_through_a_transpose_to_channels_last() {
    let nodes = vec![
        op("Transpose", &["features"], "last", vec![ints("perm", &[0, 2, 3, 1])]),
        op("ReduceMean", &["last"], "gap", vec![ints("axes", &[1, 2]), int("keepdims", 0)]),
        op("MatMul", &["gap", "weight"], "logits", vec![]),
    ];
    assert_eq!(check(&Classifier::new(vec![by_feature()], nodes), cam).layer, "features");
}

#[test]
fn cam_of_features_that_are_channels_last_themselves() {
    let nodes = vec![
        op("ReduceMean", &["features"], "gap", vec![ints("axes", &[1, 2]), int("keepdims", 0)]),
        op("MatMul", &["gap", "weight"], "logits", vec![]),
    ];
    let mut classifier = Classifier::new(vec![by_feature()], nodes);
    classifier.dims = [Dim::Symbol("N"), Dim::Symbol("H"), Dim::Symbol("W"), Dim::Fixed(CHANNELS as i64)];
    let picture = noise(BATCH * CHANNELS * PLACES, 3);
    check_shaped(&classifier, &[BATCH, HEIGHT, WIDTH, CHANNELS], |class, number, place| {
        let at = |channel: usize| picture[(number * PLACES + place) * CHANNELS + channel].max(0.0);
        (0..CHANNELS).map(|channel| weights()[class * CHANNELS + channel] * at(channel)).sum()
    });
}

#[test]
fn cam_with_weights_that_are_quantised_or_transposed() {
    let pooled = |weight: NodeProto, transposed: i64| {
        vec![
            op("GlobalAveragePool", &["features"], "gap", vec![]),
            op("Flatten", &["gap"], "flat", vec![]),
            weight,
            op("Gemm", &["flat", "w"], "logits", vec![int("transB", transposed)]),
        ]
    };
    let turn = op("Transpose", &["weight"], "w", vec![ints("perm", &[1, 0])]);
    check(&Classifier::new(vec![by_class()], pooled(turn, 0)), cam);

    let steps: Vec<u8> = weights().iter().map(|weight| (weight * 100.0 + 128.0) as u8).collect();
    let constants = vec![
        raw_tensor("weight", DataType::Uint8, &[CLASSES as i64, CHANNELS as i64], steps.clone()),
        f32_tensor("scale", &[], &[0.01]),
        raw_tensor("zero", DataType::Uint8, &[], vec![128]),
    ];
    let restore = op("DequantizeLinear", &["weight", "scale", "zero"], "w", vec![]);
    check(&Classifier::new(constants, pooled(restore, 1)), |class, picture, place| {
        let weight = |channel: usize| (f32::from(steps[class * CHANNELS + channel]) - 128.0) * 0.01;
        (0..CHANNELS).map(|channel| weight(channel) * feature(picture, channel, place)).sum()
    });
}

#[test]
fn class_maps_are_the_convolution_before_its_relu() {
    let nodes = vec![
        op("Conv", &["features", "weight", "bias"], "class_maps", vec![]),
        op("Relu", &["class_maps"], "rectified", vec![]),
        op("GlobalAveragePool", &["rectified"], "gap", vec![]),
        op("Flatten", &["gap"], "logits", vec![]),
    ];
    let shift = noise(CLASSES, 9);
    let expected = |class: usize, picture, place| cam(class, picture, place) + shift[class];
    let classifier = || Classifier::new(vec![pointwise(), bias()], nodes.clone());
    let explanation = check(&classifier(), expected);
    assert_eq!((explanation.method.name(), explanation.layer.as_str()), ("class-maps", "class_maps"));
    check(&classifier().fixed(), expected);
}

#[test]
fn flattened_features_have_weights_of_their_own_at_every_place() {
    let size = CHANNELS * PLACES;
    let weights = noise(CLASSES * size, 11);
    let expected = |class: usize, picture: usize, place: usize| {
        let weight = |channel: usize| weights[class * size + channel * PLACES + place];
        (0..CHANNELS).map(|channel| weight(channel) * feature(picture, channel, place)).sum()
    };
    let nodes = vec![
        op("Flatten", &["features"], "flat", vec![]),
        op("Gemm", &["flat", "weight"], "logits", vec![int("transB", 1)]),
    ];
    let weight = f32_tensor("weight", &[CLASSES as i64, size as i64], &weights);
    let classifier = || Classifier::new(vec![weight.clone()], nodes.clone());
    assert_eq!(check(&classifier(), expected).method.name(), "flatten-linear");
    assert_eq!(check(&classifier().fixed(), expected).map_size, Some((HEIGHT, WIDTH)));
    check(&classifier().opset(12), expected);
}

#[test]
fn flattened_features_may_be_channels_last() {
    let size = CHANNELS * PLACES;
    let weights = noise(size * CLASSES, 11);
    let nodes = vec![
        op("Transpose", &["features"], "last", vec![ints("perm", &[0, 2, 3, 1])]),
        op("Reshape", &["last", "flatten"], "flat", vec![]),
        op("MatMul", &["flat", "weight"], "logits", vec![]),
    ];
    let constants = vec![
        f32_tensor("weight", &[size as i64, CLASSES as i64], &weights),
        i64_tensor("flatten", &[2], &[-1, size as i64]),
    ];
    check(&Classifier::new(constants, nodes), |class, picture, place| {
        let weight = |channel: usize| weights[(place * CHANNELS + channel) * CLASSES + class];
        (0..CHANNELS).map(|channel| weight(channel) * feature(picture, channel, place)).sum()
    });
}

#[test]
fn a_head_without_a_closed_form_has_its_maps_from_gradients() {
    let mut classifier = pooled_gemm();
    classifier.nodes.insert(2, op("LayerNormalization", &["flat", "scale"], "normal", vec![]));
    classifier.nodes[3].input[0] = "normal".into();
    classifier.constants.push(f32_tensor("scale", &[CHANNELS as i64], &[1.0; CHANNELS]));
    let request = Request { top_k: 1, method: Some(Method::Cam), ..Default::default() };
    let error = explain(&mut classifier.model(), &request).unwrap_err();
    assert!(error.to_string().contains("take --method gradcam"), "{error}");
}

#[test]
fn the_output_with_a_head_is_chosen_among_several() {
    let mut model = pooled_gemm().model();
    let features = value_info("features", DataType::Float, &[Dim::Unknown; 4]);
    model.graph.as_mut().unwrap().output.insert(0, features);
    let explanation = explain(&mut model, &Request { top_k: 1, ..Default::default() }).unwrap();
    assert_eq!(explanation.logits, "logits");
}
