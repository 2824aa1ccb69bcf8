//! Draws what was found: heat, boxes and names over a picture ([`Renderer`]), text in any script
//! ([`TextRenderer`]), contact sheets (`Sheet`), and the window's own words (`Hud`).

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::frame::Picture;
use crate::maps::ClassMap;
use crate::view::View;

mod canvas;
mod colormap;
mod field;
mod fine;
mod fonts;
mod heat;
mod hud;
mod marks;
mod overlay;
mod sheet;
mod text;

pub use colormap::Colormap;
pub(crate) use fine::{fine_map, fine_peak};
pub use heat::HeatScale;
pub(crate) use hud::Hud;
pub use marks::Mark;
pub(crate) use sheet::{Sheet, SheetColumn, Tile};
pub use text::TextRenderer;

use field::HeatField;
use marks::Marker;
use overlay::Overlay;

/// What can go wrong before drawing; drawing itself cannot fail.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// No colour map has this name.
    #[error("there is no colour map \"{name}\": use turbo, jet, viridis, inferno, magma, plasma or cividis")]
    UnknownColormap {
        /// What was asked for.
        name: String,
    },
    /// A font file cannot be read.
    #[error("the font {} cannot be read: check that the file exists and may be read", path.display())]
    UnreadableFont {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file holds no font.
    #[error("{} is no font: give a TrueType or OpenType file (.ttf, .otf, .ttc)", path.display())]
    NotAFont {
        /// The file.
        path: PathBuf,
    },
}

/// What is drawn, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Heat over the picture, and what the model never saw darkened.
    pub heatmap: bool,
    /// Boxes around objects.
    pub boxes: bool,
    /// Outlines of objects.
    pub outlines: bool,
    /// A dot where the heat is highest.
    pub peak: bool,
    /// Name tags.
    pub labels: bool,
    /// How much of the photo the hottest pixels hide, 0..1.
    pub opacity: f32,
    /// The colours of heat.
    pub colormap: Colormap,
}

impl Default for Style {
    fn default() -> Style {
        Style {
            heatmap: true,
            boxes: true,
            outlines: false,
            peak: false,
            labels: true,
            opacity: 0.6,
            colormap: Colormap::Turbo,
        }
    }
}

/// One frame and what was found in it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The frame's pixels.
    pub source: &'a Picture,
    /// The part of the frame that the maps cover.
    pub view: View,
    /// The maps of one run to show as heat, all of one size: of one class, or of several, of which each pixel
    /// shows the hottest.
    pub heat: &'a [&'a ClassMap],
    /// What to mark, the most important first.
    pub marks: &'a [Mark<'a>],
    /// The frame's presentation time, for the [`HeatScale`].
    pub time: Duration,
}

/// Draws scenes; keeps its buffers, so that drawing allocates nothing once it is warm.
#[derive(Debug)]
pub struct Renderer {
    scale: HeatScale,
    text: TextRenderer,
    field: HeatField,
    overlay: Overlay,
    marker: Marker,
}

impl Renderer {
    /// A renderer that follows the heat of its scenes by `scale` and writes with `text`.
    pub fn new(scale: HeatScale, text: TextRenderer) -> Renderer {
        Renderer {
            scale,
            text,
            field: HeatField::default(),
            overlay: Overlay::default(),
            marker: Marker::default(),
        }
    }

    /// What writes the tags, for example to draw more text or to ask for missing characters.
    pub fn text(&mut self) -> &mut TextRenderer {
        &mut self.text
    }

    /// Draws a scene into `out`, whose content does not matter.
    ///
    /// `out` should have the source's size; if not, it is replaced by a picture that has.
    pub fn draw(&mut self, scene: &Scene<'_>, style: &Style, out: &mut Picture) {
        let (width, height) = scene.source.size();
        if out.size() != (width, height) {
            *out = Picture::black(width, height);
        }
        self.field.clear();
        // Scales follow their maps while heat is hidden, too, so that it is right when it comes back.
        for map in scene.heat {
            if let Some(scale) = self.scale.follow(map, scene.time) {
                self.field.add(map, scale);
            }
        }
        if style.heatmap {
            let opacity = if style.opacity.is_nan() { 0.0 } else { style.opacity.clamp(0.0, 1.0) };
            self.overlay.draw(scene.source, scene.view, &mut self.field, (style.colormap, opacity), out);
        } else {
            out.rgb_mut().copy_from_slice(scene.source.rgb());
        }
        self.marker.draw(out, scene.marks, style, &mut self.text);
    }

    /// Forgets how hot earlier scenes were: the next one has its own scale.
    pub(crate) fn forget_heat(&mut self) {
        self.scale.forget();
    }

    /// Writes a line with a name into the lower left corner of a picture.
    pub(crate) fn caption(&mut self, name: &str, line: &str, out: &mut Picture) {
        Hud::new(out, &mut self.text).figures(&[(name, line)]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(height: usize, width: usize, values: Vec<f32>) -> ClassMap {
        ClassMap { class_id: 3, score: 0.5, height, width, values, bounds: None }
    }

    /// A 7x7 map with its one peak in column 5 of row 2.
    fn peaked() -> ClassMap {
        map(7, 7, (0..49).map(|i| if i == 2 * 7 + 5 { 8.0 } else { -1.0 }).collect())
    }

    fn scene<'a>(source: &'a Picture, view: View, heat: &'a [&'a ClassMap]) -> Scene<'a> {
        Scene { source, view, heat, marks: &[], time: Duration::ZERO }
    }

    fn renderer() -> Renderer {
        Renderer::new(HeatScale::still(), TextRenderer::new())
    }

    fn grey(width: u32, height: u32) -> Picture {
        Picture::from_rgb(width, height, vec![100; 3 * width as usize * height as usize]).unwrap()
    }

    fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
        let at = 3 * (y * picture.width() + x) as usize;
        picture.rgb()[at..at + 3].try_into().unwrap()
    }

    fn draw(source: &Picture, view: View, heat: &[&ClassMap], style: &Style) -> Picture {
        let mut out = Picture::black(0, 0);
        renderer().draw(&scene(source, view, heat), style, &mut out);
        out
    }

    #[test]
    fn heat_shows_at_the_peak_cold_pixels_stay_and_the_unseen_is_dark() {
        let source = grey(280, 140);
        // A centre crop: each cell of the map covers 20x20 pixels, from column 70 on.
        let view = View { x: 70.0, y: 0.0, width: 140.0, height: 140.0 };
        let style = Style { opacity: 0.5, ..Style::default() };
        let out = draw(&source, view, &[&peaked()], &style);
        assert_eq!(out.size(), source.size());
        let hot = pixel(&out, 70 + 110, 50);
        for (channel, colour) in hot.into_iter().zip(style.colormap.colour(1.0)) {
            let wanted = (100.0 + f32::from(colour)) / 2.0;
            assert!((f32::from(channel) - wanted).abs() <= 2.0, "{hot:?}");
        }
        assert_eq!(pixel(&out, 70 + 30, 110), [100; 3], "cold");
        assert_eq!((pixel(&out, 69, 50), pixel(&out, 210, 50)), ([43; 3], [43; 3]), "unseen");
        assert_ne!(pixel(&out, 70, 50), [43; 3], "the first seen column");
        assert_ne!(pixel(&out, 209, 50), [43; 3], "the last seen column");
    }

    #[test]
    fn heat_of_a_letterbox_stands_where_the_model_saw_it() {
        let source = grey(280, 140);
        let view = View { x: 0.0, y: -70.0, width: 280.0, height: 280.0 };
        let out = draw(&source, view, &[&peaked()], &Style::default());
        let tinted = |x: u32, y: u32| (pixel(&out, x, y)[0].abs_diff(100)) as u32;
        let strongest = (0..280 * 140).max_by_key(|i| tinted(i % 280, i / 280)).unwrap();
        let (x, y) = view.to_source(5.5 / 7.0, 2.5 / 7.0);
        assert!((f64::from(strongest % 280) - x).abs() < 20.0, "column {} of {x}", strongest % 280);
        assert!((f64::from(strongest / 280) - y).abs() < 20.0, "row {} of {y}", strongest / 280);
        assert!(out.rgb().chunks_exact(3).all(|pixel| pixel != [43; 3]), "all of the frame was seen");
    }

    #[test]
    fn without_the_heatmap_the_picture_stays_as_it_is() {
        let source = Picture::from_rgb(5, 3, (0..45).collect()).unwrap();
        let view = View { x: 1.0, y: 0.0, width: 3.0, height: 3.0 };
        let style = Style { heatmap: false, ..Style::default() };
        assert_eq!(draw(&source, view, &[&peaked()], &style).rgb(), source.rgb());
        let clear = Style { opacity: 0.0, ..Style::default() };
        assert_eq!(draw(&source, View::whole(5, 3), &[&peaked()], &clear).rgb(), source.rgb());
        let no_heat = map(2, 2, vec![-1.0, 0.0, f32::NAN, f32::INFINITY]);
        assert_eq!(draw(&source, View::whole(5, 3), &[&no_heat], &Style::default()).rgb(), source.rgb());
    }

    #[test]
    fn a_picture_does_not_depend_on_what_was_drawn_before() {
        let (source, other) = (grey(90, 61), grey(33, 70));
        let (peaked, flat) = (peaked(), map(3, 2, vec![0.3; 6]));
        let mut renderer = renderer();
        let mut first = Picture::black(1, 1);
        renderer.draw(&scene(&source, View::whole(90, 61), &[&peaked]), &Style::default(), &mut first);
        let mut again = Picture::from_rgb(90, 61, vec![77; 3 * 90 * 61]).unwrap();
        let jet = Style { colormap: Colormap::Jet, opacity: 0.9, ..Style::default() };
        let crop = View { x: 3.0, y: 5.0, width: 20.0, height: 20.0 };
        renderer.draw(&scene(&other, crop, &[&flat]), &jet, &mut again);
        renderer.draw(&scene(&source, View::whole(90, 61), &[&peaked]), &Style::default(), &mut again);
        assert_eq!(first.rgb(), again.rgb());
    }

    #[test]
    fn one_bright_frame_does_not_make_a_live_picture_flicker() {
        let source = grey(70, 70);
        let (calm, mut flash) = (peaked(), peaked());
        flash.values[48] = 8000.0;
        let mut renderer = Renderer::new(HeatScale::live(), TextRenderer::new());
        let mut draw = |map: &ClassMap, frame: u64| {
            let mut out = Picture::black(70, 70);
            let time = Duration::from_millis(33 * frame);
            let scene = Scene { time, ..scene(&source, View::whole(70, 70), &[]) };
            renderer.draw(&Scene { heat: &[map], ..scene }, &Style::default(), &mut out);
            pixel(&out, 55, 25)
        };
        let before = (0..5).map(|frame| draw(&calm, frame)).last().unwrap();
        for (frame, map) in [(5, &flash), (6, &calm)] {
            let now = draw(map, frame);
            let change = before.iter().zip(now).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(change < 40, "{before:?} became {now:?}");
        }
    }

    #[test]
    fn a_renderer_moves_to_the_thread_that_draws() {
        let mut renderer = renderer();
        let draws = move || {
            renderer.draw(&scene(&grey(2, 2), View::whole(2, 2), &[]), &Style::default(), &mut grey(2, 2))
        };
        std::thread::spawn(draws).join().unwrap();
    }

    #[test]
    fn a_strip_and_a_single_pixel_are_pictures_too() {
        for (width, height) in [(20_000, 3), (3, 20_000), (1, 1), (0, 0), (0, 9), (9, 0)] {
            let out = draw(&grey(width, height), View::whole(width, height), &[&peaked()], &Style::default());
            assert_eq!(out.size(), (width, height));
        }
    }

    proptest! {
        #[test]
        fn any_view_of_any_picture_is_harmless(
            (width, height) in (0u32..70, 0u32..70),
            near: bool,
            (x, y, w, h) in (any::<f64>(), any::<f64>(), any::<f64>(), any::<f64>()),
            (rows, columns) in (1usize..9, 1usize..80),
            values in proptest::collection::vec(any::<f32>(), 9 * 80),
            opacity in any::<f32>(),
        ) {
            let view = View { x, y, width: w, height: h };
            let near_by = |v: f64| if v.is_finite() { v % 50.0 } else { v };
            let view = if near {
                View { x: near_by(x), y: near_by(y), width: near_by(w), height: near_by(h) }
            } else {
                view
            };
            let map = map(rows, columns, values[..rows * columns].to_vec());
            let style = Style { opacity, ..Style::default() };
            let out = draw(&grey(width, height), view, &[&map], &style);
            prop_assert_eq!(out.size(), (width, height));
        }
    }
}
