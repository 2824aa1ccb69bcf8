//! What does the default model see in each frame of a video? `cargo run --release --example video -- clip.mp4`

use camloc::Explainer;
use camloc::assets::Store;
use camloc::files::Stop;
use camloc::frame::PicturePool;
use camloc::source::{Event, FrameSource, VideoSource};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("give the path of a video")?;
    let mut explainer = Explainer::default_model()?.build()?;
    let ffmpeg = Store::open()?.ffmpeg(&mut |_| {})?;
    let mut video = VideoSource::open(&ffmpeg, &path, &PicturePool::new(4), &Stop::new())?;
    // Maps alone, whose memory is used again.
    let mut maps = Vec::new();
    while let Event::Frame(frame) = video.next()? {
        explainer.explain_into(&frame.picture, &mut maps)?;
        if let Some(best) = maps.first() {
            let label = explainer.labels().name(best.class_id);
            println!("{:7.3} s  {label} {:.2}", frame.time.as_secs_f64(), best.score);
        }
    }
    Ok(())
}
