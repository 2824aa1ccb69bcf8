//! Where does the default model look in a photo? `cargo run --release --example photo -- cat.jpg`

use camloc::assets::{Asset, Store};
use camloc::explainer::Explainer;
use camloc::explainer::Request;
use camloc::localize::Localizer;
use camloc::model::Classifier;
use camloc::runtime::{self, Options};
use camloc::source::read_photo;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("give the path of a photo")?;
    let store = Store::open()?;
    runtime::init(&store.get(Asset::OnnxRuntime, &mut |_| {})?)?;
    let model = Classifier::default_model(&store, &mut |_| {})?;
    let request = Request { top_k: 3, refine: true, ..Request::default() };
    let mut explainer = Explainer::new(model, &request, &Options::default())?;

    let photo = read_photo(path.as_ref())?;
    let (mut maps, mut found) = (Vec::new(), Vec::new());
    let view = explainer.explain(&photo, &mut maps)?;
    Localizer::default().locate(&maps, view, photo.size(), &mut found);
    for detection in found {
        let label = explainer.labels().name(detection.class_id);
        println!("{label} {:.2} at {:?}", detection.score, detection.bbox);
    }
    Ok(())
}
