//! A classifier, put together from its graph, its manifest and sensible assumptions.

use std::path::Path;

use super::embed;
use super::error::ModelError;
use super::fixed_input::FixedInput;
use super::labels::Labels;
use super::lite0;
use super::manifest::{FitName, LabelSource, Manifest, PerChannel, ScoresAre, Size};
use super::open;
use super::preprocessing::{Fit, Preprocessing};
use super::said::{self, Source};
use super::signature;
use crate::assets::{Progress, Store};
use camloc_graph::explain::{Detector, Link, own_side};
use camloc_graph::onnx::proto::ModelProto;

/// The key of a model's metadata that holds its manifest, as [`Classifier::manifest`] writes it.
pub(crate) const MANIFEST_KEY: &str = "camloc.manifest";

/// An image classifier, and how to feed it.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// The graph, as it is in the file.
    pub model: ModelProto,
    /// How a picture becomes its input.
    pub preprocessing: Preprocessing,
    /// The names of its classes.
    pub labels: Labels,
    /// What to call it: the manifest's title, else the name of the file.
    pub title: String,
    /// The name of the image input.
    pub input: String,
    /// The name of the output that holds a score for each class.
    pub output: String,
    /// What is known of its boxes, where it is a detector: its classes are then those of the boxes.
    pub detector: Option<Detector>,
    /// What that output holds, where that is said; else the graph tells.
    pub link: Option<Link>,
    /// Where what is known of it was read.
    pub sources: Vec<Source>,
    /// What nobody says, one phrase each; empty where all is known.
    pub assumed: Vec<String>,
    /// What a user should know of how it was read: contradictions, and files that were left unread.
    pub notes: Vec<String>,
}

impl Classifier {
    /// Opens a model, or the model of a folder: `model.onnx`, `onnx/model.onnx`, or the only `.onnx`. A manifest is believed
    /// first: the one given, else the one beside the model (`foo.toml` for `foo.onnx`), else the one in its metadata. Then the
    /// file: its metadata and its first nodes; then the files that exporters leave beside it (`docs/models.md`).
    pub fn open(path: &Path, manifest: Option<&Path>) -> Result<Classifier, ModelError> {
        Classifier::open_with(path, manifest, &[])
    }

    /// As [`Classifier::open`], for a model with inputs next to the image: each of `inputs` becomes a constant.
    pub fn open_with(
        path: &Path,
        manifest: Option<&Path>,
        inputs: &[FixedInput],
    ) -> Result<Classifier, ModelError> {
        open::open(path, manifest, inputs)
    }

    /// As [`Classifier::open`], of a model that is not to be run here: its input may be anything that has rows and columns,
    /// such as satellite pictures of 13 channels, and its preprocessing says nothing then.
    pub fn open_unfed(path: &Path, manifest: Option<&Path>) -> Result<Classifier, ModelError> {
        open::open_unfed(path, manifest)
    }

    /// camloc's own classifier, EfficientNet-Lite0; it is fetched into `store` the first time.
    pub fn default_model(
        store: &Store,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Classifier, ModelError> {
        // The file says itself how it is fed.
        Classifier::open(&lite0::file(store, progress)?, None)
    }

    /// Has pictures prepared to `width` x `height` pixels, whatever the model declares. Convolutions with a global pooling
    /// behind them take any size; a larger one gives finer maps and costs with the number of pixels. Whether the
    /// model takes it shows when it is loaded.
    pub fn set_size(&mut self, width: u32, height: u32) {
        (self.preprocessing.width, self.preprocessing.height) = (width, height);
        // What is written down of tensors in between may hold sizes that follow from the old one.
        self.model.graph.iter_mut().for_each(|graph| graph.value_info.clear());
        self.declare_size(true);
        let size = (height as usize, width as usize);
        self.detector = Detector::find(&self.model, size, &[self.labels.names().len()]);
    }

    /// Declares the size that pictures are prepared to where the model leaves it open, so that the size of every feature
    /// map behind it is known too. The batch stays as it is. Returns whether anything was open.
    pub fn fix_size(&mut self) -> bool {
        self.declare_size(false)
    }

    fn declare_size(&mut self, anew: bool) -> bool {
        let shape = self.preprocessing.input_shape(1);
        let inputs = self.model.graph.iter_mut().flat_map(|graph| &mut graph.input);
        let mut changed = false;
        for input in inputs.filter(|input| input.name() == self.input) {
            changed |= signature::declare(input, &shape, anew);
        }
        changed
    }

    /// Puts the preprocessing into the graph: its input becomes `camloc.picture`, RGB pictures of any size, u8
    /// `[N, height, width, 3]`. [`Classifier::open`] takes it out again.
    pub fn embed_preprocessing(&mut self) {
        embed::embed(&mut self.model, &self.preprocessing, &self.input);
    }

    /// What was read beside the graph and the manifest, and what was assumed, on one line; `None` where there is nothing of
    /// either.
    pub fn assumptions(&self) -> Option<String> {
        let mut parts = vec![said::line(&self.sources)];
        if !self.assumed.is_empty() {
            parts.push(format!("assuming {}", self.assumed.join(", ")));
        }
        parts.retain(|part| !part.is_empty());
        (!parts.is_empty()).then(|| {
            format!(
                "{}: {}; a manifest can say otherwise (docs/model-manifest.md)",
                self.title,
                parts.join("; ")
            )
        })
    }

    /// A manifest that says all of this, to go into a model's metadata under `MANIFEST_KEY`.
    pub fn manifest(&self) -> String {
        let preprocessing = &self.preprocessing;
        let (fit, crop, fill) = match preprocessing.fit {
            Fit::Crop(share) => (FitName::Crop, Some(share), None),
            Fit::Squash => (FitName::Squash, None, None),
            Fit::Stretch(share) => (FitName::Stretch, Some(share), None),
            Fit::Letterbox(colour) => (FitName::Letterbox, None, Some(colour)),
        };
        let names = self.labels.names();
        Manifest {
            title: Some(self.title.clone()),
            size: Some(Size::HeightWidth([preprocessing.height, preprocessing.width])),
            fit: Some(fit),
            crop,
            fill,
            filter: Some(preprocessing.filter),
            range: Some(255.0),
            mean: Some(PerChannel::Each(preprocessing.mean)),
            std: Some(PerChannel::Each(preprocessing.std)),
            channels: Some(preprocessing.channels),
            layout: Some(preprocessing.layout),
            output: Some(own_side(&self.output).to_owned()),
            scores: self.link.and_then(ScoresAre::of),
            labels: (!names.is_empty()).then(|| LabelSource::List(names.to_vec())),
        }
        .to_toml()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::write;

    use super::*;
    use crate::model::preprocessing::{Channels, Filter, Layout};
    use crate::model::resolve::IMAGENET;
    use camloc_graph::onnx::build::{Dim, graph, i64_tensor, model, node, value_info};
    use camloc_graph::onnx::load::save;
    use camloc_graph::onnx::proto::{DataType, StringStringEntryProto};

    const ANY: Dim<'_> = Dim::Unknown;

    /// A model from an image of these sizes to scores of these sizes. What it computes does not matter.
    fn image_model(element: DataType, image: &[Dim<'_>], scores: &[Dim<'_>]) -> ModelProto {
        let inputs = vec![value_info("image", element, image)];
        let outputs = vec![
            value_info("features", DataType::Float, &[ANY; 4]),
            value_info("logits", DataType::Float, scores),
            value_info("camloc.maps", DataType::Float, &[ANY; 4]),
        ];
        model(graph("g", inputs, outputs, vec![], vec![node("Relu", "n", &["image"], &["logits"], vec![])]))
    }

    fn sizes<const N: usize>(sizes: [i64; N]) -> [Dim<'static>; N] {
        sizes.map(|size| if size < 0 { ANY } else { Dim::Fixed(size) })
    }

    /// The model as a file beside the given other files, opened without naming a manifest.
    fn open(model: &ModelProto, beside: &[(&str, &str)]) -> Result<Classifier, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        save(model, &path).unwrap();
        for (name, text) in beside {
            write(folder.path().join(name), text).unwrap();
        }
        Classifier::open(&path, None)
    }

    /// What a user sees, with the folder taken out.
    fn refusal(model: &ModelProto, beside: &[(&str, &str)]) -> String {
        let words = open(model, beside).unwrap_err().to_string();
        assert_eq!(words.lines().count(), 1, "{words}");
        words
            .split(' ')
            .map(|word| word.rsplit(std::path::MAIN_SEPARATOR).next().unwrap_or(word))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn usual() -> ModelProto {
        image_model(DataType::Float, &sizes([-1, 3, -1, -1]), &sizes([-1, 10]))
    }

    fn with_metadata(mut model: ModelProto, key: &str, value: &str) -> ModelProto {
        let entry = StringStringEntryProto { key: Some(key.to_owned()), value: Some(value.to_owned()) };
        model.metadata_props.push(entry);
        model
    }

    #[test]
    fn without_a_manifest_the_usual_is_assumed_and_said() {
        let classifier = open(&usual(), &[]).unwrap();
        let preprocessing = &classifier.preprocessing;
        assert_eq!((preprocessing.width, preprocessing.height), (224, 224));
        assert_eq!((preprocessing.mean, preprocessing.fit), (IMAGENET.0, Fit::Crop(0.875)));
        assert_eq!((classifier.input.as_str(), classifier.output.as_str()), ("image", "logits"));
        assert_eq!(classifier.labels.name(7), "class 7");
        assert_eq!(
            classifier.assumptions().unwrap(),
            "m: assuming an input of 224x224 pixels, ImageNet's RGB mean and std, a centre crop of 0.875, \
             bilinear; a manifest can say otherwise (docs/model-manifest.md)"
        );
    }

    #[test]
    fn the_graph_says_layout_size_and_channels() {
        let keras =
            open(&image_model(DataType::Float, &sizes([-1, 96, 80, 3]), &sizes([-1, 2])), &[]).unwrap();
        assert_eq!(keras.preprocessing.input_shape(1), [1, 96, 80, 3]);
        let gray = open(&image_model(DataType::Float, &sizes([1, 1, 28, 20]), &sizes([1, 10])), &[]).unwrap();
        assert_eq!((gray.preprocessing.channels, gray.preprocessing.layout), (Channels::Gray, Layout::Nchw));
        assert_eq!((gray.preprocessing.height, gray.preprocessing.width), (28, 20));
        assert_eq!((gray.preprocessing.mean, gray.preprocessing.std), ([0.0; 3], [255.0; 3]));
        let bytes =
            open(&image_model(DataType::Uint8, &sizes([1, 32, 32, 3]), &sizes([1, 10])), &[]).unwrap();
        assert_eq!((bytes.preprocessing.mean, bytes.preprocessing.std), ([0.0; 3], [1.0; 3]));
    }

    #[test]
    fn labels_follow_the_number_of_classes() {
        let classes = |count| image_model(DataType::Float, &sizes([1, 3, 8, 8]), &sizes([1, count]));
        assert_eq!(open(&classes(1000), &[]).unwrap().labels, Labels::imagenet());
        assert_eq!(open(&classes(1001), &[]).unwrap().labels, Labels::imagenet_with_background());
        let named = with_metadata(classes(2), "names", "{0: 'cat', 1: 'dog'}");
        assert_eq!(open(&named, &[]).unwrap().labels.name(1), "dog");
        let wrong = with_metadata(classes(3), "names", "{0: 'cat', 1: 'dog'}");
        assert_eq!(open(&wrong, &[]).unwrap().labels, Labels::numbered(Some(3)));
        let old = image_model(DataType::Float, &sizes([1, 3, 8, 8]), &sizes([1, 1000, 1, 1]));
        assert_eq!(open(&old, &[]).unwrap().labels, Labels::imagenet());
    }

    #[test]
    fn a_manifest_beside_the_model_is_followed() {
        let manifest = "title = 'Cats'\nsize = [60, 50]\nfit = 'squash'\nfilter = 'bicubic'\n\
                        mean = [104, 117, 123]\nchannels = 'bgr'\nlabels = 'cats.txt'\n";
        let cats: String = (0..10).map(|id| format!("cat {id}\n")).collect();
        let classifier = open(&usual(), &[("m.toml", manifest), ("cats.txt", &cats)]).unwrap();
        assert_eq!((classifier.title.as_str(), classifier.assumptions()), ("Cats", None));
        let expected = Preprocessing {
            width: 50,
            height: 60,
            fit: Fit::Squash,
            filter: Filter::Bicubic,
            channels: Channels::Bgr,
            layout: Layout::Nchw,
            mean: [104.0, 117.0, 123.0],
            std: [1.0; 3],
        };
        assert_eq!(classifier.preprocessing, expected);
        assert_eq!(classifier.labels.find("cat 3"), Ok(3));
    }

    #[test]
    fn a_manifest_travels_within_the_model() {
        let cats: String = (0..10).map(|id| format!("cat {id}\n")).collect();
        let manifest = "size = 60\nfit = 'letterbox'\nfill = [1, 2, 3]\nrange = 1\nmean = [0.4, 0.5, 0.6]\n\
                        labels = 'cats.txt'\n";
        let first = open(&usual(), &[("m.toml", manifest), ("cats.txt", &cats)]).unwrap();
        let again = open(&with_metadata(usual(), MANIFEST_KEY, &first.manifest()), &[]).unwrap();
        assert_eq!((&again.preprocessing, &again.labels), (&first.preprocessing, &first.labels));
        assert_eq!((again.title, again.output, again.assumed.len()), (first.title, first.output, 0));
        let spying = with_metadata(usual(), MANIFEST_KEY, "labels = '/etc/hostname'");
        assert!(refusal(&spying, &[]).ends_with("labels must be a list here, not a file"));
    }

    #[test]
    fn a_manifest_that_contradicts_the_graph_is_refused() {
        let fixed = image_model(DataType::Float, &sizes([1, 3, 224, 224]), &sizes([1, 10]));
        for (manifest, said) in [
            ("size = 227", "size = [227, 227]"),
            ("layout = 'nhwc'", "layout = \"nhwc\""),
            ("channels = 'gray'", "1 channels"),
        ] {
            let expected = format!("m.toml says {said}, but the model's input 'image' is 1x3x224x224");
            assert_eq!(refusal(&fixed, &[("m.toml", manifest)]), expected);
        }
        let words = refusal(&fixed, &[("m.toml", "labels = 'l.txt'"), ("l.txt", "cat\ndog\n")]);
        assert_eq!(words, "l.txt has 2 labels, but the model has 10 classes");
        let words = refusal(&fixed, &[("m.toml", "labels = 'none.txt'")]);
        assert_eq!(words, "cannot read none.txt: check the path and its permissions");
        let words = refusal(&fixed, &[("m.toml", "output = 'probs'")]);
        assert_eq!(words, "m.onnx has no output 'probs', it has 'features', 'logits'");
    }

    #[test]
    fn models_without_one_image_input_are_refused() {
        let video = image_model(DataType::Float, &sizes([1, 3, 16, 224, 224]), &sizes([1, 10]));
        let words = refusal(&video, &[]);
        assert!(words.starts_with("the input 'image' of m.onnx is 1x3x16x224x224, not an image"), "{words}");
        let four = image_model(DataType::Float, &sizes([1, 4, 224, 224]), &sizes([1, 10]));
        assert!(refusal(&four, &[]).contains("1 or 3 channels"));
        let mut two = usual();
        let inputs = &mut two.graph.as_mut().unwrap().input;
        inputs.push(value_info("mask", DataType::Float, &sizes([1, 1])));
        assert!(refusal(&two, &[]).starts_with("m.onnx takes 2 inputs (image, mask), an image classifier"));
        // With a default value, the same input is no obstacle.
        two.graph.as_mut().unwrap().initializer.push(i64_tensor("mask", &[1, 1], &[0]));
        assert!(open(&two, &[]).is_ok());
        two.graph.as_mut().unwrap().output.clear();
        assert!(refusal(&two, &[]).starts_with("m.onnx has no output"));
    }

    #[test]
    fn wrong_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("gone.onnx");
        assert!(Classifier::open(&missing, None).unwrap_err().to_string().contains("gone.onnx"));
        let text = folder.path().join("text.onnx");
        for content in ["", "This is not a model."] {
            write(&text, content).unwrap();
            let words = Classifier::open(&text, None).unwrap_err().to_string();
            assert!(words.contains("text.onnx") && words.lines().count() == 1, "{words}");
        }
        let gone = folder.path().join("gone.toml");
        let real = folder.path().join("m.onnx");
        save(&usual(), &real).unwrap();
        let words = Classifier::open(&real, Some(&gone)).unwrap_err().to_string();
        assert!(words.contains("gone.toml"), "{words}");
    }
}
