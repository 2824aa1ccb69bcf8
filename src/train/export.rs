//! A trained head as part of the model: one file, backbone and head, that any ONNX runtime runs.

use candle_core::Tensor;

use super::TrainError;
use super::backbone::Backbone;
use super::head::{Branch, Conv, FLAT, Head, HeadKind};
use crate::model::{Labels, MANIFEST_KEY};
use camloc_graph::explain::{ERASED_MAPS, FEATURES, FIRST_MAPS};
use camloc_graph::onnx::build::{self, Dim, f32_tensor, int, ints, value_info};
use camloc_graph::onnx::edit::GraphEditor;
use camloc_graph::onnx::proto::{DataType, ModelProto};

/// The output that holds the class scores, f32 `[N, classes]`, before any softmax.
const LOGITS: &str = "logits";
/// Where the metadata say how the head was trained.
const TRAINING_KEY: &str = "camloc.training";

/// Puts a head on its backbone. `about` says how it was trained, for the model's metadata.
pub(super) fn export(
    backbone: &Backbone,
    head: &Head,
    classes: &[String],
    title: &str,
    about: &str,
) -> Result<ModelProto, TrainError> {
    let mut classifier = backbone.classifier.clone();
    let graph = GraphEditor::new(&mut classifier.model);
    let mut writer = Writer { graph, classes: classes.len() as i64 };
    writer.head(head, backbone.shape())?;
    writer.graph.set_metadata(TRAINING_KEY, about);
    drop(writer);
    if let Some(graph) = &mut classifier.model.graph {
        graph.output.retain(|output| output.name() != FEATURES);
    }
    classifier.output = LOGITS.to_owned();
    classifier.labels = Labels::new(classes.to_vec());
    classifier.title = title.to_owned();
    let manifest = classifier.manifest();
    GraphEditor::new(&mut classifier.model).set_metadata(MANIFEST_KEY, &manifest);
    Ok(classifier.model)
}

struct Writer<'m> {
    graph: GraphEditor<'m>,
    classes: i64,
}

impl Writer<'_> {
    fn head(&mut self, head: &Head, [_, rows, columns]: [usize; 3]) -> Result<(), TrainError> {
        let dims =
            [Dim::Symbol("N"), Dim::Fixed(self.classes), Dim::Fixed(rows as i64), Dim::Fixed(columns as i64)];
        let scores = value_info(LOGITS, DataType::Float, &dims[..2]);
        match head {
            Head::Acol { a, b, delta } => {
                self.branch(a, FEATURES, "head.a", FIRST_MAPS)?;
                self.scores(FIRST_MAPS);
                let left = self.erased(*delta, [rows, columns]);
                self.branch(b, &left, "head.b", ERASED_MAPS)?;
                self.graph.add_output(scores);
                for maps in [FIRST_MAPS, ERASED_MAPS] {
                    self.graph.add_output(value_info(maps, DataType::Float, &dims));
                }
            }
            Head::Cam(branch) => {
                self.branch(branch, FEATURES, "head", "head.maps")?;
                self.scores("head.maps");
                self.graph.add_output(scores);
            }
            Head::Linear(linear) => {
                let pooled = self.graph.op("GlobalAveragePool", "head.pooled", &[FEATURES], vec![]);
                let flat = self.graph.op("Flatten", "head.flat", &[&pooled], vec![]);
                let [weight, bias] = linear.centred()?;
                let (weight, bias) = (values(&weight)?, values(&bias)?);
                let channels = linear.channels() as i64;
                let weight =
                    self.graph.add_initializer(f32_tensor("head.weight", &[channels, self.classes], &weight));
                let bias = self.graph.add_initializer(f32_tensor("head.bias", &[self.classes], &bias));
                self.push("Gemm", LOGITS, &[&flat, &weight, &bias], vec![]);
                self.graph.add_output(scores);
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        op: &str,
        name: &str,
        inputs: &[&str],
        attributes: Vec<camloc_graph::onnx::proto::AttributeProto>,
    ) {
        self.graph.push(build::node(op, name, inputs, &[name], attributes));
    }

    /// Class maps named `output` of features.
    fn branch(
        &mut self,
        branch: &Branch,
        features: &str,
        name: &str,
        output: &str,
    ) -> Result<(), TrainError> {
        let mut hidden = features.to_owned();
        for (place, conv) in branch.convs.iter().enumerate() {
            let summed = format!("{name}.conv{place}");
            self.conv(conv, [conv.weight.as_tensor(), conv.bias.as_tensor()], &hidden, &summed)?;
            hidden = self.graph.op("Relu", &format!("{name}.relu{place}"), &[&summed], vec![]);
        }
        let [weight, bias] = branch.classes.centred()?;
        self.conv(&branch.classes, [&weight, &bias], &hidden, output)
    }

    fn conv(
        &mut self,
        conv: &Conv,
        [weight, bias]: [&Tensor; 2],
        features: &str,
        output: &str,
    ) -> Result<(), TrainError> {
        let (side, channels) = (conv.side, conv.channels());
        let (weight, bias) = (values(weight)?, values(bias)?);
        let outputs = bias.len();
        // From [side * side * C, K] to [K, C, side, side].
        let taps = side * side;
        let mut turned = Vec::with_capacity(weight.len());
        for out in 0..outputs {
            for channel in 0..channels {
                turned.extend((0..taps).map(|tap| weight[(tap * channels + channel) * outputs + out]));
            }
        }
        let dims = [outputs, channels, side, side].map(|size| size as i64);
        let weight = self.graph.add_initializer(f32_tensor(&format!("{output}.weight"), &dims, &turned));
        let bias = self.graph.add_initializer(f32_tensor(&format!("{output}.bias"), &dims[..1], &bias));
        let pad = (side / 2) as i64;
        let attributes = vec![ints("kernel_shape", &dims[2..]), ints("pads", &[pad; 4])];
        self.push("Conv", output, &[features, &weight, &bias], attributes);
        Ok(())
    }

    fn scores(&mut self, maps: &str) {
        let pooled = self.graph.op("GlobalAveragePool", "head.pooled", &[maps], vec![]);
        self.push("Flatten", LOGITS, &[&pooled], vec![]);
    }

    /// The features without what the first branch finds of the class that it takes for the most probable.
    fn erased(&mut self, delta: f32, [rows, columns]: [usize; 2]) -> String {
        let graph = &mut self.graph;
        let class = graph.op("ArgMax", "head.class", &[LOGITS], vec![int("axis", 1), int("keepdims", 1)]);
        let column = graph.reshape("head.class", &class, &[0, 1, 1]);
        let places = graph.reshape("head.places", FIRST_MAPS, &[0, 0, -1]);
        let across = graph.add_ints("head.across", &[1, 1, (rows * columns) as i64]);
        let which = graph.op("Expand", "head.which", &[&column, &across], vec![]);
        let map = graph.op("GatherElements", "head.map", &[&places, &which], vec![int("axis", 1)]);
        let least = graph.reduce("ReduceMin", "head.least", &map, &[2], true);
        let most = graph.reduce("ReduceMax", "head.most", &map, &[2], true);
        let range = graph.op("Sub", "head.range", &[&most, &least], vec![]);
        let range = graph.with("Add", "head.range", &range, FLAT);
        let above = graph.op("Sub", "head.above", &[&map, &least], vec![]);
        let share = graph.op("Div", "head.share", &[&above, &range], vec![]);
        let delta = graph.add_float("head.delta", delta);
        let kept = graph.op("Less", "head.kept", &[&share, &delta], vec![]);
        let kept = graph.op("Cast", "head.kept", &[&kept], vec![int("to", DataType::Float as i64)]);
        let kept = graph.reshape("head.kept", &kept, &[0, 1, rows as i64, columns as i64]);
        graph.op("Mul", "head.left", &[FEATURES, &kept], vec![])
    }
}

/// A tensor's values, in its order.
fn values(tensor: &Tensor) -> Result<Vec<f32>, TrainError> {
    Ok(tensor.flatten_all()?.to_vec1::<f32>()?)
}

/// What the metadata say of a head.
pub(super) fn described(kind: HeadKind, backbone: &Backbone, best: usize, seed: u64) -> String {
    format!(
        "{kind} head on {} behind {}, best epoch {best}, seed {seed}, camloc {}",
        backbone.title(),
        backbone.layer(),
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::model::Classifier;
    use crate::runtime::{Options, Session, init_for_tests};
    use camloc_graph::explain::{Request, explain};
    use camloc_graph::onnx::build::{graph, model, node};
    use camloc_graph::onnx::load::{encode, save};

    /// A network of one convolution, to be cut behind its rectifier: features `[4, 5, 6]`.
    fn backbone() -> Backbone {
        let weights = |count: usize| (0..count).map(|at| (at as f32 * 0.9).sin() * 0.4).collect::<Vec<_>>();
        let image = [Dim::Symbol("N"), Dim::Fixed(3), Dim::Fixed(5), Dim::Fixed(6)];
        let nodes = vec![
            node("Conv", "conv", &["image", "kernel"], &["conv"], vec![ints("pads", &[1; 4])]),
            node("Relu", "relu", &["conv"], &["features"], vec![]),
            node("GlobalAveragePool", "pool", &["features"], &["pool"], vec![]),
            node("Flatten", "flatten", &["pool"], &["flat"], vec![]),
            node("Gemm", "gemm", &["flat", "rows"], &["scores"], vec![int("transB", 1)]),
        ];
        let constants = vec![
            f32_tensor("kernel", &[4, 3, 3, 3], &weights(108)),
            f32_tensor("rows", &[2, 4], &weights(8)),
        ];
        let inputs = vec![value_info("image", DataType::Float, &image)];
        let outputs = vec![value_info("scores", DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(2)])];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.onnx");
        save(&model(graph("g", inputs, outputs, constants, nodes)), &path).unwrap();
        Backbone::new(Classifier::open(&path, None).unwrap(), None).unwrap()
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[track_caller]
    fn assert_close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} for {expected}");
        }
    }

    /// A session of a model, with a picture of waves in its input.
    fn run(model: &ModelProto) -> Session {
        init_for_tests();
        let mut session =
            Session::load(&encode(model).unwrap(), &Options { threads: 1, ..Options::default() }).unwrap();
        session.input_mut().iter_mut().enumerate().for_each(|(at, value)| *value = (at as f32 * 0.37).sin());
        session.run().unwrap();
        session
    }

    #[test]
    fn the_file_says_what_the_trained_head_says() {
        let classes = ["a".to_owned(), "b/ㄴ".into(), "c d".into()];
        let backbone = backbone();
        assert_eq!(backbone.shape(), [4, 5, 6]);
        let seen = run(&backbone.classifier.model);
        let features =
            Tensor::from_slice(seen.floats(FEATURES).unwrap().1, (1, 4, 5, 6), &Device::Cpu).unwrap();
        let features = features.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
        for (kind, _) in HeadKind::ALL {
            let mut random = fastrand::Rng::with_seed(3);
            let head = Head::new(kind, [4, 5, 3], 0.6, &mut random).unwrap();
            let mut model = export(&backbone, &head, &classes, "mine", "a test").unwrap();

            let session = run(&model);
            let maps = head.maps(&features, None).unwrap();
            let scores = super::super::head::logits(&maps[0]).unwrap();
            assert_close(session.floats(LOGITS).unwrap().1, &flat(&scores));
            let first_channels = |maps: &Tensor| flat(&maps.permute((0, 3, 1, 2)).unwrap());
            if kind == HeadKind::Acol {
                assert_close(session.floats(FIRST_MAPS).unwrap().1, &first_channels(&maps[0]));
                assert_close(session.floats(ERASED_MAPS).unwrap().1, &first_channels(&maps[1]));
            }
            // Nothing of the old head is left, and what was added explains itself.
            let graph = model.graph.as_ref().unwrap();
            assert!(graph.initializer.iter().all(|tensor| tensor.name() != "rows"));
            let done = explain(&mut model, &Request { top_k: 3, ..Request::default() }).unwrap();
            let method = match kind {
                HeadKind::Acol => "acol",
                HeadKind::Cam => "class-maps",
                HeadKind::Linear => "cam",
            };
            assert_eq!((done.method.name(), done.classes, done.map_size), (method, 3, Some((5, 6))));

            let explained = run(&model);
            let order = explained.integers("camloc.classes").unwrap().1.to_vec();
            let found = explained.floats("camloc.maps").unwrap().1;
            for (row, &class) in found.chunks_exact(30).zip(&order) {
                assert_close(row, &fused(&maps, class as usize));
            }
        }
    }

    /// The map of a class that a user sees.
    fn fused(maps: &[Tensor], class: usize) -> Vec<f32> {
        let one = |maps: &Tensor| flat(&maps.narrow(3, class, 1).unwrap());
        let [first, second] = maps else { return one(&maps[0]) };
        one(first).into_iter().zip(one(second)).map(|(a, b)| a.max(b)).collect()
    }
}
