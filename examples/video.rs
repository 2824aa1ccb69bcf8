//! What does the default model see in each frame of a video? `cargo run --release --example video -- clip.mp4`

use camloc::assets::{Asset, Store};
use camloc::explainer::Explainer;
use camloc::explainer::Request;
use camloc::files::Stop;
use camloc::frame::PicturePool;
use camloc::model::Classifier;
use camloc::runtime::{self, Options};
use camloc::source::{Event, FrameSource, VideoSource};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("give the path of a video")?;
    let store = Store::open()?;
    runtime::init(&store.get(Asset::OnnxRuntime, &mut |_| {})?)?;
    let model = Classifier::default_model(&store, &mut |_| {})?;
    let request = Request { top_k: 1, ..Request::default() };
    let mut explainer = Explainer::new(model, &request, &Options::default())?;

    let ffmpeg = store.ffmpeg(&mut |_| {})?;
    let mut video = VideoSource::open(&ffmpeg, &path, &PicturePool::new(4), &Stop::new())?;
    let mut maps = Vec::new();
    while let Event::Frame(frame) = video.next()? {
        explainer.explain(&frame.picture, &mut maps)?;
        let (label, score) = (explainer.labels().name(maps[0].class_id), maps[0].score);
        println!("{:7.3} s  {label} {score:.2}", frame.time.as_secs_f64());
    }
    Ok(())
}
