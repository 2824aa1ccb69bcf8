//! EfficientNet-Lite0, the default model: from the torch checkpoint to ONNX.
//!
//! M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, in the Lite
//! form: no squeeze-and-excitation, and ReLU6 for swish. Batch normalisations are folded into the convolutions before
//! them. The head is global average pooling and one linear layer, which is what class activation maps need.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use thiserror::Error;

use super::MANIFEST_KEY;
use super::torch_pickle::{PickleError, Tensor, read_state_dict};
use crate::assets::{Asset, AssetError, Progress, Store};
use camloc_graph::onnx::build::{Dim, f32_tensor, float, graph, int, ints, model, node, value_info};
use camloc_graph::onnx::load::{OnnxError, save};
use camloc_graph::onnx::proto::{
    AttributeProto, DataType, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
};

/// How the model is fed; its labels are those of [`IMAGENET`].
const MANIFEST: &str = include_str!("../../models/efficientnet-lite0.toml");
/// The names of the classes, one a line.
const IMAGENET: &str = include_str!("../../models/imagenet.txt");

/// The converted model in the cache. The number rises whenever this file, the manifest or the labels change it.
const FILE: &str = "efficientnet-lite0-v4.onnx";

/// The side of the input picture in pixels.
const SIDE: usize = 224;
/// TensorFlow's epsilon for this family.
const BN_EPSILON: f64 = 1e-3;

/// Repeats, kernel, stride, expansion, input and output channels of each stage.
const STAGES: [(usize, usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
];
const STEM: usize = 32;
const HEAD: usize = 1280;
const CLASSES: usize = 1000;

/// Why the default model could not be had.
#[derive(Debug, Error)]
pub enum Lite0Error {
    /// The weights could not be fetched, or the cache does not work.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// The weights are no checkpoint.
    #[error("the EfficientNet-Lite0 weights cannot be read: {0}; delete the file to have it fetched again")]
    Checkpoint(PickleError),
    /// The weights are another model's.
    #[error("the EfficientNet-Lite0 weights have no '{name}' of shape {shape:?}: they are another model's")]
    Weights {
        /// The tensor that is missing.
        name: String,
        /// The shape it should have.
        shape: Vec<usize>,
    },
    /// The weights cannot be read from the disk.
    #[error("{} cannot be read: delete it to have it fetched again", path.display())]
    Read {
        /// The weights.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The model cannot be written; the message is `onnx`'s own.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
}

/// The default model as an ONNX file: fetched and converted where that has not happened yet, which takes about a second
/// and 17 MB.
///
/// # Errors
/// See [`Lite0Error`].
pub fn file(store: &Store, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, Lite0Error> {
    store.derived(FILE, |path| {
        let weights = store.get(Asset::Lite0Weights, progress)?;
        let checkpoint = fs::read(&weights).map_err(|source| Lite0Error::Read { path: weights, source })?;
        Ok(save(&import(&checkpoint)?, path)?)
    })
}

/// The default model's file, where it is in the cache already; never fetches nor converts.
pub fn cached(store: &Store) -> Option<PathBuf> {
    store.derived_if_cached(FILE)
}

/// Converts the checkpoint's bytes. The model takes `image`, `[N, 3, 224, 224]`, and gives `logits`, `[N, 1000]`; its
/// manifest and labels are in its metadata.
///
/// # Errors
/// Where the bytes are no checkpoint, or another model's.
pub fn import(checkpoint: &[u8]) -> Result<ModelProto, Lite0Error> {
    let weights = read_state_dict(checkpoint).map_err(Lite0Error::Checkpoint)?;
    let mut net = Net { weights, nodes: Vec::new(), initializers: Vec::new(), side: SIDE };

    let mut x =
        net.conv_bn("image", "stem", "_conv_stem", "_bn0", Conv { k: 3, s: 2, i: 3, o: STEM, groups: 1 })?;
    x = net.relu6(&x);
    let mut block = 0;
    for (repeats, kernel, stride, expansion, input, output) in STAGES {
        for repeat in 0..repeats {
            let (stride, input) = if repeat == 0 { (stride, input) } else { (1, output) };
            x = net.block(&x, block, Block { kernel, stride, expansion, input, output })?;
            block += 1;
        }
    }
    x = net.conv_bn(&x, "head", "_conv_head", "_bn1", Conv { k: 1, s: 1, i: 320, o: HEAD, groups: 1 })?;
    x = net.relu6(&x);
    net.classifier(&x)?;

    let batch = Dim::Symbol("N");
    let image =
        value_info("image", DataType::Float, &[batch, Dim::Fixed(3), Dim::Fixed(224), Dim::Fixed(224)]);
    let logits = value_info("logits", DataType::Float, &[batch, Dim::Fixed(CLASSES as i64)]);
    let mut model =
        model(graph("efficientnet-lite0", vec![image], vec![logits], net.initializers, net.nodes));
    let (key, value) = (Some(MANIFEST_KEY.to_owned()), Some(manifest()));
    model.metadata_props.push(StringStringEntryProto { key, value });
    Ok(model)
}

/// The manifest with the labels in it, for a model that stands alone.
fn manifest() -> String {
    let mut manifest: toml::Table = MANIFEST.parse().unwrap_or_default();
    manifest.insert("labels".to_owned(), IMAGENET.lines().collect::<Vec<_>>().into());
    manifest.to_string()
}

/// Kernel, stride, input and output channels, and groups of a convolution.
#[derive(Clone, Copy)]
struct Conv {
    k: usize,
    s: usize,
    i: usize,
    o: usize,
    groups: usize,
}

/// An inverted residual block.
#[derive(Clone, Copy)]
struct Block {
    kernel: usize,
    stride: usize,
    expansion: usize,
    input: usize,
    output: usize,
}

/// The network as far as it is written.
struct Net {
    weights: BTreeMap<String, Tensor>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// The side of the current feature map.
    side: usize,
}

impl Net {
    fn block(&mut self, x: &str, number: usize, block: Block) -> Result<String, Lite0Error> {
        let Block { kernel, stride, expansion, input, output } = block;
        let (torch, name) = (format!("_blocks.{number}"), format!("block{number}"));
        let (torch_of, name_of) =
            (|part: &str| format!("{torch}.{part}"), |part: &str| format!("{name}.{part}"));
        let wide = input * expansion;

        let mut y = x.to_owned();
        if expansion > 1 {
            let conv = Conv { k: 1, s: 1, i: input, o: wide, groups: 1 };
            y = self.conv_bn(&y, &name_of("expand"), &torch_of("_expand_conv"), &torch_of("_bn0"), conv)?;
            y = self.relu6(&y);
        }
        let conv = Conv { k: kernel, s: stride, i: wide, o: wide, groups: wide };
        y = self.conv_bn(&y, &name_of("depthwise"), &torch_of("_depthwise_conv"), &torch_of("_bn1"), conv)?;
        y = self.relu6(&y);
        let conv = Conv { k: 1, s: 1, i: wide, o: output, groups: 1 };
        y = self.conv_bn(&y, &name_of("project"), &torch_of("_project_conv"), &torch_of("_bn2"), conv)?;
        if stride == 1 && input == output {
            y = self.op("Add", &name_of("add"), &[&y, x], vec![]);
        }
        Ok(y)
    }

    /// A convolution with the batch normalisation after it folded in, padded as TensorFlow's SAME: an odd pixel goes
    /// to the bottom and the right.
    fn conv_bn(
        &mut self,
        x: &str,
        name: &str,
        conv: &str,
        bn: &str,
        shape: Conv,
    ) -> Result<String, Lite0Error> {
        let Conv { k, s, i, o, groups } = shape;
        let mut weight = self.take(&format!("{conv}.weight"), &[o, i / groups, k, k])?;
        let scale = self.take(&format!("{bn}.weight"), &[o])?;
        let shift = self.take(&format!("{bn}.bias"), &[o])?;
        let mean = self.take(&format!("{bn}.running_mean"), &[o])?;
        let variance = self.take(&format!("{bn}.running_var"), &[o])?;

        let mut bias = Vec::with_capacity(o);
        for (channel, kernel) in weight.chunks_exact_mut(i / groups * k * k).enumerate() {
            let factor = f64::from(scale[channel]) / (f64::from(variance[channel]) + BN_EPSILON).sqrt();
            kernel.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * factor) as f32);
            bias.push((f64::from(shift[channel]) - f64::from(mean[channel]) * factor) as f32);
        }
        let (w, b) = (format!("{name}.weight"), format!("{name}.bias"));
        self.initializers.push(f32_tensor(&w, &[o, i / groups, k, k].map(|side| side as i64), &weight));
        self.initializers.push(f32_tensor(&b, &[o as i64], &bias));

        let out = self.side.div_ceil(s);
        let pad = ((out - 1) * s + k).saturating_sub(self.side);
        self.side = out;
        let (before, after) = ((pad / 2) as i64, (pad - pad / 2) as i64);
        let attributes = vec![
            ints("kernel_shape", &[k as i64; 2]),
            ints("strides", &[s as i64; 2]),
            ints("pads", &[before, before, after, after]),
            int("group", groups as i64),
        ];
        Ok(self.op("Conv", name, &[x, &w, &b], attributes))
    }

    fn relu6(&mut self, x: &str) -> String {
        if self.initializers.iter().all(|tensor| tensor.name.as_deref() != Some("six")) {
            self.initializers.push(f32_tensor("zero", &[], &[0.0]));
            self.initializers.push(f32_tensor("six", &[], &[6.0]));
        }
        self.op("Clip", &format!("{x}.relu6"), &[x, "zero", "six"], vec![])
    }

    fn classifier(&mut self, x: &str) -> Result<(), Lite0Error> {
        let weight = self.take("_fc.weight", &[CLASSES, HEAD])?;
        let bias = self.take("_fc.bias", &[CLASSES])?;
        self.initializers.push(f32_tensor("fc.weight", &[CLASSES as i64, HEAD as i64], &weight));
        self.initializers.push(f32_tensor("fc.bias", &[CLASSES as i64], &bias));
        let pooled = self.op("GlobalAveragePool", "pool", &[x], vec![]);
        let flat = self.op("Flatten", "flatten", &[&pooled], vec![int("axis", 1)]);
        let attributes = vec![float("alpha", 1.0), float("beta", 1.0), int("transB", 1)];
        self.op("Gemm", "logits", &[&flat, "fc.weight", "fc.bias"], attributes);
        Ok(())
    }

    /// Writes a node; its output has its name.
    fn op(&mut self, op_type: &str, name: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        self.nodes.push(node(op_type, name, inputs, &[name], attributes));
        name.to_owned()
    }

    /// Takes a tensor of this shape out of the weights.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Lite0Error> {
        let found = self.weights.remove(name).filter(|tensor| tensor.shape == shape);
        found
            .map(|tensor| tensor.values)
            .ok_or_else(|| Lite0Error::Weights { name: name.to_owned(), shape: shape.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::model::{Classifier, Filter, Fit};

    /// The real weights, fetched as the program fetches them.
    static WEIGHTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let store = Store::open().unwrap();
        fs::read(store.get(Asset::Lite0Weights, &mut |_| ()).unwrap()).unwrap()
    });

    #[test]
    fn the_file_says_itself_how_it_is_fed() {
        let classifier = Classifier::default_model(&Store::open().unwrap(), &mut |_| ()).unwrap();
        assert_eq!(classifier.assumptions(), None);
        assert_eq!(classifier.title, "EfficientNet-Lite0");
        assert_eq!(classifier.output, "logits");
        let preprocessing = &classifier.preprocessing;
        assert_eq!((preprocessing.height, preprocessing.width), (224, 224));
        assert_eq!((preprocessing.fit, preprocessing.filter), (Fit::Squash, Filter::Bicubic));
        assert_eq!((preprocessing.mean, preprocessing.std), ([127.0; 3], [128.0; 3]));

        let names = classifier.labels.names();
        assert_eq!(
            (names.len(), &*names[0], &*names[282], &*names[999]),
            (1000, "tench", "tiger cat", "toilet tissue")
        );
        let mut distinct: Vec<_> = names.iter().map(|name| name.to_lowercase()).collect();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 1000, "two classes have one name");
    }

    #[test]
    fn weights_of_another_model_are_refused_by_name() {
        assert!(matches!(import(b"not a checkpoint"), Err(Lite0Error::Checkpoint(_))));
        let mut net = Net {
            weights: read_state_dict(&WEIGHTS).unwrap(),
            nodes: vec![],
            initializers: vec![],
            side: SIDE,
        };
        let message = net.take("_fc.weight", &[10, HEAD]).unwrap_err().to_string();
        assert!(message.contains("_fc.weight") && message.contains("[10, 1280]"), "{message}");
    }
}
