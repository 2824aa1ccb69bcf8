//! Finding the class scores: which output holds them, and what stands before its softmax.

use super::bounds;
use super::error::ExplainError;
use super::head::{self, Form, Head, Walk};
use super::probabilities::Link;
use super::request::Request;
use crate::onnx::graph::Graph;
use crate::onnx::proto::DataType;

/// The scores that are explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The model's output that they were found from.
    pub output: String,
    /// Class scores before any softmax, `[N, C]`, perhaps with further axes of size 1. Of an output that holds
    /// no class scores: all of its values.
    pub logits: String,
    /// The model's own probabilities, shaped as the logits, if it has them.
    pub probabilities: Option<String>,
    /// How logits become probabilities, where the model has none of its own.
    pub link: Link,
    /// How many classes, C: no more than i32 counts, which tells them apart.
    pub classes: usize,
    /// How the scores come from a feature map, where that has a closed form.
    pub head: Option<Head>,
}

/// The class scores of the asked output, or of the first one that holds class scores; one whose head has a
/// closed form comes first.
///
/// # Errors
///
/// [`ExplainError::NoSuchOutput`], or [`ExplainError::UnknownClasses`].
pub(super) fn find(graph: &Graph<'_>, request: &Request) -> Result<Scores, ExplainError> {
    let names: Vec<&str> = graph.outputs().iter().map(|output| output.name()).collect();
    let asked = request.output.as_deref();
    let wanted: Vec<&str> =
        names.iter().copied().filter(|name| asked.is_none_or(|asked| asked == *name)).collect();
    let found = || wanted.iter().map(|output| behind(graph, output, request));
    if let Some(scores) = found().flatten().find(|scores| scores.head.is_some()) {
        return Ok(scores);
    }
    let plausible = |output: &&&str| asked.is_some() || holds_scores(graph, output);
    let first = wanted.iter().find(plausible).or(wanted.first());
    let first = first.ok_or_else(|| ExplainError::NoSuchOutput {
        output: asked.unwrap_or_default().into(),
        outputs: names.join(", "),
    })?;
    behind(graph, first, request)
}

/// Whether an output has the shape and type of class scores.
fn holds_scores(graph: &Graph<'_>, output: &str) -> bool {
    let float =
        !matches!(graph.element_type(output), Some(DataType::Int64 | DataType::Int32 | DataType::Bool));
    let column = graph.shape(output).is_none_or(|shape| {
        shape.len() >= 2 && shape[1] != Some(1) && shape[2..].iter().all(|&size| size == Some(1))
    });
    float && column
}

/// Refuses an output of more than one value for each class.
fn check_column(graph: &Graph<'_>, output: &str) -> Result<(), ExplainError> {
    let Some(shape) = graph.shape(output).filter(|shape| shape.len() > 2) else { return Ok(()) };
    if shape[2..].iter().all(|size| size.is_none_or(|size| size == 1)) {
        return Ok(());
    }
    let sizes: Vec<String> =
        shape.iter().map(|size| size.map_or("?".into(), |size| size.to_string())).collect();
    let middle = shape[1..].iter().map(|size| (size.unwrap_or(1) / 2).to_string());
    let (shape, example) = (sizes.join("x"), middle.collect::<Vec<_>>().join(","));
    Err(ExplainError::NotScores { output: output.into(), shape, example })
}

fn behind(graph: &Graph<'_>, output: &str, request: &Request) -> Result<Scores, ExplainError> {
    if request.index.is_empty() {
        check_column(graph, output)?;
    }
    let walk = Walk { graph };
    let (logits, probabilities) = match Link::behind(graph, output) {
        _ if matches!(request.link, Some(Link::Softmax | Link::Sigmoid)) => (output, None),
        Some((link, node)) => {
            let own = node.output_at(0).filter(|_| link == Link::Identity);
            (node.input_at(0).unwrap_or(output), own)
        }
        None if request.link.is_none() && !bounds::is_probability(graph, output) => (output, None),
        None => (bounds::softmax_in_pieces(graph, output).unwrap_or(output), Some(output)),
    };
    let head = head::find(graph, logits);
    let classes = head.as_ref().and_then(|head| match &head.form {
        Form::Pooled(linear) | Form::Flattened(linear) => walk.size(&linear.weight, linear.class_axis),
        Form::ClassMaps | Form::Acol => walk.channels(&head.features, head.layout),
    });
    let from_output = || match graph.shape(output)? {
        [_, rest @ ..] => rest.iter().try_fold(1_i64, |product, dim| product.checked_mul((*dim)?)),
        [] => None,
    };
    let classes = classes.or_else(from_output).filter(|&classes| classes <= i64::from(i32::MAX));
    let classes = classes.and_then(|classes| usize::try_from(classes).ok());
    let unknown = || ExplainError::UnknownClasses { output: output.into() };
    Ok(Scores {
        output: output.into(),
        logits: logits.into(),
        probabilities: probabilities.map(str::to_owned),
        link: request.link.unwrap_or(Link::Softmax),
        classes: classes.filter(|&classes| classes > 0).ok_or_else(unknown)?,
        head,
    })
}
