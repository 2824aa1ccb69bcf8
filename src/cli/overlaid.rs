//! Where `live` and `video` show results, and write overlaid videos: one file, or for several streams one each in a folder.

use std::path::{Path, PathBuf};

use crate::display::Display;
use crate::render::TextRenderer;
use crate::sink::{Sink, SinkError, VideoOptions, VideoSink};
use crate::window::Window;
use anyhow::{Result, anyhow};

use super::usage;

/// A window for `count` streams, of which the first has pictures of this size.
pub(super) fn window(
    size: (u32, u32),
    count: usize,
    text: TextRenderer,
) -> Result<Box<dyn Display>, SinkError> {
    Ok(Box::new(Window::tiled("camloc", size, count, text)?))
}

/// The file of each stream, `None` where none is written. Of several streams, `output` is a folder, and each file has its
/// stream's name.
pub(super) fn targets(output: Option<&Path>, names: &[String]) -> Result<Vec<Option<PathBuf>>> {
    let Some(output) = output else { return Ok(vec![None; names.len()]) };
    if names.len() == 1 {
        return Ok(vec![Some(output.to_owned())]);
    }
    if is_file(output) {
        return Err(usage(anyhow!(
            "{} is one file, and there are {} videos: give -o DIR",
            output.display(),
            names.len()
        )));
    }
    std::fs::create_dir_all(output).map_err(|error| anyhow!("{}: {error}", output.display()))?;
    Ok(names.iter().map(|name| Some(output.join(self::name(name)))).collect())
}

/// Whether an output is named like a file, and no folder.
pub(super) fn is_file(output: &Path) -> bool {
    output.extension().is_some() && !output.is_dir()
}

/// `clip` becomes `clip.cam.mp4`.
pub(super) fn name(stem: &str) -> String {
    format!("{stem}.cam.mp4")
}

/// The files that are written.
pub(super) fn paths(targets: &[Option<PathBuf>]) -> Vec<&Path> {
    targets.iter().flatten().map(PathBuf::as_path).collect()
}

/// Opens them, for each stream none or one; `options` are asked for only of those that are written.
pub(super) fn videos(
    targets: &[Option<PathBuf>],
    options: impl Fn(usize) -> Result<VideoOptions>,
) -> Result<Vec<Vec<Box<dyn Sink>>>> {
    let open = |(stream, path): (usize, &PathBuf)| -> Result<Box<dyn Sink>> {
        Ok(Box::new(VideoSink::create(path, options(stream)?)?))
    };
    let streams = targets.iter().enumerate();
    streams.map(|(stream, path)| path.iter().map(|path| open((stream, path))).collect()).collect()
}
