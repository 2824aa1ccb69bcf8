//! What graph and manifest give together, and what is assumed where both are silent.

use super::error::ModelError;
use super::manifest::{Manifest, Size};
use super::preprocessing::{Channels, Layout, Preprocessing};
use super::signature::Signature;

/// The side of an input that the graph leaves open.
const SIDE: u32 = 224;

/// Mean and standard deviation of ImageNet's channels in units of 0..255, as torchvision has them.
pub(super) const IMAGENET: ([f64; 3], [f64; 3]) = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]);

/// The preprocessing that graph and manifest give together; the error is what the manifest says in
/// contradiction to the graph.
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
        assumed.push(format!("{words}, a centre crop of 0.875, bilinear"));
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

/// Name and number of classes of the output that holds the scores.
pub(super) fn scores(
    signature: &Signature,
    asked: Option<&str>,
    file: &str,
) -> Result<(String, Option<usize>), ModelError> {
    let output = match asked {
        Some(name) => signature.outputs.iter().find(|output| output.name == name),
        None => signature.scores(),
    };
    match output {
        Some(output) => Ok((output.name.clone(), output.classes)),
        None => Err(ModelError::NoOutput {
            file: file.to_owned(),
            output: asked.unwrap_or("of class scores").to_owned(),
            found: signature.outputs.iter().map(|output| format!("'{}'", output.name)).collect(),
        }),
    }
}

fn name(layout: Layout) -> &'static str {
    match layout {
        Layout::Nchw => "nchw",
        Layout::Nhwc => "nhwc",
    }
}
