//! Detectors: small ones with YOLO's three grids and random weights, in each of the forms that they are exported in.

use super::*;
use crate::explain::{BOXES, Detector};

/// Boxes for an input of 64 x 64: 8 x 8, 4 x 4 and 2 x 2.
const COUNT: usize = 84;
const NAMED: usize = 2;
const INPUT: [usize; 4] = [1, 3, 64, 64];

/// Centres and sizes that do not overlap within a grid, `[boxes, 4]`; in pixels, or in units of the grids, as YOLOX has them.
fn places(in_grids: bool) -> Vec<f32> {
    let grid = |stride: usize| {
        let side = 64 / stride;
        (0..side * side).flat_map(move |at| {
            let centre = [at % side, at / side].map(|cell| (cell as f32 + 0.5) * stride as f32);
            let size = 0.9 * stride as f32;
            if in_grids { [0.5, 0.5, 0.9_f32.ln(), 0.9_f32.ln()] } else { [centre[0], centre[1], size, size] }
        })
    };
    [8, 16, 32].into_iter().flat_map(grid).collect()
}

/// A detector whose grids are made one of the other: 3 values for each box of YOLOX, else 2, and its boxes in front of them.
fn detector(yolox: bool) -> ModelProto {
    let values = if yolox { 3 } else { NAMED as i64 };
    // Small enough that no score is 1 to the last bit, where its gradient would be 0.
    let conv = |name, out: i64, of: i64, side: i64, seed| {
        let weights: Vec<f32> =
            noise((out * of * side * side) as usize, seed).iter().map(|weight| 0.3 * weight).collect();
        f32_tensor(name, &[out, of, side, side], &weights)
    };
    let strided =
        |from, weight, to, step: i64| op("Conv", &[from, weight], to, vec![ints("strides", &[step, step])]);
    let mut constants = vec![
        conv("w3", 4, 3, 8, 1),
        conv("w4", 4, 4, 2, 2),
        conv("w5", 4, 4, 2, 4),
        i64_tensor("flat", &[3], &[0, 0, -1]),
    ];
    let mut nodes = vec![
        strided("x", "w3", "c3", 8),
        op("LeakyRelu", &["c3"], "p3", vec![]),
        strided("p3", "w4", "c4", 2),
        op("LeakyRelu", &["c4"], "p4", vec![]),
        strided("p4", "w5", "c5", 2),
        op("LeakyRelu", &["c5"], "p5", vec![]),
    ];
    for (level, weight, head, column, seed) in
        [("p3", "h3", "y3", "f3", 5), ("p4", "h4", "y4", "f4", 6), ("p5", "h5", "y5", "f5", 7)]
    {
        constants.push(conv(weight, values, 4, 1, seed));
        nodes.push(op("Conv", &[level, weight], head, vec![]));
        nodes.push(op("Reshape", &[head, "flat"], column, vec![]));
    }
    nodes.push(op("Concat", &["f3", "f4", "f5"], "raw", vec![int("axis", 2)]));
    nodes.push(op("Sigmoid", &["raw"], "scores", vec![]));
    let places = places(yolox);
    let shape = if yolox {
        constants.push(f32_tensor("places", &[1, COUNT as i64, 4], &places));
        nodes.push(op("Transpose", &["scores"], "by_box", vec![ints("perm", &[0, 2, 1])]));
        nodes.push(op("Concat", &["places", "by_box"], "output0", vec![int("axis", 2)]));
        [1, COUNT as i64, 4 + values]
    } else {
        constants.push(f32_tensor("places", &[1, 4, COUNT as i64], &transposed(&places, COUNT, 4)));
        nodes.push(op("Concat", &["places", "scores"], "output0", vec![int("axis", 1)]));
        [1, 4 + values, COUNT as i64]
    };
    let input = value_info("x", DataType::Float, &INPUT.map(|size| Dim::Fixed(size as i64)));
    let output = value_info("output0", DataType::Float, &shape.map(Dim::Fixed));
    model(graph("detector", vec![input], vec![output], constants, nodes))
}

/// The places of the best scores, `(class, box)`, and the scores, as plain arithmetic has them.
fn best(values: &[f32], yolox: bool) -> Vec<((usize, usize), f32)> {
    let at = |class: usize, place: usize| {
        if yolox {
            values[7 * place + 4] * values[7 * place + 5 + class]
        } else {
            values[(4 + class) * COUNT + place]
        }
    };
    let all = (0..NAMED).flat_map(|class| (0..COUNT).map(move |place| (class, place)));
    let mut all: Vec<_> = all.map(|(class, place)| ((class, place), at(class, place))).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}

#[test]
fn the_best_detections_of_each_form_are_explained_where_they_are_in_one_pass() {
    for yolox in [false, true] {
        let plain = detector(yolox);
        let found = Detector::find(&plain, (64, 64), &[]).unwrap();
        assert_eq!((found.output.as_str(), found.classes), ("output0", NAMED));
        assert_eq!(Detector::find(&plain, (96, 64), &[]), None, "an input of another size has other boxes");
        let mut explained = plain.clone();
        let request = Request { top_k: 3, detector: Some(found), refine: true, ..Request::default() };
        let done = explain(&mut explained, &request).unwrap();
        assert_eq!(
            (done.layer.as_str(), done.classes, done.map_size),
            ("p3", NAMED, Some((8, 8))),
            "what feeds every grid"
        );
        let session = run(&explained, None, &INPUT);
        let best = best(session.floats("output0").1, yolox);
        for (slot, &((class, place), score)) in best.iter().take(3).enumerate() {
            assert_eq!(session.integers("camloc.classes").1[slot], class as i64);
            assert_near(&session.floats("camloc.scores").1[slot..=slot], &[score]);
            let [x, y, w, h]: [f32; 4] = places(false)[4 * place..][..4].try_into().unwrap();
            let corners = [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0].map(|edge| edge / 64.0);
            assert_near(&session.floats(BOXES).1[4 * slot..][..4], &corners);
            let map = &session.floats("camloc.maps").1[64 * slot..][..64];
            assert_near(map, &map_of(&plain, yolox, (class, place), session.floats("output0").1));
            assert!(map.iter().any(|&value| value != 0.0));
        }
        let locked = run(&explained, Some(&[1, -1, 0]), &INPUT);
        let of = |class| best.iter().find(|((other, _), _)| *other == class).unwrap().1;
        assert_eq!(locked.integers("camloc.classes").1, [1, best[1].0.0 as i64, 0]);
        assert_near(locked.floats("camloc.scores").1, &[of(1), best[1].1, of(0)]);
    }
}

/// The map of a score by way of the values that it is made of, each explained alone: of a product the one's times the other.
fn map_of(plain: &ModelProto, yolox: bool, (class, place): (usize, usize), output: &[f32]) -> Vec<f32> {
    let of = |index: Vec<usize>| {
        let mut model = plain.clone();
        let (output, layers) = (Some("output0".to_owned()), vec!["p3".to_owned()]);
        let request =
            Request { top_k: 1, output, index, layers, method: Some(Method::GradCam), ..Request::default() };
        explain(&mut model, &request).unwrap();
        run(&model, None, &INPUT).floats("camloc.maps").1.to_vec()
    };
    if !yolox {
        return of(vec![4 + class, place]);
    }
    let (any, share) = (of(vec![place, 4]), of(vec![place, 5 + class]));
    let values = [output[7 * place + 5 + class], output[7 * place + 4]];
    any.iter().zip(share).map(|(any, share)| any * values[0] + share * values[1]).collect()
}

#[test]
fn names_tell_scores_from_what_stands_behind_them() {
    let plain = detector(false);
    let count = |labels: &[usize]| Detector::find(&plain, (64, 64), labels).map(|found| found.classes);
    assert_eq!([count(&[1]), count(&[2]), count(&[80])], [Some(1), Some(2), Some(2)]);
}
