//! One self-contained page of HTML about an evaluation: no script, no network, pictures as data URIs.
//!
//! The page is `templates/report.html`, compiled in. Whatever a [`Report`] holds is text to the page: labels
//! and file names are escaped.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

mod chart;
mod page;
mod show;

use super::statistics::{Difference, Interval};

/// What tells our pages from other files.
const MARK: &str = "<meta name=\"generator\" content=\"camloc\">";

/// Refuses the place of a page whose name the user did not choose, where another file is: it is not ours to replace.
///
/// # Errors
/// [`ReportError::NotOurs`].
pub(crate) fn check_place(path: &Path) -> Result<(), ReportError> {
    // What is no file is refused, or written to, when its turn comes.
    if path.is_file() && !is_ours(path) {
        return Err(ReportError::NotOurs(path.to_owned()));
    }
    Ok(())
}

fn is_ours(page: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(page).and_then(|file| file.take(4096).read_to_end(&mut start));
    read.is_ok() && start.windows(MARK.len()).any(|window| window == MARK.as_bytes())
}

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// A chart could not be drawn.
    #[error("chart \"{title}\" of the report can't be drawn: {why}")]
    Chart {
        /// Its title.
        title: String,
        /// What the drawing library says.
        why: String,
    },
    /// A file of the page's name is no page of ours.
    #[error("{} is there already and is no page of camloc's: move it away, or choose another name", .0.display())]
    NotOurs(PathBuf),
    /// The page could not be written out.
    #[error("the report's page can't be written out")]
    Page(#[from] askama::Error),
}

/// Everything the page shows; it is read from nowhere and computed from nothing else. What is empty has no
/// section.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// What heads the page: the data set's name.
    pub title: String,
    /// One sentence under it: how many pictures, which model, which method.
    pub summary: String,
    /// The headline scores.
    pub scores: Vec<Score>,
    /// The comparison with another run.
    pub against: Option<Against>,
    /// Curves over thresholds.
    pub charts: Vec<Chart>,
    /// Rows of pictures.
    pub galleries: Vec<Gallery>,
    /// Scores by class, by sequence.
    pub tables: Vec<Table>,
    /// What was wrong with the data.
    pub faults: Vec<Fault>,
    /// Name and value of each setting.
    pub settings: Vec<(String, String)>,
    /// The command that gives this report again.
    pub command: String,
}

/// What a score is measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A share of 1, shown in per cent with a bar.
    #[default]
    Share,
    /// A multiple of something: "1.3 x".
    Times,
}

/// One headline score.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Score {
    /// As people call it: "GT-known Loc".
    pub name: String,
    /// What it means, and anything else there is to say (the best threshold), in half a sentence.
    pub meaning: String,
    /// The score with its 95 % interval.
    pub interval: Interval,
    /// What it is measured in.
    pub unit: Unit,
    /// Whether less is better, as of deletion and jitter.
    pub less_is_better: bool,
    /// Scores without a look at the picture, in the same unit: "centre box", 0.42.
    pub baselines: Vec<(String, f64)>,
}

/// The comparison with another run on the same pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Against {
    /// Which run.
    pub other: String,
    /// Score by score.
    pub scores: Vec<Compared>,
}

/// One score of two runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    /// The score's name.
    pub name: String,
    /// What it is measured in.
    pub unit: Unit,
    /// Whether less is better.
    pub less_is_better: bool,
    /// This run's less the other's, on the pictures that both have.
    pub difference: Difference,
}

/// A chart of values from 0 against something that runs from 0.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    /// What it shows.
    pub title: String,
    /// What runs from left to right: "threshold, share of the map's peak".
    pub along: String,
    /// Where that ends.
    pub length: f64,
    /// The greatest value; `None` for shares, 0..1, shown in per cent.
    pub height: Option<f64>,
    /// The lines.
    pub series: Vec<Series>,
}

/// One line of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// For the legend.
    pub name: String,
    /// Place and value, from left to right.
    pub points: Vec<(f64, f64)>,
}

impl Default for Chart {
    /// Shares against something that runs from 0 to 1.
    fn default() -> Chart {
        Chart { title: String::new(), along: String::new(), length: 1.0, height: None, series: Vec::new() }
    }
}

/// A row of pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Gallery {
    /// What heads it: "Worst pictures".
    pub title: String,
    /// The pictures.
    pub pictures: Vec<Thumbnail>,
}

/// One picture with heat and boxes already drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thumbnail {
    /// Which picture.
    pub name: String,
    /// What was found: class and overlap.
    pub caption: String,
    /// The bytes of a JPEG file, some 300 pixels wide.
    pub jpeg: Vec<u8>,
}

/// A table of figures by class or by sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// What heads it: "By class".
    pub title: String,
    /// What the columns are, the first being the row's name.
    pub columns: Vec<String>,
    /// The rows, each with a cell a column.
    pub rows: Vec<Vec<String>>,
}

/// One kind of fault of the data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fault {
    /// What is wrong: "box outside the picture".
    pub kind: String,
    /// How often.
    pub count: usize,
    /// Where, the first few.
    pub examples: Vec<String>,
}

impl Report {
    /// The page.
    ///
    /// # Errors
    ///
    /// When the chart library or the template refuses to write to memory.
    pub(crate) fn html(&self) -> Result<String, ReportError> {
        page::render(self)
    }

    /// What made it, by its command: `camloc eval`.
    fn program(&self) -> String {
        self.command.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert('\"&')</script>";

    fn interval(value: f64) -> Interval {
        Interval { value, low: value - 0.03, high: value + 0.04 }
    }

    /// A report that has everything, all of it hostile.
    fn hostile() -> Report {
        let text = || HOSTILE.to_owned();
        let gallery = |picture| Gallery { title: text(), pictures: vec![picture] };
        let compared = |less_is_better| Compared {
            name: text(),
            unit: Unit::Share,
            less_is_better,
            difference: Difference { difference: interval(0.1), above: 1.0 },
        };
        Report {
            title: text(),
            summary: text(),
            scores: vec![Score {
                name: text(),
                meaning: text(),
                interval: interval(0.637),
                unit: Unit::Share,
                less_is_better: true,
                baselines: vec![(text(), 0.869)],
            }],
            against: Some(Against { other: text(), scores: vec![compared(false), compared(true)] }),
            charts: vec![Chart {
                title: text(),
                along: text(),
                series: vec![Series { name: text(), points: vec![(0.0, 0.5), (f64::NAN, 0.1), (1.0, 0.25)] }],
                ..Chart::default()
            }],
            galleries: vec![
                gallery(Thumbnail { name: text(), caption: text(), jpeg: vec![0xff, 0xd8, 0xff] }),
                gallery(Thumbnail { name: text(), caption: text(), jpeg: vec![] }),
            ],
            tables: vec![Table { title: text(), columns: vec![text()], rows: vec![vec![text()]; 30] }],
            faults: vec![Fault { kind: text(), count: 2, examples: vec![text()] }],
            settings: vec![(text(), text())],
            command: text(),
        }
    }

    #[test]
    fn no_label_becomes_markup() {
        let page = hostile().html().unwrap();
        assert!(!page.contains("<script"), "a label got through as it is");
        assert!(!page.contains("&amp;lt;"), "a label was escaped twice");
        // 24 texts, the title and the pictures' names twice, the command's first words in the title and above it, 30 rows.
        assert_eq!(page.matches("alert(").count(), 24 + 3 + 2 + 30, "a text is missing");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = hostile().html().unwrap();
        for loads in ["src=\"http", "href=", "url(", "@import", "src=\"/", "src=\"file"] {
            assert!(!page.contains(loads), "the page loads something: {loads}");
        }
        assert!(page.contains("src=\"data:image/jpeg;base64,/9j/\""));
    }

    #[test]
    fn figures_are_shown_with_their_interval_and_baselines() {
        let page = hostile().html().unwrap();
        for shown in ["63.7 %", "60.7 – 67.7 %", "86.9 %", "+10.0 pp", "+7.0 pp … +14.0 pp"] {
            assert!(page.contains(shown), "{shown} is missing");
        }
        assert_eq!((page.matches(">better<").count(), page.matches(">worse<").count()), (1, 1));
    }

    #[test]
    fn what_is_empty_has_no_section() {
        let page = Report { title: "set".to_owned(), ..Report::default() }.html().unwrap();
        assert!(page.contains("<h1>set</h1>") && !page.contains("<section>") && !page.contains("<h2>"));
    }

    #[test]
    fn figures_without_a_value_do_not_break_the_page() {
        let mut report = hostile();
        let nan = Interval { value: f64::NAN, low: f64::NAN, high: f64::INFINITY };
        report.scores[0].interval = nan;
        report.charts[0].series[0].points = vec![];
        report.charts.push(Chart::default());
        let page = report.html().unwrap();
        assert!(page.contains("<strong>–</strong>") && !page.contains("NaN") && !page.contains("inf%"));
    }

    #[test]
    fn only_pages_of_ours_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.html");
        check_place(&path).unwrap();
        std::fs::write(&path, Report::default().html().unwrap()).unwrap();
        check_place(&path).unwrap();
        std::fs::write(&path, "<html>my page</html>").unwrap();
        assert!(matches!(check_place(&path), Err(ReportError::NotOurs(_))));
    }
}
