//! FullGrad (Srinivas & Fleuret 2019): the gradient of every pixel times the pixel, and of every bias times the bias,
//! gathered where they act in the picture.
//!
//! Each channel's magnitudes are brought to 0..1 at their own resolution, resized bilinearly to the picture and summed, as
//! the common PyTorch implementation does. Biases count where they belong to a convolution or a batch
//! normalisation; of the latter the bias is what it adds in the end, `beta - mean * gamma / sqrt(variance + epsilon)`.

use super::super::error::ExplainError;
use super::super::features::{Grid, LayerGradient, Maps, over_channels, resized};
use super::super::head::Layout;
use super::super::layers::Layer;
use super::super::outputs::as_f32;
use super::super::subject::Subject;
use crate::autodiff::{Gradient, Rectifier};
use crate::onnx::edit::GraphEditor;
use crate::onnx::proto::NodeProto;

/// A tensor `[N, C, h, w]` to which a bias for each channel has been added.
struct Biased {
    output: String,
    node: NodeProto,
}

/// Appends the maps of the chosen classes.
pub(super) fn append(subject: &mut Subject<'_, '_>) -> Result<Maps, ExplainError> {
    let (image, seed, count) = (subject.picture()?, subject.logits(), subject.count());
    let biased = biased(subject, &image.tensor);
    let by: Vec<String> = std::iter::once(image.tensor.clone())
        .chain(biased.iter().map(|place| place.output.clone()))
        .collect();
    let found = subject.gradients(&by, &seed, Rectifier::Plain)?;

    let pixels = LayerGradient::of(subject.graph, &found[0], &image, count)?;
    let graph = &mut *subject.graph;
    let values = super::super::features::activations(graph, &image);
    let products = graph.op("Mul", "camloc.products", &[&pixels.tensor, &values], vec![]);
    let mut sum = spread(graph, &products);
    let grid = Grid::of(graph, &image.tensor, image.layout);
    let size = Maps::by_class(sum.clone(), grid.clone()).folded(graph, "camloc.picture");
    let size = graph.op("Shape", "camloc.size", &[&size], vec![]);
    for (place, gradient) in biased.iter().zip(&found[1..]) {
        if let Some(term) = term(graph, place, gradient, count, &size)? {
            sum = graph.op("Add", "camloc.terms", &[&sum, &term], vec![]);
        }
    }
    Ok(Maps::by_class(sum, grid))
}

/// Where biases act between the picture and the scores.
fn biased(subject: &Subject<'_, '_>, image: &str) -> Vec<Biased> {
    let graph = &*subject.graph;
    let has_bias = |node: &&NodeProto| match node.standard_op() {
        "Conv" => node.input_at(2).is_some(),
        "BatchNormalization" => true,
        _ => false,
    };
    let spatial = |output: &str| graph.shape(output).is_some_and(|shape| shape.len() == 4);
    let on_the_way = crate::autodiff::between(graph, image, &subject.scores.logits);
    let nodes = on_the_way.into_iter().filter_map(|index| graph.nodes().get(index)).filter(has_bias);
    let outputs =
        nodes.filter_map(|node| Some(Biased { output: node.output_at(0)?.to_owned(), node: node.clone() }));
    outputs.filter(|place| spatial(&place.output)).collect()
}

/// `[K, N, P]` at the picture's size: the share of one bias; `None` where the gradient is the same at every place, which
/// says nothing about where.
fn term(
    graph: &mut GraphEditor<'_>,
    place: &Biased,
    gradient: &Gradient,
    count: usize,
    size: &str,
) -> Result<Option<String>, ExplainError> {
    let layer = Layer::at(graph, &place.output, Layout::Nchw);
    let gradient = LayerGradient::of(graph, gradient, &layer, count)?;
    if gradient.uniform {
        return Ok(None);
    }
    let Some(bias) = bias(graph, &place.node) else { return Ok(None) };
    let column = graph.reshape("camloc.bias", &bias, &[-1, 1]);
    let products = graph.op("Mul", "camloc.products", &[&gradient.tensor, &column], vec![]);
    let tensor = spread(graph, &products);
    let small =
        Maps::by_class(tensor, Grid::of(graph, &place.output, Layout::Nchw)).folded(graph, "camloc.small");
    let large = resized(graph, &small, size);
    let flat = graph.reshape("camloc.large", &large, &[0, 0, -1]);
    Ok(Some(graph.transpose("camloc.large", &flat, &[1, 0, 2])))
}

/// The bias of a convolution or a batch normalisation, f32 `[C]`.
fn bias(graph: &mut GraphEditor<'_>, node: &NodeProto) -> Option<String> {
    if node.standard_op() == "Conv" {
        let bias = node.input_at(2)?;
        return Some(as_f32(graph, bias));
    }
    let names: Vec<String> = (1..5).filter_map(|index| node.input_at(index).map(str::to_owned)).collect();
    let floats: Vec<String> = names.iter().map(|name| as_f32(graph, name)).collect();
    let [gamma, beta, mean, variance] = &floats[..] else { return None };
    let sum = graph.with("Add", "camloc.variance", variance, node.float_or("epsilon", 1e-5).into());
    let deviation = graph.op("Sqrt", "camloc.deviation", &[&sum], vec![]);
    let factor = graph.op("Div", "camloc.factor", &[gamma, &deviation], vec![]);
    let shift = graph.op("Mul", "camloc.shift", &[mean, &factor], vec![]);
    Some(graph.op("Sub", "camloc.bias", &[beta, &shift], vec![]))
}

/// `[K, N, P]`: the magnitudes of `[K, N, C, P]`, each channel's brought to 0..1, summed over channels.
fn spread(graph: &mut GraphEditor<'_>, tensor: &str) -> String {
    let size = graph.op("Abs", "camloc.magnitude", &[tensor], vec![]);
    let low = graph.reduce("ReduceMin", "camloc.low", &size, &[-1], true);
    let above = graph.op("Sub", "camloc.above", &[&size, &low], vec![]);
    let high = graph.reduce("ReduceMax", "camloc.high", &above, &[-1], true);
    let high = graph.with("Add", "camloc.high", &high, 1e-7);
    let scaled = graph.op("Div", "camloc.scaled", &[&above, &high], vec![]);
    over_channels(graph, &scaled)
}
