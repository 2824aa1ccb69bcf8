//! The page's template with what it is filled from.

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Chart, Report, ReportError, Table, Thumbnail, chart};

/// Rows from which a table is folded.
const LONG: usize = 20;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    charts: Vec<Drawn<'a>>,
}

/// A chart with its drawing.
struct Drawn<'a> {
    chart: &'a Chart,
    svg: String,
    /// Colour and name of each line.
    legend: Vec<(String, &'a str)>,
}

pub(super) fn render(report: &Report) -> Result<String, ReportError> {
    let charts = report.charts.iter().map(drawn).collect::<Result<_, _>>()?;
    Ok(Page { report, charts }.render()?)
}

fn drawn(chart: &Chart) -> Result<Drawn<'_>, ReportError> {
    let lines = chart.series.iter().enumerate();
    let legend = lines.map(|(line, series)| (chart::colour(line), series.name.as_str())).collect();
    Ok(Drawn { chart, svg: chart::svg(chart)?, legend })
}

impl Thumbnail {
    fn data_uri(&self) -> String {
        format!("data:image/jpeg;base64,{}", STANDARD.encode(&self.jpeg))
    }
}

impl Table {
    fn is_long(&self) -> bool {
        self.rows.len() > LONG
    }
}
