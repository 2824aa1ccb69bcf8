//! Which video codec goes into which file: [`Format`].

use std::path::Path;

use super::SinkError;

/// How ffmpeg writes a kind of file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// Options of the picture's codec.
    pub(super) codec: &'static str,
    /// Options of the file.
    pub(super) container: &'static str,
    /// Codec for sound that the file does not take as it is.
    pub(super) sound: &'static str,
}

impl Format {
    /// The format that the file's extension names.
    pub(super) fn of(path: &Path) -> Result<Format, SinkError> {
        // Superfast costs half of veryfast's CPU at the same SSIM, for a file a sixth larger.
        const H264: &str = "-c:v libx264 -preset superfast -crf 21 -pix_fmt yuv420p";
        const VP9: &str =
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1 -crf 30 -b:v 0 -pix_fmt yuv420p";
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("mp4" | "m4v" | "mov") => {
                Ok(Format { codec: H264, container: "-movflags +faststart", sound: "aac" })
            }
            Some("mkv") => Ok(Format { codec: H264, container: "", sound: "aac" }),
            Some("webm") => Ok(Format { codec: VP9, container: "", sound: "libopus" }),
            _ => Err(SinkError::UnknownFormat {
                path: path.to_owned(),
                known: ".mp4, .m4v, .mov, .mkv or .webm",
            }),
        }
    }
}
