//! The refinement on the real runtime, against its formula written out in double precision.

use prost::Message;

use super::super::tests::{assert_all_used, noise};
use super::super::{Method, Request, explain};
use super::*;
use crate::onnx::build::*;
use crate::onnx::proto::*;
use crate::testing::Session;

const BATCH: usize = 2;
const CLASSES: usize = 4;

/// Three convolutions with a pooling between each two, `wide`, `middle`, `features`; then the mean and one linear
/// layer. The feature maps are outputs, so that a test can read them.
fn pyramid(height: usize, width: usize) -> ModelProto {
    let weight = |name: &str, to: usize, from: usize, seed: u64| {
        f32_tensor(name, &[to as i64, from as i64, 3, 3], &noise(to * from * 9, seed))
    };
    let conv = |input: &str, weight: &str, output: &str| {
        node("Conv", output, &[input, weight], &[output], vec![ints("pads", &[1, 1, 1, 1])])
    };
    let relu = |input: &str, output: &str| node("Relu", output, &[input], &[output], vec![]);
    let pool = |input: &str, output: &str| {
        let attributes = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
        node("MaxPool", output, &[input], &[output], attributes)
    };
    let nodes = vec![
        conv("x", "w0", "c0"),
        relu("c0", "wide"),
        pool("wide", "p0"),
        conv("p0", "w1", "c1"),
        relu("c1", "middle"),
        pool("middle", "p1"),
        conv("p1", "w2", "c2"),
        relu("c2", "features"),
        node("GlobalAveragePool", "gap", &["features"], &["gap"], vec![]),
        node("Flatten", "flat", &["gap"], &["flat"], vec![]),
        node("Gemm", "logits", &["flat", "fc"], &["logits"], vec![int("transB", 1)]),
    ];
    let constants = vec![
        weight("w0", 4, 3, 1),
        weight("w1", 5, 4, 2),
        weight("w2", 3, 5, 3),
        f32_tensor("fc", &[CLASSES as i64, 3], &noise(CLASSES * 3, 4)),
    ];
    let input = value_info("x", DataType::Float, &[BATCH, 3, height, width].map(|s| Dim::Fixed(s as i64)));
    let open = [Dim::Fixed(BATCH as i64), Dim::Unknown, Dim::Unknown, Dim::Unknown];
    let mut outputs = vec![value_info("logits", DataType::Float, &[open[0], Dim::Fixed(CLASSES as i64)])];
    outputs.extend(["wide", "middle", "features"].map(|name| value_info(name, DataType::Float, &open)));
    model(graph("pyramid", vec![input], outputs, constants, nodes))
}

fn run(model: &ModelProto, picture: &[f32], shape: &[usize]) -> Session {
    let mut session = Session::load(&model.encode_to_vec(), Some(shape)).unwrap();
    session.input_mut().copy_from_slice(picture);
    session.run().unwrap();
    session
}

fn floats(session: &Session, name: &str) -> (Vec<usize>, Vec<f64>) {
    let (shape, values) = session.floats(name);
    (shape.to_vec(), values.iter().map(|&value| f64::from(value)).collect())
}

/// One picture's feature maps `[C][h * w]` and their size.
struct Features {
    channels: Vec<Vec<f64>>,
    size: (usize, usize),
}

fn features(session: &Session, name: &str, picture: usize) -> Features {
    let (shape, values) = floats(session, name);
    let [_, c, h, w] = shape[..] else { panic!("{name} is no feature map") };
    let own = &values[picture * c * h * w..][..c * h * w];
    Features { channels: own.chunks(h * w).map(<[_]>::to_vec).collect(), size: (h, w) }
}

/// Bilinear, half-pixel centres.
fn stretched(values: &[f64], (h, w): (usize, usize), (to_h, to_w): (usize, usize)) -> Vec<f64> {
    let at = |to: usize, size: usize, from: usize| {
        let x = ((to as f64 + 0.5) * from as f64 / size as f64 - 0.5).clamp(0.0, from as f64 - 1.0);
        (x.floor() as usize, (x.floor() as usize + 1).min(from - 1), x.fract())
    };
    let value = |y: usize, x: usize| {
        let ((y0, y1, fy), (x0, x1, fx)) = (at(y, to_h, h), at(x, to_w, w));
        let row = |y: usize| values[y * w + x0] * (1.0 - fx) + values[y * w + x1] * fx;
        row(y0) * (1.0 - fy) + row(y1) * fy
    };
    (0..to_h).flat_map(|y| (0..to_w).map(move |x| (y, x))).map(|(y, x)| value(y, x)).collect()
}

/// The mean over the part of the grid that each cell covers, and one place more on each side.
fn averaged(values: &[f64], (h, w): (usize, usize), (rows, columns): (usize, usize)) -> Vec<f64> {
    let overlap = |cell: usize, place: usize, side: f64, places: usize| {
        let (start, end) = (cell as f64 * side - 1.0, (cell as f64 + 1.0) * side + 1.0);
        let (start, end) = (start.max(0.0), end.min(places as f64));
        (end.min(place as f64 + 1.0) - start.max(place as f64)).max(0.0) / (end - start)
    };
    let (down, across) = (h as f64 / rows as f64, w as f64 / columns as f64);
    let mean = |r: usize, c: usize| {
        let places = (0..h).flat_map(|y| (0..w).map(move |x| (y, x)));
        places.map(|(y, x)| overlap(r, y, down, h) * overlap(c, x, across, w) * values[y * w + x]).sum()
    };
    (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).map(|(r, c)| mean(r, c)).collect()
}

/// The formula at the top of the module.
fn expected(raw: &[f64], cells: (usize, usize), guides: &[Features], fine: (usize, usize)) -> Vec<f64> {
    let count = fine.0 * fine.1;
    let (mut places, mut keys, mut lengths) = (Vec::new(), Vec::new(), vec![0.0; count]);
    for guide in guides {
        let count = (guide.size.0 * guide.size.1) as f64;
        let mean: Vec<f64> = guide.channels.iter().map(|values| values.iter().sum::<f64>() / count).collect();
        let deviation = |(values, mean): (&Vec<f64>, &f64)| {
            (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
        };
        let deviations: Vec<f64> = guide.channels.iter().zip(&mean).map(deviation).collect();
        let least = 0.01 * deviations.iter().sum::<f64>() / deviations.len() as f64;
        for ((values, mean), deviation) in guide.channels.iter().zip(&mean).zip(&deviations) {
            let z: Vec<f64> = values.iter().map(|value| (value - mean) / (deviation + least)).collect();
            places.push(stretched(&z, guide.size, fine));
            keys.push(averaged(&z, guide.size, cells));
            let squares: Vec<f64> = z.iter().map(|z| z * z).collect();
            lengths.iter_mut().zip(stretched(&squares, guide.size, fine)).for_each(|(sum, it)| *sum += it);
        }
    }
    let dot = |a: &[Vec<f64>], i: usize, b: &[Vec<f64>], j: usize| {
        a.iter().zip(b).map(|(a, b)| a[i] * b[j]).sum::<f64>()
    };
    // [i][j]
    let alike: Vec<Vec<f64>> = (0..count)
        .map(|i| {
            let cosine = |j: usize| dot(&places, i, &keys, j) / (lengths[i] * dot(&keys, j, &keys, j)).sqrt();
            (0..raw.len()).map(|j| cosine(j).max(0.0).powi(4)).collect()
        })
        .collect();
    let mean = |weights: &[f64], values: &[f64]| {
        let all: f64 = weights.iter().sum();
        let given: f64 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
        if all > 0.0 { given / all } else { 0.0 }
    };
    let hand_out = |cells: &[f64]| -> Vec<f64> { alike.iter().map(|weights| mean(weights, cells)).collect() };
    let gather = |places: &[f64]| -> Vec<f64> {
        let weights = |j: usize| alike.iter().map(|alike| alike[j]).collect::<Vec<_>>();
        (0..raw.len()).map(|j| mean(&weights(j), places)).collect()
    };
    let evidence: Vec<f64> = raw.iter().map(|raw| raw.max(0.0)).collect();
    let means = (0..ROUNDS).fold(hand_out(&evidence), |places, _| hand_out(&gather(&places)));
    let (least, most) =
        (means.iter().copied().fold(f64::MAX, f64::min), means.iter().copied().fold(0.0, f64::max));
    let peak = evidence.iter().copied().fold(0.0, f64::max);
    means.iter().map(|mean| ((mean - least) / (most - least)).powf(POWER) * peak).collect()
}

#[test]
fn refined_maps_follow_the_formula_on_every_picture_of_a_batch() {
    // Of the second size the grids are no multiples of the map's.
    for (height, width) in [(12, 16), (13, 18)] {
        let shape = [BATCH, 3, height, width];
        let picture = noise(shape.iter().product(), 9);
        let mut raw = pyramid(height, width);
        explain(&mut raw, &Request { top_k: CLASSES, ..Request::default() }).unwrap();
        let raw = run(&raw, &picture, &shape);
        let mut refined = pyramid(height, width);
        let done =
            explain(&mut refined, &Request { top_k: CLASSES, refine: true, ..Request::default() }).unwrap();
        let refined = run(&refined, &picture, &shape);

        assert_eq!((done.guides.as_str(), done.map_size), ("middle,wide", Some((height, width))));
        assert_eq!(refined.floats("logits"), raw.floats("logits"));
        let (found_shape, found) = floats(&refined, MAPS);
        assert_eq!(found_shape, [BATCH, CLASSES, height, width]);
        let (raw_shape, raw_maps) = floats(&raw, MAPS);
        let cells = (raw_shape[2], raw_shape[3]);
        let mut spoken = 0;
        for picture in 0..BATCH {
            let guides = ["middle", "wide"].map(|name| features(&raw, name, picture));
            for class in 0..CLASSES {
                let slot = picture * CLASSES + class;
                let raw_map = &raw_maps[slot * cells.0 * cells.1..][..cells.0 * cells.1];
                let found = &found[slot * height * width..][..height * width];
                if raw_map.iter().all(|&value| value <= 0.0) {
                    assert!(found.iter().all(|&value| value == 0.0));
                    continue;
                }
                spoken += 1;
                let expected = expected(raw_map, cells, &guides, (height, width));
                let peak = expected.iter().copied().fold(0.0, f64::max);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-4 * peak, "{found} is not {expected}, of {peak}");
                }
            }
        }
        assert!(spoken >= BATCH);
    }
}

#[test]
fn maps_of_open_size_are_said_to_stay_as_they_are() {
    let mut open = pyramid(12, 16);
    let sizes = [Dim::Symbol("N"), Dim::Fixed(3), Dim::Symbol("H"), Dim::Symbol("W")];
    open.graph.as_mut().unwrap().input[0] = value_info("x", DataType::Float, &sizes);
    let mut raw = open.clone();
    let done = explain(&mut open, &Request { top_k: 1, refine: true, ..Request::default() }).unwrap();
    assert_eq!((done.map_size, done.unrefined), (None, Some(Unrefined::OpenSize)));
    explain(&mut raw, &Request { top_k: 1, ..Request::default() }).unwrap();
    let [open, raw] = [open, raw].map(|model| run(&model, &noise(3 * 12 * 16, 9), &[1, 3, 12, 16]));
    assert_eq!(open.floats(MAPS), raw.floats(MAPS));
}

#[test]
fn all_that_a_refinement_adds_is_used() {
    for method in Method::all() {
        let mut model = pyramid(12, 16);
        let request = Request { top_k: 2, refine: true, method: Some(method), ..Request::default() };
        explain(&mut model, &request).unwrap();
        assert_all_used(&model);
    }
}

#[test]
fn a_model_without_a_finer_grid_keeps_its_maps() {
    let features = node("Relu", "features", &["x"], &["features"], vec![]);
    let nodes = vec![
        features,
        node("GlobalAveragePool", "gap", &["features"], &["gap"], vec![]),
        node("Flatten", "flat", &["gap"], &["flat"], vec![]),
        node("Gemm", "logits", &["flat", "fc"], &["logits"], vec![int("transB", 1)]),
    ];
    let fc = f32_tensor("fc", &[CLASSES as i64, 3], &noise(CLASSES * 3, 4));
    let input = value_info("x", DataType::Float, &[1, 3, 6, 7].map(Dim::Fixed));
    let output = value_info("logits", DataType::Float, &[Dim::Fixed(1), Dim::Fixed(CLASSES as i64)]);
    let plain = model(graph("flat", vec![input], vec![output], vec![fc], nodes));
    let maps = [false, true].map(|refine| {
        let mut model = plain.clone();
        let done = explain(&mut model, &Request { top_k: 1, refine, ..Request::default() }).unwrap();
        assert_eq!((done.guides.as_str(), done.map_size), ("", Some((6, 7))));
        assert_eq!(done.unrefined, refine.then_some(Unrefined::NoFinerLayer));
        floats(&run(&model, &noise(3 * 42, 5), &[1, 3, 6, 7]), MAPS)
    });
    assert_eq!(maps[0], maps[1]);
}

/// Left, red and green stripes; right, blue. The classifier knows the object by one corner of it: by a pixel of the
/// third channel that no other place has.
#[test]
fn evidence_at_one_corner_spreads_over_what_looks_alike_and_stops_at_its_edge() {
    let nodes = vec![
        node("Relu", "fine", &["x"], &["fine"], vec![]),
        node("AveragePool", "features", &["fine"], &["features"], {
            vec![ints("kernel_shape", &[4, 4]), ints("strides", &[4, 4])]
        }),
        node("GlobalAveragePool", "gap", &["features"], &["gap"], vec![]),
        node("Flatten", "flat", &["gap"], &["flat"], vec![]),
        node("Gemm", "logits", &["flat", "fc"], &["logits"], vec![int("transB", 1)]),
    ];
    let fc = f32_tensor("fc", &[1, 4], &[0.0, 0.0, 0.0, 1.0]);
    let input = value_info("x", DataType::Float, &[1, 4, 16, 16].map(Dim::Fixed));
    let output = value_info("logits", DataType::Float, &[Dim::Fixed(1), Dim::Fixed(1)]);
    let mut model = model(graph("object", vec![input], vec![output], vec![fc], nodes));
    let done = explain(&mut model, &Request { top_k: 1, refine: true, ..Request::default() }).unwrap();
    assert_eq!((done.guides.as_str(), done.map_size), ("fine", Some((16, 16))));

    let on_object = |x: usize| x < 8;
    let picture: Vec<f32> = (0..4 * 256)
        .map(|i| (i / 256, i / 16 % 16, i % 16))
        .map(|(channel, y, x)| match channel {
            0 => f32::from(on_object(x)),
            1 => f32::from(u8::from(on_object(x)) * u8::from((x + y) % 4 < 3)),
            2 => f32::from(!on_object(x)),
            _ => f32::from(x < 2 && y < 2),
        })
        .collect();
    let (_, map) = floats(&run(&model, &picture, &[1, 4, 16, 16]), MAPS);
    let mean = |object: bool| {
        let places = (0..256).filter(|place| on_object(place % 16) == object);
        places.map(|place| map[place]).sum::<f64>() / 128.0
    };
    let peak = map.iter().copied().fold(0.0, f64::max);
    // Far from the corner that gave it away, the object is marked, and what lies beside it is not.
    assert!(map[15 * 16 + 5] > 0.05 * peak && mean(true) > 20.0 * mean(false), "{map:?}");
}
