use std::path::PathBuf;

/// Why a source can't be opened, or ended before its time.
///
/// Each message is one line that makes sense alone; sources of the error (system, decoder) hang below it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No such file or directory.
    #[error("{name} does not exist")]
    Missing {
        /// The path as given.
        name: String,
    },
    /// A file that can't be read.
    #[error("{name} can't be read: {}", .source.kind())]
    Unreadable {
        /// The path as given.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file without content.
    #[error("{name} is empty")]
    Empty {
        /// The file.
        name: String,
    },
    /// A directory was given where a file is needed.
    #[error("{name} is a directory, not a video")]
    Directory {
        /// The directory.
        name: String,
    },
    /// The `ffmpeg` program can't be run.
    #[error("can't run {}, which reads videos: {}", .program.display(), .source.kind())]
    NoFfmpeg {
        /// The program as given.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The `ffmpeg` program was ended by a signal.
    #[error("{} crashed on {name}{} ({how}): install another ffmpeg, or name one with CAMLOC_FFMPEG", .program.display(), if *frames > 0 { after(*.frames) } else { String::new() })]
    Crashed {
        /// The file or URL.
        name: String,
        /// The program.
        program: PathBuf,
        /// The signal.
        how: String,
        /// Frames delivered before.
        frames: u64,
    },
    /// Not a video, or a damaged one.
    #[error("{name} is not a video that ffmpeg can read: {reason}")]
    NotVideo {
        /// The file or URL.
        name: String,
        /// ffmpeg's reason.
        reason: String,
    },
    /// A media file without moving pictures.
    #[error("{name} has no video: {reason}")]
    NoVideo {
        /// The file or URL.
        name: String,
        /// What it has instead.
        reason: &'static str,
    },
    /// A network stream that can't be opened.
    #[error("can't open {name}: {reason}; check the address and that the server is up")]
    Unreachable {
        /// The URL without its password.
        name: String,
        /// ffmpeg's reason.
        reason: String,
    },
    /// A video that ended before its declared end; all its frames were delivered.
    #[error("{name} is cut short: it ended{}{}", after(*.frames), of_expected(*.expected))]
    CutShort {
        /// The file or URL.
        name: String,
        /// Frames delivered.
        frames: u64,
        /// Frames its header promised, about.
        expected: Option<u64>,
    },
    /// Not a picture that camloc reads.
    #[error("{name} is not a picture camloc can read (JPEG, PNG, GIF, WebP, BMP, TIFF, PNM)")]
    NotPicture {
        /// The file.
        name: String,
    },
    /// A video where a picture is needed.
    #[error("{name} is a video, not a picture: `camloc video` takes it")]
    IsVideo {
        /// The file.
        name: String,
    },
    /// A directory where one photo is needed.
    #[error("{name} is a folder: name one photo, such as one in it")]
    IsFolder {
        /// The directory.
        name: String,
    },
    /// A photo elsewhere.
    #[error("{name} is not on this machine: download it first, then give its file")]
    Elsewhere {
        /// Its address.
        name: String,
    },
    /// A kind of picture that camloc knows but doesn't read.
    #[error("{name} is {kind}, which is not supported: convert it to JPEG or PNG")]
    Unsupported {
        /// The file.
        name: String,
        /// For instance `a HEIC picture`.
        kind: &'static str,
    },
    /// A picture whose file ends too early.
    #[error("{name} is cut short: the end of the picture is missing; copy it again")]
    CutPicture {
        /// The file.
        name: String,
    },
    /// A picture that can't be decoded.
    #[error("{name} is damaged: {source}", source = .source.to_string().lines().next().unwrap_or_default())]
    DamagedPicture {
        /// The file.
        name: String,
        /// What the decoder said.
        source: image::ImageError,
    },
    /// A picture that needs more memory than camloc grants.
    #[error("{name} is too large: {width}x{height} needs {} MB to decode, the limit is {} MB", .bytes / 1_000_000, .limit / 1_000_000)]
    TooLarge {
        /// The file.
        name: String,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes needed.
        bytes: u64,
        /// Bytes granted.
        limit: u64,
    },
    /// A directory without pictures.
    #[error("{name} holds no pictures (JPEG, PNG, GIF, WebP, BMP, TIFF, PNM)")]
    NoPictures {
        /// The directory.
        name: String,
    },
    /// Not one photo of several could be read; each was reported before.
    #[error("none of the {count} pictures could be read")]
    NoneReadable {
        /// How many there were.
        count: usize,
    },
    /// There is no camera.
    #[error("no camera found: plug one in")]
    NoCamera,
    /// There is no camera of this number or path.
    #[error("there is no camera {wanted}; there is {}", .there.join(", "))]
    NoSuchCamera {
        /// The camera asked for.
        wanted: String,
        /// Those there.
        there: Vec<String>,
    },
    /// Another program uses the camera.
    #[error("another program holds {name}: close it")]
    CameraBusy {
        /// The camera.
        name: String,
    },
    /// No right to use the camera.
    #[error("no permission to use {name}: {}", camera_permission_hint())]
    CameraPermission {
        /// The camera.
        name: String,
    },
    /// The camera offers no picture format that camloc decodes.
    #[error("{name} offers no format camloc can decode (MJPEG, YUYV, UYVY, NV12, grey, RGB, BGR)")]
    CameraFormats {
        /// The camera.
        name: String,
    },
    /// The camera was pulled out, and waiting for it was not wanted.
    #[error("{name} is gone: plug it in and start again")]
    CameraGone {
        /// The camera.
        name: String,
    },
    /// Anything else that goes wrong with a camera.
    #[error("{name} failed: {reason}; plug it in again")]
    Camera {
        /// The camera.
        name: String,
        /// What the system said.
        reason: String,
    },
}

fn after(frames: u64) -> String {
    format!(" after {frames} frame{}", if frames == 1 { "" } else { "s" })
}

fn of_expected(frames: Option<u64>) -> String {
    frames.map(|n| format!(" of about {n}")).unwrap_or_default()
}

fn camera_permission_hint() -> &'static str {
    if cfg!(target_os = "linux") {
        "add yourself to the group video (sudo usermod -aG video $USER) and log in again"
    } else {
        "allow it in the system's privacy settings"
    }
}

impl SourceError {
    /// The error for a path that can't be opened or read.
    pub(super) fn from_io(name: String, source: std::io::Error) -> SourceError {
        match source.kind() {
            std::io::ErrorKind::NotFound => SourceError::Missing { name },
            _ => SourceError::Unreadable { name, source },
        }
    }
}
