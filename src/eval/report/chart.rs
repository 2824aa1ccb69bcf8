//! Charts as SVG to stand in the page.
//!
//! Text, axes and lines are drawn in colours that the page's style replaces or that can be read on light and
//! on dark; the legend is the page's own, so that it wraps on a narrow window.

use plotters::prelude::*;

use super::{Chart, ReportError};

/// Width and height in pixels at which letters have their size; the page scales the chart.
const SIZE: (u32, u32) = (480, 300);
const FONT: (&str, u32) = ("sans-serif", 14);

/// The lines' colours, in order and then again from the first.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x2f, 0x8f, 0xd8),
    RGBColor(0xe8, 0x7a, 0x2c),
    RGBColor(0x2f, 0xa3, 0x6b),
    RGBColor(0xc9, 0x4f, 0x9b),
    RGBColor(0x8b, 0x74, 0xdb),
    RGBColor(0xb0, 0x8d, 0x1e),
];

/// The colour of a line as CSS takes it.
pub(super) fn colour(line: usize) -> String {
    let RGBColor(red, green, blue) = COLOURS[line % COLOURS.len()];
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The chart as an `<svg>` element.
pub(super) fn svg(chart: &Chart) -> Result<String, ReportError> {
    let mut svg = String::new();
    draw(chart, &mut svg)
        .map_err(|error| ReportError::Chart { title: chart.title.clone(), why: error.to_string() })?;
    Ok(svg)
}

fn draw(chart: &Chart, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let Chart { length, height, .. } = *chart;
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut axes = ChartBuilder::on(&area)
        .margin(8)
        .margin_right(18)
        .x_label_area_size(44)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..length, 0.0..height.unwrap_or(1.0))?;
    let faint = RGBColor(128, 128, 128);
    axes.configure_mesh()
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|x| if length > 1.0 { format!("{x:.0}") } else { format!("{x:.1}") })
        .y_label_formatter(&|y| {
            if height.is_some() { format!("{y:.2}") } else { format!("{:.0} %", 100.0 * y) }
        })
        .x_desc(chart.along.as_str())
        .label_style(FONT)
        .axis_desc_style(FONT)
        .axis_style(faint.mix(0.7))
        .bold_line_style(faint.mix(0.25))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (line, series) in chart.series.iter().enumerate() {
        let finite = series.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite());
        let style = COLOURS[line % COLOURS.len()].stroke_width(2);
        axes.draw_series(LineSeries::new(finite, style))?;
    }
    drop(axes);
    area.present()?;
    Ok(())
}
