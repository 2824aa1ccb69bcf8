//! Where does the default model look in a photo? `cargo run --release --example photo -- cat.jpg`

use camloc::{Explainer, Picture};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let photo = Picture::open(std::env::args_os().nth(1).ok_or("give the path of a photo")?)?;
    let explanation = Explainer::default_model()?.top_k(3).build()?.explain(&photo)?;
    for class in &explanation.classes {
        println!("{} {:.0} %", class.name, 100.0 * class.probability);
    }
    for found in &explanation.detections {
        println!("{} is at {:?}", explanation.name(found.class_id), found.bbox);
    }
    Ok(explanation.draw_over(&photo).save("explained.jpg")?)
}
