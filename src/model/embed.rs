//! Preprocessing as part of the graph: a model that takes a picture of any size as bytes.
//!
//! Resizing is linear along each axis, so it is a product with a matrix of weights, which the graph computes from
//! the picture's size. That follows the same formula as [`Preprocessor`](super::Preprocessor), with fractions of
//! pixels, and needs no operator set that old runtimes lack.

use super::preprocessing::{Channels, Filter, Fit, Layout, Preprocessing};
use camloc_graph::onnx::build::{Dim, f32_tensor, i64_tensor, int, ints, value_info};
use camloc_graph::onnx::edit::GraphEditor;
use camloc_graph::onnx::graph::Graph;
use camloc_graph::onnx::proto::{DataType, ModelProto};

/// The input that takes a picture: u8 `[N, height, width, 3]`, RGB.
pub(super) const PICTURE: &str = "camloc.picture";
/// What the names of all that is added begin with.
const PREFIX: &str = "camloc.preprocess";
/// Where the metadata name the input that the model had.
const INPUT_KEY: &str = "camloc.image_input";

/// Puts the preprocessing before the model's image input.
pub(super) fn embed(model: &mut ModelProto, preprocessing: &Preprocessing, input: &str) {
    let Some(position) =
        model.graph.as_ref().and_then(|graph| graph.input.iter().position(|i| i.name() == input))
    else {
        return;
    };
    let graph = model.graph.get_or_insert_default();
    let nodes = graph.node.len();
    let own = graph.input.remove(position);
    graph.value_info.push(own);
    let any = [Dim::Symbol("N"), Dim::Symbol("picture_height"), Dim::Symbol("picture_width"), Dim::Fixed(3)];
    graph.input.insert(position, value_info(PICTURE, DataType::Uint8, &any));

    let mut graph = GraphEditor::new(model);
    let element = graph.element_type(input).unwrap_or(DataType::Float);
    graph.set_metadata(INPUT_KEY, input);
    let mut writer = Writer { graph, preprocessing };
    let values = writer.values();
    let to = vec![int("to", element as i64)];
    let name = writer.graph.fresh_name(PREFIX);
    writer.graph.push(camloc_graph::onnx::build::node("Cast", &name, &[&values], &[input], to));
    drop(writer);
    // What was appended comes first: the rest of the graph uses it.
    if let Some(graph) = &mut model.graph {
        graph.node.rotate_left(nodes);
    }
}

/// Takes the preprocessing away again, so that the model has its own image input.
pub(super) fn unembed(model: &mut ModelProto) {
    let Some(input) = Graph::new(model).metadata(INPUT_KEY).map(str::to_owned) else { return };
    let Some(graph) = &mut model.graph else { return };
    let picture = graph.input.iter().position(|value| value.name() == PICTURE);
    let own = graph.value_info.iter().position(|value| value.name() == input);
    let (Some(picture), Some(own)) = (picture, own) else { return };
    graph.input[picture] = graph.value_info.remove(own);
    graph.node.retain(|node| !node.name().starts_with(PREFIX));
    graph.initializer.retain(|tensor| !tensor.name().starts_with(PREFIX));
    model.metadata_props.retain(|entry| entry.key() != INPUT_KEY);
}

/// Writes the nodes.
struct Writer<'m, 'p> {
    graph: GraphEditor<'m>,
    preprocessing: &'p Preprocessing,
}

/// Along one axis, as scalars: which part of the picture goes where in the input.
struct Span {
    /// Where the part begins, and how long it is, in pixels of the picture.
    start: String,
    length: String,
    /// Where it goes, and how long it is there, in pixels of the input.
    offset: String,
    inner: String,
}

impl Writer<'_, '_> {
    /// The model's input values as f32, in its layout.
    fn values(&mut self) -> String {
        let Preprocessing { width, height, fit, channels, layout, mean, std, .. } =
            self.preprocessing.clone();
        let sizes = self.op("Shape", &[PICTURE]);
        let sizes = self.cast(&sizes, DataType::Float);
        let [rows, columns] = [1, 2].map(|axis| {
            let axis = self.whole(&[], &[axis]);
            self.op("Gather", &[&sizes, &axis])
        });
        let [down, across] = self.spans(&rows, &columns);
        let (down, kept_down) = self.weights(&rows, height, &down);
        let (across, kept_across) = self.weights(&columns, width, &across);

        let floats = self.cast(PICTURE, DataType::Float);
        let planes = self.permuted(&floats, &[0, 3, 1, 2]);
        let turned = self.permuted(&across, &[1, 0]);
        let low = self.op("MatMul", &[&down, &planes]);
        let low = self.bytes(&low);
        let mut pixels = self.op("MatMul", &[&low, &turned]);
        if let Fit::Letterbox(colour) = fit {
            let row = self.permuted(&kept_across, &[1, 0]);
            let covered = self.op("Mul", &[&kept_down, &row]);
            let one = self.number(1.0);
            let bare = self.op("Sub", &[&one, &covered]);
            let colour = self.column(colour.map(f64::from));
            let fill = self.op("Mul", &[&bare, &colour]);
            pixels = self.op("Add", &[&pixels, &fill]);
        }
        pixels = self.bytes(&pixels);
        pixels = self.arranged(&pixels, channels);
        let (mean, std) = (self.column(mean), self.column(std));
        let (mean, std) =
            if channels == Channels::Gray { (self.first(&mean), self.first(&std)) } else { (mean, std) };
        pixels = self.op("Sub", &[&pixels, &mean]);
        pixels = self.op("Div", &[&pixels, &std]);
        match layout {
            Layout::Nchw => pixels,
            Layout::Nhwc => self.permuted(&pixels, &[0, 2, 3, 1]),
        }
    }

    /// Pixels are bytes until they are normalised, also between the two directions.
    fn bytes(&mut self, pixels: &str) -> String {
        let whole = self.op("Round", &[pixels]);
        let (black, white) = (self.number(0.0), self.number(255.0));
        self.op("Clip", &[&whole, &black, &white])
    }

    /// Which part of a picture of this size goes where, down and across.
    fn spans(&mut self, rows: &str, columns: &str) -> [Span; 2] {
        let Preprocessing { width, height, fit, .. } = self.preprocessing.clone();
        let sides = [(rows, f64::from(height)), (columns, f64::from(width))];
        let ratios = sides.map(|(size, input)| self.with("Div", size, input));
        match fit {
            Fit::Squash => sides.map(|(size, input)| Span {
                start: self.number(0.0),
                length: size.to_owned(),
                offset: self.number(0.0),
                inner: self.number(input),
            }),
            Fit::Stretch(share) => sides.map(|(size, input)| {
                let start = self.with("Mul", size, (1.0 - share) / 2.0);
                let length = self.with("Mul", size, share);
                Span { start, length, offset: self.number(0.0), inner: self.number(input) }
            }),
            Fit::Crop(share) => {
                let scale = self.op("Min", &[&ratios[0], &ratios[1]]);
                let scale = self.with("Mul", &scale, share);
                sides.map(|(size, input)| {
                    let length = self.with("Mul", &scale, input);
                    let rest = self.op("Sub", &[size, &length]);
                    let start = self.with("Div", &rest, 2.0);
                    Span { start, length, offset: self.number(0.0), inner: self.number(input) }
                })
            }
            Fit::Letterbox(_) => {
                let scale = self.op("Max", &[&ratios[0], &ratios[1]]);
                sides.map(|(size, input)| {
                    let exact = self.op("Div", &[size, &scale]);
                    let whole = self.op("Round", &[&exact]);
                    let (one, most) = (self.number(1.0), self.number(input));
                    let inner = self.op("Clip", &[&whole, &one, &most]);
                    let rest = self.op("Sub", &[&most, &inner]);
                    let half = self.with("Div", &rest, 2.0);
                    let offset = self.op("Floor", &[&half]);
                    Span { start: self.number(0.0), length: size.to_owned(), offset, inner }
                })
            }
        }
    }

    /// The matrix `[input, picture]` that resizes along one axis, each row adding up to one, and a column `[input, 1]`
    /// of ones where the picture goes.
    fn weights(&mut self, size: &str, input: u32, span: &Span) -> (String, String) {
        let (zero, one) = (self.number(0.0), self.number(1.0));
        let pixels = self.op("Range", &[&zero, size, &one]);
        let places: Vec<f32> = (0..input).map(|place| place as f32).collect();
        let places = self.constant(f32_tensor("", &[i64::from(input), 1], &places));
        let places = self.op("Sub", &[&places, &span.offset]);
        let (from, to) =
            (self.op("GreaterOrEqual", &[&places, &zero]), self.op("Less", &[&places, &span.inner]));
        let inside = self.op("And", &[&from, &to]);
        let inside = self.cast(&inside, DataType::Float);

        // Where in the picture a place of the input has its centre.
        let scale = self.op("Div", &[&span.length, &span.inner]);
        let middle = self.with("Add", &places, 0.5);
        let middle = self.op("Mul", &[&middle, &scale]);
        let middle = self.op("Add", &[&middle, &span.start]);
        let weights = match self.preprocessing.filter {
            Filter::Nearest => {
                let nearest = self.op("Floor", &[&middle]);
                let same = self.op("Equal", &[&pixels, &nearest]);
                self.cast(&same, DataType::Float)
            }
            filter => {
                let centres = self.with("Add", &pixels, 0.5);
                let apart = self.op("Sub", &[&centres, &middle]);
                let reach = self.op("Max", &[&scale, &one]);
                let apart = self.op("Div", &[&apart, &reach]);
                self.kernel(filter, &apart)
            }
        };
        let axes = self.whole(&[1], &[1]);
        let sum = self.op("ReduceSum", &[&weights, &axes]);
        let weights = self.op("Div", &[&weights, &sum]);
        (self.op("Mul", &[&weights, &inside]), inside)
    }

    /// The filter's weight at a distance, in pixels of the coarser side.
    fn kernel(&mut self, filter: Filter, apart: &str) -> String {
        let size = self.op("Abs", &[apart]);
        match filter {
            // Half-open, so that a pixel belongs to one place only.
            Filter::Nearest | Filter::Box => {
                let (low, high) = (self.number(-0.5), self.number(0.5));
                let (above, below) =
                    (self.op("Greater", &[apart, &low]), self.op("LessOrEqual", &[apart, &high]));
                let inside = self.op("And", &[&above, &below]);
                self.cast(&inside, DataType::Float)
            }
            Filter::Bilinear => {
                let one = self.number(1.0);
                let rest = self.op("Sub", &[&one, &size]);
                self.op("Relu", &[&rest])
            }
            // Catmull-Rom: 1.5 x³ - 2.5 x² + 1 up to 1, -0.5 x³ + 2.5 x² - 4 x + 2 up to 2.
            Filter::Bicubic => {
                let inner = self.polynomial(&size, &[1.5, -2.5, 0.0, 1.0]);
                let outer = self.polynomial(&size, &[-0.5, 2.5, -4.0, 2.0]);
                let (inner, outer) =
                    (self.below(&size, 1.0, &inner), self.between(&size, [1.0, 2.0], &outer));
                self.op("Add", &[&inner, &outer])
            }
            Filter::Lanczos => {
                // sinc(x) sinc(x / 3) up to 3; a distance of zero is moved by a trifle.
                let moved = self.with("Add", &size, 1e-6);
                let (wide, near) = (self.with("Div", &moved, 3.0), moved);
                let (wide, near) = (self.sinc(&wide), self.sinc(&near));
                let both = self.op("Mul", &[&wide, &near]);
                self.below(&size, 3.0, &both)
            }
        }
    }

    fn sinc(&mut self, x: &str) -> String {
        let angle = self.with("Mul", x, std::f64::consts::PI);
        let sine = self.op("Sin", &[&angle]);
        self.op("Div", &[&sine, &angle])
    }

    /// A polynomial, highest power first.
    fn polynomial(&mut self, x: &str, factors: &[f64]) -> String {
        let mut value = self.number(0.0);
        for &factor in factors {
            value = self.op("Mul", &[&value, x]);
            value = self.with("Add", &value, factor);
        }
        value
    }

    /// `value` where `x` is below a bound, else zero.
    fn below(&mut self, x: &str, bound: f64, value: &str) -> String {
        let bound = self.number(bound);
        let holds = self.op("Less", &[x, &bound]);
        let holds = self.cast(&holds, DataType::Float);
        self.op("Mul", &[&holds, value])
    }

    /// `value` from one bound to below the other, else zero.
    fn between(&mut self, x: &str, [low, high]: [f64; 2], value: &str) -> String {
        let (all, inner) = (self.below(x, high, value), self.below(x, low, value));
        self.op("Sub", &[&all, &inner])
    }

    /// RGB planes `[N, 3, h, w]` as the model's channels.
    fn arranged(&mut self, pixels: &str, channels: Channels) -> String {
        match channels {
            Channels::Rgb => pixels.to_owned(),
            Channels::Bgr => {
                let order = self.whole(&[3], &[2, 1, 0]);
                let name = self.graph.fresh_name(PREFIX);
                let axis = vec![int("axis", 1)];
                self.graph.push(camloc_graph::onnx::build::node(
                    "Gather",
                    &name,
                    &[pixels, &order],
                    &[&name],
                    axis,
                ));
                name
            }
            Channels::Gray => {
                let shares = self.column([0.299, 0.587, 0.114]);
                let parts = self.op("Mul", &[pixels, &shares]);
                let axes = self.whole(&[1], &[1]);
                let luma = self.op("ReduceSum", &[&parts, &axes]);
                self.op("Round", &[&luma])
            }
        }
    }

    /// A value for each channel, `[3, 1, 1]`.
    fn column(&mut self, values: [f64; 3]) -> String {
        self.constant(f32_tensor("", &[3, 1, 1], &values.map(|value| value as f32)))
    }

    /// The first channel's value.
    fn first(&mut self, column: &str) -> String {
        let zero = self.whole(&[], &[0]);
        self.op("Gather", &[column, &zero])
    }

    fn with(&mut self, op: &str, tensor: &str, value: f64) -> String {
        let value = self.number(value);
        self.op(op, &[tensor, &value])
    }

    fn number(&mut self, value: f64) -> String {
        self.constant(f32_tensor("", &[], &[value as f32]))
    }

    fn whole(&mut self, dims: &[i64], values: &[i64]) -> String {
        self.constant(i64_tensor("", dims, values))
    }

    fn constant(&mut self, mut tensor: camloc_graph::onnx::proto::TensorProto) -> String {
        tensor.name = Some(PREFIX.into());
        self.graph.add_initializer(tensor)
    }

    fn cast(&mut self, tensor: &str, element: DataType) -> String {
        self.graph.op("Cast", PREFIX, &[tensor], vec![int("to", element as i64)])
    }

    fn permuted(&mut self, tensor: &str, perm: &[i64]) -> String {
        self.graph.op("Transpose", PREFIX, &[tensor], vec![ints("perm", perm)])
    }

    fn op(&mut self, op: &str, inputs: &[&str]) -> String {
        self.graph.op(op, PREFIX, inputs, vec![])
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::frame::Picture;
    use crate::model::Preprocessor;
    use crate::runtime::{Options, Session, init_for_tests};
    use camloc_graph::onnx::build::{graph, model, node};

    /// A model that gives back its input values.
    fn echo(settings: &Preprocessing) -> ModelProto {
        let dims: Vec<Dim<'_>> =
            settings.input_shape(1).iter().map(|&size| Dim::Fixed(size as i64)).collect();
        let (x, y) = (value_info("x", DataType::Float, &dims), value_info("y", DataType::Float, &dims));
        model(graph("echo", vec![x], vec![y], vec![], vec![node("Identity", "n", &["x"], &["y"], vec![])]))
    }

    fn picture(width: u32, height: u32) -> Picture {
        let byte = |at: u32| ((at * 37 + at / 11 * 91) % 256) as u8;
        Picture::from_rgb(width, height, (0..width * height * 3).map(byte).collect()).unwrap()
    }

    #[test]
    fn the_graph_prepares_pictures_as_the_program_does() {
        init_for_tests();
        let fits =
            [Fit::Crop(0.875), Fit::Crop(1.0), Fit::Squash, Fit::Stretch(0.7), Fit::Letterbox([10, 200, 90])];
        let filters = [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];
        for (fit, filter) in fits.into_iter().flat_map(|fit| filters.map(|filter| (fit, filter))) {
            for (channels, layout) in [(Channels::Bgr, Layout::Nhwc), (Channels::Gray, Layout::Nchw)] {
                let settings = Preprocessing { filter, channels, layout, ..Preprocessing::plain(12, 9, fit) };
                let mut model = echo(&settings);
                embed(&mut model, &settings, "x");
                for (width, height) in [(40, 31), (8, 21)] {
                    let picture = picture(width, height);
                    let shape = Some(vec![1, height as usize, width as usize, 3]);
                    let mut session = Session::load(
                        &model.encode_to_vec(),
                        &Options { threads: 1, shape, ..Options::default() },
                    )
                    .unwrap();
                    for (value, &byte) in session.input_mut().iter_mut().zip(picture.rgb()) {
                        *value = byte.into();
                    }
                    session.run().unwrap();
                    let mut expected = vec![0.0; settings.input_shape(1).iter().product()];
                    Preprocessor::new(&settings).run(&picture, &mut expected);
                    let found = session.floats("y").unwrap().1;
                    let most = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(most <= 2.0, "{most} levels apart for {settings:?} of {width}x{height}");
                }
            }
        }
    }

    #[test]
    fn what_was_embedded_comes_out_again() {
        let settings = Preprocessing::plain(12, 9, Fit::Squash);
        let (mut changed, plain) = (echo(&settings), echo(&settings));
        embed(&mut changed, &settings, "x");
        assert_ne!(changed, plain);
        unembed(&mut changed);
        assert_eq!(changed, plain);
    }
}
