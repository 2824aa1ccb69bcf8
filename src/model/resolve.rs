//! What graph and manifest give together, and what is assumed where both are silent.

use super::error::ModelError;
use super::manifest::{Manifest, Size};
use super::preprocessing::{Channels, Layout, Preprocessing};
use super::signature::Signature;
use camloc_graph::explain::{ClassOutput, class_outputs};
use camloc_graph::onnx::proto::ModelProto;

/// The side of an input that the graph leaves open.
const SIDE: u32 = 224;

/// Mean and standard deviation of ImageNet's channels in units of 0..255, as torchvision has them.
pub(super) const IMAGENET: ([f64; 3], [f64; 3]) = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]);

/// The preprocessing that the graph and what was `said` of it give together; the error is what was said in contradiction
/// to the graph.
pub(super) fn preprocessing(
    signature: &Signature,
    manifest: &Manifest,
    has_manifest: bool,
    assumed: &mut Vec<String>,
) -> Result<Preprocessing, String> {
    let layouts = signature.layouts();
    let layout = match manifest.layout {
        Some(layout) if !layouts.contains(&layout) => return Err(format!("layout = \"{}\"", name(layout))),
        Some(layout) => layout,
        None => layouts.first().copied().unwrap_or_default(),
    };
    let (count, height, width) = signature.axes(layout);
    let channels = match manifest.channels {
        Some(channels) if count.is_some_and(|count| count != channels.count()) => {
            return Err(format!("{} channels", channels.count()));
        }
        Some(channels) => channels,
        None if count == Some(1) => Channels::Gray,
        None => Channels::Rgb,
    };
    let asked = manifest.size.map(Size::sides);
    let side = |fixed: Option<usize>, asked: Option<u32>| match (fixed, asked) {
        (Some(fixed), Some(asked)) if usize::try_from(asked) != Ok(fixed) => Err(()),
        (Some(fixed), _) => u32::try_from(fixed).map_err(|_| ()),
        (None, asked) => Ok(asked.unwrap_or(SIDE)),
    };
    let sides = (side(height, asked.map(|(height, _)| height)), side(width, asked.map(|(_, width)| width)));
    let (Ok(height_px), Ok(width_px)) = sides else {
        let (height, width) = asked.unwrap_or_default();
        return Err(format!("size = [{height}, {width}]"));
    };
    if asked.is_none() && (height.is_none() || width.is_none()) {
        assumed.push(format!("an input of {width_px}x{height_px} pixels"));
    }
    let (words, (mean, std)) = match (signature.bytes, channels) {
        (true, _) => ("pixels of 0..255", ([0.0; 3], [1.0; 3])),
        (_, Channels::Gray) => ("gray pixels of 0..1", ([0.0; 3], [255.0; 3])),
        _ => ("ImageNet's RGB mean and std", IMAGENET),
    };
    if !has_manifest {
        let unknown = [
            (manifest.mean_std().is_none(), words),
            (manifest.fit.is_none() && manifest.crop.is_none(), "a centre crop of 0.875"),
            (manifest.filter.is_none(), "bilinear"),
        ];
        assumed.extend(unknown.iter().filter(|(unknown, _)| *unknown).map(|(_, words)| (*words).to_owned()));
    }
    let (mean, std) = manifest.mean_std().unwrap_or((mean, std));
    Ok(Preprocessing {
        width: width_px,
        height: height_px,
        fit: manifest.fit(),
        filter: manifest.filter.unwrap_or_default(),
        channels,
        layout,
        mean,
        std,
    })
}

/// Name and number of classes of the output that holds the scores: the one `asked` for, else the one for which most speaks,
/// where `labels` are how many names were found. Which was taken of several is noted.
pub(super) fn scores(
    model: &mut ModelProto,
    signature: &Signature,
    asked: Option<&str>,
    (labels, file): (&[usize], &str),
    notes: &mut Vec<String>,
) -> Result<(String, Option<usize>), ModelError> {
    let found = match asked {
        Some(_) => Vec::new(),
        None => class_outputs(model, labels),
    };
    let asked = match (asked, found.as_slice()) {
        (Some(name), _) => Some(name),
        (None, [best, ..]) => Some(best.name.as_str()),
        (None, []) => signature.outputs.first().map(|output| output.name.as_str()),
    };
    if let [best, others @ ..] = found.as_slice()
        && !others.is_empty()
    {
        let reason = |output: &ClassOutput| match output.why.as_slice() {
            [] => String::new(),
            [why, ..] => format!(" ({why})"),
        };
        let others: Vec<String> =
            others.iter().take(SHOWN).map(|output| format!("'{}'{}", output.name, reason(output))).collect();
        notes.push(format!(
            "the class scores are taken from '{}'{}, not from {}; output = \"…\" in a manifest says otherwise",
            best.name,
            reason(best),
            others.join(" or ")
        ));
    }
    match asked.and_then(|name| signature.outputs.iter().find(|output| output.name == name)) {
        Some(output) => {
            let inferred =
                found.first().filter(|best| best.name == output.name).and_then(|best| best.classes);
            Ok((output.name.clone(), output.classes.or(inferred)))
        }
        None => Err(ModelError::NoOutput {
            file: file.to_owned(),
            output: asked.unwrap_or("of class scores").to_owned(),
            found: signature.outputs.iter().map(|output| format!("'{}'", output.name)).collect(),
        }),
    }
}

/// How many outputs a note names.
const SHOWN: usize = 3;

fn name(layout: Layout) -> &'static str {
    match layout {
        Layout::Nchw => "nchw",
        Layout::Nhwc => "nhwc",
    }
}
